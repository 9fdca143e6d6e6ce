"""The rules of the guard with a fake clock: its messages, its core, the limits of the hand and of stimulation."""

import contextlib
import hashlib
import hmac
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.safety.guard.core import DEAD_MAN_S, FLOOD, GuardCore
from bcikit.safety.guard.drivers import DriverError, SimulatedFes, SimulatedHand
from bcikit.safety.guard.fes import FesCommand, FesError, FesLimits, FesTrain, refusal
from bcikit.safety.guard.protocol import MAX_BYTES, ROLES, ProtocolError, authentic, finite, pack, role_key, unpack
from bcikit.safety.guard.serial_fes import crc8, frame, parse_frame

KEY = b"0123456789abcdef0123456789abcdef"


class Bench:
    """A guard core with a fake clock and a well-behaved engine."""

    def __init__(self, driver=None, **options):
        self.core = GuardCore(driver or SimulatedHand(), KEY, **options)
        self.now = 100.0
        self.sequence = 0

    def message(self, do, **more):
        self.sequence += 1
        values = {"v": 1, "from": "engine", "seq": self.sequence, "t": self.now, "do": do, **more}
        key = role_key(KEY, values["from"])
        return pack({key: value for key, value in values.items() if value is not ...}, key)

    def say(self, do, **more):
        return self.core.receive(self.message(do, **more), self.now)

    def wait(self, seconds, *, beat=True):
        for _ in range(round(seconds / 0.01)):
            self.now += 0.01
            if beat:
                self.say("beat")
            self.core.tick(self.now)

    def moving(self):
        self.say("arm")
        self.say("command", name="close", value=1.0, ttl=0.25)
        assert self.core.armed
        assert self.core.driver.state()["output"] == 1.0
        return self


def output(bench):
    return bench.core.driver.state()["output"]


@pytest.mark.requirement("SAF-060")
def test_a_command_lives_as_long_as_it_says():
    bench = Bench().moving()
    bench.wait(0.24)
    assert output(bench) == 1.0
    bench.wait(0.03)
    assert output(bench) == 0.0
    assert bench.core.armed, "an expired command is silence, not a fault"


@pytest.mark.requirement("SAF-061")
@pytest.mark.requirement("SAF-012")
def test_silence_of_the_engine_makes_it_safe_within_150_ms():
    bench = Bench().moving()
    start = bench.now
    while output(bench):
        bench.wait(0.01, beat=False)
    assert bench.now - start <= 0.15
    assert not bench.core.armed
    bench.wait(1.0)
    bench.say("command", name="close", value=1.0, ttl=0.25)
    assert output(bench) == 0.0, "latched until armed again"


@pytest.mark.requirement("SAF-116")
@pytest.mark.parametrize(
    ("send", "trip"),
    [
        (lambda b: b.say("command", name="close", value=1.0, ttl=0.2, t=b.now - 0.3), "ms old"),
        (lambda b: b.say("command", name="close", value=1.0, ttl=0.01, t=b.now - 0.05), "expired"),
        (lambda b: b.say("beat", t=b.now + 9), "ms old"),
        (lambda b: b.say("command", name="close", value=1.0, ttl=0.2, seq=0), "not newer"),
        (lambda b: b.say("command", name="close", value=1.0, ttl=9.0), "ttl"),
        (lambda b: b.say("command", name=3, value=1.0, ttl=0.2), "name"),
        (lambda b: b.say("command", name="close", value=[1], ttl=0.2), "value"),
        (lambda b: b.say("explode"), "may not"),
        (lambda b: b.say("arm", **{"from": "operator"}), "may not"),
        (lambda b: b.say("beat", v=2), "version"),
        (lambda b: b.say("command", name="close", value=7.0, ttl=0.2), "outside 0 to 1"),
        (lambda b: b.say("command", name="fly", value=1.0, ttl=0.2), "cannot"),
        (lambda b: [b.say("beat") for _ in range(FLOOD + 1)], "flood"),
        (lambda b: b.say("safe", reason="stop key", **{"from": "operator"}), "stop key"),
    ],
)
def test_what_should_not_come_makes_it_safe(send, trip):
    bench = Bench().moving()
    send(bench)
    assert output(bench) == 0.0
    assert not bench.core.armed
    assert trip in bench.core.trip


@pytest.mark.requirement("SAF-095")
def test_what_is_not_signed_is_dropped_and_counted():
    bench = Bench().moving()
    good = bench.message("beat")
    for datagram in (b"", b"x" * 70, good[:-1] + b"]", b"0" * 64 + good[64:], pack({"v": 1}, b"another key 1234")):
        bench.core.receive(datagram, bench.now)
    assert bench.core.dropped["not signed"] == 5
    assert output(bench) == 1.0
    bench.core.receive(good, bench.now)
    bench.core.receive(good, bench.now)
    assert "not newer" in bench.core.trip, "a replayed datagram is authentic, but old"


@pytest.mark.requirement("SAF-139")
@pytest.mark.parametrize("claims", list(ROLES))
@pytest.mark.parametrize("has", list(ROLES))
def test_the_key_of_one_role_speaks_for_no_other(has, claims):
    """An observer cannot order, a window cannot arm, and no lie stops what is in order."""
    bench = Bench(dead_man=True)
    bench.say("dead-man", held=True, **{"from": "dead-man"})
    bench.moving()
    ask = {"engine": {"do": "quit"}, "dead-man": {"do": "dead-man", "held": False}, "operator": {"do": "safe"}}
    message = {"v": 1, "from": claims, "seq": 10**6, "t": bench.now, **ask.get(claims, {"do": "state"})}
    bench.core.receive(pack(message, role_key(KEY, has)), bench.now)
    assert (output(bench) == 0.0) is (has == claims and claims != "observer")
    assert bench.core.dropped["signed by another"] == (has != claims)
    assert bench.core.quit is (has == claims == "engine")


