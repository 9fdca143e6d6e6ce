"""Shows a recorded session: its signals to look back at, its decisions, verdicts and alarms."""

from pathlib import Path

from bcikit.recording import read_session
from bcikit.signal.messages import Decided, Happened, StateChanged
from bcikit.ui.link import LinkMeter
from bcikit.viewer.history import History
from bcikit.viewer.window import ViewerWindow

BUDGET = 512 * 2**20
"""Largest size in memory; of a longer session the end is shown."""

JUDGED_SECONDS = 20.0
"""The quality of the electrodes is that of the last seconds."""


def show_folder(window: ViewerWindow, folder: Path) -> None:
    """Fill a window with a session.

    Raises
    ------
    RecordingError
        If the folder holds no session.
    """
    session = read_session(folder)
    seconds = session.recording.n_times / (session.info.sfreq or 1.0) + session.recording.lost + 1
    history = History(session.info, seconds=seconds, budget=BUDGET)
    panel = window.add_stream("raw", session.info, history=history)
    meter = LinkMeter(session.info)
    judged_from = max((chunk.times[-1] for chunk in session.chunks if chunk.n_times), default=0.0) - JUDGED_SECONDS
    for chunk in session.chunks:
        history.append(chunk)
        window.view.received += chunk.n_times
        window.view.lost += chunk.health.lost
        if chunk.n_times and chunk.times[-1] >= judged_from:
            meter.take(chunk)
    status = window.view.status
    status.quality = meter.quality()
    window.view.links.append((history.end_time, window.view.loss_percent or 0.0, meter.jitter_ms()))
    for event in session.events:
        status.take(Happened(event=event))
        window.mark_event(event.time, event.name)
    for decision, verdict in zip(session.decisions, session.verdicts, strict=False):
        status.take(Decided(decision=decision, verdict=verdict))
    for line in session.records.get("alarms", ()):
        status.take({**line, "type": "alarm"})
    status.take(StateChanged(state="FINISHED", reason=session.status))
    panel.canvas.redraw()
    panel.freeze_button.click()
