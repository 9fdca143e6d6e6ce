"""Engines that run a cascade of second-order sections: numpy, scipy's kernel, numba.

All keep float64 state (float32 loses EEG under an offset of 10 mV) in scipy's transposed direct form II, and all give
the same output: scipy and numba bit by bit whatever the chunks, numpy within 1e-10 of the signal's scale.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import finite
from bcikit.signal import MissingDependencyError, check_choice

ENGINES = ("auto", "numba", "numpy", "scipy")
"""What `make_engine` knows; "auto" is numba where it is installed, else numpy."""

_BLOCK = 32
_IN_PLACE = 1024
_SCRATCH = 64


class CascadeEngine(ABC):
    """Runs one cascade over the channels of a stream.

    Attributes
    ----------
    sos : ndarray, shape (n_sections, 6)
        Second-order sections as scipy writes them, a0 = 1.
    last : ndarray, shape (n_channels,)
        Newest input row that `run_finite` filtered.
    """

    name = ""

    def __init__(self, sos: NDArray[np.float64], n_channels: int) -> None:
        self.sos = np.ascontiguousarray(sos, dtype=np.float64)
        self.n_channels = n_channels
        self.n_sections = self.sos.shape[0]
        self.last = np.zeros(n_channels)

    @property
    @abstractmethod
    def state(self) -> NDArray[np.float64]:
        """A copy of the state, shape (n_sections, 2, n_channels)."""

    @state.setter
    @abstractmethod
    def state(self, value: NDArray[np.float64]) -> None: ...

    @abstractmethod
    def run(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the filtered samples, shape (n_times, n_channels), and keep the state.

        Parameters
        ----------
        data : ndarray, shape (n_times, n_channels)
            At least one row; finite.
        """

    def run_in_place(self, data: NDArray[np.float64], *, backwards: bool = False) -> None:
        """Filter finite samples in place, from the end if `backwards`, in blocks that fit into the cache.

        Parameters
        ----------
        data : ndarray, shape (n_times, n_channels)
            Any memory layout.
        backwards : bool
            Begin with the last row.
        """
        rows = data[::-1] if backwards else data
        for start in range(0, rows.shape[0], _IN_PLACE):
            rows[start : start + _IN_PLACE] = self.run(np.ascontiguousarray(rows[start : start + _IN_PLACE]))

    def run_finite(self, data: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the filtered samples and note the newest row in `last`.

        If a sample is not finite it returns None, and the state stays as it was.
        """
        if not finite(data):
            return None
        self.last[:] = data[-1]
        return self.run(data)


class NumpyEngine(CascadeEngine):
    """The whole cascade as one matrix product a block: ``[y; z'] = M @ [x; z]``.

    Blocks of up to 32 samples; the matrix of each length is made once, by running unit inputs and unit states through
    the sections.
    """

    name = "numpy"

    def __init__(self, sos: NDArray[np.float64], n_channels: int) -> None:
        super().__init__(sos, n_channels)
        self._order = 2 * self.n_sections
        self._state = np.zeros((self._order, n_channels))
        self._plans: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        for length in (1, 8, 16, _BLOCK):
            self._plan(length)

    def _plan(self, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the matrix for blocks of one length and the input it is applied to."""
        order = self._order
        size = length + order
        inputs = np.zeros((length, size))
        inputs[:, :length] = np.eye(length)
        state = np.zeros((self.n_sections, 2, size))
        state.reshape(order, size)[:, length:] = np.eye(order)
        matrix = np.empty((size, size))
        matrix[:length] = sosfilt_rows(self.sos, inputs, state)
        matrix[length:] = state.reshape(order, size)
        plan = (matrix, np.empty((size, self.n_channels)))
        self._plans[length] = plan
        return plan

    @property
    def state(self) -> NDArray[np.float64]:
        """A copy of the state, shape (n_sections, 2, n_channels)."""
        return self._state.reshape(self.n_sections, 2, self.n_channels).copy()

    @state.setter
    def state(self, value: NDArray[np.float64]) -> None:
        self._state[:] = value.reshape(self._order, self.n_channels)

    def run(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the filtered samples and keep the state."""
        n_times = data.shape[0]
        order = self._order
        # The new state lands in the rows after each block, where the next block's output overwrites it.
        rows = np.empty((n_times + order, self.n_channels))
        state: NDArray[np.float64] = self._state
        start = 0
        while start < n_times:
            length = min(_BLOCK, n_times - start)
            matrix, block = self._plans.get(length) or self._plan(length)
            block[:length] = data[start : start + length]
            block[length:] = state
            stop = start + length
            np.matmul(matrix, block, out=rows[start : stop + order])
            state = rows[stop : stop + order]
            start = stop
        self._state[:] = state
        return rows[:n_times]


class ScipyEngine(CascadeEngine):
    """Calls the compiled kernel under `scipy.signal.sosfilt`, without the checks that cost more than the filter.

    The kernel is private: it is compared with the public function when it is first used, and the public function is
    called instead if they differ.
    """

    name = "scipy"

    def __init__(self, sos: NDArray[np.float64], n_channels: int) -> None:
        super().__init__(sos, n_channels)
        self._kernel = scipy_kernel()
        self._state = np.zeros((n_channels, self.n_sections, 2))

    @property
    def state(self) -> NDArray[np.float64]:
        """A copy of the state, shape (n_sections, 2, n_channels)."""
        return np.ascontiguousarray(self._state.transpose(1, 2, 0))

    @state.setter
    def state(self, value: NDArray[np.float64]) -> None:
        self._state[:] = value.transpose(2, 0, 1)

    def run(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the filtered samples and keep the state."""
        rows = data.T.copy(order="C")
        if self._kernel is None:
            from scipy.signal import sosfilt

            rows, state = sosfilt(self.sos, rows, axis=1, zi=np.ascontiguousarray(self._state.transpose(1, 0, 2)))
            self._state[:] = state.transpose(1, 0, 2)
        else:
            self._kernel(self.sos, rows, self._state)
        return rows.T.copy(order="C")


class NumbaEngine(CascadeEngine):
    """A loop compiled by numba, channel innermost so that it vectorises; it releases the GIL."""

    name = "numba"

    def __init__(self, sos: NDArray[np.float64], n_channels: int) -> None:
        super().__init__(sos, n_channels)
        if find_spec("numba") is None:
            raise MissingDependencyError("numba", "numba", "engine='numba'")
        from bcikit.processing.numba_kernel import cascade_in_place, cascade_rows

        self._kernel = cascade_rows
        self._in_place = cascade_in_place
        rows = 2 * self.n_sections
        self._work = np.zeros((2 * rows + 1, n_channels))
        self._state = self._work[:rows].reshape(self.n_sections, 2, n_channels)
        self.last = self._work[2 * rows]

    @property
    def state(self) -> NDArray[np.float64]:
        """A copy of the state, shape (n_sections, 2, n_channels)."""
        return self._state.copy()

    @state.setter
    def state(self, value: NDArray[np.float64]) -> None:
        self._state[:] = value

    def run(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the filtered samples and keep the state."""
        out = np.empty(data.shape)
        self._kernel(data, self.sos, self._work, out)
        return out

    def run_in_place(self, data: NDArray[np.float64], *, backwards: bool = False) -> None:
        """Filter finite samples in place, from the end if `backwards`."""
        self._in_place(data, self.sos, self._work, np.empty((_SCRATCH, self.n_channels)), backwards)

    def run_finite(self, data: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the filtered samples; None, and the state as it was, if a sample is not finite."""
        out = np.empty(data.shape)
        return out if self._kernel(data, self.sos, self._work, out) else None


_CLASSES: dict[str, type[CascadeEngine]] = {kind.name: kind for kind in (NumpyEngine, ScipyEngine, NumbaEngine)}


def make_engine(sos: NDArray[np.float64], n_channels: int, *, engine: str = "auto") -> CascadeEngine:
    """Return an engine that is ready to run: whatever must be compiled is compiled now.

    Parameters
    ----------
    sos : ndarray, shape (n_sections, 6)
        The cascade.
    n_channels : int
        Channels of the stream.
    engine : str
        One of `ENGINES`.

    Raises
    ------
    ArgumentError
        If there is no such engine.
    MissingDependencyError
        If numba is asked for by name and is not installed.
    """
    check_choice("engine", engine, ENGINES)
    if engine == "auto":
        if find_spec("numba") is not None:
            # An installed numba may not fit this Python or numpy; then the other engine serves as well.
            with suppress(ImportError):
                return NumbaEngine(sos, n_channels)
        engine = "numpy"
    return _CLASSES[engine](sos, n_channels)


def sosfilt_rows(
    sos: NDArray[np.float64], data: NDArray[np.float64], state: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return `data`, shape (n_times, n), filtered row by row; `state`, shape (n_sections, 2, n), is changed.

    The plain form of what the engines do, for making their matrices and for checking them.
    """
    out = np.array(data, dtype=np.float64)
    for (b0, b1, b2, _, a1, a2), memory in zip(sos, state, strict=True):
        first, second = memory
        for row in out:
            value = row.copy()
            row[:] = b0 * value + first
            first[:] = b1 * value - a1 * row + second
            second[:] = b2 * value - a2 * row
    return out


def scipy_kernel() -> Callable[..., None] | None:
    """Return scipy's private kernel if it is there and agrees with the public function, else None."""
    try:
        from scipy.signal import butter, sosfilt
        from scipy.signal._sosfilt import _sosfilt

        sos = np.ascontiguousarray(butter(2, [0.1, 0.4], "bandpass", output="sos"))
        data = np.random.default_rng(0).standard_normal((3, 50))
        state = np.zeros((3, sos.shape[0], 2))
        direct = data.copy()
        _sosfilt(sos, direct, state)
        public, end = sosfilt(sos, data, axis=1, zi=np.zeros((sos.shape[0], 3, 2)))
        agrees = np.array_equal(direct, public) and np.array_equal(state.transpose(1, 0, 2), end)
    except Exception:  # noqa: BLE001 - whatever a future scipy does, the public function remains
        return None
    kernel: Callable[..., None] | None = _sosfilt if agrees else None
    return kernel
