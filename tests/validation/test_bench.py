"""Benches: who sets up, what cannot be done and why; and the command."""

import contextlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bcikit.acquisition import Source, open_source
from bcikit.acquisition.file import FileSource
from bcikit.signal import Capabilities, Chunk, DataError, Event, Recording, StreamInfo, StreamLostError
from bcikit.simulation.stimulus import Stimulus
from bcikit.validation import TESTS, Judgement, Profile, bench, setups, validate
from bcikit.validation.bench import FreeRunning, OperatorBench, bench_for, describe
from bcikit.validation.evaluate import evaluate
from bcikit.validation.takes import Take


class _Amplifier(Source):
    info = StreamInfo(name="amp", sfreq=250.0, ch_names=("a", "b"), capabilities=Capabilities())

    def start(self):
        pass

    def pull(self, timeout=1.0):
        return None


def _test(name):
    return next(test for test in TESTS if test.test == name)


def test_an_operator_is_shown_each_set_up_and_may_skip():
    shown = []

    def ask(text):
        shown.append(text)
        return len(shown) < 2

    bench = bench_for(_Amplifier(), ask=ask, generator=False)
    assert isinstance(bench, OperatorBench)
    sine = Stimulus(kind="sine", seconds=4, amplitude_uv=1000, frequency=10, channel=1)
    assert bench.arrange(_test("V-GAIN"), sine)
    assert not bench.arrange(_test("V-GAIN"), sine)
    assert "1000 uV peak 10 Hz on channel 2 only" in shown[0]
    assert "divider" in shown[0]
    assert "impedance" in bench.refuses(_test("V-IMP"))


def test_without_anybody_only_the_stream_itself_is_tested():
    bench = bench_for(_Amplifier(), ask=None, generator=False)
    assert isinstance(bench, FreeRunning)
    free = [test.test for test in TESTS if not bench.refuses(test)]
    assert free == ["V-RATE", "V-JIT", "V-LOSS", "V-RESID"]
    assert all(len(bench.refuses(test)) > 20 for test in TESTS if test.test not in free)


class _Checked(_Amplifier):
    """An amplifier that reads impedances by itself, as BrainFlow's boards do; its last reading belongs to reference."""

    info = StreamInfo(name="amp", sfreq=250.0, ch_names=("a", "b"), capabilities=Capabilities(impedance=True))
    order = (0, 1)
    now = (0.0, 0.0)

    def __init__(self):
        self.at = 0

    def pull(self, timeout=1.0):
        self.at += 50
        index = np.arange(self.at - 50, self.at)
        return Chunk(np.random.default_rng(self.at).normal(0, 1, (50, 2)), index / 250.0, self.at - 50)

    @property
    def live(self):
        return False

    def impedances(self):
        return (*(self.now[k] for k in self.order), 700.0)


@pytest.mark.parametrize(("order", "judgement"), [((0, 1), Judgement.PASS), ((1, 0), Judgement.FAIL)])
def test_impedances_are_read_from_a_device_that_nobody_simulates(monkeypatch, order, judgement):
    source = _Checked()
    source.order = order

    def ask(text):
        ohms = float(re.search(r"([0-9.e+]+) ohm", text).group(1))
        only = re.search(r"on channel (\d+) only", text)
        driven = (True, True) if only is None else (only.group(1) == "1", only.group(1) == "2")
        source.now = tuple(ohms if on else 100.0 for on in driven)
        return True

    monkeypatch.setattr("bcikit.validation.run.open_source", lambda address: contextlib.nullcontext(source))
    profile = replace(Profile.load("research"), durations={"impedance": 0.5})
    report = validate("amp", profile=profile, tests=("V-IMP", "V-IMAP"), ask=ask)
    assert report.outcome("V-IMAP").judgement is judgement
    assert report.outcome("V-IMP").judgement is Judgement.PASS
    assert report.value("V-IMP", "impedance_error").value == pytest.approx(0.0, abs=0.1)


@pytest.mark.slow
def test_the_impedances_of_a_brainflow_board_are_measured():
    profile = replace(Profile.load("research"), durations={"impedance": 1.0})
    report = validate("brainflow:synthetic", profile=profile, tests=("V-IMP",), ask=lambda _text: True)
    # BrainFlow's synthetic board makes its readings up, so they fail; but they are read.
    assert report.outcome("V-IMP").judgement is Judgement.FAIL
    assert "impedance_error" in {m.quantity for m in report.outcome("V-IMP").measurements}


