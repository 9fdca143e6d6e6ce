"""From flashes to letters: the probability of each symbol, flash by flash."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.signal import ArgumentError, DataError, check_int, check_range

Array = NDArray[np.float64]


class LetterPosterior:
    """Probability of each symbol, updated flash by flash.

    Bayes' rule with flashes independent given the symbol: a flash that the decoder holds to be a target with
    probability p adds ``logit p - logit q`` to every symbol it showed, q being the share of targets in the decoder's
    training. Symbols in the same flashes stay equal, so nothing can be chosen before rows and columns were seen.

    Parameters
    ----------
    n_symbols : int
        Symbols.
    prior : array, shape (n_symbols,), optional
        Probability before the first flash from a language model; uniform if left out.
    target_share : float
        Share of targets in the training of the flash decoder.
    """

    def __init__(self, n_symbols: int, *, prior: ArrayLike | None = None, target_share: float = 0.5) -> None:
        self.n_symbols = check_int("n_symbols", n_symbols, low=2)
        share = check_range("target_share", target_share, low=0.0, high=1.0, low_open=True, high_open=True)
        self._offset = float(np.log(share / (1.0 - share)))
        self.reset(prior)

    def reset(self, prior: ArrayLike | None = None) -> None:
        """Begin the next letter."""
        values = np.full(self.n_symbols, 1.0 / self.n_symbols) if prior is None else np.asarray(prior, dtype=float)
        if values.shape != (self.n_symbols,) or (values <= 0).any():
            raise ArgumentError(f"prior must hold {self.n_symbols} positive numbers.")
        self._log = np.log(values / values.sum())
        self.n_flashes = 0

    def update(self, target_probability: ArrayLike, codes: ArrayLike) -> Array:
        """Take flashes and return the probabilities of the symbols.

        Parameters
        ----------
        target_probability : array, shape (n_flashes,)
            Of the flash decoder.
        codes : array of bool, shape (n_symbols, n_flashes)
            Which symbols each flash showed .
        """
        p = np.clip(np.atleast_1d(np.asarray(target_probability, dtype=np.float64)), 1e-6, 1 - 1e-6)
        flags = np.asarray(codes, dtype=np.float64)
        if flags.shape != (self.n_symbols, len(p)) or not np.isfinite(p).all():
            raise DataError(f"codes must have the shape ({self.n_symbols}, {len(p)}); it has {flags.shape}.")
        self._log = self._log + flags @ (np.log(p / (1.0 - p)) - self._offset)
        self.n_flashes += len(p)
        return self.probabilities

    @property
    def probabilities(self) -> Array:
        """Probability of each symbol, shape ``(n_symbols,)``."""
        values = np.exp(self._log - self._log.max())
        return values / values.sum()
