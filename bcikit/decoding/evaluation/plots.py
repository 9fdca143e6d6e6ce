"""Pictures of an evaluation, as matplotlib figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.evaluation.run import TaskResult
from bcikit.decoding.evaluation.transfer import TransferCurve
from bcikit.decoding.trials import Epochs
from bcikit.reporting import COLOURS, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


def overview(result: TaskResult) -> "Figure":
    """Return bars of every decoder under every split, with what others reached as lines."""
    decoders = list(result.results)
    splits = list(dict.fromkeys(split for found in result.results.values() for split in found))
    made, (axis,) = figure(1.6 + 1.15 * max(len(decoders), 3), 3.3)
    width = 0.8 / len(splits)
    for number, split in enumerate(splits):
        places = [i + (number - (len(splits) - 1) / 2) * width for i in range(len(decoders))]
        means = [result.results[d][split].mean if split in result.results[d] else 0.0 for d in decoders]
        axis.bar(places, means, width=width * 0.92, color=COLOURS[number % len(COLOURS)], label=split)
        for place, decoder in zip(places, decoders, strict=True):
            if split in result.results[decoder]:
                values = list(result.results[decoder][split].values.values())
                axis.plot([place] * len(values), values, ".", color="#222", markersize=3, alpha=0.6)
    chance = next(iter(next(iter(result.results.values())).values())).guessing
    axis.axhline(0.5 if result.task.metric == "auc" else chance, color="#888", linestyle=":", linewidth=1)
    axis.set_xticks(range(len(decoders)), decoders, rotation=20 if len(decoders) > 3 else 0)
    axis.set(ylim=(0, 1.02), ylabel="AUC" if result.task.metric == "auc" else "accuracy")
    axis.legend(loc="lower right", fontsize=8)
    return made


def confusion_plot(counts: Array, classes: Sequence[str]) -> "Figure":
    """Return a confusion matrix, shares of each row as colour."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    made, (axis,) = figure(1.8 + 0.8 * len(classes), 1.4 + 0.6 * len(classes))
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        colour = "white" if shares[row, column] > 0.55 else "#222"
        axis.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", color=colour)
    axis.set_xticks(range(len(classes)), classes, rotation=20 if len(classes) > 3 else 0)
    axis.set_yticks(range(len(classes)), classes)
    axis.set(xlabel="decided", ylabel="true")
    axis.spines[:].set_visible(False)
    return made


def reliability_plot(rows: Sequence[dict[str, Any]], error: float) -> "Figure":
    """Return how often decisions were right against how sure they were."""
    made, (axis,) = figure(3.6, 3.3)
    axis.plot([0, 1], [0, 1], color="#888", linestyle=":", linewidth=1)
    sizes = [10 + 160 * row["count"] / max(r["count"] for r in rows) for row in rows]
    x, y = [row["confidence"] for row in rows], [row["accuracy"] for row in rows]
    axis.plot(x, y, color=COLOURS[0], linewidth=1)
    axis.scatter(x, y, s=sizes, color=COLOURS[0])
    axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability said", ylabel="share that was right")
    axis.set_title(f"expected calibration error {error:.3f}", fontsize=9)
    return made


def coverage_plot(rows: Sequence[dict[str, float]]) -> "Figure":
    """Return how many decisions are right where the least sure ones are rejected, against the share that is left."""
    made, (axis,) = figure(3.6, 3.3)
    axis.plot(
        [row["coverage"] for row in rows], [row["accuracy"] for row in rows], "o-", color=COLOURS[0], markersize=3
    )
    axis.set(xlim=(1.02, 0), ylim=(0, 1.02), xlabel="share that is decided", ylabel="share of it that was right")
    return made


def learning_plot(curves: Sequence[Sequence[dict[str, float]]], chance: float) -> "Figure":
    """Return learning curves, one a person, and their mean where they share sizes."""
    made, (axis,) = figure(4.2, 3.3)
    for curve in curves:
        axis.plot([p["trials"] for p in curve], [p["accuracy"] for p in curve], color=COLOURS[5], linewidth=1)
    sizes = sorted(set.intersection(*({p["trials"] for p in curve} for curve in curves)))
    means = [np.mean([p["accuracy"] for curve in curves for p in curve if p["trials"] == size]) for size in sizes]
    axis.plot(sizes, means, "o-", color=COLOURS[0], linewidth=2)
    axis.axhline(chance, color="#888", linestyle=":", linewidth=1)
    axis.set(ylim=(0, 1.02), xlabel="training trials a class", ylabel="held-out accuracy")
    return made


def transfer_plot(curve: TransferCurve) -> "Figure":
    """Return accuracy against own labelled trials, a line a way with its confidence band over people."""
    made, (axis,) = figure(5.2, 3.6)
    sizes = np.array(curve.sizes, dtype=float)
    for colour, way in zip(COLOURS, curve.values, strict=False):
        bands = [curve.band(way, place) for place in range(len(sizes))]
        known = [place for place, band in enumerate(bands) if band is not None]
        rows = np.array([band for band in bands if band is not None])
        if not known:
            continue
        axis.fill_between(sizes[known], rows[:, 1], rows[:, 2], color=colour, alpha=0.15, linewidth=0)
        axis.plot(sizes[known], rows[:, 0], "o-", color=colour, linewidth=1.5, markersize=3, label=way)
    axis.set(ylim=(0, 1.02), xlabel="own labelled trials a class", ylabel=curve.metric)
    axis.legend(fontsize=7, frameon=False, loc="lower right")
    return made


def maps(values: dict[str, Array], trials: Epochs, *, unit: str) -> "Figure":
    """Return topographic maps of named values a channel, or bars where fewer than eight positions are known."""
    positions = np.full((len(trials.ch_names), 3), np.nan)
    if trials.positions is not None:
        positions = np.asarray(trials.positions, dtype=np.float64)
    known = np.isfinite(positions).all(axis=1)
    made, axes = figure(2.3 * len(values) + 0.8, 2.7, columns=len(values))
    limit = max(float(np.abs(v).max()) for v in values.values()) or 1.0
    if known.sum() >= 8:
        import mne

        info = mne.create_info([n for n, k in zip(trials.ch_names, known, strict=True) if k], trials.sfreq, "eeg")
        located = {n: p for n, p, k in zip(trials.ch_names, positions, known, strict=True) if k}
        info.set_montage(mne.channels.make_dig_montage(located, coord_frame="head"))
        image: Any = None
        for axis, (name, value) in zip(axes, values.items(), strict=True):
            image, _ = mne.viz.plot_topomap(
                value[known], info, axes=axis, show=False, vlim=(-limit, limit), cmap="RdBu_r", sensors=True
            )
            axis.set_title(name, fontsize=9)
        made.colorbar(image, ax=axes, shrink=0.7, label=unit)
        return made
    for axis, (name, value) in zip(axes, values.items(), strict=True):
        axis.bar(range(len(value)), value, color=COLOURS[0])
        axis.set_xticks(range(len(value)), trials.ch_names, fontsize=7, rotation=30)
        axis.set_ylim(min(0.0, -limit * (min(float(v.min()) for v in values.values()) < 0)), limit)
        axis.set_title(name, fontsize=9)
    axes[0].set_ylabel(unit)
    return made
