"""The live viewer: traces in the middle, panels around them, the strip on top."""

import itertools
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QTabBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from bcikit.acquisition import StreamStatus
from bcikit.recording.lateness import is_planned
from bcikit.signal import Chunk, Event, StreamInfo
from bcikit.signal.messages import Happened, Input, Message, Snapshot, StateChanged
from bcikit.ui.happenings import said_of
from bcikit.ui.inputs import button
from bcikit.ui.link import LinkMeter
from bcikit.ui.orders import Orders
from bcikit.ui.reader import StreamReader
from bcikit.ui.rules import state_text
from bcikit.ui.session_link import LinkStream, SessionLink
from bcikit.ui.status import UNHEARD, Status
from bcikit.ui.strip import StatusStrip
from bcikit.ui.theme import Theme
from bcikit.ui.veil import Veil
from bcikit.ui.words import tr
from bcikit.viewer import layout
from bcikit.viewer.beside import BesideDock, SideStream
from bcikit.viewer.choose import dropped
from bcikit.viewer.engine_panels import EvidencePanel, LatencyPanel, LinkPanel
from bcikit.viewer.event_panels import ErdPanel, ErpPanel
from bcikit.viewer.glossary import GlossaryPanel
from bcikit.viewer.hand_panel import DecisionPanel, HandPanel
from bcikit.viewer.maker_panels import ClockPanel, DevicePanel, ScopePanel, TrendPanel
from bcikit.viewer.marking import Marking
from bcikit.viewer.menus import build_menus
from bcikit.viewer.milestones import Milestones
from bcikit.viewer.panel import Panel, View
from bcikit.viewer.past import Past
from bcikit.viewer.record import WindowRecorder
from bcikit.viewer.safety_panels import AlarmPanel, QualityPanel, SafetyPanel
from bcikit.viewer.screen_panel import ScreenPanel
from bcikit.viewer.selection_panel import SelectionPanel
from bcikit.viewer.signal_panels import BandPanel, HeadMapPanel, SpectrogramPanel, SpectrumPanel
from bcikit.viewer.still import AnyHistory
from bcikit.viewer.trace_panel import TracePanel, mark_of

FRAME_MS = 16
SLOWEST_MS = 200
MOST_AWAITED = 200
"""Markers that wait for the flip of a screen."""
QUIET = ("feedback/", "trial/", "phase/", "sound/", "paradigm/", "safety/", "stream/clock-offset")
"""Events that are not marked on the traces; all of them are recorded."""
STOPPED = frozenset({"SAFE_STOP", "ESTOP", "FATAL"})


def event_text(event: Event) -> str:
    """Return what a marker says of an event of a stream."""
    value = f"{event.value:.3g}" if isinstance(event.value, float) else event.value
    return event.name if value is None else f"{event.name} {value}"


