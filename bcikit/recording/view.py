"""ExportView: a session as files of other formats can hold it: one grid of samples, clean words, gaps marked."""

import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bcikit.recording.deidentify import Deidentifier
from bcikit.recording.session import Session
from bcikit.signal import Bad, DoubtWarning, Event, Recording, RecordingError, StreamInfo
from bcikit.signal.event import channels_of

VOLT_TYPES = frozenset({"eeg", "eog", "emg", "ecg", "bio", "ref"})
"""Channel types measured in volts; others have a unit that is not known here."""

_SPANS = {
    Bad.NAN: "BAD_nan",
    Bad.RAILED: "BAD_railed",
    Bad.REPEATED: "BAD_repeated",
    Bad.FILLED: "BAD_filled",
    Bad.FLAT: "BAD_flat",
}
_RULES = {
    Bad.NAN: "Q-NAN not a number",
    Bad.RAILED: "Q-RAIL railed",
    Bad.FLAT: "Q-FLAT flat",
    Bad.REPEATED: "repeated by the device",
    Bad.FILLED: "filled, never measured",
}
_QUALITY_RULE = re.compile(r"Q-[A-Z]{2,5}")
_JOIN_SECONDS = 0.5
"""Bad spans of one channel that are nearer than this are one event."""

BAD_SHARE = 0.1
"""A channel with a larger share of bad samples has the status "bad", as one that was marked so."""


