"""Zero-phase filtering of a whole recording, in place: for analysis only, never for a decoder that runs live."""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import Settling, merge_mask, unusable
from bcikit.processing.cascade import settling_samples, steady_state
from bcikit.processing.engines import make_engine
from bcikit.processing.iir import IirStep
from bcikit.processing.step import SIGNAL_TYPES, Step
from bcikit.signal import ArgumentError, Bad, Recording, check_int

_BLOCK = 1024


def apply_zero_phase(
    steps: Step | Sequence[Step], recording: Any, *, copy: bool = True, threads: int = 1, engine: str = "auto"
) -> Any:
    """Return a recording filtered forwards and backwards: twice the attenuation, no delay, not causal.

    Each stretch between two gaps is filtered on its own, with the ends extended by their mirror image as
    `scipy.signal.sosfiltfilt` does, whose result this equals. A sample that is not finite or is railed is replaced by
    the straight line between its good neighbours; what it and the gaps affect is marked `Bad.AFFECTED`, before and
    after.

    Parameters
    ----------
    steps : Step or sequence of Step
        Filters only (band-pass, high-pass, low-pass, notch, comb), or a Pipeline of them.
    recording : Recording or mne.io.Raw
        A Raw must be preloaded, and is always changed in place if `copy` is False.
    copy : bool
        False to filter in place: a few megabytes of extra memory, whatever the length of the recording.
    threads : int
        Threads; each takes a share of the channels.
    engine : str
        See `bcikit.processing.Pipeline`.

    Returns
    -------
    Recording or mne.io.Raw
        A recording's info says ``causal=False``: `bcikit` refuses to run a decoder live that was trained on it.

    Raises
    ------
    ArgumentError
        If a step is no filter, or a Raw is not preloaded.
    """
    chain = _filters(steps)
    check_int("threads", threads, low=1, high=64)
    if not isinstance(recording, Recording):
        return _filter_raw(chain, recording, copy=copy, threads=threads, engine=engine)
    sos = np.vstack([step.prepare(recording.info) for step in chain])
    columns = [index for index, kind in enumerate(recording.info.ch_types) if kind in SIGNAL_TYPES]
    data = recording.data.copy() if copy else recording.data
    length = settling_samples(sos)
    # Differences of the indices cost as much as a channel: only where samples are missing.
    breaks = np.flatnonzero(np.diff(recording.samples) != 1) + 1 if recording.lost else np.empty(0, np.intp)
    edges = np.concatenate([[0], breaks, [recording.n_times]]).astype(np.intp)
    disturbed: NDArray[np.uint8] | None = recording.mask
    for start, stop in itertools.pairwise(edges.tolist()):
        part = data[start:stop]
        marks = None if disturbed is None else disturbed[start:stop]
        bad = _bridge(part, marks, columns)
        filter_in_place(sos, part, columns, threads=threads, engine=engine)
        if bad is not None or len(edges) > 2:
            affected = _affected(bad, part.shape, length, ends=len(edges) > 2)
            whole = np.zeros(data.shape, np.uint8) if disturbed is None else disturbed
            merged = merge_mask(whole[start:stop], affected, Bad.AFFECTED, part.shape)
            if merged is not None and affected.any():
                disturbed = whole.copy() if disturbed is recording.mask else whole
                disturbed[start:stop] = merged
    return replace(recording, info=recording.info.replace(causal=False), data=data, mask=disturbed)


def filter_in_place(
    sos: NDArray[np.float64],
    data: NDArray[np.float64],
    columns: Sequence[int],
    *,
    threads: int = 1,
    engine: str = "auto",
) -> None:
    """Filter columns of an array forwards and backwards through blocks that fit into the cache.

    Parameters
    ----------
    sos : ndarray, shape (n_sections, 6)
        The cascade.
    data : ndarray of float64, shape (n_times, n_channels)
        Any memory layout; changed.
    columns : sequence of int
        What to filter.
    threads : int
        Threads; each takes a share of the columns.
    engine : str
        See `make_engine`.
    """
    split = [share.tolist() for share in np.array_split(np.asarray(columns, dtype=np.intp), threads) if share.size]
    shares = [run for share in split for run in _runs(share)]
    if threads == 1 or len(shares) < 2:
        for share in shares:
            _filter_share(sos, data, share, engine)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_filter_share, sos, data, share, engine) for share in shares]:
            done.result()


