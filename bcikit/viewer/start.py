"""Starts the viewer: finds the streams, makes the window, runs Qt."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMainWindow

from bcikit.acquisition import open_source
from bcikit.presentation.qt.keys import SpaceStops
from bcikit.presentation.qt.window import rest
from bcikit.session.running import find_running
from bcikit.session.ticket import Ticket
from bcikit.signal import ArgumentError, BciError, gathered_doubts
from bcikit.signal.address import Address
from bcikit.ui import theme as themes
from bcikit.ui import words
from bcikit.ui.application import dress, prepare, window_size
from bcikit.ui.reader import StreamReader
from bcikit.ui.session_link import SessionLink
from bcikit.ui.words import tr
from bcikit.viewer.choose import StartPage, remember
from bcikit.viewer.folder import show_file, show_folder
from bcikit.viewer.layout import PRESETS
from bcikit.viewer.window import ViewerWindow


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of ``python -m bcikit.viewer``."""
    parser = argparse.ArgumentParser(prog="python -m bcikit.viewer", description="The live viewer of bcikit.")
    parser.add_argument("--session", action="store_true", help="the session whose ticket is in the environment")
    parser.add_argument("--source", default="", help="an address, as 'lsl:name=EEG', a file, or a session's folder")
    parser.add_argument("--language", choices=list(words.LANGUAGES), default=None)
    parser.add_argument("--theme", choices=list(themes.THEMES), default=None)
    parser.add_argument("--arrange", choices=list(PRESETS), default=None, help="for whom the panels are arranged")
    parser.add_argument("--size", type=window_size, default=(1280, 800), help="of the window, as 1280x800")
    parser.add_argument("--beside", action="store_true", help="leave room for the patient's window on the only display")
    parser.add_argument("--exit-at-end", action="store_true", help="close when the session is finished")
    parser.add_argument("--screenshot", help="file to save a picture of the window to; then close")
    parser.add_argument("--after", type=float, default=5.0, help="seconds after which the picture is taken")
    return parser.parse_args(arguments)


def still_path(source: str) -> Path | None:
    """Return the file or folder of a source that is looked at as a whole; None for what streams.

    A path needs no "file:" before it; "file:x.edf?speed=1" plays the file as if it were live.
    """
    if not source:
        return None
    if Path(source).exists():
        return Path(source)
    if source.startswith("file:"):
        address = Address.parse(source)
        if "speed" not in address.options and Path(address.body).exists():
            return Path(address.body)
    return None


