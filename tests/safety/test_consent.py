"""Consent, screening and what must be there before anything is armed: every word of it."""

import datetime
import hashlib
import json
import math
import os

import pytest

from bcikit.safety import GateSettings
from bcikit.safety.arming import ArmRequest, arming_problems, person_problems, worse
from bcikit.safety.consent import Consent, Screening, load_screening
from bcikit.signal import ConfigError, DataError

UTC = datetime.UTC
LIGHT = ("epilepsy", "prior_seizure", "photoparoxysmal_response", "migraine_with_photic_trigger", "alcohol")
CURRENT = ("implant", "pregnancy", "metal", "skin", "sensation", "epilepsy", "prior_seizure", "alcohol")


def screening(**more):
    answers = {"age": 40, "sleep_h": 8.0, **dict.fromkeys((*LIGHT, *CURRENT), False)}
    return Screening(**{**answers, **more})


def consent(*scopes, **more):
    values = {
        "subject": "P-001",
        "version": "1",
        "text_sha256": "0" * 64,
        "language": "en",
        "scopes": scopes or ("acquire",),
        "signer": "participant",
        "signed": datetime.datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Consent(**{**values, **more})


@pytest.mark.parametrize("answer", sorted({*LIGHT, *CURRENT}))
def test_each_answer_bars_what_it_should_and_nothing_else(answer):
    yes, unasked = screening(**{answer: True}), screening(**{answer: None})
    assert yes.bars() == ((answer,) if answer in LIGHT else ())
    assert yes.bars("fes") == ((answer,) if answer in CURRENT else ())
    assert unasked.unasked() == ((answer,) if answer in LIGHT else ())
    assert unasked.unasked("fes") == ((answer,) if answer in CURRENT else ())
    assert unasked.bars() == unasked.bars("fes") == yes.unasked() == yes.unasked("fes") == ()


@pytest.mark.parametrize(
    ("answers", "bars"),
    [
        ({"age": 17}, ("age below 18",)),
        ({"age": 18}, ()),
        ({"sleep_h": 4.99}, ("less than 5 h of sleep",)),
        ({"sleep_h": 5.0}, ()),
        ({"age": 0, "sleep_h": 0.0, "alcohol": True}, ("alcohol", "age below 18", "less than 5 h of sleep")),
        ({"age": None, "sleep_h": None}, ()),
    ],
)
def test_age_and_sleep_bar_flicker_and_not_current(answers, bars):
    assert screening(**answers).bars() == bars
    assert screening(**answers).bars("stimulate") == bars
    assert screening(**answers).bars("fes") == tuple(bar for bar in bars if bar == "alcohol")


def test_age_and_sleep_must_be_asked_for_flicker_only():
    some = screening(age=None, sleep_h=None, epilepsy=None)
    assert some.unasked() == ("epilepsy", "age", "sleep_h")
    assert some.unasked("fes") == ("epilepsy",)


@pytest.mark.requirement("SAF-091")
@pytest.mark.parametrize(
    ("what", "answers", "problems"),
    [
        ("stimulate", {}, []),
        ("fes", {}, []),
        ("stimulate", {"alcohol": None, "age": None}, ["screening: not asked: alcohol, age"]),
        ("fes", {"skin": None, "metal": None}, ["screening: not asked: metal, skin"]),
        (
            "stimulate",
            {"epilepsy": True, "age": 17},
            ["screening: epilepsy, age below 18; a clinician can override with name and reason"],
        ),
        ("fes", {"skin": True}, ["screening: skin; a clinician can override with name and reason"]),
        ("fes", {"implant": True}, ["screening: implant; nobody overrides that"]),
        ("fes", {"implant": True, "skin": True}, ["screening: implant; nobody overrides that"]),
        ("stimulate", {"implant": True}, []),
        (
            "stimulate",
            {"alcohol": True, "age": None},
            [
                "screening: not asked: age",
                "screening: alcohol; a clinician can override with name and reason",
            ],
        ),
    ],
)
def test_what_the_screening_says(what, answers, problems):
    assert screening(**answers).problems(what) == problems
    over = screening(override_by="Dr. Li", override_reason="seen by a neurologist", **answers)
    assert over.problems(what) == [text for text in problems if "a clinician can" not in text]


def test_the_screening_is_for_flicker_where_nothing_is_said():
    some = screening(sensation=True, migraine_with_photic_trigger=True)
    assert some.problems() == some.problems("stimulate") != some.problems("fes")


@pytest.mark.parametrize(
    ("by", "reason", "overridden"),
    [("Dr. Li", "seen", True), ("", "seen", False), ("Dr. Li", "", False), ("Dr. Li", "\u200b ", False)],
)
def test_an_override_needs_a_name_and_a_reason(by, reason, overridden):
    assert screening(override_by=by, override_reason=reason).overridden is overridden


def test_the_hash_of_the_answers_is_that_of_their_json_without_what_was_not_asked():
    some = screening(implant=None)
    given = {
        "age": 40,
        "sleep_h": 8.0,
        "override_by": "",
        "override_reason": "",
        **dict.fromkeys({*LIGHT, *CURRENT} - {"implant"}, False),
    }
    text = json.dumps(given, sort_keys=True, separators=(",", ":"))
    assert some.sha256() == hashlib.sha256(text.encode()).hexdigest()
    assert some.sha256() != screening().sha256() != screening(alcohol=True).sha256()


@pytest.mark.requirement("SAF-090")
@pytest.mark.parametrize(
    ("given", "asked", "problems"),
    [
        ({}, {}, []),
        ({"scopes": ("acquire", "fes")}, {"scopes": ("fes", "acquire")}, []),
        ({}, {"scopes": ()}, []),
        ({}, {"scopes": ("acquire", "fes", "robot")}, ["consent does not cover fes, robot"]),
        ({}, {"subject": "P-002"}, ["consent is of subject 'P-001', the session is with 'P-002'"]),
        ({"subject": "\u200b"}, {"subject": "\u200b"}, ["consent names nobody"]),
        (
            {"withdrawn": datetime.datetime(2026, 2, 1, tzinfo=UTC)},
            {},
            ["consent was withdrawn at 2026-02-01T00:00:00+00:00"],
        ),
        (
            {"signed": datetime.datetime(2999, 1, 1, tzinfo=UTC)},
            {},
            ["consent was signed at 2999-01-01T00:00:00+00:00, which is still to come"],
        ),
        (
            {"withdrawn": datetime.datetime(2026, 2, 1, tzinfo=UTC)},
            {"subject": "P-002", "scopes": ("vr",)},
            [
                "consent is of subject 'P-001', the session is with 'P-002'",
                "consent was withdrawn at 2026-02-01T00:00:00+00:00",
                "consent does not cover vr",
            ],
        ),
    ],
)
def test_what_a_consent_covers(given, asked, problems):
    record = consent(**given)
    assert record.problems(**{"subject": "P-001", "scopes": ("acquire",), **asked}) == problems


@pytest.mark.parametrize(("ahead_min", "ok"), [(0, True), (9, True), (11, False)])
def test_the_clock_of_the_place_of_signing_may_be_a_little_ahead(ahead_min, ok):
    signed = datetime.datetime.now(UTC) + datetime.timedelta(minutes=ahead_min)
    assert (consent(signed=signed).problems(subject="P-001", scopes=()) == []) is ok
    there = signed.astimezone(datetime.timezone(datetime.timedelta(hours=-10)))
    assert (consent(signed=there).problems(subject="P-001", scopes=()) == []) is ok, "whatever the time zone"


def test_a_withdrawal_leaves_the_record_as_it_was():
    record = consent()
    when = datetime.datetime(2026, 3, 1, tzinfo=UTC)
    gone = record.withdraw(when)
    assert (record.withdrawn, gone.withdrawn) == (None, when)
    assert gone.model_copy(update={"withdrawn": None}) == record


def test_records_are_read_as_they_were_written(tmp_path):
    record = consent("acquire", "video", language="zh", subject="受试者一")
    record.save(tmp_path / "consent.json")
    assert Consent.load(tmp_path / "consent.json") == record
    # UTF-8, whatever this machine writes by itself.
    text = (tmp_path / "consent.json").read_bytes().decode("utf-8")
    assert "受试者一" in text
    assert text.count("\n") > 5, "a person can read it"
    answers = screening(alcohol=True, override_by="Dr. Zoë")
    answers.save(tmp_path / "answers.json")
    assert load_screening(tmp_path / "answers.json") == answers
    if os.name != "nt":
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}, "for nobody else"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "is no JSON: "),
        ("[" * 100_000, "is no JSON: "),
        ("[]", ""),
        ('{"subject": "P-001"}', "version"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_in_words(tmp_path, content, problem):
    path = tmp_path / "consent.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(ConfigError) as refused:
        Consent.load(path)
    assert str(path) in str(refused.value)
    assert any(problem in text for text in refused.value.problems)


def request(**more):
    return ArmRequest(**{"operator": "Li", "subject": "P-001", "stop_tested": True, **more})


def idle(**more):
    return {"idle_activations": 0, "idle_s": 3600.0, **more}


ROBOT = GateSettings(profile="robot")
FES = GateSettings(profile="fes")
VR = GateSettings(profile="vr")
SIMULATION = GateSettings()
CAR = GateSettings(profile="vehicle-sim")


def ready(profile, **more):
    values = {
        "robot": {"consent": consent("acquire", "robot"), **idle()},
        "fes": {"consent": consent("acquire", "fes"), "screening": screening(), **idle()},
        "vr": {"consent": consent("acquire", "vr")},
        "vehicle-sim": {"consent": consent("acquire"), **idle()},
        "simulation": {"operator": "automatic", "subject": "", "stop_tested": False},
    }[profile]
    return request(**{**values, **more})


@pytest.mark.parametrize("settings", [ROBOT, FES, VR, SIMULATION, CAR], ids=lambda s: s.profile)
def test_with_everything_there_each_profile_arms(settings):
    assert arming_problems(ready(settings.profile), settings) == {}


@pytest.mark.requirement("SAF-090")
@pytest.mark.parametrize(
    ("settings", "more", "problems"),
    [
        (SIMULATION, {"operator": " "}, {"A-ARM": "no operator is named"}),
        (VR, {"operator": ""}, {"A-ARM": "no operator is named"}),
        (
            VR,
            {"operator": "automatic"},
            {"A-ARM": "operator 'automatic' is for simulations; profile vr needs a person"},
        ),
        (VR, {"consent": None}, {"A-ARM": "no consent record; needed: acquire, vr"}),
        (
            VR,
            {"consent": None, "stimulus": "RESTRICTED", "screening": screening()},
            {"A-ARM": "no consent record; needed: acquire, vr, stimulate"},
        ),
        (
            VR,
            {"consent": consent("vr"), "operator": ""},
            {"A-ARM": "no operator is named; consent does not cover acquire"},
        ),
        (VR, {"subject": "P-002"}, {"A-ARM": "consent is of subject 'P-001', the session is with 'P-002'"}),
        (VR, {"stop_tested": False}, {}),
        (CAR, {"stop_tested": False}, {}),
        (ROBOT, {"stop_tested": False}, {"A-ARM": "the stop key was not tested in this session"}),
        (
            ROBOT,
            {"stop_tested": False, "operator": ""},
            {"A-ARM": "no operator is named; the stop key was not tested in this session"},
        ),
        (FES, {"screening": None}, {"A-ARM": "current needs the screening answers"}),
        (
            FES,
            {"screening": None, "operator": ""},
            {"A-ARM": "no operator is named; current needs the screening answers"},
        ),
        (FES, {"screening": screening(implant=True)}, {"A-ARM": "screening: implant; nobody overrides that"}),
        (FES, {"screening": screening(age=10)}, {}),
        (ROBOT, {"screening": screening(implant=True)}, {}),
        (VR, {"stimulus": "REFUSED"}, {"ST-DESIGN": "the stimulus design is REFUSED"}),
        (SIMULATION, {"stimulus": "REFUSED"}, {"ST-DESIGN": "the stimulus design is REFUSED"}),
        (SIMULATION, {"stimulus": "RESTRICTED"}, {}),
        (VR, {"stimulus": "PASS"}, {}),
    ],
)
def test_what_is_missing_for_a_person(settings, more, problems):
    assert arming_problems(ready(settings.profile, **more), settings) == problems


@pytest.mark.parametrize("scopes", [("acquire", "vr"), ("vr", "video", "acquire")])
def test_what_the_profile_does_needs_consent_whatever_a_file_takes_out(scopes):
    settings = GateSettings(profile="vr", scopes=("video",))
    problems = person_problems(ready("vr", consent=consent(*scopes)), settings)
    assert problems == ({} if "video" in scopes else {"A-ARM": "consent does not cover video"})
    assert "acquire, vr" in person_problems(ready("vr", consent=consent("video")), settings)["A-ARM"]


@pytest.mark.requirement("SAF-091")
def test_a_restricted_stimulus_needs_the_screening_its_consent_and_the_stop_key():
    def found(**more):
        answers = more.pop("answers", screening())
        agreed = consent("acquire", "vr", "stimulate", screening_sha256=answers.sha256() if answers else "")
        asked = {"stimulus": "RESTRICTED", "screening": answers, "consent": agreed, **more}
        return arming_problems(ready("vr", **asked), VR)

    assert found() == {}
    assert found(answers=None) == {"ST-DESIGN": "a RESTRICTED stimulus needs the screening answers"}
    bar = "screening: alcohol; a clinician can override with name and reason"
    assert found(answers=screening(alcohol=True)) == {"ST-DESIGN": bar}
    others = "the screening answers are not those the consent was given with"
    assert found(screening=screening(age=41)) == {"ST-DESIGN": others}
    key = "a RESTRICTED stimulus needs the stop key tested in this session"
    assert found(stop_tested=False) == {"ST-DESIGN": key}
    both = found(answers=screening(alcohol=True), screening=screening(alcohol=True, age=41), stop_tested=False)
    assert both == {"ST-DESIGN": f"{bar}; {others}; {key}"}
    assert found(consent=consent("acquire", "vr", screening_sha256=screening().sha256())) == {
        "A-ARM": "consent does not cover stimulate"
    }
    assert found(consent=None) == {"A-ARM": "no consent record; needed: acquire, vr, stimulate"}


@pytest.mark.requirement("SAF-064")
@pytest.mark.parametrize(
    ("settings", "given", "problem"),
    [
        (VR, {}, ""),
        (ROBOT, {"idle_activations": None}, "no idle test; needed: 300 s of rest"),
        (ROBOT, {"idle_s": 300.0}, ""),
        (ROBOT, {"idle_s": 299.9}, "the idle test lasted 299.9 s; needed: 300 s"),
        (CAR, {"idle_s": 1800.0}, ""),
        (CAR, {"idle_s": 1799.0}, "the idle test lasted 1799 s; needed: 1800 s"),
        (CAR, {"idle_s": 1800.0, "idle_activations": 1}, ""),
        (CAR, {"idle_s": 1800.0, "idle_activations": 2},
         "0.0667 false activations per minute at rest; allowed: 0.0333"),
        (ROBOT, {"idle_s": math.inf}, "the idle test lasted inf s; needed: 300 s"),
        (ROBOT, {"idle_s": math.nan}, "the idle test lasted nan s; needed: 300 s"),
        (ROBOT, {"idle_activations": -1}, "the idle test counted -1 activations; a count is needed"),
        (ROBOT, {"idle_activations": True}, "the idle test counted True activations; a count is needed"),
        (ROBOT, {"idle_activations": math.inf}, "the idle test counted inf activations; a count is needed"),
        (ROBOT, {"idle_s": 300.0, "idle_activations": 1}, ""),
        (ROBOT, {"idle_s": 300.0, "idle_activations": 2}, "0.4 false activations per minute at rest; allowed: 0.2"),
        (GateSettings(profile="robot", idle_max_per_min=0.0), {"idle_s": 300.0}, ""),
        (GateSettings(profile="robot", idle_max_per_min=0.0), {"idle_activations": 1},
         "0.0167 false activations per minute at rest; allowed: 0"),
        (GateSettings(profile="robot", idle_max_per_min=0.1, idle_test_s=300.0), {"idle_s": 599.0},
         "the idle test lasted 599 s; needed: 600 s"),
    ],
)  # fmt: skip
def test_what_the_idle_test_must_have_shown(settings, given, problem):
    found = arming_problems(ready(settings.profile, **{**idle(), **given}), settings)
    assert found == ({"A-IDLE": problem} if problem else {})


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ("", "", ""),
        ("", "PASS", "PASS"),
        ("RESTRICTED", "REFUSED", "REFUSED"),
        ("RESTRICTED", "PASS", "RESTRICTED"),
        ("PASS", "REFUSED", "REFUSED"),
        ("PASS", "fine", "REFUSED"),
        ("pass", "", "REFUSED"),
    ],
)
def test_the_worse_of_two_results(first, second, result):
    assert worse(first, second) == worse(second, first) == result


