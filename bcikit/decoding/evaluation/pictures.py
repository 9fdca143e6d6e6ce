"""Pictures of results and of trials, one call each, as matplotlib figures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.evaluation.plots import maps
from bcikit.decoding.trials import Epochs
from bcikit.reporting import COLOURS, figure
from bcikit.signal import DataError, check_channels, check_range

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


def plot_slopes(scores: Mapping[str, Mapping[str, float]], *, metric: str = "accuracy") -> "Figure":
    """Return a line a person from decoder to decoder: whom a difference helps, and whom not.

    Parameters
    ----------
    scores : mapping of str to mapping of str to float
        Decoder to person to value, as `bcikit.decoding.evaluation.statistics.compare` takes them.
    metric : str
        What the values are.

    Raises
    ------
    DataError
        If there are fewer than two decoders, or no person has them all.
    """
    names, people, table = _table(scores)
    made, (axis,) = figure(1.8 + 1.1 * len(names), 3.4)
    places = np.arange(len(names))
    for row in table:
        axis.plot(places, row, "-o", color=COLOURS[5], linewidth=1, markersize=3, alpha=0.7)
    axis.plot(places, table.mean(axis=0), "-o", color=COLOURS[0], linewidth=2.5, markersize=6)
    axis.set_xticks(places, names, rotation=20 if len(names) > 3 else 0)
    axis.set(ylabel=metric, xlim=(-0.3, len(names) - 0.7))
    axis.set_title(f"{len(people)} people and their mean", fontsize=9)
    return made


def plot_critical_difference(scores: Mapping[str, Mapping[str, float]], *, alpha: float = 0.05) -> "Figure":
    """Return mean ranks of decoders over people; a bar joins those that do not differ.

    The critical difference of Nemenyi's test after Friedman's (Demsar 2006, JMLR 7):
    ``q sqrt(k (k + 1) / (6 n))`` for k decoders and n people.

    Parameters
    ----------
    scores : mapping of str to mapping of str to float
        Decoder to person to value; larger is better.
    alpha : float
        Level.

    Raises
    ------
    DataError
        If there are fewer than two decoders, or fewer than two people have them all.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    check_range("alpha", alpha, low=0.0, high=1.0, low_open=True, high_open=True)
    names, people, table = _table(scores)
    if len(people) < 2:
        raise DataError("A critical difference needs two people at least.")
    ranks = rankdata(-table, axis=1).mean(axis=0)
    k = len(names)
    reach = float(studentized_range.ppf(1 - alpha, k, np.inf)) / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * len(people)))
    order = np.argsort(ranks)
    made, (axis,) = figure(6.0, 1.6 + 0.3 * k)
    for line, place in enumerate(order):
        axis.plot([ranks[place]] * 2, [0, -line - 1], color="#888", linewidth=1)
        axis.plot(ranks[place], 0, "o", color=COLOURS[0])
        axis.text(ranks[place] + 0.04, -line - 1, f"{names[place]} ({ranks[place]:.2f})", va="center", fontsize=9)
    level, last = 0.35, -1
    for start in range(k):
        alike = [stop for stop in range(start + 1, k) if ranks[order[stop]] - ranks[order[start]] <= reach]
        if alike and alike[-1] > last:
            last = alike[-1]
            axis.plot([ranks[order[start]], ranks[order[last]]], [level] * 2, color=COLOURS[1], linewidth=4)
            level += 0.35
    axis.plot([1, 1 + reach], [level + 0.5] * 2, "|-", color="#222")
    text = f"critical difference {reach:.2f}, n = {len(people)}"
    if k > 2 and len(np.unique(table)) > 1:
        text += f"; any difference at all (Friedman): p = {friedmanchisquare(*table.T).pvalue:.3g}"
    axis.text(1, level + 0.7, text, fontsize=9, va="bottom")
    axis.set(xlim=(0.8, k + 1.2), ylim=(-k - 0.6, level + 1.6), xlabel="mean rank (1 is best)", yticks=[])
    axis.spines["left"].set_visible(False)
    return made


def plot_erp(trials: Epochs, *, channel: str | None = None) -> "Figure":
    """Return the mean response of each class with its 95 % band over trials.

    Parameters
    ----------
    trials : Epochs
        Cut around the stimulus.
    channel : str, optional
        Which one; the one where classes differ most if left out.
    """
    if channel is None:
        means = np.stack([trials.X[trials.y == name].mean(axis=0) for name in trials.classes])
        channel = trials.ch_names[int(np.ptp(means, axis=0).max(axis=1).argmax())]
    (column,) = check_channels([channel], trials.ch_names, who="plot_erp")
    times = trials.tmin + np.arange(trials.n_times) / trials.sfreq
    made, (axis,) = figure(5.6, 3.3)
    for colour, name in zip(COLOURS, trials.classes, strict=False):
        values = trials.X[trials.y == name, column]
        mean = values.mean(axis=0)
        half = 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0 * mean
        axis.fill_between(times, mean - half, mean + half, color=colour, alpha=0.2, linewidth=0)
        axis.plot(times, mean, color=colour, linewidth=1.5, label=f"{name} ({len(values)})")
    axis.axvline(0.0, color="#888", linewidth=0.8)
    axis.axhline(0.0, color="#888", linewidth=0.8)
    late = f" (filters show all of it {1e3 * trials.delay:.0f} ms late)" if trials.delay else ""
    axis.set(xlabel=f"seconds{late}", ylabel=f"{channel}, {trials.unit}", xlim=(times[0], times[-1]))
    axis.legend(frameon=False, fontsize=8)
    return made


