"""Starts the clinic window."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication, QMessageBox

from bcikit.clinic.arms import new_trial
from bcikit.clinic.lock import FolderLock
from bcikit.clinic.privacy import RUNS, keep_private
from bcikit.clinic.runner import EngineRunner
from bcikit.clinic.trouble import tell_trouble
from bcikit.clinic.window import ClinicWindow
from bcikit.presentation.qt.keys import SpaceStops
from bcikit.recording import Catalogue
from bcikit.signal import BciError
from bcikit.signal.places import user_place
from bcikit.ui import words
from bcikit.ui.application import dress, prepare, window_size
from bcikit.ui.theme import THEMES


def data_folder() -> Path:
    """Return where sessions are kept where nothing else is said."""
    return user_place("data") / "clinic"


class Clinic:
    """The clinic window, made anew when colours or language change."""

    def __init__(
        self,
        application: QApplication,
        data: Path,
        *,
        theme: str,
        language: str,
        settings: QSettings,
        catalogue: str = "",
    ) -> None:
        self._application, self._data, self._settings = application, data, settings
        self._theme = theme or str(settings.value("clinic-theme") or "light")
        self._language = language or str(settings.value("language") or words.system_language())
        keep_private(data)
        self._lock = FolderLock(data)
        self._catalogue = Catalogue(catalogue or f"sqlite:///{data / 'catalogue.sqlite'}")
        self._runner = EngineRunner(data / RUNS)
        self._stops: SpaceStops | None = None
        self.window = self._make()

    def tell_trouble(self) -> None:
        """Show in the window what goes wrong while a button is pressed, from now on and in this whole process."""
        tell_trouble(lambda text: self.window.page.say(text, "BAD"))

    def _make(self, *, redrawn: bool = False) -> ClinicWindow:
        theme = dress(self._application, self._theme, self._language)
        window = ClinicWindow(theme, catalogue=self._catalogue, runner=self._runner, data=self._data, redrawn=redrawn)
        if self._stops is not None:
            # The keys are those of one window.
            self._application.removeEventFilter(self._stops)
        self._stops = SpaceStops(window.stop, window, active=window.space_stops)
        self._application.installEventFilter(self._stops)
        window.look_wanted.connect(self._change_look)
        return window

    def _change_look(self, theme: str, language: str) -> None:
        self._theme, self._language = theme or self._theme, language or self._language
        self._settings.setValue("clinic-theme", self._theme)
        self._settings.setValue("language", self._language)
        old = self.window
        size = old.size()
        old.leaving = True
        old.close()
        old.deleteLater()
        self._runner.detach()
        self.window = self._make(redrawn=True)
        self.window.awaited = self.window.awaited or old.awaited
        self.window.resize(size)
        self.window.show()


def _new_trial(data: Path, code: str, arms: str) -> int:
    """Make the list of a trial and say the sum by which it is known later."""
    try:
        keep_private(data)
        total = new_trial(data, code, [one.strip() for one in arms.split(",")])
    except (BciError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the words of a command
        return 2
    print(f"{code}: the allocations are sealed. Sum of the list (SHA-256): {total}")  # noqa: T201 - as above
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the clinic window until it is closed and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bcikit.clinic", description="The clinic window of bcikit.")
    parser.add_argument("--data", type=Path, default=None, help="folder of sessions and catalogue")
    parser.add_argument("--language", choices=list(words.LANGUAGES), default="")
    parser.add_argument("--theme", choices=list(THEMES), default="")
    parser.add_argument("--size", type=window_size, default=(1280, 800), help="of the window, as 1280x800")
    parser.add_argument("--new-trial", default="", help="make the sealed list of a trial, and open no window")
    parser.add_argument("--arms", default="contingent,sham", help="its arms: two or three of contingent, sham, yoked")
    options = parser.parse_args(arguments)
    if options.new_trial:
        return _new_trial(options.data or data_folder(), options.new_trial, options.arms)
    application = prepare()
    try:
        clinic = Clinic(
            application,
            options.data or data_folder(),
            theme=options.theme,
            language=options.language,
            settings=QSettings("bcikit", "viewer"),
            catalogue=os.environ.get("BCIKIT_CATALOGUE", ""),
        )
    except BciError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the words of a command
        if application.platformName() != "offscreen":
            QMessageBox.warning(None, "bcikit", str(error))
        return error.exit_code
    clinic.tell_trouble()
    clinic.window.resize(*options.size)
    clinic.window.show()
    return int(application.exec())
