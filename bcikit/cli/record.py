"""`bcikit record`: a source into a session folder."""

import contextlib
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bcikit.cli.stopping import stoppable
from bcikit.signal import BciError, Event, HostClock, SourceError

if TYPE_CHECKING:
    from bcikit.acquisition import Source, StreamStatus, TimeTrust
    from bcikit.recording import SessionWriter


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def record(
        source: Annotated[
            str, typer.Argument(help="Address, such as brainflow:synthetic, lsl:name=EEG or file:x.edf.")
        ],
        *,
        out: Annotated[Path, typer.Option("--out", help="Session folder to make.", metavar="DIR")],
        duration: Annotated[
            float | None, typer.Option("--duration", help="Seconds; until Ctrl-C if left out.", min=0.1)
        ] = None,
        markers: Annotated[
            list[str] | None, typer.Option("--markers", help="Name of an LSL stream of markers; may be repeated.")
        ] = None,
        also: Annotated[
            list[str] | None,
            typer.Option("--also", help="Address of a further stream, recorded beside the first; may be repeated."),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing while recording.")] = False,
    ) -> None:
        """Record a source into a session folder (XDF and JSON lines), whole at every moment.

        Exits with 1 where the times are in doubt: the reasons are printed, and kept in the folder's header.
        """
        from bcikit.acquisition import TimeTrust, open_source
        from bcikit.recording import SessionWriter
        from bcikit.signal.address import Address

        address = Address.parse(source)
        if markers:
            address = address.with_option("markers", ",".join(markers))
        with ExitStack() as stack:
            opened = stack.enter_context(contextlib.closing(open_source(address)))
            others = [stack.enter_context(contextlib.closing(open_source(text))) for text in also or []]
            extra = {_unique(other.info.name, others[:at], opened): other for at, other in enumerate(others)}
            config = {"source": str(address), "also": list(also or []), "duration": duration}
            infos = {name: other.info for name, other in extra.items()}
            writer = stack.enter_context(SessionWriter(out, info=opened.info, config=config, extra=infos))
            for stream in (*others, opened):
                stream.start()
            trust = TimeTrust()
            status, how = _record(opened, extra, writer, duration, trust, quiet=quiet)
            # Whoever stops before the first sample knows that nothing came.
            doubts = trust.doubts(status, samples=writer.n_samples) if writer.n_samples or how == "complete" else []
            timing = {"stamps": status.stamps, "uncertainty": _finite(status.time_uncertainty), "doubts": doubts}
            writer.close(how, timing={**timing, "notes": trust.notes})
        if not quiet:
            typer.echo(_summary(status, writer.n_samples, out))
            for note in trust.notes:
                typer.echo(note)
        for doubt in doubts:
            typer.secho(f"doubt: {doubt}", fg=typer.colors.YELLOW, err=True)
        if doubts:
            raise typer.Exit(1)


def _finite(value: float) -> float | None:
    return value if value < float("inf") else None


def _unique(name: str, before: "list[Source]", first: "Source") -> str:
    """Return a name that no other stream of the session has."""
    taken = [other.info.name for other in before]
    return name if name not in taken and name != first.info.name else f"{name}-{len(before) + 2}"


def _record(
    source: "Source",
    extra: "dict[str, Source]",
    writer: "SessionWriter",
    duration: float | None,
    trust: "TimeTrust",
    *,
    quiet: bool,
) -> "tuple[StreamStatus, str]":
    """Write what comes until the time is over, the source ends, or somebody stops it; return how it ended."""
    stopped = threading.Event()
    with stoppable(stopped.set):
        try:
            _write_all(source, extra, writer, duration, stopped, trust, quiet=quiet)
        except BciError:
            _write_events(source, writer, trust)
            writer.close("failed")
            raise
    status = source.status()
    # Markers that wait for their sample are given when the source stops.
    source.stop()
    _write_events(source, writer, trust)
    return status, "stopped" if stopped.is_set() else "complete"


def _write_all(
    source: "Source",
    extra: "dict[str, Source]",
    writer: "SessionWriter",
    duration: float | None,
    stopped: threading.Event,
    trust: "TimeTrust",
    *,
    quiet: bool,
) -> None:
    from rich.console import Console

    now = HostClock().now
    first: float | None = None
    began = now()
    with Console(stderr=True, quiet=quiet).status("Recording. Stop with Ctrl-C.") as line:
        shown = now()
        while not source.ended and not stopped.is_set():
            chunk = source.pull(0.5)
            arrival = now()
            _write_events(source, writer, trust)
            _write_others(extra, writer)
            if chunk is None:
                writer.silence(arrival)
                # Where nothing comes, the duration is wall time.
                if duration is not None and source.live and arrival - began >= duration:
                    break
            else:
                if first is None:
                    first, began = float(chunk.times[0]), arrival
                due = chunk.n_times if duration is None else int((chunk.times < first + duration).sum())
                if due:
                    writer.chunk(chunk.slice(0, due), arrival)
                if due < chunk.n_times:
                    break
            if arrival - shown > 0.5:
                shown = arrival
                line.update(_line(source.status()))
    _write_events(source, writer, trust)
    _write_others(extra, writer)


def _write_events(source: "Source", writer: "SessionWriter", trust: "TimeTrust") -> None:
    events = source.pull_events()
    trust.see(events)
    for event in events:
        writer.event(event)


def _write_others(extra: "dict[str, Source]", writer: "SessionWriter") -> None:
    """Write what came from the other streams, and what happened to them under their name.

    One that is gone for good is written down and left out: the others go on.
    """
    now = HostClock().now
    for name, other in list(extra.items()):
        fault = None
        try:
            while (chunk := other.pull(0.0)) is not None:
                writer.chunk(chunk, now(), stream=name)
                if not other.live and chunk.times[-1] > now():
                    break
        except SourceError as error:
            fault = error
        for event in other.pull_events():
            writer.event(replace(event, sample=None, source=f"{name}/{event.source}"))
        if fault is not None:
            del extra[name]
            writer.event(Event(name="stream/failed", time=now(), source=name, data={"error": str(fault)}))
            typer.secho(f"{name}: {fault} The other streams go on.", fg=typer.colors.YELLOW, err=True)


def _line(status: "StreamStatus") -> str:
    return (
        f"{status.pulse}: {status.samples} samples at {status.rate:.2f} Hz, {status.lost} lost, "
        f"{status.bad_samples} bad. Stop with Ctrl-C."
    )


def _summary(status: "StreamStatus", n_samples: int, out: Path) -> str:
    parts = [f"{n_samples} samples in {out}, {status.lost} lost"]
    if status.rate and status.drift_uncertainty_ppm < float("inf"):
        parts.append(f"{status.rate:.3f} Hz ({status.drift_ppm:+.0f} +- {status.drift_uncertainty_ppm:.0f} ppm)")
    if status.reconnects:
        parts.append(f"{status.reconnects} reconnects")
    return "; ".join(parts) + "."
