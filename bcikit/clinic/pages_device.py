"""Pages about the device: found, tested, and its electrodes brought into order."""

import time
from dataclasses import dataclass

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit

from bcikit.acquisition import Device, open_source, reachable_devices
from bcikit.clinic.base import Desk, Page, card, in_background
from bcikit.signal import StreamInfo
from bcikit.ui.head_widget import HeadWidget
from bcikit.ui.inputs import button
from bcikit.ui.link import LinkMeter
from bcikit.ui.reader import StreamReader
from bcikit.ui.status import Quality
from bcikit.ui.tables import advice_lines, fill_table, impedance_text, make_table
from bcikit.ui.words import tr

SIMULATED = "sim:motor-imagery?live=1"
TEST_SECONDS = 3.0
ESSENTIAL = ("C3", "C4")
"""Electrodes over the hand areas: every protocol offered here listens to them."""

NEEDED_SHARE = 0.8
"""Share of electrodes that must not be bad before a session may begin."""


@dataclass(frozen=True)
class DeviceTest:
    """What a short test of a device found."""

    info: StreamInfo
    samples: int
    lost: int
    seconds: float

    @property
    def rate(self) -> float:
        """Samples a second that arrived."""
        return self.samples / self.seconds if self.seconds else 0.0


def try_device(address: str, *, seconds: float = TEST_SECONDS) -> DeviceTest:
    """Open a device, read a little, close it again."""
    samples = lost = 0
    with open_source(address) as source:
        begin: float | None = None
        end = time.monotonic() + seconds + 5.0
        first, last = 0.0, 0.0
        while time.monotonic() < end and (begin is None or last - first < seconds):
            chunk = source.pull(0.5)
            if chunk is None or not chunk.n_times:
                if source.ended:
                    break
                continue
            if begin is None:
                begin, first = time.monotonic(), float(chunk.times[0])
            samples, lost, last = samples + chunk.n_times, lost + chunk.health.lost, float(chunk.times[-1])
        return DeviceTest(source.info, samples, lost, max(0.0, last - first))


