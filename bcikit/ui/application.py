"""The Qt application that every window of bcikit runs in."""

import os
import sys

from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QApplication

from bcikit.ui import theme as themes
from bcikit.ui import words


def prepare() -> QApplication:
    """Return the Qt application; without a display it draws into memory."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("bcikit")
    return application


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
