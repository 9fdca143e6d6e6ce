"""Shows what was recorded, to go back in: a file, or a session with its decisions, verdicts and alarms."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition import read_recording
from bcikit.recording import Session, read_session
from bcikit.recording.lateness import Lateness
from bcikit.signal import Recording
from bcikit.signal.messages import Decided, Happened, Message, StateChanged, parse
from bcikit.viewer.annotations import annotation_of
from bcikit.viewer.past import Past
from bcikit.viewer.still import StillHistory
from bcikit.viewer.window import ViewerWindow


def show_file(window: ViewerWindow, path: Path) -> None:
    """Fill a window with a file of any format that bcikit reads.

    Raises
    ------
    DataError
        If it is none.
    """
    recording = read_recording(path)
    window.past = Past(window.view, _show(window, recording, path))
    window.past.show()
    doubts = "; ".join(note.text for note in recording.notes if note.doubt)
    if doubts:
        window.statusBar().showMessage(doubts)


def show_folder(window: ViewerWindow, folder: Path) -> None:
    """Fill a window with a session.

    Raises
    ------
    RecordingError
        If the folder holds no session.
    """
    session = read_session(folder)
    history = _show(window, session.recording, folder)
    # Averages are of the whole recording, however many events it has.
    window.view.status.events = deque()
    window.view.status.late = Lateness.of_inputs(session.records.get("inputs", ()))
    for event in session.standing:
        if annotation_of(event) is None:
            window.take_message(Happened(event=event))
        else:
            window.view.status.take(Happened(event=event))
    said: list[tuple[float, Message]] = [
        (decision.time, Decided(decision=decision, verdict=verdict))
        for decision, verdict in zip(session.decisions, session.verdicts, strict=False)
    ]
    said += [
        (float(line["time"]), parse({**line, "type": kind}))
        for name, kind in (("states", "state"), ("alarms", "alarm"))
        for line in _timed(session, name)
    ]
    for _, message in said:
        window.milestones_of(message)
    over = StateChanged(state="FINISHED", reason=session.status)
    window.past = Past(window.view, history, said, end=over)
    window.past.show()


def _timed(session: Session, name: str) -> Iterator[dict[str, Any]]:
    """Yield records with their times; where a record has none, that of the chunk after which it was made."""
    records = session.records
    known = {
        int(line["after_chunk"]): float(line["time"])
        for kind in ("states", "decisions", "verdicts", "events")
        for line in records.get(kind, ())
        if "time" in line and "after_chunk" in line
    }
    chunks = sorted(known)
    times = [known[chunk] for chunk in chunks]
    for line in records.get(name, ()):
        guess = float(np.interp(line.get("after_chunk", 0), chunks, times)) if chunks else 0.0
        yield {**line, "time": float(line.get("time", guess))}


def _show(window: ViewerWindow, recording: Recording, path: Path) -> StillHistory:
    history = StillHistory(recording)
    window.add_stream("raw", recording.info, history=history)
    window.view.received, window.view.lost = recording.n_times, recording.lost
    if not path.is_dir():
        for event in recording.events:
            window.mark_event(event.time, event.name, duration=event.duration)
    noted = [item for event in recording.events if (item := annotation_of(event)) is not None]
    window.marking.open_file(path, start=history.time_at(0), noted=noted)
    return history
