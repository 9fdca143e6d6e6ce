"""XDF files: one stream of samples, the marker streams as events."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.lsl_meta import channel_type, positions_of, unique_names, unit_factor
from bcikit.acquisition.stamps import on_grid
from bcikit.signal import Event, Recording, SourceError, StreamInfo

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
