"""The page of the electrodes: which one is bad, what to do, and whether to go on."""

from collections.abc import Collection

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel

from bcikit.acquisition import open_source
from bcikit.clinic import protocols
from bcikit.clinic.base import Desk, Page, card
from bcikit.ui.head_widget import HeadWidget
from bcikit.ui.link import LinkMeter
from bcikit.ui.reader import StreamReader
from bcikit.ui.status import ElectrodeQuality
from bcikit.ui.tables import advice_lines, impedance_text
from bcikit.ui.words import tr

NEEDED_SHARE = 0.8
"""Share of electrodes that must not be bad before a session may begin."""
STALE_S = 2.0
"""Seconds without new samples after which nothing is judged any more."""


def plain(name: str) -> str:
    """Return the name of an electrode as it is compared: devices write C3, c3 and C3.."""
    return name.strip().strip(".").upper()


def electrode_problems(quality: dict[str, ElectrodeQuality], needed: Collection[str]) -> list[str]:
    """Return why these electrodes do not do for a protocol; empty if they do.

    Parameters
    ----------
    quality : dict of str to Quality
        Electrode to its quality.
    needed : collection of str
        Electrodes that the protocol listens to; one that the headset does not have is a "no go".
    """
    if not quality:
        return [tr("Nothing is measured yet.")]
    levels = {plain(name): entry.level for name, entry in quality.items()}
    absent = [name for name in needed if plain(name) not in levels]
    bad = [name for name in needed if levels.get(plain(name)) == "BAD"]
    found = []
    if absent:
        found.append(
            tr(
                "This headset has no {names}, which the protocol listens to. Choose another headset or protocol."
            ).format(names=", ".join(absent))
        )
    if bad:
        found.append(tr("{names} must not be bad: the protocol listens to them.").format(names=", ".join(bad)))
    share = sum(level == "BAD" for level in levels.values()) / len(levels)
    if share > 1 - NEEDED_SHARE:
        found.append(tr("{percent:.0f} % of the electrodes are bad; at most 20 % may be.").format(percent=100 * share))
    return found


class ElectrodesPage(Page):
    """Measures until it says Go; nothing goes on without."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk, tr("Electrodes"), tr("Mend the electrodes marked ■ B, then ▲ W. ● G is good. Go on when it says Go.")
        )
        self.head = HeadWidget(desk.theme)
        self.head.setAccessibleName(tr("Electrode quality"))
        self.head.setMinimumHeight(260)
        self.verdict = QLabel(tr("Measuring ..."))
        self.verdict.setStyleSheet("font-size: 22px; font-weight: 700; border: none;")
        self.verdict.setAccessibleName(tr("Go or no go"))
        self.verdict.setWordWrap(True)
        self.advice = QLabel("")
        self.advice.setWordWrap(True)
        self.advice.setStyleSheet("font-size: 14px; border: none;")
        self.advice.setAccessibleName(tr("What to do about electrodes"))
        row = QHBoxLayout()
        row.addWidget(card(self.head, stretch=(1,)), 3)
        side = card(self.verdict, self.advice, title=tr("What to do"), stretch=(0, 1))
        row.addWidget(side, 2)
        self.body.addLayout(row, 1)
        self._reader: StreamReader | None = None
        self._meter: LinkMeter | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(200)
        self._timer.timeout.connect(self.tick)
        self._waited = 0
        self._silent = 0
        self.quality: dict[str, ElectrodeQuality] = {}

    def _wanted(self) -> tuple[str, tuple[str, ...]]:
        """Return the protocol of this visit, or of the plan where none is chosen yet, and the electrodes it needs."""
        visit = self.visit
        plan = {} if visit.settings else self.desk.catalogue.subject(visit.subject).data.get("plan", {})
        wanted = plan.get("protocol", visit.protocol)
        known = wanted in protocols.protocol_names()
        settings = plan.get("settings", visit.settings)
        return wanted, protocols.needed_channels(wanted, settings) if known else ()

    def _problems(self) -> list[str]:
        """Return what forbids to go on with any protocol.

        What one protocol lacks is told; the next page refuses that one, and has others.
        """
        return electrode_problems(self.quality, ())

    def enter(self) -> None:
        """Begin to measure."""
        address = self.visit.device
        self.quality, self._meter = {}, None
        self._waited = self._silent = 0
        self.verdict.setText(tr("Measuring ..."))
        self.advice.setText("")
        self._reader = StreamReader(lambda: open_source(address))
        self._reader.start()
        self._timer.start()

    def leave(self) -> None:
        """Let go of the device, so that the session can have it."""
        self._timer.stop()
        if self._reader is not None:
            self._reader.halt()
            self._reader = None

    def tick(self) -> None:
        """Take what came and judge it."""
        reader = self._reader
        if reader is None:
            return
        if reader.fault:
            self._no_go(reader.fault)
            return
        if reader.info is None:
            self._waited += 1
            if self._waited % 5 == 0:
                words = tr("Waiting for the headset: {seconds} s. A wireless one may need a minute.")
                self.say(words.format(seconds=self._waited // 5))
            return
        if self._meter is None:
            self._meter = LinkMeter(reader.info)
            self.head.set_info(reader.info)
            self.say("")
        chunks = reader.take()
        self._silent = 0 if chunks else self._silent + 1
        if self._silent * 0.2 > STALE_S:
            # What was good when the data ended says nothing about now.
            self.quality = {}
            self.head.show_levels({}, {})
            self._no_go(tr("No data arrive. Check power, battery and cable."))
            return
        for chunk in chunks:
            self._meter.take(chunk)
        self._meter.take_impedances({} if reader.status is None else reader.status.impedances)
        found = self._meter.quality()
        if found:
            self.say("")
            self.show_quality(found)

    def _no_go(self, why: str) -> None:
        self.quality = {}
        self.verdict.setText("■ " + tr("No go"))
        self._colour("BAD")
        self.say(why, "BAD")

    def _colour(self, level: str) -> None:
        colour = self.desk.theme.level(level)
        self.verdict.setStyleSheet(f"color: {colour}; font-size: 22px; font-weight: 700; border: none;")

    def show_quality(self, quality: dict[str, ElectrodeQuality]) -> None:
        """Show the quality of the electrodes and say whether to go on."""
        self.quality = quality
        self.head.show_levels(
            {name: q.level for name, q in quality.items()},
            {name: impedance_text(q.impedance) for name, q in quality.items()},
        )
        problems = self._problems()
        protocol, needed = self._wanted()
        lacking = electrode_problems(quality, needed)
        self.advice.setText("\n\n".join(lacking + advice_lines(quality)) or tr("All electrodes are good"))
        level, said = "GOOD", "● " + tr("Go")
        if problems:
            level, said = "BAD", "■ " + tr("No go")
        elif lacking:
            words = tr("Go, but not for: {protocol}")
            level, said = "WARN", "▲ " + words.format(protocol=protocols.protocol_title(protocol))
        self.verdict.setText(said)
        self._colour(level)

    def go_on(self) -> None:
        """Go on if the electrodes do for some protocol; the page of the protocols asks the one chosen for its own."""
        problems = self._problems()
        if problems:
            self.say("\n".join(problems), "WARN")
            return
        self.visit.electrodes = {name: entry.level for name, entry in self.quality.items()}
        self.visit.electrodes_for = self.visit.device
        self.say("")
        self.done.emit()
