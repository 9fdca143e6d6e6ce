"""What may leave and what is replaced by what: each decision of the de-identification by itself."""

import getpass
import json
import os
import platform
import re
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import pytest

import bcikit
from bcikit.paradigms import make_paradigm
from bcikit.recording.deidentify import KEEP, Deidentifier, _forms_of, _holds, device_family, identifiers_of
from bcikit.recording.vocabulary import (
    EVENT_WORDS,
    FEATURE_WORDS,
    hed_of,
    holds_date,
    holds_number,
    is_channel,
    is_plain,
    spells_name,
    words_of,
)
from bcikit.signal import Decision, Event, RecordingError, StreamInfo, Verdict
from bcikit.signal.errors import ArgumentError


def info(*names, **more):
    return StreamInfo(name="Erika's amplifier", sfreq=100.0, ch_names=names or ("C3", "C4"), **more)


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """A machine and a user whose names are words of the files."""
    monkeypatch.setattr(platform, "node", lambda: "bcikit")
    monkeypatch.setattr(getpass, "getuser", lambda: "user")


def session(config=None, *, header=None, events=(), extra=(), **of_info):
    return SimpleNamespace(
        config=config or {},
        header=header or {},
        info=info(**of_info),
        events=list(events),
        extra={str(index): SimpleNamespace(info=one) for index, one in enumerate(extra)},
    )


MARIA = {"subject": {"name": "Maria Mustermann"}}
TIME = {"time": 1.0}


def test_what_may_be_kept_is_one_of_four():
    with pytest.raises(ArgumentError, match=r"^keep\b.*names"):
        Deidentifier(session(), keep=("names",))
    for part in KEEP:
        Deidentifier(session(), keep=(part,))
    assert Deidentifier(session(MARIA)).identifiers == ("Maria", "Maria Mustermann", "Mustermann")


@pytest.mark.parametrize(
    ("name", "plain"),
    [("cue/left", True), ("trial 12", True), ("cue/mustermann", False), ("Anna called", False), ("1964", False)],
)
def test_names_of_events_and_labels_leave_or_are_replaced(name, plain):
    one = Deidentifier(session(MARIA))
    expected = name if plain else "text-1"
    event = Event(name=name, **TIME)
    assert one.event_name(event) == one.label(name) == one.key(name) == expected
    assert one.replaced == ({} if plain else {name: "text-1"})
    assert Deidentifier(session(MARIA), keep=("texts",)).event_name(event) == name
    assert Deidentifier(session(MARIA), keep=("all",)).event_name(event) == name
    assert Deidentifier(session(MARIA), keep=("channels", "device")).event_name(event) == expected


SHIPPED = sorted(
    path.stem for path in (Path(bcikit.__file__).parent / "paradigms" / "configs").glob("*.toml")
)  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_events_of_the_shipped_paradigms_name_nobody_and_stay_what_they_are(name):
    paradigm = make_paradigm(name)
    electrodes = ("C3", "Cz", "C4", "Fz", "Pz", "Oz", "O1", "O2", "FC3", "FC4", "CP3", "CP4")
    paradigm.configure(StreamInfo(name="amp", sfreq=250.0, ch_names=electrodes), seed=0)
    paradigm.start(0, 0.0)
    seen = set()
    for _ in range(1500):
        sample = paradigm.next_sample
        if paradigm.finished or sample is None:
            break
        events = list(paradigm.advance(sample, sample / 250.0))
        for request in paradigm.windows_due(sample):
            found = {"time": request.stop_sample / 250.0, "sample": request.stop_sample - 1}
            nothing = Decision(**found, classes=paradigm.classes, reason="played")
            refused = Verdict(**found, allowed=False, label=None, reasons=("A-NONE",), state="ACTIVE")
            events += paradigm.on_decision(nothing, refused, request)[1]
        seen |= {event.name for event in events}
    assert seen
    assert [name for name in sorted(seen) if not is_plain(name)] == []


def test_events_of_our_own_are_called_by_words_that_leave():
    """What a session, its steps and its markers may be called, wherever the code spells it."""
    root = Path(bcikit.__file__).parent
    spelled = re.compile(r'"([a-z][a-z-]+/[a-z][a-z-]+)"')
    no_events = {"band/channel", "bit/min", "us/chunk"}
    found = {
        name
        for room in ("acquisition", "paradigms", "processing", "safety", "session")
        for path in (root / room).rglob("*.py")
        for name in spelled.findall(path.read_text(encoding="utf-8"))
    }
    assert {"artefact/blinks", "decoder/drift", "idle-test/start"} <= found
    # An f-string names what the therapist did.
    orders = {f"therapist/{action}" for action in ("difficulty", "override", "skip")}
    assert [name for name in sorted((found | orders) - no_events) if not is_plain(name)] == []


