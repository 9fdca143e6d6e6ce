"""Epochs: what decoders learn from, cut out of recordings at their events."""

import hashlib
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import (
    MICROVOLT,
    ArgumentError,
    Bad,
    DataError,
    DoubtWarning,
    Event,
    Recording,
    StreamInfo,
    check_channels,
    check_range,
    label_of,
    marks_bad,
)
from bcikit.signal.shown import Shown, counted, listed

if TYPE_CHECKING:
    import mne

_USABLE = int(Bad.ARTEFACT | Bad.INTERPOLATED)
"""Bits of the mask that do not make a sample untrue; whoever wants to leave such epochs out does so before."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Epochs(Shown):
    """Trials of equal length, cut at events.

    Attributes
    ----------
    X : ndarray of float64, shape (n_epochs, n_channels, n_times)
        Signals in the unit of the recording (microvolts).
    y : ndarray of str, shape (n_epochs,)
        Class of each trial.
    groups : ndarray of int64, shape (n_epochs,)
        What is left out together in cross-validation: a run, a session or a subject.
    runs : ndarray of int64, shape (n_epochs,)
        Index of the recording each trial comes from.
    samples : ndarray of int64, shape (n_epochs,)
        Sample of the event in its recording.
    sfreq : float
        Sampling rate in Hz.
    tmin, tmax : float
        First and last time of the window, seconds from the event; `tmax` itself is not in it.
    ch_names : tuple of str
        Names of the channels.
    positions : tuple of (float, float, float) or None
        Electrode positions as in `StreamInfo.positions`.
    unit : str
        Unit of `X`.
    causal : bool
        False if a zero-phase filter touched the recording: see `bcikit.decoding.leakage`.
    dropped : tuple of str
        One line for each event that gave no epoch, saying why.
    bads : tuple of str
        Channels that were left out because a person marked them as bad.
    ch_types : tuple of str
        Type of each channel, as in `StreamInfo.ch_types`; all "eeg" if left out.
    delay : float
        Seconds by which what is seen at a time of the window happened earlier: the filters before it delayed the
        signals (`StreamInfo.delay`) and not the events.
    reference : str
        What the voltages were measured against (`StreamInfo.reference`); empty if unknown, or not the same in all.
    """

    X: NDArray[np.float64]
    y: NDArray[np.str_]
    groups: NDArray[np.int64]
    runs: NDArray[np.int64]
    samples: NDArray[np.int64]
    sfreq: float
    tmin: float
    tmax: float
    ch_names: tuple[str, ...]
    positions: tuple[tuple[float, float, float], ...] | None = None
    unit: str = MICROVOLT
    causal: bool = True
    dropped: tuple[str, ...] = ()
    bads: tuple[str, ...] = ()
    ch_types: tuple[str, ...] = ()
    delay: float = 0.0
    reference: str = ""

    def __len__(self) -> int:
        return self.X.shape[0]

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        n, n_channels, n_times = self.X.shape
        line = (
            f"{n} trials x {n_channels} channels x {n_times} samples, {self.tmin:g} to {self.tmax:g} s at "
            f"{self.sfreq:g} Hz: {counted(map(str, self.y))}"
        )
        return line, {
            "channels": listed(self.ch_names),
            "left out": f"{len(self.dropped)} events" if self.dropped else "",
            "marked bad": listed(self.bads),
            "delay": f"{self.delay * 1000:.1f} ms, by the filters before" if self.delay else "",
            "unit": self.unit,
        }

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that occur, in alphabetical order."""
        return tuple(str(label) for label in np.unique(self.y))

    @property
    def n_times(self) -> int:
        """Samples an epoch."""
        return self.X.shape[2]

    def counts(self) -> dict[str, int]:
        """Return the number of trials of each class."""
        labels, counts = np.unique(self.y, return_counts=True)
        return {str(label): int(count) for label, count in zip(labels, counts, strict=True)}

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_] | Sequence[int]) -> Self:
        """Return some of the trials."""
        return replace(
            self,
            X=self.X[index],
            y=self.y[index],
            groups=self.groups[index],
            runs=self.runs[index],
            samples=self.samples[index],
        )

    def pick(self, names: Sequence[str]) -> Self:
        """Return some of the channels, by name, in the order given."""
        columns = check_channels(names, self.ch_names, who="Epochs.pick")
        return replace(
            self,
            X=np.ascontiguousarray(self.X[:, columns]),
            ch_names=tuple(self.ch_names[column] for column in columns),
            ch_types=tuple(self.ch_types[column] for column in columns) if self.ch_types else (),
            positions=None if self.positions is None else tuple(self.positions[column] for column in columns),
        )

    @classmethod
    def from_mne(cls, epochs: "mne.BaseEpochs", *, labels: Mapping[str, str] | None = None) -> Self:
        """Return the EEG of `mne.Epochs` in microvolts; the names of its events are the classes.

        Parameters
        ----------
        epochs : mne.BaseEpochs
            Volts, as MNE keeps them. Bad channels are left out.
        labels : mapping of str to str, optional
            Name of an event to its class; events that are not in it are left out.
        """
        names = {code: name for name, code in epochs.event_id.items()}
        words = np.array([names[code] for code in epochs.events[:, 2]])
        kept = np.ones(len(words), dtype=bool) if labels is None else np.isin(words, list(labels))
        bads = set(epochs.info["bads"])
        columns = [
            index
            for index, kind in enumerate(epochs.get_channel_types())
            if kind == "eeg" and epochs.ch_names[index] not in bads
        ]
        if not columns or not kept.any():
            raise DataError("The mne.Epochs hold no good EEG channel, or no epoch of the classes asked for.")
        data = epochs.get_data(copy=False)[kept][:, columns] * 1e6
        classes = words[kept] if labels is None else np.array([labels[word] for word in words[kept]])
        sfreq = float(epochs.info["sfreq"])
        zeros = np.zeros(len(classes), dtype=np.int64)
        return cls(
            X=np.ascontiguousarray(data, dtype=np.float64),
            y=classes.astype(np.str_),
            groups=zeros,
            runs=zeros.copy(),
            samples=epochs.events[kept, 0].astype(np.int64),
            sfreq=sfreq,
            tmin=float(epochs.tmin),
            tmax=float(epochs.tmin) + data.shape[2] / sfreq,
            ch_names=tuple(epochs.ch_names[index] for index in columns),
            bads=tuple(name for name in epochs.ch_names if name in bads),
        )

    def to_mne(self) -> "mne.EpochsArray":
        """Return `mne.EpochsArray` in volts, with the classes as events and run and group as metadata."""
        import mne

        info = mne.create_info(list(self.ch_names), self.sfreq, "eeg", verbose="ERROR")
        codes = {name: code for code, name in enumerate(self.classes, start=1)}
        # MNE wants no two events at one sample; samples of different runs may be the same.
        order = np.arange(len(self), dtype=np.int64)
        events = np.column_stack([order, np.zeros(len(self), np.int64), [codes[str(label)] for label in self.y]])
        made = mne.EpochsArray(self.X * 1e-6, info, events=events, event_id=codes, tmin=self.tmin, verbose="ERROR")
        if self.positions is not None:
            located = {
                name: np.asarray(xyz)
                for name, xyz in zip(self.ch_names, self.positions, strict=True)
                if not np.isnan(xyz).any()
            }
            made.set_montage(mne.channels.make_dig_montage(located, coord_frame="head"), on_missing="ignore")
        return made

    def fingerprint(self) -> str:
        """Return a short hash of data, labels and channels: which data a model saw."""
        digest = hashlib.sha256(np.ascontiguousarray(self.X).tobytes())
        digest.update("\0".join((*self.y.tolist(), *self.ch_names, repr(self.sfreq))).encode())
        return digest.hexdigest()[:16]

    @property
    def info(self) -> StreamInfo:
        """Description of the stream these epochs were cut from, as far as a decoder cares."""
        return StreamInfo(
            name="epochs",
            sfreq=self.sfreq,
            ch_names=self.ch_names,
            ch_types=self.ch_types,
            positions=self.positions,
            unit=self.unit,
            reference=self.reference,
        )


