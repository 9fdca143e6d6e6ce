"""Whether one decoder is better than another across people, by how much, and how many people would show it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.signal import DataError, check_range

_EXACT = 14
"""Up to so many people every change of signs is looked at."""

ROPE = 0.01
"""Half the width of the region in which two decoders count as equally good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two decoders on the same people, folds and trials.

    Attributes
    ----------
    better, worse : str
        The one with the higher mean, and the other.
    n : int
        People.
    difference : float
        Mean over people of the paired difference.
    interval : (float, float)
        95 % of bootstrap means of the difference (people drawn with replacement).
    credible : (float, float)
        95 % of the Bayesian bootstrap (Rubin 1981).
    p_permutation, p_wilcoxon : float
        Two-sided; NaN where there are too few people.
    p_holm : float
        `p_permutation`, corrected for all comparisons of a table (Holm 1979).
    effect : float
        Standardised mean of the differences, with Hedges' correction for few people.
    p_better, p_equal : float
        Probability that the difference is above `ROPE`, and that it is within (Benavoli et al. 2017, for means).
    people_needed : int or None
        People that would show such a difference in 8 of 10 studies (paired t test, 5 %); None for no difference.
    """

    better: str
    worse: str
    n: int
    difference: float
    interval: tuple[float, float]
    credible: tuple[float, float]
    p_permutation: float
    p_wilcoxon: float
    p_holm: float
    effect: float
    p_better: float
    p_equal: float
    people_needed: int | None

    @property
    def equivalent(self) -> bool:
        """Whether they are equally good within `ROPE` with a probability of 95 %."""
        return self.p_equal >= 0.95

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {**asdict(self), "interval": list(self.interval), "credible": list(self.credible)}


def paired_permutation(a: ArrayLike, b: ArrayLike, *, n_draws: int = 10_000, seed: int = 0) -> float:
    """Return the two-sided p of a paired permutation test of the mean difference.

    Signs of the differences are changed; all of them up to 14 people, else `n_draws` at random, the observed one
    counted (Phipson and Smyth 2010).

    Parameters
    ----------
    a, b : array_like, shape (n_people,)
        Scores of the same people.
    """
    d = _differences(a, b)
    observed = abs(float(d.mean())) - 1e-12
    if d.size <= _EXACT:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=d.size)))
        return float(np.mean(np.abs(signs @ d) / d.size >= observed))
    rng = np.random.default_rng(seed)
    signs = rng.choice((1.0, -1.0), size=(n_draws, d.size))
    return float((np.count_nonzero(np.abs(signs @ d) / d.size >= observed) + 1) / (n_draws + 1))


def wilcoxon(a: ArrayLike, b: ArrayLike) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test; NaN where all differences are zero."""
    from scipy.stats import wilcoxon as test

    d = _differences(a, b)
    return float(test(d).pvalue) if np.any(d != 0) else float("nan")


def holm(p: Sequence[float]) -> list[float]:
    """Return p values corrected by Holm's step-down method; NaN stays."""
    values = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known])]
    corrected = values.copy()
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (order.size - rank) * values[index]))
        corrected[index] = largest
    return corrected.tolist()


def effect_size(a: ArrayLike, b: ArrayLike) -> float:
    """Return the mean difference over its standard deviation, with Hedges' correction ``1 - 3 / (4 n - 5)``."""
    d = _differences(a, b)
    if d.size < 2:
        return float("nan")
    spread = float(d.std(ddof=1))
    if spread == 0:
        return 0.0 if d.mean() == 0 else float(np.copysign(np.inf, d.mean()))
    return float(d.mean()) / spread * (1 - 3 / (4 * d.size - 5) if d.size > 2 else 1.0)


