"""Each curve of the report is drawn with what was measured, named and in its unit."""

import base64
from typing import Any

import numpy as np
import pytest

from bcikit.validation import Judgement, figures
from bcikit.validation.results import Outcome

NAMES = ["C3", "C4"]
HZ = [1.0, 5.0, 50.0]
# Curve, what of it is seen on the vertical axis, and the label of that axis.
CURVES: dict[str, tuple[dict[str, Any], list[list[float]], str]] = {
    "linearity": (
        {"applied": HZ, "deviation": [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], "names": NAMES},
        [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]],
        "Deviation (% of full scale)",
    ),
    "response": ({"hz": HZ, "db": [[-1.0, 0.0, -3.0]]}, [[-1.0, 0.0, -3.0]], "Response against 5 Hz (dB)"),
    "step": ({"ms": [0.0, 1.0], "uv": [-50.0, 50.0]}, [[-50.0, 50.0]], "Mean of the channels (uV)"),
    "skew": ({"names": NAMES, "ms": [0.0, 1.5]}, [[0.0, 1.5]], "Time against the first (ms)"),
    "offset": (
        {"mv": [-300.0, 300.0], "change": [[-1.0, -2.0], [1.0, 2.0]], "names": NAMES},
        [[-1.0, 1.0], [-2.0, 2.0]],
        "Change of the gain (%)",
    ),
    "impedance": ({"ohms": [1e3, 1e4], "ratio": [[1.02, 1.0], [0.99, 1.0]]}, [[2.0, -1.0], [0.0, 0.0]], "Error (%)"),
    "drift": ({"minutes": [0, 1], "uv": [[0.0, 7.0]]}, [[0.0, 7.0]], "Mean of a second (uV)"),
    "phantom": (
        {"seconds": [0, 1], "played": [1.0, 2.0], "measured": [1.1, 2.1]},
        [[1.0, 2.0], [1.1, 2.1]],
        "1 to 20 Hz (uV)",
    ),
    "known": (
        {"names": NAMES, "rms": [10.1, 20.0], "dc": [5.0, 4.0], "expected": {"rms": [10.0, 20.0], "dc": [5.0, 5.0]}},
        [[1.0, 0.0], [0.0, -20.0]],
        "Against the documented value (%)",
    ),
}
# Of bars: their upper or lower ends.
BARS: dict[str, tuple[dict[str, Any], list[float], str]] = {
    "distortion": ({"order": [2, 3], "db": [-80.0, -95.0], "name": "C4"}, [-80.0, -95.0], "dB against the fundamental"),
    "cmrr": ({"names": NAMES, "db": [80.0, 95.0]}, [80.0, 95.0], "Common-mode rejection (dB)"),
    "jitter": ({"ms": [-1.0, 0.0, 1.0], "counts": [3, 4]}, [3.0, 4.0], "Count"),
    "trigger": ({"ms": [-1.0, 0.0, 1.0], "counts": [3, 4]}, [3.0, 4.0], "Count"),
    "e2e": ({"ms": [20.0, *[40.0] * 3]}, [1.0, *[0.0] * 18, 3.0], "Count"),
}


def drawn(name: str, curve: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the axes of a figure as a report has them."""
    kept: list[Any] = []
    made = figures.data_url
    monkeypatch.setattr(figures, "data_url", lambda figure: (kept.append(figure), made(figure))[1])
    outcome = Outcome(test="V", title="V", judgement=Judgement.REPORT, curves={name: curve, "left": {}})
    ((caption, picture),) = figures.figures(outcome)
    assert caption == figures._CAPTIONS[name]
    assert base64.b64decode(picture.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    return kept[0].axes


@pytest.mark.parametrize("name", CURVES)
def test_lines_are_the_values(monkeypatch, name):
    curve, shown, label = CURVES[name]
    axes = drawn(name, curve, monkeypatch)[0]
    assert axes.get_ylabel() == label
    lines = [list(line.get_ydata()) for line in axes.get_lines()][: len(shown)]
    np.testing.assert_allclose(lines, shown, atol=1e-9)
    if "names" in curve and name not in ("linearity", "offset"):
        assert [text.get_text() for text in axes.get_xticklabels()] == NAMES


@pytest.mark.parametrize("name", BARS)
def test_bars_are_the_values(monkeypatch, name):
    curve, shown, label = BARS[name]
    axes = drawn(name, curve, monkeypatch)[0]
    assert label in axes.get_ylabel()
    np.testing.assert_allclose([bar.get_y() + bar.get_height() for bar in axes.patches], shown, atol=1e-9)


def test_the_crosstalk_of_each_pair_is_a_field_and_a_channel_upon_itself_none(monkeypatch):
    axes, bar = drawn("crosstalk", {"names": NAMES, "db": [[None, -60.0], [-70.0, None]]}, monkeypatch)
    np.testing.assert_array_equal(np.ma.filled(axes.get_images()[0].get_array(), 0.0), [[0.0, -60.0], [-70.0, 0.0]])
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("Idle channel", "Driven channel", "dB")
