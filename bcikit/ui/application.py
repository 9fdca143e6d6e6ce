"""The Qt application that every window of bcikit runs in."""

import argparse
import os
import re
import sys

from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QApplication

from bcikit.presentation.qt.collecting import collect_between_events
from bcikit.ui import theme as themes
from bcikit.ui import words


def prepare() -> QApplication:
    """Return the Qt application; without a display it draws into memory."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        application = existing
    else:
        application = QApplication(sys.argv[:1])
        collect_between_events(application)
    application.setApplicationName("bcikit")
    return application


def window_size(text: str) -> tuple[int, int]:
    """Return width and height that were typed as 1280x800, for `argparse`."""
    found = re.fullmatch(r"(\d{2,5})x(\d{2,5})", text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; allowed: width and height in pixels, as 1280x800")
    return int(found[1]), int(found[2])


def dress(application: QApplication, theme: str, language: str) -> themes.Theme:
    """Give the application its colours and its language."""
    chosen = themes.THEMES[theme]
    themes.apply(application, chosen)
    words.install(application, language)
    # Not QFont(): that is the application's own, in the language before.
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if language == "zh":
        font.setFamilies([*words.CHINESE_FONTS, font.defaultFamily()])
    if application.font() != font:
        application.setFont(font)
    return chosen
