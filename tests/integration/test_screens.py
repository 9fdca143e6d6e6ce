"""A simulated user spells on real screens: it answers to what a window, or a page in a browser, says it has shown."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("PySide6")
pytest.importorskip("websockets")

from bcikit.recording.lateness import LOCKED
from bcikit.session.config import config_from
from bcikit.session.engine import Engine
from bcikit.session.shipped import shipped_config

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))
import chromium  # noqa: E402

PIPELINE = [{"step": "bandpass", "l_freq": 0.5, "h_freq": 20.0, "order": 2}]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a decoder of this user, trained in a session faster than life."""
    folder = tmp_path_factory.mktemp("trained") / "session"
    config = shipped_config("p300-speller", seed=3, settings={"max_selections": 0, "calibration": "NEURAL"})
    recording = config.recording.model_copy(update={"folder": str(folder), "enabled": True})
    Engine(config.model_copy(update={"recording": recording})).run()
    return folder / "model.skops"


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def session(model, output, folder, **settings):
    return config_from(
        {
            "session": {"name": "screen", "seed": 3},
            "source": {"address": "sim:p300?live=1&seed=3"},
            "paradigm": {
                "name": "p300-speller",
                "settings": {"calibration": [], "instructions": 0.0, "max_selections": 12, **settings},
            },
            "decoder": {"model": str(model)},
            "pipeline": {"steps": PIPELINE},
            "outputs": [{"address": output}],
            "recording": {"folder": str(folder)},
        }
    )


@pytest.mark.soak
@pytest.mark.timeout(500)
def test_brain_is_spelled_on_the_qt_window(model, tmp_path, monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    values = Engine(session(model, "screen:?place=window", tmp_path / "s", copy_text="BRAIN")).run().values
    assert values["details"]["text"] == "BRAIN"
    presented = values["presentation"]
    assert presented["flips"] > 100
    # The plan and what was seen are a tenth of a second apart, and windows went by what was seen.
    assert 0.05 < presented["delay_s"] < 0.2
    inputs = [json.loads(line) for line in (tmp_path / "s" / "inputs.jsonl").read_text().splitlines()]
    flips = [item for item in inputs if item["kind"] == "screen" and item.get("type") == "flip"]
    assert sum(flip["name"].startswith(LOCKED) for flip in flips) == presented["flips"]
    # What the screen reported is part of what came in: a replay decides the same, bit for bit.
    command = [sys.executable, "-m", "bcikit", "replay", str(tmp_path / "s"), "--check"]
    assert subprocess.run(command, capture_output=True, timeout=200, check=False).returncode == 0


@pytest.mark.soak
@pytest.mark.timeout(500)
def test_in_front_of_a_blank_window_nothing_is_spelled(model, tmp_path, monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    config = session(model, "screen:?place=window&blank=1", tmp_path / "s", copy_text="BR", max_selections=2)
    values = Engine(config).run().values
    assert values["details"]["text"] != "BR"
    assert not any(row["correct"] for row in values["trials"])


@pytest.mark.soak
@pytest.mark.timeout(500)
@pytest.mark.skipif(
    chromium.PROGRAM is None or os.name != "posix", reason="no Chromium on this machine: apt-get install chromium"
)
def test_brain_is_spelled_on_the_page(model, tmp_path, free_port):
    token = "a-token-for-this-test"
    address = f"ws:127.0.0.1:{free_port}?screen=1&token={token}"
    engine = Engine(session(model, address, tmp_path / "s", copy_text="BRAIN", gaze=4.0))
    found = {}
    thread = threading.Thread(target=lambda: found.update(engine.run().values), daemon=True)
    thread.start()
    with chromium.open_page(f"http://127.0.0.1:{free_port}/?token={token}") as page:
        page.until("window.bcikit?.page.linked === true", seconds=60)
        thread.join(timeout=400)
        assert page.errors == []
    assert found["details"]["text"] == "BRAIN"
    assert found["presentation"]["flips"] > 100
