// Sends stimulus markers in the grammar of BCI Essentials at the end of the frame that showed them, and reads decisions.
using System.Collections;
using System.Globalization;
using Bcikit;
using LSL;
using UnityEngine;

public sealed class BcikitLslMarkers : MonoBehaviour
{
    [SerializeField] private string streamName = "UnityMarkers";
    [SerializeField] private string commandStream = "bcikit-commands";

    private readonly Receiver _receiver = new Receiver();
    private readonly WaitForEndOfFrame _endOfFrame = new WaitForEndOfFrame();
    private StreamOutlet _markers;
    private StreamInlet _commands;
    private readonly string[] _sample = new string[1];

    public Order Command { get; private set; }

    private void Start()
    {
        var info = new StreamInfo(streamName, "LSL_Marker_Strings", 1, LSL.LSL.IRREGULAR_RATE, channel_format_t.cf_string, "bcikit-unity");
        _markers = new StreamOutlet(info);
        StartCoroutine(FindCommands());
    }

    /// <summary>Imagery of one of several classes (from 1); -1 asks for a prediction.</summary>
    public void Imagery(int classes, int target, float seconds) =>
        StartCoroutine(Mark(string.Format(CultureInfo.InvariantCulture, "mi,{0},{1},{2}", classes, target, seconds)));

    /// <summary>A single flash of an item (from 1).</summary>
    public void Flash(int items, int target, int index) => StartCoroutine(Mark($"p300,s,{items},{target},{index}"));

    /// <summary>Flicker of several targets.</summary>
    public void Flicker(int target, float seconds, params float[] frequencies) =>
        StartCoroutine(Mark(string.Format(CultureInfo.InvariantCulture, "ssvep,{0},{1},{2},{3}", frequencies.Length, target,
            seconds, string.Join(",", System.Array.ConvertAll(frequencies, f => f.ToString(CultureInfo.InvariantCulture))))));

    private IEnumerator Mark(string marker)
    {
        // The frame that shows the stimulus has been drawn; this is the nearest that Unity tells.
        yield return _endOfFrame;
        _sample[0] = marker;
        _markers.push_sample(_sample);
    }

    private IEnumerator FindCommands()
    {
        var resolver = new ContinuousResolver("name", commandStream);
        StreamInfo[] found = resolver.results();
        while (found.Length == 0)
        {
            yield return new WaitForSeconds(0.2f);
            found = resolver.results();
        }
        _commands = new StreamInlet(found[0]);
    }

    private void Update()
    {
        double now = Time.realtimeSinceStartupAsDouble;
        while (_commands != null && _commands.pull_sample(_sample, 0.0) != 0.0) _receiver.Feed(_sample[0], now);
        Command = _receiver.Tick(now);
    }
}
