"""Starts the viewer: finds the streams, makes the window, runs Qt."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from bcikit.acquisition import open_source
from bcikit.session.ticket import Ticket
from bcikit.signal import BciError
from bcikit.ui import theme as themes
from bcikit.ui import words
from bcikit.ui.application import dress, give_way, prepare
from bcikit.ui.keys import SpaceStops
from bcikit.ui.reader import StreamReader
from bcikit.ui.session_link import SessionLink
from bcikit.viewer.folder import show_folder
from bcikit.viewer.layout import PRESETS
from bcikit.viewer.window import ViewerWindow


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of ``python -m bcikit.viewer``."""
    parser = argparse.ArgumentParser(prog="python -m bcikit.viewer", description="The live viewer of bcikit.")
    parser.add_argument("--session", action="store_true", help="the session whose ticket is in the environment")
    parser.add_argument("--source", help="address of a source, as 'lsl:name=EEG', or the folder of a session")
    parser.add_argument("--language", choices=list(words.LANGUAGES), default=None)
    parser.add_argument("--theme", choices=list(themes.THEMES), default=None)
    parser.add_argument("--arrange", choices=list(PRESETS), default=None, help="for whom the panels are arranged")
    parser.add_argument("--size", default="1280x800", help="of the window, as 1280x800")
    parser.add_argument("--exit-at-end", action="store_true", help="close when the session is finished")
    parser.add_argument("--screenshot", help="file to save a picture of the window to; then close")
    parser.add_argument("--after", type=float, default=5.0, help="seconds after which the picture is taken")
    return parser.parse_args(arguments)


class Viewer:
    """The readers and the window on them; the window is made anew when colours or language change.

    Parameters
    ----------
    options : Namespace
        As `parse` returns it.
    application : QApplication
        From `prepare`.
    settings : QSettings
        Where looks and arrangement are kept.
    """

    def __init__(self, options: argparse.Namespace, application: QApplication, settings: QSettings) -> None:
        self._options, self._application, self._settings = options, application, settings
        self._theme = options.theme or str(settings.value("theme") or "dark")
        self._language = options.language or str(settings.value("language") or words.system_language())
        self._folder = Path(options.source) if options.source and Path(options.source).is_dir() else None
        self._link = _session() if options.session else None
        self._raw: StreamReader | None = None
        if options.source and self._folder is None and self._link is None:
            address = options.source
            self._raw = StreamReader(lambda: open_source(address), patient=address.startswith("lsl:"))
            self._raw.start()
        self.window = self._make()

    def _make(self, old: ViewerWindow | None = None) -> ViewerWindow:
        options = self._options
        theme = dress(self._application, self._theme, self._language)
        title = options.source or ""
        window = ViewerWindow(
            theme,
            raw=self._raw,
            link=self._link,
            settings=self._settings,
            title=f"bcikit – {title}" if title else "",
            preset=options.arrange or "clinic",
            use_saved=options.arrange is None,
        )
        if old is not None:
            window.take_over(old)
        elif self._folder is not None:
            show_folder(window, self._folder)
        self._stops = SpaceStops(window.stop, window)
        self._application.installEventFilter(self._stops)
        window.look_wanted.connect(self._change_look)
        if options.exit_at_end:
            window.ended.connect(lambda: QTimer.singleShot(1500, window.close))
        return window

    def _change_look(self, theme: str, language: str) -> None:
        self._theme, self._language = theme or self._theme, language or self._language
        self._settings.setValue("theme", self._theme)
        self._settings.setValue("language", self._language)
        old = self.window
        self._application.removeEventFilter(self._stops)
        self.window = self._make(old)
        self.window.resize(old.size())
        self.window.show()
        old.leaving = True
        old.close()
        old.deleteLater()


def _session() -> SessionLink:
    ticket = Ticket.from_environment()
    if ticket is None:
        raise BciError("--session is for windows that a session starts; to join one: bcikit view session:NAME.")
    return SessionLink(ticket).start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the viewer until its window is closed and return the exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    if options.session:
        give_way()
    application = prepare()
    try:
        viewer = Viewer(options, application, QSettings("bcikit", "viewer"))
    except BciError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a program's own output
        return error.exit_code
    width, _, height = options.size.partition("x")
    viewer.window.resize(int(width), int(height))
    viewer.window.show()
    if options.screenshot:

        def picture() -> None:
            viewer.window.grab().save(options.screenshot)
            viewer.window.close()

        QTimer.singleShot(round(options.after * 1000), picture)
    return int(application.exec())
