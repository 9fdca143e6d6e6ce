"""XDF files: one stream of samples, the marker streams as events."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.lsl_meta import channel_type, unit_factor
from bcikit.signal import Capabilities, Event, Recording, SourceError, StreamInfo


def read_xdf(path: Path, *, stream: str | None = None, unit: str | None = None) -> Recording:
    """Return one stream of an XDF file, with the events of all marker streams in it.

    Clock offsets, jitter and clock resets are handled by pyxdf. Where it splits a stream into segments, what lies
    between them counts as lost.

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

    try:
        streams, _ = pyxdf.load_xdf(str(path), verbose=False)
    except Exception as error:  # noqa: BLE001  whatever a damaged file makes the parser do
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{path} cannot be read as XDF: it is damaged or empty ({text}).") from None
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


def _channels(info: Any) -> list[dict[str, str]]:
    """Return label, type and unit of each channel of a stream in pyxdf's nested lists."""
    try:
        listed = info["desc"][0]["channels"][0]["channel"]
    except (KeyError, TypeError, IndexError):
        return []
    return [{key: str((item.get(key) or [""])[0] or "") for key in ("label", "type", "unit")} for item in listed]


def _recording(stream: Any, path: Path, *, unit: str | None) -> Recording:
    info = stream["info"]
    name = info["name"][0]
    count = int(info["channel_count"][0])
    channels = _channels(info)
    if len(channels) != count:
        channels = [{"label": f"Ch{i + 1}", "type": "", "unit": ""} for i in range(count)]
    names: list[str] = []
    for number, texts in enumerate(channels):
        label = texts["label"] or f"Ch{number + 1}"
        names.append(label if label not in names else f"{label}-{number + 1}")
    kinds = [channel_type(texts["type"], info["type"][0] or "") for texts in channels]
    where = f"{path.name}, stream {name!r},"
    factors = np.array(
        [unit_factor(unit or texts["unit"], kind, where=where) for texts, kind in zip(channels, kinds, strict=True)]
    )
    sfreq = _rate(stream)
    stamps = np.asarray(stream["time_stamps"], dtype=np.float64)
    samples = _indices(stamps, sfreq, info.get("segments"))
    return Recording(
        info=StreamInfo(
            name=name,
            sfreq=sfreq,
            ch_names=tuple(names),
            ch_types=tuple(kinds),
            source_id=(info.get("source_id") or [""])[0] or "",
            capabilities=Capabilities(),
        ),
        data=np.ascontiguousarray(np.asarray(stream["time_series"], dtype=np.float64) * factors),
        times=stamps,
        samples=samples,
    )


def _indices(stamps: NDArray[np.float64], sfreq: float, segments: Any) -> NDArray[np.int64]:
    """Return the index of each sample: consecutive within a segment, the time between segments counted as lost."""
    samples = np.arange(stamps.shape[0], dtype=np.int64)
    for start, _ in segments or []:
        if start > 0:
            missing = round((stamps[start] - stamps[start - 1]) * sfreq) - 1
            samples[start:] += max(0, missing)
    return samples


def _events(stream: Any, recording: Recording) -> list[Event]:
    """Return the texts or numbers of a stream without rate, on the samples of the recording."""
    info = stream["info"]
    if _rate(stream) > 0 or not len(stream["time_stamps"]) or int(info["channel_count"][0]) < 1:
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
