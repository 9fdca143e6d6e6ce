"""XDF files: one stream of samples, the marker streams as events."""

import itertools
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.assembler import GAP_WITHOUT_COUNTER
from bcikit.acquisition.lsl_meta import channel_type, positions_of, unique_names, unit_factor
from bcikit.signal import Event, Recording, SourceError, StreamInfo

_LINE_SECONDS = 10.0
"""Length of a stretch from which its own rate is taken; a shorter one has the nominal rate."""

_DEVICE = ("manufacturer", "model")
_OWN = "bcikit-"
"""Beginning of the types of streams in which a session keeps chunk boundaries and masks: they are no events."""


def read_xdf(path: Path, *, stream: str | None = None, unit: str | None = None) -> Recording:
    """Return one stream of an XDF file, with the events of all marker streams in it.

    Clock offsets and clock resets are handled by pyxdf. Losses are counted from the stamps;
    pyxdf's own removal of jitter would draw time over a gap of less than a second or two.

    Parameters
    ----------
    path : Path
        The file.
    stream : str or None
        Name of the stream; the first of type EEG, else the one with most channels, where it is left out.
    unit : str or None
        Unit of the voltages, where the file states none.

    Raises
    ------
    SourceError
        If the file is damaged or holds no such stream.
    """
    import pyxdf

    logger = logging.getLogger("pyxdf.pyxdf")
    logger.addFilter(_quiet)
    try:
        streams, _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False, verbose=False)
    except Exception as error:  # noqa: BLE001  whatever a damaged file makes the parser do
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{path} cannot be read as XDF: it is damaged or empty ({text}).") from None
    finally:
        logger.removeFilter(_quiet)
    chosen = _choose(streams, stream, path)
    recording = _recording(chosen, path, unit=unit)
    events = [event for item in streams if item is not chosen for event in _events(item, recording)]
    return Recording(
        info=recording.info,
        data=recording.data,
        times=recording.times,
        samples=recording.samples,
        events=tuple(sorted(events, key=lambda event: event.time)),
    )


def _quiet(record: logging.LogRecord) -> bool:  # noqa: ARG001
    """Let none of pyxdf's remarks on standard error: what matters of them is an error or a loss here."""
    return False


def _choose(streams: list[Any], wanted: str | None, path: Path) -> Any:
    numeric = [s for s in streams if s["info"]["channel_format"][0] != "string" and _rate(s) > 0]
    names = [s["info"]["name"][0] for s in numeric]
    if wanted is not None:
        matching = [s for s in numeric if s["info"]["name"][0] == wanted]
        if not matching:
            raise SourceError(
                f"{path} has no stream of samples named {wanted!r}; it has: {', '.join(names) or 'none'}."
            )
        return matching[0]
    filled = [s for s in numeric if len(s["time_stamps"])]
    if not filled:
        raise SourceError(f"{path} holds no stream of samples ({len(streams)} streams, none with a rate and data).")
    eeg = [s for s in filled if (s["info"]["type"][0] or "").upper() == "EEG"]
    return max(eeg or filled, key=lambda s: int(s["info"]["channel_count"][0]))


def _rate(stream: Any) -> float:
    return float(stream["info"]["nominal_srate"][0])


def _within(node: Any, *path: str) -> Any:
    """Return what lies at a path in pyxdf's nested lists, or None."""
    for key in path:
        try:
            node = node[key][0]
        except (KeyError, TypeError, IndexError):
            return None
    return node


def _channels(info: Any) -> list[dict[str, str]]:
    """Return label, type, unit and position (millimetres) of each channel of a stream."""
    channels = _within(info, "desc", "channels")
    listed = channels.get("channel") or [] if isinstance(channels, dict) else []
    texts = [{key: str(_within(item, key) or "") for key in ("label", "type", "unit")} for item in listed]
    for text, item in zip(texts, listed, strict=True):
        text |= {axis.lower(): str(_within(item, "location", axis) or "") for axis in "XYZ"}
    return texts


def _recording(stream: Any, path: Path, *, unit: str | None) -> Recording:
    info = stream["info"]
    name = info["name"][0]
    count = int(info["channel_count"][0])
    channels = _channels(info)
    if len(channels) != count:
        channels = [{"label": f"Ch{i + 1}", "type": "", "unit": ""} for i in range(count)]
    names = unique_names([texts["label"] for texts in channels])
    kinds = [channel_type(texts["type"], info["type"][0] or "") for texts in channels]
    where = f"{path.name}, stream {name!r},"
    factors = np.array(
        [unit_factor(unit or texts["unit"], kind, where=where) for texts, kind in zip(channels, kinds, strict=True)]
    )
    sfreq = _rate(stream)
    stamps = np.asarray(stream["time_stamps"], dtype=np.float64)
    if not stamps.shape[0]:
        raise SourceError(f"{where} holds no samples.")
    samples, times = on_grid(stamps, sfreq)
    return Recording(
        info=StreamInfo(
            name=name,
            sfreq=sfreq,
            ch_names=names,
            ch_types=tuple(kinds),
            positions=positions_of(channels),
            source_id=(info.get("source_id") or [""])[0] or "",
            device=" ".join(filter(None, (_within(info, "desc", "acquisition", key) for key in _DEVICE))),
            reference=str(_within(info, "desc", "reference", "label") or ""),
        ),
        data=np.ascontiguousarray(np.asarray(stream["time_series"], dtype=np.float64) * factors),
        times=times,
        samples=samples,
    )


