"""`bcikit evaluate STUDY.toml`: many data sets, pipelines, decoders, splits and seeds, resumable."""

import json as jsonlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bcikit.signal import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bcikit.decoding.evaluation.study import Study


def run(path: Path, out: Path | None, *, jobs: int, dask: str | None, json: bool) -> None:
    """Run a study, go on with one that was stopped, and print its table and comparisons.

    Ends with 1 if a decoder failed anywhere.
    """
    from bcikit.cli.console import progress_bars
    from bcikit.decoding.evaluation.study import run_study

    if out is None:
        raise ArgumentError("A study keeps its results in a folder: --out DIR.")
    if sys.stderr.isatty():
        with progress_bars() as report:
            study = run_study(path, out, jobs=jobs, dask=dask, progress=report)
    else:

        def report(what: str, done: int, total: int) -> None:
            # A pipe gets a line now and then.
            if done == total or done % max(1, total // 20) == 0:
                typer.echo(f"{what}: {done} of {total}", err=True)

        study = run_study(path, out, jobs=jobs, dask=dask, progress=report)
    failures = sorted({(row["data"], row["decoder"], row["failure"]) for row in study.rows if row["failure"]})
    if json:
        meta = {key: [one.to_dict() for one in found] for key, found in study.meta.items()}
        comparisons = {key: [one.to_dict() for one in found] for key, found in study.comparisons.items()}
        typer.echo(
            jsonlib.dumps(
                {
                    "rows": study.rows,
                    "comparisons": comparisons,
                    "meta": meta,
                    "failures": failures,
                    "folder": str(study.place),
                },
                indent=1,
            )
        )
    else:
        _show(study)
        typer.echo(f"Results: {study.place / 'results.csv'}")
    for text in study.said:
        typer.echo(f"note: {text}", err=True)
    for data, decoder, why in failures:
        typer.secho(f"doubt: {data}, {decoder}: {why}", fg=typer.colors.YELLOW, err=True)
    if study.missing:
        typer.secho(
            f"doubt: {study.missing} scores are not computed; the same command goes on where it was.",
            fg=typer.colors.YELLOW,
            err=True,
        )
    if failures or study.missing:
        raise typer.Exit(1)


def _show(study: "Study") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from bcikit.cli.console import console
    from bcikit.decoding.evaluation.statistics import FEWEST

    def judged(row: "Mapping[str, Any]") -> str:
        """Return what the comparisons judge a data set by; AUC of two classes where none says it."""
        usual = "accuracy" if row["n_classes"] > 2 or row["auc"] is None else "auc"
        return study.metrics.get(row["data"], usual)

    cells: dict[tuple[str, str, str], dict[str, list[tuple[Any, float]]]] = {}
    for number, row in enumerate(study.rows):
        value = row[judged(row)]
        if value is not None:
            place = (row["data"], row["pipeline"], row["split"])
            cells.setdefault(place, {}).setdefault(row["decoder"], []).append((row.get("subject", number), value))
    metrics = {row["data"]: "AUC" if judged(row) == "auc" else "accuracy" for row in study.rows}
    said = " and ".join(dict.fromkeys(metrics.values()))
    table = Table(title=escape(study.name), box=SIMPLE_HEAD, caption=f"{said}: mean over n people")
    for name in ("data", "pipeline", "split", "decoder", "mean", "n"):
        table.add_column(name, no_wrap=name != "data")
    for (data, pipeline, split), decoders in cells.items():
        metric = "" if len(set(metrics.values())) == 1 else f" ({metrics[data]})"
        for decoder, values in decoders.items():
            mean = sum(value for _, value in values) / len(values)
            people = str(len({who for who, _ in values}))
            table.add_row(escape(data + metric), escape(pipeline), split, decoder, f"{mean:.3f}", people)
    console.print(table)
    for split, text in study.definitions.items():
        console.print(f"  [dim]{split}: {text}[/]", soft_wrap=True, highlight=False)
    console.print(f"  [dim]Each process held at most {study.memory / 1e6:.0f} MB of trials.[/]", highlight=False)
    for where, found in study.comparisons.items():
        for one in found:
            verdict = (
                "one person tells nothing"
                if one.n < 2
                else "equally good"
                if one.equivalent
                else "better"
                if one.p_holm < 0.05
                else "not shown to differ"
            )
            needed = "" if one.people_needed is None else f"; {one.people_needed} people would show it"
            interval = ", ".join(f"{value:+.3f}" for value in one.interval) if one.n >= FEWEST else "too few people"
            verdict += needed if one.p_holm >= 0.05 and not one.equivalent else ""
            console.print(
                f"  {where}: {one.better} - {one.worse} = {one.difference:+.3f} "
                f"[{interval}], p = {one.p_holm:.3g} (permutation, Holm), "
                f"d = {one.effect:.2f}, n = {one.n}: {verdict}",
                soft_wrap=True,
                markup=False,
            )
    for where, pairs in study.meta.items():
        for pair in pairs:
            console.print(
                f"  {pair.n_sets} data sets / {where}: {pair.better} over {pair.worse}: d = {pair.effect:.2f}, "
                f"p = {pair.p_holm:.3g} (Stouffer, Holm), {pair.n_people} people",
                soft_wrap=True,
                markup=False,
            )
