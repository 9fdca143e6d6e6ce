// Sends stimulus markers in the grammar of BCI Essentials at the end of the frame that showed them, and reads commands.
// As a part of the package only where LSL4Unity is installed (the defines are in org.bcikit.unity.asmdef).
#if !BCIKIT_PACKAGE || BCIKIT_LSL
using System;
using System.Collections;
using System.Globalization;
using System.Linq;
using Bcikit;
using LSL;
using UnityEngine;

public sealed class BcikitLslMarkers : MonoBehaviour
{
    private const string MarkerType = "LSL_Marker_Strings";

    [SerializeField, Tooltip("Name of the marker stream: in bcikit's source, markers=UnityMarkers")]
    private string streamName = "UnityMarkers";

    [SerializeField, Tooltip("Stream of bcikit's output lsl:bcikit")]
    private string commandStream = "bcikit-commands";

    private readonly Receiver _receiver = new Receiver();
    private readonly WaitForEndOfFrame _endOfFrame = new WaitForEndOfFrame();
    private readonly string[] _heard = new string[1];
    private StreamOutlet _markers;
    private ContinuousResolver _resolver;
    private StreamInlet _commands;

    /// <summary>The command in force, or null.</summary>
    public Order Command { get; private set; }

    /// <summary>A run of trials begins.</summary>
    public void TrialStarted()
    {
        Mark("Trial Started");
    }

    /// <summary>The run of trials is over.</summary>
    public void TrialEnds()
    {
        Mark("Trial Ends");
    }

    /// <summary>Imagery of one of several classes (from 1); -1 asks for a prediction.</summary>
    public void Imagery(int classes, int target, float seconds)
    {
        Mark("mi," + Join(classes, target, seconds));
    }

    /// <summary>Flicker of several targets (from 1); -1 asks for a prediction.</summary>
    public void Flicker(int target, float seconds, params float[] frequencies)
    {
        Mark("ssvep," + Join(frequencies.Length, target, seconds) + "," + Join(frequencies.Cast<IFormattable>().ToArray()));
    }

    /// <summary>One item (from 1) flashes.</summary>
    public void Flash(int items, int target, int index)
    {
        Mark("p300,s," + Join(items, target, index));
    }

    /// <summary>Several items (from 1) flash together.</summary>
    public void Flash(int items, int target, params int[] indices)
    {
        Mark("p300,m," + Join(items, target) + "," + Join(indices.Cast<IFormattable>().ToArray()));
    }

    private void OnEnable()
    {
        _markers = new StreamOutlet(new StreamInfo(
            streamName, MarkerType, 1, LSL.LSL.IRREGULAR_RATE, channel_format_t.cf_string, "bcikit-unity-" + streamName));
        _resolver = new ContinuousResolver("name", commandStream);
    }

    private void OnDisable()
    {
        Forget();
        _resolver.Dispose();
        _markers.Dispose();
        _markers = null;
    }

    private void Update()
    {
        double now = Time.realtimeSinceStartupAsDouble;
        try
        {
            if (_commands == null) Find();
            while (_commands != null && _commands.pull_sample(_heard, 0.0) != 0.0) _receiver.Feed(_heard[0], now);
        }
        catch (LostException)
        {
            // bcikit ended; when it is started again it is found again.
            Forget();
        }
        Command = _receiver.Tick(now);
    }

    private void Find()
    {
        StreamInfo[] found = _resolver.results();
        // Not recovered by LSL: a bcikit that was started again is another stream.
        if (found.Length > 0) _commands = new StreamInlet(found[found.Length - 1], 360, 0, false);
        found.DisposeArray();
    }

    private void Forget()
    {
        if (_commands != null) _commands.Dispose();
        _commands = null;
        _receiver.Reset();
        Command = null;
    }

    private void Mark(string marker)
    {
        StartCoroutine(MarkAtEndOfFrame(marker));
    }

    private IEnumerator MarkAtEndOfFrame(string marker)
    {
        // The frame that shows the stimulus has been drawn; this is the nearest that Unity tells.
        yield return _endOfFrame;
        if (_markers != null) _markers.push_sample(new[] { marker });
    }

    // Whatever the language of the machine: 0.5 and -1 as a program reads them.
    private static string Join(params IFormattable[] values)
    {
        return string.Join(",", values.Select(value => value.ToString(null, CultureInfo.InvariantCulture)));
    }
}
#endif