def epochs(
    recording: "Recording | mne.io.BaseRaw | Sequence[Recording | mne.io.BaseRaw]",
    *,
    events: Mapping[str, str] | Sequence[str],
    tmin: float,
    tmax: float,
    channels: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
    max_bad: float = 0.0,
    types: Sequence[str] = ("eeg",),
) -> Epochs:
    """Cut trials out of one or several recordings.

    Filter the continuous recording before (`Pipeline.apply`), with the steps that run live. Windows lie on the samples
    at which they are known live: what filters delay is in them later by `Epochs.delay`, in a recording and in a session
    alike, and a decision at `tmax` needs nothing that comes after it. To look at latencies (ERP), subtract it, cut with
    `EpochCutter`, which does, or filter without delay (`apply_zero_phase`).

    Parameters
    ----------
    recording : Recording, mne.io.Raw, or sequence of these
        Each one is a run. All must have the same rate and the wanted channels; order and further channels do not
        matter, channels are matched by name.
    events : mapping of str to str, or sequence of str
        Name of an event to the class it stands for; several names may stand for one class, and a list of names stands
        for itself. An event's `value`
        counts as its name, too, so that ``{"1": "rest"}`` finds a marker 1.
    tmin, tmax : float
        Window in seconds from the event; it has ``round((tmax - tmin) * sfreq)`` samples.
    channels : sequence of str, optional
        Channels to keep; all channels of `types` of the first recording if left out, but those that are marked as bad
        (`StreamInfo.bads`) in any recording.
    groups : sequence of int, optional
        Group of each recording; its index if left out.
    max_bad : float
        Largest share of untrue samples (lost, NaN, railed, filled, affected by a filter) in the worst channel of an
        epoch. Artefacts and interpolated samples are not counted.
    types : sequence of str
        Types of the channels to keep where none are named.

    Returns
    -------
    Epochs
        Trials that overlap a gap or a span marked as bad (``BAD_...``), leave the recording, have too many bad samples,
        are there already (two events of one class at one sample), or that a session calls practice or cut off are left
        out and listed in `Epochs.dropped`.

    Raises
    ------
    DataError
        If no event matches, no epoch is left, rates differ, or an epoch holds NaN that no mask declares.
    ArgumentError
        If the window is empty or a channel is missing.
    """
    given = list(recording) if isinstance(recording, list | tuple) else [recording]
    for one in given:
        if not isinstance(one, Recording) and not hasattr(one, "get_channel_types"):
            raise ArgumentError(
                f"epochs takes a Recording or an mne.io.Raw, or a list of them, not {type(one).__name__}; "
                "bcikit.read_recording reads a file."
            )
    runs = [one if isinstance(one, Recording) else Recording.from_mne(one) for one in given]
    if groups is not None and len(groups) != len(runs):
        raise ArgumentError(f"groups has {len(groups)} numbers for {len(runs)} recordings; one for each.")
    if not runs:
        raise DataError("epochs needs at least one recording.")
    if isinstance(events, str):
        raise ArgumentError(f"events is {events!r}; it must be a list of names, or a mapping of names to classes.")
    if not isinstance(events, Mapping):
        events = {name: name for name in events}
    check_range("max_bad", max_bad, low=0.0, high=1.0)
    sfreq = runs[0].info.sfreq
    n_times = round((check_range("tmax", tmax) - check_range("tmin", tmin)) * sfreq)
    if n_times < 1:
        raise ArgumentError(f"tmin={tmin:g} and tmax={tmax:g} leave no sample at {sfreq:g} Hz; tmax must be larger.")
    names, bads = _channel_names(runs, channels, types)
    cuts: list[NDArray[np.float64]] = []
    labels: list[str] = []
    marks: list[tuple[int, int, int]] = []
    dropped: list[str] = []
    twofold = 0
    for index, run in enumerate(runs):
        if run.info.sfreq != sfreq:
            raise DataError(
                f"{run.info.name!r} has {run.info.sfreq:g} Hz, {runs[0].info.name!r} has {sfreq:g} Hz: resample first."
            )
        columns = run.info.index_of(names, who="epochs")
        marked = _marked(run, events)
        cut_off = {
            end.data.get("trial") for end in run.events if end.name == "trial/end" and end.data.get("interrupted")
        }
        near: dict[int, str] = {}
        for event in run.events:
            label = label_of(event, events)
            if label is None:
                continue
            centre = _sample(event, run)
            begin = centre + round(tmin * sfreq)
            if (why := _no_example(event, cut_off)) is not None:
                dropped.append(f"{run.info.name}: {event.name} at {event.time:.3f} s: {why}")
                continue
            there = [near[place] for place in (centre - 1, centre, centre + 1) if place in near]
            if label in there:
                # An annotation and a code of one moment: twice, it would be learned and decided.
                dropped.append(f"{run.info.name}: {event.name} at {event.time:.3f} s: the same trial again")
                continue
            twofold += bool(there)
            near[centre] = label
            cut, problem = _cut(run, columns, begin, n_times, max_bad)
            problem = problem or _within_bad(marked, begin, begin + n_times, names)
            if problem:
                cut = None
            if cut is None:
                dropped.append(f"{run.info.name}: {event.name} at {event.time:.3f} s: {problem}")
                continue
            cuts.append(cut)
            labels.append(label)
            marks.append((index if groups is None else int(groups[index]), index, centre))
    if not cuts:
        raise DataError(_nothing_found(runs, events, dropped))
    if twofold:
        text = (
            f"{twofold} trials are of two classes at one sample: events that go together were given different classes"
        )
        warnings.warn(text, DoubtWarning, stacklevel=2)
    info = runs[0].info.pick(runs[0].info.index_of(names))
    table = np.asarray(marks, dtype=np.int64)
    return Epochs(
        X=np.stack(cuts),
        y=np.asarray(labels),
        groups=table[:, 0],
        runs=table[:, 1],
        samples=table[:, 2],
        sfreq=sfreq,
        tmin=tmin,
        tmax=tmin + n_times / sfreq,
        ch_names=info.ch_names,
        positions=info.positions,
        unit=info.unit,
        causal=all(run.info.causal for run in runs),
        dropped=tuple(dropped),
        bads=bads,
        ch_types=info.ch_types if set(info.ch_types) != {"eeg"} else (),
        delay=max(run.info.delay for run in runs),
        reference=_one_reference([run.info.reference for run in runs]),
    )


