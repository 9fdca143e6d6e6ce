"""The start page: what can be looked at now, what was looked at lately, and a simulated person; chosen by a click."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from bcikit import plugins
from bcikit.session.running import running
from bcikit.signal.address import Address
from bcikit.ui.aside import in_background
from bcikit.ui.device_words import detail_words, kind_words
from bcikit.ui.inputs import button, choice
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr

RECENT = 8
"""Addresses that are remembered."""

UNITS = ("uV", "mV", "V")
PERSON = "sim:motor-imagery?live=1"
Row = tuple[str, str, str]
"""Address, what it is, details."""


def reachable() -> list[Row]:
    """Return what can be opened now: sessions that run, LSL streams, ports, boards."""
    from bcikit.acquisition import reachable_devices

    found = [(f"session:{item.name}", tr("session that runs"), item.title) for item in running()]
    devices = reachable_devices(wait=1.0)
    return found + [(device.address, kind_words(device.what), detail_words(device.detail)) for device in devices]


def recent(settings: QSettings) -> list[str]:
    """Return the addresses that were opened last, the newest first.

    Files that are gone are forgotten for good: the name of a folder may be the code of a person who was erased.
    """
    value = settings.value("recent")
    texts = [str(text) for text in value] if isinstance(value, list | tuple) else [str(value)] if value else []
    there = [text for text in texts if not _path_of(text) or Path(_path_of(text)).exists()]
    if there != texts:
        settings.setValue("recent", there)
        settings.sync()
    return there


def remember(settings: QSettings, address: str) -> None:
    """Put an address at the head of those that were opened last; what is gone with its process is not kept."""
    if address.startswith("session:"):
        return
    settings.setValue("recent", [address, *(text for text in recent(settings) if text != address)][:RECENT])


def _path_of(address: str) -> str:
    scheme, _, rest = address.partition(":")
    if scheme == "file":
        return rest.partition("?")[0]
    return address if "/" in scheme or not rest else ""


class AddressList(QListWidget):
    """A list whose lines can be dragged into a window, as the address they stand for."""

    def mimeData(self, items: Sequence[QListWidgetItem]) -> QMimeData:
        """Return the addresses as text."""
        data = QMimeData()
        data.setText("\n".join(str(item.data(Qt.ItemDataRole.UserRole)) for item in items))
        return data


class StartPage(QWidget):
    """Lists what there is; a click and Open, or two clicks, choose.

    Parameters
    ----------
    theme : Theme
        Colours.
    settings : QSettings
        Where recent addresses are kept.
    look : callable
        Returns what is reachable; called in a thread.
    why : str
        Why one has to choose: what went wrong with the last choice.
    """

    chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        settings: QSettings,
        *,
        look: Callable[[], list[Row]] = reachable,
        why: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._settings, self._look = theme, settings, look
        self.setWindowTitle(tr("bcikit viewer"))
        self.setAccessibleName(tr("What do you want to look at?"))
        self.setAcceptDrops(True)
        head = QLabel(tr("What do you want to look at?"))
        head.setStyleSheet("font-size: 22px; font-weight: 600;")
        self.why = QLabel(why)
        self.why.setWordWrap(True)
        self.why.setStyleSheet(f"color: {theme.warn};")
        self.why.setVisible(bool(why))
        self.now = self._list(tr("Reachable now"))
        self.lately = self._list(tr("Opened lately"))
        self.unit = choice(tr("Unit, where the stream states none"), [tr("as stated"), *UNITS], lambda _: None)
        self.again = button(tr("Look again"), self.search)
        self.open_button = button(tr("Open"), self._open, primary=True)
        self.search_label = QLabel()
        self.search_label.setStyleSheet(f"color: {theme.dim};")
        left, right = QVBoxLayout(), QVBoxLayout()
        row = QHBoxLayout()
        row.addWidget(QLabel(tr("Reachable now")))
        row.addWidget(self.search_label, 1)
        row.addWidget(self.again)
        left.addLayout(row)
        left.addWidget(self.now, 1)
        units = QHBoxLayout()
        units.addWidget(QLabel(tr("Unit, where the stream states none")))
        units.addWidget(self.unit)
        units.addStretch(1)
        left.addLayout(units)
        lately = QLabel(tr("Opened lately"))
        # Both lists begin at one height.
        lately.setMinimumHeight(self.again.sizeHint().height())
        right.addWidget(lately)
        right.addWidget(self.lately, 1)
        right.addWidget(button(tr("A file ..."), self._file, hint=tr("Any format that bcikit reads; also by dropping")))
        right.addWidget(button(tr("A recorded session ..."), self._folder))
        right.addWidget(button(tr("A simulated person"), lambda: self.chosen.emit(PERSON)))
        lists = QHBoxLayout()
        lists.addLayout(left, 3)
        lists.addLayout(right, 2)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.open_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 22, 28, 22)
        layout.setSpacing(12)
        layout.addWidget(head)
        layout.addWidget(self.why)
        layout.addLayout(lists, 1)
        layout.addLayout(foot)
        for address in recent(settings):
            self._add(self.lately, (address, "", ""))
        # A timer of the page's own: it does not fire for a page that is gone.
        first = QTimer(self)
        first.setSingleShot(True)
        first.timeout.connect(self.search)
        first.start(0)

    def _list(self, name: str) -> QListWidget:
        made = AddressList()
        made.setDragEnabled(True)
        made.setAccessibleName(name)
        made.setTextElideMode(Qt.TextElideMode.ElideRight)
        made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        made.itemActivated.connect(self._take)
        made.itemSelectionChanged.connect(lambda: self._only(made))
        return made

    def _only(self, chosen: QListWidget) -> None:
        other = self.lately if chosen is self.now else self.now
        if chosen.selectedItems():
            other.clearSelection()

    @staticmethod
    def _add(where: QListWidget, row: Row) -> None:
        address, what, detail = row
        item = QListWidgetItem(f"{what}: {detail}\n{address}" if what else address)
        item.setData(Qt.ItemDataRole.UserRole, address)
        item.setToolTip(address)
        where.addItem(item)

    def search(self) -> None:
        """Look for what is reachable, in a thread."""
        self.again.setEnabled(False)
        self.search_label.setText(tr("Looking ..."))

        in_background(self, self._look, self._show)

    def _show(self, found: list[Row] | None, error: Exception | None) -> None:
        self.now.clear()
        for row in found or ():
            if not row[1].endswith("markers"):
                self._add(self.now, row)
        self.again.setEnabled(True)
        problem = "" if error is None else str(error) or type(error).__name__
        self.search_label.setText(problem or ("" if self.now.count() else tr("nothing yet")))
        if self.now.count() and not self.lately.selectedItems():
            self.now.setCurrentRow(0)

    def _take(self, item: QListWidgetItem) -> None:
        address = str(item.data(Qt.ItemDataRole.UserRole))
        if self.unit.currentIndex() > 0 and address.startswith("lsl:"):
            address = str(Address.parse(address).with_option("unit", self.unit.currentText()))
        self.chosen.emit(address)

    def _open(self) -> None:
        chosen = [*self.now.selectedItems(), *self.lately.selectedItems()]
        if chosen:
            self._take(chosen[0])
        else:
            self.why.setText(tr("Choose a line first, or one of the buttons."))
            self.why.setVisible(True)

    def _file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, tr("A file ..."))
        if name:
            self.chosen.emit(f"file:{name}")

    def _folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, tr("A recorded session ..."))
        if name:
            self.chosen.emit(name)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files, folders and addresses."""
        if dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the first file that was dropped."""
        for address in dropped(event):
            self.chosen.emit(address)
            return


def dropped(event: QDropEvent) -> list[str]:
    """Return the addresses of the files, folders and streams that are dropped.

    A stream comes as the text of its address: from the list of a start page, or from any program that gives text.
    """
    data = event.mimeData()
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    found = [str(path) if path.is_dir() else f"file:{path}" for path in paths if path.exists()]
    if found or not data.hasText():
        return found
    return [address for line in data.text().splitlines() if (address := address_of(line.strip()))]


def address_of(text: str) -> str:
    """Return the address that a text is, or that of the file or folder whose whole path it is; "" if it is neither."""
    path = Path(text)
    if text and path.is_absolute() and path.exists():
        return text if path.is_dir() else f"file:{text}"
    return text if text.partition(":")[0] in plugins.names("sources") and ":" in text else ""
