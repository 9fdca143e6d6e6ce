"""Shows what was recorded, to go back in: a file, or a session with its decisions, verdicts and alarms."""

from pathlib import Path

from bcikit.acquisition import read_recording
from bcikit.recording import read_session
from bcikit.signal import Recording
from bcikit.signal.messages import Decided, Happened, StateChanged, parse
from bcikit.ui.link import LinkMeter
from bcikit.viewer.annotations import annotation_of
from bcikit.viewer.still import StillHistory
from bcikit.viewer.window import ViewerWindow

JUDGED_SECONDS = 20.0
"""The quality of the electrodes is that of the last seconds."""


def show_file(window: ViewerWindow, path: Path) -> None:
    """Fill a window with a file of any format that bcikit reads.

    Raises
    ------
    DataError
        If it is none.
    """
    recording = read_recording(path)
    _show(window, recording, path)
    doubts = "; ".join(str(note) for note in recording.notes if note.doubt)
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
    _show(window, session.recording, folder)
    for event in session.standing:
        if annotation_of(event) is None:
            window.take_message(Happened(event=event))
        else:
            window.view.status.take(Happened(event=event))
    for decision, verdict in zip(session.decisions, session.verdicts, strict=False):
        window.take_message(Decided(decision=decision, verdict=verdict))
    for line in session.records.get("alarms", ()):
        window.take_message(parse({**line, "type": "alarm"}))
    window.take_message(StateChanged(state="FINISHED", reason=session.status))


def _show(window: ViewerWindow, recording: Recording, path: Path) -> None:
    history = StillHistory(recording)
    window.add_stream("raw", recording.info, history=history)
    window.view.received, window.view.lost = recording.n_times, recording.lost
    meter = LinkMeter(recording.info)
    judged_from = history.end_time - JUDGED_SECONDS
    for chunk in recording.chunks(max(1, round(recording.info.sfreq))):
        if chunk.n_times and chunk.times[-1] >= judged_from:
            meter.take(chunk)
    window.view.status.quality = meter.quality()
    window.view.links.append((history.end_time, window.view.loss_percent or 0.0, meter.jitter_ms()))
    if not path.is_dir():
        for event in recording.events:
            window.mark_event(event.time, event.name, duration=event.duration)
    noted = [item for event in recording.events if (item := annotation_of(event)) is not None]
    window.marking.open_file(path, start=history.time_at(0), noted=noted)
