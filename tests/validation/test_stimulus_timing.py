import json

import numpy as np
import pytest

from bcikit.presentation.timing import measure_timing
from bcikit.validation.stimulus_timing import judge, validate_timing

FRAMES = {"frames": 990, "dropped": 5, "soa_sd": 0.0005}


def test_limits_are_applied_and_what_was_not_measured_is_said() -> None:
    values = judge(FRAMES, None)
    assert [row["result"] for row in values["tests"]] == ["PASS", "PASS", "NOT MEASURED", "NOT MEASURED"]
    values = judge({"frames": 900, "dropped": 100, "soa_sd": 0.004}, None)
    assert [row["result"] for row in values["tests"]][:2] == ["FAIL", "FAIL"]


def test_a_photodiode_gives_the_correction() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(0, 60, 1 / 500)
    markers = np.arange(1.0, 58.0, 0.6)
    light = np.zeros(times.size)
    for marker in markers + 0.035 + rng.normal(0, 0.001, markers.size):
        light[(times >= marker) & (times < marker + 0.3)] = 1.0
    values = judge(FRAMES, measure_timing(light, times, markers))
    assert values["correction_s"] == pytest.approx(0.035, abs=0.002)
    assert values["tests"][2]["result"] == "PASS"


def test_the_window_is_measured_without_a_photodiode(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    code = validate_timing(tmp_path / "out", n_stimuli=20, as_json=True)
    values = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert code in (0, 1)
    assert values["frames"]["n"] == 20
    assert values["frames"]["frames"] > 100
    assert json.loads(capsys.readouterr().out)["correction_s"] is None