@pytest.mark.requirement("SAF-096")
@pytest.mark.parametrize("field", ["t", "ttl", "value", "seq"])
def test_a_number_of_hundreds_of_digits_is_a_message_that_is_refused(field):
    bench = Bench().moving()
    bench.say("command", **{"name": "close", "value": 1.0, "ttl": 0.2, field: 10**400 * (-1 if field == "seq" else 1)})
    assert output(bench) == 0.0
    assert not bench.core.armed


@pytest.mark.requirement("SAF-116")
def test_a_flood_does_not_fill_the_line_to_the_device():
    class Slow(SimulatedHand):
        zeros = 0

        def safe(self):
            super().safe()
            Slow.zeros += 1

    bench = Bench(Slow()).moving()
    for _ in range(5 * FLOOD):
        bench.core.receive(b"x" * 100, bench.now)
    assert output(bench) == 0.0
    assert Slow.zeros == 1


@pytest.mark.requirement("SAF-066")
def test_the_dead_man_switch_must_be_renewed():
    bench = Bench(dead_man=True)
    bench.say("arm")
    assert not bench.core.armed
    held = {"from": "dead-man", "held": True}
    bench.say("dead-man", **held)
    bench.moving()
    for _ in range(10):
        bench.wait(0.04)
        bench.say("dead-man", **held)
    bench.say("command", name="close", value=1.0, ttl=0.25)
    assert output(bench) == 1.0
    bench.wait(0.1)
    assert output(bench) == 0.0
    assert "dead-man" in bench.core.trip


def test_a_driver_that_fails_is_safe_and_the_guard_goes_on():
    class Broken(SimulatedHand):
        def apply(self, name, value, data, now):
            raise OSError("cable")

        def safe(self):
            super().safe()
            raise OSError("cable")

    bench = Bench(Broken())
    bench.say("arm")
    bench.say("command", name="close", value=1.0, ttl=0.2)
    assert "cable" in bench.core.trip
    assert not bench.core.armed
    bench.wait(0.5)


@pytest.mark.requirement("SAF-096")
@settings(max_examples=150, deadline=None)
@given(body=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode), st.just(b"[" * 3000)))
def test_any_signed_bytes_are_understood_or_refused(body):
    import hashlib
    import hmac

    datagram = hmac.new(KEY, body, hashlib.sha256).hexdigest().encode() + b" " + body
    assert authentic(datagram, KEY) or not body
    with pytest.raises(ProtocolError):
        unpack(datagram)
    bench = Bench().moving()
    bench.core.receive(datagram, bench.now)
    assert output(bench) == 0.0 or not authentic(datagram, KEY)


@pytest.mark.requirement("SAF-068")
def test_speed_and_acceleration_of_the_hand_are_limited():
    hand = SimulatedHand()
    hand.apply("close", 1.0, {}, 0.0)
    hand.apply("close", 1.0, {"speed": 0.3}, 0.0)
    assert hand.state()["limited"] == 0
    hand.apply("close", 1.0, {"speed": 9.0}, 0.0)
    assert hand.state()["limited"] == 1, "a person hears of it (A-RATE)"
    with pytest.raises(DriverError, match="speed"):
        hand.apply("close", 1.0, {"speed": float("nan")}, 0.0)
    positions, velocities = [], []
    for step in range(600):
        hand.tick(step * 0.01)
        positions.append(hand.closure)
        velocities.append(hand.velocity)
    assert max(velocities) <= 1 / 3 + 1e-9
    assert max(b - a for a, b in pairwise(velocities)) <= 0.0067
    assert positions[-1] == pytest.approx(1.0)
    assert max(positions) <= 1.0


def test_stimulation_numbers_in_a_message_cannot_break_the_driver():
    fes = SimulatedFes()
    data = {"amplitude_ma": 10**400, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25}
    with pytest.raises(DriverError, match="amplitude_ma"):
        fes.apply("stimulate", None, data, 10.0)
    with pytest.raises(FesError):
        FesLimits(amplitude_ma=10**400)
    with pytest.raises(FesError):
        FesLimits(amplitude_ma=True)


@pytest.mark.requirement("SAF-072")
def test_stimulation_numbers_of_the_reference():
    command = FesCommand(amplitude_ma=30, pulse_us=300, frequency_hz=35, area_cm2=25)
    assert command.rms_ma == pytest.approx(4.35, abs=0.01)
    assert command.density == pytest.approx(0.17, abs=0.005)
    assert command.charge_uc == pytest.approx(9.0)
    assert command.energy_mj == pytest.approx(0.27)
    edge = FesCommand(amplitude_ma=80, pulse_us=500, frequency_hz=50, area_cm2=9)
    assert edge.density == pytest.approx(1.99, abs=0.01)


@pytest.mark.requirement("SAF-072")
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"amplitude_ma": 31}, "amplitude"),
        ({"pulse_us": 450}, "pulse width"),
        ({"frequency_hz": 60}, "frequency"),
        ({"area_cm2": 1.0}, "density"),
        ({"area_cm2": 0.0}, "density"),
        ({"site": "head"}, "site"),
        ({"amplitude_ma": float("nan")}, "amplitude"),
        ({"amplitude_ma": None}, "amplitude"),
        ({"channel": 2}, "channel is 2"),
        ({"ramp": -1.0}, "ramp"),
        ({"ramp": "slow"}, "ramp"),
    ],
)
def test_a_stimulation_command_outside_its_limits_is_refused(changes, word):
    data = {"amplitude_ma": 20, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25, **changes}
    fes = SimulatedFes()
    with pytest.raises(DriverError, match=word):
        fes.apply("stimulate", None, data, 10.0)
    assert fes.state()["output"] == 0.0


