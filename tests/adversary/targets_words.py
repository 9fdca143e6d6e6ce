# ruff: noqa: E501 - seeds are lines of other programs
"""Parsers of messages, settings and records: what comes over a wire, from an editor, or from another program."""

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.dialect import FOLDER_VARIABLE, known_dialects
from bcikit.acquisition.marker_grammar import event_of
from bcikit.acquisition.profile import read_profile
from bcikit.acquisition.stamps import on_grid
from bcikit.acquisition.trigger import TriggerDecoder
from bcikit.cli.pairs import numbers, pairs
from bcikit.decoding.evaluation.card import read_card
from bcikit.decoding.evaluation.study import read_study
from bcikit.decoding.store import read_model, read_sheet
from bcikit.outputs.envelope import Sealer, encode
from bcikit.outputs.reports import checked_report
from bcikit.paradigms.plan import TherapyPlan
from bcikit.paradigms.registry import make_paradigm
from bcikit.paradigms.scene import Scene
from bcikit.presentation.show import Show
from bcikit.presentation.timing import TimingResult
from bcikit.processing import Pipeline
from bcikit.safety import Consent, verify_audit
from bcikit.safety.audit import AuditLog
from bcikit.safety.consent import load_screening
from bcikit.safety.guard import protocol
from bcikit.safety.guard.fes import FesCommand, FesError
from bcikit.safety.guard.serial_fes import frame, parse_frame
from bcikit.safety.stimulus import load_design
from bcikit.session import load_config
from bcikit.session.frames import Unframer, pack_signal, unpack_signal
from bcikit.session.orders import checked_order
from bcikit.session.ticket import Ticket, check_hello, check_welcome, welcome
from bcikit.signal import Address, BciError, Chunk, Decision, Event, Recording, StreamInfo, Verdict
from bcikit.signal.documents import json_of
from bcikit.signal.messages import Raw, parse
from bcikit.simulation.faults import Fault
from bcikit.simulation.incidents import Incident
from bcikit.simulation.settings import TwinSettings
from bcikit.validation.profile import Profile
from bcikit.validation.verify import is_report, verify_report
from tests.adversary.fuzzing import Target
from tests.adversary.targets_files import in_file

KEY = b"k" * 32
INFO = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _json(run: Callable[[Any], object]) -> Callable[[bytes], object]:
    def parse_it(raw: bytes) -> object:
        try:
            value = json_of(raw)
        except ValueError as error:
            raise BciError(f"no JSON: {error}") from None
        return run(value)

    return parse_it


