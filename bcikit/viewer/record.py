"""Recording what a window reads: one button, the same recorder as `bcikit record`, time, loss and room on the disk."""

import datetime
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from bcikit.signal import BciError
from bcikit.signal.places import user_home
from bcikit.ui.inputs import button
from bcikit.ui.tap import Tap
from bcikit.ui.words import tr

if TYPE_CHECKING:
    from bcikit.viewer.window import ViewerWindow

LOW_BYTES = 5e9
"""Room on the disk from which it is shown as a warning."""


class WindowRecorder:
    """The recorder of a window.

    Parameters
    ----------
    window : ViewerWindow
        Whose stream is recorded.
    """

    def __init__(self, window: "ViewerWindow") -> None:
        self._window = window
        self.tap: Tap | None = None
        self.folder = user_home() / "bcikit-recordings"
        self.last: Path | None = None
        self.bar = QWidget()
        self.bar.setAccessibleName(tr("Recording"))
        self.button = button(tr("● Record"), self.toggle, hint=tr("Record this stream into a session folder (Ctrl+R)"))
        self.text = QLabel()
        row = QHBoxLayout(self.bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.button)
        row.addWidget(self.text, 1)
        self.bar.setVisible(False)

    @property
    def possible(self) -> bool:
        """Whether there is a stream to record: a session records itself, a file is recorded already."""
        reader = self._window.reader
        return reader is not None and reader.info is not None and not reader.ended

    def toggle(self) -> None:
        """Begin, or end."""
        if self.tap is None:
            self.begin()
        else:
            self.stop()

    def begin(self) -> None:
        """Begin a new session folder; why that is not possible is said."""
        reader = self._window.reader
        if reader is None or reader.info is None:
            self._window.statusBar().showMessage(tr("There is no stream to record"))
            return
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
        plain = "".join(letter if letter.isalnum() else "-" for letter in reader.info.name)[:40] or "stream"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.tap = Tap(self.folder / f"{plain}-{stamp}", reader.info, address=self._window.source)
        except (BciError, OSError) as error:
            self._window.statusBar().showMessage(str(error))
            return
        reader.tap = self.tap
        self.button.setText(tr("■ End the recording"))
        self._window.marking.begin()
        self.refresh()

    def stop(self) -> None:
        """End it; the folder is sealed, and where it is is said."""
        tap, self.tap = self.tap, None
        if tap is None:
            return
        reader = self._window.reader
        if reader is not None:
            reader.tap = None
        self._window.marking.catch_up(tap)
        self.last = tap.folder
        self.button.setText(tr("● Record"))
        try:
            doubts = tap.close()
        except BciError as error:
            said = str(error)
        else:
            said = tr("Recorded: {path}").format(path=tap.folder)
            said += "".join(f" {tr('Doubt')}: {doubt}" for doubt in doubts)
        self._window.marking.show()
        self.text.setText(tap.fault or said)
        self._window.statusBar().showMessage(tap.fault or said)

    def refresh(self) -> None:
        """Show time, loss and room on the disk."""
        self.bar.setVisible(self.possible or self.tap is not None)
        tap = self.tap
        if tap is None:
            return
        if tap.fault:
            self.stop()
            return
        self._window.marking.catch_up(tap)
        minutes, seconds = divmod(int(tap.seconds), 60)
        try:
            free = shutil.disk_usage(tap.folder).free
        except OSError:
            free = 0
        words = tr("Recording {minutes:02d}:{seconds:02d}, {samples} samples, {lost} lost, {free:.1f} GB free")
        text = words.format(minutes=minutes, seconds=seconds, samples=tap.n_samples, lost=tap.lost, free=free / 1e9)
        theme = self._window.theme
        colour = theme.bad if tap.lost else theme.warn if free < LOW_BYTES else theme.good
        self.text.setText(text)
        self.text.setStyleSheet(f"color: {colour}; font-weight: 600;")

    def take_over(self, old: "WindowRecorder") -> None:
        """Go on where another window stops."""
        self.tap, self.folder, self.last = old.tap, old.folder, old.last
        old.tap = None
        if self.tap is not None:
            self.button.setText(tr("■ End the recording"))
            # The list says where annotations are kept, which it could not know until now.
            self._window.marking.show()
