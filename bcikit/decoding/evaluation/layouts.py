"""Folders of recordings that bcikit knows, and how any other folder becomes a task."""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bcikit.decoding.evaluation.people import Found, candidates, find_runs
from bcikit.decoding.evaluation.task import Reference, Run, Task
from bcikit.decoding.evaluation.walk import same_recordings, walk
from bcikit.decoding.registry import PARADIGMS
from bcikit.signal import BciError, DataError, DoubtWarning, check_choice

FILTERS: dict[str, tuple[dict[str, Any], ...]] = {
    "motor-imagery": ({"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4},),
    "ssvep": ({"step": "bandpass", "l_freq": 2.0, "h_freq": 90.0, "order": 2},),
    "p300": ({"step": "bandpass", "l_freq": 0.5, "h_freq": 12.0, "order": 2},),
}
"""The causal pipeline of each paradigm where nothing else is asked for."""

WINDOWS = {"motor-imagery": (0.5, 3.0), "ssvep": (0.15, 2.15), "p300": (0.0, 0.8)}
RECOMMENDED = {
    "motor-imagery": "tangent-lr",
    "ssvep": "ssvep-stack",
    "p300": "erp-stack",
    "errp": "errp-lda",
    "braking": "slow-lda",
}

_EEGMMIDB = re.compile(r"S(\d{3})R(\d{2}).*\.edf$", re.IGNORECASE)
_IMAGERY = {
    "imagined fists or feet": ((6, 10, 14), {"T1": "fists", "T2": "feet"}),
    "imagined left or right fist": ((4, 8, 12), {"T1": "left", "T2": "right"}),
    "executed fists or feet": ((5, 9, 13), {"T1": "fists", "T2": "feet"}),
    "executed left or right fist": ((3, 7, 11), {"T1": "left", "T2": "right"}),
}
_IMAGERY_REFERENCES = {
    "imagined fists or feet": (
        Reference(split="leave-run-out", value=0.98, who="CSP+LDA, zero phase"),
        Reference(split="leave-run-out", value=0.96, who="tangent space+LR, zero phase"),
        Reference(split="leave-run-out", value=0.96, who="bar", bar=">="),
    ),
    "imagined left or right fist": (
        Reference(split="leave-run-out", value=0.64, who="CSP+LDA, zero phase"),
        Reference(split="leave-run-out", value=0.73, who="tangent space+LR, zero phase"),
        Reference(split="leave-run-out", value=0.73, who="bar", bar=">="),
    ),
    "executed fists or feet": (Reference(split="leave-run-out", value=0.93, who="CSP+LDA, zero phase"),),
    "executed left or right fist": (Reference(split="leave-run-out", value=0.5, who="negative control", bar="chance"),),
}


def find_tasks(
    folder: Path,
    *,
    paradigm: str,
    events: Mapping[str, str] | None = None,
    window: tuple[float, float] | None = None,
    frequencies: Mapping[str, float] | None = None,
    layout: str | None = None,
    folders: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[Task]:
    """Return the tasks of one paradigm in a folder or file.

    Parameters
    ----------
    folder : Path
        A folder bcikit knows (eegmmidb, ssvep_exo, muse/p300, muse/n170, muse/ssvep, also as their authors publish
        them), a BIDS data set, session folders of bcikit, any other folder of recordings, or one
        recording; see `find_runs` for who is who.
    paradigm : str
        One of `PARADIGMS`.
    events : mapping of str to str, optional
        Event to class; needed for folders that bcikit does not know. Imagery that bcikit recorded says itself what
        was asked for (``cue/left_hand``).
    window : (float, float), optional
        Seconds after the event.
    frequencies : mapping of str to float, optional
        Class to frequency, for SSVEP.
    layout, folders : str, optional
        See `find_runs`.
    options : mapping, optional
        For reading each file.

    Raises
    ------
    DataError
        If there is nothing to evaluate.
    """
    check_choice("paradigm", paradigm, PARADIGMS)
    path = Path(folder)
    if str(folder).startswith("moabb:"):
        return [_moabb(str(folder).removeprefix("moabb:"), paradigm, events, window, frequencies)]
    if not path.exists():
        raise DataError(f"There is no {path}.")
    if events is None and layout is None:
        every = [task for finder in (_eegmmidb, _ssvep_exo, _muse) for task in finder(path)]
        known = [task for task in every if task.paradigm == paradigm]
        if known:
            _doubt_same(tuple({run.path: run for task in known for run in task.runs}.values()))
            return [replace(known[0], ignored=_others(path, every)), *known[1:]]
    found = find_runs(path, layout=layout, folders=folders, options=dict(options or {}))
    if events is None:
        counts = _events_of(found)
        events = {name: name.removeprefix(_CUE) for name in sorted(counts) if name.startswith(_CUE)}
        if paradigm != "motor-imagery" or len(events) < 2:
            listed = ", ".join(f"{name} ({count})" for name, count in counts.most_common(12)) or "no events"
            raise DataError(
                f"{path} is no folder that bcikit knows for {paradigm}; say which events stand for which class "
                f"(--events 'T1=left,T2=right'). Its first recording has {listed}."
            )
        found = replace(found, how=f"{found.how}; classes by their cues: {', '.join(events.values())}")
    _doubt_same(found.runs)
    return [_generic(path, found, paradigm, events, window, frequencies)]


def _doubt_same(runs: Sequence[Run]) -> None:
    """Say which recordings are there twice."""
    pairs = same_recordings(runs)
    if pairs:
        some = "; ".join(f"{one} and {other}" for one, other in pairs[:3])
        warnings.warn(
            f"{len(pairs)} recording(s) here twice, byte for byte, so that what is decided was learned: {some}"
            + ("; ..." if len(pairs) > 3 else ""),
            DoubtWarning,
            stacklevel=3,
        )


def _others(path: Path, tasks: Sequence[Task]) -> dict[str, str]:
    """Return the files that no task of a folder takes, and why."""
    left, ignored = candidates(path, known={run.path for task in tasks for run in task.runs})
    return {**ignored, **{str(file.relative_to(path)): "no run of a task that bcikit knows" for file in left}}


def _moabb(
    name: str,
    paradigm: str,
    events: Mapping[str, str] | None,
    window: tuple[float, float] | None,
    frequencies: Mapping[str, float] | None,
) -> Task:
    """Return the task of a MOABB data set; its events stand for themselves where nothing else is asked for."""
    from bcikit.decoding.moabb import dataset_of, runs_of

    found = Found(runs=runs_of(name), how="as MOABB has them")
    chosen = dict(events) if events is not None else {event: event for event in dataset_of(name).event_id}
    return _generic(Path(name), found, paradigm, chosen, window, frequencies)


_CUE = "cue/"
"""What paradigms of bcikit call the moment at which a person is asked for a class."""


def _events_of(found: Found) -> Counter[str]:
    """Return how many events of each name the first recording that can be read has."""
    first: Exception | None = None
    for run in found.runs:
        try:
            return Counter(event.name for event in run.read().events)
        except (BciError, OSError) as error:
            first = first or error
    assert first is not None
    raise first


def _with_room(found: Found) -> tuple[dict[str, Any], ...]:
    """Return the filters of SSVEP with an upper edge that the first recording has room for, as filter banks have.

    Headsets of 128 Hz are common; their targets lie far below.
    """
    for run in found.runs:
        try:
            sfreq = run.read().info.sfreq
        except (BciError, OSError):
            continue
        return tuple({**step, "h_freq": min(step["h_freq"], 0.45 * sfreq)} for step in FILTERS["ssvep"])
    return FILTERS["ssvep"]


def _generic(
    path: Path,
    found: Found,
    paradigm: str,
    events: Mapping[str, str],
    window: tuple[float, float] | None,
    frequencies: Mapping[str, float] | None,
) -> Task:
    if paradigm == "ssvep" and not frequencies:
        raise DataError("SSVEP needs the frequency of each class (--frequencies 'a=13,b=17').")
    base = paradigm if paradigm in FILTERS else "p300"
    tmin, tmax = window or WINDOWS[base]
    return Task(
        name=path.name,
        paradigm=paradigm,
        runs=found.runs,
        ignored=found.ignored,
        how=found.how,
        events=dict(events),
        tmin=tmin,
        tmax=tmax,
        filters=_with_room(found) if base == "ssvep" else FILTERS[base],
        recommended=RECOMMENDED.get(paradigm, "erp-lda"),
        params={"frequencies": dict(frequencies)} if frequencies else {},
        metric="accuracy" if base in ("motor-imagery", "ssvep") else "auc",
    )


def _files(path: Path, suffix: str = "") -> list[Path]:
    """Return the files below a folder whose names end so."""
    return [file for file in walk(path)[0] if file.name.endswith(suffix) and file.is_file()] if path.is_dir() else []


def _eegmmidb(path: Path) -> list[Task]:
    found = [(match, file) for file in _files(path) if (match := _EEGMMIDB.match(file.name))]
    tasks = []
    for name, (numbers, events) in _IMAGERY.items():
        runs = tuple(Run(path=file, subject=f"S{m[1]}") for m, file in found if int(m[2]) in numbers)
        if runs:
            tasks.append(
                Task(
                    name=f"EEGMMIDB, {name}",
                    paradigm="motor-imagery",
                    runs=runs,
                    events=events,
                    tmin=0.5,
                    tmax=3.0,
                    filters=FILTERS["motor-imagery"],
                    recommended="tangent-lr",
                    # The published numbers are of one person; for others they are no bar.
                    references=_IMAGERY_REFERENCES[name] if {run.subject for run in runs} == {"S001"} else (),
                )
            )
    return tasks


def _ssvep_exo(path: Path) -> list[Task]:
    runs = []
    for file in _files(path, "_raw.fif"):
        # As their authors publish them, and a folder a person.
        match = re.search(r"subject[-_]?0*(\d+)[/_\\]run[-_]?\d+_raw\.fif$", file.as_posix(), re.IGNORECASE)
        if match is not None and not file.name.startswith("."):
            # The amplifier's numbers were never scaled to volts.
            options = {"accept": ("amplitude",)}
            runs.append(Run(path=file, subject=f"subject{int(match[1]):02d}", options=options))
    if not runs:
        return []
    moabb = "MOABB 2024 (12 people, zero phase)"
    references = {
        (2.0, 4.0): (
            Reference(split="shuffled", value=0.7089, who=f"MDM, {moabb}"),
            Reference(split="shuffled", value=0.7086, who=f"tangent space+LR, {moabb}"),
            Reference(split="shuffled", value=0.82, who="bar", bar=">="),
            Reference(split="leave-run-out", value=0.78, who="bar", bar=">="),
        ),
        (1.0, 5.0): (Reference(split="leave-run-out", value=0.85, who="bar", bar=">="),),
    }
    return [
        Task(
            name=f"SSVEP exoskeleton, 13/17/21 Hz and rest, {tmax - tmin:g} s",
            paradigm="ssvep",
            runs=tuple(runs),
            events={"1": "rest", "2": "13 Hz", "3": "21 Hz", "4": "17 Hz"},
            tmin=tmin,
            tmax=tmax,
            filters=FILTERS["ssvep"],
            recommended="ssvep-stack",
            params={"frequencies": {"13 Hz": 13.0, "17 Hz": 17.0, "21 Hz": 21.0}},
            references=references[tmin, tmax],
            # "A trial lasts 5 seconds" (Kalunga et al. 2016); the analysis takes a part of it.
            asked=5.0,
        )
        for tmin, tmax in ((2.0, 4.0), (1.0, 5.0))
    ]


def _muse(path: Path) -> list[Task]:
    tasks = []
    for kind in ("p300", "n170", "ssvep"):
        runs = []
        for file in _files(path, ".csv"):
            # "p300/session-1_run-1.csv"; "visual-P300/local/muse2016/subject0001/session001/recording_....csv".
            above = [part.lower() for part in file.parts[:-1]]
            if file.name.startswith(".") or not any(re.fullmatch(rf"(visual[-_])?{kind}", part) for part in above):
                continue
            text = "/".join(file.parts[-4:])
            person = re.search(r"subject[-_]?0*(\d+)", text, re.IGNORECASE)
            visit = re.search(r"session[-_]?0*(\d+)", text, re.IGNORECASE)
            runs.append(Run(path=file, subject=person[1] if person else "1", session=visit[1] if visit else "1"))
        if not runs:
            continue
        tasks.append(_muse_task(kind, tuple(runs)))
    return tasks


def _muse_task(kind: str, runs: tuple[Run, ...]) -> Task:
    if kind == "ssvep":
        return Task(
            name="Muse SSVEP, 20 or 30 Hz, 1 s, one electrode",
            paradigm="ssvep",
            runs=runs,
            events={"1": "30 Hz", "2": "20 Hz"},
            tmin=0.5,
            tmax=1.5,
            filters=FILTERS["ssvep"],
            # One electrode has no place in space to learn: what is left of the stack is the tangent space of its bands.
            recommended="fb-tangent",
            params={"frequencies": {"20 Hz": 20.0, "30 Hz": 30.0}},
            # The second harmonic of 30 Hz is the mains; the other electrodes are not over the visual cortex.
            special={"cca": {"n_harmonics": 1}, "fbcca": {"n_harmonics": 1}},
            channels=("Right AUX",),
            references=(
                Reference(split="leave-run-out", value=0.96, who="CCA, untrained"),
                Reference(split="leave-run-out", value=0.96, who="bar", bar=">="),
            ),
        )
    split = "cross-session" if kind == "p300" else "leave-run-out"
    references = {
        "p300": (
            Reference(split="shuffled", value=0.782, who="xDAWN covariances+TS+LR, zero phase"),
            Reference(split="leave-run-out", value=0.768, who="xDAWN covariances+TS+LR, zero phase"),
            Reference(split=split, value=0.761, who="ERP covariances+TS+LR, zero phase"),
            Reference(split=split, value=0.76, who="bar", bar=">="),
        ),
        "n170": (
            Reference(split="shuffled", value=0.68, who="shrinkage LDA"),
            Reference(split=split, value=0.68, who="bar", bar=">="),
        ),
    }[kind]
    return Task(
        name="Muse P300, visual oddball" if kind == "p300" else "Muse N170, faces or houses",
        paradigm="p300",
        runs=runs,
        events={"1": "non-target", "2": "target"} if kind == "p300" else {"1": "house", "2": "face"},
        tmin=0.0,
        tmax=0.8,
        filters=FILTERS["p300"]
        if kind == "p300"
        else ({"step": "bandpass", "l_freq": 1.0, "h_freq": 30.0, "order": 2},),
        recommended="erp-stack",
        metric="auc",
        max_peak=100.0,
        references=references,
    )
