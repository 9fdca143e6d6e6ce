"""The whole system: states, arming, stops, what is logged, and what a replay repeats."""

import json

import numpy as np
import pytest

from bcikit.safety import ArmRequest, AuditLog, Consent, GateSettings, SafetySystem, Screening, Severity, State
from bcikit.signal import Chunk, SafetyError

TEXT = "0" * 64
FES = {"profile": "fes", "confidence": None}


def screening(**more):
    answers = {"age": 40, "epilepsy": False, "prior_seizure": False, "photoparoxysmal_response": False}
    answers |= {"migraine_with_photic_trigger": False, "alcohol": False, "sleep_h": 7.0}
    answers |= dict.fromkeys(("implant", "pregnancy", "metal", "skin", "sensation"), False)
    return Screening(**{**answers, **more})


def consent(**more):
    values = {"subject": "p07", "version": "3", "text_sha256": TEXT, "language": "en", "signer": "participant"}
    values |= {"scopes": ("acquire", "fes"), "signed": "2026-01-01T10:00:00+08:00"}
    return Consent(**{**values, **more})


def request(**more):
    values = {"operator": "Li", "subject": "p07", "consent": consent(), "idle_activations": 1, "idle_s": 300.0}
    values |= {"screening": screening()}
    return ArmRequest(**{**values, "stop_tested": True, **more})


@pytest.fixture
def fes(driven, audit_dir):
    one = driven(GateSettings(**FES), audit=AuditLog(audit_dir))
    one.run(4.0)
    one.hold()
    yield one
    one.system.ledger.audit.close()


def events(audit_dir):
    return [json.loads(line) for line in (audit_dir / "audit.jsonl").read_text().splitlines()]


@pytest.mark.requirement("SAF-080")
def test_a_real_actuator_is_armed_started_and_moves(fes):
    fes.system.control.arm(request())
    fes.system.control.start()
    verdicts = []
    for _ in range(8):
        fes.run(0.1)
        verdicts.append(fes.decide())
    assert [v.allowed for v in verdicts] == [False] * 4 + [True] * 4
    assert verdicts[0].reasons == ("A-KOFN",)
    assert verdicts[0].data["A-KOFN"]["limit"] == "5 of 8"


def test_arming_before_the_signal_is_judged_says_when_to_ask_again(driven):
    one = driven(GateSettings(profile="vr"))
    person = request(consent=consent(scopes=("acquire", "vr")))
    one.run(0.1)
    with pytest.raises(SafetyError, match="not known yet"):
        one.system.control.arm(person)
    assert one.system.control.judges_in == 0.5
    one.run(4.0)
    assert one.system.control.judges_in == 0.0
    one.system.control.arm(person)
    assert driven(GateSettings(profile="simulation")).system.control.judges_in == 0.0


@pytest.mark.requirement("SAF-090")
@pytest.mark.requirement("SAF-064")
@pytest.mark.requirement("SAF-114")
@pytest.mark.parametrize(
    ("changes", "rule", "word"),
    [
        ({"consent": None}, "A-ARM", "no consent"),
        ({"consent": consent(subject="p08")}, "A-ARM", "p08"),
        ({"consent": consent(scopes=("acquire",))}, "A-ARM", "does not cover fes"),
        ({"consent": consent(withdrawn="2026-02-01T10:00:00+08:00")}, "A-ARM", "withdrawn"),
        ({"operator": "automatic"}, "A-ARM", "automatic"),
        ({"operator": " "}, "A-ARM", "no operator"),
        ({"stop_tested": False}, "A-ARM", "stop key"),
        ({"idle_activations": None}, "A-IDLE", "no idle test"),
        ({"idle_activations": 6}, "A-IDLE", "1.2 false activations"),
        ({"idle_s": 60.0}, "A-IDLE", "lasted 60 s"),
        ({"idle_s": float("nan")}, "A-IDLE", "lasted nan s"),
        ({"idle_s": float("inf")}, "A-IDLE", "lasted inf s"),
        ({"idle_activations": -3}, "A-IDLE", "counted -3"),
        ({"idle_activations": float("nan")}, "A-IDLE", "counted nan"),
        ({"operator": "\u200b"}, "A-ARM", "no operator"),
        ({"consent": consent(signed="2999-01-01T10:00:00+08:00")}, "A-ARM", "still to come"),
        ({"stimulus": "REFUSED"}, "ST-DESIGN", "REFUSED"),
        (
            {"stimulus": "RESTRICTED", "consent": consent(scopes=("acquire", "fes", "stimulate"))},
            "ST-DESIGN",
            "screening",
        ),
    ],
)
def test_what_is_missing_refuses_arming_and_is_logged(fes, audit_dir, changes, rule, word):
    with pytest.raises(SafetyError, match=word):
        fes.system.control.arm(request(**changes))
    assert fes.system.state is State.STANDBY
    last = events(audit_dir)[-1]
    assert (last["event"], last["rule_id"]) == ("refused", rule)
    assert word in last["reason"]