def _one_reference(references: Sequence[str]) -> str:
    """Return the reference of all recordings; empty, with a doubt, where they have several."""
    known = {reference.strip().casefold(): reference for reference in references if reference.strip()}
    if len(known) > 1:
        text = (
            f"the trials were recorded against different references ({', '.join(sorted(known.values()))}): what they "
            "show differs by it. Put the step rereference before the windows"
        )
        warnings.warn(text, DoubtWarning, stacklevel=3)
    return next(iter(known.values())) if len(known) == 1 and all(text.strip() for text in references) else ""


def join(parts: Sequence[Epochs], *, groups: Sequence[int] | None = None) -> Epochs:
    """Return several sets of epochs as one; channels are matched by name.

    Parameters
    ----------
    parts : sequence of Epochs
        Same rate and window length.
    groups : sequence of int, optional
        Group of each part (a session, a subject); the parts keep their own groups, made unique, if left out.

    Raises
    ------
    DataError
        If there is none, or rates or lengths differ.
    """
    if not parts:
        raise DataError("join needs at least one set of epochs.")
    first = parts[0]
    aligned = [part if part.ch_names == first.ch_names else part.pick(first.ch_names) for part in parts]
    if any(part.sfreq != first.sfreq or part.n_times != first.n_times for part in aligned):
        kinds = sorted({f"{part.n_times} samples at {part.sfreq:g} Hz" for part in aligned})
        raise DataError(
            f"Epochs of different rates or lengths cannot be joined: {', '.join(kinds)}. Leave some out, or resample "
            "(a step of the pipeline)."
        )
    runs = _apart([part.runs for part in aligned])
    if groups is None:
        together = _apart([part.groups for part in aligned])
    else:
        together = np.concatenate([np.full(len(part), group) for part, group in zip(aligned, groups, strict=True)])
    return replace(
        first,
        X=np.concatenate([part.X for part in aligned]),
        y=np.concatenate([part.y for part in aligned]),
        groups=together.astype(np.int64),
        runs=runs,
        samples=np.concatenate([part.samples for part in aligned]),
        causal=all(part.causal for part in aligned),
        delay=max(part.delay for part in aligned),
        reference=_one_reference([part.reference for part in aligned]),
        dropped=tuple(line for part in aligned for line in part.dropped),
    )