def test_a_word_of_experiments_that_is_a_name_here_goes():
    """A person called Block, a class called like the person: harmless anywhere else."""
    one = Deidentifier(session({"subject": {"name": "Wrist"}}))
    one.identifiers = ("Wrist",)
    for text in ("cue/wrist", "WRIST"):
        assert one.event_name(Event(name=text, **TIME)).startswith("text-")
        assert one.label(text).startswith("text-")
        assert one.key(text).startswith("text-")
        assert one.event_value(Event(name="marker", value=text, **TIME)) is None
        assert one.reason(f"{text}: 7") == "other"
    assert one.info(info("C3", "wrist")).ch_names == ("C3", "EEG002")
    one.identifiers = ("Average",)
    assert one.info(info(reference="average")).reference == ""
    assert Deidentifier(session()).info(info(reference="average")).reference == "average"


def test_the_same_text_gets_the_same_number():
    one = Deidentifier(session())
    names = ["Anna", "Berta", "Anna", "cue/left", "Clara"]
    assert [one.event_name(Event(name=name, **TIME)) for name in names] == [
        "text-1", "text-2", "text-1", "cue/left", "text-3"
    ]  # fmt: skip
    assert one.label("Berta") == "text-2"
    assert one.key("Dora") == "text-4"
    assert one.label(None) is None


def test_numbers_of_decoders_have_names_of_their_own():
    one = Deidentifier(session())
    assert is_plain("entropy", FEATURE_WORDS)
    assert not is_plain("entropy", EVENT_WORDS)
    assert (one.key("entropy"), one.key("cue entropy 2")) == ("entropy", "cue entropy 2")
    assert one.label("entropy") == "text-1"


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (None, None),
        (7, 7),
        (0.25, 0.25),
        # The digits of a measurement are no number of somebody; the year stays one.
        (0.6454616414975416, 0.6454616414975416),
        (-12_345.678, -12_345.678),
        (1964.25, None),
        (float("inf"), None),
        (-3, -3),
        (99_999, 99_999),
        (100_000, None),
        (-100_000, None),
        (20231107, None),
        (1964, None),
        (float("nan"), None),
        ("cue/left", "cue/left"),
        ("patient Anna", None),
    ],
)
def test_values_of_markers_leave_where_they_are_short(value, left):
    event = Event(name="marker", value=value, **TIME)
    assert Deidentifier(session()).event_value(event) == left
    kept = Deidentifier(session(), keep=("texts",)).event_value(event)
    assert kept is value


def test_values_that_do_not_leave_are_counted():
    events = tuple(Event(name="marker", value=value, **TIME) for value in (0.6454616, 20231107, 1964, None))
    assert Deidentifier(session(events=events)).values_left_out() == 2
    assert Deidentifier(session(events=events), keep=("texts",)).values_left_out() == 0


def test_a_short_number_that_is_a_person_s_goes():
    one = Deidentifier(session())
    one.identifiers = ("47.11",)
    assert one.event_value(Event(name="marker", value=47.11, **TIME)) is None
    assert one.event_value(Event(name="marker", value=47.12, **TIME)) == 47.12


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (None, None),
        ("Q-RAIL", "Q-RAIL"),
        ("ST-TIMING", "ST-TIMING"),
        ("not-enough-data", "other"),
        ("idle", "idle"),
        ("error: file of Anna", "error"),
        ("error", "error"),
        ("timeout: Anna", "timeout"),
        ("Anna: timeout", "other"),
        ("Anna", "other"),
    ],
)
def test_reasons_leave_where_they_are_ours(text, left):
    assert Deidentifier(session()).reason(text) == left
    assert Deidentifier(session(), keep=("texts",)).reason(text) == text