@pytest.mark.requirement("SAF-072")
def test_ramp_train_pause_and_duty():
    train = FesTrain(FesLimits())
    command = FesCommand(amplitude_ma=30, pulse_us=300, frequency_hz=35, area_cm2=25)
    train.command(command, 100.0)
    currents = [train.current(100.0 + step / 100) for step in range(60)]
    assert currents[0] == 0.0
    assert max(b - a for a, b in zip(currents, currents[10:], strict=False)) <= 0.2 * 30 + 1e-9
    assert currents[-1] == 30.0
    assert train.current(105.1) == 0.0, "a train ends by itself"
    with pytest.raises(FesError, match="pause"):
        train.command(command, 106.0)
    refused = []
    for start in range(20):
        now = 108.2 + 8.2 * start
        try:
            train.command(command, now)
        except FesError as error:
            refused.append(str(error))
        train.current(now + 8.1)
    assert refused
    assert all("at most 30%" in text for text in refused)
    assert train.on_s <= 0.3 * (20 * 8.2) + 5.0
    for changes in ({"amplitude_ma": 60.0}, {"ramp_s": 0.1}, {"train_s": 9.0}, {"charge_uc": float("nan")}):
        with pytest.raises(FesError):
            FesLimits(**changes)


@pytest.mark.parametrize(("ramp", "rise_s"), [(2.0, 2.0), (0.1, 0.5), (None, 0.5)])
def test_the_current_rises_as_slowly_as_asked_and_never_faster_than_the_limits(ramp, rise_s):
    asked = {} if ramp is None else {"ramp": ramp}
    fes = SimulatedFes()
    fes.apply(
        "stimulate", None, {"amplitude_ma": 20, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25, **asked}, 100.0
    )
    for share in (0.25, 0.5, 0.75, 1.0):
        fes.tick(100.0 + share * rise_s)
        assert fes.current_ma == pytest.approx(20.0 * share)
    fes.tick(104.0)
    assert fes.current_ma == 20.0
    fes.apply("rest", None, {}, 104.1)
    assert fes.current_ma == 0.0


@pytest.mark.requirement("SAF-072")
@pytest.mark.parametrize("changed", [{"amplitude_ma": 5.0}, {"pulse_us": 200.0}, {"frequency_hz": 20.0}])
def test_a_train_ends_whatever_is_asked_of_it_meanwhile(changed):
    train = FesTrain(FesLimits())
    first = FesCommand(amplitude_ma=10, pulse_us=300, frequency_hz=35, area_cm2=25)
    other = replace(first, **changed)
    on = 0
    for step in range(800):
        now = 100.0 + step / 100
        if now <= 105.0:
            train.command(other if step // 20 % 2 else first, now)
        on += train.current(now) > 0
    assert on <= 501
    assert train.on_s == pytest.approx(5.0)
    assert train.trains == 1


@pytest.mark.requirement("SAF-072")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"pulse_us": 400.0}),
        ({}, {"frequency_hz": 50.0}),
        ({}, {"amplitude_ma": 30.0}),
        ({"amplitude_ma": 20.0}, {"pulse_us": 400.0, "amplitude_ma": 5.0}),
        ({"pulse_us": 0.0}, {"pulse_us": 400.0}),
        ({"frequency_hz": 0.0}, {"frequency_hz": 50.0}),
    ],
)
@pytest.mark.parametrize("wait", [0.2, 1.0])
def test_neither_current_nor_charge_jumps_up_within_a_train(before, after, wait):
    train = FesTrain(FesLimits())
    old = FesCommand(**{"amplitude_ma": 10.0, "pulse_us": 50.0, "frequency_hz": 10.0, "area_cm2": 60.0, **before})
    new = replace(old, **after)
    train.command(old, 100.0)
    level = train.current(100.0 + wait)
    train.command(new, 100.0 + wait)
    now = train.current(100.0 + wait)
    assert now <= level + 1e-9
    assert now * new.pulse_us <= level * old.pulse_us + 1e-9
    assert now * new.pulse_us * new.frequency_hz <= level * old.pulse_us * old.frequency_hz + 1e-9
    later = [train.current(100.0 + wait + step / 100) for step in range(60)]
    assert max(b - a for a, b in zip(later, later[10:], strict=False)) <= 0.2 * new.amplitude_ma + 1e-9
    assert later[-1] == pytest.approx(new.amplitude_ma)


@pytest.mark.requirement("SAF-072")
@pytest.mark.parametrize("pauses", [(1800.0,), (70.0, 70.0, 70.0), (30.0,) * 20])
def test_a_long_pause_is_not_made_up_for(pauses):
    train = FesTrain(FesLimits())
    command = FesCommand(amplitude_ma=10, pulse_us=300, frequency_hz=35, area_cm2=25)
    on, now = [], 0.0
    for pause in (0.0, *pauses, 300.0, 0.0, 0.0):
        now += pause
        for _ in range(120):
            now += 0.5
            with contextlib.suppress(FesError):
                train.command(command, now)
            on.append((now, train.on_s))
            train.current(now)
    times, total = np.array(on).T
    before = np.interp(times - 300.0, times, total, left=0.0)
    assert (total - before).max() <= 0.3 * 300.0 + 1e-6
    assert train.on_s > 60.0, "it goes on all the same"


PULSES = {"amplitude_ma": 10, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25}


@pytest.mark.requirement("SAF-072")
@pytest.mark.parametrize(
    ("seconds", "every", "said"),
    [
        (3.0, 12.125, ""),
        (3.5, 15.0, ""),
        (5.0, 18.5, "train 4: with 5.0 s more, on for 20.0 s of 60 s; at most 30%"),
        (4.0, 13.4, "train 5: with 4.1 s more, on for 20.1 s of 60 s; at most 30%"),
    ],
)
def test_trains_are_reckoned_with_as_long_as_they_are_planned_and_a_plan_is_refused_as_the_driver_does(
    seconds, every, said
):
    fes, found = SimulatedFes(), ""
    for number in range(48):
        try:
            for step in range(round(seconds / 0.1)):
                left = seconds - 0.1 * step
                fes.apply("stimulate", None, {**PULSES, "duration": left}, number * every + 0.1 * step)
        except DriverError as error:
            found = f"train {number + 1}: {error}"
            break
        fes.tick(number * every + seconds)
        fes.apply("rest", None, {}, number * every + seconds)
    assert found.startswith(said)
    assert bool(found) == bool(said)
    assert refusal(seconds, every, 48) == found


