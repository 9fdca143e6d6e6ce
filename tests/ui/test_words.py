"""Words: every text of the interface has its Chinese, with the same fields, and is shown."""

import ast
import re
from pathlib import Path

from PySide6.QtWidgets import QApplication, QDialogButtonBox

import bcikit
from bcikit.safety.rules import RULES
from bcikit.ui import words
from bcikit.ui.words import tr, translations
from bcikit.viewer.glossary import TERMS


def texts() -> set[str]:
    found: set[str] = set()
    house = Path(bcikit.__path__[0])
    for file in (file for room in ("ui", "viewer", "clinic", "presentation") for file in (house / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("tr", "_noop"):
                argument = node.args[0]
                if isinstance(argument, ast.Constant):
                    found.add(str(argument.value))
    for rule in RULES.values():
        found |= {rule.what, rule.do}
    return found


def test_every_text_has_its_chinese() -> None:
    assert sorted(texts() - set(translations("zh"))) == []


def test_no_word_is_left_over() -> None:
    assert sorted(set(translations("zh")) - texts()) == []


def test_fields_are_the_same_in_both_languages() -> None:
    for english, chinese in translations("zh").items():
        assert sorted(re.findall(r"{(\w+)", english)) == sorted(re.findall(r"{(\w+)", chinese)), english


def test_a_language_can_be_installed_and_left(qapp: QApplication) -> None:
    words.install(qapp, "zh")
    assert tr("STOP") == "停止"
    assert tr("not in the catalogue") == "not in the catalogue"
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
    assert box.buttons()[0].text() == "取消"
    words.install(qapp, "en")
    assert tr("STOP") == "STOP"


def test_glossary_has_both_languages() -> None:
    assert len(TERMS) > 30
    for english, chinese, meaning, chinese_meaning in TERMS:
        assert english.isascii()
        assert re.search("[\u4e00-\u9fff]", chinese)
        assert meaning.isascii()
        assert re.search("[\u4e00-\u9fff]", chinese_meaning)
