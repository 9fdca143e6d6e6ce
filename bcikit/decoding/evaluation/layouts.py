"""Folders of recordings that bcikit knows, and how any other folder becomes a task."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bcikit.decoding.evaluation.task import Reference, Run, Task
from bcikit.decoding.registry import PARADIGMS
from bcikit.signal import DataError, check_choice

_RECORDINGS = frozenset({".edf", ".bdf", ".gdf", ".vhdr", ".fif", ".set", ".xdf", ".csv", ".txt"})

FILTERS: dict[str, tuple[dict[str, Any], ...]] = {
    "motor-imagery": ({"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4},),
    "ssvep": ({"step": "bandpass", "l_freq": 2.0, "h_freq": 90.0, "order": 2},),
    "p300": ({"step": "bandpass", "l_freq": 0.5, "h_freq": 12.0, "order": 2},),
}
"""The causal pipeline of each paradigm where nothing else is asked for."""

WINDOWS = {"motor-imagery": (0.5, 3.0), "ssvep": (0.15, 2.15), "p300": (0.0, 0.8)}
RECOMMENDED = {"motor-imagery": "tangent-lr", "ssvep": "ssvep-stack", "p300": "erp-stack"}

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
) -> list[Task]:
    """Return the tasks of one paradigm in a folder or file.

    Parameters
    ----------
    folder : Path
        A folder bcikit knows (eegmmidb, ssvep_exo, muse/p300, muse/n170, muse/ssvep, or one that holds them), any
        other folder of recordings, or one recording. In other folders each recording is a run and each sub-folder a
        session; with two levels, ``person/session/recording``.
    paradigm : str
        One of `PARADIGMS`.
    events : mapping of str to str, optional
        Event to class; needed for folders that bcikit does not know.
    window : (float, float), optional
        Seconds after the event.
    frequencies : mapping of str to float, optional
        Class to frequency, for SSVEP.

    Raises
    ------
    DataError
        If there is nothing to evaluate.
    """
    check_choice("paradigm", paradigm, PARADIGMS)
    path = Path(folder)
    if not path.exists():
        raise DataError(f"There is no {path}.")
    if events is None:
        known = [
            task for finder in (_eegmmidb, _ssvep_exo, _muse) for task in finder(path) if task.paradigm == paradigm
        ]
        if known:
            return known
        raise DataError(
            f"{path} is no folder that bcikit knows for {paradigm}; say which events stand for which class "
            "(--events 'T1=left,T2=right')."
        )
    return [_generic(path, paradigm, events, window, frequencies)]


def _generic(
    path: Path,
    paradigm: str,
    events: Mapping[str, str],
    window: tuple[float, float] | None,
    frequencies: Mapping[str, float] | None,
) -> Task:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if _is_recording(p))
    if not files:
        raise DataError(f"{path} holds no recording ({', '.join(sorted(_RECORDINGS))}).")
    runs = []
    for file in files:
        parts = () if path.is_file() else file.relative_to(path).parts[:-1]
        subject, session = (parts[0], parts[1]) if len(parts) >= 2 else ("1", parts[0] if parts else "1")
        runs.append(Run(path=file, subject=subject, session=session))
    if paradigm == "ssvep" and not frequencies:
        raise DataError("SSVEP needs the frequency of each class (--frequencies 'a=13,b=17').")
    base = paradigm if paradigm in FILTERS else "p300"
    tmin, tmax = window or WINDOWS[base]
    return Task(
        name=path.name,
        paradigm=paradigm,
        runs=tuple(runs),
        events=dict(events),
        tmin=tmin,
        tmax=tmax,
        filters=FILTERS[base],
        recommended=RECOMMENDED.get(paradigm, "erp-lda"),
        params={"frequencies": dict(frequencies)} if frequencies else {},
        metric="accuracy" if base in ("motor-imagery", "ssvep") else "auc",
    )


def _is_recording(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in _RECORDINGS and not path.name.endswith("-eve.fif")


def _eegmmidb(path: Path) -> list[Task]:
    found = [(match, file) for file in sorted(path.rglob("*.edf")) if (match := _EEGMMIDB.match(file.name))]
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
    files = sorted(file for file in path.rglob("subject*/run-*_raw.fif"))
    if not files:
        return []
    runs = tuple(Run(path=file, subject=file.parent.name) for file in files)
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
            runs=runs,
            events={"1": "rest", "2": "13 Hz", "3": "21 Hz", "4": "17 Hz"},
            tmin=tmin,
            tmax=tmax,
            filters=FILTERS["ssvep"],
            recommended="ssvep-stack",
            params={"frequencies": {"13 Hz": 13.0, "17 Hz": 17.0, "21 Hz": 21.0}},
            references=references[tmin, tmax],
        )
        for tmin, tmax in ((2.0, 4.0), (1.0, 5.0))
    ]


def _muse(path: Path) -> list[Task]:
    tasks = []
    for kind in ("p300", "n170", "ssvep"):
        files = sorted(file for file in path.rglob("*.csv") if file.parent.name == kind)
        if not files:
            continue
        runs = []
        for file in files:
            match = re.match(r"session-(\w+)_run", file.name)
            runs.append(Run(path=file, session=match[1] if match else "1"))
        tasks.append(_muse_task(kind, tuple(runs)))
    return tasks


def _muse_task(kind: str, runs: tuple[Run, ...]) -> Task:
    if kind == "ssvep":
        return Task(
            name="Muse SSVEP, 20 or 30 Hz, 1 s, untrained",
            paradigm="ssvep",
            runs=runs,
            events={"1": "30 Hz", "2": "20 Hz"},
            tmin=0.5,
            tmax=1.5,
            filters=FILTERS["ssvep"],
            recommended="cca",
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
