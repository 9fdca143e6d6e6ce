"""The streams of an XDF file: what each is, which one a user means, and which are markers."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.lsl_meta import VOLTAGE_TYPES, channel_type
from bcikit.acquisition.mne_files import kind_of
from bcikit.acquisition.xdf_chunks import kept
from bcikit.acquisition.xdf_samples import load
from bcikit.signal import SourceError

_OWN = "bcikit-"
"""Beginning of the types of streams in which a session keeps chunk boundaries and masks: they are no events."""

_MARKERS = re.compile(r"markers?|events?|stim(ulus|uli)?|triggers?|annotations?|cues?|codes?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class XdfStream:
    """One stream of a file.

    Attributes
    ----------
    number : int
        Its number in the file.
    place : int
        Its place among the streams, 1 for the first.
    name, kind, source_id, channel_format : str
        As its header says.
    sfreq : float
        Nominal rate in Hz; 0 for none.
    channels : list of dict
        Label, type, unit, x, y, z of each channel as texts.
    stamps : ndarray of float64, shape (n_times,)
        Seconds, clock offsets applied.
    values : ndarray, shape (n_times, n_channels), or list of list of str
        Samples.
    info : Any
        The whole header, as pyxdf gives it.
    """

    number: int
    place: int
    name: str
    kind: str
    source_id: str
    channel_format: str
    sfreq: float
    channels: list[dict[str, str]]
    stamps: NDArray[np.float64]
    values: Any
    info: Any = field(repr=False)

    @property
    def n_times(self) -> int:
        """Number of samples."""
        return int(self.stamps.shape[0])

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Type of each channel in bcikit's words; one that is called a trigger is one, though its stream is EEG."""
        found = ((texts["label"], channel_type(texts["type"], self.kind)) for texts in self.channels)
        return tuple("stim" if kind == "eeg" and kind_of(label) == "stim" else kind for label, kind in found)

    @property
    def own(self) -> bool:
        """Whether a session of bcikit keeps its own things in it."""
        return self.kind.startswith(_OWN)

    @property
    def is_markers(self) -> bool:
        """Whether its samples are events: texts, a stream that says so, or single whole numbers without a rate."""
        if self.own or not self.n_channels:
            return False
        if self.channel_format == "string":
            return True
        if _MARKERS.fullmatch(self.kind.strip()):
            return True
        whole = self.channel_format.startswith("int")
        return self.sfreq <= 0 and self.n_channels == 1 and whole and self.kind.upper() not in ("EEG", "EXG")

    @property
    def is_signal(self) -> bool:
        """Whether it may be read as samples."""
        return not self.own and not self.is_markers and self.channel_format != "string" and self.n_channels > 0

    @property
    def rank(self) -> int:
        """How likely it is what is meant: EEG before other voltages before all else."""
        said = {self.kind.strip().upper(), *(texts["type"].strip().upper() for texts in self.channels)}
        if said & {"EEG", "EXG"}:
            return 2
        return 1 if any(kind in VOLTAGE_TYPES for kind in self.kinds) and self.kind.strip() else 0

    def describe(self) -> str:
        """Return one line about it."""
        rate = f"{self.sfreq:g} Hz" if self.sfreq > 0 else "no rate"
        identity = f", source id {self.source_id}" if self.source_id else ""
        return (
            f"#{self.place} {self.name!r} ({self.kind or 'no type'}, {self.n_channels} channels, {rate}, "
            f"{self.n_times} samples{identity})"
        )


def load_streams(path: Path, *, lazy: bool = False) -> list[XdfStream]:
    """Return all streams of a file; clock offsets and resets are handled by pyxdf.

    With `lazy`, the samples of signals stay in the file: `XdfStream.values` is then a `SamplesInFile`.

    Raises
    ------
    SourceError
        If it is damaged.
    """
    held, key = kept(), ("left" if lazy else "read", str(path))
    if key in held:
        return list(held[key])
    logger = logging.getLogger("pyxdf.pyxdf")
    logger.addFilter(_quiet)
    try:
        streams = load(path, lazy=lazy, dejitter_timestamps=False, verbose=False)
    except Exception as error:  # noqa: BLE001  whatever a damaged file makes the parser do
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{path} cannot be read as XDF: it is damaged or empty ({text}).") from None
    finally:
        logger.removeFilter(_quiet)
    held[key] = [_stream(found, place) for place, found in enumerate(streams, start=1)]
    return list(held[key])


