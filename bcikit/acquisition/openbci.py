"""Whether an OpenBCI board is the one it was opened as: its Daisy, or none, gives other channels by the same port."""

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import SourceError

_ENOUGH = 500
"""Samples that are looked at."""

_HALF = 8
"""Channels of each board."""

_SHARE = 0.75
"""Share of the channels that move which must look alike."""

_ONE_SIGNAL = 0.98
"""Share of the variance that one common signal has where a generator is plugged into all channels."""


def refuse_daisy(shim: Any, where: str) -> None:
    """Refuse a board that says it has a Daisy where it was opened as one without.

    The answer to ``v`` (OpenBCI, "Cyton Board SDK": soft reset) names each converter that the board found.

    Raises
    ------
    SourceError
        Naming the address to use.
    """
    from brainflow.board_shim import BrainFlowError

    with contextlib.suppress(BrainFlowError):
        if "daisy" in str(shim.config_board("v")).lower():
            raise SourceError(
                f"{where}: this board has a Daisy, so every second sample would be that of channels 9 to 16. "
                "Open it as 'brainflow:cyton-daisy', or take the Daisy off."
            )


class DaisyCheck:
    """Looks at the first samples of a Cyton for those of two boards in turn, and at a Daisy's for those of one.

    Parameters
    ----------
    daisy : bool
        The board was opened as one with a Daisy.
    """

    def __init__(self, *, daisy: bool) -> None:
        self._daisy = daisy
        self._seen: list[NDArray[np.float64]] = []
        self.done = False

    def feed(self, data: NDArray[np.float64]) -> str:
        """Take samples, shape (n, n_channels), in microvolts; return what is wrong, in words, once that is known."""
        self._seen.append(data[:, : 2 * _HALF if self._daisy else _HALF])
        if sum(part.shape[0] for part in self._seen) < _ENOUGH:
            return ""
        self.done = True
        table = np.concatenate(self._seen)
        self._seen.clear()
        if self._daisy and table.shape[1] == 2 * _HALF and _is_one_board(table):
            return (
                "channels 9 to 16 hold what channels 1 to 8 hold half a sample away: this board has no Daisy. "
                "Open it as 'brainflow:cyton'."
            )
        if not self._daisy and _is_two_boards(table):
            return (
                "every second sample is of other electrodes: this board has a Daisy. Open it as "
                "'brainflow:cyton-daisy'."
            )
        return ""


def _step(table: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    """Return the mean size of the step over `by` samples of each channel."""
    return np.asarray(np.abs(table[by:] - table[:-by]).mean(axis=0), dtype=np.float64)


def _is_two_boards(table: NDArray[np.float64]) -> bool:
    """Return whether a sample is nearer to the one before the last than to the last one, on most channels.

    One board looks so with a tone above 100 Hz only, which a generator puts on all channels alike.
    """
    near, far = _step(table, 1), _step(table, 2)
    moves = near > 0
    if not moves.any() or np.count_nonzero(far[moves] < 0.6 * near[moves]) < _SHARE * np.count_nonzero(moves):
        return False
    steps = np.diff(table, axis=0)[:, moves]
    signs = np.where(np.arange(steps.shape[0]) % 2, 1.0, -1.0)[:, None]
    if np.median(np.abs((signs * steps).mean(axis=0)) / np.abs(steps).mean(axis=0)) > 0.5:
        # Up and down by the same each time: the offsets of two electrodes.
        return True
    scaled = (steps - steps.mean(axis=0)) / steps.std(axis=0)
    shares = np.linalg.svd(scaled, compute_uv=False) ** 2
    return bool(moves.sum() == 1) or float(shares[0] / shares.sum()) < _ONE_SIGNAL


def _is_one_board(table: NDArray[np.float64]) -> bool:
    """Return whether the second eight channels lie between one sample of the first eight and another."""
    first, second = table[:, :_HALF], table[:, _HALF:]
    middle = 0.5 * (first[:-1] + first[1:])
    # Which of two packets comes first is the driver's business.
    between = np.minimum(np.abs(second[:-1] - middle).mean(axis=0), np.abs(second[1:] - middle).mean(axis=0))
    beside = np.abs(second - first).mean(axis=0)
    onward = _step(first, 1)
    moves = onward > 0
    alike = (between < 0.8 * beside) & (beside < 0.85 * onward)
    return bool(moves.any() and np.count_nonzero(alike[moves]) >= _SHARE * np.count_nonzero(moves))
