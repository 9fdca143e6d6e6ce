"""Limits files: what is wrong in one is an error, never a PASS."""

import json
from dataclasses import replace

import pytest

from bcikit.signal import ConfigError
from bcikit.validation import Judgement, Profile, validate
from bcikit.validation.quantities import QUANTITIES, factor
from bcikit.validation.results import judge

HEAD = 'title = "t"\n'


def limits(tmp_path, *entries):
    path = tmp_path / "limits.toml"
    text = HEAD
    for entry in entries:
        values = {"test": "V-NOISE", "quantity": "noise_rms", "max": 0.5, "unit": "uV", "source": "s", **entry}
        lines = (f"{key} = {str(v).lower() if isinstance(v, bool) else repr(v)}" for key, v in values.items())
        text += "[[limit]]\n" + "\n".join(line.replace("'", '"') for line in lines) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"test": "V-NOSE"}, r"'V-NOSE' is no test; did you mean 'V-NOISE'\?"),
        ({"quantity": "noise_rsm"}, r"does not measure 'noise_rsm'; did you mean 'noise_rms'\?"),
        ({"unit": "ms"}, "'ms' cannot be compared with noise_rms, which is in 'uV'"),
        ({"unit": "furlong"}, "cannot be compared"),
        ({"verified": "no"}, "must be true or false, without quotes"),
        ({"min": 1.0}, "min must be below max"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path, entry, said):
    with pytest.raises(ConfigError, match=said):
        Profile.load(limits(tmp_path, entry))


def test_a_limit_of_a_test_that_is_not_run_is_refused(tmp_path):
    path = limits(tmp_path, {})
    path.write_text('tests = ["V-GAIN"]\n' + path.read_text())
    with pytest.raises(ConfigError, match="nobody would judge it"):
        Profile.load(path)


@pytest.mark.parametrize(("unit", "size"), [("nV", 500.0), ("µV", 0.5), ("mV", 0.0005)])
def test_units_are_converted(tmp_path, unit, size):
    (limit,) = Profile.load(limits(tmp_path, {"unit": unit, "max": size})).limits
    assert limit.unit == "uV"
    assert limit.high == pytest.approx(0.5)


def test_every_limit_of_a_quantity_is_judged(tmp_path):
    profile = Profile.load(limits(tmp_path, {"max": 5.0}, {"max": 500.0, "unit": "nV"}))
    report = validate("dut:noise_uv=2&channels=2", profile=profile, tests=("V-NOISE",))
    judged = [m.judgement for m in report.outcome("V-NOISE").measurements if m.quantity == "noise_rms"]
    assert judged == [Judgement.PASS, Judgement.FAIL]
    assert report.exit_code == 1


def test_a_value_without_uncertainty_keeps_no_limit(tmp_path):
    entry = {"test": "V-NOISE", "quantity": "noise_density", "unit": "nV/√Hz", "max": 1e6}
    report = validate("dut:channels=2", profile=Profile.load(limits(tmp_path, entry)), tests=("V-NOISE",))
    assert report.outcome("V-NOISE").judgement is Judgement.INCONCLUSIVE


def test_a_limit_whose_value_was_not_measured_is_inconclusive(tmp_path):
    entry = {"test": "V-RATE", "quantity": "allan_100", "unit": "ppm", "max": 100.0}
    path = limits(tmp_path, entry)
    path.write_text(path.read_text() + "[seconds]\ntiming = 20\n")
    report = validate("dut:channels=2", profile=Profile.load(path), tests=("V-RATE",))
    assert report.outcome("V-RATE").judgement is Judgement.INCONCLUSIVE
    assert "allan_100" in report.outcome("V-RATE").reason


def test_a_test_that_breaks_is_an_error_and_the_others_go_on(monkeypatch, tmp_path):
    def broken(_takes, _context):
        raise ZeroDivisionError("planted")

    from bcikit.validation import run as module

    tests = [t for t in module.TESTS if t.test in ("V-NOISE", "V-SKEW")]
    broken_one = __import__("dataclasses").replace(tests[0], compute=broken)
    monkeypatch.setattr(module, "TESTS", (broken_one, tests[1]))
    report = validate("dut:channels=2", out=tmp_path / "out", tests=("V-NOISE", "V-SKEW"))
    assert report.outcome("V-NOISE").judgement is Judgement.ERROR
    assert "ZeroDivisionError: planted" in report.outcome("V-NOISE").reason
    assert report.outcome("V-SKEW").judgement is Judgement.PASS
    assert report.exit_code == 1
    assert "ZeroDivisionError" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<error" in (tmp_path / "out" / "junit.xml").read_text(encoding="utf-8")


