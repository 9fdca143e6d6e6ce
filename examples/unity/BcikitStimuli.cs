// P300 and SSVEP on any objects of a scene: flashes and flicker locked to Unity's frames, each reported with its time.
// The session's output is ws:?screen=1&token=...; windows are cut at what was seen.
using System.Collections;
using System.Collections.Generic;
using Bcikit;
using Newtonsoft.Json.Linq;
using UnityEngine;

public sealed class BcikitStimuli : MonoBehaviour
{
    private const int MostTimes = 60; // frames a report

    [SerializeField, Tooltip("ws://127.0.0.1:9752/ws?token=..., as the session says it")]
    private string address = "";

    [SerializeField, Tooltip("By this name the correction of the display is kept: bcikit validate timing")]
    private string display = "unity";

    [SerializeField] private BcikitStimulus[] stimuli = null;

    private readonly WaitForEndOfFrame _endOfFrame = new WaitForEndOfFrame();
    private FrameClock _clock;
    private Presenter _presenter;
    private Line _line;
    private List<JObject> _begun;
    private JArray _times;
    private bool _told;

    /// <summary>Whether a session is there.</summary>
    public bool Linked
    {
        get { return _line != null && _line.Linked; }
    }

    private void OnEnable()
    {
        _clock = new FrameClock();
        _presenter = new Presenter();
        _begun = new List<JObject>();
        _times = new JArray();
        _told = false;
        _line = new Line(address);
        StartCoroutine(Report());
    }

    private void OnDisable()
    {
        _line.Dispose();
        _line = null;
        _presenter.Safe();
        foreach (BcikitStimulus stimulus in stimuli) stimulus.Show(0.5f);
    }

    private void Update()
    {
        double now = _line.Now;
        _clock.Frame(now);
        for (JObject message = _line.Next(); message != null; message = _line.Next()) Hear(message);
        double? offset = _line.Offset;
        if (offset.HasValue && _clock.Known)
        {
            if (_presenter.Measured(_clock.Refresh) || !_told) Hello();
            _begun.AddRange(_presenter.Frame(now + offset.Value));
        }
        foreach (BcikitStimulus stimulus in stimuli) stimulus.Show(_presenter.Level(stimulus.Item));
    }

    private void Hear(JObject message)
    {
        string kind = (string)message["type"];
        if (kind == "inform" && (string)message["name"] == "show") _presenter.Take((JObject)message["data"]);
        // A stop, and a session that is gone: nothing is lit and nothing flickers.
        if (kind == "safe" || kind == "lost") _presenter.Safe();
        if (kind == "linked") _told = false;
    }

    private void Hello()
    {
        _told = true;
        Say(new JObject { { "type", "hello" }, { "refresh", _clock.Refresh }, { "delay", Presenter.Delay }, { "display", display } });
    }

    private IEnumerator Report()
    {
        while (true)
        {
            yield return _endOfFrame;
            if (_line == null) yield break;
            double? offset = _line.Offset;
            if (!offset.HasValue) continue;
            // The frame has been drawn; this is the nearest to its light that Unity tells.
            double shown = _line.Now + offset.Value;
            foreach (JObject happened in _begun) Flipped(happened, shown);
            _begun.Clear();
            if (_presenter.Flickers) _times.Add(shown);
            if (_times.Count < MostTimes && (_presenter.Flickers || _times.Count == 0)) continue;
            Say(new JObject { { "type", "frames" }, { "refresh", _clock.Refresh }, { "times", _times } });
            _times = new JArray();
        }
    }

    private void Flipped(JObject happened, double shown)
    {
        string name = (string)happened["name"];
        JToken sample = happened["sample"];
        // What is to be heard is not shown here.
        if (sample == null || sample.Type != JTokenType.Integer || name == "stimulus/tone" || name.StartsWith("sound/")) return;
        Say(new JObject
        {
            { "type", "flip" }, { "name", name }, { "sample", sample }, { "time", happened["time"] }, { "shown", shown },
        });
    }

    private void Say(JObject message)
    {
        message["client"] = "unity";
        _line.Say(message);
    }
}