@pytest.mark.requirement("SAF-091")
@pytest.mark.parametrize(
    ("answers", "armed"),
    [
        ({}, True),
        ({"age": 15}, False),
        ({"epilepsy": True}, False),
        ({"sleep_h": 4.0}, False),
        ({"epilepsy": True, "override_by": "Dr X", "override_reason": "study 12"}, True),
        ({"epilepsy": True, "override_by": "Dr X"}, False),
    ],
)
def test_flicker_needs_screening_answers_that_belong_to_the_consent(fes, answers, armed):
    answered = screening(**answers)
    signed = consent(scopes=("acquire", "fes", "stimulate"), screening_sha256=answered.sha256())
    ask = request(stimulus="RESTRICTED", screening=answered, consent=signed)
    if armed:
        fes.system.control.arm(ask)
        assert fes.system.state is State.ARMED
        return
    with pytest.raises(SafetyError, match="ST-DESIGN"):
        fes.system.control.arm(ask)


@pytest.mark.requirement("SAF-091")
def test_screening_answers_given_later_do_not_count(fes):
    signed = consent(scopes=("acquire", "fes", "stimulate"), screening_sha256="f" * 64)
    with pytest.raises(SafetyError, match="not those"):
        fes.system.control.arm(request(stimulus="RESTRICTED", screening=screening(), consent=signed))


@pytest.mark.requirement("SAF-090")
def test_records_survive_the_disk(tmp_path):
    from bcikit.safety.consent import load_screening
    from bcikit.signal import ConfigError

    consent().save(tmp_path / "consent.json")
    assert Consent.load(tmp_path / "consent.json") == consent()
    (tmp_path / "screening.json").write_text(screening().model_dump_json())
    assert load_screening(tmp_path / "screening.json") == screening()
    (tmp_path / "bad.json").write_text('{"subject": "", "scopes": ["fly"]}')
    with pytest.raises(ConfigError) as error:
        Consent.load(tmp_path / "bad.json")
    assert len(error.value.problems) >= 5


@pytest.mark.requirement("SAF-091")
def test_a_stimulus_known_to_the_system_needs_no_word_of_whoever_arms(driven, audit_dir):
    answered = screening()
    one = driven(GateSettings(profile="vr"), audit=AuditLog(audit_dir), stimulus="RESTRICTED")
    one.run(4.0)
    ask = ArmRequest(operator="Li", subject="p07", consent=consent(scopes=("acquire", "vr")))
    with pytest.raises(SafetyError, match="does not cover stimulate"):
        one.system.control.arm(ask)
    signed = consent(scopes=("acquire", "vr", "stimulate"), screening_sha256=answered.sha256())
    ask = ArmRequest(operator="Li", subject="p07", consent=signed, screening=answered)
    with pytest.raises(SafetyError, match="stop key"):
        one.system.control.arm(ask)
    one.system.control.test_stop(who="Li")
    assert one.system.state is State.STANDBY
    one.system.control.arm(ask)
    assert one.system.stimulus(one.now, on=True)
    one.system.ledger.audit.close()
    armed = next(event for event in events(audit_dir) if event["event"] == "arming")
    assert (armed["actor"], armed["value"]["stimulus"], armed["value"]["stop_tested"]) == ("Li", "RESTRICTED", True)


@pytest.mark.requirement("SAF-091")
@pytest.mark.requirement("SAF-071")
def test_who_overrode_the_screening_is_in_the_audit_log(fes, audit_dir):
    answered = screening(epilepsy=True, override_by="Dr X", override_reason="study 12")
    signed = consent(scopes=("acquire", "fes", "stimulate"), screening_sha256=answered.sha256())
    fes.system.control.arm(request(stimulus="RESTRICTED", screening=answered, consent=signed))
    value = next(event for event in events(audit_dir) if event["event"] == "arming")["value"]
    assert (value["bars"], value["override_by"], value["override_reason"]) == (["epilepsy"], "Dr X", "study 12")
    assert value["screening_sha256"] == answered.sha256()


