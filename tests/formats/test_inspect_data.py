"""`bcikit inspect` on the real recordings says what their README says of them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app

MUSE = ["TP9", "AF7", "AF8", "TP10"]
NAMES = {"minimal.xdf": "--unit=uV", "clock_resets.xdf": "--unit=uV"}


def inspected(path: Path, *options: str) -> tuple[int, dict]:
    result = CliRunner().invoke(app, ["inspect", str(path), "--json", *options])
    return result.exit_code, json.loads(result.stdout)


def events(found: dict) -> dict[str, int]:
    together: dict[str, int] = {}
    for counts in found["events"].values():
        for name, count in counts.items():
            together[name] = together.get(name, 0) + count
    return together


def test_eegmmidb(data_dir):
    for path in sorted((data_dir / "eegmmidb").glob("*.edf")):
        code, found = inspected(path)
        assert code == 0, (path.name, found["doubts"])
        assert (found["n_channels"], found["sfreq"], found["unit"], found["lost_samples"]) == (64, 160.0, "uV", 0)
        assert {channel["type"] for channel in found["channels"]} == {"eeg"}
        assert found["positions"]
        marks = events(found)
        if "R01" in path.name or "R02" in path.name:
            assert found["duration_s"] == 60.0
            assert set(marks) <= {"T0"}
        else:
            # 15 trials a run, rest before each.
            assert marks["T1"] + marks["T2"] == 15
            assert set(marks) == {"T0", "T1", "T2"}


def test_ssvep_exo(data_dir):
    paths = sorted((data_dir / "ssvep_exo").rglob("*_raw.fif"))
    assert len({path.parent for path in paths}) == 6
    for path in paths:
        code, found = inspected(path)
        # Its scale is unknown (README): that is a doubt, and nothing else is.
        assert code == 1, path
        assert [note["code"] for note in found["notes"] if note["doubt"]] == ["amplitude"]
        assert (found["sfreq"], found["n_times"] > 0, found["lost_samples"]) == (256.0, True, 0)
        names = [channel["name"] for channel in found["channels"] if channel["type"] == "eeg"]
        assert sorted(names) == sorted(["Oz", "O1", "O2", "PO3", "POz", "PO7", "PO8", "PO4"])
        assert events(found) == {"1": 8, "2": 8, "3": 8, "4": 8}


@pytest.mark.parametrize("kind", ["p300", "n170", "ssvep"])
def test_muse(data_dir, kind):
    paths = sorted((data_dir / "muse" / kind).glob("*.csv"))
    assert paths
    # Of a kind all are alike: the first and the last.
    for path in {paths[0], paths[-1]}:
        code, found = inspected(path)
        assert code == 0, (path.name, found["doubts"])
        assert [channel["name"] for channel in found["channels"]] == [*MUSE, "Right AUX"]
        assert (found["sfreq"], found["unit"]) == (256.0, "uV")
        assert set(events(found)) == {"1", "2"}


FORMATS = {
    # Format, channels, rate, seconds, samples lost, events, the doubts that there are.
    "OpenBCI_GUI-v5-blinks-jawClench-alpha.txt": ("OpenBCI GUI", 8, 250.0, 89.96, 0, 0, []),
    "OpenBCI_GUI-v6-blinks-jawClench-alpha.txt": ("OpenBCI GUI", 8, 250.0, 89.96, 0, 0, []),
    # A clock that is set anew within: what it leaves is a gap, and 100 Hz are not what came.
    "clock_resets.xdf": ("XDF", 8, 93.0, 572.645, 25441, 175, ["rate"]),
    "empty_streams.xdf": ("XDF", 1, 1.0, 10.0, 0, 1, []),
    "minimal.xdf": ("XDF", 3, 10.0, 0.9, 0, 9, ["rate"]),
    "ssvep_example.xdf": ("XDF", 8, 300.0, 110.007, 0, 258, []),
    "mne_test.bdf": ("BDF", 139, 512.0, 6.0, 0, 18, []),
    "short_psg.bdf": ("BDF", 7, 100.0, 300.0, 0, 0, []),
    "short_psg.edf": ("EDF", 7, 100.0, 300.0, 0, 0, []),
    "test_subsecond.bdf": ("BDF", 1, 128.0, 698.0, 0, 4, []),
    "test_subsecond.edf": ("EDF", 1, 128.0, 698.0, 0, 4, []),
    "test_utf8.edf": ("EDF", 1, 128.0, 698.0, 0, 5, []),
    # Its header says volts for numbers that are none.
    "openvibe_ssvep.gdf": ("GDF", 8, 256.0, 222.75, 0, 97, ["amplitude"]),
    "test.vhdr": ("BrainVision", 32, 1000.0, 7.9, 0, 13, []),
}


def test_formats(data_dir):
    paths = [path for path in sorted((data_dir / "formats").rglob("*")) if path.is_file()]
    paths = [path for path in paths if path.suffix not in (".eeg", ".vmrk")]
    assert {path.name for path in paths} == set(FORMATS)
    for path in paths:
        title, channels, rate, seconds, lost, n_events, doubts = FORMATS[path.name]
        code, found = inspected(path, *([NAMES[path.name]] if path.name in NAMES else []))
        assert title in found["format"]
        about = (found["n_channels"], found["sfreq"], found["duration_s"], found["lost_samples"], found["n_events"])
        assert about == (channels, rate, seconds, lost, n_events), path.name
        assert [note["code"] for note in found["notes"] if note["doubt"]] == doubts, path.name
        assert code == bool(doubts)


def test_one_file_of_a_set_says_which_to_give(data_dir):
    for name in ("test.eeg", "test.vmrk"):
        result = CliRunner().invoke(app, ["inspect", str(data_dir / "formats" / "brainvision" / name)])
        assert "give" in str(result.exception)
        assert "test.vhdr" in str(result.exception)