def test_a_simulated_person_shows_alpha():
    profile = replace(Profile.load("research"), durations={"eyes": 20})
    report = validate("sim:rest?seed=2", profile=profile, tests=("V-BIO", "V-GAIN"))
    assert report.outcome("V-BIO").judgement is Judgement.PASS
    assert "simulated person" in report.outcome("V-GAIN").reason


def test_faults_of_the_stream_are_found_behind_the_injector():
    profile = replace(Profile.load("research"), durations={"timing": 60})
    address = "dut:faults?do=drop@20~0.5&source=dut:channels=2"
    report = validate(address, profile=profile, tests=("V-LOSS", "V-RATE"))
    assert report.value("V-LOSS", "lost").value == 125
    assert report.outcome("V-LOSS").judgement is Judgement.FAIL
    assert report.outcome("V-RATE").judgement is Judgement.PASS


@pytest.mark.parametrize(
    ("address", "code"), [("dut:channels=2", 0), ("dut:channels=2&gain=1.05", 1), ("dut:gian=1.05", 2)]
)
def test_exit_codes_of_the_command(tmp_path, command_line, address, code):
    words = ("validate", address, "--tests", "V-GAIN", "--out", tmp_path / "out", "--json")
    done = command_line(*words)
    assert done.code == code, done.err
    if code < 2:
        assert json.loads(done.out)["exit_code"] == code
        assert (tmp_path / "out" / "report.html").is_file()
    else:
        assert "Did you mean 'gain'?" in done.err
        # The same, as a shell has it.
        ended = subprocess.run(
            [sys.executable, "-m", "bcikit", *map(str, words)], capture_output=True, text=True, timeout=100, check=False
        )
        assert (ended.returncode, ended.stderr) == (done.code, done.err)


def test_the_table_names_what_was_measured(tmp_path, command_line):
    done = command_line("validate", "dut:channels=2", "--tests", "V-XTALK,V-BIO", "--out", tmp_path)
    assert "Crosstalk" in done.out
    assert "NOT APPLICABLE" in done.out
    assert done.code == 0


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path, command_line):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = command_line("validate", "dut:channels=2", "--tests", "V-GAIN", "--out", tmp_path / "file" / "out")
    assert done.code == 2
    assert "cannot be written" in done.err


@pytest.mark.parametrize("what", ["dut:channels=1", "timing"])
def test_a_report_is_never_written_over_anything(tmp_path, command_line, what):
    (tmp_path / "result.json").write_text("hours of work", encoding="utf-8")
    done = command_line("validate", what, "--out", tmp_path)
    assert (done.code, "is not empty" in done.err, "--out" in done.err) == (2, True, True)
    assert [file.read_text(encoding="utf-8") for file in tmp_path.iterdir()] == ["hours of work"]


def test_a_result_without_signature_is_said_to_have_none(tmp_path, command_line, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    done = command_line("validate", "dut:channels=1", "--tests", "V-GAIN", "--out", tmp_path / "out", "--json")
    assert done.code == 0
    assert "Not signed" in done.err
    assert "crypto" in done.err
    assert "signature" not in json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))


@pytest.mark.filterwarnings("error")
def test_a_converter_too_coarse_for_its_noise_is_inconclusive_without_warnings_of_numpy():
    report = validate("dut:bits=16&channels=2", tests=("V-XTALK", "V-BATT"))
    assert [outcome.judgement for outcome in report.outcomes] == [Judgement.INCONCLUSIVE] * 2
    assert report.value("V-BATT", "noise_change").text() == "not reached"


def test_what_each_kind_of_bench_cannot_do_is_said():
    operator = OperatorBench(_Amplifier(), lambda text: True)
    assert "digital output" in operator.refuses(_test("V-E2E"))
    free = FreeRunning(_Amplifier(), generator=True)
    assert free.refuses(_test("V-TEST")) == ""
    assert "known resistors" in free.refuses(_test("V-IMP"))
    recorded = bench_for(_Amplifier(), ask=None, generator=False, setup=Stimulus(kind="short", seconds=9.0))
    assert "times that were smoothed" in recorded.refuses(_test("V-JIT"))
    assert "cannot be told from a recording" in recorded.refuses(_test("V-BIO"))
    with open_source("sim:rest") as source:
        person = bench_for(source, ask=None, generator=False)
        assert "this is a simulated person" in person.refuses(_test("V-GAIN"))
        assert person.refuses(_test("V-BIO")) == ""


def test_a_stream_that_is_open_is_not_connected_twice():
    shown = []
    bench = OperatorBench(_Amplifier(), lambda text: bool(shown.append(text)) or True)
    left = Stimulus(kind="open", seconds=4.0)
    assert bench.arrange(_test("V-RATE"), left)
    assert bench.arrange(_test("V-LOSS"), left)
    assert len(shown) == 1