def grid_of(recording: Recording, name: str) -> tuple[NDArray[np.int64], int]:
    """Return where each sample lies on a grid that has a place for those that were lost, too, and its length.

    Raises
    ------
    RecordingError
        If samples go back, or far more was lost than received.
    """
    samples = recording.samples - recording.samples[0]
    n_times = int(samples[-1]) + 1
    if np.any(np.diff(samples) <= 0) or n_times > 20 * recording.n_times + 600 * recording.info.sfreq:
        raise RecordingError(
            f"{name} has {recording.n_times} samples spread over {n_times}; that cannot be put on one grid."
        )
    return samples, n_times


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event of an export.

    Attributes
    ----------
    onset : float
        Seconds from the first sample.
    duration : float
        Seconds.
    name : str
        What happened, without what identifies.
    value : float, int, str or None
        What a marker carried.
    channels : tuple of str
        The channels it is about; empty if all.
    """

    onset: float
    duration: float
    name: str
    value: float | int | str | None = None
    channels: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What an annotation without a field for channels says: the name, and of what is bad which or how many."""
        if not self.channels or not self.name.lower().startswith("bad"):
            return self.name
        some = ",".join(self.channels) if len(self.channels) <= 4 else f"{len(self.channels)} channels"
        return f"{self.name}/{some}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ExportView:
    """What an export writes.

    Attributes
    ----------
    info : StreamInfo
        Description without what identifies.
    data : ndarray of float64, shape (n_times, n_channels)
        Samples on one grid; lost ones are zero and marked by "BAD_lost".
    received : ndarray of bool, shape (n_times,)
        False where a sample was lost.
    rows : tuple of Row
        Events, lost and bad spans, in order of time.
    status : tuple of (bool, str)
        For each channel whether it is good, and what is to be said of it.
    check : Deidentifier
        To be asked once the files are there.
    left_out : tuple of str
        What no export of a grid of samples can hold, one line each.
    """

    info: StreamInfo
    data: NDArray[np.float64]
    received: NDArray[np.bool_]
    rows: tuple[Row, ...]
    status: tuple[tuple[bool, str], ...]
    check: Deidentifier
    left_out: tuple[str, ...] = ()

    @property
    def n_times(self) -> int:
        """Number of samples with the lost ones."""
        return self.data.shape[0]

    @property
    def continuous(self) -> bool:
        """True if no sample was lost."""
        return bool(self.received.all())

    def unit(self, index: int) -> str:
        """Return the unit of a channel; empty where it is not known."""
        return self.info.unit if self.info.ch_types[index] in VOLT_TYPES else ""

    def renamed(self, names: Sequence[str]) -> "ExportView":
        """Return the view with other names of channels, wherever they stand."""
        fresh = dict(zip(self.info.ch_names, names, strict=True))
        rows = tuple(replace(row, channels=tuple(fresh[name] for name in row.channels)) for row in self.rows)
        bads = tuple(fresh[name] for name in self.info.bads)
        return replace(self, info=self.info.replace(ch_names=tuple(names), bads=bads), rows=rows)

    def recording(self) -> Recording:
        """Return the view as a recording on its own grid, its rows as events; lost samples are left out again."""
        samples = np.flatnonzero(self.received)
        sfreq = self.info.sfreq
        events = tuple(
            Event(
                name=row.name,
                time=row.onset,
                sample=round(row.onset * sfreq),
                value=row.value,
                # MNE warns of what lasts longer than the signals.
                duration=min(row.duration, max(0.0, (self.n_times - 1) / sfreq - row.onset)),
                data={"channels": list(row.channels)} if row.channels else {},
            )
            for row in self.rows
            if row.name != "BAD_lost"
        )
        return Recording(info=self.info, data=self.data[samples], times=samples / sfreq, samples=samples, events=events)

    @classmethod
    def of(cls, session: Session, *, keep: Collection[str] = ()) -> "ExportView":
        """Return the view of a session.

        Parameters
        ----------
        keep : collection of str
            What to leave as it is: "channels", "device", "texts", "all".

        Raises
        ------
        RecordingError
            If there is no sample, no rate, or far more was lost than received.
        """
        recording = session.recording
        if recording.n_times == 0 or recording.info.sfreq <= 0:
            raise RecordingError(
                f"{session.path or session.info.name} has {recording.n_times} samples at {recording.info.sfreq:g} Hz; "
                "there is nothing to export."
            )
        samples, n_times = grid_of(recording, str(session.path or session.info.name))
        check = Deidentifier(session, keep=keep)
        info = check.info(session.info)
        data = np.zeros((n_times, info.n_channels))
        data[samples] = recording.data
        received = np.zeros(n_times, dtype=bool)
        received[samples] = True
        mask = np.zeros(data.shape, dtype=np.uint8)
        if recording.mask is not None:
            mask[samples] = recording.mask
        # What a source did not flag is flagged here: no number, no measurement.
        mask[~np.isfinite(data)] |= np.uint8(Bad.NAN)
        alarms = _alarms(session)
        events = list(_event_rows(recording, check, dict(zip(session.info.ch_names, info.ch_names, strict=True))))
        kept = [row for row in events if 0 <= round(row.onset * info.sfreq) < n_times]
        rows = [
            *kept,
            *_gap_rows(received, info.sfreq),
            *_bad_rows(mask, info),
        ]
        return cls(
            info=info,
            data=data,
            received=received,
            rows=tuple(sorted(rows, key=lambda row: (row.onset, row.name, row.channels))),
            status=tuple(
                _status(mask[samples, index], alarms.get(name, Counter()), marked=name in session.info.bads)
                for index, name in enumerate(session.info.ch_names)
            ),
            check=check,
            left_out=_left_out(session, events, kept),
        )

    def without_values(self) -> tuple[str, ...]:
        """Return what is left out where an event has a text alone: all of `left_out`, and values that no name holds."""
        lost = [row for row in self.rows if row.value is not None and not _holds(row)]
        if not lost:
            return self.left_out
        return (
            *self.left_out,
            f"values of {len(lost)} events, which have a text alone ({lost[0].name}: {lost[0].value})",
        )


def _holds(row: Row) -> bool:
    """Return whether the name of an event says its value, or it is a span whose length says it."""
    if row.name.startswith("BAD_"):
        return True
    # Of its own, or as BrainVision writes codes ("Stimulus/S253"): never the end of a longer number.
    before = f"/{row.name}".removesuffix(f"{row.value}")
    return before != f"/{row.name}" and not (before[-1:].isdigit() or before[-1:] in ("-", ".", ","))


def _left_out(session: Session, events: Sequence[Row], kept: Sequence[Row]) -> tuple[str, ...]:
    found = []
    if len(kept) < len(events):
        found.append(f"{len(events) - len(kept)} of {len(events)} events lie outside the recording")
    if session.placed.unseen_words:
        found.append(session.placed.unseen_words)
    if session.extra:
        found.append(f"streams beside the main one: {', '.join(session.extra)}")
    return tuple(found)


