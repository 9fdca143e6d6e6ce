"""The page of an evaluation: one HTML file with everything in it."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bcikit.decoding.chance import guessing
from bcikit.decoding.evaluation import plots
from bcikit.decoding.evaluation.patterns import patterns
from bcikit.decoding.evaluation.pictures import plot_critical_difference, plot_erp, plot_slopes, plot_snr
from bcikit.decoding.evaluation.run import TaskResult
from bcikit.decoding.evaluation.splits import definition
from bcikit.decoding.evaluation.task import SubjectTrials
from bcikit.decoding.learning import enough_trials, learning_curve
from bcikit.decoding.metrics import confusion, coverage, ece, reliability
from bcikit.decoding.registry import make_decoder
from bcikit.decoding.scores import together
from bcikit.decoding.sheet import now_utc, package_versions
from bcikit.decoding.trials import Epochs
from bcikit.reporting import data_url, render
from bcikit.signal import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, eq=False)
class PageSection:
    """A task's part of the page."""

    result: TaskResult
    rows: list[dict[str, Any]]
    splits: list[str]
    references: list[dict[str, Any]]
    pictures: list[tuple[str, str, str]]
    notes: list[str]


def make_section(result: TaskResult, data: Sequence[SubjectTrials]) -> PageSection:
    """Return a task's part: table, references, pictures."""
    splits = list(dict.fromkeys(split for found in result.results.values() for split in found))
    rows = [
        {
            "decoder": decoder,
            "recommended": decoder == result.task.recommended,
            "cells": [_cell(result, decoder, split) for split in splits],
        }
        for decoder in result.results
    ]
    references = []
    for ref in result.task.references:
        value, met = result.check(ref)
        references.append({"ref": ref, "value": value, "met": met})
    notes = sorted({n for found in result.results.values() for s in found.values() for x in s.scores for n in x.notes})
    notes += [f"{key}: {text}" for key, text in result.failures.items()]
    if result.left_out:
        notes.append(f"{result.left_out} trials left out (bad samples, peaks, edges of the recording)")
    pictures, missing = _pictures(result, data)
    return PageSection(result, rows, splits, references, pictures, notes + missing)


def write_page(path: Path, sections: Sequence[PageSection], *, title: str) -> Path:
    """Write the page and return its path."""
    text = render(
        "bcikit.decoding.evaluation",
        "evaluation.html",
        title=title,
        sections=sections,
        split_notes={split: definition(split) for section in sections for split in section.splits},
        made=f"{now_utc()}; " + ", ".join(f"{k} {v}" for k, v in package_versions().items()) + f"; {platform.system()}",
    )
    path.write_text(text, encoding="utf-8")
    return path


def _cell(result: TaskResult, decoder: str, split: str) -> dict[str, Any] | None:
    found = result.results[decoder].get(split)
    if found is None:
        return None
    values = list(found.values.values())
    errors = [score.ece for score in found.scores]
    perfect = [score.ece_expected[0] for score in found.scores]
    return {
        "mean": found.mean,
        "spread": float(np.std(values)) if len(values) > 1 else None,
        "chance": found.chance_upper,
        "ece": float(np.mean(errors)),
        "ece_if_perfect": float(np.mean(perfect)),
    }


def _pictures(result: TaskResult, data: Sequence[SubjectTrials]) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Return heading, picture and what to see, for the recommended decoder or the first; and what cannot be drawn."""
    if not result.results:
        return [], []
    shown = result.task.recommended if result.task.recommended in result.results else next(iter(result.results))
    order = ("cross-session", "leave-run-out", "cross-subject", "shuffled")
    split = next((name for name in order if name in result.results[shown]), next(iter(result.results[shown])))
    scores = result.results[shown][split].scores
    classes, index, probabilities = together(scores)
    pictures = [
        ("Decoders and splits", data_url(plots.overview(result)), "Dots are people; the dotted line is chance.")
    ]
    counts = sum(confusion(s.y_true, s.y_pred, classes) for s in scores)
    pictures.append((f"Confusion: {shown}", data_url(plots.confusion_plot(np.asarray(counts), classes)), split))
    pictures.append(
        (
            f"Reliability: {shown}",
            data_url(plots.reliability_plot(reliability(index, probabilities), ece(index, probabilities))),
            "Points on the line: the probability means what it says. Larger points hold more trials.",
        )
    )
    pictures.append(
        (
            f"Reject: {shown}",
            data_url(plots.coverage_plot(coverage(index, probabilities))),
            "What a higher 'reject' would give: fewer decisions, more of them right.",
        )
    )
    # The first person with as many classes as anybody.
    one = max(data, key=lambda person: len(person.trials.classes))
    pictures += _learning(result, data, shown, guessing(list(one.trials.counts().values())))
    missing = []
    drawn = (
        (f"Patterns: person {one.subject}", _maps, "Where the signal comes from."),
        (f"Signals: person {one.subject}", _signals, "One person."),
    )
    for heading, draw, text in drawn:
        try:
            made = draw(result, one.trials)
        except (DataError, ValueError) as error:
            missing.append(f"{heading}: not drawn ({str(error).rstrip('.')})")
            continue
        if made is not None:
            pictures.append((heading, data_url(made), text))
    try:
        pictures += _comparison(result, split)
    except (DataError, ValueError) as error:
        missing.append(f"From decoder to decoder: not drawn ({str(error).rstrip('.')})")
    return pictures, missing


def _learning(
    result: TaskResult, data: Sequence[SubjectTrials], shown: str, chance: float
) -> list[tuple[str, str, str]]:
    curves = []
    for one in data[:6]:
        decoder = make_decoder(shown, sfreq=one.trials.sfreq, **result.task.decoder_params(shown))
        try:
            if decoder.min_trials > 0:
                curves.append(learning_curve(decoder, one.trials))
        except (DataError, ValueError):
            continue
    if not curves:
        return []
    enough = [enough_trials(curve) for curve in curves]
    text = f"Within 2 points of the best with {int(np.median(enough))} trials a class (median over people)."
    return [(f"Learning curve: {shown}", data_url(plots.learning_plot(curves, chance)), text)]


def _comparison(result: TaskResult, split: str) -> list[tuple[str, str, str]]:
    """Return slopes and ranks of several decoders on several people."""
    values = {name: found[split].values for name, found in result.results.items() if split in found}
    if len(values) < 2 or len(set.intersection(*(set(one) for one in values.values()))) < 2:
        return []
    slopes = data_url(plot_slopes(values, metric=result.task.metric))
    ranks = data_url(plot_critical_difference(values))
    return [
        ("From decoder to decoder", slopes, f"{split}: a line a person."),
        ("Ranks", ranks, f"{split}: a bar joins decoders that do not differ (Nemenyi, 5 %)."),
    ]


def _maps(result: TaskResult, trials: Epochs) -> "Figure | None":
    """Return what the decoders live on, channel by channel; None where there is nothing of it."""
    values, unit = patterns(result.task, trials)
    return plots.maps(values, trials, unit=unit) if values else None


def _signals(result: TaskResult, trials: Epochs) -> "Figure":
    """Return what the paradigm lives on: the spectrum of a flicker, else the mean response."""
    frequencies = result.task.params.get("frequencies")
    return plot_snr(trials, frequencies) if frequencies else plot_erp(trials)
