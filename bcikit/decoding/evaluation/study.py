"""A study: data sets x pipelines x decoders x splits x seeds, in one table that survives being killed."""

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from bcikit.decoding.architectures import note_on
from bcikit.decoding.encoder import check_encoder
from bcikit.decoding.evaluation.cache import TrialCache, digest, read_result
from bcikit.decoding.evaluation.jobs import ScoreJob, compute, grouped, memory_of
from bcikit.decoding.evaluation.layouts import find_tasks
from bcikit.decoding.evaluation.meta import Meta, compare_over_sets, compare_rows
from bcikit.decoding.evaluation.parallel import run_jobs
from bcikit.decoding.evaluation.place import claim
from bcikit.decoding.evaluation.same import doubt_same_trials
from bcikit.decoding.evaluation.splits import across, check_asked, definition, those_able, wanted_splits
from bcikit.decoding.evaluation.statistics import PairedComparison
from bcikit.decoding.evaluation.task import SubjectTrials, Task, say_lost
from bcikit.decoding.registry import decoder_names, make_decoder
from bcikit.processing import Pipeline
from bcikit.signal import ArgumentError, BciError, ConfigError, DataError
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import read_toml
from bcikit.signal.settings import check_settings
from bcikit.version import __version__

COLUMNS = (
    "data", "pipeline", "decoder", "split", "seed", "subject", "accuracy", "auc", "kappa", "balanced_accuracy",
    "n_trials", "n_classes", "n_channels", "sfreq", "left_out", "tuned", "failure", "data_sha256", "bcikit", "key",
    "seconds",
)  # fmt: skip
"""Of the table of results; `seconds` is the only one that differs from run to run."""

SEEDED = ("shuffled", "within-session")
"""Splits that a seed changes."""

TUNED = "within the training folds"
"""Where a decoder chooses its parameters: never on trials that it is scored on."""


class DataSection(BaseModel):
    """One data set of a study."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    path: str
    paradigm: str
    name: str = ""
    events: dict[str, str] | None = None
    frequencies: dict[str, float] | None = None
    window: tuple[float, float] | None = None
    layout: str | None = None
    folders: str | None = None
    options: dict[str, Any] = Field(default_factory=dict, description="How to read the files: unit, sfreq, ...")
    task: int | None = Field(default=None, ge=0, description="Which task of a known folder, 0 for the first.")


class StudyPipeline(BaseModel):
    """One way of filtering."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    steps: list[dict[str, Any]]