def test_a_stream_leaves_without_what_identifies():
    given = info(
        "C3", "Anna", "Fz", source_id="SN-99887766", device="Amplifier ABX20231107", reference="A1", unit="uV",
        ch_types=("eeg", "emg", "eeg"),
    )  # fmt: skip
    one = Deidentifier(session())
    left = one.info(given)
    assert (left.name, left.ch_names, left.source_id, left.device) == ("eeg", ("C3", "EMG002", "Fz"), "", "")
    assert (left.reference, left.unit, left.sfreq, left.ch_types) == ("A1", "uV", 100.0, given.ch_types)
    assert one.replaced == {"Anna": "EMG002"}
    kept = Deidentifier(session(), keep=("channels",)).info(given)
    assert (kept.ch_names, kept.device, kept.name) == (given.ch_names, "", "eeg")
    kept = Deidentifier(session(), keep=("device",)).info(given)
    assert (kept.device, kept.ch_names) == (given.device, left.ch_names)
    assert Deidentifier(session(), keep=("all",)).info(given) is given
    assert Deidentifier(session(), keep=("texts",)).info(given).ch_names == left.ch_names


@pytest.mark.parametrize(
    ("reference", "left"),
    [("average", "average"), ("Cz", "Cz"), ("mastoid of Anna", ""), ("", ""), ("linked ears", "")],
)
def test_a_reference_leaves_where_it_is_an_electrode(reference, left):
    assert Deidentifier(session()).info(info(reference=reference)).reference == left


@pytest.mark.parametrize(("unit", "left"), [("uV", "uV"), ("log10(uV)", "log10(uV)"), ("", ""), ("of Dr. House", "")])
def test_a_unit_leaves_where_it_looks_like_one(unit, left):
    assert Deidentifier(session()).info(info(unit=unit)).unit == left


def test_names_that_would_stand_twice_are_all_numbered():
    one = Deidentifier(session())
    assert one.info(info("EEG002", "Anna")).ch_names == ("CH001", "CH002")
    assert one.info(info("EEG003", "Anna")).ch_names == ("EEG003", "EEG002")


def test_a_preview_says_what_goes_and_by_what():
    events = [Event(name=name, **TIME) for name in ("cue/left", "Anna called")]
    one = Deidentifier(session(events=events))
    one._session.info = info("C3", "Berta")
    assert one.preview() == {"Berta": "EEG002", "Anna called": "text-1"}
    found = one.preview()
    found.clear()
    assert one.replaced, "what is told is a copy"
    assert Deidentifier(session(events=events), keep=("all",)).preview() == {}


@pytest.mark.parametrize("coding", ["utf-8", "latin-1", "utf-16-le", "json"])
@pytest.mark.parametrize("word", ["Müller-Lüdenscheidt", "MÜLLER-LÜDENSCHEIDT"])
def test_every_byte_of_the_files_is_searched(tmp_path, word, coding):
    one = Deidentifier(session({"operator": "Müller-Lüdenscheidt"}))
    harmless, other = tmp_path / "a.csv", tmp_path / "b.csv"
    harmless.write_bytes(b"\x00cue/left\xff")
    one.check([harmless])
    raw = json.dumps(word).encode() if coding == "json" else word.encode(coding)
    other.write_bytes(b"\x00\x01" + raw + b"\xff")
    with pytest.raises(RecordingError, match=r"'Müller-Lüdenscheidt', which identifies, in b\.csv"):
        one.check([harmless, other])
    Deidentifier(session({"operator": "Müller-Lüdenscheidt"}), keep=("all",)).check([other])
    with pytest.raises(RecordingError):
        Deidentifier(session({"operator": "Müller-Lüdenscheidt"}), keep=("texts",)).check([other])


def test_the_names_of_the_files_are_searched_too(tmp_path):
    file = tmp_path / "Mustermann_rest.csv"
    file.write_bytes(b"0")
    with pytest.raises(RecordingError, match=r"'Mustermann'.*Mustermann_rest\.csv"):
        Deidentifier(session(MARIA)).check([file])


@pytest.mark.parametrize("coding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("Wałęsa", "WAŁĘSA"),
        ("Wałęsa", "wałęsa"),
        ("李明", "李明"),
        ("ÅNGSTRÖM", "Ångström"),
        ("Großmann", "GROSSMANN"),
        ("Иванов", "ИВАНОВ"),
        ("a.b*c", "A.B*C"),
    ],
)
def test_a_word_is_found_however_it_is_written(tmp_path, word, written, coding, form):
    one = Deidentifier(session())
    one.identifiers = (word,)
    file = tmp_path / "x.tsv"
    text = unicodedata.normalize(form, written).encode(coding)
    file.write_bytes(b"\x01\x02" + text + b"\x03")
    with pytest.raises(RecordingError):
        one.check([file])
    file.write_bytes(b"\x01\x02" + text[:-1] + b"~\x03")
    one.check([file])


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_word_is_found_in_the_name_of_a_file_however_it_is_written(tmp_path, form):
    file = tmp_path / unicodedata.normalize(form, "MÜLLER-LÜDENSCHEIDT.csv")
    file.write_bytes(b"")
    with pytest.raises(RecordingError):
        Deidentifier(session({"operator": "Müller-Lüdenscheidt"})).check([file])


