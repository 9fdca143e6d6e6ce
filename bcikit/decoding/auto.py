"""A decoder chosen on the person's own training trials, and the reason for the choice."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.estimator import Decoder
from bcikit.signal import ArgumentError, check_choice, check_range

Array = NDArray[np.float64]

CANDIDATES: dict[str, tuple[str, ...]] = {
    "motor-imagery": ("csp-lda", "tangent-lr", "mdm"),
    "p300": ("erp-lda", "xdawn-tangent", "erp-stack"),
    "errp": ("errp-lda", "errp-tangent"),
    "ssvep": ("fbcca-lda", "ssvep-stack"),
}
"""Decoders that are compared, the plain one first: it is taken unless another is better for sure."""


class AutoDecoder(Decoder):
    """The plain decoder, or another where it is better by a paired test on held-out trials of the training.

    Each candidate decides every training trial by a fit on other blocks in time; its hits are compared with those of
    the first candidate by McNemar's exact test, two-sided, at `alpha` divided by the number of comparisons
    (Bonferroni). Of those that pass, the one with the most hits is taken. All of it lies within the training: what an
    outer cross-validation says of this decoder is honest.

    Parameters
    ----------
    sfreq : float
        Hz.
    task : {"motor-imagery", "p300", "errp", "ssvep"}
        Whose candidates; see `CANDIDATES`.
    candidates : sequence of str, optional
        Names, the plain one first, instead.
    frequencies : mapping of str to float, optional
        Class to frequency in Hz, for SSVEP.
    n_folds : int
        Blocks.
    alpha : float
        Level of the test, all comparisons together.

    Attributes
    ----------
    chosen_ : str
        Name of the decoder.
    tried_ : dict of str to float
        Balanced held-out accuracy of each candidate.
    why_ : str
        The reason, for a person.
    """

    def __init__(
        self,
        *,
        sfreq: float,
        task: str = "motor-imagery",
        candidates: Sequence[str] | None = None,
        frequencies: Mapping[str, float] | None = None,
        n_folds: int = 5,
        alpha: float = 0.05,
    ) -> None:
        self.sfreq = sfreq
        self.task = task
        self.candidates = candidates
        self.frequencies = frequencies
        self.n_folds = n_folds
        self.alpha = alpha

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Choose and fit."""
        from scipy.stats import binomtest

        from bcikit.decoding.registry import DECODERS, make_decoder
        from bcikit.decoding.scores import held_out_scores, make_folds

        check_range("alpha", self.alpha, low=0.0, high=1.0, low_open=True)
        check_choice("task", self.task, tuple(CANDIDATES))
        names = tuple(self.candidates or CANDIDATES[self.task])
        for name in names:
            check_choice("candidate", name, [n for n in DECODERS if n != "auto"])
        if self.task == "ssvep" and not self.frequencies:
            raise ArgumentError("task = 'ssvep' needs the frequency of each class (frequencies).")
        data, _ = self._begin(X, y)
        labels = np.asarray(y)
        _, folds = make_folds(labels, None, split="blocked", n_folds=self.n_folds)
        hits: dict[str, NDArray[np.bool_]] = {}
        for name in names:
            decoder = self._made(make_decoder, name)
            scores = held_out_scores(decoder, data, labels, folds)
            hits[name] = np.asarray(decoder.known_classes(labels))[scores.argmax(axis=1)] == labels
        self.tried_ = {
            name: float(np.mean([hit[labels == label].mean() for label in np.unique(labels)]))
            for name, hit in hits.items()
        }
        plain = names[0]
        better = []
        for name in names[1:]:
            more = int(np.sum(hits[name] & ~hits[plain]))
            less = int(np.sum(hits[plain] & ~hits[name]))
            p = float(binomtest(more, more + less).pvalue) if more + less else 1.0
            if more > less and p < self.alpha / max(1, len(names) - 1):
                better.append((self.tried_[name], name, p))
        if better:
            value, self.chosen_, p = max(better)
            self.why_ = (
                f"{self.chosen_}: {value:.0%} right on held-out trials where {plain} has {self.tried_[plain]:.0%} "
                f"(McNemar, p = {p:.3g})."
            )
        else:
            self.chosen_ = plain
            others = ", ".join(f"{name} {self.tried_[name]:.0%}" for name in names[1:])
            found = f"{plain}: {self.tried_[plain]:.0%} right on held-out trials"
            self.why_ = f"{found}; no other is better for sure ({others})."
        self.decoder_ = self._made(make_decoder, self.chosen_).fit(data, labels)
        self.classes_ = self.decoder_.classes_
        return self

    def _made(self, make: Any, name: str) -> Decoder:
        extra = {"frequencies": dict(self.frequencies)} if self.frequencies else {}
        made: Decoder = make(name, sfreq=self.sfreq, **extra)
        return made

    def _scores(self, data: Array) -> Array:
        scores: Array = self.decoder_.decision_scores(data)
        return scores
