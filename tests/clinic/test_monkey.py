"""Random actions on the clinic's window at each of its steps: no warning, no error, no growth."""

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtPrintSupport import QPrintDialog

from tests.viewer.monkey import Monkey, no_questions_of_the_system, play


class ClinicMonkey(Monkey):
    """A monkey while whose session goes on."""

    def tick(self) -> None:
        """Let a session go on, and the window follow it."""
        self.window.tick()
        super().tick()


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("step", ["patient", "protocol", "session"])
def test_a_monkey_at_the_clinics_window(clinic: Callable[..., Any], monkeypatch, step: str) -> None:
    no_questions_of_the_system(monkeypatch)
    monkeypatch.setattr(QPrintDialog, "exec", lambda _: 0)
    person = clinic()
    if step != "patient":
        person.as_far_as_protocol()
    if step == "session":
        person.protocol()
        person.calibrate()
    play(ClinicMonkey(person.window, len(step), left_alone=("Close", "Quit", "English", "中文", "dark", "light")))