@pytest.mark.requirement("SAF-072")
def test_a_train_is_held_to_its_plan():
    train = FesTrain(FesLimits())
    command = FesCommand(**PULSES)
    train.command(command, 10.0, seconds=1.0)
    train.command(command, 11.1, seconds=9.0)
    assert train.current(11.1) > 0, "a renewal may be as late as the guard takes it"
    train.command(command, 11.2, seconds=9.0)
    assert train.current(11.2) == 0.0, "it ends as planned, and that is no fault"
    assert train.on_s == pytest.approx(1.115)
    fes, on = SimulatedFes(), []
    for step in range(40):
        # Prolonged by new commands: what counts is the duration of the first.
        fes.tick(0.1 * step - 0.05)
        fes.apply("stimulate", None, {**PULSES, "duration": 0.5}, 0.1 * step)
        on += [step] if fes.current_ma > 0.0 else []
    assert on == [1, 2, 3, 4, 5, 6, 38, 39]
    assert fes.state()["trains"] == 2, "another begins after the pause"
    long = FesTrain(FesLimits())
    for now in (0.0, 1.0, 4.0, 4.2, 5.0):
        long.command(command, now, seconds=4.0)
    for _ in range(2):
        with pytest.raises(FesError, match="train longer than 5 s"):
            long.command(command, 5.1, seconds=4.0)
    longest, overdrawn = FesTrain(FesLimits()), FesTrain(FesLimits())
    for train, planned in ((longest, 5.0), (overdrawn, 5.5)):
        train.command(command, 0.0, seconds=planned)
        train.command(command, 4.99, seconds=planned)
    longest.command(command, 5.1, seconds=5.0)
    assert longest.current(5.1) == 0.0, "as long as a train may be, it ends as planned, too"
    assert longest.on_s == pytest.approx(5.0)
    for train, now in ((longest, 5.2), (overdrawn, 5.1)):
        with pytest.raises(FesError, match="train longer than 5 s"):
            train.command(command, now, seconds=5.0)
    let_go = FesTrain(FesLimits())
    let_go.command(command, 0.0, seconds=0.5)
    let_go.current(1.0)
    let_go.stop()
    with pytest.raises(FesError, match=r"pause of 0\.99 s"):
        let_go.command(command, 1.6, seconds=0.5)
    for wrong in (-1.0, "long", float("inf"), True):
        with pytest.raises(DriverError, match="duration is"):
            SimulatedFes().apply("stimulate", None, {**PULSES, "duration": wrong}, 10.0)


@pytest.mark.requirement("SAF-072")
@pytest.mark.parametrize("planned", [0.1, 1.0, 2.9, 5.0, 60.0])
def test_no_plan_makes_more_of_five_minutes_than_may_be(planned):
    """Whatever an engine says and then does, and how often it asks."""
    train = FesTrain(FesLimits())
    command = FesCommand(**PULSES)
    on = []
    for step in range(12_000):
        with contextlib.suppress(FesError):
            train.command(command, 0.1 * step, seconds=planned)
        train.current(0.1 * step)
        on.append(train.on_s)
    total = np.array(on)
    assert (total[3000:] - total[:-3000]).max() <= 0.3 * 300.0 + 0.2
    assert total[-1] > 20.0, "it goes on all the same"


def test_the_serial_frames():
    assert crc8(b"123456789") == 0xF4
    assert parse_frame(frame("7,S,20,300,35")) == ["7", "S", "20", "300", "35"]
    with pytest.raises(DriverError, match="CRC"):
        parse_frame(frame("7,K").replace(b"K", b"Z"))


@settings(max_examples=100, deadline=None)
@given(line=st.binary(max_size=100))
def test_any_serial_line_is_read_or_refused(line):
    try:
        fields = parse_frame(line)
    except DriverError:
        return
    assert isinstance(fields, list)


def latched(bench, trip):
    """Say whether the guard is safe and neither a command nor arming brings the movement back, for ten seconds."""
    for _ in range(20):
        bench.wait(0.5)
        bench.say("arm")
        bench.say("command", name="close", value=1.0, ttl=0.25)
        assert not bench.core.armed
        assert output(bench) == 0.0
        assert trip in bench.core.trip
    return True


@pytest.mark.requirement("SAF-132")
@pytest.mark.parametrize(
    ("send", "trip"),
    [
        (lambda b: b.say("safe", reason="stop key", **{"from": "operator"}), "stop key"),
        (lambda b: b.say("safe", reason="let go", **{"from": "dead-man"}), "let go"),
        (lambda b: b.say("safe", reason="stopped", latch=True), "stopped"),
        (lambda b: [b.say("beat") for _ in range(FLOOD + 1)], "flood"),
        (lambda b: b.say("explode"), "may not"),
        (lambda b: b.say("command", name="close", value=7.0, ttl=0.2), "outside 0 to 1"),
    ],
)
@pytest.mark.parametrize("armed", [True, False])
def test_a_stop_at_the_guard_is_undone_by_a_person_only(send, trip, armed):
    bench = Bench().moving() if armed or trip == "outside 0 to 1" else Bench()
    send(bench)
    bench.wait(1.1)
    assert latched(bench, trip)
    for who, reason in (("", "looked"), ("Li", "\u200b"), (None, "looked"), ({"x": 1}, "looked")):
        bench.say("release", who=who, reason=reason)
        assert bench.core.latched
    bench.say("release", who="Li", reason="looked, all is well")
    assert bench.core.released[-1][1:] == ("Li", "looked, all is well")
    assert not bench.core.armed, "undoing a stop does not arm"
    bench.moving()


def test_a_flood_does_not_drown_the_stop():
    bench = Bench().moving()
    for _ in range(5 * FLOOD):
        bench.core.receive(b"x" * 100, bench.now)
    assert bench.core.cause == "flood"
    bench.say("safe", reason="stop key", **{"from": "operator"})
    assert bench.core.dropped["flood"] >= 1
    assert bench.core.latched


def good(do="beat", sender="engine", **more):
    values = {"v": 1, "from": sender, "seq": 3, "t": 5.0, "do": do, **more}
    return {key: value for key, value in values.items() if value is not ...}


def read(message):
    return unpack(pack(message, KEY))