class ViewerWindow(QMainWindow):
    """The live viewer.

    Parameters
    ----------
    theme : Theme
        Colours.
    raw : StreamReader or None
        Where samples come from without a session.
    link : SessionLink or None
        A running session: its signals, its messages, and where orders go.
    orders : Orders, optional
        Where STOP and other orders go, where that is not the link.
    settings : QSettings or None
        Where the arrangement of the panels is kept.
    preset : str
        Arrangement to begin with: "clinic", "research" or "device".
    use_saved : bool
        Begin with the arrangement that was kept, where there is one.
    source : str
        Address of what is looked at.
    """

    ended = Signal()
    open_wanted = Signal(str)  # address
    choose_wanted = Signal()
    look_wanted = Signal(str, str)  # theme, language; "" leaves it

    def __init__(
        self,
        theme: Theme,
        *,
        raw: StreamReader | None = None,
        link: SessionLink | None = None,
        orders: Orders | None = None,
        settings: QSettings | None = None,
        title: str = "",
        preset: str = "clinic",
        use_saved: bool = True,
        source: str = "",
    ) -> None:
        super().__init__()
        self.theme = theme
        self.preset = preset
        self._use_saved = use_saved
        self.view = View(status=Status() if link is None else Status(state=UNHEARD, session=True))
        self._readers: dict[str, StreamReader | LinkStream] = {}
        if link is not None:
            self._readers = {"raw": link.raw, "pipeline": link.filtered}
        elif raw is not None:
            self._readers = {"raw": raw}
        self.link = link
        self.orders = orders or (link.orders if link is not None else Orders(None))
        self.view.watching = not self.orders.possible
        self._settings = settings
        self.source = source
        self.trouble = ""
        self.setAcceptDrops(True)
        self.marking = Marking(self)
        self.recording = WindowRecorder(self)
        self.beside: dict[str, SideStream] = {}
        self._numbers = itertools.count(1)
        self.milestones = Milestones()
        self.past: Past | None = None
        self.traces: dict[str, TracePanel] = {}
        self.panels: dict[str, Panel] = {}
        self.docks: dict[str, QDockWidget] = {}
        self._meters: dict[str, LinkMeter] = {}
        self._due: dict[str, float] = {}
        self._arrived: float | None = None
        self._device_said: StreamStatus | None = None
        self._ended = False
        self._sessions = 1
        self._awaited: dict[str, Event] = {}
        self.leaving = False
        self.setWindowTitle(title or tr("bcikit viewer"))
        self._build()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._timer.start(FRAME_MS)

    # -- building --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.strip = StatusStrip(self.theme)
        self.strip.stop_pressed.connect(self.stop)
        self.strip.set_can_stop(self.orders.possible)
        self.trace_tabs = QTabWidget()
        self.trace_tabs.setDocumentMode(True)
        self.trace_tabs.setAccessibleName(tr("Streams"))
        self.trace_tabs.tabBar().setAccessibleName(tr("Streams"))
        self.trace_tabs.setCornerWidget(self.recording.bar)
        self.waiting_label = QLabel(tr("Waiting for a stream ..."))
        self.waiting_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.waiting_label.setWordWrap(True)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(6, 6, 6, 0)
        column.setSpacing(4)
        column.addWidget(self.strip)
        column.addWidget(self.waiting_label, 1)
        self.choose_button = button(tr("Choose a stream, a file or a unit ..."), self.choose_wanted.emit, primary=True)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.choose_button)
        row.addStretch(1)
        self.waiting_label.setMinimumHeight(120)
        column.addLayout(row)
        column.addWidget(self.trace_tabs, 1)
        self.trace_tabs.setVisible(False)
        self.setCentralWidget(centre)
        self.veil = Veil(self, self.theme, keep=(self.strip.stop,))
        self.setDockNestingEnabled(True)
        self._add_panels()
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.statusBar().setAccessibleName(tr("Messages"))
        self.statusBar().setSizeGripEnabled(False)
        build_menus(self)
        self._arranged = False
        # Before the first show: fifteen panels above each other would ask for a window taller than the screen.
        layout.arrange(self, self.docks, self.preset)

    def _add_panels(self) -> None:
        theme = self.theme
        self.screen_panel = ScreenPanel()
        for key, title, panel in (
            ("hand", tr("Virtual hand"), HandPanel(theme)),
            ("screen", tr("Person's screen"), self.screen_panel),
            ("decision", tr("Decision"), DecisionPanel(theme)),
            ("quality", tr("Electrodes"), QualityPanel(theme)),
            ("safety", tr("Safety"), SafetyPanel(theme)),
            ("alarms", tr("Alarms"), AlarmPanel(theme, self.orders)),
            ("spectrum", tr("Spectrum"), SpectrumPanel(theme)),
            ("spectrogram", tr("Spectrogram"), SpectrogramPanel(theme)),
            ("bands", tr("Band powers"), BandPanel(theme)),
            ("headmap", tr("Head map"), HeadMapPanel(theme)),
            ("erd", tr("ERD map"), ErdPanel(theme)),
            ("erp", tr("Averaged response"), ErpPanel(theme)),
            ("evidence", tr("Posteriors"), EvidencePanel(theme)),
            ("annotations", tr("Annotations"), self.marking.panel),
            ("link", tr("Loss and jitter"), LinkPanel(theme)),
            ("latency", tr("Latency"), LatencyPanel(theme)),
            ("glossary", tr("Glossary"), GlossaryPanel(theme)),
            ("selection", tr("Selected span"), SelectionPanel(theme)),
            ("device", tr("Device"), DevicePanel(theme)),
            ("clock", tr("Clock"), ClockPanel(theme)),
            ("trends", tr("Trends"), TrendPanel(theme)),
            ("scope", tr("Scope"), ScopePanel(theme)),
        ):
            self.add_panel(key, title, panel, Qt.DockWidgetArea.RightDockWidgetArea)

    def add_panel(self, key: str, title: str, panel: Panel, area: Qt.DockWidgetArea) -> QDockWidget:
        """Add a panel in a dock of its own."""
        dock = QDockWidget(title, self)
        dock.setObjectName(key)
        dock.setWidget(panel)
        dock.setAccessibleName(title)
        panel.setAccessibleName(title)
        self.addDockWidget(area, dock)
        layout.name_buttons(dock)
        self.panels[key], self.docks[key] = panel, dock
        return dock

    def showEvent(self, event: QShowEvent) -> None:
        """Arrange the panels once the size is known."""
        super().showEvent(event)
        if not self._arranged:
            self._arranged = True
            saved = self._use_saved and self._settings is not None and layout.restore(self, self._settings)
            if not saved:
                self.arrange(self.preset)
            self.name_tabs()

    def arrange(self, preset: str) -> None:
        """Put the panels where the arrangement "clinic", "research" or "device" wants them."""
        layout.arrange(self, self.docks, preset)
        for dock in self.findChildren(BesideDock):
            layout.make_room(self, dock)
        self.name_tabs()

    def name_tabs(self) -> None:
        """Give the tab bars of the docks a name; Qt makes them as they are needed."""
        for bar in self.findChildren(QTabBar):
            if not bar.accessibleName():
                bar.setAccessibleName(tr("Panels"))
            bar.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            # A name that is cut to a letter names nothing: what does not fit is scrolled to.
            bar.setElideMode(Qt.TextElideMode.ElideNone)
            bar.setUsesScrollButtons(True)
            bar.setExpanding(False)

    def save_layout(self) -> None:
        """Keep the arrangement for the next time."""
        if self._settings is not None:
            layout.save(self, self._settings)
            self.statusBar().showMessage(tr("The arrangement is saved"))

    def restore_layout(self) -> None:
        """Go back to the arrangement that was kept."""
        if self._settings is None or not layout.restore(self, self._settings):
            self.statusBar().showMessage(tr("No arrangement is saved"))
        self.name_tabs()

    def show_panel(self, key: str) -> None:
        """Show a panel and bring it to the front."""
        self.docks[key].show()
        self.docks[key].raise_()
        self.name_tabs()

    def current_traces(self) -> TracePanel | None:
        """Return the traces in front."""
        widget = self.trace_tabs.currentWidget()
        return widget if isinstance(widget, TracePanel) else None

    def table(self) -> list[list[object]]:
        """Return the tables of all panels in sight, one below the other, each under its title."""
        rows: list[list[object]] = []
        for key, panel in self.panels.items():
            table = panel.table() if panel.isVisible() else []
            if table:
                rows += [[self.docks[key].windowTitle()], *table, []]
        return rows

    def jump(self, what: str, by: int) -> None:
        """Bring the next (1) or the last (-1) "alarm" or "decision" into the middle of the traces in front."""
        panel = self.current_traces()
        if panel is not None:
            history = panel.canvas.history
            panel.jump(by, [(history.sample_at(time), text) for time, text in self.milestones.places[what]])

    def next_stream(self) -> None:
        """Bring the next stream to the front."""
        if self.trace_tabs.count():
            self.trace_tabs.setCurrentIndex((self.trace_tabs.currentIndex() + 1) % self.trace_tabs.count())

    # -- time ------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Take what came and show it."""
        now = time.monotonic()
        # First of all: a busy computer may leave no time for the rest, and nothing old may stand as new.
        # Before the first picture the middle of the window says it.
        self.veil.say(self.why_silent() if self.traces else "")
        if self.link is not None:
            # First: what a session says that is joined just now is not taken for the last one's.
            messages = self.link.take()
            if self.link.sessions > self._sessions:
                # Another person's, perhaps: a window of its own, in which nothing of the first one stands.
                self._sessions, self._ended = self.link.sessions, False
                self.open_wanted.emit(self.source)
                if not self._timer.isActive():
                    return
            for message in messages:
                self.take_message(message)
        for kind, reader in self._readers.items():
            self._take_chunks(kind, reader, now)
        for side in self.beside.values():
            side.tick()
        self.view.age = None if self._arrived is None else now - self._arrived
        self._refresh(now)
        if self.view.status.finished and not self._ended:
            self._ended = True
            self.ended.emit()
        # However slow the computer is, half of the time is left for keys, the one that stops above all.
        spent = round(1000 * (time.monotonic() - now))
        self._timer.setInterval(min(max(FRAME_MS, 2 * spent), SLOWEST_MS))

    def _take_chunks(self, kind: str, reader: StreamReader | LinkStream, now: float) -> None:
        chunks = reader.take()
        if reader.info is not None and (kind not in self.traces or self.traces[kind].info != reader.info):
            self.drop_stream(kind)
            self.add_stream(kind, reader.info)
        for chunk in chunks:
            self.take_chunk(kind, chunk)
            self._arrived = now
        for event in reader.take_events():
            # Where an engine tells its own, those of the way into this window are its business alone.
            if self.link is None and not event.name.startswith(QUIET):
                self.traces[kind].add_mark(event.time, event_text(event))
        self.trouble = reader.fault
        if reader.fault:
            self._say(reader.fault)
        elif not self.traces:
            self._say(self.why_silent() or tr("Waiting for a stream ..."))

    @property
    def reader(self) -> StreamReader | None:
        """The stream that is read without a session."""
        raw = self._readers.get("raw")
        return raw if isinstance(raw, StreamReader) else None

    def add_beside(self, address: str) -> SideStream:
        """Show a further stream or file in a dock of its own, on the same clock."""
        key = f"beside-{next(self._numbers)}"
        side = SideStream(address, self.theme)
        side.readout.connect(self.statusBar().showMessage)
        self.beside[key] = side
        dock = BesideDock(address, side, self)
        dock.setObjectName(key)
        dock.closed.connect(partial(self._end_beside, key))
        # Not one of `docks`: no arrangement puts it away.
        layout.add_below(self, dock)
        self.name_tabs()
        return side

    def _end_beside(self, key: str) -> None:
        """Read a further stream no longer: its dock was closed."""
        side = self.beside.pop(key, None)
        if side is not None:
            side.halt()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files, folders and addresses."""
        if dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Show what was dropped beside what is there."""
        for address in dropped(event):
            self.add_beside(address)

    def why_silent(self) -> str:
        """Return why nothing of the session is heard, and what it was at; "" while it is heard, or is over."""
        if self.link is None or self._ended:
            return ""
        doing = self.view.status.progress.what
        why = self.link.why
        return f"{why}\n{doing} ..." if why and doing else why

    def _say(self, text: str) -> None:
        if self.waiting_label.text() != text:
            self.waiting_label.setText(text)
            if self.traces:
                self.statusBar().showMessage(text)

    def add_stream(self, kind: str, info: StreamInfo, *, history: AnyHistory | None = None) -> TracePanel:
        """Show a stream as a tab of traces."""
        only = list(self._readers) == [kind]
        panel = TracePanel(info, self.theme, kind="stream" if only and self.link is None else kind, history=history)
        self.traces[kind] = panel
        self._meters[kind] = LinkMeter(info, judge=self.link is None)
        titles = {"raw": tr("Raw signal"), "pipeline": tr("Pipeline signal")}
        at = self.trace_tabs.insertTab(0 if kind == "raw" else 1, panel, titles[kind])
        panel.readout.connect(self.statusBar().showMessage)
        panel.annotated.connect(self.marking.ask)
        if kind == "raw":
            self.view.raw = panel.canvas.history
        else:
            self.view.filtered = panel.canvas.history
        if kind == "pipeline" or len(self.traces) == 1:
            self.trace_tabs.setCurrentIndex(at)
        self.waiting_label.setVisible(False)
        self.choose_button.setVisible(False)
        self.marking.show()
        self.trace_tabs.setVisible(True)
        return panel

    def drop_stream(self, kind: str) -> None:
        """Forget a stream: another one with other channels or another rate has taken its place."""
        panel = self.traces.pop(kind, None)
        if panel is None:
            return
        self._meters.pop(kind, None)
        self.trace_tabs.removeTab(self.trace_tabs.indexOf(panel))
        panel.deleteLater()

    def take_over(self, old: "ViewerWindow") -> None:
        """Go on where another window on the same streams stops: same samples, same messages."""
        self.view.status, self.view.links = old.view.status, old.view.links
        self.view.received, self.view.lost, self._arrived = old.view.received, old.view.lost, old._arrived
        for kind, panel in old.traces.items():
            mine = self.add_stream(kind, panel.info, history=panel.canvas.history)
            mine.canvas.marks = panel.canvas.marks
            mine.take_over(panel)
            self._meters[kind] = old._meters[kind]
        self.trace_tabs.setCurrentIndex(old.trace_tabs.currentIndex())
        self._awaited = old._awaited
        self.milestones, self._sessions, self._ended = old.milestones, old._sessions, old._ended
        self.marking.take_over(old.marking)
        self.past = None if old.past is None else old.past.moved(self.view)
        self.recording.take_over(old.recording)
        for side in old.beside.values():
            # A device is read once.
            side.halt()
            again = self.add_beside(side.address).panel
            if again is not None and side.panel is not None and again.info == side.panel.info:
                again.take_over(side.panel)

    def take_chunk(self, kind: str, chunk: Chunk) -> None:
        """Take new samples of a stream."""
        panel = self.traces[kind]
        panel.append(chunk)
        if kind == "raw":
            self.marking.begin_stream(chunk, panel.info.sfreq)
        if kind == "raw" or "raw" not in self.traces:
            self.view.received += chunk.n_times
            self.view.lost += chunk.health.lost
            self._meters[kind].take(chunk)

    def take_message(self, message: Message) -> None:
        """Take a message of the engine."""
        status = self.view.status
        status.take(message)
        if isinstance(message, Snapshot):
            self.milestones = Milestones()
            for panel in self.traces.values():
                panel.clear_marks()
        self.milestones_of(message)
        if self.screen_panel.take(message) and self.docks["screen"].isVisibleTo(self):
            # There is a screen to look after: it comes to the front, once; whoever puts another panel there keeps it.
            self.docks["screen"].raise_()
        match message:
            case Snapshot():
                for part in message.messages:
                    if isinstance(part, Happened):
                        self._show_event(part.event)
            case Input(kind="screen", values={"type": "flip", "name": str(name), "sample": int(sample)}):
                self._shown(name, sample)
            case Happened():
                event = message.event
                self._show_event(event)
                said = said_of(event.name, event.data)
                if said is not None:
                    self.statusBar().showMessage(said.text)
            case StateChanged() if status.state in STOPPED:
                name, advice = state_text(status.state)
                self.statusBar().showMessage(f"{name}. {advice}.")
            case StateChanged(state="FAILED"):
                self.statusBar().showMessage(status.state_reason)

    def milestones_of(self, message: Message) -> None:
        """Keep where one may want to go: an alarm, another decision; an alarm is marked on every stream."""
        for since, rule in self.milestones.take(message):
            self.mark(since, rule)

    def _show_event(self, event: Event) -> None:
        """Mark an event of the session when a screen showed it, or when it was planned until one tells."""
        late = self.view.status.late
        key = ""
        if self.past is None and event.sample is not None and late.of(event) is None and is_planned(event):
            key = f"{event.name} {event.sample}"
            self._awaited[key] = event
            while len(self._awaited) > MOST_AWAITED:
                del self._awaited[next(iter(self._awaited))]
        event_time, text = mark_of(event, event.name, late)
        self.mark_event(event_time, text, duration=event.duration, data=event.data, key=key)

    def _shown(self, name: str, sample: int) -> None:
        """Move the marker of an event to when a screen showed it."""
        key = f"{name} {sample}"
        event = self._awaited.pop(key, None)
        if event is not None:
            event_time, text = mark_of(event, name.removeprefix("cue/"), self.view.status.late)
            for panel in self.traces.values():
                panel.move_mark(key, event_time, text)

    def mark_event(
        self,
        event_time: float,
        name: str,
        *,
        duration: float = 0.0,
        data: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> None:
        """Show an event of the engine; those that come many times a second or frame a trial are left out."""
        said = said_of(name, data or {})
        if said is not None:
            self.mark(event_time, said.short, duration=duration)
        elif not name.startswith(QUIET):
            self.mark(event_time, name.removeprefix("cue/"), duration=duration, key=key)

    def mark(self, event_time: float, text: str, *, duration: float = 0.0, key: str = "") -> None:
        """Show a marker on every stream."""
        for panel in self.traces.values():
            panel.add_mark(event_time, text, duration=duration, key=key)

    def _refresh(self, now: float) -> None:
        if now >= self._due.get("", 0.0):
            self._due[""] = now + 0.1
            self._measure(now)
            if self.past is not None:
                self.past.show()
            why = self.why_silent()
            status = Status(state=UNHEARD, session=True) if why else self.view.status
            age, loss = (None, None) if why else (self.view.age, self.view.loss_percent)
            self.strip.refresh(status, age=age, loss=loss)
            self._look()
            levels = {name: quality.level for name, quality in self.view.status.quality.items()}
            for panel in self.traces.values():
                panel.set_levels(levels)
            self.recording.refresh()
            for error in self.orders.errors:
                self.statusBar().showMessage(error)
            self.orders.errors.clear()
        # The longest due first, as long as there is time: a key that stops waits for one panel, and not for all. For
        # one there is always time: on a slow computer, whose traces take all of it, panels would stay empty for ever.
        shown_one = False
        for key, shown in sorted(self.panels.items(), key=lambda item: self._due.get(item[0], 0.0)):
            if now < self._due.get(key, 0.0):
                break
            if shown.isVisible():
                if shown_one and time.monotonic() > now + FRAME_MS / 1000:
                    continue
                shown_one = True
                self._due[key] = now + shown.period
                shown.refresh(self.view)
            elif shown.collects:
                self._due[key] = now + 1.0
                shown.collect(self.view)

    def _look(self) -> None:
        """Say to the panels what is between the cursors, and what the device itself tells."""
        view, panel = self.view, self.current_traces()
        cursors = [] if panel is None else panel.canvas.cursors
        view.span = (cursors[0], cursors[1]) if len(cursors) == 2 else None
        view.looked_at = None if panel is None else panel.canvas.history
        reader = self.reader
        if reader is not None and reader.status is not None:
            if reader.status is self._device_said:
                return
            self._device_said = reader.status
            view.device, view.arrivals = reader.status.to_dict(), reader.arrivals
            if (meter := self._meters.get("raw")) is not None:
                meter.take_impedances(reader.status.impedances)
        elif view.status.device:
            view.device = view.status.device

    def _measure(self, now: float) -> None:
        """Measure what no engine tells."""
        if now < self._due.get("link", 0.0):
            return
        self._due["link"] = now + 0.5
        meter = self._meters.get("raw") or self._meters.get("pipeline")
        if meter is not None and self._arrived is not None:
            if self.link is None:
                # What is not judged any more is not known: nothing that was good or bad earlier stands for it.
                self.view.status.quality = meter.quality()
            loss = self.view.status.loss_percent() or self.view.loss_percent or 0.0
            self.view.links.append((now, loss, meter.jitter_ms()))

    # -- orders ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop everything that moves."""
        if not self.orders.possible:
            self.statusBar().showMessage(tr("This window only watches: nothing to stop"))
            return
        self.orders.send("stop", reason="operator pressed STOP in the viewer")
        self.statusBar().showMessage(tr("STOP was sent"))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Give back every handle."""
        self._timer.stop()
        if self.leaving:
            super().closeEvent(event)
            return
        self.recording.stop()
        for side in self.beside.values():
            side.halt()
        for reader in self._readers.values():
            reader.halt()
        if self.link is not None:
            self.link.halt()
        self.orders.close()
        super().closeEvent(event)