@pytest.mark.parametrize(
    ("stimulus", "words"),
    [
        (Stimulus(kind="sine", seconds=4, amplitude_uv=5, frequency=8, second=9), "sine 5 uV peak 8 Hz and 9 Hz, 4 s"),
        (Stimulus(kind="sine", seconds=4, offset_uv=-3e5), "sine with -300 mV direct voltage, 4 s"),
        (Stimulus(kind="short", seconds=4, again=1), "short once more, 4 s"),
        (Stimulus(kind="short", seconds=4, after=7200), "short after 2 h on battery, 4 s"),
    ],
)
def test_a_set_up_in_words(stimulus, words):
    assert describe(stimulus) == words


class _Silent(_Amplifier):
    ended = False

    def pull(self, timeout=1.0):
        self.ended = True


class _Flood(_Amplifier):
    """What it gives at once is old, for ever."""

    def pull(self, timeout=1.0):
        return Chunk(np.zeros((500, 2)), np.arange(500) / 250.0, 0)


def test_a_device_that_gives_nothing_or_only_what_is_old_leaves_its_test_open(monkeypatch):
    profile = replace(Profile.load("research"), durations={"noise": 1.0})
    for source, said in ((_Silent(), "delivered nothing"), (_Flood(), "gives old samples faster")):
        monkeypatch.setattr(bench, "_LONGEST_DRAIN", 0.05)
        monkeypatch.setattr("bcikit.validation.run.open_source", lambda address, s=source: contextlib.nullcontext(s))
        report = validate("amp", profile=profile, tests=("V-NOISE",), ask=lambda text: True)
        assert report.outcome("V-NOISE").judgement is Judgement.INCONCLUSIVE
        assert said in report.outcome("V-NOISE").reason
        assert report.exit_code == 1


class _Paced(_Amplifier):
    """A device of 250 Hz by its own word: so many samples a second, and silent from a moment on."""

    def __init__(self, rate, silent):
        self.rate, self.silent = rate, silent
        self.now, self.at = 0.0, 0

    def pull(self, timeout=1.0):
        self.now += timeout
        if self.now > self.silent + 60:
            raise StreamLostError("'amp' is gone: no sample for 60.0 s.")
        if self.now > self.silent:
            return None
        n_times = round(timeout * self.rate)
        index = np.arange(self.at, self.at + n_times)
        self.at += n_times
        return Chunk(np.random.default_rng(self.at).normal(0, 1, (n_times, 2)), index / self.rate, int(index[0]))


@pytest.mark.parametrize(
    ("rate", "silent", "said"), [(250.0, 18.2, "fell silent after 17.0 of 25 s"), (100.0, 1e9, ""), (250.0, 1e9, None)]
)
def test_a_quick_check_is_no_go_for_a_device_that_falls_silent(tmp_path, monkeypatch, command_line, rate, silent, said):
    source = _Paced(rate, silent)
    monkeypatch.setattr("bcikit.validation.run.open_source", lambda address: contextlib.nullcontext(source))
    monkeypatch.setattr(bench, "time", SimpleNamespace(monotonic=lambda: source.now))
    done = command_line("validate", "amp", "--quick", "--out", tmp_path / "out", "--json")
    tests = {item["test"]: item for item in json.loads(done.out)["tests"]}
    assert done.code == (0 if said is None else 1)
    if said:
        # All of them share one recording, which is tried once.
        assert {(item["judgement"], item["reason"]) for item in tests.values()} == {
            ("INCONCLUSIVE", f"could not be measured: amp {said}.")
        }
        assert source.now < 60
    elif said is not None:
        # Slow is not silent: it is waited for, and what is wrong is its rate.
        assert tests["V-RATE"]["judgement"] == "FAIL"
        assert tests["V-RATE"]["measurements"][1]["value"] == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("speed", [None, 1.0])
def test_a_file_may_be_shorter_than_a_set_up_at_its_own_pace_too(speed):
    info = StreamInfo(name="short", sfreq=250.0, ch_names=("a", "b"))
    recording = Recording.from_arrays(info, np.random.default_rng(0).normal(0, 1, (300, 2)))
    with FileSource(recording, speed=speed) as source:
        take = bench.record(source, Stimulus(kind="short", seconds=5.0), "noise", progress=lambda share: None)
    # What is played while a set-up is made is no part of it.
    assert take.data.shape[0] == 300 if speed is None else 0 < take.data.shape[0] < 300


