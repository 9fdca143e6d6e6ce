"""The decoder for one person, chosen by inner cross-validation, and the test of whether templates can work at all."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.estimator import Decoder
from bcikit.decoding.ssvep.stimuli import check_frequencies
from bcikit.decoding.ssvep.subbands import remove_line
from bcikit.signal import check_range

Array = NDArray[np.float64]

TEMPLATE_DECODERS = ("etrca", "etrca-r", "tdca", "ecca", "ms-ecca")
"""Decoders whose templates are the same in every trial only if the flicker is locked to the trial's start."""


def phase_lock(
    X: ArrayLike, y: ArrayLike, *, sfreq: float, frequencies: Mapping[str, float], n_harmonics: int = 2
) -> tuple[float, float]:
    """Test whether responses have the same phase in every trial.

    The response of each trial at its own frequency is projected onto its strongest spatial direction of the class;
    the resultant length of the phases, weighted over harmonics, is compared with that of random phases by Rayleigh's
    test (Fisher 1993, Statistical Analysis of Circular Data, 4.3), combined over classes by Fisher's method.

    Parameters
    ----------
    X : array, shape (n_epochs, n_channels, n_times)
        Windows cut at the same time after the start of a trial.
    y : array, shape (n_epochs,)
        Labels; those without a frequency are not used.
    sfreq : float
        Hz.
    frequencies : mapping of str to float
        Class to frequency.
    n_harmonics : int
        Harmonics looked at.

    Returns
    -------
    locking : float
        Mean resultant length, 0 (none) to 1.
    p : float
        Probability of such a locking where there is none.
    """
    from scipy.stats import chi2

    data, labels = remove_line(np.asarray(X, dtype=np.float64)), np.asarray(y).astype(str)
    time = np.arange(data.shape[2]) / sfreq
    lengths: list[float] = []
    statistic, freedom = 0.0, 0
    for label, frequency in check_frequencies(frequencies, sfreq=sfreq).items():
        trials = data[labels == label]
        if len(trials) < 3:
            continue
        for order in range(1, n_harmonics + 1):
            if order * frequency >= sfreq / 2:
                break
            response = trials @ np.exp(-2j * np.pi * order * frequency * time)
            cross = np.einsum("nc,nd->cd", response, response.conj())
            direction = np.linalg.eigh(cross)[1][:, -1]
            phases = np.angle(response @ direction.conj())
            n = len(phases)
            length = float(abs(np.exp(1j * phases).mean()))
            z = n * length**2
            # Rayleigh's p with its correction for small n.
            p = np.exp(-z) * (1 + (2 * z - z**2) / (4 * n))
            lengths.append(length)
            statistic -= 2.0 * np.log(np.clip(p, 1e-300, 1.0))
            freedom += 2
    if not freedom:
        return 0.0, 1.0
    return float(np.mean(lengths)), float(chi2.sf(statistic, freedom))


class SsvepAuto(Decoder):
    """The decoder that does best on the training trials of one person, by cross-validation within them.

    No SSVEP method wins for everybody. Decoders that rest on templates are tried only where `phase_lock` finds the
    responses locked to the trial (p < 0.01): without it they are at chance, whatever a small cross-validation says.
    Candidates that cannot know a label without a frequency (no-control) are left out where there is one.

    Parameters
    ----------
    sfreq : float
        Hz.
    frequencies : mapping of str to float
        Class to frequency.
    candidates : sequence of str
        Names of decoders, the first preferred where two are equally good.
    n_folds : int
        Folds of the inner cross-validation, blocks of neighbours in time.

    Attributes
    ----------
    why_ : str
        The reason, for a person.
    chosen_ : str
        Name of the decoder.
    tried_ : dict of str to float
        Held-out accuracy of each candidate.
    phase_lock_ : tuple of (float, float)
        Locking and p of the test.
    """

    def __init__(
        self,
        *,
        sfreq: float,
        frequencies: Mapping[str, float],
        candidates: Sequence[str] = ("ssvep-stack", "fbcca-lda", "fb-tangent", "etrca-r", "tdca", "ms-ecca"),
        n_folds: int = 4,
    ) -> None:
        self.sfreq = sfreq
        self.frequencies = frequencies
        self.candidates = candidates
        self.n_folds = n_folds

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Choose and fit."""
        from bcikit.decoding.registry import check_decoder, make_decoder
        from bcikit.decoding.scores import held_out_scores, make_folds

        check_range("n_folds", self.n_folds, low=2)
        for name in self.candidates:
            check_decoder("candidate", name, "ssvep")
        data, _ = self._begin(X, y)
        labels = np.asarray(y).astype(str)
        targets = check_frequencies(self.frequencies, sfreq=self.sfreq)
        given = dict(self.frequencies)
        self.phase_lock_ = phase_lock(data, labels, sfreq=self.sfreq, frequencies=targets)
        idle = bool(set(labels) - set(targets))
        names = [name for name in self.candidates if self._possible(name, idle=idle)] or ["fbcca"]
        _, folds = make_folds(labels, None, split="blocked", n_folds=self.n_folds)
        self.tried_: dict[str, float] = {}
        for name in names:
            decoder = make_decoder(name, sfreq=self.sfreq, frequencies=given)
            scores = held_out_scores(decoder, data, np.asarray(y), folds)
            decided = decoder.known_classes(y)[scores.argmax(axis=1)]
            self.tried_[name] = float(np.mean(decided == np.asarray(y)))
        best = max(self.tried_.values())
        # Within one standard error of the best the first named wins: fewer choices, less luck.
        slack = np.sqrt(best * (1 - best) / len(data))
        self.chosen_ = next(name for name in names if self.tried_[name] >= best - slack)
        others = ", ".join(f"{name} {self.tried_[name]:.0%}" for name in names if name != self.chosen_)
        self.why_ = (
            f"{self.chosen_}: {self.tried_[self.chosen_]:.0%} right on held-out trials, the first within one standard "
            f"error of the best ({others or 'no other could be compared'})."
        )
        self.decoder_ = make_decoder(self.chosen_, sfreq=self.sfreq, frequencies=given).fit(data, np.asarray(y))
        self.classes_ = self.decoder_.classes_
        return self

    def _possible(self, name: str, *, idle: bool) -> bool:
        if name in TEMPLATE_DECODERS:
            return not idle and self.phase_lock_[1] < 0.01
        return not (idle and name in ("cca", "fbcca"))

    def _scores(self, data: Array) -> Array:
        scores: Array = self.decoder_.decision_scores(data)
        return scores