@pytest.mark.requirement("SAF-091")
def test_a_calibration_does_not_flicker_at_somebody_who_was_not_screened(driven, audit_dir):
    one = driven(GateSettings(profile="vr"), audit=AuditLog(audit_dir), stimulus="RESTRICTED")
    one.run(4.0)
    one.system.control.calibrate()
    assert one.system.stimulus(one.now, on=True) is False
    one.system.control.finish()
    with pytest.raises(SafetyError, match=r"Not calibrating.*screening"):
        one.system.control.calibrate(ArmRequest(operator="Li", subject="p07", consent=consent()))
    answered = screening()
    signed = consent(scopes=("acquire", "vr", "stimulate"), screening_sha256=answered.sha256())
    one.system.control.calibrate(ArmRequest(operator="Li", subject="p07", consent=signed, screening=answered))
    assert one.system.stimulus(one.now, on=True)
    one.system.ledger.audit.close()


@pytest.mark.requirement("SAF-064")
@pytest.mark.requirement("SAF-069")
def test_what_was_measured_in_the_session_counts_for_arming(driven, audit_dir):
    one = driven(GateSettings(**FES), audit=AuditLog(audit_dir))
    one.run(4.0)
    one.hold()
    one.system.control.test_stop(who="Li")
    ask = ArmRequest(operator="Li", subject="p07", consent=consent(), screening=screening())
    with pytest.raises(SafetyError, match="no idle test"):
        one.system.control.arm(ask)
    one.system.control.calibrate(ask, idle_test=True)
    for _ in range(299):
        one.position = 0
        one.run(1.0, chunk=50)
        one.decide(None)
    one.system.control.finish()
    with pytest.raises(SafetyError, match="lasted 299"):
        one.system.control.arm(ask)
    one.system.control.calibrate(ask, idle_test=True)
    for _ in range(302):
        one.position = 0
        one.run(1.0, chunk=50)
        one.decide(None)
    one.system.control.finish()
    one.system.control.arm(ask)
    assert one.system.state is State.ARMED
    one.system.ledger.audit.close()


@pytest.mark.requirement("SAF-064")
def test_an_idle_test_of_the_session_counts_whatever_was_brought_of_an_older_one(fes):
    brought = request(idle_activations=0, idle_s=3600.0)
    fes.system.control.calibrate(brought, idle_test=True)
    fes.system.control.finish()
    assert fes.system.control.idle_test.seconds == 0.0
    fes.system.control.arm(brought)
    fes.system.control.finish()
    fes.system.control.calibrate(brought, idle_test=True)
    measured = fes.system.control.idle_test
    measured.seconds, measured.activations = 300.0, 40
    fes.system.control.finish()
    with pytest.raises(SafetyError, match="8 false activations per minute"):
        fes.system.control.arm(brought)


@pytest.mark.requirement("SAF-008")
def test_a_clock_that_jumps_opens_nothing(active):
    for jump in (3600.0, -3600.0):
        one = active()
        assert one.decide().allowed
        one.now += jump
        one.system.on_silence(one.now)
        verdicts = []
        for _ in range(20):
            one.now += 0.1
            verdicts.append(one.decide())
        assert not any(verdict.allowed for verdict in verdicts), jump
        assert one.system.state is not State.ACTIVE or "H-LAT" in verdicts[-1].reasons


@pytest.mark.requirement("SAF-008")
def test_samples_that_grow_old_are_a_caution_before_they_are_refused(active):
    one = active()
    one.run(0.1)
    verdict = one.system.decide(one.decision(one.now - 0.3), one.now)
    assert verdict.allowed
    one.run(0.1)
    alarm = next(alarm for alarm in one.system.alarms() if alarm.rule == "H-LAT")
    assert (alarm.level.name, round(alarm.value, 3), alarm.limit) == ("CAUTION", 0.3, 0.2)
    assert one.system.state is State.ACTIVE


@pytest.mark.requirement("SAF-005")
def test_times_that_are_no_numbers_hold_the_output(active):
    one = active()
    rows = one.data[one.position : one.position + 25]
    one.system.on_chunk(Chunk(rows, np.full(25, np.nan), one.index), one.now)
    assert one.system.state is State.DEGRADED
    assert "H-MONO" in one.decide().reasons


@pytest.mark.requirement("SAF-066")
@pytest.mark.requirement("SAF-081")
def test_letting_go_of_the_dead_man_switch_is_a_latched_stop(fes):
    fes.system.control.arm(request())
    fes.system.control.start()
    fes.run(0.5)
    fes.release()
    assert fes.system.state is State.SAFE_STOP
    fes.hold()
    fes.run(10.0)
    assert fes.system.state is State.SAFE_STOP
    assert "A-STATE" in fes.decide().reasons


