"""Pulls from an LSL inlet into memory that is made once: the blocking wait is liblsl's own, nothing polls."""

import ctypes
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.lsl_library import lsl


class BlockPuller:
    """Waits for the first sample, then takes what else is there.

    Parameters
    ----------
    inlet : pylsl.StreamInlet
        Of a stream of numbers.
    n_channels : int
        Its channels.
    max_samples : int
        Most samples a pull.
    """

    def __init__(self, inlet: Any, n_channels: int, *, max_samples: int = 4096) -> None:
        self._pull = inlet.do_pull_chunk
        self._handle = inlet.obj
        self._check = lsl().util.handle_error
        self._n_channels = n_channels
        self._max = max_samples
        self._data = np.empty((max_samples, n_channels), dtype=inlet.np_dtype)
        self._stamps = np.empty(max_samples)
        row = self._data.strides[0]
        self._rows = [
            (ctypes.c_void_p(self._data.ctypes.data + n * row), ctypes.c_void_p(self._stamps.ctypes.data + n * 8))
            for n in range(2)
        ]
        self._error = ctypes.c_int()
        self._error_ref = ctypes.byref(self._error)

    def _take(self, row: int, count: int, timeout: float) -> int:
        data, stamps = self._rows[row]
        self._error.value = 0
        values = self._pull(
            self._handle, data, stamps, ctypes.c_size_t(count * self._n_channels), ctypes.c_size_t(count),
            ctypes.c_double(timeout), self._error_ref,
        )  # fmt: skip
        if self._error.value:
            self._check(self._error)
        return int(values) // self._n_channels

    def pull(self, timeout: float) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return samples ``(n, n_channels)`` and stamps ``(n,)``, views that are valid until the next pull.

        Raises
        ------
        pylsl.util.LostError
            If the outlet is gone.
        """
        n = self._take(0, 1, timeout)
        if n:
            more = self._take(1, self._max - 1, 0.0)
            if not more:
                # Woken by the first sample of a block that is still being queued: let the other thread finish.
                time.sleep(0)
                more = self._take(1, self._max - 1, 0.0)
            n += more
        return self._data[:n], self._stamps[:n]