class StudyDecoder(BaseModel):
    """A decoder under a name of its own, with parameters of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    decoder: str
    params: dict[str, Any] = Field(default_factory=dict)


class StudySettings(BaseModel):
    """A study file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = "study"
    data: list[DataSection] = Field(min_length=1)
    pipeline: list[StudyPipeline] = Field(default_factory=list)
    decoders: list[str] = Field(default_factory=list, description="Names, or all; the recommended one if empty.")
    decoder: list[StudyDecoder] = Field(default_factory=list, description="Decoders with other parameters.")
    splits: list[str] = Field(default_factory=list, description="The usual ones that the data allow if empty.")
    seeds: list[int] = Field(default=[0], min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """A data set under a pipeline, with its people but without their signals."""

    name: str
    pipeline: str
    task: Task
    keys: tuple[str, ...]
    people: tuple[SubjectTrials, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """What a study came to.

    Attributes
    ----------
    name : str
        Of the study.
    rows : list of dict
        One a person and job; see `COLUMNS`.
    comparisons : dict of str to list of PairedComparison
        By data set, pipeline and split.
    meta : dict of str to list of Meta
        Over all data sets, by pipeline and split.
    missing : int
        Jobs that are not computed yet.
    definitions : dict of str to str
        What each split is, in words.
    memory : int
        Bytes of trials that one process holds at most.
    place : Path
        Folder of the tables: that of the results, or, where that holds the tables of another study, one in it.
    said : tuple of str
        What was there, and what became of it.
    """

    name: str
    rows: list[dict[str, Any]]
    comparisons: dict[str, list[PairedComparison]]
    metrics: dict[str, str] = field(default_factory=dict)
    meta: dict[str, list[Meta]] = field(default_factory=dict)
    missing: int = 0
    definitions: dict[str, str] = field(default_factory=dict)
    memory: int = 0
    place: Path = Path()
    said: tuple[str, ...] = ()

    def to_pandas(self) -> Any:
        """Return the rows as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(self.rows, columns=list(COLUMNS))


def read_study(path: str | Path) -> StudySettings:
    """Return the settings of a study file.

    Raises
    ------
    ConfigError
        Listing every problem.
    """
    path = Path(path)
    settings = check_settings(StudySettings, read_toml(path), where=str(path))
    problems = [
        *_twice("pipeline.name", [one.name for one in settings.pipeline]),
        *_twice("decoders and decoder.name", [*settings.decoders, *(one.name for one in settings.decoder)]),
        *_twice("seeds", settings.seeds),
        *_twice("data.name", [one.name for one in settings.data if one.name]),
        *(
            f"data: {one.path} is c-VEP, whose codes the usual filters take out: write a [[pipeline]]"
            for one in settings.data
            if one.paradigm == "cvep" and not settings.pipeline
        ),
    ]
    if problems:
        raise ConfigError(str(path), problems)
    there = [one.model_copy(update={"path": str((path.parent / one.path).resolve())}) for one in settings.data]
    return settings.model_copy(update={"data": there})


def _twice(what: str, names: Sequence[Any]) -> list[str]:
    """Return a problem for each name that stands there twice: rows of the table would be counted as of one."""
    found = [name for name, count in Counter(names).items() if count > 1]
    return [f"{what}: {name!r} stands there {names.count(name)} times; once for each" for name in found]


def tasks_of(settings: StudySettings) -> Iterator[tuple[str, str, Task]]:
    """Yield name of the data set, name of the pipeline, and task, for each pair of them.

    Raises
    ------
    DataError
        If two data sets have one name.
    """
    paths: dict[str, str] = {}
    for section in settings.data:
        found = find_tasks(
            Path(section.path), paradigm=section.paradigm, events=section.events, window=section.window,
            frequencies=section.frequencies, layout=section.layout, folders=section.folders, options=section.options,
        )  # fmt: skip
        if section.task is not None:
            if section.task >= len(found):
                raise DataError(f"{section.path} has {len(found)} tasks; task = {section.task} is none of them.")
            found = [found[section.task]]
        for task in found:
            name = section.name or task.name
            name = name if len(found) == 1 or not section.name else f"{section.name}: {task.name}"
            if name in paths:
                raise DataError(
                    f"Two data sets are called {name!r} ({paths[name]} and {section.path}): people would count as "
                    "the same; give each a name of its own (name = ...)."
                )
            paths[name] = section.path
            if not settings.pipeline:
                yield name, "default", task
            for pipeline in settings.pipeline:
                yield name, pipeline.name, replace(task, filters=tuple(pipeline.steps))


def run_study(
    path: str | Path,
    out: str | Path,
    *,
    jobs: int = 1,
    dask: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Study:
    """Compute what is not there yet, and return the whole.

    Every score is a file of its own, named by the hash of what it depends on and written at once or not at all: a study
    that is killed at any moment goes on where it was, and nothing is computed twice, not by another study in the same
    folder either. Trials of a person are filtered and cut once.

    Parameters
    ----------
    path : str or Path
        The study file (TOML).
    out : str or Path
        Folder of results: ``results.csv`` (and ``results.parquet`` where pandas and pyarrow are installed) is written
        anew every few seconds, ``comparisons.json`` and ``meta-analysis.json`` at the end. Where another study has its
        tables there, those of this one go into a folder of their own in it (`Study.place`).
    jobs, dask
        See `evaluate_task`. Workers of another machine must see the folder.
    progress : callable
        Called with what is going on, done and all.

    Raises
    ------
    ConfigError, DataError
        If the study or its data cannot be used.
    """
    settings = read_study(path)
    tasks = list(tasks_of(settings))
    _check(settings, tasks, where=str(path))
    say = progress or _silent
    out = Path(out)
    cache = TrialCache(out / "trials")
    folder = out / "scores"
    sets: list[_Set] = []
    people: dict[str, SubjectTrials] = {}
    for name, pipeline, task in tasks:
        keys = []
        lost: dict[str, Exception] = {}
        for done, subject in enumerate(task.subjects):
            say(f"Trials of {name}", done, len(task.subjects))
            try:
                keys.append(cache.make(task, subject))
            except (BciError, OSError) as error:
                lost[subject] = error
                continue
            people[keys[-1]] = cache.load(keys[-1], signals=False)
        say(f"Trials of {name}", len(task.subjects), len(task.subjects))
        known = tuple(people[key] for key in keys)
        say_lost(task, known, lost)
        if name not in {one.name for one in sets}:
            doubt_same_trials(task, (cache.load(key) for key in keys))
        sets.append(_Set(name=name, pipeline=pipeline, task=task, keys=tuple(keys), people=known))
    planned = list(plan_jobs(settings, sets))
    encoders = {job.decoder: str(dict(job.params)["encoder"]) for job in planned if "encoder" in dict(job.params)}
    notes = {label: note_on(check_encoder(encoder)) for label, encoder in encoders.items()}
    place, said = claim(
        out, study=Path(path), name=settings.name, settings=digest(settings.model_dump(mode="json")),
        keys={job.key for job in planned},
    )  # fmt: skip
    waiting = {job.key: job for job in planned if read_result(folder, job.key) is None}
    groups = grouped(list(waiting.values()), people)
    shown = time.monotonic()

    def on_progress(done: int, total: int) -> None:
        nonlocal shown
        before = len(planned) - len(waiting)
        say("Training and deciding", before + round(len(waiting) * done / total), len(planned))
        if time.monotonic() - shown > 5.0:
            shown = time.monotonic()
            write_table(place, _rows(planned, folder, people))

    work = [(str(cache.folder), str(folder), group) for group in groups]
    run_jobs(compute, work, jobs=jobs, dask=dask, progress=on_progress)
    rows = _rows(planned, folder, people)
    write_table(place, rows)
    metrics = {job.data: job.metric for job in planned}
    comparisons = compare_rows(rows, metrics)
    text = json.dumps({key: [one.to_dict() for one in found] for key, found in comparisons.items()}, indent=1)
    write_whole(place / "comparisons.json", text.encode())
    meta = compare_over_sets(rows, metrics)
    text = json.dumps({key: [one.to_dict() for one in found] for key, found in meta.items()}, indent=1)
    write_whole(place / "meta-analysis.json", text.encode())
    missing = sum(read_result(folder, job.key) is None for job in planned)
    return Study(
        name=settings.name, rows=rows, metrics=metrics, comparisons=comparisons, meta=meta, missing=missing,
        definitions={split: definition(split) for split in dict.fromkeys(job.split for job in planned)},
        memory=max((memory_of(job, people) for job in planned), default=0), place=place,
        said=(*said, *(f"{label}: {note}" for label, note in notes.items() if note)),
    )  # fmt: skip


def _check(settings: StudySettings, tasks: Sequence[tuple[str, str, Task]], *, where: str) -> None:
    """Refuse what no data could change, before the first recording is read.

    Raises
    ------
    BciError
        If a split, a pipeline or a decoder is impossible.
    """
    for pipeline in settings.pipeline:
        try:
            Pipeline.from_config(pipeline.steps)
        except ConfigError as error:
            raise ConfigError(where, [f"pipeline {pipeline.name}: {problem}" for problem in error.problems]) from None
    names = dict.fromkeys(name for name, _, _ in tasks)
    for name, _, task in tasks:
        check_asked([split for split in settings.splits if split != "cross-data-set"], task)
        if "cross-data-set" in settings.splits and len(names) < 2:
            raise DataError(
                f"cross-data-set: {name} is the only data set of the study; it needs another to learn from."
            )
        for label, kind, params in _decoders(settings, task):
            # The rate of the data is not known yet; any says whether the decoder and its parameters are known.
            try:
                make_decoder(kind, sfreq=250.0, **params)
            except ArgumentError as error:
                raise ConfigError(where, [f"decoder {label}: {error}"]) from None


def _silent(what: str, done: int, total: int) -> None:
    """Say nothing."""


def plan_jobs(settings: StudySettings, sets: Sequence[_Set]) -> Iterator[ScoreJob]:
    """Yield every score that a study asks for.

    Raises
    ------
    DataError
        If a split is impossible; it is never left out in silence.
    """
    for one in sets:
        asked = [split for split in settings.splits if split != "cross-data-set"]
        wanted = () if settings.splits and not asked else wanted_splits(asked or None, one.people, name=one.name)
        others = _others(one, sets) if "cross-data-set" in settings.splits else []
        for label, kind, params in _decoders(settings, one.task):
            common: dict[str, Any] = {
                "data": one.name, "pipeline": one.pipeline, "decoder": label, "kind": kind,
                "params": tuple(sorted(params.items())), "metric": one.task.metric,
            }  # fmt: skip
            for split in wanted:
                able = those_able(split, one.people, name=one.name)
                keys = tuple(key for key, person in zip(one.keys, one.people, strict=True) if person in able)
                # Folds of whole runs, sessions or people do not depend on a seed.
                for seed in settings.seeds if split in SEEDED else settings.seeds[:1]:
                    if split == "cross-subject":
                        yield ScoreJob(who="all", trials=keys, split=split, seed=seed, **common)
                    else:
                        for key, person in zip(keys, able, strict=True):
                            yield ScoreJob(who=person.subject, trials=(key,), split=split, seed=seed, **common)
            if others:
                taught = tuple(key for other in others for key in other.keys)
                names = (one.name, ", ".join(other.name for other in others))
                yield ScoreJob(
                    who="all", trials=one.keys, others=taught, names=names, split="cross-data-set",
                    seed=settings.seeds[0], **common,
                )  # fmt: skip


def _others(one: _Set, sets: Sequence[_Set]) -> list[_Set]:
    others = [other for other in sets if other.pipeline == one.pipeline and other.name != one.name]
    across(one.people, [person for other in others for person in other.people], names=(
        one.name, ", ".join(other.name for other in others)
    ))  # fmt: skip
    return others


def _decoders(settings: StudySettings, task: Task) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield label, name in the registry, and parameters of each decoder."""
    wanted = settings.decoders or ([] if settings.decoder else [task.recommended])
    for name in decoder_names(task.paradigm) if "all" in wanted else wanted:
        yield name, name, task.decoder_params(name)
    for section in settings.decoder:
        yield section.name, section.decoder, {**task.decoder_params(section.decoder), **section.params}


def _rows(planned: Sequence[ScoreJob], folder: Path, people: dict[str, SubjectTrials]) -> list[dict[str, Any]]:
    """Return a row for each person of each job that is done."""
    rows = []
    for job in planned:
        found = read_result(folder, job.key)
        if found is None:
            continue
        for key in job.trials:
            one = people[key]
            row: dict[str, Any] = {
                "data": job.data, "pipeline": job.pipeline, "decoder": job.decoder, "split": job.split,
                "seed": job.seed, "subject": one.subject, "n_trials": len(one.trials),
                "n_classes": len(one.trials.classes),
                "n_channels": len(one.trials.ch_names), "sfreq": one.trials.sfreq, "left_out": one.left_out,
                "tuned": TUNED, "failure": found.get("failure", ""), "data_sha256": key, "bcikit": __version__,
                "key": job.key, "seconds": found["seconds"],
            }  # fmt: skip
            for metric in ("accuracy", "auc", "kappa", "balanced_accuracy"):
                value = found.get(metric, {}).get(one.subject)
                row[metric] = None if value is None or not np.isfinite(value) else value
            rows.append(row)
    order = ("data", "pipeline", "decoder", "split", "seed", "subject")
    return sorted(rows, key=lambda row: tuple(str(row[name]) for name in order))


def write_table(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the table of results as CSV, and as Parquet where that can be written."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(COLUMNS))
    writer.writeheader()
    writer.writerows([{name: row.get(name, "") for name in COLUMNS} for row in rows])
    write_whole(out / "results.csv", text.getvalue().encode())
    try:
        import pandas
        import pyarrow  # noqa: F401 - what pandas writes Parquet with
    except ImportError:
        return
    buffer = io.BytesIO()
    pandas.DataFrame(list(rows), columns=list(COLUMNS)).to_parquet(buffer, index=False)
    write_whole(out / "results.parquet", buffer.getvalue())