def on_grid(stamps: NDArray[np.float64], sfreq: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the index of each sample, lost ones counted, and its time, smooth between the losses.

    Time that passed without samples is a loss if the stamps stay late by it; a link that held samples back catches up.

    Parameters
    ----------
    stamps : ndarray, shape (n_times,)
        Seconds, in the order of arrival, with the jitter of whoever made them.
    sfreq : float
        Nominal rate in Hz.
    """
    n = stamps.shape[0]
    period = 1.0 / sfreq
    steps = np.diff(stamps)
    tolerance = 0.6 * period if _is_grid(steps) else max(GAP_WITHOUT_COUNTER, 1.5 * period)
    rows = np.flatnonzero(steps - period > tolerance) + 1
    lost = np.zeros(n, dtype=np.int64)
    # Once with the nominal rate, then with the rate that follows.
    for _ in range(2 if rows.size else 0):
        lost[rows] = _missing(stamps, rows, period, 0.6 * tolerance)
        kept = steps[lost[1:] == 0]
        period = float(kept.mean()) if kept.size > sfreq else period
    samples = np.arange(n, dtype=np.int64) + np.cumsum(lost)
    edges = [0, *np.flatnonzero((lost > 0) | (np.diff(stamps, prepend=stamps[:1]) < -tolerance)).tolist(), n]
    times = np.empty(n)
    for start, stop in itertools.pairwise(edges):
        x = np.arange(stop - start) - 0.5 * (stop - start - 1)
        y = stamps[start:stop]
        slope = float(x @ y / (x @ x)) if stop - start > _LINE_SECONDS * sfreq else period
        times[start:stop] = y.mean() + slope * x
    # Two lines may overlap by their jitter; times never go back.
    ramp = 0.5 * period * np.arange(n)
    return samples, np.maximum.accumulate(times - ramp) + ramp


def _is_grid(steps: NDArray[np.float64]) -> bool:
    """Return whether all short steps are whole multiples of one period: then a single missing sample shows."""
    if not steps.size:
        return False
    usual = float(np.median(steps))
    short = steps[steps < 10.5 * usual]
    return bool(np.all(np.abs(short - np.maximum(1.0, np.rint(short / usual)) * usual) < 0.25 * usual))


def _missing(stamps: NDArray[np.float64], rows: NDArray[np.intp], period: float, least: float) -> list[int]:
    """Return how many samples are missing before each row: by how much the stamps stay later than before it.

    What is later by less than `least` seconds is jitter.
    """
    late = stamps - period * np.arange(stamps.shape[0])
    edges = [0, *rows.tolist(), stamps.shape[0]]
    found = []
    for before, row, after in zip(edges, edges[1:], edges[2:], strict=False):
        # Long enough for a link that held samples back to catch up.
        window = max(1, round(max(1.0, 3.0 * float(stamps[row] - stamps[row - 1])) / period))
        step = np.median(late[row : min(after, row + window)]) - np.median(late[max(before, row - window) : row])
        found.append(round(float(step) / period) if step > least else 0)
    return found


def _events(stream: Any, recording: Recording) -> list[Event]:
    """Return the texts or numbers of a stream without rate, on the samples of the recording."""
    info = stream["info"]
    if _rate(stream) > 0 or not len(stream["time_stamps"]) or int(info["channel_count"][0]) < 1:
        return []
    if (info["type"][0] or "").startswith(_OWN):
        return []
    found = []
    for time, row in zip(stream["time_stamps"], stream["time_series"], strict=True):
        value: Any = row[0] if len(row) == 1 else " ".join(map(str, row))
        if not isinstance(value, str):
            value = int(value) if float(value).is_integer() else float(value)
        sample = nearest_sample(float(time), recording)
        found.append(Event(name=str(value), time=float(time), sample=sample, value=value, source=info["name"][0]))
    return found


def nearest_sample(time: float, recording: Recording) -> int:
    """Return the index of the sample of a recording that is nearest to a time."""
    times = recording.times
    row = int(np.searchsorted(times, time))
    if row == 0:
        return int(recording.samples[0]) + round((time - float(times[0])) * recording.info.sfreq)
    if row == times.shape[0]:
        return int(recording.samples[-1]) + round((time - float(times[-1])) * recording.info.sfreq)
    return int(recording.samples[row - 1 if time - times[row - 1] < times[row] - time else row])
