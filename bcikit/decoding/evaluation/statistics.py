"""Whether one decoder is better than another across people, by how much, and how many people would show it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.signal import DataError, check_choice, check_range

_EXACT = 14
"""Up to so many people every change of signs is looked at."""

ROPE = 0.01
"""Half the width of the region in which two decoders count as equally good."""

FEWEST = 5
"""People from which an interval of the bootstrap is given: of fewer it cannot reach beyond what was seen."""

_NOISE = 1e-12
"""Differences below this are rounding of equal scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
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
        95 % of bootstrap means of the difference (people drawn with replacement, widened for few people; Hesterberg
        2015); NaN for fewer than `FEWEST` people.
    credible : (float, float)
        95 % of what is believed of the mean after seeing the people (`posterior`); NaN for one person.
    p_permutation, p_wilcoxon : float
        Two-sided; NaN where there are too few people.
    p_holm : float
        `p_permutation`, corrected for all comparisons of a table (Holm 1979).
    effect : float
        Standardised mean of the differences, with Hedges' correction for few people; NaN for fewer than three.
    p_equivalent : float
        Of two one-sided tests that the difference is not within `ROPE` (TOST; Schuirmann 1987).
    p_better, p_equal : float
        Probability that the difference is above `ROPE`, and that it is within.
    people_needed : int or None
        People that would show such a difference in 8 of 10 studies (paired t test, 5 %), and with whom the permutation
        test of this table could show it at all; None for no difference, or where its size is not known.
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
    p_equivalent: float
    p_better: float
    p_equal: float
    people_needed: int | None

    @property
    def equivalent(self) -> bool:
        """Whether they are equally good within `ROPE`, shown at 5 %."""
        return self.p_equivalent < 0.05

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON: what is not known, or without bound, is None."""
        values = {**asdict(self), "interval": list(self.interval), "credible": list(self.credible)}
        return {name: plain(value) for name, value in values.items()}


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: None for numbers that are none."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def paired_permutation(
    a: ArrayLike, b: ArrayLike, *, n_draws: int = 10_000, seed: int = 0, alternative: str = "two-sided"
) -> float:
    """Return the p of a paired permutation test of the mean difference.

    Signs of the differences are changed; all of them up to 14 people, else `n_draws` at random, the observed one
    counted (Phipson and Smyth 2010). Of n people p cannot be below ``2 ** (1 - n)``, one-sided ``2 ** -n``.

    Parameters
    ----------
    a, b : array_like, shape (n_people,)
        Scores of the same people.
    alternative : {"two-sided", "greater"}
        "greater": `a` is the better one.
    """
    check_choice("alternative", alternative, ("two-sided", "greater"))
    d = _differences(a, b)
    exact = d.size <= _EXACT
    signs = _signs(d.size) if exact else np.random.default_rng(seed).choice((1.0, -1.0), size=(n_draws, d.size))
    means, observed = signs @ d / d.size, float(d.mean())
    as_far = np.abs(means) >= abs(observed) - _NOISE if alternative == "two-sided" else means >= observed - _NOISE
    return float(np.mean(as_far)) if exact else float((np.count_nonzero(as_far) + 1) / (n_draws + 1))


def wilcoxon(a: ArrayLike, b: ArrayLike) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test; NaN where all differences are zero.

    People without a difference are left out (Wilcoxon 1945). Up to 14 others it is exact with ties, too: every change
    of signs of the ranks; beyond, as SciPy has it.
    """
    from scipy.stats import rankdata
    from scipy.stats import wilcoxon as test

    # Equal differences of scores differ by rounding, which must not make ranks of them.
    d = np.round(_differences(a, b), 12)
    d = d[d != 0]
    if not d.size:
        return float("nan")
    if d.size > _EXACT:
        return float(test(d).pvalue)
    ranks = rankdata(np.abs(d))
    sums = _signs(d.size) @ ranks
    return float(np.mean(np.abs(sums) >= abs(float(np.sign(d) @ ranks)) - 1e-9))


def _signs(n: int) -> NDArray[np.float64]:
    return np.array(list(itertools.product((1.0, -1.0), repeat=n)))


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
    """Return the mean difference over its standard deviation, with Hedges' correction ``1 - 3 / (4 n - 5)``.

    NaN for fewer than three people, whose spread says nothing; infinite where all differ by the same.
    """
    d = _differences(a, b)
    if d.size < 3:
        return float("nan")
    spread, mean = float(d.std(ddof=1)), float(d.mean())
    if spread <= _NOISE:
        return 0.0 if abs(mean) <= _NOISE else float(np.copysign(np.inf, mean))
    return mean / spread * (1 - 3 / (4 * d.size - 5))


def bootstrap_interval(a: ArrayLike, b: ArrayLike, *, n_draws: int = 5_000, seed: int = 0) -> tuple[float, float]:
    """Return the central 95 % of means of the difference, people drawn with replacement; NaN for fewer than `FEWEST`.

    The bootstrap of few people is too narrow by the spread's own ``(n - 1) / n`` and by the tails of t; the percentiles
    are moved outwards by both (Hesterberg 2015, Am Stat 69(4), "expanded percentile interval").
    """
    from scipy.stats import norm, t

    d = _differences(a, b)
    n = d.size
    if n < FEWEST:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).integers(0, n, (n_draws, n))
    tail = 100 * float(norm.cdf(np.sqrt(n / (n - 1)) * t.ppf(0.025, n - 1)))
    low, high = np.percentile(d[draws].mean(axis=1), [tail, 100 - tail])
    return float(low), float(high)


