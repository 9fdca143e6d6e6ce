"""A picture for each example of the gallery: what it looks at, on a simulated person."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import bcikit
from bcikit.decoding import Model, OnlineDecoder, cross_validate, epochs, make_decoder, plot_erd
from bcikit.decoding.evaluation.plots import confusion_plot, coverage_plot, reliability_plot
from bcikit.decoding.metrics import confusion, coverage, ece, reliability
from bcikit.processing import Bandpass, BandPower, Notch, Pipeline
from bcikit.reporting import COLOURS, figure
from bcikit.signal import Event, Recording, StreamInfo
from bcikit.simulation import TwinSettings
from bcikit.simulation.fit import live_through

HANDS = ["left_hand", "right_hand"]
TARGETS = {"13 Hz": 13.0, "17 Hz": 17.0, "21 Hz": 21.0}


def simulated(address: str) -> Recording:
    """Return what a simulated person gives."""
    with bcikit.open_source(address) as source:
        chunks = list(source)
        return Recording.from_chunks(source.info, chunks)


def write_pictures(folder: Path) -> dict[str, str]:
    """Write a PNG of each example, and return the name of each one's file."""
    folder.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        draw().savefig(folder / f"{name}.png")
    return {name: f"{name}.png" for name in PICTURES}


@cache
def _imagery() -> Recording:
    """Return a run of a simulated person: imagined left and right hands, 3 s each, rest between."""
    sfreq, names = 125.0, ("left_hand", "right_hand")
    onsets = 3.0 + 7.0 * np.arange(30)
    marks = [
        Event(name=names[k % 2], time=t, sample=round(t * sfreq), duration=3.0) for k, t in enumerate(onsets.tolist())
    ]
    marks += [Event(name="trial/end", time=t + 3.0, sample=round((t + 3.0) * sfreq)) for t in onsets.tolist()]
    info = StreamInfo(name="plan", sfreq=sfreq, ch_names=("FC3", "FC4", "C3", "Cz", "C4", "CP3", "CPz", "CP4"))
    empty = Recording.from_arrays(info, np.zeros((round(215.0 * sfreq), 8)), events=tuple(marks))
    return live_through(empty, TwinSettings(ability=0.7), cues={name: name for name in names}, seed=1)


@cache
def _scores() -> Any:
    trials = epochs(Bandpass(8, 30).apply(_imagery()), events=HANDS, tmin=0.5, tmax=3.0)
    return cross_validate(make_decoder("csp-lda", sfreq=trials.sfreq), trials)


def band_power() -> Any:
    """Return alpha power over time."""
    recording = simulated("sim:rest?seed=1&schedule=1&duration=60")
    steps = Pipeline([Notch(50), BandPower(bands={"alpha": (8, 12)}, window=2.0, hop=0.5)])
    power = steps.apply(recording)
    made, (axis,) = figure(5.0, 3.0)
    axis.plot(power.times - recording.times[0], power.data.mean(axis=1), color=COLOURS[0])
    axis.set(xlabel="seconds", ylabel=f"alpha power ({power.info.unit})")
    return made


def alpha_and_erd() -> Any:
    """Return maps of the desynchronisation."""
    wide = epochs(_imagery(), events=HANDS, tmin=-2.0, tmax=3.0)
    return plot_erd(wide, band=(8, 13), baseline=(-2.0, 0.0))


def decode_file() -> Any:
    """Return the confusion matrix of held-out trials."""
    scores = _scores()
    counts = confusion(scores.y_true, scores.y_pred, scores.classes)
    return confusion_plot(np.asarray(counts), list(scores.classes))


def online_ssvep() -> Any:
    """Return how sure each target is, decision by decision."""
    made, (axis,) = figure(5.0, 3.0)
    with bcikit.open_source("sim:ssvep?seed=1&schedule=1&duration=60") as source:
        fbcca = make_decoder("fbcca", sfreq=source.info.sfreq, frequencies=TARGETS)
        model = Model.untrained(fbcca, source.info, seconds=2.0)
        steps = Pipeline([Bandpass(5, 45)])
        found = [
            one for one in OnlineDecoder(model, source.info, every=0.5, pipeline=steps).run(source) if one.probabilities
        ]
    times = np.array([one.time for one in found])
    for place, name in enumerate(found[0].classes):
        axis.plot(times - times[0], [one.probabilities[place] for one in found], color=COLOURS[place], label=name)
    axis.set(xlabel="seconds", ylabel="probability", ylim=(0, 1.02))
    axis.legend(fontsize=8, frameon=False)
    return made


def own_paradigm() -> Any:
    """Return how sure the decisions were, and how often right."""
    scores = _scores()
    rows = reliability(scores.y_index, scores.probabilities)
    return reliability_plot(rows, ece(scores.y_index, scores.probabilities))


def pseudo_online() -> Any:
    """Return what rejecting unsure decisions gives."""
    scores = _scores()
    return coverage_plot(coverage(scores.y_index, scores.probabilities))


def realism() -> Any:
    """Return the spectrum of a simulated person."""
    from scipy.signal import welch

    recording = simulated("sim:rest?seed=1&schedule=1&duration=60")
    at, power = welch(recording.data, recording.info.sfreq, nperseg=round(2 * recording.info.sfreq), axis=0)
    made, (axis,) = figure(5.0, 3.0)
    axis.semilogy(at[at <= 45], power[at <= 45], linewidth=0.8)
    axis.set(xlabel="Hz", ylabel="uV²/Hz")
    return made


def record_and_replay() -> Any:
    """Return a few seconds of a recording with its events."""
    return _imagery()[10:25].plot()


PICTURES: dict[str, Callable[[], Any]] = {
    one.__name__: one
    for one in (
        alpha_and_erd, band_power, decode_file, online_ssvep, own_paradigm, pseudo_online, realism, record_and_replay
    )
}  # fmt: skip
