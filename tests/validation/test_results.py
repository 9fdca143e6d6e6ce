"""Limits and uncertainty: what is judged how, and how it is written."""

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bcikit.signal import ArgumentError, ConfigError
from bcikit.validation import Judgement, Limit, Measurement, Profile, profile_names, setups, validate
from bcikit.validation.junit import junit
from bcikit.validation.quantities import DURATIONS
from bcikit.validation.results import judge, worst


@pytest.mark.parametrize(
    ("value", "uncertainty", "expected"),
    [
        (0.5, 0.1, Judgement.PASS),
        (0.95, 0.1, Judgement.INCONCLUSIVE),
        (1.05, 0.1, Judgement.INCONCLUSIVE),
        (1.2, 0.1, Judgement.FAIL),
        (1.0, 0.0, Judgement.PASS),
        (math.nan, 0.1, Judgement.INCONCLUSIVE),
        (math.inf, 0.1, Judgement.FAIL),
        (-1.2, 0.1, Judgement.FAIL),
    ],
)
def test_the_limit_needs_the_whole_interval_on_one_side(value, uncertainty, expected):
    limit = Limit(test="V-GAIN", quantity="gain_error", low=-1, high=1, unit="%")
    assert judge(value, uncertainty, limit) is expected


def test_one_failure_fails_the_whole():
    assert worst([Judgement.PASS, Judgement.INCONCLUSIVE]) is Judgement.INCONCLUSIVE
    assert worst([Judgement.INCONCLUSIVE, Judgement.FAIL, Judgement.PASS]) is Judgement.FAIL
    assert worst([]) is Judgement.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [(1.02347, 0.0012, "1.0235 ± 0.0012 uV"), (120.04, 2.1, "120.0 ± 2.1 uV"), (3.0, math.nan, "3 uV")],
)
def test_values_are_rounded_as_their_uncertainty_allows(value, uncertainty, text):
    assert Measurement(quantity="q", label="", value=value, unit="uV", uncertainty=uncertainty).text() == text


def test_every_shipped_profile_names_tests_that_exist_and_a_source_for_each_limit():
    from bcikit.validation import TESTS

    known = {test.test for test in TESTS}
    assert {"research", "iec", "ifcn", "brainflow-synthetic"} <= set(profile_names())
    for name in profile_names():
        profile = Profile.load(name)
        assert profile.limits
        for limit in profile.limits:
            assert limit.test in known
            assert limit.source


def test_a_broken_profile_lists_everything_that_is_wrong(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'titel = "x"\n[seconds]\nnoise = -1\n[instruments]\ngain = 1\n[[limit]]\ntest = "V-GAIN"\nmaximum = 3\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        Profile.load(path)
    text = str(caught.value)
    for word in ("titel", "seconds.noise", "instruments.gain", "maximum", "quantity", "needs min"):
        assert word in text
    with pytest.raises(ConfigError, match="no such file"):
        Profile.load(tmp_path / "none.toml")
    with pytest.raises(ArgumentError, match="research"):
        Profile.load("reserch")


def test_what_a_run_leaves_behind(tmp_path):
    import hashlib
    import json

    path = tmp_path / "quick.toml"
    path.write_text(
        'title = "Quick"\ntests = ["V-GAIN", "V-BIO"]\n[seconds]\nsine = 2\n'
        '[[limit]]\ntest = "V-GAIN"\nquantity = "gain_error"\nmin = -1\nmax = 1\nunit = "%"\nsource = "us"\n',
        encoding="utf-8",
    )
    out = tmp_path / "out"
    report = validate("dut:gain=1.1&channels=2", profile=Profile.load(path), out=out)
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert result["judgement"] == "FAIL"
    assert result["counts"]["NOT APPLICABLE"] == 1
    for name, digest in report.files.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    suite = ElementTree.parse(out / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert junit(report) == (out / "junit.xml").read_text(encoding="utf-8")
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in html
    assert "V-GAIN" in html
    assert "http" not in html.replace("http-equiv", "")


def test_the_budget_of_each_value_names_what_makes_up_its_uncertainty():
    tests = (
        "V-GAIN",
        "V-THD",
        "V-CMRR",
        "V-SKEW",
        "V-OFFS",
        "V-SETTLE",
        "V-IMP",
        "V-RATE",
        "V-TRIG",
        "V-DRIFT",
        "V-NOISE",
    )
    durations = {"noise": 5, "timing": 20, "trigger": 20, "drift": 20, "offset_step_mv": 100, "sine": 2, "offset": 1}
    profile = replace(Profile.load("research"), durations=durations)
    report = validate("dut:channels=2&clock_ppm=100&drift_uv_min=30", profile=profile, tests=tests)
    named = 0
    for item in (m for outcome in report.outcomes for m in outcome.measurements):
        budget = item.contributions()
        if not np.isfinite(item.uncertainty) or item.uncertainty <= 0:
            continue
        named += len(budget) > 1
        total = np.sqrt(sum(u**2 for _, u in budget))
        assert 2 * total == pytest.approx(item.uncertainty, rel=0.02), (item.quantity, budget, item.uncertainty)
    assert named >= 10


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[seconds]\nnoize = 600", r"seconds\.noize: nothing is recorded under this name; did you mean 'noise'"),
        ("[expected]\nsquares = [1, 2]", r"expected\.squares: nothing is compared with it; did you mean 'square'"),
        ("[expected]\nsquare = [1875.0]", r"expected\.square: .* must be 2 numbers"),
        ("[expected]\nrms = [0.0]", r"expected\.rms: .* not 0"),
        ("[expected]\nfrequency = [5.0]", "frequency, rms and dc belong together"),
        ("[expected]\nfrequency = [5.0, 6.0]\nrms = [1.0]\ndc = [1.0]", "frequency, rms and dc belong together"),
    ],
)
def test_what_a_profile_says_and_nothing_reads_is_refused(tmp_path, text, told):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        Profile.load(path)


def test_every_length_of_a_recording_may_be_stated_and_no_other():
    used = set()
    for path in Path(setups.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r'profile\.seconds\("(\w+)"|one\("[a-z-]+", "(\w+)"', text))
    assert {first or second for first, second in used} == set(DURATIONS)