def posterior(a: ArrayLike, b: ArrayLike, *, n_draws: int = 5_000, seed: int = 0) -> NDArray[np.float64]:
    """Return draws of what is believed of the mean difference after seeing the people.

    Differences are taken as normal, their mean as unknown, their variance as known as well as by one person before
    (scaled inverse chi-square of one degree of freedom and scale `ROPE` squared; Gelman et al. 2013, Bayesian Data
    Analysis, 3.3): without it two people who agree by luck would leave no doubt.
    """
    d = _differences(a, b)
    variance = (ROPE**2 + (d.size - 1) * (float(d.var(ddof=1)) if d.size > 1 else 0.0)) / d.size
    draws = np.random.default_rng(seed).standard_t(d.size, n_draws)
    return np.asarray(d.mean() + draws * np.sqrt(variance / d.size))


def equivalence(a: ArrayLike, b: ArrayLike, *, within: float = ROPE) -> float:
    """Return the p of two one-sided t tests that the mean difference is outside of ``-within`` to ``within``.

    Schuirmann 1987. NaN for one person. Where all differ by the same, which has no spread to test with, the chance that
    all lie within if half of all people did: ``0.5 ** n``.

    Parameters
    ----------
    a, b : array_like, shape (n_people,)
        Scores of the same people.
    within : float
        Half the width of what counts as equal.
    """
    from scipy.stats import t

    check_range("within", within, low=0.0, low_open=True)
    d = _differences(a, b)
    if d.size < 2:
        return float("nan")
    mean, error = float(d.mean()), float(d.std(ddof=1)) / np.sqrt(d.size)
    if error <= _NOISE:
        return 0.5**d.size if abs(mean) < within else 1.0
    return float(max(t.sf((mean + within) / error, d.size - 1), t.cdf((mean - within) / error, d.size - 1)))


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
        edge, shift = float(t.ppf(1 - alpha / 2, df)), size * np.sqrt(n)
        return bool(nct.sf(edge, df, shift) + nct.cdf(-edge, df, shift) >= power)

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

    Raises
    ------
    DataError
        If there are not as many people as p, or one is none.
    """
    from scipy.stats import norm

    values, people = np.asarray(p, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if values.shape != people.shape or values.ndim != 1 or not values.size:
        raise DataError(f"One p and a number of people for each data set: {values.shape} and {people.shape}.")
    if not ((values >= 0) & (values <= 1)).all() or not (people > 0).all():
        raise DataError("Each p must be within 0 and 1, and each data set have people.")
    weights = np.sqrt(people)
    z = norm.isf(np.clip(values, 1e-300, 1 - 1e-16))
    return float(norm.sf(weights @ z / np.sqrt(weights @ weights)))


def compare(scores: Mapping[str, Mapping[str, float]], *, seed: int = 0) -> list[PairedComparison]:
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
    pairs = list(itertools.combinations(scores, 2))
    fewest = _fewest_that_show(len(pairs))
    found: list[PairedComparison] = []
    for one, other in pairs:
        a, b = shared(scores[one], scores[other])
        if not a.size:
            raise DataError(f"{one} and {other} have no person in common.")
        better, worse = (one, other) if a.mean() >= b.mean() else (other, one)
        first, second = (a, b) if better == one else (b, a)
        draws = posterior(first, second, seed=seed)
        effect = effect_size(first, second)
        needed = people_needed(effect)
        alone = a.size < 2
        unknown = float("nan")
        found.append(
            PairedComparison(
                better=better, worse=worse, n=a.size, difference=float((first - second).mean()),
                interval=bootstrap_interval(first, second, seed=seed),
                credible=(unknown, unknown) if alone
                else (float(np.percentile(draws, 2.5)), float(np.percentile(draws, 97.5))),
                p_permutation=unknown if alone else paired_permutation(first, second, seed=seed),
                p_wilcoxon=unknown if alone else wilcoxon(first, second),
                p_holm=unknown, effect=effect, p_equivalent=equivalence(first, second),
                p_better=unknown if alone else float(np.mean(draws > ROPE)),
                p_equal=unknown if alone else float(np.mean(np.abs(draws) <= ROPE)),
                people_needed=None if needed is None else max(needed, fewest),
            )
        )  # fmt: skip
    corrected = holm([one.p_permutation for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]


def shared(one: Mapping[str, float], other: Mapping[str, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores of the people that two decoders have in common, in one order."""
    people = sorted(set(one) & set(other))
    return np.array([one[who] for who in people]), np.array([other[who] for who in people])


def _fewest_that_show(n_pairs: int) -> int:
    """Return with how many people the permutation test of so many pairs can be below 5 % after Holm's correction."""
    return next(n for n in itertools.count(2) if 2.0 ** (1 - n) * max(n_pairs, 1) < 0.05)


def _differences(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise DataError(
            f"Paired scores must be of the same people; they have the shapes {first.shape}, {second.shape}."
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError("Paired scores must be numbers; some are none.")
    return first - second
