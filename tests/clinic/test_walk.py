"""A random walk over pages and patients: nothing of one is ever shown, used or stored for another."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPlainTextEdit, QTextBrowser

from bcikit.clinic import page_calibration, page_device

YEARS = {"AAA-1": "1941", "BBB-2": "1952", "CCC-3": "1963"}
CODES = tuple(YEARS)


class Walker:
    """Does one thing after another at a window, and knows what it did for whom."""

    def __init__(self, person: Any) -> None:
        self.person = person
        self.answers: dict[str, dict[str, bool | None]] = {}
        self.typed: dict[str, set[str]] = {code: set() for code in CODES}
        self.tested: set[str] = set()
        self.visited: set[str] = set()
        self.seen: Any = None
        self.count = 0

    @property
    def visit(self) -> Any:
        return self.person.window.visit

    @property
    def page(self) -> Any:
        return self.person.window.page

    def press(self, widget: Any) -> None:
        if widget.isVisible() and widget.isEnabled():
            QTest.mouseClick(widget, Qt.MouseButton.LeftButton)

    # -- what can be done ---------------------------------------------------------------------------------------------

    def begin(self, code: str, year: str) -> None:
        """Go to the first page and begin a visit, with the right year or that of another one."""
        if self.person.runner.running:
            return
        window = self.person.window
        window.show_step("patient")
        page = self.page
        page.operator.setText("T-01")
        known = [page.people.item(row, 0).text() for row in range(page.people.rowCount())]
        if code not in known:
            page.code.setText(code)
            page.year.setText(YEARS[code])
            self.press(page.add)
        page.search.setText(code[0])
        known = [page.people.item(row, 0).text() for row in range(page.people.rowCount())]
        page.people.selectRow(known.index(code))
        before = self.visit
        page.go_on()
        if page.confirming.isVisible():
            page.sure_year.setText(year)
            self.press(page.yes)
            if self.person.window.question.isVisible():
                self.press(self.person.window.question.yes)
        if self.visit is not before:
            assert year == YEARS[code], "a visit begins only with the year of this patient"
            self.visited.add(code)
            self.tested = set()

    def answer(self, number: int, yes: bool) -> None:
        """Answer one question of the screening and say no to all that are open, sign everything."""
        if self.visit.step != "consent" or self.visit.simulated:
            return
        page = self.page
        names = list(page.questions)
        name = names[number % len(names)]
        self.press(page.questions[name].yes if yes else page.questions[name].no)
        for one in page.questions.values():
            if one.answer is None:
                self.press(one.no)
        page.sleep.set_value(7.0)
        for one in page.scopes.values():
            if one.answer is None:
                self.press(one.yes)
        if page.signed.answer is not True:
            self.press(page.signed.yes)

    def next(self) -> None:
        """Press Next."""
        if self.visit.step == "electrodes":
            self.page._timer.stop()
            from bcikit.ui.status import ElectrodeQuality

            self.page.show_quality({name: ElectrodeQuality("GOOD") for name in ("Fp1", "C3", "Cz", "C4", "Pz", "Oz")})
        self.press(self.page.next_button)

    def back(self) -> None:
        """Press Back."""
        self.press(self.page.back_button)

    def device(self, number: int) -> None:
        """Choose a headset and test it."""
        if self.visit.step != "device":
            return
        page = self.page
        if page.devices.rowCount():
            page.devices.selectRow(number % page.devices.rowCount())
        self.press(page.test)
        self.tested.add(page.chosen)

    def train(self) -> None:
        """Run a calibration or a session to its end, with a note."""
        if self.visit.step not in ("calibration", "session") or self.person.runner.running:
            return
        if len(self.visit.calibrations) >= 1 and self.visit.step == "calibration":
            return
        page = self.page
        self.press(page.start)
        if not self.person.runner.running:
            return
        if self.visit.step == "session" and not self.visit.simulated:
            note = f"note {self.count} of {self.visit.subject}"
            page.note.setText(note)
            QTest.keyClick(page.note, Qt.Key.Key_Return)
            self.typed[self.visit.subject].add(note)
        self.person.run(lambda: not self.person.runner.running, most=400)

    def end(self, sure: bool) -> None:
        """Press "End visit ..." and answer."""
        window = self.person.window
        self.press(window.anew)
        if window.question.isVisible():
            self.press(window.question.yes if sure else window.question.no)
            if sure:
                self.tested = set()

    def forward(self, number: int) -> None:
        """Do what the page in front asks for, and go on: so that a walk gets as far as a training."""
        step = self.visit.step
        if step == "patient":
            code = CODES[number % 3]
            self.begin(code, YEARS[code])
            return
        if step == "consent":
            self.answer(number, yes=False)
        elif step == "device":
            self.device(0)
        elif step in ("calibration", "session"):
            self.train()
        self.next()

    def simulated(self) -> None:
        """The simulated patient."""
        if self.person.runner.running:
            return
        self.person.window.show_step("patient")
        self.page.operator.setText("T-01")
        before = self.visit
        self.press(self.page.simulated)
        if self.person.window.question.isVisible():
            self.press(self.person.window.question.yes)
        if self.visit is not before:
            self.tested = set()

    # -- what must hold -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing of one patient is shown, used or stored for another."""
        self.count += 1
        QApplication.processEvents()
        window, visit = self.person.window, self.visit
        code = visit.subject
        shown = window.header.code.text()
        assert shown == ("SIMULATED PATIENT" if visit.simulated else code or "No patient")
        assert visit.consent.get("subject", code) == code
        assert set(visit.tests) <= self.tested
        assert all(Path(folder).name.startswith(f"{code}-") for folder in (*visit.parts, *visit.calibrations))
        if visit.device:
            assert visit.device.startswith("sim:") == visit.simulated
        if visit.model:
            assert f"{code}-" in visit.model
        stored = json.loads((window.desk.data / "clinic-state.json").read_text(encoding="utf-8"))
        others = [other for other in CODES if other != code]
        assert not [other for other in others if other in json.dumps(stored)]
        # Every page of a visit that is new, and now and then; else the one in front.
        all_of_them = visit is not self.seen or self.count % 10 == 0
        self.seen = visit
        for step, page in window.pages.items():
            assert page.visit is visit, step
            if step == "patient" or not (all_of_them or step == visit.step):
                continue
            texts = [w.text() for kind in (QLabel, QLineEdit) for w in page.findChildren(kind)]
            texts += [w.toPlainText() for kind in (QTextBrowser, QPlainTextEdit) for w in page.findChildren(kind)]
            assert not [text for text in texts for other in others if other in text], step

    def check_stored(self) -> None:
        """What the catalogue has of each patient is of that patient."""
        catalogue = self.person.catalogue
        for person in catalogue.subjects():
            code = person.code
            for consent in person.data.get("consents", []):
                assert consent["subject"] == code
            for entry in (*catalogue.sessions(code), *catalogue.models(code)):
                assert f"{code}-" in entry.path
            for entry in catalogue.sessions(code):
                assert not [note for note in entry.notes.splitlines() if not note.endswith(code)]
        assert catalogue.verify_audit() is None


