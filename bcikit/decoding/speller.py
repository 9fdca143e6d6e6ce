"""From flashes to letters: layouts, letter posteriors, and what the language expects next."""

from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.signal import ArgumentError, DataError, check_int, check_range

Array = NDArray[np.float64]


class Layout:
    """Which symbols a flash shows.

    Parameters
    ----------
    symbols : sequence of str
        What can be chosen, unique, read row by row.
    n_columns : int, optional
        For a row-column speller; None flashes single items.
    """

    def __init__(self, symbols: Sequence[str], *, n_columns: int | None = None) -> None:
        self.symbols = tuple(symbols)
        if len(set(self.symbols)) != len(self.symbols) or len(self.symbols) < 2:
            raise ArgumentError("symbols must be unique and at least two.")
        self.n_columns = n_columns
        n = len(self.symbols)
        if n_columns is None:
            self.groups = np.eye(n, dtype=bool)
        else:
            check_int("n_columns", n_columns, low=2, high=n)
            index = np.arange(n)
            rows = [index // n_columns == row for row in range(-(-n // n_columns))]
            columns = [index % n_columns == column for column in range(n_columns)]
            self.groups = np.array(rows + columns)

    @property
    def n_groups(self) -> int:
        """Different flashes: rows and columns, or items."""
        return len(self.groups)

    def codes(self, flashes: ArrayLike) -> NDArray[np.bool_]:
        """Return which symbols each flash showed, shape ``(n_symbols, n_flashes)``.

        Parameters
        ----------
        flashes : array of int, shape (n_flashes,)
            Groups in the order they flashed: rows from the top first, then columns from the left.
        """
        order = np.asarray(flashes)
        if order.size and (order.min() < 0 or order.max() >= self.n_groups):
            raise ArgumentError(f"flashes must be groups 0 to {self.n_groups - 1}.")
        return self.groups[order].T


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
        Probability before the first flash (`LanguageModel.prior`); uniform if left out.
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
            Which symbols each flash showed (`Layout.codes`).
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


class LanguageModel:
    """What letter comes next: character n-grams, short contexts mixed with long ones.

    Interpolated Witten-Bell smoothing (Chen and Goodman 1999, 2.7), so that a context never seen falls back on
    shorter ones and no symbol has probability zero.

    Parameters
    ----------
    symbols : sequence of str
        What can be chosen; other characters of the text are left out.
    order : int
        Letters looked at, the next one included.
    """

    def __init__(self, symbols: Sequence[str], *, order: int = 4) -> None:
        self.symbols = tuple(symbols)
        self.order = check_int("order", order, low=1, high=8)
        self._counts: dict[str, Counter[str]] = {}

    def fit(self, text: str) -> Self:
        """Count the n-grams of a text."""
        allowed = set(self.symbols)
        kept = [letter for letter in text if letter in allowed]
        if not kept:
            raise DataError("The text holds none of the symbols.")
        self._counts = {}
        for place, letter in enumerate(kept):
            for length in range(min(self.order - 1, place) + 1):
                context = "".join(kept[place - length : place])
                self._counts.setdefault(context, Counter())[letter] += 1
        return self

    def prior(self, written: str = "") -> Array:
        """Return the probability of each symbol after what is written, shape ``(n_symbols,)``."""
        result = np.full(len(self.symbols), 1.0 / len(self.symbols))
        for length in range(min(self.order - 1, len(written)) + 1):
            counts = self._counts.get(written[len(written) - length :])
            if counts is None:
                break
            total, kinds = counts.total(), len(counts)
            seen = np.array([counts[symbol] for symbol in self.symbols], dtype=np.float64)
            result = (seen + kinds * result) / (total + kinds)
        return result
