"""The compiled loop over a cascade; imported only when the numba engine is asked for, compiled at import."""

from typing import Any

import numba

_njit: Any = numba.njit
# No fastmath but contraction: a fused multiply-add never depends on how the stream was cut, a reordered sum would.
_OPTIONS = {"nogil": True, "fastmath": {"contract"}}
# "no cover" below: compiled at import, these run as machine code, where no line can be counted; tests compare their
# numbers with those of the other engine.


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
def _section(row, first, second, b0, b1, b2, a1, a2):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Run one sample of every channel through one section (transposed direct form II), in place."""
    for channel in range(row.shape[0]):
        value = row[channel]
        out = b0 * value + first[channel]
        first[channel] = b1 * value - a1 * out + second[channel]
        second[channel] = b2 * value - a2 * out
        row[channel] = out


@_compiled("boolean(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1])")
def cascade_rows(data, sos, work, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Filter ``data`` (n_times, n_channels) into ``out``.

    Rows of ``work`` (4 n_sections + 1, n_channels): the state, two rows a section; the state before the call; the
    newest row of ``data``. Few arrays, because handing one over costs as much as filtering a row.

    Section, then time, then channel, on one-dimensional row views: the only order that LLVM vectorises; a few rows at
    a time, so that they stay in the nearest cache. A value that is not finite stays in the state for ever, so looking
    at the last row is enough: then the state is put back, and False is returned.
    """
    n_times = data.shape[0]
    n_sections = sos.shape[0]
    rows = 2 * n_sections
    for row in range(rows):
        work[rows + row] = work[row]
    for begin in range(0, n_times, 32):
        end = min(begin + 32, n_times)
        for time in range(begin, end):
            out[time] = data[time]
        for section in range(n_sections):
            b0 = sos[section, 0]
            b1 = sos[section, 1]
            b2 = sos[section, 2]
            a1 = sos[section, 4]
            a2 = sos[section, 5]
            first = work[2 * section]
            second = work[2 * section + 1]
            for time in range(begin, end):
                _section(out[time], first, second, b0, b1, b2, a1, a2)
    zero = 0.0
    for value in out[n_times - 1]:
        zero += value - value
    if zero != 0.0:
        for row in range(rows):
            work[row] = work[rows + row]
        return False
    work[2 * rows] = data[n_times - 1]
    return True


@_compiled("void(float64[:, :], float64[:, ::1], float64[:, ::1], float64[:, ::1], boolean)")
def cascade_in_place(data, sos, work, scratch, backwards):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Filter ``data`` (n_times, n_channels; any layout) in place, from its end if ``backwards``.

    The state is in the first rows of ``work``; ``scratch`` (n, n_channels) holds the rows that are worked on. One call
    for a whole recording: threads do not meet at the interpreter's lock.
    """
    n_times = data.shape[0]
    done = 0
    while done < n_times:
        length = min(scratch.shape[0], n_times - done)
        for time in range(length):
            scratch[time] = data[n_times - 1 - done - time if backwards else done + time]
        for section in range(sos.shape[0]):
            b0 = sos[section, 0]
            b1 = sos[section, 1]
            b2 = sos[section, 2]
            a1 = sos[section, 4]
            a2 = sos[section, 5]
            first = work[2 * section]
            second = work[2 * section + 1]
            for time in range(length):
                _section(scratch[time], first, second, b0, b1, b2, a1, a2)
        for time in range(length):
            data[n_times - 1 - done - time if backwards else done + time] = scratch[time]
        done += length
