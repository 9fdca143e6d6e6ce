"""What the long fuzz found, each with the answer that is right."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest

from bcikit import read_recording
from bcikit.acquisition import open_source
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.dialect import Dialect
from bcikit.acquisition.fif_check import check_fif
from bcikit.acquisition.stamps import on_grid
from bcikit.outputs.envelope import Sealer, encode
from bcikit.outputs.reports import checked_report
from bcikit.safety import verify_audit
from bcikit.safety.audit import AuditLog
from bcikit.session.orders import checked_order
from bcikit.signal import ArgumentError, BciError, ConfigError, DataError, Event, SourceError, StreamInfo
from bcikit.signal.documents import json_of, read_json, read_toml
from bcikit.signal.messages import parse
from bcikit.signal.settings import check_settings
from tests.formats.writers import edf

HUGE = 10**400


@pytest.mark.parametrize("value", [float("inf"), float("nan"), HUGE])
def test_a_page_reports_no_number_that_is_none(value):
    assert checked_report({"type": "marker", "name": "x", "t": value}) is None
    assert checked_report({"type": "marker", "name": "x", "t": 1.0, "value": value}) is None
    if value != HUGE:
        assert checked_report({"type": "marker", "name": "x", "t": 1.0, "data": {"a": value}}) is None
    assert checked_report({"type": "marker", "name": "x", "t": 1.0, "data": {"a": 1}}) is not None


def test_a_count_that_is_no_number_is_the_one_that_was_due():
    counter = PacketCounter(256, 250.0)
    packets = np.arange(20.0)
    packets[[5, 11]] = np.nan, np.inf
    count = counter.count(packets, 100 + np.arange(20) / 250)
    assert not count.lost.any()
    assert not counter.count(np.arange(20.0, 30.0), 100.08 + np.arange(10) / 250).lost.any()


def test_half_a_character_as_a_hash_is_a_changed_record(tmp_path):
    audit = AuditLog(tmp_path)
    audit.write("note", now=1.0, actor="dr")
    audit.close()
    record = json.loads((tmp_path / "audit.jsonl").read_bytes())
    (tmp_path / "audit.jsonl").write_text(json.dumps({**record, "hash": "\ud800"}) + "\n")
    assert not verify_audit(tmp_path).intact


def test_a_sidecar_with_a_rate_of_four_hundred_digits_changes_nothing(tmp_path):
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    stem = "sub-01_task-x_eeg"
    edf(tmp_path / f"{stem}.edf", [("Cz", "uV", np.arange(400) % 90)])
    (tmp_path / f"{stem}.json").write_text(json.dumps({"SamplingFrequency": HUGE, "PowerLineFrequency": HUGE}))
    assert read_recording(tmp_path / f"{stem}.edf").info.sfreq == 100


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, '{"a": 1, "a": 2}', b"\xff\xfe", "", "{} {}"]
)
def test_whatever_is_no_json_is_a_value_error(text, tmp_path):
    with pytest.raises(ValueError, match=r"."):
        json_of(text)
    (tmp_path / "x.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises((ValueError, OSError)):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = 1\na = 2", "\ud800"])
def test_whatever_is_no_toml_is_refused_in_words(text, tmp_path):
    (tmp_path / "x.toml").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(BciError, match=r"x\.toml"):
        read_toml(tmp_path / "x.toml")


def test_a_device_as_a_file_is_refused_and_not_read_for_ever():
    with pytest.raises(BciError, match="no ordinary file"):
        read_toml(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Event, {"name": "x", "time": None}),
        (Event, {"name": 5, "time": 1.0}),
        (Event, {"name": "x", "time": 1.0, "extra": 1}),
        (Event, {"name": "x", "time": 1.0, "sample": 1 << 70}),
        (Event, {"name": "\ud800", "time": 1.0}),
        (Event, ["name"]),
        (StreamInfo, {"name": "x", "sfreq": 250.0, "ch_names": "C3"}),
        (StreamInfo, {"name": "x", "sfreq": 250.0, "ch_names": ["C3"], "capabilities": {"impedance": "no"}}),
    ],
)
def test_what_is_no_event_and_no_stream_is_refused_by_its_field(kind, values):
    with pytest.raises(DataError):
        kind.from_dict(values)


@pytest.mark.parametrize("message", [{"type": []}, {"type": "snapshot", "messages": [1]}, {"v": HUGE}, 5, None])
def test_what_is_no_message_is_refused(message):
    with pytest.raises(DataError):
        parse(message)


def test_news_with_a_nan_goes_out_with_null():
    line = encode(Sealer().inform({"type": "decision", "classes": ["a"], "probabilities": [float("nan")], "time": 1.0}))
    assert json.loads(line)["p"] == {"a": None}


@pytest.mark.parametrize("value", [None, "1", [1], HUGE, float("nan"), True])
def test_an_order_with_a_number_that_is_none_is_refused(value):
    with pytest.raises(BciError, match="difficulty"):
        checked_order({"do": "difficulty", "value": value})


def test_stamps_that_no_clock_says():
    good = 100 + np.arange(100) / 250
    with pytest.raises(SourceError):
        on_grid(np.full(100, 1e300))
    with pytest.raises(SourceError):
        on_grid(np.array([0.0, 1e-300, 2e-300, 1e12]))
    spoilt = good.copy()
    spoilt[50] = 1e300
    assert on_grid(spoilt, 250.0).lost == 0


def test_a_fif_file_whose_tags_lead_back_is_refused(tmp_path):
    (tmp_path / "x.fif").write_bytes(
        b"\0\0\0\x64\0\0\0\x1f\0\0\0\x04\0\0\0\x14AAAA" + b"\0\0\0\x6a\0\0\0\x03\0\0\0\0\0\0\0\x14"
    )
    with pytest.raises(SourceError, match="leads back"):
        check_fif(tmp_path / "x.fif")


def test_a_matlab_file_with_a_length_that_is_none_is_refused(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"data": np.zeros((50, 2)), "fs": 100.0})
    raw = bytearray((tmp_path / "a.mat").read_bytes())
    raw[132:136] = b"\xff\xff\xff\x7f"
    (tmp_path / "a.mat").write_bytes(bytes(raw))
    with pytest.raises(SourceError, match="damaged"):
        read_recording(tmp_path / "a.mat", unit="uV")


@pytest.mark.parametrize("command", ["inspect", "verify", "replay", "recover"])
def test_a_name_that_is_too_long_is_one_line(command, capsys, monkeypatch):
    from bcikit.cli import main

    monkeypatch.setattr("sys.argv", ["bcikit", command, "x" * 5000])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert "Traceback" not in said.err
    assert len(said.err) < 6000


@pytest.mark.parametrize(
    "bad", ['"\\ud800"', "[" * 800 + "]" * 800, "[" * 100_000 + "]" * 100_000], ids=["half", "deep", "deeper"]
)
def test_a_header_that_cannot_be_written_again_is_damaged(bad, tmp_path):
    from bcikit.recording.header import read_header

    (tmp_path / "session.json").write_text('{"format": "bcikit-session", "notes": ' + bad + "}")
    # How deep JSON may be differs between versions of Python: refused it is by each of them.
    with pytest.raises(BciError, match=r"damaged|cannot be read|format version None"):
        read_header(tmp_path)


def test_a_pattern_of_a_dialect_that_is_none_is_named():
    with pytest.raises(ConfigError, match="no regular expression"):
        check_settings(Dialect, {"name": "x", "columns": ["*a"]}, where="x")


def test_the_head_of_a_log_with_a_number_below_zero_is_damaged(tmp_path):
    with contextlib.closing(AuditLog(tmp_path)) as log:
        log.write("note", now=0.0, actor="dr")
    (tmp_path / "audit.head").write_text("-9 " + "0" * 64)
    assert not verify_audit(tmp_path).intact


def _brainvision(folder, **names):
    (folder / "v.eeg").write_bytes(bytes(2000))
    (folder / "v.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        + "".join(f"{name}={value}\n" for name, value in ({"DataFile": "v.eeg"} | names).items())
        + "DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=1\nSamplingInterval=4000\n"
        "[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\nCh1=C3,,0.1,uV\n"
    )
    return folder / "v.vhdr"


def test_samples_in_a_file_whose_name_no_disk_takes(tmp_path):
    with pytest.raises(SourceError):
        read_recording(_brainvision(tmp_path, DataFile="v" * 5000))


@pytest.mark.parametrize("name", ["gone.vmrk", "v" * 5000])
def test_markers_that_are_not_where_the_header_says_are_in_doubt(name, tmp_path):
    header = _brainvision(tmp_path, MarkerFile=name)
    try:
        recording = read_recording(header)
    except SourceError:
        pytest.skip("an older MNE refuses it")
    assert not recording.events
    (note,) = (note for note in recording.notes if note.code == "events")
    assert note.doubt
    assert f"names {name[:60]}, which is not there" in note.text
    (tmp_path / "v.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=v.eeg\n"
        "[Marker Infos]\nMk1=Stimulus,S  7,100,1,0\n"
    )
    recording = read_recording(header)
    assert [event.value for event in recording.events] == [7]
    (note,) = (note for note in recording.notes if note.code == "events")
    assert not note.doubt
    assert note.text.startswith("markers from v.vmrk: ")


@pytest.mark.parametrize("option", ["incidents=pop", "faults=flat"])
@pytest.mark.parametrize("when", ["3~18446744073709551", "3~1e300", "1e300", "3~nan", "inf"])
def test_what_is_planned_for_ages_is_refused_by_its_field(option, when):
    with pytest.raises(ArgumentError, match=r"at|length"):
        open_source(f"sim:rest?{option}@{when}").close()