class Viewer:
    """What is looked at, and the window on it; the window is made anew when colours, language or source change.

    Parameters
    ----------
    options : Namespace
        As `parse` returns it.
    application : QApplication
        From `prepare`.
    settings : QSettings
        Where looks, arrangement and recent sources are kept.
    """

    def __init__(self, options: argparse.Namespace, application: QApplication, settings: QSettings) -> None:
        self._options, self._application, self._settings = options, application, settings
        self._theme = options.theme or str(settings.value("theme") or "dark")
        self._language = options.language or str(settings.value("language") or words.system_language())
        self._source: str = options.source
        self._link: SessionLink | None = _session() if options.session else None
        self._raw: StreamReader | None = None
        self._stops: SpaceStops | None = None
        self.window: QMainWindow = self._begin()

    def _begin(self, why: str = "") -> QMainWindow:
        """Open the source and return its window; the start page where there is none."""
        if not self._source and self._link is None:
            return self._start_page(why)
        still = None if self._link is not None else still_path(self._source)
        if self._link is None and still is None:
            if self._source.partition(":")[0] == "session":
                name = self._source.partition(":")[2]
                find_running(name)
                # Asked again whenever the line is cut: a session of that name may begin anew.
                self._link = SessionLink(lambda: find_running(name).ticket).start()
            else:
                address = self._source
                if ":" not in address:
                    raise ArgumentError(
                        f"There is no file or folder {address!r} here, and it is no address such as 'lsl:name=EEG'."
                    )
                Address.parse(address)
                self._raw = StreamReader(lambda: open_source(address), patient=address.startswith("lsl:"))
                self._raw.start()
        window = self._make(still=still)
        if self._source:
            remember(self._settings, self._source)
        return window

    def _start_page(self, why: str) -> QMainWindow:
        theme = dress(self._application, self._theme, self._language)
        page = StartPage(theme, self._settings, why=why)
        page.chosen.connect(self.open)
        window = QMainWindow()
        window.setWindowTitle(tr("bcikit viewer"))
        window.setCentralWidget(page)
        return window

    def open(self, source: str) -> None:
        """Look at something else, in this window's place; "" for the start page."""
        self._close_source()
        self._source, why = source, ""
        old = self.window
        try:
            new = self._begin()
        except (BciError, OSError) as error:
            self._source, why = "", str(error)
            new = self._begin(why)
        self._replace(old, new)

    def choose(self) -> None:
        """Go to the start page; what went wrong is said there."""
        why = self.window.trouble if isinstance(self.window, ViewerWindow) else ""
        self._close_source()
        self._source = ""
        self._replace(self.window, self._start_page(why))

    def _close_source(self) -> None:
        if self._raw is not None:
            self._raw.halt()
        if self._link is not None:
            self._link.halt()
        self._raw = self._link = None

    def _replace(self, old: QMainWindow, new: QMainWindow, *, taken_over: bool = False) -> None:
        new.resize(old.size())
        self.window = new
        new.show()
        if isinstance(old, ViewerWindow):
            # Otherwise what it records is sealed, and what it reads is given back.
            old.leaving = taken_over
        old.close()
        old.deleteLater()

    def _make(self, old: ViewerWindow | None = None, *, still: Path | None = None) -> ViewerWindow:
        options = self._options
        theme = dress(self._application, self._theme, self._language)
        title = self._source
        # A stream without a session has no hand to close: it opens as those who look at signals want it.
        session = still is not None and still.is_dir()
        preset = options.arrange or ("clinic" if self._link is not None else "research" if session else "device")
        window = ViewerWindow(
            theme,
            raw=self._raw,
            link=self._link,
            settings=self._settings,
            title=f"bcikit – {title}" if title else "",
            preset=preset,
            use_saved=options.arrange is None,
            source=self._source,
        )
        if old is not None:
            window.take_over(old)
        elif still is not None:
            (show_folder if still.is_dir() else show_file)(window, still)
        if self._stops is not None:
            self._application.removeEventFilter(self._stops)
        self._stops = SpaceStops(window.stop, window)
        self._application.installEventFilter(self._stops)
        window.look_wanted.connect(self._change_look)
        window.open_wanted.connect(self.open)
        window.choose_wanted.connect(self.choose)
        if options.exit_at_end:
            window.ended.connect(lambda: QTimer.singleShot(1500, window.close))
        return window

    def _change_look(self, theme: str, language: str) -> None:
        self._theme, self._language = theme or self._theme, language or self._language
        self._settings.setValue("theme", self._theme)
        self._settings.setValue("language", self._language)
        old = self.window
        if isinstance(old, ViewerWindow):
            self._replace(old, self._make(old), taken_over=True)
        else:
            self._replace(old, self._start_page(""))


def _session() -> SessionLink:
    ticket = Ticket.from_environment()
    if ticket is None:
        raise BciError("--session is for windows that a session starts; to join one: bcikit view session:NAME.")
    return SessionLink(ticket).start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the viewer until its window is closed and return the exit code: 1 where what it showed is in doubt."""
    with gathered_doubts() as doubts:
        code = _run(arguments)
    for doubt in doubts:
        print(f"doubt: {doubt}", file=sys.stderr)  # noqa: T201 - a program's own output
    return code or (1 if doubts else 0)


def _run(arguments: Sequence[str] | None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    application = prepare()
    try:
        viewer = Viewer(options, application, QSettings("bcikit", "viewer"))
    except (BciError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a program's own output
        return error.exit_code if isinstance(error, BciError) else 2
    viewer.window.resize(*options.size)
    screens = QGuiApplication.screens()
    if options.beside and len(screens) == 1:
        viewer.window.setGeometry(rest(screens[0].availableGeometry()))
    viewer.window.show()
    if options.screenshot:

        def picture() -> None:
            taken.append(viewer.window.grab().save(options.screenshot))
            viewer.window.close()

        taken: list[bool] = []
        QTimer.singleShot(round(options.after * 1000), picture)
        code = int(application.exec())
        if taken != [True]:
            print(  # noqa: T201 - a program's own output
                f"error: No picture was saved as {options.screenshot}: the folder must be there and writable, the name "
                "end in .png or .jpg, and the window stay open until then.",
                file=sys.stderr,
            )
            return 2
        return code
    return int(application.exec())