def test_what_the_audit_log_keeps_of_a_request():
    assert ArmRequest().to_dict() == {
        "subject": "",
        "consent": None,
        "scopes": [],
        "screening_sha256": "",
        "bars": [],
        "override_by": "",
        "override_reason": "",
        "idle_activations": None,
        "idle_s": 0.0,
        "stop_tested": False,
        "stimulus": "",
    }
    answers = screening(alcohol=True, override_by="Dr. Li", override_reason="seen")
    one = ready("vr", screening=answers, idle_activations=2, idle_s=300.0, stimulus="PASS")
    assert one.to_dict() == {
        "subject": "P-001",
        "consent": {"version": "1", "text_sha256": "0" * 64},
        "scopes": ["acquire", "vr"],
        "screening_sha256": answers.sha256(),
        "bars": ["alcohol"],
        "override_by": "Dr. Li",
        "override_reason": "seen",
        "idle_activations": 2,
        "idle_s": 300.0,
        "stop_tested": True,
        "stimulus": "PASS",
    }


@pytest.mark.parametrize("one", [ArmRequest(), ready("fes"), ready("vr", screening=screening(alcohol=True))])
def test_a_request_is_read_as_it_was_written(one):
    record = json.loads(json.dumps(one.to_record()))
    assert ArmRequest.from_record(record) == one
    assert set(record) == {
        "operator", "subject", "consent", "screening", "idle_activations", "idle_s", "stop_tested", "stimulus"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        ([], DataError, "^request: .* is no object with named fields"),
        (7, DataError, "^request: 7 is no object with named fields"),
        ({"consent": {"subject": "P"}}, ConfigError, "consent"),
        ({"screening": []}, ConfigError, "screening"),
        ({"operator": 7}, DataError, "^request"),
        ({"who": "Li"}, DataError, "^request.*who"),
    ],
)
def test_what_is_no_request_is_refused_in_words(values, error, text):
    with pytest.raises(error, match=text):
        ArmRequest.from_record(values)