def test_the_bytes_of_a_word():
    assert _forms_of("Ab") == [b"ab", b"a\0b\0", b"\0a\0b"], "as it is where there is one way to write it"
    assert _forms_of("李明") == ["李明".encode(), rb"\u674e\u660e", b"ng\x0ef", b"gnf\x0e"]
    small, capital = {"utf-8": b"\xc3\xa9", "json": rb"\u00e9", "latin-1": b"\xe9"}, [rb"\u00c9", b"\xc9", b"\xc3\x89"]
    for form in (*small.values(), *(one.lower() for one in capital)):
        assert any(_holds(b"<" + form + b">", one) for one in _forms_of("é"))
    assert b"\xff" in _forms_of("ÿ"), "latin-1 has no capital of it"
    assert not any(_holds(b"l\xa3", one) for one in _forms_of("Ł"))
    assert b"?" in _forms_of("\ud800"), "half a character is written so"


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (MARIA, {"Maria", "Mustermann", "Maria Mustermann"}),
        ({"subject": {"given": "  Erika  "}}, {"Erika"}),
        ({"subject": {"name": "Anna"}}, set()),
        ({"subject": {"name": "王小明"}}, {"王小明"}),
        ({"subject": {"name": "李明"}}, {"李明"}),
        ({"subject": {"name": "李"}}, set()),
        ({"SUBJECT": {"deep": [{"er": ("Mustermann", 3)}]}}, {"Mustermann"}),
        ({"paradigm": {"label": "Mustermann"}}, set()),
        ({"operator": "Dr. House-Wilson, ward/seven"}, {"House-Wilson", "seven", "Dr. House-Wilson, ward/seven"}),
        ({"patient": {"mrn": 12345678}}, {"12345678"}),
        ({"patient": {"mrn": 1234}}, set()),
        ({"patient": {"left_handed": True}}, set()),
        ({"patient": {"age": 40, "weight": 70.5}}, set()),
        ({"notes": "Stimulus/S 12"}, set()),
        ({"host": "clinic-pc-17"}, {"clinic-pc-17"}),
        ({"output": {"ip": "10.20.30.40"}}, {"10.20.30.40"}),
        ({"output": {"ship": "10.20.30.40"}}, {"10.20.30.40"}),
        ({"output": {"ipv": "Mustermann"}}, set()),
        ({"source": "recording.edf"}, set()),
        ({"source": "file:P4711_rest.edf"}, {"P4711", "file:P4711_rest.edf"}),
        ({"source": "file:4711_rest.edf"}, {"file:4711_rest.edf"}),
        ({"source": "xy12_rest.edf"}, {"xy12_rest.edf"}),
        ({"source": "lsl:source_id=ABX20231107&x=1"}, {"ABX20231107", "lsl:source_id=ABX20231107&x=1"}),
        ({"source": "lsl:source_id=20231107"}, {"20231107", "lsl:source_id=20231107"}),
        ({"source": "lsl:source_id=2023110"}, {"lsl:source_id=2023110"}),
    ],
)  # fmt: skip
def test_what_identifies_stands_below_keys_that_do(config, found):
    assert set(identifiers_of(session(config))) == found
    assert list(identifiers_of(session(config))) == sorted(found)


WHOLE = {"brainflow:x?ids=Kolibri123,Kolibri12", "brainflow:x?ids=Kolibri123", "Kolibri12"}


