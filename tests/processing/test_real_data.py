"""Real recordings: alpha of closed eyes and the ERD of imagined movement come out of the example."""

import re
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "alpha_and_erd.py"


@pytest.mark.data
def test_alpha_and_erd_show(data_dir, tmp_path, script) -> None:
    text = script(EXAMPLE, data_dir.resolve() / "eegmmidb", "--out", tmp_path)
    opened, closed = (float(re.search(rf"eyes {state}: peak ([\d.]+)", text).group(1)) for state in ("open", "closed"))
    assert closed > 20
    assert opened < 5
    found = re.findall(r"imagined (\w+) .*?, (C3|C4|Cz): mu ([+-]\d+) %", text)
    mu = {f"{what}/{channel}": int(value) for what, channel, value in found}
    assert mu["fists/C3"] < -50
    assert mu["fists/C4"] < -40
    assert mu["fists/C3"] < mu["feet/C3"] - 40, "hands are desynchronised by fists, not by feet"
    for name in ("alpha.png", "erd.png"):
        assert (tmp_path / name).stat().st_size > 20_000
