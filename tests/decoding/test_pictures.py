"""Each picture is one call on results or trials, and says what it was given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bcikit.decoding import Epochs, plot_critical_difference, plot_erd, plot_erp, plot_slopes, plot_snr
from bcikit.signal import DataError

SCORES = {
    "good": {f"S{k}": 0.9 + 0.001 * k for k in range(12)},
    "middle": {f"S{k}": 0.8 - 0.001 * k for k in range(12)},
    "bad": {f"S{k}": 0.5 + 0.002 * k for k in range(12)},
}


def trials(signal) -> Epochs:
    rng = np.random.default_rng(0)
    y = np.array(["a", "b"])[np.arange(40) % 2]
    times = -1.0 + np.arange(384) / 128.0
    X = rng.standard_normal((40, 2, 384)) + np.stack([signal(label, times) for label in y])[:, None] * [[[0.0], [1.0]]]
    zeros = np.zeros(40, dtype=np.int64)
    return Epochs(
        X=X, y=y, groups=zeros, runs=zeros, samples=np.arange(40) * 400, sfreq=128.0, tmin=-1.0, tmax=2.0,
        ch_names=("Cz", "Pz"),
    )  # fmt: skip


def texts(made: Figure) -> str:
    axes = made.axes
    words = [text.get_text() for axis in axes for text in (*axis.texts, axis.title, axis.xaxis.label, axis.yaxis.label)]
    return " | ".join([*words, *(t.get_text() for axis in axes for t in axis.get_xticklabels())])


def test_slopes_have_a_line_a_person_and_one_for_the_mean():
    made = plot_slopes(SCORES)
    assert len(made.axes[0].lines) == 13
    np.testing.assert_allclose(made.axes[0].lines[-1].get_ydata(), [np.mean(list(v.values())) for v in SCORES.values()])
    with pytest.raises(DataError, match="two decoders"):
        plot_slopes({"good": SCORES["good"]})
    with pytest.raises(DataError, match="No person"):
        plot_slopes({"good": {"a": 1.0}, "bad": {"b": 1.0}})


def test_the_critical_difference_is_demsars():
    said = texts(plot_critical_difference(SCORES))
    # q of three decoders at 5 % is 2.343; 2.343 sqrt(3 * 4 / (6 * 12)) = .957: neighbours do not differ, the ends do.
    assert "critical difference 0.96, n = 12" in said
    assert "good (1.00)" in said
    assert "bad (3.00)" in said
    with pytest.raises(DataError, match="two people"):
        plot_critical_difference({"a": {"x": 1.0}, "b": {"x": 0.5}})


def test_an_erp_shows_the_channel_in_which_classes_differ():
    made = plot_erp(trials(lambda label, t: 5.0 * (label == "b") * np.exp(-(((t - 0.3) / 0.05) ** 2))))
    assert "Pz, uV" in texts(made)
    second = next(line for line in made.axes[0].lines if line.get_label() == "b (20)")
    assert second.get_xdata()[np.argmax(second.get_ydata())] == pytest.approx(0.3, abs=0.03)


def test_a_spectrum_stands_out_at_the_frequency_that_was_looked_at():
    made = plot_snr(
        trials(lambda label, t: 3.0 * np.sin(2 * np.pi * (10.0 if label == "a" else 14.0) * t)), {"a": 10.0, "b": 14.0}
    )
    for name, goal in (("a", 10.0), ("b", 14.0)):
        line = next(line for line in made.axes[0].lines if line.get_label() == name)
        assert line.get_xdata()[np.argmax(line.get_ydata())] == pytest.approx(goal, abs=0.5)
    with pytest.raises(DataError, match="the classes are a, b"):
        plot_snr(trials(lambda label, t: 0.0 * t), {"c": 9.0})


def test_a_map_says_by_how_much_a_rhythm_goes_down():
    def rhythm(label, t):
        return 8.0 * np.sin(2 * np.pi * 10.0 * t) * np.where((label == "b") & (t > 0), 0.5, 1.0)

    made = plot_erd(trials(rhythm), baseline=(-0.9, 0.0))
    heights = {axis.get_title(): [bar.get_height() for bar in axis.patches] for axis in made.axes}
    assert heights["b"][1] == pytest.approx(-75.0, abs=6.0)
    assert abs(heights["a"][1]) < 6.0
    with pytest.raises(DataError, match="not in the window"):
        plot_erd(trials(rhythm), baseline=(-3.0, 0.0))


def test_names_of_classes_in_chinese_are_letters_and_no_boxes():
    from matplotlib.font_manager import fontManager

    from bcikit.decoding.evaluation.plots import confusion_plot
    from bcikit.reporting import data_url
    from bcikit.reporting.figures import CHINESE

    if not {one.name for one in fontManager.ttflist} & set(CHINESE):
        pytest.skip("Matplotlib knows no font with Chinese letters here")
    # A letter that no font has is a warning, and a warning is an error.
    assert data_url(confusion_plot(np.eye(2), ("左手", "右手"))).startswith("data:image/png")
