import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bcikit.outputs import displays
from bcikit.paradigms import make_paradigm
from bcikit.presentation.presenter import DELAY
from bcikit.presentation.timing import measure_timing
from bcikit.session.flips import Flips
from bcikit.signal import Chunk, DataError, HostClock, SourceError, StreamInfo
from bcikit.validation import page_timing, stimulus_timing
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

    ended = False

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


def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, spacing: float) -> dict[str, Any]:
    """Measure the patient's window by a photodiode, and return what was written."""
    from bcikit.presentation.qt import view

    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setattr(displays, "folder", lambda: tmp_path / "displays")
    monkeypatch.setattr(stimulus_timing, "SOA_SECONDS", spacing)
    views: list[Any] = []

    class Watched(view.SceneView):
        def __init__(self, **values: Any) -> None:
            super().__init__(**values)
            views.append(self)

    monkeypatch.setattr(view, "SceneView", Watched)
    monkeypatch.setattr(stimulus_timing, "open_source", lambda address: Photodiode(views))
    # Enough that ten onsets are left where the machine stood still for a second or two and showed many at once.
    code = validate_timing(tmp_path / "out", source="brainflow:diode", photodiode="photo", n_stimuli=40, as_json=True)
    assert code in (0, 1)
    values: dict[str, Any] = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    return values


@pytest.mark.slow
def test_what_a_photodiode_measures_is_what_the_next_session_on_this_display_goes_by(
    tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bcikit.outputs import open_output

    values = measured(tmp_path, monkeypatch, spacing=stimulus_timing.SOA_SECONDS)
    assert values["frames"]["n"] == 40
    assert values["frames"]["frames"] > 100
    assert json.loads(capsys.readouterr().out)["correction_s"] == pytest.approx(LAG, abs=0.002)
    # The patient's window of a session, in a process of its own, on the same display.
    with open_output("screen:") as output:
        deadline = time.monotonic() + 60.0
        hello = None
        while hello is None and time.monotonic() < deadline:
            hello = next((item for item in output.heard() if item["type"] == "hello" and "display" in item), None)
            time.sleep(0.02)
    assert hello is not None
    assert hello["display"] == values["kept_for"]["display"]
    assert hello["correction"] == pytest.approx(LAG, abs=0.002)
    flips = Flips(make_paradigm({"base": "p300-speller", "display_delay": 0.16}), 250.0, 250.0)
    flips.take(hello)
    about = {"client": hello["client"], "name": "stimulus/flash", "sample": 7, "time": 1.0, "shown": 1.1}
    flips.take({"type": "flip", **about})
    assert flips.shift(7) == round((0.1 + hello["correction"]) * 250)


def test_a_correction_is_kept_for_its_display_and_told_with_it(tmp_path, monkeypatch) -> None:
    from bcikit.outputs import open_output

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
        while json.loads(line.recv(timeout=60))["type"] != "clock":
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

    sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
    import chromium

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
            thread.join(timeout=60)
    assert (report["n"], len(markers)) == (20, 10)
    assert display.startswith("browser ")
    assert report["refresh_hz"] > 1
    assert -0.1 < report["offset_mean"] < 1.0
    values = judge(report, None)
    assert values["tests"][0]["value"] == report["soa_sd"]


class Page(threading.Thread):
    """A page in a browser, as far as its line goes: it shows each flash some time after the frame it was meant for."""

    LATE = 0.012
    REFRESH = 50.0

    def __init__(self, address: str, *, covered: bool = False) -> None:
        super().__init__(daemon=True)
        where = urlsplit(address)
        self.address = f"ws://{where.netloc}/ws?{where.query}"
        self.covered = covered
        self.joined = threading.Event()

    def run(self) -> None:
        # It ends with the server.
        with contextlib.suppress(ConnectionClosed), connect(self.address) as line:
            for text in line:
                # The server knows it by now.
                self.joined.set()
                said = None if self.covered else self.report(json.loads(text)["data"].get("event") or {})
                if said is not None:
                    line.send(json.dumps(said))

    def report(self, event: dict[str, Any]) -> dict[str, Any] | None:
        says: dict[str, Any] = {"client": "page"}
        if event.get("name") == "phase/flash":
            says |= {"type": "hello", "refresh": self.REFRESH, "display": "browser 1280x800"}
        elif event.get("name") == "stimulus/flash":
            shown = event["time"] + DELAY + self.LATE
            says |= {"type": "flip", "name": event["name"], "sample": event["sample"], "time": event["time"]}
            says |= {"shown": shown}
        elif event.get("name") == "stimulus/flicker":
            # One of eleven frames was dropped.
            says |= {
                "type": "frames",
                "refresh": self.REFRESH,
                "times": [k / self.REFRESH for k in range(12) if k != 5],
            }
        else:
            return None
        return says


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Page]]:
    """Open the page that somebody is asked to open, and let the flashes follow each other fast."""
    pages: list[Page] = []

    def say(text: str) -> None:
        pages.append(Page(text.splitlines()[1]))
        pages[0].start()

    show = page_timing.show_on_page
    monkeypatch.setattr(page_timing, "show_on_page", lambda n, spacing, *, pull: show(n, spacing, pull=pull, say=say))
    monkeypatch.setattr(page_timing, "LEAD", 0.0)
    monkeypatch.setattr(page_timing, "JOIN_SECONDS", 60.0)
    monkeypatch.setattr(page_timing, "FLICKER", 0.1)
    monkeypatch.setattr(stimulus_timing, "SOA_SECONDS", 0.01)
    yield pages
    for page in pages:
        page.join(10)
        assert not page.is_alive()