@pytest.mark.requirement("SAF-081")
def test_a_stop_is_left_by_a_person_with_a_reason_after_the_cause_is_gone(active):
    one = active()
    one.silence(0.8)
    assert one.system.state is State.SAFE_STOP
    one.run(2.0)
    with pytest.raises(SafetyError, match="needed: 5 s"):
        one.system.control.acknowledge("Li", "cable was loose")
    one.run(6.0)
    assert one.system.state is State.SAFE_STOP
    for who, reason in (("", "x"), ("Li", " ")):
        with pytest.raises(SafetyError, match="name and a reason"):
            one.system.control.acknowledge(who, reason)
    one.system.control.acknowledge("Li", "cable was loose")
    assert one.system.state is State.STANDBY
    one.system.control.start()
    assert one.system.state is State.ACTIVE


@pytest.mark.requirement("SAF-081")
def test_the_emergency_stop_needs_release_a_person_and_the_self_test(active):
    one = active()
    one.system.switches.estop(one.now, pressed=True)
    assert one.system.state is State.ESTOP
    with pytest.raises(SafetyError, match="not released"):
        one.system.control.acknowledge("Li", "checked")
    one.system.switches.estop(one.now, pressed=False)
    assert one.system.state is State.ESTOP
    one.system.control.acknowledge("Li", "checked")
    assert one.system.state is State.STANDBY


@pytest.mark.requirement("SAF-065")
@pytest.mark.requirement("SAF-036")
def test_a_needed_channel_that_fails_holds_the_output_and_then_stops(active, eeg):
    data = eeg(120.0)
    data[10 * 250 : 20 * 250, 4] = 5.0
    one = active(data, required_channels=("C3", "C4"))
    one.run(10.0)
    assert one.system.state is State.DEGRADED
    verdict = one.decide()
    assert {"A-STATE", "Q-MONT"} <= set(verdict.reasons)
    one.run(20.0)
    assert one.system.state is State.ACTIVE, "good for five seconds"
    data[:, 4] = 5.0
    one.run(40.0)
    assert one.system.state is State.SAFE_STOP


@pytest.mark.requirement("SAF-065")
def test_the_gate_itself_refuses_channels_that_are_not_good(active, eeg):
    data = eeg(60.0)
    one = active(data, required_channels=("C3", "C4"), min_good=0.5, need_all=True)
    data[one.position :, 4] = 5.0
    one.run(4.0)
    assert one.system.state is State.ACTIVE
    verdict = one.decide()
    assert verdict.reasons == ("A-QUAL",)
    assert verdict.data["A-QUAL"]["channels"] == ["C3"]


@pytest.mark.requirement("SAF-067")
@pytest.mark.requirement("SAF-063")
def test_taking_an_action_back_waits_for_nothing_and_begins_nothing(active):
    one = active(refractory_s=2.0, k=2, n=2)
    assert one.decide().reasons == ("A-KOFN",)
    one.run(0.1)
    assert one.decide().allowed
    for _ in range(2):
        one.run(0.35)
        undone = one.system.decide(one.decision(one.now, "right", p=0.55), one.now, undo=True)
        assert undone.allowed
        assert undone.label == "right"
    assert one.system.summary()["activations"] == 1, "what takes an action back is none"
    for _ in range(2):
        one.run(0.1)
        verdict = one.decide("right")
    assert verdict.data["A-RFR"]["value"] == pytest.approx(0.95, abs=0.1), "of the action, not of what took it back"
    assert one.system.decide(one.decision(one.now, None), one.now, undo=True).reasons == ("A-NONE",)


@pytest.mark.requirement("SAF-065")
@pytest.mark.requirement("SAF-066")
def test_what_cannot_be_trusted_takes_nothing_back(active, eeg, fes):
    data = eeg(60.0)
    one = active(data, required_channels=("C3", "C4"), min_good=0.5, need_all=True)
    old = one.decision(one.now - 0.41)
    assert one.system.decide(old, one.now, undo=True).reasons == ("H-LAT",)
    data[one.position :, 4] = 5.0
    one.run(4.0)
    assert one.system.decide(one.decision(one.now), one.now, undo=True).reasons == ("A-QUAL",)
    broken = one.decision(one.now, p=float("nan"))
    assert "A-DEC" in one.system.decide(broken, one.now, undo=True).reasons
    assert one.system.state is State.SAFE_STOP, "it is a stop as any other"
    fes.system.control.calibrate(idle_test=True)
    fes.run(0.5)
    assert fes.system.decide(fes.decision(fes.now), fes.now, undo=True).reasons[0] == "A-STATE"
    assert fes.system.control.idle_test.seconds == 0.0, "nothing of the idle test either"
    fes.system.control.finish()
    fes.system.control.arm(request())
    fes.system.control.start()
    fes.run(0.1)
    assert fes.system.decide(fes.decision(fes.now), fes.now, undo=True).allowed
    fes.system.switches.dead_man(fes.now, held=False)
    assert not fes.system.decide(fes.decision(fes.now), fes.now, undo=True).allowed