def _filter_share(sos: NDArray[np.float64], data: NDArray[np.float64], columns: list[int], engine: str) -> None:
    """Filter neighbouring columns: forwards with the mirrored ends, then backwards from the end that was kept."""
    n_times = data.shape[0]
    if n_times < 2:
        return
    part = data[:, columns[0] : columns[-1] + 1]
    runner = make_engine(sos, len(columns), engine=engine)
    steady = steady_state(sos)[:, :, None]
    # As scipy.signal.sosfiltfilt: three times the order, less the sections that are of first order.
    taps = 2 * sos.shape[0] + 1 - min(int((sos[:, 2] == 0).sum()), int((sos[:, 5] == 0).sum()))
    pad = min(3 * taps, n_times - 1)
    head = 2 * part[0] - part[pad:0:-1]
    tail = 2 * part[-1] - part[-2 : -pad - 2 : -1]
    runner.state = steady * head[0]
    runner.run(np.ascontiguousarray(head))
    runner.run_in_place(part)
    after = runner.run(np.ascontiguousarray(tail))
    runner.state = steady * after[-1]
    runner.run(np.ascontiguousarray(after[::-1]))
    runner.run_in_place(part, backwards=True)


def _runs(columns: list[int]) -> list[list[int]]:
    """Return columns as runs of neighbours, each of which is a view of the data."""
    breaks = np.flatnonzero(np.diff(columns) != 1) + 1
    return [run.tolist() for run in np.split(np.asarray(columns), breaks)]


def _filters(steps: Step | Sequence[Step]) -> list[IirStep]:
    """Return the filters in a step, a pipeline or a list.

    Raises
    ------
    ArgumentError
        If there is anything else, or nothing.
    """
    from bcikit.processing.pipeline import Pipeline

    chain = list(steps) if isinstance(steps, (Pipeline, Sequence)) else [steps]
    filters = [step for step in chain if isinstance(step, IirStep)]
    if not filters or len(filters) < len(chain):
        others = ", ".join(step.name for step in chain if not isinstance(step, IirStep)) or "nothing"
        raise ArgumentError(f"apply_zero_phase takes filters only; it got {others}.")
    typed = [step.name for step in filters if step.types]
    if typed:
        raise ArgumentError(
            f"apply_zero_phase filters all voltages alike; leave out types of {', '.join(typed)} and pick the channels."
        )
    return filters


def _bridge(data: NDArray[np.float64], mask: NDArray[np.uint8] | None, columns: list[int]) -> NDArray[np.bool_] | None:
    """Draw straight lines over unusable samples in place; return where they were, None if nowhere."""
    found: NDArray[np.bool_] | None = None
    if mask is None and _all_finite(data):
        return None
    for column in columns:
        bad = unusable(data[:, column], None if mask is None else mask[:, column])
        if not bad.any():
            continue
        if found is None:
            found = np.zeros(data.shape, dtype=bool)
        found[:, column] = bad
        good = np.flatnonzero(~bad)
        where = np.flatnonzero(bad)
        data[where, column] = np.interp(where, good, data[good, column]) if good.size else 0.0
    return found


def _all_finite(data: NDArray[np.float64]) -> bool:
    """Return whether a sum over each block is finite: one pass, no memory, any layout."""
    with np.errstate(over="ignore", invalid="ignore"):
        return all(np.isfinite(np.sum(data[start : start + _BLOCK])) for start in range(0, data.shape[0], _BLOCK))


def _affected(bad: NDArray[np.bool_] | None, shape: tuple[int, ...], length: int, *, ends: bool) -> NDArray[np.bool_]:
    """Return what bad samples and, if asked, the ends of a stretch affect, in both directions."""
    n_times, n_channels = shape
    both = np.zeros(shape, dtype=bool)
    for backwards in (False, True):
        settling = Settling(n_channels, length)
        if ends:
            settling.disturb()
        marks = settling.mark(n_times, bad if bad is None or not backwards else bad[::-1])
        both |= marks[::-1] if backwards else marks
    return both


def _filter_raw(chain: list[IirStep], raw: Any, *, copy: bool, threads: int, engine: str) -> Any:
    """Filter an `mne.io.Raw`, whose data are channels by samples in volts."""
    import mne

    from bcikit.signal import StreamInfo

    if not isinstance(raw, mne.io.BaseRaw):
        raise ArgumentError(f"apply_zero_phase takes a Recording or an mne.io.Raw; this is {type(raw).__name__}.")
    if not raw.preload:
        raise ArgumentError("The mne.io.Raw is not loaded; call raw.load_data() first.")
    raw = raw.copy() if copy else raw
    info = StreamInfo(name="mne", sfreq=raw.info["sfreq"], ch_names=("0",), line_freq=raw.info["line_freq"])
    sos = np.vstack([step.prepare(info) for step in chain])
    types = raw.get_channel_types()
    columns = [index for index, kind in enumerate(types) if kind in SIGNAL_TYPES or kind in ("seeg", "ecog", "dbs")]
    # The transpose is a view: blocks are copied out of it and back, the rest stays where it is.
    data = raw._data.T
    _bridge(data, None, columns)
    filter_in_place(sos, data, columns, threads=threads, engine=engine)
    return raw
