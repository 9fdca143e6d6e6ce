// Turns the frames of the example scripts and prints what they do; see tests/paradigms/test_csharp.py.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using Bcikit;
using UnityEngine;

internal static class Program
{
    private const int FrameTime = 16; // milliseconds

    private static int Main(string[] arguments)
    {
        // A machine on which 0.5 is written 0,5.
        Thread.CurrentThread.CurrentCulture = CultureInfo.GetCultureInfo("de-DE");
        if (arguments[0] == "hand") Hand(int.Parse(arguments[1], CultureInfo.InvariantCulture), arguments[2]);
        else if (arguments[0] == "stimuli") Stimuli(arguments[1]);
        else Markers();
        return 0;
    }

    private static void Hand(int port, string onlyFor)
    {
        var script = new BcikitHand();
        var animator = new Animator();
        var stage = new Stage(script);
        stage.Fill("port", port);
        stage.Fill("onlyFor", onlyFor == "all" ? "" : onlyFor);
        stage.Fill("hand", animator);
        stage.Tell("OnEnable");
        string was = "";
        while (was != "closed, open")
        {
            stage.Frame();
            float closure = animator.Seen("Closure");
            if (closure != script.HowFar) throw new InvalidOperationException("the animator shows something else");
            if (was.Length == 0) Console.WriteLine(was = "open");
            if (was == "open" && closure > 0.75f) Console.WriteLine(was = "closed");
            if (was == "closed" && closure < 0.01f) Console.WriteLine(was = "closed, open");
            Thread.Sleep(FrameTime);
        }
        stage.Tell("OnDisable");
        Console.WriteLine("asleep " + animator.Seen("Closure").ToString(CultureInfo.InvariantCulture));
    }

    private static void Stimuli(string address)
    {
        var objects = new Dictionary<string, Renderer> { { "A", new Renderer() }, { "up", new Renderer() } };
        var parts = new List<BcikitStimulus>();
        foreach (KeyValuePair<string, Renderer> pair in objects)
        {
            var part = new BcikitStimulus();
            var one = new Stage(part);
            one.Fill("item", pair.Key);
            one.Fill("shown", pair.Value);
            parts.Add(part);
        }
        var script = new BcikitStimuli();
        var stage = new Stage(script);
        stage.Fill("address", address);
        stage.Fill("stimuli", parts.ToArray());
        stage.Tell("OnEnable");
        var was = new Dictionary<string, int>();
        bool linked = false;
        while (!linked || script.Linked)
        {
            stage.Frame();
            linked |= script.Linked;
            foreach (KeyValuePair<string, Renderer> pair in objects)
            {
                // Light is told in tenths of the level that was meant.
                int level = (int)Math.Round(10 * Math.Pow((pair.Value.Seen.r + 0.055) / 1.055, 2.4));
                int before;
                if (was.TryGetValue(pair.Key, out before) && before == level) continue;
                was[pair.Key] = level;
                Console.WriteLine(pair.Key + " " + level.ToString(CultureInfo.InvariantCulture));
            }
            Thread.Sleep(FrameTime);
        }
        stage.Tell("OnDisable");
        foreach (Renderer shown in objects.Values) Console.WriteLine("asleep " + (shown.Seen.r > 0.73 && shown.Seen.r < 0.74));
        Console.WriteLine("gone");
    }

    private static void Markers()
    {
        var script = new BcikitLslMarkers();
        var stage = new Stage(script);
        stage.Fill("commandStream", "some-commands");
        stage.Tell("OnEnable");
        script.TrialStarted();
        script.Imagery(2, 1, 4f);
        script.Imagery(3, -1, 2.5f);
        script.Flicker(2, 0.5f, 8.57f, 10f, 12f);
        script.Flash(6, 3, 4);
        script.Flash(6, -1, 1, 2, 5);
        script.TrialEnds();
        stage.Frame();
        string line;
        while ((line = Console.In.ReadLine()) != null)
        {
            if (line == "begin") { LSL.Network.Name = "some-commands"; LSL.Network.Ended = false; }
            else if (line == "end") LSL.Network.Ended = true;
            else if (line.Length > 0) LSL.Network.Samples.Enqueue(line);
            stage.Frame();
            Order order = script.Command;
            Console.WriteLine(order == null ? "rest" : order.Name + " " + (string)order.Data["class"]);
        }
        stage.Tell("OnDisable");
    }
}
