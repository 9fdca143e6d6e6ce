"""The C# client and the Unity scripts: compiled with warnings as errors, and run against what bcikit really sends.

Mono compiles and runs them here. Unity and LSL4Unity themselves are stood for by `unity/`, which has the public
signatures that the scripts use.
"""

import json
import queue
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bcikit.acquisition.marker_grammar import event_of
from bcikit.outputs import open_output
from bcikit.paradigms.frames import Refresh
from bcikit.presentation.show import Show
from bcikit.signal import Command, Event, HostClock

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "csharp" / "BcikitReceiver.cs"
SCENES = ROOT / "clients" / "conformance"
JSON_LIBRARY = next(Path("/usr/lib/cli").glob("Newtonsoft.Json-*/Newtonsoft.Json.dll"), None)

pytestmark = pytest.mark.skipif(
    shutil.which("mcs") is None or shutil.which("mono") is None or JSON_LIBRARY is None,
    reason="no C#: apt-get install mono-mcs mono-runtime libnewtonsoft-json5.0-cil",
)


def compiled(folder, name, *sources):
    """Compile a program beside the library it needs; any warning is an error."""
    program = folder / name
    shutil.copy(JSON_LIBRARY, folder)
    options = ["-warnaserror", "-warn:4", "-langversion:6", f"-r:{JSON_LIBRARY}", f"-out:{program}"]
    done = subprocess.run(["mcs", *options, *sources], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return program


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    sources = sorted((ROOT / "clients" / "csharp").glob("*.cs"))
    return compiled(tmp_path_factory.mktemp("client"), "Bcikit.Client.exe", *sources)


@pytest.fixture(scope="module")
def unity(tmp_path_factory):
    here = sorted(Path(__file__).with_name("unity").glob("*.cs"))
    scripts = sorted((ROOT / "examples" / "unity").glob("*.cs"))
    clients = [CLIENT.with_name(name) for name in ("BcikitReceiver.cs", "BcikitPresenter.cs", "BcikitLine.cs")]
    return compiled(tmp_path_factory.mktemp("unity"), "Stage.exe", *clients, *scripts, *here)


def presented(folder, name, text):
    """Return what a program of a presenter says."""
    source = folder / f"{name}.cs"
    source.write_text(text, encoding="utf-8")
    program = compiled(folder, f"{name}.exe", CLIENT.with_name("BcikitPresenter.cs"), source)
    done = subprocess.run(["mono", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(program, *arguments):
    process = subprocess.Popen(
        ["mono", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    # A program that says nothing more ends the test, not the test run.
    limit = threading.Timer(60, process.kill)
    limit.start()
    try:
        yield process
    finally:
        limit.cancel()
        process.kill()
        process.communicate(timeout=60)


def says(process):
    return process.stdout.readline().strip()


def told(process, output, sequence, **values):
    """Order until it is seen, and return what is said then.

    A process that has no turn for as long as a command lives rightly does not move.
    """
    for number in range(sequence, sequence + 20):
        output.send(order(number, **values))
        if select.select([process.stdout], [], [], 3.0)[0]:
            break
    return says(process)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


def order(sequence, *, value=0.9, ttl=1.2, name="close", hand="right_hand"):
    now = HostClock().now()
    return Command(sequence=sequence, time=now, ttl=ttl, name=name, value=value, data={"class": hand})


# ---- the client ----------------------------------------------------------------------------------------------------
def test_the_csharp_client_plays_every_scene(client):
    done = subprocess.run(
        ["mono", client, "scenes", SCENES / "v1.json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_clients_agree_on_texts_with_faults_in_any_place(client, tmp_path):
    """Python's receiver says what to expect of each text; the others must do the same."""
    path = tmp_path / "scenes.json"
    script = """
import json, random, sys
from pathlib import Path
root, target = map(Path, sys.argv[1:])
sys.path[:0] = [str(root / "python"), str(root / "conformance")]
from bcikit_client import Receiver
from make import message
rng = random.Random(1)
parts = list("{}[],:\\"\\\\/'-+.0123456789eEaftnu \\t\\n_")
parts += ["null", "true", "//", "/*", "1e999", "NaN", '"x":', ',"v":']
scenes = {}
for number in range(3000):
    text = json.dumps(message(2, 5.1, rng.choice(["command", "safe", "inform"]), data={"x": [1, -2.5e-3, "a\\u00e9"]}))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at, kind = rng.randrange(len(text)), rng.random()
        cut = rng.choice([1, 1, 4])
        text = text[:at] + ("" if kind < 0.4 else rng.choice(parts)) + text[at + (0 if kind > 0.7 else cut):]
    receiver, steps = Receiver(), []
    for at, sent in ((10.0, json.dumps(message(1, 5.0, name="open"))), (10.1, text), (10.7, None)):
        if sent is not None:
            receiver.feed(sent, at)
        found = receiver.tick(at)
        expect = None if found is None else {"name": found["name"], "value": found.get("value")}
        steps.append({"at": at, "message": sent, "expect": expect, "counts": dict(receiver.counts)})
    scenes[str(number)] = steps
target.write_text(json.dumps(scenes))
print(sum(steps[1]["counts"]["malformed"] for steps in scenes.values()))
"""
    made = subprocess.run(
        [sys.executable, "-c", script, ROOT / "clients", path], capture_output=True, text=True, timeout=60, check=True
    )
    # Neither all nor none of them are refused.
    assert 300 < int(made.stdout) < 2900
    players = [["mono", client, "scenes", path]]
    if shutil.which("node"):
        players.append(["node", SCENES / "run_javascript.mjs", path])
    for player in players:
        done = subprocess.run(player, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stdout[:4000] + done.stderr


def test_csharp_receives_over_udp_and_lets_go_when_nobody_renews(client):
    port = free_port()
    with running(client, "udp", str(port)) as process:
        assert says(process) == "rest"
        with open_output(f"udp:127.0.0.1:{port}") as output:
            assert told(process, output, 1) == "close 0.9"
            # Nothing more is sent: its own clock ends it.
            assert says(process) == "rest"
            output.inform({"type": "decision", "classes": ["a", "b"], "probabilities": [0.7, 0.3], "label": "a"})
            output.send(order(22, name="select", value="Menü", ttl=30.0))
            assert says(process) == "select Menü"
            output.safe("stop")
            assert says(process) == "rest"
            output.send(order(23, value=0.5, ttl=30.0))
            assert says(process) == "close 0.5"
        assert says(process) == "rest"
        # bcikit is started again and counts from the beginning.
        with open_output(f"udp:127.0.0.1:{port}") as output:
            output.send(order(1, value=0.25, ttl=30.0))
            assert says(process) == "close 0.25"


def test_csharp_receives_over_websocket_and_lets_go_when_the_line_is_cut(client):
    pytest.importorskip("websockets")
    with open_output("ws:127.0.0.1:0?token=a-token-for-this-test") as output:
        address = f"ws://127.0.0.1:{output.port}/ws?token=a-token-for-this-test"
        with running(client, "ws", address) as process:
            assert says(process) == "rest"
            assert told(process, output, 1) == "close 0.9"
            assert says(process) == "rest"
            output.send(order(22, ttl=30.0))
            assert says(process) == "close 0.9"
            output.close()
            assert says(process) == "rest"


# ---- Unity ---------------------------------------------------------------------------------------------------------
def test_the_unity_hand_closes_on_a_command_and_opens_when_it_runs_out(unity):
    port = free_port()
    with running(unity, "hand", str(port), "all") as process, open_output(f"udp:127.0.0.1:{port}") as output:
        assert says(process) == "open"
        assert told(process, output, 1, ttl=1.0) == "closed"
        assert says(process) == "closed, open"
        assert says(process) == "asleep 0"


def test_the_unity_hand_can_be_one_of_two(unity):
    port = free_port()
    with running(unity, "hand", str(port), "left_hand") as process, open_output(f"udp:127.0.0.1:{port}") as output:
        assert says(process) == "open"
        output.send(order(1, ttl=0.3))
        assert told(process, output, 2, ttl=1.0, hand="left_hand") == "closed"
        assert says(process) == "closed, open"


def test_the_unity_hand_says_when_its_port_is_taken(unity):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with running(unity, "hand", str(taken.getsockname()[1]), "all") as process:
            assert says(process).startswith(f"error bcikit: port {taken.getsockname()[1]} cannot be opened")
            assert says(process) == "open"


def test_the_unity_markers_are_what_bcikit_reads_and_come_at_the_end_of_the_frame(unity):
    with running(unity, "markers") as process:
        said, _ = process.communicate("", timeout=60)
    markers = [line.removeprefix("marker end of frame: ") for line in said.splitlines() if line.startswith("marker")]
    events = [event_of(marker, 1.0, source="UnityMarkers", grammar="unity") for marker in markers]
    assert [(event.name, event.value) for event in events] == [
        ("unity/trial/start", None),
        ("unity/mi", 1),
        ("unity/mi", None),
        ("unity/ssvep", 2),
        ("unity/p300", 3),
        ("unity/p300", None),
        ("unity/trial/end", None),
    ]
    # The name under which a paradigm takes it for a cue, as the example's README has it.
    assert event_of(markers[1], 1.0, source="UnityMarkers", grammar="plain").name == "mi,2,1,4"
    assert events[1].data == {"n_classes": 2, "length": 4.0, "predict": False}
    assert events[2].data == {"n_classes": 3, "length": 2.5, "predict": True}
    assert events[3].data["frequencies"] == pytest.approx([8.57, 10.0, 12.0])
    assert events[3].data["length"] == 0.5
    assert events[4].data == {"n_classes": 6, "flashed": [4], "predict": False, "is_target": False}
    assert events[5].data == {"n_classes": 6, "flashed": [1, 2, 5], "predict": True, "is_target": None}
    assert "outlet UnityMarkers LSL_Marker_Strings" in said
    assert said.rstrip().endswith("no outlet UnityMarkers LSL_Marker_Strings")


def test_the_unity_script_finds_the_commands_and_finds_them_again(unity):
    from bcikit.outputs.envelope import Sealer, encode

    first, second = Sealer(), Sealer()
    sent = [
        "",
        "begin",
        encode(first.inform({"type": "event", "name": "cue/left", "time": 4.9})).decode(),
        encode(first.command(order(1, ttl=30.0, hand="left_hand"))).decode(),
        "end",
        "begin",
        encode(second.command(order(1, ttl=30.0, hand="right_hand"))).decode(),
        encode(second.safe("stop")).decode(),
    ]
    with running(unity, "markers") as process:
        said, _ = process.communicate("\n".join(sent) + "\n", timeout=60)
    heard = [line for line in said.splitlines() if line.split()[0] in ("rest", "close", "inlet", "no")]
    found = [line for line in heard if not line.startswith("no outlet")]
    assert found == [
        "rest", "inlet some-commands", "rest", "rest", "close left_hand", "no inlet", "rest",
        "inlet some-commands", "rest", "close right_hand", "rest", "no inlet",
    ]  # fmt: skip


def show(name, sample, **values):
    event = Event(name=name, time=HostClock().now(), sample=sample, **values)
    return {"type": "show", "time": event.time, "event": event.to_dict(), "scene": None}


@pytest.mark.parametrize("program", ["client", "unity"])
def test_a_session_that_falls_silent_is_lost(program, request):
    """A network that went away closes nothing: its silence has to tell, and nothing may go on that was shown."""
    serve = pytest.importorskip("websockets.sync.server").serve
    from websockets.exceptions import ConnectionClosed

    joined = queue.Queue()

    def accept(connection):
        joined.put(time.monotonic())
        with suppress(ConnectionClosed):
            for _ in connection:
                pass

    words = {"client": "ws", "unity": "stimuli"}[program]
    with serve(accept, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ws?token=any"
        with running(request.getfixturevalue(program), words, address) as process:
            began = joined.get(timeout=55)
            said, _ = process.communicate(timeout=55)
            assert process.returncode == 0
            assert time.monotonic() > began + 2.5
            assert said.splitlines()[-1] == {"client": "rest", "unity": "gone"}[program]
        server.shutdown()


def test_unity_lights_any_object_and_sends_the_time_of_each_flip(unity):
    pytest.importorskip("websockets")
    token = "a-token-for-this-test"
    with open_output(f"ws:127.0.0.1:0?screen=1&token={token}") as output:
        came, said = [], []

        def heard(kind, name=""):
            deadline = HostClock().now() + 40.0
            while HostClock().now() < deadline:
                came.extend(output.heard())
                found = [item for item in came if item["type"] == kind and item.get("name", "") == name]
                if found:
                    return found[-1]
                time.sleep(0.02)
            raise AssertionError(f"no {kind} {name}; came: {came}")

        with running(unity, "stimuli", f"ws://127.0.0.1:{output.port}/ws?token={token}") as process:
            hello = heard("hello")
            while hello.get("refresh") is None:
                came.clear()
                hello = heard("hello")
            assert (hello["client"], hello["display"], hello["delay"]) == ("unity", "unity", 0.1)
            assert 20 < hello["refresh"] < 70
            before = HostClock().now()
            output.inform(show("stimulus/flash", 7, duration=0.3, data={"items": ["A"], "target": True}))
            flip = heard("flip", "stimulus/flash")
            assert flip["sample"] == 7
            # The clock of another program, compared: not before its time, and not long after it.
            assert before + 0.05 < flip["shown"] < before + 5.0
            targets = [{"item": "up", "frequency": 5.0, "phase": 0.0}]
            output.inform(show("stimulus/flicker", 9, duration=5.0, data={"targets": targets, "depth": 1.0}))
            heard("flip", "stimulus/flicker")
            assert len(heard("frames")["times"]) == 60
            output.safe("stop")
            output.close()
            while (line := says(process)) != "gone":
                said.append(line)
    # Rest, a flash of A and rest again; a whole swing of the other object, and rest at the end (735 of 1000 is half
    # of the light).
    assert [line for line in said if line.startswith("A ")] == ["A 5", "A 10", "A 5"]
    levels = [int(line.split()[1]) for line in said if line.startswith("up ")]
    assert (levels[0], min(levels) <= 1, max(levels) >= 9) == (5, True, True)
    assert said.count("asleep True") == 2


LEVELS = """
using System;
using System.Globalization;
using System.Threading;
using Bcikit;
using Newtonsoft.Json.Linq;

internal static class Program
{
    private static void Main()
    {
        Thread.CurrentThread.CurrentCulture = CultureInfo.InvariantCulture;
        JObject asked = JObject.Parse(Console.In.ReadToEnd());
        var presenter = new Presenter();
        presenter.Measured((double)asked["refresh"]);
        presenter.Take((JObject)asked["show"]);
        if ((bool?)asked["stopped"] == true) presenter.Safe();
        foreach (JToken now in asked["frames"])
        {
            presenter.Frame((double)now);
            Console.WriteLine(presenter.Level("up").ToString("R"));
        }
    }
}
"""


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels")
    (folder / "Levels.cs").write_text(LEVELS)
    return compiled(folder, "Levels.exe", CLIENT.with_name("BcikitPresenter.cs"), folder / "Levels.cs")


@pytest.mark.parametrize(
    ("target", "refresh"),
    [
        ({"frequency": 1.0, "phase": 0.0, "code": "1101000110", "rate": 60.0}, 60.0),
        ({"frequency": 1.0, "phase": 0.0, "code": "1101000110", "rate": 60.0}, 144.0),
        ({"frequency": 15.0, "phase": 0.0, "mode": "frame-period"}, 60.0),
        ({"frequency": 12.0, "phase": 1.0, "mode": "frame-period"}, 120.0),
        ({"frequency": 13.0, "phase": 0.5}, 90.0),
        ({"frequency": 1.0, "phase": 0.0, "code": "1101000110", "rate": 120.0}, 60.0),
        ({"frequency": 40.0, "phase": 0.0}, 60.0),
    ],
)
def test_unity_shows_codes_and_whole_periods_as_the_window_does(levels, target, refresh):
    data = {"targets": [{"item": "up", **target}], "depth": 0.8}
    event = Event(name="stimulus/flicker", time=1.0, sample=3, duration=1.0, data=data)
    message = {"type": "show", "event": event.to_dict(), "scene": None}
    frames = [1.0 + number / refresh for number in range(round(1.05 * refresh))]
    asked = json.dumps({"refresh": refresh, "show": message, "frames": frames})
    done = subprocess.run(
        ["mono", levels], input=asked, capture_output=True, text=True, timeout=60, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    here = Show(Refresh(refresh))
    here.take(message, 1.0)
    wanted = []
    for now in frames:
        here.frame(now)
        wanted.append(here.levels().get("up", 0.5))
    assert [float(line) for line in done.stdout.split()] == pytest.approx(wanted, abs=1e-6)
    unfit = target.get("rate", 2 * target["frequency"]) > refresh
    assert (len({round(level, 6) for level in wanted}) == 1) == unfit, "what cannot be shown is not shown otherwise"


def test_a_stop_calls_off_what_unity_would_show_a_moment_later(levels):
    data = {"targets": [{"item": "up", "frequency": 10.0, "phase": 0.0}], "depth": 0.8}
    event = Event(name="stimulus/flicker", time=1.0, sample=3, duration=1.0, data=data)
    asked = {"refresh": 60.0, "show": {"type": "show", "event": event.to_dict(), "scene": None}, "stopped": True}
    asked["frames"] = [1.0 + number / 60 for number in range(60)]
    done = subprocess.run(
        ["mono", levels], input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=False
    )
    assert set(done.stdout.split()) == {"0.5"}, done.stderr


MEASURED = """
using System;
using System.Globalization;
using Bcikit;
using Newtonsoft.Json.Linq;

public static class Measured
{
    public static void Main(string[] said)
    {
        double second = double.Parse(said[0], CultureInfo.InvariantCulture);
        var presenter = new Presenter();
        var target = JObject.Parse(said[1]);
        int shown = 0;
        for (int number = 0; number < 900; number++)
        {
            double now = 100 + number / 60.0;
            if (number == 600)
            {
                var data = new JObject { { "targets", new JArray { target } } };
                var flicker = new JObject { { "name", "stimulus/flicker" }, { "time", now }, { "data", data } };
                flicker["duration"] = 2.0;
                presenter.Take(new JObject { { "event", flicker } });
            }
            if (number == 660) presenter.Measured(second);
            presenter.Frame(now);
            float level = presenter.Level("a");
            if (!(level >= 0 && level <= 1)) throw new Exception("level " + level);
            if (presenter.Flickers) shown++;
        }
        Console.WriteLine(shown);
    }
}
"""


TOO_LOW = """
using System;
using System.Globalization;
using Bcikit;
using Newtonsoft.Json.Linq;

public static class TooLow
{
    public static void Main()
    {
        var presenter = new Presenter();
        presenter.Measured(40);
        for (int number = 0; number < 330; number++)
        {
            if (number == 300)
            {
                presenter.Measured(60);
                var flash = new JObject { { "name", "stimulus/flash" }, { "time", 105.0 }, { "duration", 0.1 } };
                flash["data"] = new JObject { { "items", new JArray { "a" } } };
                presenter.Take(new JObject { { "event", flash } });
            }
            double now = 100 + number / 60.0;
            if (presenter.Frame(now).Count > 0) Console.WriteLine((now - 105).ToString(CultureInfo.InvariantCulture));
        }
    }
}
"""


def test_after_a_rate_that_was_measured_too_low_nothing_is_shown_early(tmp_path):
    said = presented(tmp_path, "TooLow", TOO_LOW)
    assert float(said) == pytest.approx(0.1, abs=1 / 60)


BACK = """
using System;
using System.Globalization;
using Bcikit;
using Newtonsoft.Json.Linq;

public static class Back
{
    private static readonly Presenter Shown = new Presenter();

    private static void Flash(double time)
    {
        var flash = new JObject { { "name", "stimulus/flash" }, { "time", time }, { "duration", 900.0 } };
        flash["data"] = new JObject { { "items", new JArray { "a" } } };
        Shown.Take(new JObject { { "event", flash } });
    }

    public static void Main()
    {
        Flash(5000);
        for (int number = 0; number < 120; number++) Shown.Frame(5000 + number / 60.0);
        Flash(5002);
        Flash(100);
        for (int number = 0; number < 600; number++)
        {
            double now = 100.05 + number / 60.0;
            foreach (JObject one in Shown.Frame(now))
            {
                Console.WriteLine((now - (double)one["time"]).ToString(CultureInfo.InvariantCulture));
            }
            if (number == 0 && Shown.Level("a") > 0.5f) throw new Exception("still lit");
            if (number > 60 && number % 20 == 0) Flash(now);
        }
    }
}
"""


def test_a_scene_that_outlives_its_host_shows_by_the_clock_of_the_next_one(tmp_path):
    said = presented(tmp_path, "Back", BACK)
    assert [float(line) for line in said.split()] == pytest.approx([0.1] * 27, abs=1.01 / 60)


def test_a_rate_that_is_measured_anew_changes_no_flicker_and_lets_it_end_in_time(tmp_path):
    source = tmp_path / "Measured.cs"
    source.write_text(MEASURED, encoding="utf-8")
    program = compiled(tmp_path, "Measured.exe", CLIENT.with_name("BcikitPresenter.cs"), source)
    code, sine = {"item": "a", "code": "1011001", "rate": 30}, {"item": "a", "frequency": 20}
    for second, target, low, high in (("59.5", code, 118, 123), ("60.5", sine, 118, 123), ("30", sine, 1, 60)):
        command = ["mono", program, second, json.dumps(target)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert low <= int(done.stdout) <= high
