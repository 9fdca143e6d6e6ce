"""Task: which recordings, which windows, which filters; and what others reached on it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition import read_recording
from bcikit.decoding.alike import say_left_out, usual
from bcikit.decoding.auto import CANDIDATES
from bcikit.decoding.evaluation.same import doubt_same_trials
from bcikit.decoding.registry import parameters_of
from bcikit.decoding.trials import Epochs, epochs
from bcikit.processing import Pipeline
from bcikit.signal import BciError, DataError, Recording, check_choice, label_of


def in_order(name: str) -> tuple[str | int, ...]:
    """Return by what names of sessions, runs and files are sorted: 2 is before 10.

    Examples
    --------
    >>> sorted(["run-10", "run-2"], key=in_order)
    ['run-2', 'run-10']
    """
    return tuple(int(part) if place % 2 else part for place, part in enumerate(re.split("([0-9]+)", name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One recording, and whose and when."""

    path: Path
    subject: str = "1"
    session: str = "1"
    options: Mapping[str, Any] = field(default_factory=dict)
    """How to read it: unit, sfreq, stream, ... as `read_recording` takes them."""

    def read(self) -> Recording:
        """Return the recording: a session folder of bcikit, a file of any format, or a run of a MOABB data set."""
        if str(self.path).startswith("moabb:"):
            from bcikit.decoding.moabb import read_run

            return read_run(self.path)
        return read_recording(self.path, **self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What somebody else reached, or a bar that is to be reached.

    Attributes
    ----------
    split : str
        "shuffled", "leave-run-out", "cross-session", "cross-subject".
    value : float
        Accuracy or AUC, as the task counts.
    who : str
        Decoder and source, for people.
    bar : str
        "": for comparison; ">=": the recommended decoder must reach it; "chance": it must stay within chance.
    """

    split: str
    value: float
    who: str
    bar: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Everything that decides what is evaluated.

    Attributes
    ----------
    name : str
        For people.
    paradigm : str
        One of `bcikit.decoding.PARADIGMS`.
    runs : tuple of Run
        Recordings.
    events : mapping of str to str
        Event to class.
    tmin, tmax : float
        Window in seconds.
    filters : tuple of mapping
        Configuration of the causal pipeline over each whole recording.
    recommended : str
        The decoder that bars are about.
    params : mapping
        Parameters that every decoder of the paradigm needs (frequencies).
    special : mapping of str to mapping
        Further parameters of single decoders.
    channels : tuple of str or None
        Channels by name; all EEG channels if None.
    metric : {"accuracy", "auc"}
        What the table shows.
    max_bad : float
        See `epochs`.
    max_peak : float or None
        Epochs with a larger absolute value (uV) are left out.
    references : tuple of Reference
        What others reached.
    ignored : mapping of str to str
        Files that were left out, and why.
    how : str
        By what people and sessions were told apart.
    asked : float or None
        Seconds for which a class is asked for after its event; None: as long as its events last, at least to the end of
        the window.
    """

    name: str
    paradigm: str
    runs: tuple[Run, ...]
    events: Mapping[str, str]
    tmin: float
    tmax: float
    filters: tuple[Mapping[str, Any], ...]
    recommended: str
    params: Mapping[str, Any] = field(default_factory=dict)
    special: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    channels: tuple[str, ...] | None = None
    metric: str = "accuracy"
    max_bad: float = 0.25
    max_peak: float | None = None
    references: tuple[Reference, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    how: str = ""
    asked: float | None = None

    def decoder_params(self, decoder: str) -> dict[str, Any]:
        """Return the parameters of one decoder.

        Raises
        ------
        ArgumentError
            If "auto" has nothing to compare in this paradigm.
        """
        # The frequencies of targets are nothing that a decoder of any paradigm asks for.
        known = parameters_of(decoder)
        shared = {key: value for key, value in self.params.items() if key in known}
        found = {**shared, **self.special.get(decoder, {})}
        if decoder == "auto":
            found.setdefault("task", check_choice("paradigm of the decoder auto", self.paradigm, tuple(CANDIDATES)))
        return found

    def filtered(self, recording: Recording) -> Recording:
        """Return a recording behind the filters."""
        return Pipeline.from_config([dict(step) for step in self.filters]).apply(recording)

    def cut(self, filtered: Sequence[Recording]) -> Epochs:
        """Return the trials of recordings behind the filters, each recording a run."""
        return epochs(
            filtered,
            events=self.events,
            tmin=self.tmin,
            tmax=self.tmax,
            channels=self.channels,
            max_bad=self.max_bad,
        )

    @property
    def subjects(self) -> tuple[str, ...]:
        """People, in order."""
        return tuple(sorted({run.subject for run in self.runs}))

    def runs_of(self, subject: str) -> dict[str, Run]:
        """Return the recordings of a person, each by a name that no other of theirs has.

        That is the file with its folder, or with as many folders as tell it apart: files and folders are often called
        alike every day.
        """
        runs = [run for run in self.runs if run.subject == subject]
        names: list[str] = []
        for parts in range(2, max([2, *(len(run.path.parts) for run in runs)]) + 1):
            names = ["/".join(run.path.parts[-parts:]) for run in runs]
            if len(set(names)) == len(names):
                break
        else:
            # One file, read in several ways.
            names = [f"{run.path} ({place})" for place, run in enumerate(runs, start=1)]
        return dict(zip(names, runs, strict=True))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SubjectTrials:
    """The trials of one person, the run (`Epochs.groups`) and session of each, absent classes, runs without event.

    `flat` are channels that are constant in every trial: a dead electrode, or the reference. `lost` are runs that could
    not be used, and why.
    """

    subject: str
    trials: Epochs
    sessions: NDArray[np.int64]
    left_out: int
    absent: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    flat: tuple[str, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()

    def grouped(self, groups: NDArray[np.int64]) -> Epochs:
        """Return the trials with other groups."""
        return replace(self.trials, groups=groups)


def load_task(task: Task, *, progress: Callable[[int, int], None] | None = None) -> list[SubjectTrials]:
    """Read, filter and cut the recordings of a task, person by person.

    People and runs that cannot be used are left out, each with a `DoubtWarning`.

    Raises
    ------
    DataError
        If nobody has a trial.
    """
    result: list[SubjectTrials] = []
    lost: dict[str, Exception] = {}
    done = 0
    for subject in task.subjects:

        def one_more() -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done, len(task.runs))

        try:
            result.append(load_person(task, subject, read=one_more))
        except (BciError, OSError) as error:
            lost[subject] = error
    say_lost(task, result, lost)
    doubt_same_trials(task, result)
    return result


def say_lost(task: Task, found: Sequence[SubjectTrials], lost: Mapping[str, Exception]) -> None:
    """Warn of people, and of runs of the others, that could not be used.

    Raises
    ------
    BciError, OSError
        If nobody is left.
    """
    if not found:
        if len(lost) == 1:
            raise next(iter(lost.values()))
        some = " ".join(str(error) for error in list(lost.values())[:3])
        raise DataError(
            f"{task.name}: none of {len(lost)} people can be used. {some}" + (" ..." if len(lost) > 3 else "")
        )
    say_left_out({f"Person {who}": str(error) for who, error in lost.items()}, len(task.subjects))
    runs = {f"{name} of person {one.subject}": why for one in found for name, why in one.lost}
    say_left_out(runs, len(task.runs), what="runs")


def load_person(task: Task, subject: str, *, read: Callable[[], None] = lambda: None) -> SubjectTrials:
    """Read, filter and cut the recordings of one person; runs that cannot be used are in `SubjectTrials.lost`.

    Parameters
    ----------
    read : callable
        Called after each recording.

    Raises
    ------
    BciError
        If the person has no trial.
    """
    runs, filtered, lost = usable_runs(task, subject, read=read)
    try:
        trials = task.cut(filtered)
    except DataError as error:
        # Names of files are often the same for everybody.
        raise DataError(f"Person {subject} ({runs[0].path.parent}): {error}") from None
    told = [any(label_of(event, task.events) is not None for event in one.events) for one in filtered]
    names = sorted({run.session for run in runs}, key=in_order)
    session_of = np.array([names.index(run.session) for run in runs])
    loud = 0
    if task.max_peak is not None:
        quiet = np.abs(trials.X).max(axis=(1, 2)) <= task.max_peak
        loud = int(np.count_nonzero(~quiet))
        if not quiet.any():
            raise DataError(f"{subject}: every epoch exceeds {task.max_peak:g} uV.")
        trials = trials.take(quiet)
    return SubjectTrials(
        subject=subject,
        trials=trials,
        sessions=session_of[trials.runs],
        left_out=len(trials.dropped) + loud,
        absent=tuple(sorted(set(task.events.values()) - set(trials.y.tolist()))),
        flat=tuple(name for name, still in zip(trials.ch_names, _still(trials.X), strict=True) if still),
        empty=tuple(run.path.name for run, some in zip(runs, told, strict=True) if not some),
        lost=tuple(lost.items()),
    )


def usable_runs(
    task: Task, subject: str, *, filters: bool = True, read: Callable[[], None] = lambda: None
) -> tuple[list[Run], list[Recording], dict[str, str]]:
    """Return the runs of a person that can be used, their recordings, and why others cannot.

    Of runs of several rates or with several sets of channels, those are used that more than half are like.

    Parameters
    ----------
    filters : bool
        False for recordings as they are in the files.

    Raises
    ------
    BciError
        If none can be read.
    """
    found: list[tuple[str, Run, Recording]] = []
    lost: dict[str, str] = {}
    first: Exception | None = None
    for name, run in task.runs_of(subject).items():
        try:
            recording = run.read()
            filtered = task.filtered(recording)
            if task.channels is not None:
                recording.info.index_of(task.channels, who=run.path.name)
        except (BciError, OSError) as error:
            first = first or error
            lost[name] = str(error)
        else:
            found.append((name, run, filtered if filters else recording))
        read()
    if not found and first is not None:
        raise first
    kinds = [_kind(recording, task.channels) for _, _, recording in found]
    rate, channels = usual([sfreq for sfreq, _ in kinds]), usual([own for _, own in kinds])
    for (name, _, _), (sfreq, own) in zip(found, kinds, strict=True):
        if rate is not None and sfreq != rate:
            lost[name] = f"{sfreq:g} Hz, the other runs {rate:g} Hz"
        elif channels is not None and own != channels:
            differ = ", ".join(sorted(own ^ channels)[:6])
            lost[name] = f"other channels than the other runs have: {differ} (--channels names those to use)"
    kept = [(run, recording) for name, run, recording in found if name not in lost]
    return [run for run, _ in kept], [recording for _, recording in kept], lost


def _kind(recording: Recording, channels: Sequence[str] | None) -> tuple[float, frozenset[str]]:
    """Return the rate of a recording, and its EEG channels where none are named."""
    info = recording.info
    names = {name for name, kind in zip(info.ch_names, info.ch_types, strict=True) if kind == "eeg"}
    return info.sfreq, frozenset(names if channels is None else ())


def _still(X: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which channels are constant in every trial, but for what rounding leaves behind a filter."""
    spread = np.ptp(X, axis=2).max(axis=0)
    still: NDArray[np.bool_] = spread <= 1e-9 * np.abs(X).max()
    return still
