"""A further stream or file beside the first, in a dock of its own."""

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDockWidget, QLabel, QVBoxLayout, QWidget

from bcikit.acquisition import open_source, read_recording
from bcikit.recording import read_session
from bcikit.recording.lateness import Lateness
from bcikit.signal import BciError, Event
from bcikit.signal.address import Address
from bcikit.ui.reader import StreamReader
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.layout import name_buttons
from bcikit.viewer.still import StillHistory
from bcikit.viewer.trace_panel import TracePanel, mark_of


class BesideDock(QDockWidget):
    """The dock of a further stream; once closed it is gone, and says so."""

    closed = Signal()

    def __init__(self, address: str, side: "SideStream", parent: QWidget) -> None:
        super().__init__(address, parent)
        self.setWidget(side)
        self.setAccessibleName(address)
        self.setToolTip(address)
        # A closed dock could not be had back: no menu knows it.
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        name_buttons(self)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Tell it."""
        self.closed.emit()
        super().closeEvent(event)


class SideStream(QWidget):
    """Reads an address and shows its traces; why there are none is said.

    Parameters
    ----------
    address : str
        A stream, a file or a session folder.
    theme : Theme
        Colours.
    """

    readout = Signal(str)

    def __init__(self, address: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.address, self._theme = address, theme
        self.panel: TracePanel | None = None
        self._reader: StreamReader | None = None
        self._late: Lateness | None = None
        self.label = QLabel(tr("Waiting for a stream ..."))
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.label.setWordWrap(True)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self.label)
        self.setMinimumHeight(160)
        try:
            self._open()
        except (BciError, OSError) as error:
            self.label.setText(str(error))

    def _open(self) -> None:
        if Path(self.address).is_dir():
            session = read_session(self.address)
            self._late = Lateness.of_inputs(session.records.get("inputs", ()))
            self._show(StillHistory(session.recording), session.standing)
        elif self.address.startswith("file:"):
            recording = read_recording(Address.parse(self.address).body)
            self._show(StillHistory(recording), recording.events)
        else:
            # The thread of the reader must not be the last that holds this widget.
            address = self.address
            self._reader = StreamReader(lambda: open_source(address), patient=address.startswith("lsl:"))
            self._reader.start()

    def _show(self, history: StillHistory, events: Iterable[Event]) -> None:
        self._add(TracePanel(history.info, self._theme, history=history))
        for event in events:
            self._on(event)

    def _add(self, panel: TracePanel) -> None:
        """Show traces, in place of those that were shown."""
        if self.panel is not None:
            self._layout.removeWidget(self.panel)
            self.panel.deleteLater()
        self.panel = panel
        panel.readout.connect(self.readout)
        self._layout.addWidget(panel)
        self.label.setVisible(False)

    def _on(self, event: Event) -> None:
        if self.panel is not None:
            time, text = mark_of(event, event.name, self._late)
            self.panel.add_mark(time, text, duration=event.duration)

    def tick(self) -> None:
        """Take what came."""
        reader = self._reader
        if reader is None:
            return
        if reader.info is not None and (self.panel is None or self.panel.info != reader.info):
            self._add(TracePanel(reader.info, self._theme))
        if reader.fault:
            self.label.setText(reader.fault)
            self.label.setVisible(True)
        if self.panel is not None:
            for chunk in reader.take():
                self.panel.append(chunk)
            for event in reader.take_events():
                self._on(event)

    def halt(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            self._reader.halt()