def _apart(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return indices of several parts as one array in which no two parts share one."""
    result: list[NDArray[np.int64]] = []
    offset = 0
    for part in parts:
        own = np.unique(part, return_inverse=True)[1].astype(np.int64) + offset
        offset = int(own.max()) + 1
        result.append(own)
    return np.concatenate(result)


def _channel_names(
    runs: Sequence[Recording], channels: Sequence[str] | None, types: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the channels to cut, and those left out as bad."""
    info = runs[0].info
    if channels is not None:
        return tuple(info.ch_names[index] for index in info.index_of(channels, who="epochs")), ()
    kinds = " or ".join(kind.upper() for kind in types)
    columns = [index for index, kind in enumerate(info.ch_types) if kind in types]
    for run in runs[1:]:
        theirs = {name for name, kind in zip(run.info.ch_names, run.info.ch_types, strict=True) if kind in types}
        ours = {info.ch_names[column] for column in columns}
        if theirs != ours:
            raise DataError(
                f"{run.info.name!r} and {info.name!r} have other {kinds} channels: {_without(ours, theirs)} in the "
                f"second alone, {_without(theirs, ours)} in the first alone. Name the channels to use (--channels, "
                "channels=)."
            )
    if not columns:
        found = ", ".join(sorted(set(info.ch_types)))
        raise DataError(f"{info.name!r} has no {kinds} channel; its types are {found}.")
    marked = {name for run in runs for name in run.info.bads}
    names = tuple(info.ch_names[column] for column in columns)
    bads = tuple(name for name in names if name in marked)
    if len(bads) == len(names):
        raise DataError(
            f"Every {kinds} channel of {info.name!r} is marked as bad in a recording; name the channels to use."
        )
    return tuple(name for name in names if name not in marked), bads


def _without(names: set[str], others: set[str]) -> str:
    return ", ".join(sorted(names - others)[:6]) or "none"


def _marked(run: Recording, events: Mapping[str, str]) -> list[tuple[int, int, Event]]:
    """Return first and stop sample of each span that is marked as bad, unless it stands for a class."""
    spans = []
    for event in run.events:
        if marks_bad(event) and label_of(event, events) is None:
            start = _sample(event, run)
            spans.append((start, start + max(1, round(event.duration * run.info.sfreq)), event))
    return spans


def _no_example(event: Event, cut_off: Collection[Any]) -> str | None:
    """Return why a trial of a session is none to learn from, as the session itself leaves it out; None if it is one."""
    if event.data.get("practice"):
        return "a practice trial"
    if event.data.get("trial") in cut_off and "trial" in event.data:
        return "the trial was cut off"
    return None


def _within_bad(marked: Sequence[tuple[int, int, Event]], begin: int, stop: int, names: Sequence[str]) -> str:
    """Return which mark a window overlaps; empty if none that is about one of the channels."""
    for first, last, event in marked:
        only = event.data.get("channels")
        if first < stop and begin < last and (not only or any(name in only for name in names)):
            return f"marked {event.name}"
    return ""


def _sample(event: Event, run: Recording) -> int:
    """Return the sample of an event, from its time where no sample is known."""
    if event.sample is not None:
        return event.sample
    if run.n_times == 0:
        return 0
    return int(run.samples[0]) + round((event.time - float(run.times[0])) * run.info.sfreq)


def _cut(
    run: Recording, columns: list[int], begin: int, n_times: int, max_bad: float
) -> tuple[NDArray[np.float64] | None, str]:
    """Return ``(n_channels, n_times)`` from sample `begin` on, or None and why not."""
    row = int(np.searchsorted(run.samples, begin))
    stop = row + n_times
    if begin < (run.samples[0] if run.n_times else 0) or stop > run.n_times:
        return None, "the window leaves the recording"
    if run.samples[row] != begin or run.samples[stop - 1] != begin + n_times - 1:
        return None, "samples were lost in the window"
    cut = np.ascontiguousarray(run.data[row:stop, columns].T)
    if run.mask is not None:
        untrue = (run.mask[row:stop][:, columns] & np.uint8(255 - _USABLE)) != 0
        share = float(untrue.mean(axis=0).max())
        if share > max_bad:
            return None, f"{share:.0%} of the samples of one channel are bad"
    if not np.isfinite(cut).all():
        return None, "NaN or infinite values"
    return cut, ""


def _nothing_found(runs: list[Recording], events: Mapping[str, str], dropped: list[str]) -> str:
    if dropped:
        more = f" and {len(dropped) - 3} more" if len(dropped) > 3 else ""
        return "No epoch is left. " + "; ".join(dropped[:3]) + more + "."
    found = sorted({event.name for run in runs for event in run.events})
    return f"No event named {', '.join(events)} was found; the recordings have: {', '.join(found[:20]) or 'no events'}."