def bootstrap_interval(a: ArrayLike, b: ArrayLike, *, n_draws: int = 5_000, seed: int = 0) -> tuple[float, float]:
    """Return the central 95 % of means of the difference, people drawn with replacement."""
    d = _differences(a, b)
    draws = np.random.default_rng(seed).integers(0, d.size, (n_draws, d.size))
    low, high = np.percentile(d[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def posterior(a: ArrayLike, b: ArrayLike, *, n_draws: int = 5_000, seed: int = 0) -> NDArray[np.float64]:
    """Return draws of the mean difference by the Bayesian bootstrap: Dirichlet weights over people (Rubin 1981)."""
    d = _differences(a, b)
    weights = np.random.default_rng(seed).dirichlet(np.ones(d.size), n_draws)
    return np.asarray(weights @ d)


def people_needed(effect: float, *, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """Return how many people a paired t test needs to show a standardised difference; None for none.

    Parameters
    ----------
    effect : float
        Mean of the differences over their standard deviation.
    power : float
        Share of studies that shall show it.
    alpha : float
        Two-sided level.
    """
    from scipy.stats import nct, norm, t

    check_range("power", power, low=0.0, high=1.0, low_open=True)
    size = abs(effect)
    if not size >= 1e-6:
        return None
    if not np.isfinite(size):
        return 3

    def shows(n: int) -> bool:
        df = n - 1
        return bool(1 - nct.cdf(float(t.ppf(1 - alpha / 2, df)), df, size * np.sqrt(n)) >= power)

    # The power grows with the people; where the t distribution is normal, so is the answer.
    low, high = 2, 4
    while not shows(high):
        low, high = high, 2 * high
        if high > 10_000:
            return round(((norm.isf(alpha / 2) + norm.ppf(power)) / size) ** 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def combine(p: Sequence[float], n: Sequence[int]) -> float:
    """Return one p of several data sets: Stouffer's method, one-sided p weighted by the root of the people.

    As MOABB's meta-analysis does it.
    """
    from scipy.stats import norm

    weights = np.sqrt(np.asarray(n, dtype=np.float64))
    z = norm.isf(np.clip(np.asarray(p, dtype=np.float64), 1e-15, 1 - 1e-15))
    return float(norm.sf(weights @ z / np.sqrt(weights @ weights)))


def compare(scores: Mapping[str, Mapping[str, float]], *, seed: int = 0) -> list[Comparison]:
    """Return every pair of decoders compared over the people that both have.

    Parameters
    ----------
    scores : mapping of str to mapping of str to float
        Decoder to person to score.

    Raises
    ------
    DataError
        If a pair has no person in common.
    """
    found: list[Comparison] = []
    for one, other in itertools.combinations(scores, 2):
        people = sorted(set(scores[one]) & set(scores[other]))
        if not people:
            raise DataError(f"{one} and {other} have no person in common.")
        a = np.array([scores[one][who] for who in people])
        b = np.array([scores[other][who] for who in people])
        better, worse = (one, other) if a.mean() >= b.mean() else (other, one)
        first, second = (a, b) if better == one else (b, a)
        draws = posterior(first, second, seed=seed)
        effect = effect_size(first, second)
        found.append(
            Comparison(
                better=better, worse=worse, n=len(people), difference=float((first - second).mean()),
                interval=bootstrap_interval(first, second, seed=seed),
                credible=(float(np.percentile(draws, 2.5)), float(np.percentile(draws, 97.5))),
                p_permutation=paired_permutation(first, second, seed=seed) if len(people) > 1 else float("nan"),
                p_wilcoxon=wilcoxon(first, second) if len(people) > 1 else float("nan"),
                p_holm=float("nan"), effect=effect, p_better=float(np.mean(draws > ROPE)),
                p_equal=float(np.mean(np.abs(draws) <= ROPE)), people_needed=people_needed(effect),
            )
        )  # fmt: skip
    corrected = holm([one.p_permutation for one in found])
    return [
        Comparison(**{**{key: getattr(one, key) for key in one.__slots__}, "p_holm": p})
        for one, p in zip(found, corrected, strict=True)
    ]


def _differences(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise DataError(
            f"Paired scores must be of the same people; they have the shapes {first.shape}, {second.shape}."
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError("Paired scores must be numbers; some are none.")
    return first - second