def test_what_is_measured_is_declared_with_its_unit():
    report = validate("dut:channels=2&seed=1", profile=Profile.load("research"), tests=("V-NOISE", "V-GAIN", "V-SKEW"))
    for outcome in report.outcomes:
        for measurement in outcome.measurements:
            assert QUANTITIES[outcome.test][measurement.quantity] == measurement.unit


def test_factors():
    assert factor("mV", "uV") == pytest.approx(1000)
    assert factor("µV/min", "uV/min") == pytest.approx(1)
    assert factor("%", "ppm") == pytest.approx(10_000)
    assert factor("dB", "%") is None


def test_no_uncertainty_no_pass():
    from bcikit.validation.results import Limit

    limit = Limit(test="V-NOISE", quantity="noise_rms", high=10.0)
    assert judge(1.0, float("nan"), limit) is Judgement.INCONCLUSIVE
    assert judge(1.0, 0.0, limit) is Judgement.PASS


CLAUSES = """
[[clause]]
clause = "4.1"
title = "Quiet"

[[clause]]
clause = "4.2"
title = "Straight"

[[clause]]
clause = "5"
title = "Safe to touch"
left_out = "a safety tester measures it"
"""


def with_clauses(tmp_path, *entries, text=CLAUSES):
    path = limits(tmp_path, *entries)
    path.write_text(path.read_text() + text)
    return path


def test_each_clause_is_answered_in_result_and_report(tmp_path):
    straight = {"test": "V-GAIN", "quantity": "gain_error", "max": 1.0, "unit": "%", "clause": "4.2"}
    profile = Profile.load(with_clauses(tmp_path, {"clause": "4.1"}, straight))
    report = validate("dut:gain=1.1&channels=2", profile=profile, tests=("V-NOISE", "V-GAIN"), out=tmp_path / "out")
    said = {item["clause"]: item for item in report.to_dict()["clauses"]}
    assert [said[name]["judgement"] for name in ("4.1", "4.2", "5")] == ["PASS", "FAIL", "NOT APPLICABLE"]
    assert said["4.2"]["tests"] == ["V-GAIN"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Clause by clause" in page
    assert "Not by this bench: a safety tester measures it" in page
    assert "NOT MEASURED" in page


def test_a_clause_of_which_a_part_was_not_run_is_not_kept(tmp_path):
    other = {"test": "V-GAIN", "quantity": "gain_error", "max": 1.0, "unit": "%", "clause": "4.1"}
    text = CLAUSES.replace('title = "Straight"', 'title = "Straight"\nleft_out = "by hand"')
    profile = Profile.load(with_clauses(tmp_path, {"clause": "4.1"}, other, text=text))
    report = validate("dut:channels=2", profile=profile, tests=("V-NOISE",))
    answer = report.to_dict()["clauses"][0]
    assert answer["judgement"] == "INCONCLUSIVE"
    assert answer["reason"] == "V-GAIN was not run"


@pytest.mark.parametrize(
    ("entry", "text", "said"),
    [
        ({"clause": "4.9"}, CLAUSES, r"no such \[\[clause\]\]"),
        ({"clause": "4.1"}, CLAUSES, "clause '4.2': no limit answers it, so 'left_out' must say why"),
        ({"clause": 4}, "", "must be a text, in quotes"),
        ({}, CLAUSES + CLAUSES, "stands there twice"),
        ({}, '[[clause]]\nclause = "1"\ntitel = "x"\n', "unknown field 'titel'"),
    ],
)
def test_clauses_that_nobody_could_answer_are_refused(tmp_path, entry, text, said):
    with pytest.raises(ConfigError, match=said):
        Profile.load(with_clauses(tmp_path, entry, text=text))


@pytest.mark.parametrize("name", ["iec", "ifcn", "yyt1996", "research", "brainflow-synthetic"])
def test_a_profile_that_was_written_is_the_profile(name):
    profile = Profile.load(name)
    again = Profile.from_dict(json.loads(json.dumps(profile.to_dict())), "a result", name)
    assert again == replace(profile, durations=dict(profile.durations), expected=again.expected)
    assert {key: list(value) for key, value in profile.expected.items()} == again.expected
    answered = {item.clause for item in profile.limits}
    assert profile.clauses or name in ("research", "brainflow-synthetic")
    assert all(item.clause in answered or item.left_out for item in profile.clauses)
