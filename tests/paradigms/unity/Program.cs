// Turns the frames of the example scripts and prints what they do; see tests/paradigms/test_csharp.py.
using System;
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