def test_a_device_that_is_gone_is_said_to_be_gone_before_each_set_up(monkeypatch):
    monkeypatch.setattr(bench, "_LONGEST_DRAIN", 0.05)
    monkeypatch.setattr("bcikit.validation.run.open_source", lambda address: contextlib.nullcontext(_Paced(250, -61)))
    profile = replace(Profile.load("research"), durations={"noise": 1.0, "skew": 1.0})
    report = validate("amp", profile=profile, tests=("V-NOISE", "V-SKEW"), ask=lambda text: True)
    for outcome in report.outcomes:
        assert outcome.judgement is Judgement.INCONCLUSIVE
        assert outcome.reason == "could not be measured: 'amp' is gone: no sample for 60.0 s."


class _Pulsed(_Amplifier):
    """A pulse twice a second, its marker 10 ms before; each second something is said of the stream, as LSL does."""

    live = False

    def __init__(self):
        self.at = 0
        self.said = []

    def pull(self, timeout=1.0):
        index = np.arange(self.at, self.at + 250)
        times = index / 250.0
        self.at += 250
        for half in (0, 125):
            edge = float(times[half + 60])
            self.said.append(Event(name="marker", time=edge - 0.010))
            self.said.append(Event(name="stream/clock-offset", time=edge - 0.001, source="acquisition"))
        noise = np.random.default_rng(self.at).normal(0, 1, (250, 2))
        return Chunk(noise + 5000.0 * (index % 125 >= 60)[:, None], times, int(index[0]))

    def pull_events(self):
        said, self.said = self.said, []
        return said


def test_what_is_said_of_the_stream_itself_is_no_marker(monkeypatch):
    monkeypatch.setattr("bcikit.validation.run.open_source", lambda address: contextlib.nullcontext(_Pulsed()))
    profile = replace(Profile.load("research"), durations={"trigger": 30.0, "timing": 10.0})
    report = validate("amp", profile=profile, tests=("V-TRIG", "V-RESID"), ask=lambda text: True)
    # Half a sample before the first one that is high.
    assert report.value("V-TRIG", "trigger_delay").value == pytest.approx(8.0, abs=0.1)
    found = {item.quantity for item in report.outcome("V-RESID").measurements}
    assert not [name for name in found if name.startswith("trigger_")]


def test_a_device_that_breaks_or_an_operator_who_skips_leaves_the_report(monkeypatch):
    class Broken(_Amplifier):
        def pull(self, timeout=1.0):
            raise ZeroDivisionError("firmware")

    monkeypatch.setattr("bcikit.validation.run.open_source", lambda address: contextlib.nullcontext(Broken()))
    report = validate("amp", profile=Profile.load("research"), tests=("V-NOISE",), ask=lambda text: True)
    assert report.outcome("V-NOISE").judgement is Judgement.ERROR
    assert report.outcome("V-NOISE").reason == "could not be recorded: ZeroDivisionError: firmware"
    report = validate("amp", profile=Profile.load("research"), tests=("V-NOISE",), ask=lambda text: False)
    assert report.outcome("V-NOISE").reason == "skipped by the operator"
    with pytest.raises(DataError, match="V-GAIN is not in this report; it has V-NOISE"):
        report.outcome("V-GAIN")
    with pytest.raises(DataError, match="did not measure 'noise_rms'"):
        report.value("V-NOISE", "noise_rms")


def test_the_time_from_a_burst_to_the_output_is_that_of_the_device():
    profile = replace(Profile.load("research"), durations={"e2e": 6.0})
    report = validate("dut:channels=2", profile=profile, tests=("V-E2E",))
    assert report.outcome("V-E2E").judgement is Judgement.PASS
    assert report.value("V-E2E", "e2e_answered").value == 100.0
    assert 0.0 < report.value("V-E2E", "e2e_median").value < 200.0


def _generated(expected, *, off=(1.0, 1.0)):
    """Return ten seconds of a device that generates a sine upon a direct voltage on each of its channels."""
    time = np.arange(2500) / 250.0
    parts = zip(expected["frequency"], expected["rms"], expected["dc"], off, strict=True)
    data = [dc + share * rms * np.sqrt(2) * np.sin(2 * np.pi * f * time) for f, rms, dc, share in parts]
    return Take(
        key="001-internal",
        stimulus=Stimulus(kind="internal", seconds=10.0),
        info=_Amplifier.info,
        data=np.array(data).T,
        samples=np.arange(2500),
        times=time,
    )