def _event_rows(recording: Recording, check: Deidentifier, written: Mapping[str, str]) -> Iterator[Row]:
    first, origin, sfreq = int(recording.samples[0]), float(recording.times[0]), recording.info.sfreq
    for event in recording.events:
        onset = event.time - origin if event.sample is None else (event.sample - first) / sfreq
        value = check.event_value(event)
        channels = channels_of(event, recording.info.ch_names)
        if channels is None:
            continue
        yield Row(
            onset=onset,
            duration=event.duration,
            name=printable(check.event_name(event)) or "event",
            value=printable(value) if isinstance(value, str) else value,
            channels=tuple(written[name] for name in channels),
        )


def report_loss(name: str, left_out: Sequence[str], *, lossy: bool) -> None:
    """Say what an export leaves out, unless whoever exports said that it may."""
    if left_out and not lossy:
        text = f"{name} leaves out: {'; '.join(left_out)} (--lossy if that is right)"
        warnings.warn(text, DoubtWarning, stacklevel=3)


def printable(text: str) -> str:
    """Return a text in one line without control characters, which the formats use themselves."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def spans_of(flags: NDArray[np.bool_], *, join: int = 0) -> list[tuple[int, int]]:
    """Return start and stop of each run of True, runs nearer than `join` samples as one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    spans: list[tuple[int, int]] = []
    for start, stop in edges.reshape(-1, 2).tolist():
        if spans and start - spans[-1][1] < join:
            spans[-1] = (spans[-1][0], stop)
        else:
            spans.append((start, stop))
    return spans


def _gap_rows(received: NDArray[np.bool_], sfreq: float) -> Iterator[Row]:
    for start, stop in spans_of(~received):
        yield Row(onset=start / sfreq, duration=(stop - start) / sfreq, name="BAD_lost", value=stop - start)


def _bad_rows(mask: NDArray[np.uint8], info: StreamInfo) -> Iterator[Row]:
    join = round(_JOIN_SECONDS * info.sfreq)
    present = np.bitwise_or.reduce(mask, axis=0) if len(mask) else np.zeros(info.n_channels, np.uint8)
    found: dict[tuple[int, int, str], list[str]] = {}
    for index, name in enumerate(info.ch_names):
        for bit, text in _SPANS.items():
            if int(present[index]) & bit:
                for start, stop in spans_of((mask[:, index] & np.uint8(bit)) != 0, join=join):
                    found.setdefault((start, stop, text), []).append(name)
    for (start, stop, text), names in found.items():
        channels = tuple(names) if len(names) < info.n_channels else ()
        yield Row(onset=start / info.sfreq, duration=(stop - start) / info.sfreq, name=text, channels=channels)


def _alarms(session: Session) -> dict[str, Counter[str]]:
    """Return how often each quality rule raised an alarm about each channel while the session ran."""
    found: dict[str, Counter[str]] = {}
    going: dict[str, set[str]] = {}
    for alarm in session.records.get("alarms", []):
        rule = str(alarm.get("rule", ""))
        if not _QUALITY_RULE.fullmatch(rule):
            continue
        names = {str(name) for name in alarm.get("channels") or ()} if alarm.get("active", True) else set()
        # An alarm has a line for each change, be it another channel or that somebody has seen it.
        for name in names - going.get(rule, set()):
            found.setdefault(name, Counter())[rule] += 1
        going[rule] = names
    return found


def _status(mask: NDArray[np.uint8], alarms: Counter[str], *, marked: bool) -> tuple[bool, str]:
    """Return whether a channel is good, and what says why not: a person or program that marked it, and rules."""
    parts = ["marked as bad"] if marked else []
    parts += [f"{rule}: {count} alarms" if count > 1 else f"{rule}: 1 alarm" for rule, count in sorted(alarms.items())]
    for bit, text in _RULES.items():
        share = float(np.mean((mask & np.uint8(bit)) != 0))
        if share:
            parts.append(f"{text}: {100 * share:.3g} % of samples")
    wrong = np.uint8(sum(_RULES))
    return not marked and float(np.mean((mask & wrong) != 0)) <= BAD_SHARE, "; ".join(parts)
