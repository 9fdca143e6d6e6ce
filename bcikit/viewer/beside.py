"""A further stream or file beside the first, in a dock of its own."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from bcikit.acquisition import open_source, read_recording
from bcikit.recording import read_session
from bcikit.signal import BciError
from bcikit.signal.address import Address
from bcikit.ui.reader import StreamReader
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.still import StillHistory
from bcikit.viewer.trace_panel import TracePanel


class SideStream(QWidget):
    """Reads an address and shows its traces; why there are none is said.

    Parameters
    ----------
    address : str
        A stream, a file or a session folder.
    theme : Theme
        Colours.
    """

    def __init__(self, address: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.address, self._theme = address, theme
        self.panel: TracePanel | None = None
        self._reader: StreamReader | None = None
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
            self._show(StillHistory(read_session(self.address).recording))
        elif self.address.startswith("file:"):
            self._show(StillHistory(read_recording(Address.parse(self.address).body)))
        else:
            self._reader = StreamReader(lambda: open_source(self.address), patient=self.address.startswith("lsl:"))
            self._reader.start()

    def _show(self, history: StillHistory) -> None:
        self.panel = TracePanel(history.info, self._theme, history=history)
        for event in history.recording.events:
            self.panel.add_mark(event.time, event.name, duration=event.duration)
        self._layout.addWidget(self.panel)
        self.label.setVisible(False)

    def tick(self) -> None:
        """Take what came."""
        reader = self._reader
        if reader is None:
            return
        if self.panel is None and reader.info is not None:
            self.panel = TracePanel(reader.info, self._theme)
            self._layout.addWidget(self.panel)
            self.label.setVisible(False)
        if reader.fault:
            self.label.setText(reader.fault)
            self.label.setVisible(True)
        if self.panel is not None:
            for chunk in reader.take():
                self.panel.append(chunk)
            for event in reader.take_events():
                self.panel.add_mark(event.time, event.name)

    def halt(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            self._reader.halt()
