import json
import time
from typing import Any

import numpy as np
import pytest

from bcikit.paradigms import make_paradigm
from bcikit.presentation.timing import measure_timing
from bcikit.session.flips import Flips
from bcikit.signal import Chunk, HostClock, StreamInfo
from bcikit.validation.stimulus_timing import judge, validate_timing

FRAMES = {"frames": 990, "dropped": 5, "soa_sd": 0.0005}


def test_limits_are_applied_and_what_was_not_measured_is_said() -> None:
    values = judge(FRAMES, None)
    assert [row["result"] for row in values["tests"]] == ["PASS", "PASS", "NOT MEASURED", "NOT MEASURED"]
    values = judge({"frames": 900, "dropped": 100, "soa_sd": 0.004}, None)
    assert [row["result"] for row in values["tests"]][:2] == ["FAIL", "FAIL"]


def test_a_photodiode_gives_the_correction() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(0, 60, 1 / 500)
    markers = np.arange(1.0, 58.0, 0.6)
    light = np.zeros(times.size)
    for marker in markers + 0.035 + rng.normal(0, 0.001, markers.size):
        light[(times >= marker) & (times < marker + 0.3)] = 1.0
    values = judge(FRAMES, measure_timing(light, times, markers))
    assert values["correction_s"] == pytest.approx(0.035, abs=0.002)
    assert values["tests"][2]["result"] == "PASS"


LAG = 0.03


class Photodiode:
    """A device whose only channel sees the patch of the window, and the light of its display comes late."""

    def __init__(self, views: list[Any]) -> None:
        self.info = StreamInfo(name="diode", sfreq=1000.0, ch_names=("photo",), ch_types=("misc",))
        self.clock = HostClock()
        self.views = views
        self.taken = 0.0

    def start(self) -> None:
        self.taken = self.clock.now()

    def pull(self, timeout: float) -> Chunk | None:
        # A little late, as devices are: what was shown until then is known.
        until = self.clock.now() - 0.2
        times = np.arange(self.taken, until, 1e-3)
        if not len(times):
            return None
        self.taken = float(times[-1]) + 1e-3
        flips = [
            flip.shown + LAG for flip in self.views[0].show_.presenter.flips if flip.event.name == "stimulus/flash"
        ]
        light = np.searchsorted(np.array(flips), times, side="right") % 2
        return Chunk(light[:, None].astype(float), times, 0)

    def close(self) -> None:
        # What was shown last is still to come.
        time.sleep(0.25)


@pytest.mark.slow
def test_what_a_photodiode_measures_is_what_the_next_session_on_this_display_goes_by(
    tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bcikit.outputs import displays, open_output
    from bcikit.presentation.qt import view
    from bcikit.validation import stimulus_timing

    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setattr(displays, "folder", lambda: tmp_path / "displays")
    views: list[Any] = []

    class Watched(view.SceneView):
        def __init__(self, **values: Any) -> None:
            super().__init__(**values)
            views.append(self)

    monkeypatch.setattr(view, "SceneView", Watched)
    monkeypatch.setattr(stimulus_timing, "open_source", lambda address: Photodiode(views))
    code = validate_timing(tmp_path / "out", source="brainflow:diode", photodiode="photo", n_stimuli=24, as_json=True)
    values = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert code in (0, 1)
    assert values["frames"]["n"] == 24
    assert values["frames"]["frames"] > 100
    assert json.loads(capsys.readouterr().out)["correction_s"] == pytest.approx(LAG, abs=0.002)
    # The patient's window of a session, in a process of its own, on the same display.
    with open_output("screen:") as output:
        deadline = time.monotonic() + 30.0
        hello = None
        while hello is None and time.monotonic() < deadline:
            hello = next((item for item in output.heard() if item["type"] == "hello" and "display" in item), None)
            time.sleep(0.02)
    assert hello is not None
    assert hello["display"] == values["kept_for"]["display"]
    assert hello["correction"] == pytest.approx(LAG, abs=0.002)
    flips = Flips(make_paradigm("p300-speller"), 250.0, 250.0)
    flips.take(hello)
    about = {"client": hello["client"], "name": "stimulus/flash", "sample": 7, "time": 1.0, "shown": 1.1}
    flips.take({"type": "flip", **about})
    assert flips.shift(7) == round((0.1 + hello["correction"]) * 250)


def test_a_correction_is_kept_for_its_display_and_told_with_it(tmp_path, monkeypatch) -> None:
    from websockets.sync.client import connect

    from bcikit.outputs import displays, open_output

    monkeypatch.setattr(displays, "folder", lambda: tmp_path)
    assert displays.correction_of("page", "browser 1920x1080") == 0.0
    kept = displays.keep_correction("page", "browser 1920x1080", 0.021, uncertainty=0.001)
    assert displays.correction_of("page", "browser 1920x1080") == 0.021
    assert displays.correction_of("page", "browser 800x600") == 0.0
    with (
        open_output("ws:127.0.0.1:0?screen=1") as output,
        connect(f"ws://127.0.0.1:{output.port}/ws?token={output.token}") as line,
    ):
        said = {"type": "hello", "client": "page", "refresh": 60.0, "display": "browser 1920x1080"}
        line.send(json.dumps(said))
        line.send(json.dumps({"type": "clock", "t": 1.0}))
        while json.loads(line.recv(timeout=10))["type"] != "clock":
            pass
        hello = output.heard()[0]
    assert hello["correction"] == 0.021
    flips = Flips(make_paradigm("p300-speller"), 250.0, 250.0)
    flips.take(hello)
    flip = {"type": "flip", "client": "page", "name": "stimulus/flash", "sample": 7, "time": 1.0, "shown": 1.1}
    flips.take(flip)
    assert flips.shift(7) == round(0.121 * 250)
    kept.write_text('{"seconds": 3.0}', encoding="utf-8")
    assert displays.correction_of("page", "browser 1920x1080") == 0.0


@pytest.mark.slow
def test_the_page_is_measured_as_the_window_is(tmp_path, monkeypatch) -> None:
    import os
    import sys
    import threading
    from pathlib import Path

    sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
    import chromium

    from bcikit.validation import page_timing

    if chromium.PROGRAM is None or os.name != "posix":
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    monkeypatch.setattr(page_timing, "FLICKER", 3.0)
    done = threading.Event()
    opened: list[threading.Thread] = []

    def say(text: str) -> None:
        def look() -> None:
            with chromium.open_page(text.splitlines()[1]) as page:
                page.until("window.bcikit?.page.linked === true")
                while not done.wait(0.2):
                    page.value("1")

        opened.append(threading.Thread(target=look, daemon=True))
        opened[0].start()

    try:
        report, markers, display = page_timing.show_on_page(20, 0.3, pull=lambda: None, say=say)
    finally:
        done.set()
        for thread in opened:
            thread.join(timeout=30)
    assert (report["n"], len(markers)) == (20, 10)
    assert display.startswith("browser ")
    assert report["refresh_hz"] > 1
    assert -0.1 < report["offset_mean"] < 1.0
    values = judge(report, None)
    assert values["tests"][0]["value"] == report["soa_sd"]
