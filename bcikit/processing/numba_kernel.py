"""The compiled loop over a cascade; imported only when the numba engine is asked for, compiled at import."""

from typing import Any

import numba
import numpy as np

_njit: Any = numba.njit
# No fastmath but contraction: a fused multiply-add never depends on how the stream was cut, a reordered sum would.
_OPTIONS = {"nogil": True, "fastmath": {"contract"}}


def _compiled(signature: str) -> Any:
    """Return a decorator that compiles at once, and keeps the result on disk where it may write."""

    def compiled(function: Any) -> Any:
        try:
            return _njit(signature, cache=True, **_OPTIONS)(function)
        except RuntimeError:
            # Neither the package's folder nor the user's cache can be written.
            return _njit(signature, **_OPTIONS)(function)

    return compiled


@_njit(inline="always", **_OPTIONS)
def _section(row, first, second, b0, b1, b2, a1, a2):  # type: ignore[no-untyped-def]
    """Run one sample of every channel through one section (transposed direct form II), in place."""
    for channel in range(row.shape[0]):
        value = row[channel]
        out = b0 * value + first[channel]
        first[channel] = b1 * value - a1 * out + second[channel]
        second[channel] = b2 * value - a2 * out
        row[channel] = out


@_compiled("boolean(float64[:, ::1], float64[:, ::1], float64[:, :, ::1], float64[:, :, ::1], float64[:, ::1])")
def cascade_rows(data, sos, state, before, out):  # type: ignore[no-untyped-def]
    """Filter ``data`` (n_times, n_channels) into ``out``; ``state`` (n_sections, 2, n_channels) is changed.

    Section, then time, then channel, on one-dimensional row views: the only order that LLVM vectorises. A value that
    is not finite stays in the state for ever, so looking there at the end is enough: then the state is put back from
    ``before``, and False is returned.
    """
    before[:] = state
    for section in range(sos.shape[0]):
        b0 = sos[section, 0]
        b1 = sos[section, 1]
        b2 = sos[section, 2]
        a1 = sos[section, 4]
        a2 = sos[section, 5]
        first = state[section, 0]
        second = state[section, 1]
        for time in range(data.shape[0]):
            if section == 0:
                out[time] = data[time]
            _section(out[time], first, second, b0, b1, b2, a1, a2)
    total = 0.0
    for value in state.flat:
        total += value
    if not np.isfinite(total):
        state[:] = before
        return False
    return True