@pytest.mark.requirement("SAF-084")
def test_a_monitor_that_fails_is_fatal(active):
    one = active()
    one.system.monitor.update = None
    one.run(0.2)
    assert one.system.state is State.FATAL
    assert not one.decide().allowed
    with pytest.raises(SafetyError, match="FATAL"):
        one.system.control.acknowledge("Li", "whatever")


@pytest.mark.requirement("SAF-082")
def test_outputs_hear_of_a_stop_at_once_and_it_was_logged_before(active, audit_dir):
    heard = []
    one = active(audit=AuditLog(audit_dir))
    one.system.listen(lambda step: heard.append((step.target, events(audit_dir)[-1]["to_state"])))
    one.system.control.stop("enough", who="Li")
    assert heard == [(State.SAFE_STOP, "SAFE_STOP")]
    one.system.ledger.audit.close()


@pytest.mark.requirement("SAF-071")
def test_accepted_and_rejected_commands_are_in_the_audit_log(active, audit_dir):
    one = active(audit=AuditLog(audit_dir))
    assert one.decide().allowed
    assert not one.decide("left", 0.6).allowed
    one.system.ledger.audit.close()
    logged = [(e["event"], e["rule_id"], e["value"]) for e in events(audit_dir)[-2:]]
    assert logged == [("command", "", "left"), ("refused", "A-CONF", "left")]


@pytest.mark.requirement("SAF-085")
def test_the_same_input_gives_the_same_verdicts(active, eeg):
    def once():
        data = eeg(40.0, seed=9)
        data[3000:3600, 4] = 0.0
        one = active(data, required_channels=("C3", "C4"))
        seen = []
        for step in range(250):
            one.run(0.1)
            if step % 80 == 79:
                one.silence(0.3)
            seen.append(one.decide("left" if step % 3 else "right", 0.5 + (step % 50) / 100).to_dict())
        return seen

    assert once() == once()


@pytest.mark.requirement("SAF-064")
def test_the_idle_test_runs_before_arming(driven):
    one = driven(GateSettings(k=2, n=3, refractory_s=0.0))
    one.run(4.0)
    one.system.control.calibrate(idle_test=True)
    for step in range(100):
        one.run(0.1)
        assert not one.decide("left" if step % 50 < 4 else None).allowed
    assert one.system.control.idle_test.activations == 2
    one.system.control.finish()
    assert one.system.state is State.STANDBY


@pytest.mark.requirement("SAF-064")
def test_rest_in_which_nothing_could_be_judged_is_no_rest_that_was_measured(driven, eeg):
    data = eeg(36.0)
    data[6 * 250 : 26 * 250, 4] = 0.0
    one = driven(GateSettings(refractory_s=0.0, need_all=True), data)
    one.run(4.0)
    one.system.control.calibrate(idle_test=True)
    for _ in range(300):
        one.run(0.1)
        one.decide(None)
    test = one.system.control.idle_test
    assert 2.5 < test.seconds < 12.0, "twenty seconds with an electrode off count for nothing"


@pytest.mark.requirement("SAF-093")
def test_one_acknowledgement_of_two_stops_is_one_of_both(active):
    one = active()
    one.system.control.stop("key", now=one.now)
    one.run(1.0)
    one.system.switches.estop(one.now, pressed=True, reason="box")
    one.run(1.0)
    one.system.switches.estop(one.now, pressed=False)
    one.system.control.acknowledge("Li", "looked", now=one.now)
    stops = one.system.summary()["stops"]
    assert [stop["rule"] for stop in stops] == ["A-STOP", "A-ESTOP"]
    assert [stop["acknowledged"] for stop in stops] == [one.now, one.now]


@pytest.mark.requirement("SAF-093")
@pytest.mark.requirement("SAF-094")
def test_the_summary_counts_and_the_alarm_list_is_latched(active):
    one = active()
    one.run(60.0)
    one.decide()
    one.decide("left", 0.55)
    one.silence(0.8)
    one.run(8.0)
    alarm = one.system.alarms()[0]
    assert (alarm.rule, alarm.level.name, alarm.active, alarm.acknowledged) == ("H-STALL", "WARNING", False, False)
    assert alarm.do
    one.system.control.acknowledge("Li", "cable")
    assert one.system.alarms() == []
    summary = json.loads(json.dumps(one.system.summary()))
    assert summary["verdicts"] == {"allowed": 1, "refused": 1}
    assert summary["refusals"] == {"A-CONF": 1}
    assert summary["rules"]["H-STALL"] >= 1
    assert summary["rules_per_hour"]["H-STALL"] > 10
    assert summary["time_in_state_s"]["ACTIVE"] == pytest.approx(60.5, abs=1.0)
    assert summary["mean_time_to_acknowledge_s"] > 7
    assert summary["stops"][0]["rule"] == "H-STALL"