def test_a_datagram_is_a_signature_a_space_and_the_message():
    body = b'{"v":1,"from":"engine","seq":3,"t":5.0,"do":"beat"}'
    datagram = pack(good(), KEY)
    assert datagram == hmac.new(KEY, body, hashlib.sha256).hexdigest().encode() + b" " + body
    assert authentic(datagram, KEY)
    assert not authentic(datagram, KEY[:-1])
    assert not authentic(datagram[:64] + b"_" + datagram[65:], KEY)
    assert read(good()) == good()
    with pytest.raises(ValueError, match="Out of range"):
        pack({"t": float("nan")}, KEY)


@pytest.mark.requirement("SAF-139")
def test_the_keys_of_the_roles_come_from_the_engine_s():
    assert role_key(KEY, "engine") == KEY
    expected = hmac.new(KEY, b"bcikit guard operator", hashlib.sha256).digest()
    assert role_key(KEY, "operator") == expected
    assert len({role_key(KEY, role) for role in ROLES}) == len(ROLES)


@pytest.mark.requirement("SAF-095")
def test_the_longest_and_the_shortest_datagram():
    room = MAX_BYTES - len(pack({"x": ""}, KEY))
    longest = pack({"x": "x" * room}, KEY)
    assert len(longest) == MAX_BYTES
    assert authentic(longest, KEY)
    with pytest.raises(ProtocolError):
        pack({"x": "x" * (room + 1)}, KEY)

    def signed(body):
        return hmac.new(KEY, body, hashlib.sha256).hexdigest().encode() + b" " + body

    assert authentic(signed(b"1"), KEY)
    assert not authentic(signed(b""), KEY)
    assert authentic(signed(b"x" * (MAX_BYTES - 65)), KEY)
    assert not authentic(signed(b"x" * (MAX_BYTES - 64)), KEY)


COMMAND = {"do": "command", "name": "close", "ttl": 0.2}


@pytest.mark.requirement("SAF-096")
@pytest.mark.parametrize(
    ("changes", "ok"),
    [
        ({}, True),
        ({"v": ...}, False),
        ({"v": 2}, False),
        ({"from": ...}, False),
        ({"from": ["engine"]}, False),
        ({"from": "stranger"}, False),
        ({"seq": 0}, True),
        ({"seq": -1}, False),
        ({"seq": True}, False),
        ({"seq": 1.0}, False),
        ({"seq": ...}, False),
        ({"t": -1}, True),
        ({"t": ...}, False),
        ({"t": "5"}, False),
        ({"t": False}, False),
        ({"do": ...}, False),
        ({"do": ["beat"]}, False),
        ({"do": "dead-man", "held": True}, False),
        ({"from": "observer"}, False),
        ({"from": "observer", "do": "state"}, True),
        ({"from": "dead-man", "do": "dead-man", "held": True}, True),
        ({"from": "dead-man", "do": "dead-man", "held": False}, True),
        ({"from": "dead-man", "do": "dead-man", "held": 1}, False),
        ({"from": "dead-man", "do": "dead-man"}, False),
        ({"do": "release", "who": "Li", "reason": "looked"}, True),
        ({"do": "release", "who": "", "reason": "looked"}, False),
        ({"do": "release", "who": "Li"}, False),
        ({"do": "release", "reason": "looked"}, False),
        (COMMAND, True),
        ({**COMMAND, "name": ...}, False),
        ({**COMMAND, "name": 1}, False),
        ({**COMMAND, "ttl": 0.5}, True),
        ({**COMMAND, "ttl": 0.5000001}, False),
        ({**COMMAND, "ttl": 1e-9}, True),
        ({**COMMAND, "ttl": 0}, False),
        ({**COMMAND, "ttl": -0.1}, False),
        ({**COMMAND, "ttl": True}, False),
        ({**COMMAND, "ttl": ...}, False),
        ({**COMMAND, "value": None}, True),
        ({**COMMAND, "value": "left"}, True),
        ({**COMMAND, "value": 0.5}, True),
        ({**COMMAND, "value": True}, False),
        ({**COMMAND, "value": [1]}, False),
        ({**COMMAND, "data": {}}, True),
        ({**COMMAND, "data": []}, False),
        ({**COMMAND, "data": None}, False),
    ],
)
def test_every_field_of_a_message_is_looked_at(changes, ok):
    message = good(**{"sender" if key == "from" else key: value for key, value in changes.items() if key != "do"})
    message.update({"do": changes["do"]} if "do" in changes else {})
    message = {key: value for key, value in message.items() if value is not ...}
    if ok:
        assert read(message) == message
    else:
        with pytest.raises(ProtocolError):
            read(message)


@pytest.mark.parametrize("body", [b"[]", b"1", b'"beat"', b"null", b"{", b"\xff", b'{"v":1,"v":1}'])
def test_what_is_no_object_is_no_message(body):
    with pytest.raises(ProtocolError):
        unpack(b"0" * 64 + b" " + body)


@pytest.mark.parametrize(
    ("value", "is_finite"),
    [(0, True), (-1.5, True), (10**400, False), (True, False), (float("inf"), False), ("1", False), (None, False)],
)
def test_what_counts_as_a_number(value, is_finite):
    assert finite(value) is is_finite


REST = {"driver": "sim-hand", "closure": 0.0, "velocity": 0.0, "limited": 0, "output": 0.0}


def test_what_the_guard_says_of_itself_before_and_after():
    core = GuardCore(SimulatedHand(), KEY)
    assert core.state(100.0) == {
        "armed": False,
        "latched": False,
        "cause": "start",
        "trip": "not armed",
        "trip_time": None,
        "held": False,
        "accepted": 0,
        "dropped": {},
        "priority": "ordinary",
        "driver": REST,
    }
    assert core.quit is False
    bench = Bench(dead_man=True, priority="first in line")
    bench.say("dead-man", held=True, **{"from": "dead-man"})
    bench.moving()
    state = bench.core.state(bench.now)
    assert state["driver"].pop("output") == 1.0
    del state["driver"]
    assert state == {
        "armed": True,
        "latched": False,
        "cause": "start",
        "trip": "",
        "trip_time": None,
        "held": True,
        "accepted": 1,
        "dropped": {},
        "priority": "first in line",
    }
    bench.say("beat", v=2)
    state = bench.core.state(bench.now + 1.0)
    assert (state["armed"], state["latched"], state["held"], state["cause"]) == (False, True, False, "message")
    assert (state["trip"], state["trip_time"]) == ("malformed message: not a message of this version", 100.0)
    assert state["dropped"] == {"malformed": 1}


