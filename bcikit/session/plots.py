"""Pictures of the report, as PNG inside the page: one file that can be mailed and opened anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.reporting import COLOURS, data_url, figure


def confusion_plot(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Return the confusion matrix; the last column holds trials without a decision."""
    counts = np.asarray(confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [*classes, "none"]
    made, (axis,) = figure(1.6 + 0.9 * len(names), 1.2 + 0.7 * len(classes))
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        colour = "white" if shares[row, column] > 0.55 else "#222"
        axis.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", color=colour)
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(len(classes)), classes)
    axis.set(xlabel="decided", ylabel="asked for")
    axis.spines[:].set_visible(False)
    return data_url(made)


def accuracy_plot(trials: Sequence[Mapping[str, Any]], chance: float, chance_upper: float | None) -> str:
    """Return the accuracy as it grew over the trials, with the guesser's 95 % bound at each count."""
    from bcikit.decoding.chance import guesser_bound

    hits = np.array([trial.get("predicted") == trial.get("class") for trial in trials], dtype=float)
    counts = np.arange(1, len(hits) + 1)
    made, (axis,) = figure(7.0, 2.8)
    bounds = [guesser_bound(int(n), chance) for n in counts]
    axis.fill_between(counts, 0, bounds, color="#888", alpha=0.18, lw=0, label="a guesser, 95 %")
    axis.axhline(chance, color="#888", lw=1, ls="--")
    axis.plot(counts, np.cumsum(hits) / counts, color=COLOURS[0], label="accuracy so far")
    axis.scatter(counts, np.where(hits > 0, 1.03, -0.03), s=12, c=np.where(hits > 0, COLOURS[2], COLOURS[1]))
    axis.set(xlabel="trial", ylabel="accuracy", ylim=(-0.06, 1.06), xlim=(0.5, len(hits) + 0.5))
    axis.legend(loc="lower right", frameon=False, fontsize=8)
    if chance_upper is not None:
        axis.set_title(f"above {chance_upper:.0%} a guesser is unlikely", fontsize=9, loc="right", color="#555")
    return data_url(made)


def erd_plot(
    times: NDArray[np.float64], curves: Mapping[str, NDArray[np.float64]], channels: Sequence[str], band_name: str
) -> str:
    """Return one panel a channel with one curve a class."""
    made, axes = figure(2.6 * len(channels) + 0.8, 2.8, columns=len(channels))
    for column, (name, axis) in enumerate(zip(channels, np.atleast_1d(axes), strict=True)):
        for colour, (label, values) in zip(COLOURS, curves.items(), strict=False):
            axis.plot(times, values[column], color=colour, label=label)
        axis.axhline(0, color="#999", lw=0.8)
        axis.axvline(0, color="#999", lw=0.8, ls=":")
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("s from the cue")
        axis.set_ylim(-100, 150)
        if column == 0:
            axis.set_ylabel(f"{band_name} power, % change")
            axis.legend(frameon=False, fontsize=8)
    return data_url(made)


def erd_map(
    values: Mapping[str, NDArray[np.float64]], positions: NDArray[np.float64], ch_names: Sequence[str]
) -> str | None:
    """Return a head map a class of percent change; None where fewer than eight positions are known.

    Parameters
    ----------
    values : mapping of str to ndarray, shape (n_channels,)
        Percent change for each class; channels that have none (NaN) are left out.
    positions : ndarray, shape (n_channels, 3)
        Metres, head coordinates.
    """
    import mne

    known = np.asarray(np.isfinite(np.column_stack([positions, *values.values()])).all(axis=1))
    if known.sum() < 8 or not values:
        return None
    names = [name for name, good in zip(ch_names, known.tolist(), strict=True) if good]
    info = mne.create_info(names, 100.0, "eeg", verbose="ERROR")
    located = dict(zip(names, positions[known], strict=True))
    info.set_montage(mne.channels.make_dig_montage(located, coord_frame="head"), verbose="ERROR")
    made, axes = figure(2.6 * len(values) + 0.9, 2.7, columns=len(values))
    limit = float(np.clip(np.abs(np.stack(list(values.values()))[:, known]).max(), 20, 100))
    image: Any = None
    for axis, (label, row) in zip(np.atleast_1d(axes), values.items(), strict=True):
        image, _ = mne.viz.plot_topomap(
            np.clip(row[known], -limit, limit), info, axes=axis, show=False, cmap="RdBu_r", vlim=(-limit, limit)
        )
        axis.set_title(label, fontsize=10)
    made.colorbar(image, ax=list(np.atleast_1d(axes)), shrink=0.7, label="% change")
    return data_url(made)


@dataclass(frozen=True, slots=True)
class Curve:
    """What changed over a session."""

    times: Sequence[float]
    values: Sequence[float]
    label: str
    steps: bool = False


def course_plot(
    curves: Sequence[Curve],
    *,
    xlabel: str,
    ylabel: str,
    lines: Mapping[str, float] | None = None,
    ylim: tuple[float, float] | None = None,
) -> str:
    """Return curves over time, with levels that mean something as dashed lines."""
    made, (axis,) = figure(7.0, 2.6)
    for colour, curve in zip(COLOURS, curves, strict=False):
        style = "steps-post" if curve.steps else "default"
        axis.plot(curve.times, curve.values, color=colour, label=curve.label, drawstyle=style)
    for colour, (name, level) in zip(COLOURS[4:0:-3] * 4, (lines or {}).items(), strict=False):
        axis.axhline(level, color=colour, lw=1, ls="--", label=name)
    axis.set(xlabel=xlabel, ylabel=ylabel, **({} if ylim is None else {"ylim": ylim}))
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return data_url(made)


def bars(counts: Mapping[str, int], *, colour: str = COLOURS[1]) -> str:
    """Return horizontal bars, largest first."""
    names = list(counts)[::-1]
    made, (axis,) = figure(7.0, 0.7 + 0.32 * len(names))
    axis.barh(names, [counts[name] for name in names], color=colour, height=0.6)
    for place, name in enumerate(names):
        axis.text(counts[name], place, f" {counts[name]}", va="center", fontsize=8)
    axis.margins(x=0.12)
    axis.set_xlabel("times")
    return data_url(made)