def _text(run: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda raw: run(raw.decode("utf-8", "surrogateescape"))


def _messages() -> Iterator[Target]:
    event = Event(name="cue/left", time=1.5, sample=12, value="left", data={"trial": 1})
    decision = Decision(time=2.0, sample=99, classes=("a", "b"), probabilities=(0.25, 0.75), label="b", age=0.01)
    verdict = Verdict(time=2.0, sample=99, allowed=False, reasons=("A-CONF",), state="ACTIVE")
    said = [
        {"v": 1, "type": "event", "event": event.to_dict()},
        {"v": 1, "type": "decision", "decision": decision.to_dict(), "verdict": verdict.to_dict()},
        {"v": 1, "type": "input", "kind": "marker", "values": {"name": "x", "t": 1.0}, "time": 1.0},
        {"v": 1, "type": "alarm", "id": "a", "rule": "H-LOSS", "level": "WARNING", "text": "x", "time": 1.0},
        {"v": 1, "type": "state", "state": "ACTIVE", "previous": "STANDBY", "cause": "x", "time": 1.0},
        {"v": 1, "type": "quality", "channels": {"C3": {"state": "good"}}, "time": 1.0},
        {"v": 1, "type": "streams", "raw": INFO.to_dict(), "time": 0.0},
        {
            "v": 1,
            "type": "snapshot",
            "time": 1.0,
            "messages": [{"v": 1, "type": "beat", "engine_age": 0.1, "time": 1.0}],
        },
    ]
    yield Target("message:parse", tuple(map(dumped, said)), parse, "json")
    yield Target("message:event", (dumped(event.to_dict()),), _json(Event.from_dict), "json")
    yield Target("message:decision", (dumped(decision.to_dict()),), _json(Decision.from_dict), "json")
    yield Target("message:verdict", (dumped(verdict.to_dict()),), _json(Verdict.from_dict), "json")
    yield Target("message:info", (dumped(INFO.to_dict()),), _json(StreamInfo.from_dict), "json")

    def inform(value: Any) -> object:
        return encode(Sealer().inform(value if isinstance(value, dict) else {"value": value}), limit=1400)

    told = (
        {"type": "decision", "classes": ["a", "b"], "probabilities": [0.1, 0.9], "label": "b", "time": 1.0},
        {
            "type": "verdict",
            "allowed": False,
            "reasons": ["A"],
            "data": {"A-KOFN": {"value": 1, "limit": 2}},
            "time": 1.0,
        },
        {"type": "quality", "summary": {"C3": "good"}, "time": 2.0},
    )
    yield Target("envelope:inform", tuple(map(dumped, told)), _json(inform), "json")

    reports = (
        {"type": "flip", "name": "cue", "sample": 5, "time": 1.0, "shown": 1.1, "client": "x"},
        {"type": "frames", "refresh": 60.0, "times": [1.0, 2.0]},
        {"type": "marker", "name": "x", "t": 1.0, "value": 3, "data": {"a": 1}},
        {"type": "hello", "refresh": 60, "delay": 0.1, "display": "x"},
        {"type": "clock", "t": 12.5},
    )
    yield Target("web:report", tuple(map(dumped, reports)), _json(_report), "json")
    from bcikit.outputs.websocket import WebSocketOutput

    output = WebSocketOutput.__new__(WebSocketOutput)
    _prepare(output)
    yield Target("web:socket", tuple(map(dumped, reports)), lambda raw: output._take(raw), "json")

    scene = make_scene()
    yield Target("scene:dict", (dumped(scene),), _json(_scene), "json")
    shows = (
        {"type": "show", "event": event.to_dict(), "scene": scene},
        {"type": "command", "name": "close", "value": 0.5, "ttl_ms": 500, "data": {"class": "left"}},
        {"type": "safe"},
    )
    yield Target("scene:show", tuple(map(dumped, shows)), _json(_show), "json")

    orders = (
        {"do": "difficulty", "value": 0.6, "who": "dr"},
        {"do": "override", "assist": True, "who": "dr", "reason": "x"},
        {"do": "note", "text": "x", "time": 1.0, "duration": 1.0, "kind": "note", "channel": "C3"},
        {"do": "stop", "reason": "x"},
        {"do": "idletest", "seconds": 30},
        {"do": "deadman", "held": True},
    )
    yield Target("order:checked", tuple(map(dumped, orders)), _json(_ordered), "json")
    ticket = Ticket(4711, "window", KEY)
    hello = ticket.hello("orders", b"n" * 16)
    yield Target("control:hello", (hello,), lambda raw: check_hello(raw, {"window": KEY, "observer": KEY}), "json")
    answer = welcome(KEY, b"n" * 16, {"version": 1, "stop": 5})
    yield Target("control:welcome", (answer,), lambda raw: check_welcome(raw, KEY, b"n" * 16), "json")
    yield Target("control:signed-welcome", (b'{"version": 1, "stop": 5}',), _signed_welcome, "text")
    yield Target("control:ticket", (ticket.text.encode(),), _text(Ticket.parse), "text")
    yield Target("control:frames", (b"\0\0\0\x05Jhello\0\0\0\x02O{}",), lambda raw: Unframer(65536).feed(raw))
    chunk = Chunk(np.zeros((10, 2)), np.arange(10) / 250, 5)
    yield Target("control:signal", (pack_signal(Raw(chunk=chunk, time=1.0), sequence=3, age=0.1),), unpack_signal)
    guard = (
        {
            "v": 1,
            "from": "engine",
            "seq": 17,
            "t": 1.5,
            "do": "command",
            "name": "close",
            "value": 0.5,
            "ttl": 0.2,
            "data": {},
        },
        {"v": 1, "from": "dead-man", "seq": 1, "t": 1.5, "do": "dead-man", "held": True},
        {"v": 1, "from": "engine", "seq": 1, "t": 1.5, "do": "release", "who": "dr", "reason": "x"},
    )
    signed = tuple(dumped(value) for value in guard)
    yield Target("guard:unpack", signed, lambda raw: protocol.unpack(protocol._sign(raw, KEY) + b" " + raw), "json")
    yield Target(
        "guard:authentic", tuple(protocol.pack(value, KEY) for value in guard), lambda raw: protocol.authentic(raw, KEY)
    )
    data = {"amplitude_ma": 10.0, "pulse_us": 200.0, "frequency_hz": 30.0, "area_cm2": 10.0, "site": "forearm"}
    yield Target("guard:fes", (dumped(data),), _json(_fes), "json")
    yield Target("serial:frame", (frame("S,12,34"),), _frame)


def _frame(raw: bytes) -> object:
    from bcikit.safety.guard.drivers import DriverError

    try:
        return parse_frame(raw)
    except DriverError as error:
        raise BciError(str(error)) from None


def _fes(value: Any) -> object:
    try:
        return FesCommand.from_data(value if isinstance(value, dict) else {})
    except FesError as error:
        raise BciError(str(error)) from None


def _signed_welcome(raw: bytes) -> object:
    from bcikit.session.ticket import proof

    text = raw.decode("utf-8", "replace")
    answer = json.dumps({"words": text, "proof": proof(KEY, "welcome", b"n" * 16, text)}).encode()
    return check_welcome(answer, KEY, b"n" * 16)


def _prepare(output: Any) -> None:
    from collections import deque

    from bcikit.signal import HostClock

    output._clock = HostClock()
    output._sealer = Sealer()
    output._back = deque(maxlen=10)
    output.reports = deque(maxlen=10)
    output._joined = False
    output._seal = lambda make: encode(make()).decode()


def _report(value: Any) -> object:
    from bcikit.session.flips import SampleTimes

    found = checked_report(value) if isinstance(value, dict) else None
    if found is not None:
        assert json.dumps(found, allow_nan=False)
        if found["type"] == "marker":
            times = SampleTimes(250.0)
            times.add(Chunk(np.zeros((10, 2)), np.arange(10) / 250, 5))
            times.marker(found)
    return found


def make_scene() -> dict[str, Any]:
    from bcikit.paradigms.scene import Cue, Hands, Text, Words

    words = Words("go", "走")
    return Scene(name="x", elements=(Text(words=words), Cue(symbol="left", words=words), Hands(asked="left"))).to_dict()


def _scene(value: Any) -> object:
    return Scene.from_dict(value)


def _show(value: Any) -> object:
    from bcikit.paradigms.frames import Refresh
    from bcikit.presentation.line import unpack

    show = Show(Refresh(60.0))
    unpack(value)
    show.take(value if isinstance(value, dict) else {"type": value}, 1.0)
    return show


def _ordered(value: Any) -> object:
    order = checked_order(value)
    # What passed can be written to the record of the session.
    assert json.dumps(order, allow_nan=False)
    return order


def _words() -> Iterator[Target]:
    addresses = (
        b"sim:motor-imagery?seed=1&rate=250",
        b"lsl:name=EEG&timeout=3",
        b"file:x.edf?speed=2&map=a%3Fb",
        b"brainflow:synthetic",
    )
    yield Target("address:parse", addresses, _text(lambda text: str(Address.parse(text))), "text")
    simulated = (b"sim:motor-imagery?seed=1&noise_uv=0.5&drift=3", b"sim:ssvep?fatigue=2")
    yield Target("address:sim", simulated, _text(lambda text: TwinSettings.from_address(Address.parse(text))), "text")
    yield Target("planned:incident", (b"pop@3~1*2", b"spike-wave@10"), _text(Incident.parse), "text")
    yield Target("planned:fault", (b"nan@3~1*2", b"rail@1"), _text(Fault.parse), "text")
    incidents = (b"sim:rest?incidents=pop@3~1*2,chew@5&seed=1",)
    yield Target("planned:opened", incidents, _text(_opened), "text")
    markers = (
        b"mi,2,1,4.0",
        b"ssvep,3,1,5,9.6,16,36",
        b"p300,s,4,1,2",
        b"p300,m,4,1,2,3",
        b"Trial Started",
        b"7",
        b"1e3",
    )
    yield Target("marker:grammar", markers, _text(lambda text: event_of(text, 1.0, source="m")), "text")
    yield Target(
        "option:pairs", (b"a=1,b=2", b'{"a": "1"}', b"'a,b'=1"), _text(lambda text: pairs("--x", text)), "text"
    )
    yield Target("option:numbers", (b"a=1,b=2.5",), _text(lambda text: numbers("--x", text)), "text")


def _opened(text: str) -> object:
    from bcikit.acquisition import open_source

    # Only the simulation is opened, and one that is small: what else an address names may be a device.
    if not text.startswith("sim:") or len(text) > 200:
        raise BciError("not tried")
    source = open_source(text)
    source.close()
    return source


def _numbers() -> Iterator[Target]:
    stamps = (100 + np.arange(80) / 250).astype("<f8").tobytes()
    late = np.repeat(100 + np.arange(10) / 25, 8).astype("<f8").tobytes()

    def of(raw: bytes) -> Any:
        return np.frombuffer(raw[: len(raw) // 8 * 8], "<f8")

    yield Target("stamps:grid", (stamps, late), lambda raw: _grid(on_grid(of(raw), 250.0)))
    yield Target("stamps:unstated", (stamps, late), lambda raw: _grid(on_grid(of(raw))))
    yield Target("stamps:reader", (stamps, late), lambda raw: _stream(of(raw), arrival=False))
    yield Target("stamps:arrival", (stamps, late), lambda raw: _stream(of(raw), arrival=True))
    counts = (np.arange(80) % 256).astype("<f8").tobytes()
    yield Target("counter:packets", (counts, stamps), lambda raw: _count(of(raw)))
    levels = (np.arange(200) // 50).astype("<f8").tobytes()
    yield Target("marker:trigger", (levels,), lambda raw: _triggers(of(raw)))
    values = np.arange(160, dtype="<f8").tobytes()
    yield Target("stamps:arrays", (values,), lambda raw: _arrays(of(raw)))


def _grid(grid: Any) -> object:
    assert np.isfinite(grid.times).all(), "times that are no numbers"
    assert (np.diff(grid.samples) > 0).all(), "samples that do not rise"
    assert np.isfinite(grid.rate), "a rate that is none"
    return grid


def _stream(stamps: Any, *, arrival: bool) -> object:
    from bcikit.acquisition.assembler import Assembler

    assembler = Assembler(INFO, stamped_on_arrival=arrival)
    found: list[Chunk] = []
    for start in range(0, len(stamps), 16):
        part = stamps[start : start + 16]
        found += assembler.add(np.zeros((len(part), 2)), part, 100.0 + start / 250)
    times = np.concatenate([chunk.times for chunk in found] or [np.empty(0)])
    assert np.isfinite(times).all(), "times that are no numbers"
    return found


def _count(values: Any) -> object:
    counter = PacketCounter(256, 250.0)
    times = 100 + np.arange(len(values)) / 250
    return [counter.count(values[a:b], times[a:b]) for a, b in itertools.pairwise(range(0, len(values) + 1, 10))]


def _triggers(values: Any) -> object:
    n = len(values)
    return TriggerDecoder("STI", 250.0).decode(values, np.arange(n), np.arange(n) / 250)


def _arrays(values: Any) -> object:
    half = len(values) // 2
    info = StreamInfo(name="x", sfreq=float(values[-1]) if half else 250.0, ch_names=("C3",))
    return Recording.from_arrays(info, values[:half].reshape(-1, 1), start=float(values[0]) if half else 0.0)


def _settings(folder: Path) -> Iterator[Target]:
    session = b"""[session]
subject = "P01"
seed = 3
[source]
address = "sim:motor-imagery?seed=1"
[[pipeline.steps]]
step = "bandpass"
l_freq = 8.0
h_freq = 30.0
[paradigm]
name = "motor-imagery"
[paradigm.settings]
trials_per_run = 4
[calibration]
events = { "769" = "left_hand" }
[gate]
profile = "simulation"
"""
    yield Target("toml:session", (session,), in_file(folder, "session.toml", load_config), "text")
    steps = b'[[pipeline]]\nstep = "bandpass"\nl_freq = 8\nh_freq = 30\n[[pipeline]]\nstep = "notch"\nfreq = 50\n'
    yield Target("toml:pipeline", (steps,), in_file(folder, "pipeline.toml", Pipeline.from_toml), "text")
    study = b"""name = "s"
decoders = ["csp-lda"]
splits = ["within"]
seeds = [1]
[[data]]
path = "."
paradigm = "motor-imagery"
"""
    yield Target("toml:study", (study,), in_file(folder, "study.toml", read_study), "text")
    shipped = resources.files("bcikit.acquisition")
    device = (shipped / "profiles" / "openbci_cyton.toml").read_bytes()
    yield Target("profile:device", (device,), in_file(folder, "device.toml", read_profile), "text")
    dialects = tuple(
        (shipped / "dialects" / f"{name}.toml").read_bytes() for name in ("muse", "emotiv", "mind_monitor")
    )
    yield Target("dialect:toml", dialects, _dialect(folder / "dialects"), "text")
    bench = sorted((resources.files("bcikit.validation") / "profiles").iterdir(), key=lambda item: item.name)
    limits = tuple(item.read_bytes() for item in bench if item.name.endswith(".toml"))
    yield Target("profile:bench", limits, in_file(folder, "bench.toml", Profile.load), "text")
    paradigms = sorted((resources.files("bcikit.paradigms") / "configs").iterdir(), key=lambda item: item.name)
    tables = tuple(item.read_bytes() for item in paradigms if item.name.endswith(".toml"))
    yield Target("toml:paradigm", tables, in_file(folder, "paradigm.toml", make_paradigm), "text")
    plan = Path("examples/therapy_plan.toml").read_bytes()
    yield Target("toml:plan", (plan,), in_file(folder, "plan.toml", TherapyPlan.load), "text")
    design = b"""clinical = true
[screen]
refresh_hz = 60
width_cm = 53
height_cm = 30
distance_cm = 60
[[target]]
frequency_hz = 12
size_deg = [3, 3]
depth = 0.5
"""
    yield Target("toml:design", (design,), in_file(folder, "design.toml", load_design), "text")
    from bcikit.viewer.montages import read_montage

    montage = in_file(folder, "montage.toml", lambda path: read_montage(INFO, path))
    yield Target("toml:montage", (b'traces = ["C3-C4", "C3", "C4-(C3+C4)/2"]\n',), montage, "text")
    timing = {
        "n": 5,
        "missed": 0,
        "extra": 0,
        "offset": 0.01,
        "sd": 0.001,
        "p95": 0.02,
        "worst": 0.03,
        "drift": 0.0,
        "uncertainty": 0.001,
    }
    yield Target("json:timing", (dumped(timing),), in_file(folder, "timing.json", TimingResult.load), "json")


def _dialect(folder: Path) -> Callable[[bytes], object]:
    parse_file = in_file(folder, "own.toml", lambda path: known_dialects() and Path(path))

    def run(raw: bytes) -> object:
        before = os.environ.get(FOLDER_VARIABLE)
        os.environ[FOLDER_VARIABLE] = str(folder)
        try:
            parse_file(raw)
            return [dialect.fits(("timestamps", "TP9", "AF7")) for dialect in known_dialects()]
        finally:
            os.environ.pop(FOLDER_VARIABLE)
            if before is not None:
                os.environ[FOLDER_VARIABLE] = before

    return run


def _records(folder: Path) -> Iterator[Target]:
    consent = {
        "subject": "P01", "version": "1", "text_sha256": "a" * 64, "language": "en", "scopes": ["acquire", "vr"],
        "signer": "participant", "signed": "2024-05-01T10:00:00+02:00", "screening_sha256": "",
    }  # fmt: skip

    def covers(path: Path) -> object:
        return Consent.load(path).problems(subject="P01", scopes=("acquire",))

    yield Target("consent:record", (dumped(consent),), in_file(folder, "consent.json", covers), "json")
    screening = {
        **dict.fromkeys(
            ("epilepsy", "prior_seizure", "photoparoxysmal_response", "migraine_with_photic_trigger", "alcohol"), False
        ),
        "age": 30,
        "sleep_h": 7,
        "override_by": "",
        "override_reason": "",
    }
    yield Target("consent:screening", (dumped(screening),), in_file(folder, "screening.json", load_screening), "json")
    log = folder / "log"
    audit = AuditLog(log)
    for number in range(5):
        audit.write("note", now=float(number), actor="dr", reason="右手", value=0.5)
    audit.close()
    lines = (log / "audit.jsonl").read_bytes()
    yield Target("audit:chain", (lines,), in_file(log, "audit.jsonl", lambda path: verify_audit(path.parent)), "text")
    head = (log / "audit.head").read_bytes() if (log / "audit.head").exists() else b""
    if head:
        other = folder / "log2"
        shutil.copytree(log, other)
        (other / "audit.jsonl").write_bytes(lines)
        yield Target(
            "audit:head", (head,), in_file(other, "audit.head", lambda path: verify_audit(path.parent)), "text"
        )
    card = {
        "format": "bcikit evaluation card 1",
        "tasks": [{"name": "x", "runs": [], "results": {}}],
        "splits": ["within"],
        "seed": 1,
    }
    yield Target("card:file", (dumped(card),), in_file(folder, "card.json", read_card), "json")
    report = folder / "report"
    report.mkdir()
    values = {"kind": "bcikit device report", "files": {"raw/a.npz": "0" * 64}, "signature": {"key": "x", "value": "y"}}

    def verified(path: Path) -> object:
        return is_report(path.parent) and verify_report(path.parent)

    yield Target("report:device", (dumped(values),), in_file(report, "result.json", verified), "json")


def word_targets(folder: Path) -> Iterator[Target]:
    """Yield the parsers of messages, settings and records."""
    folder.mkdir(parents=True, exist_ok=True)
    yield from _messages()
    yield from _words()
    yield from _numbers()
    yield from _settings(folder / "settings")
    yield from _records(folder / "records")
    yield from _models(folder / "models")
    yield from _sessions(folder / "sessions")


def _models(folder: Path) -> Iterator[Target]:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    from bcikit.decoding.sheet import ModelSheet
    from bcikit.decoding.store import write_model

    folder.mkdir()
    sheet = ModelSheet(
        decoder="csp-lda", params={"n": 3}, paradigm="motor-imagery", classes=("a", "b"), ch_names=("C3", "C4"), sfreq=250.0,
        n_times=500, tmin=0.0, tmax=2.0, people=("P1", "P2"), expected={"value": 0.8, "low": 0.7, "high": 0.9, "metric": "auc"},
    )  # fmt: skip
    learned = LinearDiscriminantAnalysis().fit(np.arange(12.0).reshape(6, 2) % 5, [0, 1] * 3)
    seed = write_model(folder / "seed.bcimodel", sheet, {"estimator": learned, "calibrator": None}).read_bytes()
    yield Target(
        "model:file", (seed,), in_file(folder, "x.bcimodel", lambda path: (read_sheet(path), read_model(path)))
    )
    yield Target("model:sheet", (dumped(sheet.to_dict()),), _json(ModelSheet.from_dict), "json")
    from bcikit.decoding import Model

    def swapped(raw: bytes) -> object:
        """Load a model whose sheet was changed by somebody who knows how the checksums are made."""
        from bcikit.decoding import store

        values = json_of(raw)
        if not isinstance(values, dict):
            raise BciError("not tried")
        import hashlib
        import zipfile

        with zipfile.ZipFile(folder / "seed.bcimodel") as archive:
            content = archive.read(store.CONTENT)
        values["sha256"] = hashlib.sha256(content).hexdigest()
        with contextlib.suppress(ValueError):
            values["sheet_sha256"] = store._fingerprint(values)
        with zipfile.ZipFile(folder / "forged.bcimodel", "w") as archive:
            archive.writestr(store.SHEET, json.dumps(values))
            archive.writestr(store.CONTENT, content)
        return Model.load(folder / "forged.bcimodel")

    def as_bci(raw: bytes) -> object:
        try:
            json_of(raw)
        except ValueError as error:
            raise BciError(f"no JSON: {error}") from None
        return swapped(raw)

    yield Target("model:forged", (dumped(sheet.to_dict()),), as_bci, "json")


def _sessions(folder: Path) -> Iterator[Target]:
    from bcikit.recording import SessionWriter, read_session
    from bcikit.recording.recover import recover
    from bcikit.recording.seal import seal, unseal

    good = folder / "good"
    with SessionWriter(good, info=INFO, config={"paradigm": {"name": "mi"}}, versions={"bcikit": "test"}) as writer:
        rng = np.random.default_rng(0)
        for number in range(8):
            times = 100 + (np.arange(20) + 20 * number) / 250
            writer.chunk(Chunk(rng.normal(size=(20, 2)), times, 20 * number), float(times[-1]))
        writer.event(Event(name="cue/left", time=100.1, sample=25, value="left"))
        writer.decision(Decision(time=100.2, sample=50, classes=("a", "b"), probabilities=(0.5, 0.5), label="a"))
    files = {path.name: path.read_bytes() for path in good.iterdir() if path.is_file()}
    place = folder / "x"

    def restored(name: str, run: Callable[[Path], object]) -> Callable[[bytes], object]:
        def parse_it(raw: bytes) -> object:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            for other, content in files.items():
                (place / other).write_bytes(raw if other == name else content)
            return run(place)

        return parse_it

    def both(path: Path) -> object:
        with contextlib.suppress(BciError):
            recover(path)
        return read_session(path)

    for name, content in sorted(files.items()):
        form = "json" if name.endswith(".json") else "text" if name.endswith("jsonl") else "binary"
        yield Target(f"session:{name}", (content,), restored(name, read_session), form)
        yield Target(f"recover:{name}", (content,), restored(name, both), form)
    sealed = folder / "a.sealed"
    seal(good, sealed, passphrase="a long passphrase", cost=4)

    def opened(path: Path) -> object:
        shutil.rmtree(folder / "out", ignore_errors=True)
        return unseal(path, folder / "out", passphrase="a long passphrase")

    yield Target("seal:file", (sealed.read_bytes(),), in_file(folder, "b.sealed", opened))