def test_the_own_signal_of_a_device_is_compared_with_what_its_maker_says():
    expected = {"frequency": [5.0, 10.0], "rms": [10.0, 20.0], "dc": [10.0, 20.0]}
    test = _test("V-TEST")
    profile = replace(Profile.load("research"), expected=expected, limits=())
    outcome = evaluate(test, [_generated(expected, off=(1.0, 0.9))], profile)
    values = {(m.quantity, m.channel): m.value for m in outcome.measurements}
    assert values["known_rms", "a"] == pytest.approx(0.0, abs=0.01)
    assert values["known_rms", "b"] == pytest.approx(-10.0, abs=0.01)
    assert values["known_frequency", "b"] == pytest.approx(0.0, abs=1e-3)
    assert values["known_dc", "b"] == pytest.approx(0.0, abs=0.01)
    more = {name: [*two, 30.0] for name, two in expected.items()}
    outcome = evaluate(test, [_generated(expected)], replace(profile, expected=more))
    assert outcome.judgement is Judgement.INCONCLUSIVE
    assert "The profile describes 3 channels, the stream has 2" in outcome.reason


def _shorted(rate, line):
    """Return 20 s of shorted inputs with a line of 6 uV peak to peak."""
    samples = np.arange(20 * rate)
    data = np.random.default_rng(0).normal(0, 0.1, (len(samples), 2))
    data[:, 1] += 3.0 * np.sin(2 * np.pi * line * samples / rate) if line else 0.0
    info = _Amplifier.info.replace(sfreq=float(rate))
    stimulus = Stimulus(kind="short", seconds=20.0)
    return Take(key="1", stimulus=stimulus, info=info, data=data, samples=samples, times=samples / rate)


@pytest.mark.parametrize("line", [65.0, 90.0, 100.0])
def test_a_line_is_found_up_to_100_hz(line):
    outcome = evaluate(_test("V-NOISE"), [_shorted(250, line)], Profile.load("ifcn"))
    (tone,) = [m for m in outcome.measurements if m.quantity == "noise_tone"]
    assert tone.value == pytest.approx(6.0, rel=0.02)
    assert tone.judgement is Judgement.FAIL
    assert f"from 0.5 to 100 Hz (at {line:g} Hz)" in tone.label


def _sines(rate, size=1.0):
    """Return the sines of V-FREQ of an amplifier that is flat to half its rate."""
    info = _Amplifier.info.replace(sfreq=float(rate))
    takes = []
    for number, stimulus in enumerate(setups.frequencies(info, Profile.load("iec"))):
        samples = np.arange(round(stimulus.seconds * rate))
        wave = size * stimulus.amplitude_uv * np.sin(2 * np.pi * stimulus.frequency * samples / rate)
        data = wave[:, None] + size * np.random.default_rng(number).normal(0, 0.1, (len(samples), 2))
        takes.append(
            Take(key=str(number), stimulus=stimulus, info=info, data=data, samples=samples, times=samples / rate)
        )
    return takes


def test_a_limit_about_more_than_the_rate_shows_is_not_kept():
    tones = {
        rate: next(
            m
            for m in evaluate(_test("V-NOISE"), [_shorted(rate, 0)], Profile.load("ifcn")).measurements
            if m.quantity == "noise_tone"
        )
        for rate in (125, 200)
    }
    assert tones[125].judgement is Judgement.INCONCLUSIVE
    assert "from 0.5 to 62.5 Hz" in tones[125].label
    assert "the limit is about more than this sampling rate shows" in tones[125].label
    assert tones[200].judgement is Judgement.PASS
    for rate, expected in ((100, Judgement.INCONCLUSIVE), (125, Judgement.PASS)):
        outcome = evaluate(_test("V-FREQ"), _sines(rate), Profile.load("iec"))
        found = {m.judgement for m in outcome.measurements if m.quantity.startswith("response_")}
        assert found == {expected}, rate


def test_a_corner_beyond_what_was_measured_keeps_a_limit_below_it():
    def bandwidth(takes):
        outcome = evaluate(_test("V-FREQ"), takes, Profile.load("ifcn"))
        return next(m for m in outcome.measurements if m.quantity == "bandwidth")

    found = bandwidth(_sines(500))
    assert found.judgement is Judgement.PASS
    assert found.text() == "> 225 Hz"
    assert bandwidth(_sines(125)).judgement is Judgement.INCONCLUSIVE
    # What gives nothing reaches nothing.
    nothing = bandwidth(_sines(500, size=0.0))
    assert nothing.judgement is Judgement.INCONCLUSIVE
    assert nothing.text() == "not reached"