@pytest.mark.parametrize(
    ("do", "asks"), [("state", 1), ("arm", 1), ("safe", 1), ("release", 1), ("quit", 1), ("beat", 0)]
)
def test_who_asks_is_answered_with_the_state(do, asks):
    bench = Bench()
    answer = bench.say(do, who="Li", reason="looked")
    assert (answer is not None) == bool(asks)
    if answer:
        assert authentic(answer, KEY)
        message = json.loads(answer[65:])
        assert (message.pop("v"), message.pop("answer"), message.pop("to")) == (1, 1, "engine")
        assert message == bench.core.state(bench.now)
    assert bench.core.quit is (do == "quit")


def test_an_answer_is_signed_for_the_one_who_asked():
    bench = Bench()
    answer = bench.say("state", **{"from": "operator"})
    assert authentic(answer, role_key(KEY, "operator"))
    assert json.loads(answer[65:])["to"] == "operator"


@pytest.mark.requirement("SAF-116")
def test_the_flood_begins_above_the_limit_within_one_second():
    bench = Bench().moving()
    began = bench.now
    # Two messages came with the arming.
    for _ in range(FLOOD - 2):
        bench.say("beat")
    assert bench.core.armed
    bench.now = began + 1.0
    bench.say("beat", t=bench.now)
    assert bench.core.cause == "flood", "a second ago still counts"
    assert (bench.core.trip, bench.core.trip_time) == ("flood of messages", began + 1.0)
    bench = Bench().moving()
    for _ in range(FLOOD - 2):
        bench.say("beat")
    bench.now += 1.001
    bench.say("beat")
    assert (bench.core.armed, bench.core.dropped["flood"]) == (True, 0)


@pytest.mark.requirement("SAF-116")
def test_in_a_flood_a_stop_is_heard_and_nothing_else():
    bench = Bench(deadline_s=5.0).moving()
    for _ in range(FLOOD):
        bench.core.receive(b"x", bench.now)
    assert (bench.core.cause, bench.core.dropped["flood"]) == ("flood", 2)
    assert bench.say("state") is None
    stop = bench.message("safe", reason="stop key", **{"from": "operator"})
    answer = bench.core.receive(stop, bench.now)
    assert json.loads(answer[65:])["trip"] == "operator: stop key"
    # It is looked for in the first 512 bytes.
    for before, looked_at in ((501, 1), (502, 0)):
        unsigned = bench.core.dropped["not signed"]
        bench.core.receive(b"x" * before + b'"do":"safe"', bench.now)
        assert bench.core.dropped["not signed"] == unsigned + looked_at
    quiet = Bench()
    for _ in range(FLOOD + 1):
        quiet.core.receive(b"x", quiet.now)
    assert (quiet.core.cause, quiet.core.latched) == ("flood", True), "before it is armed, too"


@pytest.mark.requirement("SAF-061")
def test_each_deadline_to_the_digit():
    bench = Bench(dead_man=True, deadline_s=0.125)
    hold = {"from": "dead-man", "held": True}
    bench.say("dead-man", **hold)
    bench.moving()
    bench.core.tick(100.0 + DEAD_MAN_S)
    assert bench.core.armed
    bench.core.tick(100.0 + DEAD_MAN_S + 0.001)
    assert (bench.core.cause, bench.core.trip, bench.core.trip_time) == (
        "dead-man",
        "dead-man switch released",
        100.0 + DEAD_MAN_S + 0.001,
    )
    bench = Bench(deadline_s=0.125).moving()
    bench.core.tick(100.125)
    assert bench.core.armed
    bench.core.tick(100.1251)
    assert (bench.core.cause, bench.core.trip, bench.core.latched) == ("silence", "no heartbeat for 125 ms", False)
    assert bench.core.trips == [(100.1251, "no heartbeat for 125 ms")]
    bench = Bench(deadline_s=5.0)
    bench.say("arm")
    bench.core.tick(105.0)
    assert bench.core.armed, "without a command, too"
    bench.core.tick(105.1)
    assert bench.core.trip == "no heartbeat for 5000 ms"
    bench = Bench(deadline_s=5.0).moving()
    bench.core.tick(100.25)
    assert output(bench) == 1.0
    bench.core.tick(100.2501)
    assert output(bench) == 0.0


@pytest.mark.requirement("SAF-061")
def test_a_beat_counts_from_when_it_was_sent():
    bench = Bench(deadline_s=0.125).moving()
    bench.now = 100.125
    bench.say("beat", t=100.0625)
    bench.core.tick(100.1875)
    assert bench.core.armed
    bench.core.tick(100.19)
    assert not bench.core.armed
    for do in ("command", "arm"):
        bench = Bench(deadline_s=0.125).moving()
        bench.now = 100.1
        bench.say(do, name="close", value=1.0, ttl=0.5)
        bench.core.tick(100.2)
        assert bench.core.armed, f"{do} is a beat, too"
    for do, sender in (("state", "operator"), ("state", "engine")):
        bench = Bench(deadline_s=0.125).moving()
        bench.now = 100.1
        bench.say(do, **{"from": sender})
        bench.core.tick(100.2)
        assert not bench.core.armed, f"{do} of {sender} is none"


