"""`bcikit train`: a model file from recordings."""

import json as json_module
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from bcikit.cli.file_options import Accept, Folders, Layout, Map, Sfreq, Stream, Unit, check_target, options_of
from bcikit.signal import ArgumentError, DoubtWarning


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def train(
        data: Annotated[Path, typer.Argument(help="Folder of recordings, or one recording; each file is a run.")],
        *,
        paradigm: Annotated[str, typer.Option("--paradigm", "-p", help="motor-imagery, ssvep, p300, ...")],
        decoder: Annotated[
            str | None, typer.Option("--decoder", "-d", help="Name of the decoder; the best known if left out.")
        ] = None,
        events: Annotated[
            str | None, typer.Option("--events", help="Which event stands for which class: 'T1=left,T2=right'.")
        ] = None,
        frequencies: Annotated[
            str | None, typer.Option("--frequencies", help="SSVEP: frequency of each class in Hz: 'a=13,b=17'.")
        ] = None,
        window: Annotated[
            tuple[float, float] | None,
            typer.Option("--window", metavar="FIRST LAST", help="Seconds after the event: --window 0.5 3.5."),
        ] = None,
        channels: Annotated[
            str | None, typer.Option("--channels", help="Channels to use, by name: 'C3,Cz,C4'; all EEG if left out.")
        ] = None,
        layout: Layout = None,
        folders: Folders = None,
        unit: Unit = None,
        sfreq: Sfreq = None,
        stream: Stream = None,
        map: Map = None,  # noqa: A002 - the word a user knows
        accept: Accept = None,
        task: Annotated[int, typer.Option("--task", help="Which task of a known dataset, from 1.")] = 1,
        reject: Annotated[float, typer.Option("--reject", help="No decision below this probability.")] = 0.0,
        idle: Annotated[str | None, typer.Option("--idle", help="Class that means that nothing is wanted.")] = None,
        out: Annotated[
            Path | None,
            typer.Option(
                "--out",
                help="Model file to write; model.skops if left out, with --across one among this user's populations.",
            ),
        ] = None,
        intended_use: Annotated[str, typer.Option("--intended-use", help="For whom and what, in words.")] = "",
        seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")] = 0,
        across: Annotated[
            bool, typer.Option("--across", help="A model of all people in DATA, for somebody new.")
        ] = False,
        json: Annotated[bool, typer.Option("--json", help="Print the model's sheet as JSON.")] = False,
    ) -> None:
        """Train a decoder on recordings and write a model file, with held-out scores on its sheet."""
        from rich.markup import escape

        from bcikit.cli.console import console, progress_bars
        from bcikit.cli.evaluate import check_paradigm, show_empty, show_lost_channels, show_people
        from bcikit.cli.pairs import numbers, pairs
        from bcikit.decoding import Model, join, make_decoder
        from bcikit.decoding.evaluation.layouts import find_tasks
        from bcikit.decoding.evaluation.task import load_task
        from bcikit.decoding.evaluation.transfer import people_of
        from bcikit.decoding.population import fit_population

        check_paradigm(paradigm)
        tasks = find_tasks(
            data,
            paradigm=paradigm,
            events=pairs("--events", events),
            window=window,
            frequencies=numbers("--frequencies", frequencies),
            layout=layout,
            folders=folders,
            options=options_of(unit=unit, sfreq=sfreq, stream=stream, map=map, accept=accept),
        )
        if not 1 <= task <= len(tasks):
            names = "; ".join(f"{i + 1}: {found.name}" for i, found in enumerate(tasks))
            raise ArgumentError(f"--task is {task}; there are {names}.")
        chosen = tasks[task - 1]
        if channels is not None:
            chosen = replace(chosen, channels=tuple(name.strip() for name in channels.split(",") if name.strip()))
        check_target("--out", out, (data, *(run.path for run in chosen.runs)))
        console.quiet = json
        show_people(chosen)
        with progress_bars() as report:
            read = load_task(chosen, progress=lambda done, total: report("Reading and filtering", done, total))
            show_empty(read)
            show_lost_channels(read)
            for one in read:
                if one.absent:
                    absent = ", ".join(one.absent)
                    warnings.warn(f"Person {one.subject} has no trial of {absent}.", DoubtWarning, stacklevel=1)
            name = decoder or chosen.recommended
            made = make_decoder(name, sfreq=read[0].trials.sfreq, **chosen.decoder_params(name))
            if across:
                if idle is not None:
                    raise ArgumentError("--idle is for a model of one person.")
                model = fit_population(
                    made,
                    people_of(read),
                    metric=chosen.metric,
                    reject=reject,
                    filters=chosen.filters,
                    intended_use=intended_use,
                    seed=seed,
                    progress=lambda done, total: report("Training", done, total),
                )
                out = out or _population_file(chosen.paradigm, name)
                show_population(out, model, read, quiet=json)
                return
            lacking = {
                one.subject: [name for name in read[0].trials.ch_names if name not in one.trials.ch_names]
                for one in read
            }
            for who, lost in lacking.items():
                if lost:
                    raise ArgumentError(
                        f"Person {who} lacks channels of person {read[0].subject}: {', '.join(lost)}. A model of "
                        "several people takes the channels that all have (--across); else name the recordings of one."
                    )
            trials = join([one.trials for one in read])
            model = Model.fit(
                made,
                trials,
                reject=reject,
                idle=idle,
                filters=chosen.filters,
                intended_use=intended_use,
                seed=seed,
                progress=lambda done, total: report("Training", done, total),
            )
        path = model.save(out or Path("model.skops"))
        console.quiet = False
        if json:
            typer.echo(json_module.dumps(model.sheet.to_dict(), indent=1))
            return
        scores = model.sheet.scores
        upper = scores["chance_upper"]
        counts = ", ".join(f"{count} {label}" for label, count in model.sheet.n_trials.items())
        console.print(f"{chosen.name}: {name} on {len(model.sheet.ch_names)} channels, {counts}", markup=False)
        if model.sheet.why:
            console.print(f"Chosen: {model.sheet.why}", soft_wrap=True, highlight=False)
        console.print(
            f"Held out ({scores['split']}): [bold]{scores['accuracy']:.0%}[/] right, chance stays below {upper:.0%}; "
            f"calibration error {scores['ece']:.3f} (of a perfect decoder {scores['ece_if_perfect']:.3f})"
        )
        if scores["chance_level"] > 1.0 / len(scores["classes"]):
            console.print(
                f"Always saying the commonest class is right in {scores['chance_level']:.0%}: balanced accuracy "
                f"{scores['balanced_accuracy']:.0%}, chance stays below {scores['balanced_chance_upper']:.0%}"
            )
        if len(read) > 1:
            console.print(
                f"[yellow]Trials of {len(read)} people as if of one; a model for somebody new: --across[/]",
                soft_wrap=True,
            )
        for note in scores["notes"]:
            console.print(f"[yellow]{escape(note)}[/]")
        console.print(f"Model: [bold]{escape(str(path))}[/]")