class DevicePage(Page):
    """Devices that are found by themselves; the chosen one is tested."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk, tr("Device"), tr("Switch the headset on. It appears here by itself. Choose it and test it.")
        )
        self.devices = make_table([tr("Device"), tr("Details"), tr("Address")], tr("Devices"))
        self.devices.itemSelectionChanged.connect(self._chosen)
        self.look = button(tr("Look again"), self.refresh)
        self.test = button(tr("Test"), self._test)
        self.address = QLineEdit()
        self.address.setAccessibleName(tr("Address"))
        self.address.setPlaceholderText("brainflow:cyton?serial_port=/dev/ttyUSB0")
        self.result = QLabel(tr("Not tested yet"))
        self.result.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.look)
        row.addWidget(self.address, 1)
        row.addWidget(self.test)
        self.body.addWidget(card(self.devices, title=tr("Found")), 1)
        self.body.addLayout(row)
        self.body.addWidget(card(self.result, title=tr("Test")))
        self._tested = ""

    def enter(self) -> None:
        """Look for devices."""
        if self.desk.state.device:
            self.address.setText(self.desk.state.device)
        self.refresh()

    def refresh(self) -> None:
        """Look for devices in the background."""
        self.say(tr("Looking ..."))
        self.look.setEnabled(False)
        in_background(self, lambda: reachable_devices(wait=1.0), self._found)

    def _found(self, devices: list[Device] | None, error: Exception | None) -> None:
        self.look.setEnabled(True)
        self.say(str(error) if error else "", "BAD" if error else "")
        rows = [[tr("Simulated patient"), tr("for training, without a headset"), SIMULATED]]
        rows += [[device.what, device.detail, device.address] for device in devices or []]
        fill_table(self.devices, rows)
        if not self.address.text() and self.devices.rowCount() > 1:
            self.devices.selectRow(1)

    def _chosen(self) -> None:
        items = self.devices.selectedItems()
        if items:
            self.address.setText(items[-1].text())

    def _test(self) -> None:
        address = self.address.text().strip()
        if not address:
            self.say(tr("Choose a device first."), "WARN")
            return
        self.test.setEnabled(False)
        self.result.setText(tr("Testing ..."))
        in_background(self, lambda: try_device(address), lambda found, error: self._judge(address, found, error))

    def _judge(self, address: str, found: DeviceTest | None, error: Exception | None) -> None:
        self.test.setEnabled(True)
        if error is not None or found is None or found.samples == 0:
            self._tested = ""
            self.result.setText("■ " + (str(error) if error else tr("No data arrive. Check power, battery and cable.")))
            return
        self._tested = address
        nominal = found.info.sfreq
        good = found.lost == 0 and abs(found.rate - nominal) < 0.05 * nominal
        words = tr("{shape} {name}: {channels} channels, {rate:.1f} of {nominal:g} samples a second, {lost} lost")
        self.result.setText(
            words.format(
                shape="●" if good else "▲",
                name=found.info.device or found.info.name,
                channels=found.info.n_channels,
                rate=found.rate,
                nominal=nominal,
                lost=found.lost,
            )
        )

    def go_on(self) -> None:
        """Go on with the device that was tested."""
        address = self.address.text().strip()
        if not address or address != self._tested:
            self.say(tr("Test the device first."), "WARN")
            self.test.setFocus()
            return
        self.desk.state.device = address
        self.say("")
        self.done.emit()


class ElectrodesPage(Page):
    """Which electrode is bad, what to do, and whether to go on."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk, tr("Electrodes"), tr("Mend the electrodes marked ■ B, then ▲ W. ● G is good. Go on when it says Go.")
        )
        self.head = HeadWidget(desk.theme)
        self.head.setAccessibleName(tr("Electrode quality"))
        self.verdict = QLabel(tr("Measuring ..."))
        self.verdict.setStyleSheet("font-size: 22px; font-weight: 700; border: none;")
        self.verdict.setAccessibleName(tr("Go or no go"))
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
        self.quality: dict[str, Quality] = {}

    def enter(self) -> None:
        """Begin to measure."""
        address = self.desk.state.device
        self.quality, self._meter = {}, None
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
        if self._reader is None:
            return
        if self._reader.fault:
            self.verdict.setText("■ " + tr("No go"))
            self.say(self._reader.fault, "BAD")
            return
        if self._meter is None and self._reader.info is not None:
            self._meter = LinkMeter(self._reader.info)
            self.head.set_info(self._reader.info)
        for chunk in self._reader.take():
            if self._meter is not None:
                self._meter.take(chunk)
        if self._meter is not None:
            found = self._meter.quality()
            if found:
                self.show_quality(found)

    def show_quality(self, quality: dict[str, Quality]) -> None:
        """Show the quality of the electrodes and say whether to go on."""
        self.quality = quality
        self.head.show_levels(
            {name: q.level for name, q in quality.items()},
            {name: impedance_text(q.impedance) for name, q in quality.items()},
        )
        self.advice.setText("\n\n".join(advice_lines(quality)) or tr("All electrodes are good"))
        go = self.good_enough
        self.verdict.setText(("● " + tr("Go")) if go else ("■ " + tr("No go")))
        colour = self.desk.theme.good if go else self.desk.theme.bad
        self.verdict.setStyleSheet(f"color: {colour}; font-size: 22px; font-weight: 700; border: none;")

    @property
    def good_enough(self) -> bool:
        """True if enough electrodes are not bad, and none of those that hear the hands."""
        if not self.quality:
            return False
        if any(self.quality[name].level == "BAD" for name in ESSENTIAL if name in self.quality):
            return False
        bad = sum(entry.level == "BAD" for entry in self.quality.values())
        return bad <= (1 - NEEDED_SHARE) * len(self.quality)

    def go_on(self) -> None:
        """Go on if enough electrodes are good."""
        if not self.good_enough:
            self.say(tr("Mend the electrodes first. C3 and C4, and 80 % of all, must not be bad."), "WARN")
            return
        self.desk.state.electrodes_ok = True
        self.say("")
        self.done.emit()