def walk(walker: Walker, actions: int, *, seed: int) -> None:
    """Do so many things at random, and look after each of them."""
    rng = np.random.default_rng(seed)
    weights = np.array([6, 2, 10, 10, 8, 8, 8, 4, 3, 40], dtype=float)
    for _ in range(actions):
        what = int(rng.choice(weights.size, p=weights / weights.sum()))
        number, yes = int(rng.integers(20)), bool(rng.integers(2))
        code = CODES[number % 3]
        things: list[Callable[[], None]] = [
            lambda code=code: walker.begin(code, YEARS[code]),
            lambda code=code: walker.begin(code, "1999"),
            lambda number=number, yes=yes: walker.answer(number, yes),
            walker.next,
            walker.back,
            lambda number=number: walker.device(number),
            walker.train,
            lambda yes=yes: walker.end(yes),
            walker.simulated,
            lambda number=number: walker.forward(number),
        ]
        things[what]()
        walker.check()
    walker.check_stored()


@pytest.fixture
def walker(clinic: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Walker:
    """Return a walker for whom what is slow is done at once."""

    def at_once(_owner: object, work: Callable[[], Any], then: Callable[[Any, Exception | None], None]) -> None:
        then(work(), None)

    for module in (page_device, page_calibration):
        monkeypatch.setattr(module, "in_background", at_once)
    return Walker(clinic(step=60.0))


def trained(walker: Walker) -> dict[str, int]:
    catalogue = walker.person.catalogue
    return {person.code: len(catalogue.sessions(person.code)) for person in catalogue.subjects()}


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_thousand_actions_over_pages_and_patients(walker: Walker) -> None:
    walk(walker, 2000, seed=18)
    assert sum(count > 0 for count in trained(walker).values()) == 3


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_and_fifty_actions_over_pages_and_patients(walker: Walker) -> None:
    walk(walker, 150, seed=3)
    assert sum(trained(walker).values()) >= 1
    assert len(walker.visited) == 3
