"""Comparisons of the table of a study: within each data set, and over several together."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from bcikit.decoding.evaluation.statistics import (
    PairedComparison,
    combine,
    compare,
    effect_size,
    holm,
    paired_permutation,
    plain,
    shared,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Two decoders over data sets.

    Attributes
    ----------
    better, worse : str
        The one with the larger effect over all, and the other.
    n_sets, n_people : int
        Data sets, and people in them.
    effect : float
        Mean of the standardised differences of the data sets, weighted by the root of their people; NaN where one is
        not known (fewer than three people).
    p : float
        Two-sided: twice Stouffer's p of the one-sided permutation tests, weighted by the root of the people.
    p_holm : float
        Corrected for all pairs (Holm 1979).
    effects : dict of str to float
        Standardised difference of each data set.
    """

    better: str
    worse: str
    n_sets: int
    n_people: int
    effect: float
    p: float
    p_holm: float
    effects: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        values = {name: plain(value) for name, value in asdict(self).items()}
        return {**values, "effects": {name: plain(value) for name, value in self.effects.items()}}


def meta_analysis(scores: Mapping[str, Mapping[str, Mapping[str, float]]], *, seed: int = 0) -> list[Meta]:
    """Return every pair of decoders that two data sets or more have, compared over them as MOABB does it.

    Parameters
    ----------
    scores : mapping of str to mapping of str to mapping of str to float
        Data set to decoder to person to score.
    """
    names = list(dict.fromkeys(name for decoders in scores.values() for name in decoders))
    found = []
    for one, other in itertools.combinations(names, 2):
        pairs = {
            data: shared(decoders[one], decoders[other])
            for data, decoders in scores.items()
            if one in decoders and other in decoders
        }
        pairs = {data: pair for data, pair in pairs.items() if pair[0].size}
        if len(pairs) < 2:
            continue
        n = [pair[0].size for pair in pairs.values()]
        weights = np.sqrt(n) / np.sum(np.sqrt(n))
        means = np.array([float((a - b).mean()) for a, b in pairs.values()])
        effects = {data: effect_size(a, b) for data, (a, b) in pairs.items()}
        total = float(weights @ np.array(list(effects.values())))
        forward = (total if np.isfinite(total) else float(weights @ means)) >= 0
        p = combine([_one_sided(*(pair if forward else pair[::-1]), seed) for pair in pairs.values()], n)
        sign = 1.0 if forward else -1.0
        found.append(
            Meta(
                better=one if forward else other, worse=other if forward else one, n_sets=len(pairs), n_people=sum(n),
                effect=sign * total, p=min(1.0, 2 * p), p_holm=float("nan"),
                effects={data: sign * value for data, value in effects.items()},
            )
        )  # fmt: skip
    corrected = holm([one.p for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]


def _one_sided(a: Any, b: Any, seed: int) -> float:
    """Return a p that Stouffer's method can take: never 1, which would outweigh every other data set."""
    p = paired_permutation(a, b, seed=seed, alternative="greater")
    return min(p, 1.0 - 1.0 / max(2 ** min(a.size, 13), 2))


Cells = dict[str, dict[str, dict[str, float]]]


def _cells(rows: Sequence[dict[str, Any]], metrics: dict[str, str], *, by: tuple[str, ...]) -> Cells:
    """Return the mean over seeds of what each data set is judged by: place, decoder and person."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in rows:
        value = row[metrics[row["data"]]]
        if value is not None:
            place = " / ".join(row[name] for name in by)
            found.setdefault(place, {}).setdefault(row["decoder"], {}).setdefault(row["subject"], []).append(value)
    return {
        place: {name: {who: float(np.mean(v)) for who, v in people.items()} for name, people in decoders.items()}
        for place, decoders in found.items()
    }


def compare_rows(rows: Sequence[dict[str, Any]], metrics: dict[str, str]) -> dict[str, list[PairedComparison]]:
    """Return the comparisons of decoders by data set, pipeline and split; seeds are averaged."""
    found = {}
    for place, decoders in _cells(rows, metrics, by=("data", "pipeline", "split")).items():
        # One that failed for everybody whom the others have cannot be compared; that it failed is said elsewhere.
        everybody = [set(people) for people in decoders.values()]
        kept = {name: one for name, one in decoders.items() if all(set(one) & people for people in everybody)}
        if len(kept) > 1:
            found[place] = compare(kept)
    return found


def compare_over_sets(rows: Sequence[dict[str, Any]], metrics: dict[str, str]) -> dict[str, list[Meta]]:
    """Return the comparisons over data sets together, by pipeline and split."""
    found = {}
    for place in dict.fromkeys((row["pipeline"], row["split"]) for row in rows):
        those = [row for row in rows if (row["pipeline"], row["split"]) == place]
        pairs = meta_analysis(_cells(those, metrics, by=("data",)))
        if pairs:
            found[" / ".join(place)] = pairs
    return found