@pytest.mark.requirement("SAF-116")
@pytest.mark.parametrize("do", ["beat", "command", "arm", "dead-man"])
@pytest.mark.parametrize(("age", "ok"), [(0.125, True), (0.1251, False), (-0.05, True), (-0.051, False)])
def test_how_old_and_how_far_ahead_a_message_may_be(do, age, ok):
    bench = Bench(dead_man=True, deadline_s=0.125)
    bench.now = 0.0
    bench.say("dead-man", held=True, **{"from": "dead-man"})
    bench.moving()
    sender = "dead-man" if do == "dead-man" else "engine"
    bench.say(do, t=-age, name="close", value=1.0, ttl=0.25, held=True, **{"from": sender})
    assert bench.core.armed is ok
    assert bench.core.dropped["stale"] == (not ok)
    if not ok:
        assert (bench.core.cause, bench.core.trip) == ("stale", f"{do} is {age * 1000:.0f} ms old")
        assert (bench.core.trip_time, bench.core.latched) == (0.0, False)
        bench.say(do, t=-2.0, name="close", value=1.0, ttl=0.25, held=True, **{"from": sender})
        assert bench.core.dropped["stale"] == 2


def test_an_age_is_told_in_milliseconds():
    bench = Bench().moving()
    bench.say("beat", t=bench.now - 2.0)
    assert bench.core.trip == "beat is 2000 ms old"


@pytest.mark.requirement("SAF-095")
def test_all_that_is_dropped_is_counted():
    bench = Bench()
    for times in (1, 2):
        bench.say("beat")
        bench.say("explode")
        bench.core.receive(b"x", bench.now)
        bench.core.receive(pack(good(seq=10**6), role_key(KEY, "observer")), bench.now)
        bench.say("beat", seq=0)
        assert bench.core.dropped == dict.fromkeys(
            ("malformed", "not signed", "signed by another", "out of order"), times
        )


@pytest.mark.requirement("SAF-116")
def test_a_stop_and_a_question_are_heard_however_old():
    bench = Bench().moving()
    assert bench.say("state", t=bench.now - 60.0)
    assert bench.core.armed
    bench.say("safe", t=bench.now - 60.0, reason="stop key", **{"from": "operator"})
    assert (bench.core.cause, bench.core.trip) == ("operator", "operator: stop key")


def test_a_command_that_expires_on_its_way():
    bench = Bench(deadline_s=0.5).moving()
    bench.now = 100.25
    bench.say("command", name="close", value=1.0, ttl=0.25, t=100.0)
    assert bench.core.armed, "just in time"
    bench.say("command", name="close", value=1.0, ttl=0.24, t=100.0)
    assert (bench.core.cause, bench.core.trip) == ("stale", "command expired before it arrived")
    assert (bench.core.trip_time, bench.core.dropped) == (100.25, {"stale": 1})
    for times in (1, 2):
        bench.say("command", name="close", value=1.0, ttl=0.25)
        assert bench.core.dropped == {"stale": 1, "not armed": times}
    assert bench.core.accepted == 2
    bench.say("arm")
    bench.say("command", name="close", value=1.0, ttl=0.24, t=100.0)
    assert bench.core.dropped["stale"] == 2


@pytest.mark.parametrize(
    ("sender", "reason", "told", "cause", "latched"),
    [
        ("engine", "end of run", "engine: end of run", "engine", False),
        ("engine", None, "engine: asked for it", "engine", False),
        ("operator", 7, "operator: asked for it", "operator", True),
        ("dead-man", "let go", "dead-man: let go", "dead-man", True),
        ("operator", "x" * 300, "operator: " + "x" * 190, "operator", True),
    ],
)
def test_who_asked_to_be_safe_is_told(sender, reason, told, cause, latched):
    bench = Bench().moving()
    bench.say("safe", reason=reason, **{"from": sender})
    assert (bench.core.trip, bench.core.cause, bench.core.latched) == (told, cause, latched)
    assert bench.core.trips == [(100.0, told)]


@pytest.mark.parametrize(("latch", "latched"), [(True, True), (False, False), (1, False), ("yes", False), (..., False)])
def test_a_session_s_stop_latches_where_it_says_so(latch, latched):
    bench = Bench().moving()
    bench.say("safe", reason="stopped", latch=latch)
    assert bench.core.latched is latched
    bench.say("arm")
    assert bench.core.armed is not latched
    bench.say("arm")
    assert bench.core.dropped["latched"] == 2 * latched


@pytest.mark.requirement("SAF-132")
def test_the_first_cause_stays_until_a_stop_of_a_person_or_a_stronger_one():
    bench = Bench()
    bench.say("safe", reason="first")
    assert bench.core.trips == [(100.0, "engine: first")], "the first is told though it was not armed"
    bench.now = 101.0
    bench.say("safe", reason="second")
    assert (bench.core.trip, bench.core.trip_time, len(bench.core.trips)) == ("engine: first", 100.0, 1)
    bench.say("explode")
    assert (bench.core.cause, bench.core.latched, len(bench.core.trips)) == ("message", True, 2)
    bench.now = 102.0
    bench.say("explode")
    assert len(bench.core.trips) == 2
    bench.say("safe", reason="stop key", **{"from": "operator"})
    assert (bench.core.trip, bench.core.trip_time, bench.core.cause) == ("operator: stop key", 102.0, "operator")
    assert len(bench.core.trips) == 2
    bench.say("quit")
    assert (bench.core.trip, bench.core.cause) == ("operator: stop key", "operator"), "an end hides no stop"


@pytest.mark.requirement("SAF-132")
def test_the_end_is_no_new_stop_and_is_not_undone():
    bench = Bench()
    bench.say("safe", reason="pause")
    bench.now = 101.0
    bench.say("quit")
    assert bench.core.trips == [(100.0, "engine: pause")]
    assert (bench.core.quit, bench.core.latched) == (True, True)
    bench = Bench().moving()
    bench.say("quit")
    assert (bench.core.trip, bench.core.cause) == ("end of session", "end")
    bench.say("release", who="Li", reason="looked")
    assert (bench.core.latched, bench.core.released) == (True, [])


@pytest.mark.requirement("SAF-132")
def test_what_is_not_latched_needs_no_release():
    bench = Bench()
    bench.say("release", who="Li", reason="looked")
    assert bench.core.released == []
    bench.say("explode")
    bench.now = 103.0
    bench.say("release", who="Li", reason="looked")
    assert bench.core.released == [(103.0, "Li", "looked")]
    state = bench.core.state(bench.now)
    assert (state["latched"], state["cause"], state["trip"], state["trip_time"]) == (False, "start", "not armed", 103.0)