def plot_snr(trials: Epochs, frequencies: Mapping[str, float], *, neighbours: float = 1.0) -> "Figure":
    """Return the spectrum of each class as a ratio to its neighbourhood, with the frequencies looked at.

    Parameters
    ----------
    trials : Epochs
        Flicker that lasts for the whole window.
    frequencies : mapping of str to float
        Class to Hz.
    neighbours : float
        Hz on either side that a line is compared with.
    """
    check_range("neighbours", neighbours, low=0.0, low_open=True, unit="Hz")
    grid = np.fft.rfftfreq(trials.n_times, 1 / trials.sfreq)
    width = max(2, round(neighbours * trials.n_times / trials.sfreq))
    kernel = np.ones(2 * width + 1)
    kernel[width - 1 : width + 2] = 0.0
    window = np.hanning(trials.n_times)
    known = [name for name in frequencies if np.any(trials.y == name)]
    if not known:
        raise DataError(f"No trial is of {', '.join(frequencies)}; the classes are {', '.join(trials.classes)}.")
    made, (axis,) = figure(6.4, 3.3)
    top = min(3.2 * max(frequencies.values()), trials.sfreq / 2)
    shown = (grid >= 3.0) & (grid <= top)
    count = np.convolve(np.ones(len(grid)), kernel, "same")
    for colour, name in zip(COLOURS, known, strict=False):
        power = (np.abs(np.fft.rfft(trials.X[trials.y == name] * window)) ** 2).mean(axis=(0, 1))
        ratio = power / (np.convolve(power, kernel, "same") / count)
        axis.plot(grid[shown], ratio[shown], color=colour, linewidth=1.3, label=name)
        axis.axvline(frequencies[name], color=colour, linestyle=":", linewidth=1)
    axis.axhline(1.0, color="#888", linewidth=0.8)
    axis.set(xlabel="Hz", ylabel=f"power over that within {neighbours:g} Hz", xlim=(3.0, top), yscale="log")
    axis.legend(frameon=False, fontsize=8)
    return made


def plot_erd(trials: Epochs, *, band: tuple[float, float] = (8.0, 13.0), baseline: tuple[float, float]) -> "Figure":
    """Return maps of how much the power of a band changes after the cue, a map a class.

    Event-related desynchronisation (Pfurtscheller and Lopes da Silva 1999): negative where the rhythm goes down.

    Parameters
    ----------
    trials : Epochs
        With the baseline in their window.
    band : (float, float)
        Hz.
    baseline : (float, float)
        First and last second of the time before; what follows its end is compared with it.

    Raises
    ------
    DataError
        If the baseline is not in the window.
    """
    from scipy.signal import butter, sosfiltfilt

    first, last = (round((second - trials.tmin) * trials.sfreq) for second in baseline)
    if not 0 <= first < last < trials.n_times:
        raise DataError(
            f"The baseline {baseline[0]:g} to {baseline[1]:g} s is not in the window "
            f"{trials.tmin:g} to {trials.tmax:g} s."
        )
    sos = butter(4, band, "bandpass", fs=trials.sfreq, output="sos")
    power = sosfiltfilt(sos, trials.X, axis=2) ** 2
    values = {}
    for name in trials.classes:
        mean = power[trials.y == name].mean(axis=0)
        values[name] = 100.0 * (mean[:, last:].mean(axis=1) / mean[:, first:last].mean(axis=1) - 1.0)
    return maps(values, trials, unit=f"{band[0]:g}-{band[1]:g} Hz, % of before")


def _table(scores: Mapping[str, Mapping[str, float]]) -> tuple[list[str], list[str], Array]:
    """Return decoders, people that have them all, and values, shape (n_people, n_decoders)."""
    names = list(scores)
    if len(names) < 2:
        raise DataError("A comparison needs two decoders at least.")
    people = sorted(set.intersection(*(set(scores[name]) for name in names)))
    if not people:
        raise DataError(f"No person has a value of each of {', '.join(names)}.")
    # Equal scores differ by rounding, which must not make ranks of them.
    values = [[float(scores[name][who]) for name in names] for who in people]
    table: Array = np.array(values, dtype=np.float64).round(12)
    if not np.isfinite(table).all():
        raise DataError("Scores must be numbers; some are none.")
    return names, people, table