def _population_file(paradigm: str, decoder: str) -> Path:
    """Return where a model of many people is kept for this user."""
    from bcikit.decoding.population import population_folder

    folder = population_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{paradigm}-{decoder}.skops"


def show_population(path: Path, model: Any, read: Sequence[Any], *, quiet: bool) -> None:
    """Save a model of many people and print what is on its sheet."""
    from rich.markup import escape

    from bcikit.cli.console import console

    model.save(path)
    sheet = model.sheet
    console.quiet = False
    if quiet:
        typer.echo(json_module.dumps(sheet.to_dict(), indent=1))
        return
    expected = sheet.expected
    if sheet.why:
        console.print(f"Chosen: {sheet.why}", soft_wrap=True, highlight=False)
    # The code of a session has a comma in it.
    whose, new, between = ("people", "person", ", ") if len(read) > 1 else ("sessions of one person", "session", "; ")
    console.print(f"{sheet.decoder} of {len(sheet.people)} {whose} ({between.join(sheet.people)})", markup=False)
    lost = sorted({name for one in read for name in one.trials.ch_names} - set(sheet.ch_names))
    left_out = f"; not everybody has {', '.join(lost)}, left out" if lost else ""
    console.print(f"Channels that all have: {', '.join(sheet.ch_names)}{left_out}", markup=False)
    if expected:
        console.print(
            f"A new {new} may expect {expected['metric']} [bold]{expected['value']:.2f}[/] without calibration, nine "
            f"of ten between {expected['low']:.2f} and {expected['high']:.2f} (each {new} left out once)"
        )
    else:
        console.print(f"What a new {new} may expect is not known: the trials of each are of one class.")
    console.print(f"Model: [bold]{escape(str(path))}[/]")
