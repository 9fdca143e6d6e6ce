"""The words of the interface: English in the source, other languages by a Qt translator."""

import tomllib
from functools import cache
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QObject, QTranslator

CHINESE_FONTS = ("Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei")
"""Fonts with Chinese letters on the systems we know; asked after the system's own font."""

LANGUAGES = {"en": "English", "zh": "中文"}
_FOLDER = Path(__file__).parent / "languages"
_CONTEXT = "bcikit"


@cache
def translations(language: str) -> dict[str, str]:
    """Return English to `language`, from the files of ``bcikit/ui/languages/LANGUAGE``; nothing for English."""
    words: dict[str, str] = {}
    for path in sorted((_FOLDER / language).glob("*.toml")):
        words |= tomllib.loads(path.read_text(encoding="utf-8"))
    return words


def tr(text: str) -> str:
    """Return `text` in the language of the interface."""
    return QCoreApplication.translate(_CONTEXT, text)


class WordTranslator(QTranslator):
    """A Qt translator over a dictionary: one language, every window of the application.

    Parameters
    ----------
    words : dict of str to str
        English to the other language.
    """

    def __init__(self, words: dict[str, str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words = words

    def isEmpty(self) -> bool:
        """Return False: Qt asks whether it is worth to ask."""
        return False

    def translate(self, context: str, sourceText: str, disambiguation: str | None = None, n: int = -1) -> str:  # noqa: ARG002
        """Return the word; what is not ours comes back as it is, because Qt takes "" for a translation."""
        return self._words.get(sourceText, sourceText) if context == _CONTEXT else sourceText


def system_language() -> str:
    """Return "zh" where the system speaks Chinese, else "en"."""
    return "zh" if QLocale.system().language() == QLocale.Language.Chinese else "en"


def install(application: QCoreApplication, language: str) -> None:
    """Make `language` the language of the interface; what was there before goes, and nothing is done where it is."""
    if application.property("bcikit-language") == language:
        return
    application.setProperty("bcikit-language", language)
    for old in application.findChildren(QTranslator, "bcikit"):
        application.removeTranslator(old)
        old.deleteLater()
    words = WordTranslator(translations(language), application)
    words.setObjectName("bcikit")
    application.installTranslator(words)
    if language == "zh":
        # Qt's own words: OK, Cancel, Copy. The translator installed last is asked first.
        own = QTranslator(application)
        own.setObjectName("bcikit")
        if own.load("qtbase_zh_CN", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
            application.installTranslator(own)