def _quiet(record: logging.LogRecord) -> bool:  # noqa: ARG001
    """Let none of pyxdf's remarks on standard error: what matters of them is an error or a loss here."""
    return False


def within(node: Any, *path: str) -> Any:
    """Return what lies at a path in pyxdf's nested lists, or None."""
    for key in path:
        try:
            node = node[key][0]
        except (KeyError, TypeError, IndexError):
            return None
    return node


def _stream(found: Any, place: int) -> XdfStream:
    info = found["info"]

    def text(key: str) -> str:
        return str(within(info, key) or "")

    count = int(float(text("channel_count") or 0))
    try:
        sfreq = float(text("nominal_srate") or 0)
    except ValueError:
        sfreq = 0.0
    listed = within(info, "desc", "channels")
    items = (listed.get("channel") or []) if isinstance(listed, dict) else []
    channels = [{key: str(within(item, key) or "") for key in ("label", "type", "unit")} for item in items]
    for texts, item in zip(channels, items, strict=True):
        texts |= {axis.lower(): str(within(item, "location", axis) or "") for axis in "XYZ"}
    if len(channels) != count:
        channels = [{"label": f"Ch{i + 1}", "type": "", "unit": ""} for i in range(count)]
    return XdfStream(
        number=int(info.get("stream_id", place)),
        place=place,
        name=text("name"),
        kind=text("type"),
        source_id=text("source_id"),
        channel_format=text("channel_format") or "float32",
        sfreq=sfreq if np.isfinite(sfreq) and sfreq > 0 else 0.0,
        channels=channels,
        stamps=np.asarray(found["time_stamps"], dtype=np.float64),
        values=found["time_series"],
        info=info,
    )


def choose_stream(streams: Sequence[XdfStream], wanted: str | None, path: Path) -> XdfStream:
    """Return the stream of samples that is meant.

    Raises
    ------
    SourceError
        If there is none, or more than one that could be meant; the message lists them and says how to choose.
    """
    signals = [one for one in streams if one.is_signal]
    if wanted is not None:
        matching = _matching(signals, wanted)
        if not matching:
            listed = "; ".join(one.describe() for one in signals) or "none"
            raise SourceError(f"{path} has no stream of samples named {wanted!r}; it has: {listed}.")
        matching = [one for one in matching if one.n_times] or matching
    else:
        matching = [one for one in signals if one.n_times]
    if not matching:
        others = "; ".join(one.describe() for one in streams if not one.own)
        raise SourceError(f"{path} holds no stream of samples with data (it has: {others or 'nothing'}).")
    best = max(one.rank for one in matching)
    likely = [one for one in matching if one.rank == best]
    if len(likely) > 1 and (best or wanted is not None):
        listed = "; ".join(one.describe() for one in likely)
        one, other = likely[0], likely[1]
        how = other.name if one.name != other.name else other.source_id if one.source_id != other.source_id else ""
        raise SourceError(
            f"{path} has {len(likely)} streams that may be meant: {listed}. Say which: "
            f"stream={how or f'#{other.place}'} (a name, source id, type, or #{other.place} for its place)."
        )
    return max(likely, key=lambda one: (one.n_channels, -one.place))


def _matching(signals: Sequence[XdfStream], wanted: str) -> list[XdfStream]:
    for key in ("name", "source_id"):
        found = [one for one in signals if getattr(one, key) == wanted]
        if found:
            return found
    if re.fullmatch(r"#\d+", wanted):
        return [one for one in signals if one.place == int(wanted[1:])]
    if wanted.isdecimal():
        return [one for one in signals if one.number == int(wanted)]
    return [one for one in signals if one.kind.lower() == wanted.lower()]