def test_what_a_page_reports_is_the_table_of_the_command(tmp_path, command_line, browser: list[Page]) -> None:
    # One dropped frame of twelve is more than a hundredth.
    done = command_line("validate", "timing", "--screen", "page", "--out", tmp_path)
    assert done.code == 1, done.err
    values = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert values["frames"]["n"] == 100
    assert values["frames"]["offset_mean"] == pytest.approx(Page.LATE, abs=1e-6)
    assert (values["frames"]["frames"], values["frames"]["dropped"]) == (11, 1)
    assert [row["result"] for row in values["tests"]] == ["PASS", "FAIL", "NOT MEASURED", "NOT MEASURED"]
    words = " ".join(done.out.split())
    assert "No photodiode: --source ADDRESS --photodiode CHANNEL" in words
    assert "NOT MEASURED" in words


def test_a_photodiode_before_the_page_corrects_the_next_session_on_that_browser(
    tmp_path, monkeypatch, browser: list[Page]
) -> None:
    monkeypatch.setattr(displays, "folder", lambda: tmp_path / "displays")
    chunks: list[Chunk] = []

    class Diode:
        """Sees the light of each second flash 30 ms after the page says that it was shown."""

        info = StreamInfo(name="diode", sfreq=1000.0, ch_names=("photo",), ch_types=("misc",))
        ended = False
        begun = closed = False

        def start(self) -> None:
            self.begun = True

        def pull(self, timeout: float) -> Chunk | None:
            return chunks.pop() if chunks else None

        def close(self) -> None:
            self.closed = True

    diode = Diode()

    def show(n: int, spacing: float, *, pull: Any) -> tuple[dict[str, Any], list[float], str]:
        times = np.arange(100.0, 130.0, 1e-3)
        markers = [101.0 + 0.6 * k for k in range(n // 2)]
        since = times - markers[0] - LAG
        light = ((since % 0.6 < 0.3) & (since >= 0) & (since < 0.3 * n)).astype(float)
        chunks.append(Chunk(light[:, None], times, 0))
        pull()
        frames = {"n": n, "frames": 100, "dropped": 0, "soa_sd": 0.0}
        return frames, markers, "browser 1280x800"

    monkeypatch.setattr(page_timing, "show_on_page", show)
    monkeypatch.setattr(stimulus_timing, "open_source", lambda address: diode)
    code = validate_timing(tmp_path / "out", source="diode", photodiode="photo", screen="page", n_stimuli=40)
    assert code == 0
    assert (diode.begun, diode.closed) == (True, True)
    assert displays.correction_of("page", "browser 1280x800") == pytest.approx(LAG, abs=0.002)
    assert displays.correction_of("page", "browser 800x600") == 0.0


@pytest.mark.parametrize("heard", [0.0, 8.0])
def test_a_photodiode_that_falls_silent_measures_nothing(tmp_path, monkeypatch, heard: float) -> None:
    times = np.arange(100.0, 100.0 + heard, 1e-3)
    markers = [101.0 + 0.6 * k for k in range(20)]
    since = times - markers[0] - LAG
    light = ((since % 0.6 < 0.3) & (since >= 0)).astype(float)
    samples = [(times, light)] if heard else []
    frames = {"n": 40, "frames": 100, "dropped": 0, "soa_sd": 0.0}
    diode = SimpleNamespace(
        info=StreamInfo(name="diode", sfreq=1000.0, ch_names=("photo",), ch_types=("misc",)), close=lambda: None
    )
    monkeypatch.setattr(stimulus_timing, "_show_page", lambda n, source, columns: (frames, markers, samples, "here"))
    monkeypatch.setattr(stimulus_timing, "open_source", lambda address: diode)
    with pytest.raises(DataError, match="diode with the photodiode fell silent before the last stimulus was shown"):
        validate_timing(tmp_path / "out", source="diode", photodiode="photo", screen="page", n_stimuli=40)
    assert not (tmp_path / "out").exists()


def test_a_page_that_nobody_opens_or_that_hides_is_said(monkeypatch) -> None:
    monkeypatch.setattr(page_timing, "JOIN_SECONDS", 0.02)
    with pytest.raises(SourceError, match="Nobody opened the page"):
        page_timing.show_on_page(20, 0.01, pull=lambda: None, say=lambda text: None)
    # It is there and draws nothing: a tab behind another one.
    pages: list[Page] = []

    def say(text: str) -> None:
        pages.append(Page(text.splitlines()[1], covered=True))
        pages[0].start()
        assert pages[0].joined.wait(60)

    monkeypatch.setattr(page_timing, "JOIN_SECONDS", 0.5)
    with pytest.raises(SourceError, match="tells no refresh rate"):
        page_timing.show_on_page(20, 0.01, pull=lambda: None, say=say)
    pages[0].join(10)
    with pytest.raises(SourceError, match="reported no flashes"):
        page_timing._report([], [], {})


def test_the_window_is_measured_by_a_photodiode(tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    values = measured(tmp_path, monkeypatch, spacing=0.1)
    assert values["frames"]["n"] == 40
    assert json.loads(capsys.readouterr().out)["correction_s"] == pytest.approx(LAG, abs=0.004)
    assert displays.correction_of("qt", values["kept_for"]["display"]) == pytest.approx(LAG, abs=0.004)
