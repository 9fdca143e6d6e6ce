"""What the commands about files share: options, and the summary that is printed."""

import functools
import inspect
import json as jsonlib
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcikit.signal import ArgumentError

if TYPE_CHECKING:
    from bcikit.acquisition.summary import Summary
    from bcikit.signal import Note

Unit = Annotated[str | None, typer.Option(help="Unit of the voltages for which the file states none: uV, mV, V, nV.")]
Stream = Annotated[
    str | None, typer.Option(help="XDF: the stream's name, source id, type, number, or #2 for the second.")
]
Board = Annotated[str | None, typer.Option(help="BrainFlow tables: name of the board.")]
Sfreq = Annotated[float | None, typer.Option(help="Sampling rate in Hz, where the file states none or a wrong one.")]
Encoding = Annotated[str | None, typer.Option(help="Of texts in the file: utf-8, latin-1, gbk.")]
TriggerMask = Annotated[str | None, typer.Option("--trigger-mask", help="Bits of a trigger channel: 255 or 0xFF.")]
TimeUnit = Annotated[str | None, typer.Option("--time-unit", help="Tables: s, ms, us, ns or samples.")]
Map = Annotated[
    str | None, typer.Option("--map", help="Tables of no known program: 'eeg=2:9 time=0[ms] marker=10 unit=uV'.")
]
Names = Annotated[str | None, typer.Option(help="Channel names: standard (10-05) or file.")]
Partial = Annotated[bool, typer.Option("--partial", help="Read what is there of a file that was cut off.")]
Layout = Annotated[
    str | None,
    typer.Option("--layout", help="Where names stand in paths: 'sub-{subject}/ses-{session}/run-{run}.edf'."),
]
Folders = Annotated[str | None, typer.Option("--folders", help="What folders of one level are: people or sessions.")]
Accept = Annotated[
    list[str] | None, typer.Option(help="A doubt that is decided, by its word: amplitude, rate, events, ...")
]


READING: dict[str, tuple[Any, Any]] = {
    "unit": (Unit, None),
    "stream": (Stream, None),
    "board": (Board, None),
    "sfreq": (Sfreq, None),
    "encoding": (Encoding, None),
    "trigger_mask": (TriggerMask, None),
    "time_unit": (TimeUnit, None),
    "map": (Map, None),
    "names": (Names, None),
    "partial": (Partial, False),
    "accept": (Accept, None),
}
"""What may be said of a file when it is read, and what it is where nothing is said: the options of `read_recording`."""


def with_reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options in `READING`; it gets those that were given as its argument `reading`."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "reading"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in READING.items()
    ]
    first = [parameter for parameter in own if parameter.kind is not inspect.Parameter.KEYWORD_ONLY]
    rest = [parameter for parameter in own if parameter.kind is inspect.Parameter.KEYWORD_ONLY]

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        reading = options_of(**{name: options.pop(name) for name in READING})
        command(*arguments, reading=reading, **options)

    together = [*first, *added, *rest]
    wrapped.__signature__ = inspect.Signature(together)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in together}
    del wrapped.__wrapped__
    return wrapped


def check_target(option: str, path: Path | None, read: Iterable[Path]) -> None:
    """Refuse to write over what is read.

    Parameters
    ----------
    option : str
        As it is typed.
    path : Path or None
        Where to write; None where nothing is written.
    read : iterable of Path
        Files that the command reads.

    Raises
    ------
    ArgumentError
        If it is one of them.
    """
    if path is not None and path.is_file() and any(one.is_file() and path.samefile(one) for one in read):
        raise ArgumentError(f"{option} {path} is a file that is read; it would be lost. Name another.")


def refuse_idle(what: str, **given: object) -> None:
    """Refuse options that would change nothing.

    Raises
    ------
    ArgumentError
        Naming those that were given.
    """
    idle = [f"--{name}" for name, value in given.items() if value]
    if idle:
        raise ArgumentError(f"{', '.join(idle)} would change nothing in {what}; leave out what does nothing.")


def options_of(**options: Any) -> dict[str, Any]:
    """Return the options that were given, as `read_recording` takes them."""
    from bcikit.acquisition.file import whole_number

    mask = options.pop("trigger_mask", None)
    found = {key: value for key, value in options.items() if value not in (None, False)}
    if mask is not None:
        found["trigger_mask"] = whole_number("trigger_mask", mask)
    if "accept" in found:
        found["accept"] = tuple(word for text in found["accept"] for word in text.split(","))
    return found


class ProgressLine:
    """Says on standard error how far a long piece of work is: in place on a terminal, now and then on a pipe.

    Parameters
    ----------
    what : str
        What is done.
    patience : float
        Seconds after which it is worth a word.
    """

    def __init__(self, what: str, *, patience: float = 2.0) -> None:
        self._what = what
        self._began = self._said = time.monotonic()
        self._patience = patience
        self._terminal = sys.stderr.isatty()
        self._shown = False

    def __call__(self, share: float) -> None:
        """Take note of the share that is done."""
        now = time.monotonic()
        spent = now - self._began
        if spent < self._patience or now - self._said < (0.2 if self._terminal else 10.0 if self._shown else 0.0):
            return
        if not self._shown and share > 0.9:
            return
        self._said, self._shown = now, True
        left = spent * (1.0 / share - 1.0) if share > 0 else 0.0
        line = f"{self._what}: {100 * share:.0f} %, about {left:.0f} s left"
        sys.stderr.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Clear the line."""
        if self._shown and self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def print_summary(summary: "Summary") -> None:
    """Print what is in a file."""
    found = summary.to_dict()
    typer.echo(f"{summary.path}: {summary.format}")
    for line in summary.streams:
        typer.echo(f"  stream    {line}")
    if summary.recording is not None:
        rate = f"{found['sfreq']:g} Hz"
        if found["sfreq_found"] and abs(found["sfreq_found"] / found["sfreq"] - 1 if found["sfreq"] else 0) > 1e-4:
            rate += f" (found {found['sfreq_found']:g})"
        typer.echo(
            f"  signals   {found['n_channels']} channels, {found['n_times']} samples at {rate}, "
            f"{found['duration_s']:g} s"
        )
        kinds: dict[str, list[str]] = {}
        for channel in found["channels"]:
            kinds.setdefault(channel["type"], []).append(channel["name"])
        for kind, names in kinds.items():
            some = ", ".join(names[:12]) + (f", ... ({len(names)})" if len(names) > 12 else "")
            typer.echo(f"  {kind:<9} {some}")
        if found["lost_samples"]:
            first = ", ".join(f"{gap['lost']} at {gap['at_s']:g} s" for gap in found["gaps"][:5])
            typer.echo(f"  lost      {found['lost_samples']} samples in {found['n_gaps']} gaps ({first})")
        for source, counts in found["events"].items():
            some = ", ".join(f"{name} x{count}" for name, count in list(counts.items())[:12])
            typer.echo(f"  events    {sum(counts.values())} of {source}: {some}")
        if not found["events"]:
            typer.echo("  events    none")
    print_notes(summary.notes)


def print_notes(notes: "tuple[Note, ...]") -> None:
    """Print notes, doubts last."""
    for note in notes:
        if not note.doubt:
            typer.echo(f"  {note.code:<9} {note.text}")
    for note in notes:
        if note.doubt:
            typer.secho(f"  doubt     {note.text}", fg=typer.colors.YELLOW)


def dump(values: Any) -> None:
    """Print a result as JSON."""
    typer.echo(jsonlib.dumps(values))