@pytest.mark.parametrize(
    ("of_session", "found"),
    [
        ({"header": {"device": {"serial": "SN-99887766"}}}, {"SN-99887766"}),
        ({"header": {"other": {"serial": "SN-99887766"}}}, set()),
        ({"header": {"device": {"firmware": "Kolibri 3.1.2", "serial": "SN-99887766"}}}, {"SN-99887766"}),
        ({"config": {"buffer": 8_000_000, "subject": {"reads": 12_345.0}}}, set()),
        ({"config": {"source": "brainflow:x?ids=Kolibri123,Kolibri12"}}, WHOLE | {"Kolibri123"}),
        ({"header": {"started": "2026-11-29T17:41:15"}}, {"2026-11-29"}),
        ({"header": {"ended": "2026-11-29T17:41:15"}}, {"2026-11-29"}),
        ({"header": {"recovered": "2026-11-29T17:41:15"}}, {"2026-11-29"}),
        ({"source_id": "ABX-20231107"}, {"ABX-20231107"}),
        ({"device": "Amplifier ABX123, rev B2"}, {"ABX123"}),
        ({"device": "Amplifier ABX12"}, set()),
        ({"device": "Mustermann 99"}, set()),
        ({"extra": [info(source_id="emg-99887766")]}, {"emg-99887766"}),
    ],
)
def test_what_identifies_a_device_and_a_day(of_session, found):
    assert set(identifiers_of(session(**of_session))) == found


def test_what_identifies_a_machine_and_its_user(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "clinic-pc-17")
    monkeypatch.setattr(getpass, "getuser", lambda: "mustermann")
    assert identifiers_of(session()) == ("clinic-pc-17", "mustermann")

    for unknown in (KeyError("no such user"), OSError("No username set in the environment")):

        def none(error=unknown):
            raise error

        monkeypatch.setattr(getpass, "getuser", none)
        assert identifiers_of(session()) == ("clinic-pc-17",)


def test_all_that_identifies_is_found_together(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "clinic-pc-17")
    monkeypatch.setattr(getpass, "getuser", lambda: "mustermann")
    whole = session(
        {"subject": {"name": "Erika", "again": ["Maria", "Clara"]}, "operator": "Berta"},
        header={
            "device": {"serial": "SN-99887766"},
            "started": "2026-11-29T1",
            "ended": "2026-11-30T1",
            "recovered": "2026-12-01",
        },
        source_id="main-4711000",
        device="Amplifier ABX123;XYZ456",
        extra=[info(source_id="emg-99887766"), info(source_id="ecg-99887766")],
    )  # fmt: skip
    assert set(identifiers_of(whole)) == {
        "Erika", "Maria", "Clara", "Berta", "SN-99887766", "2026-11-29", "2026-11-30", "2026-12-01", "main-4711000",
        "ABX123", "XYZ456", "emg-99887766", "ecg-99887766", "clinic-pc-17", "mustermann",
    }  # fmt: skip


def test_a_name_with_half_a_character_stops_nothing(tmp_path):
    one = Deidentifier(session({"subject": {"name": "Erika\ud800"}}))
    assert one.identifiers == ("Erika\ud800",)
    file = tmp_path / os.fsdecode(b"x\xff.csv")
    try:
        file.write_bytes(b"Erika? was here")
    except OSError:
        pytest.skip("this system takes no such name of a file")
    with pytest.raises(RecordingError):
        one.check([file])


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("OpenBCI Cyton SN-123 of Anna", "OpenBCI Cyton"),
        ("of Anna: OPENBCI CYTON WITH DAISY OVER WIFI 7", "OpenBCI Cyton with Daisy over WiFi"),
        ("", ""),
        ("a thing of Anna's", ""),
    ],
)
def test_the_family_of_a_device_says_nothing_else(text, family):
    assert device_family(text) == family


@pytest.mark.parametrize(
    ("text", "words"), [("cue/left_2", ["cue", "left", "2"]), ("  a--b ", ["a", "b"]), ("", []), ("王 x", ["王", "x"])]
)
def test_words_are_runs_of_letters_and_digits(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("123456", False),
        ("trial 1 of 23456", False),
        ("1234567", True),
        ("12 34 56 7", True),
        ("1964", True),
        ("1764", False),
        ("21964", False),
        ("52.52, 13.40", True),
        ("4711 0", True),
        ("patient 12", False),
        ("patient 123", True),
        ("PATIENT 123", True),
        ("trial 123", False),
        ("100 trial 200", True),
        ("100 trial 20", False),
        ("１９６４", True),
        ("١٩٦٤", True),
    ],
)
def test_numbers_that_may_belong_to_somebody(text, held):
    assert holds_number(text) is held


