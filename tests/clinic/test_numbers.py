"""A typed 31.5 is 31.5 on every machine."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QLocale, Qt
from PySide6.QtTest import QTest

from bcikit.ui.numbers import NumberField, parse_number


@pytest.mark.parametrize("locale", ["C", "en_US", "de_DE", "fr_FR", "ar_EG", "zh_CN"])
@pytest.mark.parametrize("typed", ["31.5", "31,5"])
def test_a_typed_number_is_that_number(qtbot: Any, dark: Any, locale: str, typed: str) -> None:
    before = QLocale()
    QLocale.setDefault(QLocale(locale))
    try:
        field = NumberField("Current", low=0, high=50, decimals=1, unit="mA")
        qtbot.addWidget(field)
        field.show()
        QTest.keyClicks(field, typed)
        assert field.value() == 31.5
        assert field.problem() == ""
        QTest.keyClick(field, Qt.Key.Key_Up)
        assert field.value() == 32.5
        assert field.text() == "32.5"
    finally:
        QLocale.setDefault(before)


@pytest.mark.parametrize(
    "typed", ["1.234,5", "1,234.5", "1.234.5", "31 5", "nan", "inf", "0x10", "1e3", "--1", "", "٣١"]
)
def test_what_can_be_read_in_two_ways_is_refused(typed: str) -> None:
    found = parse_number(typed)
    assert found is None or typed == "٣١", "digits of another script are digits"


@given(st.integers(0, 99999), st.integers(0, 99), st.sampled_from(".,"))
def test_every_number_with_one_separator_is_read(whole: int, part: int, mark: str) -> None:
    assert parse_number(f"{whole}{mark}{part:02d}") == float(f"{whole}.{part:02d}")


def test_no_field_of_the_clinic_follows_the_system() -> None:
    from pathlib import Path

    import bcikit.clinic

    for path in Path(bcikit.clinic.__path__[0]).glob("*.py"):
        assert "SpinBox" not in path.read_text(encoding="utf-8"), path.name
