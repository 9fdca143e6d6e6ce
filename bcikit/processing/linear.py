"""LinearStep: channels mixed by a matrix, sample by sample: what every spatial step shares."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.montage import montage_positions
from bcikit.processing.bridge import Continuity, LastGood, finite, merge_mask, unusable
from bcikit.processing.step import SIGNAL_TYPES, Step
from bcikit.signal import ArgumentError, Bad, Chunk, StreamInfo

_USABLE = np.uint8(255 - int(Bad.INTERPOLATED))


@dataclass(kw_only=True, eq=False)
class LinearStep(Step):
    """Each output channel is a weighted sum of input channels.

    Notes
    -----
    No delay. A sample that is not finite or is railed is stood in for by the last good value of its channel, so that
    it never spreads; an output that leans on a bad sample is marked `Bad.AFFECTED` for that moment. A gap changes
    nothing, a start forgets the last good values. The matrix product rounds with the size of a chunk: splits agree
    within 1e-10 of the signal's scale.
    """

    _matrix: NDArray[np.float64] | None = field(init=False, repr=False, default=None)
    _carried: NDArray[np.intp] | None = field(init=False, repr=False, default=None)
    _hold: LastGood | None = field(init=False, repr=False, default=None)
    _continuity: Continuity = field(init=False, repr=False, default_factory=Continuity)

    @abstractmethod
    def design(self, info: StreamInfo) -> tuple[NDArray[np.float64], StreamInfo]:
        """Return the matrix, shape (n_outputs, n_inputs), and the description of the output.

        Raises
        ------
        ArgumentError
            If a channel or a position is missing.
        """

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Make the matrix."""
        matrix, output = self.design(info)
        self._matrix = np.ascontiguousarray(matrix.T)
        # Channels that pass unchanged keep their own bits instead of AFFECTED.
        rows = np.full(output.n_channels, -1, dtype=np.intp)
        for out, weights in enumerate(matrix):
            used = np.flatnonzero(weights)
            if used.size == 1 and weights[used[0]] == 1.0:
                rows[out] = used[0]
        self._carried = rows
        self._hold = LastGood(info.n_channels)
        self._continuity.reset()
        return output

    def reset(self) -> None:
        """Forget the last good values."""
        self._continuity.reset()
        if self._hold is not None:
            self._hold.reset()

    def process(self, chunk: Chunk) -> Chunk:
        """Return the mixed channels."""
        if self._matrix is None or self._hold is None:
            raise ArgumentError(f"{self.name} is not configured; call configure(info) first.")
        data, mask = chunk.data, chunk.health.mask
        if not data.shape[0]:
            return Chunk(np.empty((0, self._matrix.shape[1])), chunk.times, chunk.first_sample, chunk.health)
        if self._continuity.check(chunk) is None:
            self._hold.reset()
        if mask is None and finite(data):
            self._hold.note(data)
            return Chunk(data @ self._matrix, chunk.times, chunk.first_sample, chunk.health)
        return self._process_bad(chunk, self._matrix, self._hold)

    def _process_bad(self, chunk: Chunk, matrix: NDArray[np.float64], hold: LastGood) -> Chunk:
        """Mix with stand-ins for bad samples and mark what leans on them."""
        data, mask = chunk.data, chunk.health.mask
        leans = (np.abs(matrix) > 1e-12).astype(np.float64)
        useless = unusable(data, mask)
        bad = useless if mask is None else useless | ((mask & _USABLE) != 0)
        out = hold.fill(data, useless) @ matrix
        touched = (bad.astype(np.float64) @ leans) > 0.5
        marked = np.where(touched, np.uint8(Bad.AFFECTED), np.uint8(0))
        own = merge_mask(mask, ~np.isfinite(data), Bad.NAN, data.shape)
        if self._carried is not None and own is not None:
            kept = self._carried >= 0
            marked[:, kept] = own[:, self._carried[kept]]
        return Chunk(out, chunk.times, chunk.first_sample, chunk.health.with_mask(marked))


def positions_of(info: StreamInfo, columns: list[int], *, who: str) -> NDArray[np.float64]:
    """Return electrode positions in metres, shape (n, 3).

    Raises
    ------
    ArgumentError
        Naming the channels without one.
    """
    xyz = info.positions_array()[columns]
    missing = [info.ch_names[column] for column, place in zip(columns, xyz, strict=True) if np.isnan(place).any()]
    if missing:
        raise ArgumentError(
            f"{who} needs electrode positions; {info.name!r} has none for {', '.join(missing)}. Give them in "
            "StreamInfo.positions, for instance with bcikit.processing.with_montage(info)."
        )
    return xyz


def with_montage(info: StreamInfo, montage: str | None = None) -> StreamInfo:
    """Return the description with the positions that an MNE montage has for the channel names.

    Parameters
    ----------
    info : StreamInfo
        Names are compared without regard to case and to dots ("Fc5." is FC5).
    montage : str or None
        One of `mne.channels.get_builtin_montages`; None for the extended 10-05 system.
    """
    montage = montage or "standard_1005"
    found = montage_positions(info.ch_names, montage)
    if found is None:
        raise ArgumentError(f"The montage {montage!r} knows none of the channels {', '.join(info.ch_names)}.")
    return info.replace(positions=found)


def matrix_by_mne(
    info: StreamInfo, columns: list[int], function: Callable[[Any], Any], *, bads: tuple[str, ...] = ()
) -> NDArray[np.float64]:
    """Return what an MNE function does to EEG channels, as a matrix: it is applied to unit inputs.

    Parameters
    ----------
    info : StreamInfo
        Must have the positions of the channels.
    columns : list of int
        EEG channels, in this order in the matrix.
    function : callable
        Takes an `mne.io.Raw`, returns one; must be linear.
    bads : tuple of str
        Channels that are bad for MNE.

    Returns
    -------
    ndarray, shape (n, n)
    """
    import mne

    names = [info.ch_names[column] for column in columns]
    xyz = positions_of(info, columns, who="this step")
    head = mne.create_info(names, 100.0, "eeg", verbose="ERROR")
    montage = mne.channels.make_dig_montage(dict(zip(names, xyz, strict=True)), coord_frame="head")
    head.set_montage(montage, verbose="ERROR")
    head["bads"] = list(bads)
    raw = mne.io.RawArray(np.eye(len(names)), head, verbose="ERROR")
    with mne.utils.use_log_level("ERROR"):
        matrix: NDArray[np.float64] = function(raw).get_data()
    return matrix


def embed(matrix: NDArray[np.float64], columns: list[int], n_channels: int) -> NDArray[np.float64]:
    """Return a square matrix for some columns as one for all channels, the others unchanged."""
    whole = np.eye(n_channels)
    whole[np.ix_(columns, columns)] = matrix
    return whole


def signal_columns(info: StreamInfo) -> list[int]:
    """Return the columns of all voltage channels."""
    return [index for index, kind in enumerate(info.ch_types) if kind in SIGNAL_TYPES]