@pytest.mark.parametrize(
    ("text", "held"), [("1.2.2024", True), ("8-12 Hz", False), ("１９６４-０８-１２", True), ("cue 12", False)]
)
def test_dates(text, held):
    assert holds_date(text) is held
    assert is_plain(text.replace("Hz", "")) is not held


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("A n n a", True),
        ("a-b-c-d", False),
        ("A B c D", False),
        ("d c b a", True),
        ("a b c", False),
        ("a n n", False),
        ("a b c d then E r i k", True),
        ("İ p e k", True),
        ("ŞİİR İ l k e r", True),
        ("q r ß t", True),
    ],
)
def test_a_name_that_is_spelled(text, spelled):
    assert spells_name(text) is spelled
    if spelled:
        assert not is_plain(text)
        assert not is_channel(text)


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("C3", True),
        ("FPZ-CZ", True),
        ("aux 3", True),
        ("AUX123", True),
        ("AUX1234", False),
        ("ecg", True),
        ("Erika", False),
        ("Erika3", False),
        ("C3 1964", False),
        ("C3 1.2.2024", False),
        ("x12", True),
        ("", True),
    ],
)
def test_which_names_are_channels(name, channel):
    assert is_channel(name) is channel


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("cue/left", "(Sensory-event, Visual-presentation, Cue, Label/cue-left)"),
        ("CUE left!", "(Sensory-event, Visual-presentation, Cue, Label/CUE-left)"),
        ("left cue", "(Sensory-event, Visual-presentation, Cue, Label/left-cue)"),
        ("BAD_lost", "(Data-feature, Nonbiological-artifact, Label/BAD-lost)"),
        ("go", "(Experiment-structure, Label/go)"),
        ("X axis, to MAX", "(Experiment-structure, Label/X-axis-to-MAX)"),
        ("王", "(Experiment-structure, Label/event)"),
    ],
)
def test_the_tags_of_an_event(name, tags):
    assert hed_of(name) == tags


def test_who_knows_the_texts_to_be_harmless_keeps_labels_and_numbers_of_decoders_too():
    kept = Deidentifier(session(MARIA), keep=("texts",))
    for text in ("cue/mustermann", "Anna called", "1964"):
        assert kept.label(text) == kept.key(text) == text
    assert kept.replaced == {}


def test_of_two_families_in_one_text_the_longer_name_is_told(monkeypatch):
    profiles = [SimpleNamespace(name=name) for name in ("Zed", "Alpha Zed", "Beta")]
    monkeypatch.setattr("bcikit.acquisition.profile.known_profiles", lambda: profiles)
    assert device_family("the alpha zed of ward 3") == "Alpha Zed"
    assert device_family("a zed") == "Zed"
    assert device_family("none of them") == ""


@pytest.mark.parametrize(
    ("kept", "names", "plain"),
    [
        (
            {"notes": [{"code": "events", "text": "annotations of 'li ming' are at (Schmidt); SN4711, which stays."}]},
            {"li ming", "Schmidt", "SN4711"},
            {"annotations", "which", "stays.", "stays"},
        ),
        ({"notes": [{"text": "the stream has source id abc_77-x; it came back"}]}, {"abc_77-x"}, {"stream", "came"}),
        ({"notes": [{"text": "of source id lower)"}], "source": "walter.edf"}, {"lower", "walter.edf"}, {"source"}),
        ({"notes": [{"text": "is it Kowalski? nobody knows."}]}, {"Kowalski?"}, {"nobody", "knows", "knows."}),
        ({"notes": [{"code": "Jonas"}, "Jonas", {"text": 7}]}, set(), {"Jonas", "None", "XXXX"}),
        ({"source": "walter.edf"}, {"walter.edf"}, {"None"}),
        ("walter.edf", set(), {"None"}),
        ({"notes": [{"text": "a note"}], "NOTES": [{"text": "walter"}]}, {"walter"}, {"note"}),
    ],
)
def test_names_are_found_in_what_an_import_noted_and_our_own_words_are_none(kept, names, plain):
    found = set(identifiers_of(session({"import": kept})))
    assert names <= found
    assert not plain & found


def test_the_names_of_our_own_events_leave_as_they_are():
    """What a stream or session says of itself is what a reader of the export needs; it names nobody."""
    source = Path(bcikit.__file__).parent
    text = "".join(file.read_text(encoding="utf-8") for file in source.rglob("*.py"))
    names = set(re.findall(r'(?:name=|_event\(\s*|Event\(\s*)"([a-z-]+/[a-z/-]+)"', text))
    names |= set(re.findall(r'"((?:stream|operator|session|presentation)/[a-z-]+)"', text))
    assert {"stream/gap", "stream/clock-offset", "operator/refused"} < names
    assert sorted(name for name in names if not is_plain(name)) == []