@pytest.mark.requirement("SAF-009")
@pytest.mark.requirement("SAF-010")
def test_what_is_looked_at_once_a_second_is_one_alarm_as_long_as_it_lasts(driven):
    """Looks come with chunks, a little more than a second apart; the pulls between chunks time out."""
    one = driven(GateSettings())
    system, look = one.system, 0.0
    slow = 1.004  # the device's clock: 0.4 % is a warning of H-RATE
    for number in range(1040):
        now = 0.048 * slow * number
        rows = one.data[12 * number : 12 * number + 12]
        system.on_chunk(Chunk(rows, now + np.arange(-11, 1) * slow / 250.0, 12 * number), now)
        if now - look >= 1.0:
            look = now
            system.stream.on_battery(15.0 if now < 40.0 else 8.0, now)
            system.stream.on_buffer(0.6, now)
            system.on_load(2.0 if number < 500 else 0.9, now)
        system.on_silence(now + 0.04)
        if number == 400:
            system.control.acknowledge("Li", "seen", now=now)
        if now > 46.0:
            # The median of 10 s is below 10 %.
            with pytest.raises(SafetyError, match="H-BAT"):
                system.control.arm(now=now)
    counts = system.summary()["rules"]
    assert {rule: counts[rule] for rule in ("H-BAT", "H-OVR", "H-RATE")} == {"H-BAT": 1, "H-OVR": 1, "H-RATE": 1}
    assert counts["H-CPU"] == 1, "what becomes milder is no new alarm"
    alarms = {alarm.rule: alarm for alarm in system.alarms()}
    assert alarms["H-OVR"].acknowledged
    assert alarms["H-OVR"].since < 3.0


@pytest.mark.requirement("SAF-093")
@pytest.mark.parametrize("begin", [0.0, 50_000.0])
def test_the_summary_counts_from_the_first_chunk_however_long_the_clock_has_gone(begin, driven):
    """A live session's clock counts from the start of the computer, and orders before the first chunk say 0."""
    one = driven(GateSettings(refractory_s=0.0))
    system = one.system
    system.control.stop("too early", now=0.0)
    for number in range(700):
        times = begin + (25 * number + np.arange(25)) / 250.0
        now = float(times[-1]) if number else begin
        system.on_chunk(Chunk(one.data[25 * number : 25 * number + 25], times, 25 * number), now)
        if number == 5:
            with pytest.raises(SafetyError, match=r"gone for 0\.6 s"):
                system.control.acknowledge("Li", "looked", now=now)
        if number == 100:
            assert system.control.stop_clears_in == 0.0
            system.control.acknowledge("Li", "looked", now=now)
        if number == 600:
            system.stream.on_battery(15.0, now)
    summary = system.summary()
    assert summary["duration_s"] == pytest.approx(70.0, abs=0.1)
    assert summary["time_in_state_s"] == {"SAFE_STOP": pytest.approx(10.096), "STANDBY": pytest.approx(59.9)}
    assert summary["rules_per_hour"]["H-BAT"] == pytest.approx(3600 / 70, rel=0.01)
    assert summary["mean_time_to_acknowledge_s"] == pytest.approx(10.096)
    assert set(summary["rules_by_hour"]) == {"0"}


def test_a_session_that_was_started_before_its_first_chunk_has_not_run_since_the_computer_started(driven):
    one = driven(GateSettings(run_max_s=60.0))
    one.system.control.start(now=0.0)
    times = 50_000.0 + np.arange(25) / 250.0
    one.system.on_chunk(Chunk(one.data[:25], times, 0), float(times[-1]))
    assert one.system.state is State.ACTIVE, "no P-TIME for what was no time of the session"


def test_rules_are_counted_by_the_hour_of_the_session(driven):
    one = driven(GateSettings())
    for hour in (0, 2):
        now = 50_000.0 + 3600.0 * hour + 1.0
        one.system.on_silence(now)
        one.system.report("H-DISK", Severity.WARN, now, value=4e9, limit=5e9)
        one.system.on_silence(now + 5.0)
    assert {hour: counts["H-DISK"] for hour, counts in one.system.summary()["rules_by_hour"].items()} == {
        "0": 1,
        "2": 1,
    }


