"""Bars of a decision with more classes than there is room for."""

from typing import Any

from bcikit.ui.bars import DecisionBars
from bcikit.ui.theme import THEMES

LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_where_there_is_no_room_for_all_classes_the_likeliest_are_drawn_each_with_a_line_of_text(qtbot: Any) -> None:
    bars = DecisionBars(next(iter(THEMES.values())))
    qtbot.addWidget(bars)
    sure = [0.01] * len(LETTERS)
    sure[3], sure[20], sure[7] = 0.4, 0.3, 0.1
    bars.show_decision({"classes": LETTERS, "probabilities": sure, "label": "D"}, allowed=True, verdict="")
    assert bars.rows_in(60.0, 16.0) == [3, 7, 20]
    assert bars.rows_in(5.0, 16.0) == [3]
    assert bars.rows_in(2000.0, 16.0) == list(range(len(LETTERS)))
    assert "Z 1 %" in bars.accessibleDescription()
    bars.resize(400, 90)
    assert not bars.grab().isNull()
