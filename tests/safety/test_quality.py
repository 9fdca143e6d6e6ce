"""Each quality rule fires on its fault and the others stay quiet."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bcikit.safety import GateSettings
from bcikit.safety.levels import QualityLevel, Severity
from bcikit.safety.quality import QualityMonitor
from bcikit.safety.watch import Watch
from bcikit.signal import Bad, Chunk, Health, StreamInfo

FS = 250


def run(rec, *, profile="eeg-wet", chunk=25):
    monitor = QualityMonitor(rec.info, profile=profile)
    for piece in rec.chunks(chunk):
        monitor.update(piece)
    return monitor


def rules(monitor, channel):
    return monitor.quality()[channel].rules


@pytest.mark.requirement("SAF-037")
def test_clean_eeg_is_good_everywhere(eeg, recording):
    for seed in range(4):
        monitor = run(recording(eeg(40.0, seed=seed)))
        assert {name: q.rules for name, q in monitor.quality().items() if q.level is QualityLevel.BAD} == {}


def _broken(kind, data, rng):
    n = len(data)
    t = np.arange(n) / FS
    column = 4
    late = t >= 30
    if kind == "Q-FLAT":
        data[late, column] = 3.0
    elif kind == "Q-RAIL":
        data[late, column] = 187_000.0
    elif kind == "Q-NAN":
        data[late, column] = np.nan
    elif kind == "Q-LINE":
        data[:, column] += 90 * np.sin(2 * np.pi * 50 * t) * late
    elif kind == "Q-AMP":
        data[:, column] = np.where(late, data[:, column] * 12, data[:, column])
    elif kind == "Q-P2P":
        data[:, column] += 600 * np.sin(2 * np.pi * 2 * t) * late
    elif kind == "Q-DRIFT":
        data[:, column] += 60 * np.maximum(t - 25, 0)
    elif kind == "Q-HF":
        data[late, column] += rng.normal(0, 60, late.sum())
    elif kind == "Q-COR":
        data[:, column] = np.where(late, np.convolve(rng.normal(0, 30, n), np.ones(6) / 6, "same"), data[:, column])
    return data


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        pytest.param("Q-FLAT", {"Q-FLAT", "Q-DRIFT"}, marks=pytest.mark.requirement("SAF-021")),
        pytest.param("Q-RAIL", {"Q-RAIL", "Q-FLAT", "Q-DRIFT"}, marks=pytest.mark.requirement("SAF-020")),
        pytest.param("Q-NAN", {"Q-NAN", "Q-DRIFT", "Q-FLAT"}, marks=pytest.mark.requirement("SAF-022")),
        pytest.param("Q-LINE", {"Q-LINE", "Q-AMP"}, marks=pytest.mark.requirement("SAF-028")),
        pytest.param("Q-AMP", {"Q-AMP", "Q-P2P", "Q-EMG", "Q-COR"}, marks=pytest.mark.requirement("SAF-023")),
        pytest.param("Q-P2P", {"Q-P2P", "Q-AMP", "Q-COR", "Q-DRIFT"}, marks=pytest.mark.requirement("SAF-030")),
        pytest.param("Q-DRIFT", {"Q-DRIFT"}, marks=pytest.mark.requirement("SAF-034")),
        pytest.param("Q-HF", {"Q-HF", "Q-EMG", "Q-AMP", "Q-COR", "Q-P2P"}, marks=pytest.mark.requirement("SAF-024")),
        pytest.param("Q-COR", {"Q-COR", "Q-AMP", "Q-HF", "Q-EMG"}, marks=pytest.mark.requirement("SAF-025")),
    ],
)
def test_a_fault_is_found_on_its_channel_and_the_others_stay_good(kind, allowed, eeg, recording):
    data = _broken(kind, eeg(48.0), np.random.default_rng(3))
    quality = run(recording(data)).quality()
    assert kind in quality["C3"].rules
    assert quality["C3"].level is QualityLevel.BAD
    assert set(quality["C3"].rules) <= allowed
    assert [name for name, q in quality.items() if q.level is QualityLevel.BAD] == ["C3"]


@pytest.mark.requirement("SAF-033")
def test_a_bridge_is_a_warning_on_both_channels(eeg, recording):
    data = eeg(30.0)
    data[:, 7] = data[:, 6] + np.random.default_rng(1).normal(0, 0.2, len(data))
    monitor = run(recording(data))
    bridged = [name for name, q in monitor.quality().items() if "Q-BRIDGE" in q.rules]
    assert bridged == ["C4", "P3"]
    assert monitor.quality()["C4"].level is QualityLevel.WARN


@pytest.mark.requirement("SAF-031")
@pytest.mark.requirement("SAF-032")
@pytest.mark.requirement("SAF-106")
def test_blinks_and_muscle_are_told_apart(eeg, recording):
    data = eeg(90.0)
    t = np.arange(len(data)) / FS
    blinks = eeg(90.0)
    for start in np.arange(5.0, 88.0, 1.7):
        blinks[:, :2] += (160 * np.exp(-(((t - start) / 0.09) ** 2)))[:, None]
    monitor = run(recording(blinks))
    assert {n for n, q in monitor.quality().items() if "Q-EOG" in q.rules} == {"Fp1", "Fp2"}
    assert not any("Q-EMG" in q.rules for q in monitor.quality().values())
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 25, data.shape)
    muscle = data + np.where(t >= 84, 1.0, 0.0)[:, None] * (noise - np.roll(noise, 1, axis=0))
    found = run(recording(muscle)).quality()
    assert all("Q-EMG" in q.rules for q in found.values())
    assert not any("Q-EOG" in q.rules for q in found.values())


@pytest.mark.requirement("SAF-029")
def test_impedance_where_the_device_can_tell(eeg, recording):
    rec = recording(eeg(6.0))
    monitor = QualityMonitor(rec.info)
    monitor.on_impedance({"C3": 12_000.0, "C4": 40_000.0, "Cz": 5_000.0})
    monitor.on_impedance({"Cz": float("inf")})
    for piece in rec.chunks(50):
        monitor.update(piece)
    assert monitor.quality()["Cz"] == (QualityLevel.BAD, ("Q-IMP",)), "an open circuit is no good electrode"
    assert monitor.quality()["C3"] == (QualityLevel.WARN, ("Q-IMP",))
    assert monitor.quality()["C4"] == (QualityLevel.BAD, ("Q-IMP",))


@pytest.mark.requirement("SAF-037")
def test_bad_after_two_windows_good_after_five(eeg, recording):
    data = eeg(30.0)
    data[10 * FS : 14 * FS, 4] = 1.0
    rec = recording(data)
    monitor = QualityMonitor(rec.info)
    seen = []
    for piece in rec.chunks(125):
        if monitor.update(piece):
            seen.append((piece.end_sample / FS, "Q-FLAT" in rules(monitor, "C3"), monitor.quality()["C3"].level))
    times = [time for time, flat, level in seen if flat and level is QualityLevel.BAD]
    # A window of 2 s is flat from 12 s on; two in a row make it BAD, five others in a row make it good.
    assert times[0] == 12.5
    assert times[-1] == 16.0


@pytest.mark.requirement("SAF-085")
@pytest.mark.parametrize("chunk", [1, 7, 25, 333, 2000])
def test_any_split_into_chunks_gives_the_same_judgement(chunk, eeg, recording):
    data = eeg(20.0)
    data[8 * FS :, 2] += 700 * np.sin(2 * np.pi * 3 * np.arange(12 * FS) / FS)
    whole = run(recording(data), chunk=5000)
    split = run(recording(data), chunk=chunk)
    assert split.quality() == whole.quality()
    assert np.array_equal(split.values, whole.values)


def lossy(data, every_s):
    """Return chunks of a stream that loses one sample every so many seconds."""
    lost, chunks, start = round(every_s * FS), [], 0
    while start < len(data):
        stop = min((start // 25 + 1) * 25, (start // lost + 1) * lost, len(data))
        health = Health(lost=1) if start and start % lost == 1 else Health()
        chunks.append(Chunk(data[start:stop], np.arange(start, stop) / FS, start, health))
        # The sample after a multiple of `lost` is the first that comes again.
        start = stop + (stop % lost == 0)
    return chunks


@pytest.mark.requirement("SAF-037")
@pytest.mark.parametrize("every_s", [1.9, 5.0])
def test_quality_is_no_older_than_two_windows_where_samples_are_lost_again_and_again(every_s, eeg, active):
    """0.2 % of lost samples is a warning; that nothing was judged for a minute is more than that."""
    data = eeg(60.0)
    data[10 * FS :, 4] = 0.0
    one = active(min_good=1.0)
    watch = one.system.watch
    assert not watch.quality_problem()
    begin = one.index
    for piece in lossy(data, every_s):
        times, first = piece.times + begin / FS, piece.first_sample + begin
        one.system.on_chunk(Chunk(piece.data, times, first, piece.health), float(times[-1]))
        one.now = float(times[-1])
    assert watch.monitor.known == (every_s > 2.0)
    problem = watch.quality_problem()
    reading = next(item for item in one.system.readings() if item.rule == "Q-MONT")
    if every_s > 2.0:
        assert problem["channels"] == ["C3"]
        assert reading.channels == ("C3",)
        (alarm,) = (one for one in one.system.alarms() if one.rule == "Q-MONT")
        assert alarm.channels == ("C3",)
    else:
        assert problem["value"] == reading.value == "not known any more: samples are lost too often"
    assert one.system.decide(one.decision(one.now), one.now).allowed is False
    assert str(one.system.state) in ("DEGRADED", "SAFE_STOP"), "the output rests, and a person is told"
    assert "Q-MONT" in {alarm.rule for alarm in one.system.alarms()}


@pytest.mark.requirement("SAF-022")
def test_bits_of_the_mask_count_even_where_the_value_looks_well(eeg, info):
    data = eeg(6.0)
    mask = np.zeros(data.shape, np.uint8)
    mask[3 * FS :, 1] = Bad.RAILED
    monitor = QualityMonitor(info())
    for start in range(0, len(data), 50):
        part = slice(start, start + 50)
        times = np.arange(start, start + 50) / FS
        monitor.update(Chunk(data[part], times, start, Health(mask=mask[part] if mask[part].any() else None)))
    assert monitor.quality()["Fp2"] == (QualityLevel.BAD, ("Q-RAIL",))


@pytest.mark.requirement("SAF-037")
def test_the_synthetic_board_has_a_profile_of_its_own(recording):
    t = np.arange(30 * FS) / FS
    rng = np.random.default_rng(0)
    columns = []
    for k in range(1, 11):
        phase = np.sin(2 * np.pi * 5 * k * t + 0.05 * (k - 1))
        columns.append(10 * k + (10 * k + rng.uniform(-0.5, 0.5, t.size) * k * k) * np.sqrt(2) * phase)
    data = np.ascontiguousarray(np.array(columns).T)
    wet = run(recording(data)).quality()
    own = run(recording(data), profile="synthetic").quality()
    assert sum(q.level is QualityLevel.BAD for q in wet.values()) >= 8
    assert {name for name, q in own.items() if q.level is QualityLevel.BAD} == {"Oz"}, "the tenth channel is 50 Hz"
    assert own["Oz"].rules == ("Q-LINE",)


@pytest.fixture
def with_body(info, eeg) -> Callable[[str], tuple[StreamInfo, np.ndarray]]:
    """Return EEG with a muscle or an eye beside it: louder than an EEG, alone, and not the worse for it."""

    def make(kind: str) -> tuple[StreamInfo, np.ndarray]:
        brain = eeg(20.0)
        rng = np.random.default_rng(1)
        loud = np.where(rng.random(20) < 0.3, 200.0, 8.0).repeat(250)
        described = info()
        names, types = (*described.ch_names, f"{kind} 1"), (*described.ch_types, kind)
        return replace(described, ch_names=names, ch_types=types), np.c_[brain, rng.normal(0.0, loud)]

    return make


def watched(
    described: StreamInfo, data: np.ndarray, required: tuple[str, ...], ohms: dict[str, float] | None = None
) -> Watch:
    watch = Watch(GateSettings(), described, required)
    watch.on_impedance(ohms or {})
    for start in range(0, len(data), FS):
        times = (start + 1 + np.arange(FS)) / FS
        watch.update(Chunk(data=data[start : start + FS], times=times, first_sample=start), times[-1])
    return watch


@pytest.mark.parametrize("kind", ["emg", "eog"])
@pytest.mark.parametrize("fault", ["flat", "rail", "nan", "hum"])
def test_a_muscle_or_eye_that_a_decision_needs_and_that_is_broken_keeps_the_gate_shut(with_body, kind, fault) -> None:
    described, data = with_body(kind)
    *brain, name = described.ch_names
    assert not watched(described, data, (*brain, name)).quality_problem(), "loud is what a muscle may be"
    t = np.arange(len(data)) / FS
    full = described.capabilities.full_scale
    data[:, -1] = {"flat": 0 * t, "rail": full + 0 * t, "nan": np.nan + t, "hum": 500 * np.sin(100 * np.pi * t)}[fault]
    broken = watched(described, data, (*brain, name))
    assert broken.quality_problem() == {"value": 0.0, "limit": 1.0, "channels": [name]}
    assert broken.usable_share() == 0.0
    told = broken.readings(0.0, active_s=0.0, session_s=0.0)
    (montage,) = (one for one in told if one.rule == "Q-MONT")
    assert (montage.severity, montage.channels) == (Severity.FAULT, (name,))
    assert {one.channels for one in broken.channel_readings()} == {(name,)}
    assert broken.quality()[name].level is QualityLevel.BAD
    # Whoever decides by the EEG alone is not stopped by an electrode that nobody uses.
    assert not watched(described, data, tuple(brain)).quality_problem()
    assert not watched(described, data, ()).quality_problem()


def test_the_contact_of_a_muscle_is_told_by_its_impedance_too(with_body) -> None:
    described, data = with_body("emg")
    name = described.ch_names[-1]
    watch = watched(described, data, described.ch_names, {name: 80e3, "C3": 5e3})
    assert watch.quality_problem()["channels"] == [name]
    assert watch.quality()[name].rules == ("Q-IMP",)