def test_self_test_lists_everything(info):
    with pytest.raises(SafetyError) as error:
        SafetySystem(GateSettings(**FES), info(names=("Cz",)), required_channels=("C3",))
    assert "C3" in str(error.value)
    assert "audit" in str(error.value)


@pytest.mark.requirement("SAF-009")
@pytest.mark.requirement("SAF-010")
@pytest.mark.requirement("SAF-011")
def test_load_battery_and_disk(active):
    one = active()
    for step in range(30):
        one.now += 0.1
        one.system.stream.on_battery(15.0, one.now)
        one.system.on_load(0.9 if step < 25 else 3.0, one.now)
    assert one.system.state is State.SAFE_STOP
    assert {"H-CPU", "H-BAT", "H-STALL"} >= {alarm.rule for alarm in one.system.alarms()} > {"H-CPU"}
    other = active()
    other.system.report("H-DISK", Severity.FAULT, other.now, value="No space left on device")
    other.run(0.1)
    assert other.system.state is State.STANDBY
    flat = active()
    for _ in range(5):
        flat.run(0.5)
        flat.system.stream.on_battery(8.0, flat.now)
    flat.run(0.1)
    assert (flat.system.state, flat.system.alarms()[0].rule) == (State.STANDBY, "H-BAT")
    assert flat.system.alarms()[0].limit == 10.0, "the limit that ends the run, not that of the caution"
    low = active()
    low.system.report("H-DISK", Severity.WARN, low.now, value=4e9, limit=5e9)
    low.system.on_load(0.9, low.now)
    low.run(2.5)
    low.system.on_load(0.9, low.now)
    low.run(0.1)
    assert low.system.state is State.ACTIVE
    assert {alarm.rule: alarm.level.name for alarm in low.system.alarms()} == {"H-DISK": "CAUTION", "H-CPU": "CAUTION"}
    third = active()
    third.system.report("H-BEAT", Severity.FAULT, third.now)
    assert third.system.state is State.SAFE_STOP


def test_a_finding_takes_away_none_that_is_longer_or_graver(active):
    one = active()
    one.system.report("H-DRIFT", Severity.WARN, one.now, value="stamps of no known clock", hold_s=60.0)
    one.system.report("H-DRIFT", Severity.WARN, one.now, value="a marker was left out", hold_s=2.0)
    one.system.report("G-LINK", Severity.DEGRADE, one.now, value="gone", hold_s=2.0)
    one.system.report("G-LINK", Severity.WARN, one.now, value="late", hold_s=10.0)

    def found() -> dict[str, Severity]:
        return {reading.rule: reading.severity for reading in one.system.readings()}

    one.run(1.0)
    assert (found(), one.system.state) == ({"H-DRIFT": Severity.WARN, "G-LINK": Severity.DEGRADE}, State.DEGRADED)
    one.run(4.0)
    assert found() == {"H-DRIFT": Severity.WARN, "G-LINK": Severity.WARN}
    one.run(10.0)
    assert found() == {"H-DRIFT": Severity.WARN}


def reach(one, state):
    """Bring a system that is in STANDBY to a state."""
    system = one.system
    if state is State.CALIBRATING:
        system.control.calibrate(now=one.now)
    elif state is not State.STANDBY:
        system.control.arm(now=one.now)
        if state is not State.ARMED:
            system.control.start(now=one.now)
    if state is State.DEGRADED:
        system.report("H-JIT", Severity.FAULT, one.now)
    assert system.state is state


@pytest.mark.requirement("SAF-081")
@pytest.mark.parametrize("state", [State.STANDBY, State.CALIBRATING, State.ARMED, State.ACTIVE, State.DEGRADED])
def test_a_stop_is_a_stop_in_every_state(driven, audit_dir, state):
    one = driven(GateSettings(refractory_s=0.0), audit=AuditLog(audit_dir))
    one.run(4.0)
    reach(one, state)
    one.system.control.stop("patient asks", who="Li", now=one.now)
    assert one.system.state is State.SAFE_STOP
    for _ in range(30):
        one.run(1.0)
        for act in (one.system.control.start, one.system.control.arm, one.system.control.calibrate):
            with pytest.raises(SafetyError):
                act(now=one.now)
        one.system.control.finish(now=one.now)
        assert not one.decide().allowed
    assert one.system.state is State.SAFE_STOP
    one.system.control.acknowledge("Li", "patient is well", now=one.now)
    assert one.system.state is State.STANDBY
    one.system.ledger.audit.close()
    stops = [event for event in events(audit_dir) if event["to_state"] == "SAFE_STOP"]
    assert [(event["actor"], event["reason"], event["from_state"]) for event in stops] == [
        ("Li", "patient asks", state)
    ]