@pytest.mark.requirement("SAF-066")
def test_letting_go_counts_at_once_and_only_where_a_switch_is_needed():
    bench = Bench(dead_man=True)
    away = {"from": "dead-man", "held": False}
    bench.say("dead-man", **away)
    assert bench.core.trips == [], "nothing was armed"
    bench.say("arm")
    assert (bench.core.trip, bench.core.trip_time, bench.core.armed) == ("dead-man switch not held", 100.0, False)
    bench.say("dead-man", **{**away, "held": True})
    bench.moving()
    bench.say("dead-man", **away)
    assert (bench.core.cause, bench.core.trip, bench.core.trips) == (
        "dead-man",
        "dead-man switch released",
        [(100.0, "dead-man switch released")],
    )
    assert bench.core.state(bench.now)["held"] is False
    bench = Bench().moving()
    bench.say("dead-man", **away)
    assert bench.core.armed


def test_a_switch_that_is_just_held_long_enough_arms():
    bench = Bench(dead_man=True)
    bench.say("dead-man", held=True, **{"from": "dead-man"})
    bench.now = 100.0 + DEAD_MAN_S
    assert bench.core.state(bench.now)["held"] is True
    bench.say("arm")
    assert bench.core.armed
    late = Bench(dead_man=True)
    late.say("dead-man", held=True, t=100.0 - 0.05, **{"from": "dead-man"})
    late.now = 100.0 + DEAD_MAN_S - 0.04
    late.say("arm")
    assert not late.core.armed, "held until so long after it was said, and not after it was heard"


class Stubborn(SimulatedHand):
    """A hand of which each call can be made to fail."""

    def __init__(self, *broken):
        super().__init__()
        self.broken = set(broken)
        self.calls = []

    def _call(self, name):
        self.calls.append(name)
        if name in self.broken:
            raise OSError("cable")

    def ready(self):
        return "ready" not in self.broken

    def apply(self, name, value, data, now):
        self.calls.append((name, value, dict(data), now))
        self._call("apply")
        super().apply(name, value, data, now)

    def tick(self, now):
        self.seen = now
        self._call("tick")
        super().tick(now)

    def rest(self):
        self._call("rest")
        super().rest()

    def safe(self):
        self._call("safe")
        super().safe()


def test_a_driver_gets_what_the_command_says():
    bench = Bench(Stubborn())
    bench.say("arm")
    bench.say("command", name="close", value=0.5, ttl=0.2, data={"speed": 0.2})
    bench.say("command", name="close", ttl=0.2)
    given = [call for call in bench.core.driver.calls if isinstance(call, tuple)]
    assert given == [("close", 0.5, {"speed": 0.2}, 100.0), ("close", None, {}, 100.0)]


def test_a_driver_that_is_not_ready_is_not_armed():
    bench = Bench(Stubborn("ready"))
    bench.say("arm")
    assert (bench.core.armed, bench.core.trip, bench.core.trip_time) == (False, "the driver is not ready", 100.0)


@pytest.mark.parametrize(
    ("broken", "trip"),
    [("apply", "the driver failed: OSError: cable"), ("tick", "the driver failed: OSError: cable"),
     ("rest", "the driver failed: OSError: cable")],
)  # fmt: skip
def test_a_driver_that_fails_anywhere_is_put_to_safety(broken, trip):
    bench = Bench(Stubborn())
    bench.moving()
    bench.core.driver.broken.add(broken)
    bench.say("command", name="close", value=1.0, ttl=0.25)
    bench.now += 0.3
    bench.core._beat = bench.now
    bench.core.tick(bench.now)
    assert (bench.core.armed, bench.core.trip, bench.core.cause) == (False, trip, "driver")
    assert bench.core.trip_time == (100.0 if broken == "apply" else bench.now)
    assert bench.core.driver.seen == bench.now
    assert "safe" in bench.core.driver.calls
    assert (bench.core.latched, output(bench)) == (True, 0.0)


def test_what_a_driver_refuses_is_counted_and_told():
    bench = Bench().moving()
    bench.say("command", name="fly", ttl=0.2)
    assert bench.core.dropped == {"refused by the driver": 1}
    assert (bench.core.trip, bench.core.cause) == ("the driver refused: a hand cannot 'fly'", "driver")
    assert bench.core.trip_time == 100.0
    bench.say("release", who="Li", reason="looked")
    bench.moving()
    bench.say("command", name="fly", ttl=0.2)
    assert bench.core.dropped == {"refused by the driver": 2}


def test_a_driver_that_cannot_be_put_to_safety_is_tried_again():
    bench = Bench(Stubborn("safe")).moving()
    bench.say("safe", reason="pause")
    assert bench.core.dropped == {"driver: OSError": 1}
    bench.say("safe", reason="pause")
    assert bench.core.dropped == {"driver: OSError": 2}
    bench.core.driver.broken.clear()
    bench.say("safe", reason="pause")
    assert output(bench) == 0.0


def test_a_command_that_ended_is_ended_once():
    bench = Bench(Stubborn(), deadline_s=5.0).moving()
    for now in (100.3, 100.4):
        bench.core.tick(now)
    assert bench.core.driver.calls.count("rest") == 1
    bench.moving()
    bench.say("safe", reason="pause")
    bench.say("arm")
    bench.core.tick(100.5)
    assert bench.core.driver.calls.count("rest") == 1, "what made it safe ended the command, too"


def test_messages_of_each_role_are_counted_by_themselves():
    bench = Bench().moving()
    assert bench.say("state", seq=0, **{"from": "operator"})
    assert bench.say("state", seq=0, **{"from": "observer"})
    assert bench.core.armed
    assert bench.say("state", seq=0, **{"from": "operator"}) is None
    assert (bench.core.trip, bench.core.trip_time) == ("operator: message 0 is not newer than 0", 100.0)
    assert (bench.core.cause, bench.core.dropped) == ("message", {"out of order": 1})