def test_a_stop_where_a_stronger_one_holds_is_written_and_renews_the_wait(active, audit_dir):
    one = active(audit=AuditLog(audit_dir))
    one.system.control.stop("first", who="Li", now=one.now)
    one.run(4.0)
    one.system.control.stop("again", who="Li", now=one.now)
    one.run(3.0)
    with pytest.raises(SafetyError, match="needed: 5 s"):
        one.system.control.acknowledge("Li", "well", now=one.now)
    one.system.switches.estop(one.now, pressed=True)
    one.system.control.stop("and again", who="Li", now=one.now)
    assert one.system.state is State.ESTOP
    one.system.ledger.audit.close()
    assert any(event["event"] == "stop" and event["reason"] == "and again" for event in events(audit_dir))


def test_the_test_of_the_stop_key_is_no_stop_and_only_where_nothing_runs(active):
    one = active()
    with pytest.raises(SafetyError, match="tested in STANDBY"):
        one.system.control.test_stop(who="Li", now=one.now)
    assert one.system.state is State.ACTIVE
    one.system.control.finish(now=one.now)
    one.system.control.test_stop(who="Li", now=one.now)
    assert one.system.state is State.STANDBY


@pytest.mark.requirement("SAF-066")
def test_held_of_a_dead_man_switch_expires(fes):
    fes.system.control.arm(request())
    fes.system.control.start()
    fes.run(0.5)
    assert fes.system.state is State.ACTIVE
    fes.held = False  # the window that read the switch is frozen: nobody says anything any more
    fes.run(fes.system.settings.dead_man_s + 0.2)
    assert fes.system.state is State.SAFE_STOP
    assert any(alarm.rule == "A-DM" for alarm in fes.system.alarms())
    with pytest.raises(ValueError, match="dead_man_s"):
        GateSettings(**FES, dead_man_s=1.5)


def test_the_stop_key_during_flicker_is_a_question_to_the_participant(active):
    one = active()
    assert one.system.stimulus(one.now, on=True)
    one.system.control.stop("operator", now=one.now)
    assert any(alarm.rule == "ST-EYES" and alarm.level.name == "WARNING" for alarm in one.system.alarms())


@pytest.mark.requirement("SAF-090")
@pytest.mark.parametrize("blank", ["\u200b", "\x00", "\u3164", " \u2060 ", "\u00ad"])
def test_a_screening_is_not_overridden_by_what_nobody_can_read(blank):
    assert Screening(
        **{**screening().model_dump(), "epilepsy": True, "override_by": blank, "override_reason": "r"}
    ).problems()
    assert screening(epilepsy=True, override_by="Dr. Li", override_reason=blank).problems()
    assert not screening(epilepsy=True, override_by="Dr. Li", override_reason="seen by neurology").problems()


def test_a_profile_needs_its_own_consent_whatever_a_file_takes_out(driven):
    one = driven(GateSettings(profile="vr", scopes=()))
    one.run(4.0)
    with pytest.raises(SafetyError, match="no consent record; needed: acquire, vr"):
        one.system.control.arm(ArmRequest(operator="Li", subject="p07"))


@pytest.mark.parametrize("name", ["implant", "pregnancy", "metal", "skin", "sensation", "epilepsy"])
def test_current_is_refused_for_who_was_not_asked_and_who_said_yes(fes, name):
    override = {"override_by": "Dr. A", "override_reason": "seen and tried"}
    for answer, more in ((None, {}), (True, {}), (None, override)):
        with pytest.raises(SafetyError, match=name):
            fes.system.control.arm(request(screening=screening(**{name: answer}, **more)))
    if name == "implant":
        with pytest.raises(SafetyError, match="nobody overrides"):
            fes.system.control.arm(request(screening=screening(implant=True, **override)))
    else:
        fes.system.control.arm(request(screening=screening(**{name: True}, **override)))


def test_a_signature_without_ink_overrides_nothing(fes):
    blank = {"override_by": "\u200b\u2060", "override_reason": " \ufeff "}
    with pytest.raises(SafetyError, match="skin"):
        fes.system.control.arm(request(screening=screening(skin=True, **blank)))
    with pytest.raises(SafetyError, match="no operator is named"):
        fes.system.control.arm(request(operator="\u200b"))


def test_what_was_not_asked_bars_flicker():
    assert screening(epilepsy=None).problems() == ["screening: not asked: epilepsy"]
    assert screening(sleep_h=None, override_by="Dr. A", override_reason="x").problems() == [
        "screening: not asked: sleep_h"
    ]
    assert screening(implant=None).problems() == []
