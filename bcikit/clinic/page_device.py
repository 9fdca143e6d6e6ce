"""The page of the device: found by itself, chosen by a person, tested in this visit."""

from pathlib import Path

from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit

from bcikit.acquisition import Device, reachable_devices
from bcikit.clinic.base import Desk, Page, card
from bcikit.clinic.headsets import (
    DeviceTest,
    keep_stop_box,
    offers,
    refusal,
    remember,
    remembered,
    simulated_address,
    stop_box_of,
    try_device,
)
from bcikit.clinic.times import local
from bcikit.safety.stop_box import open_stop_box
from bcikit.signal import Address, BciError
from bcikit.ui.aside import in_background
from bcikit.ui.inputs import button
from bcikit.ui.tables import fill_table, make_table, select_key, selected_key
from bcikit.ui.words import tr
from bcikit.validation.quick import QuickCheck, last_check, quick_check

ADDRESS = 2
"""Column of the address."""


class DevicePage(Page):
    """Headsets that are reachable; the one that is chosen is tested, and the test belongs to it alone."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk, tr("Device"), tr("Switch the headset on. It appears here by itself. Choose it and test it.")
        )
        self.devices = make_table([tr("Device"), tr("Details"), tr("Address")], tr("Devices"))
        self.devices.setSelectionMode(self.devices.SelectionMode.SingleSelection)
        self.devices.itemSelectionChanged.connect(self._chosen)
        self.look = button(tr("Look again"), self.refresh_devices)
        self.test = button(tr("Test"), self._test)
        self.morning = button(tr("Morning check (30 s)"), self._check)
        self.checked = QLabel()
        self.checked.setWordWrap(True)
        self.checked.setStyleSheet("font-size: 15px; border: none;")
        self.checked.setAccessibleName(tr("Morning check"))
        self.address = QLineEdit()
        self.address.setAccessibleName(tr("Address"))
        self.address.setPlaceholderText("brainflow:cyton?serial_port=/dev/ttyUSB0")
        self.address.textChanged.connect(lambda _: self._show_test())
        self.result = QLabel()
        self.result.setWordWrap(True)
        self.result.setStyleSheet("font-size: 15px; border: none;")
        self.result.setAccessibleName(tr("Test"))
        self.stop_box = QLineEdit()
        self.stop_box.setAccessibleName(tr("Stop box"))
        self.stop_box.setPlaceholderText(tr("none, or serial:/dev/ttyACM0, gpio:17"))
        self.stop_box.setToolTip(
            tr("A stop button on USB, a serial line or an input. A session begins only while it is heard and released.")
        )
        row = QHBoxLayout()
        row.addWidget(self.look)
        row.addWidget(self.address, 1)
        row.addWidget(self.test)
        row.addWidget(self.morning)
        self.body.addWidget(card(self.devices, title=tr("Found")), 1)
        self.body.addLayout(row)
        self.body.addWidget(card(self.result, title=tr("Test")))
        self.body.addWidget(card(self.checked, title=tr("Morning check")))
        self.body.addWidget(card(self.stop_box, title=tr("Stop box")))

    def enter(self) -> None:
        """Look for devices; the one of this visit is chosen."""
        if self.visit.device:
            self.address.setText(self.visit.device)
        elif self.visit.simulated:
            self.address.setText(simulated_address(self.visit.protocol))
        self.stop_box.setText(self.visit.stop_box or ("" if self.visit.device else stop_box_of(self.desk.data)))
        self._show_test()
        if self.visit.simulated:
            self._show_offers([])
        else:
            self.refresh_devices()

    def refresh_devices(self) -> None:
        """Look for devices in the background."""
        self.say(tr("Looking ..."))
        self.look.setEnabled(False)
        in_background(self, lambda: reachable_devices(wait=1.0), self._found)

    def _found(self, devices: list[Device] | None, error: Exception | None) -> None:
        self.look.setEnabled(True)
        self._show_offers(devices or [])
        if error is not None:
            self.say(str(error), "BAD")
        elif not self.devices.rowCount():
            self.say(tr("No headset is found. Switch it on, plug in its receiver, then press Look again."), "WARN")
        else:
            self.say("")

    def _show_offers(self, devices: list[Device]) -> None:
        known = remembered(self.desk.data)
        rows = offers(self.visit, devices, known)
        if self.visit.simulated:
            rows = [(name, detail, self.address.text()) for name, detail, _ in rows]
        fill_table(self.devices, [list(row) for row in rows], key=ADDRESS)
        addresses = [row[ADDRESS] for row in rows]
        if self.address.text() in addresses:
            select_key(self.devices, self.address.text(), ADDRESS)
        elif not self.address.text() and known and known[0]["address"] in addresses:
            # The headset that this clinic used last, and only if it is there.
            select_key(self.devices, known[0]["address"], ADDRESS)

    def _chosen(self) -> None:
        address = selected_key(self.devices, ADDRESS)
        if address:
            self.address.setText(address)

    # -- the test -----------------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> str:
        """The address that stands in the field."""
        return self.address.text().strip()

    def _tested(self) -> DeviceTest | None:
        values = self.visit.tests.get(self.chosen)
        return None if values is None else DeviceTest.from_dict(values)

    def _show_test(self) -> None:
        """Show the test of the device that is chosen, and of no other one."""
        found = self._tested()
        self.result.setText(found.words() if found is not None else tr("Not tested yet"))
        self._show_check(last_check(self.chosen, self.checks) if self.chosen else None)

    def _refused(self) -> str:
        if not self.chosen:
            return tr("Choose a device first.")
        if not self.visit.simulated:
            return refusal(self.chosen)
        try:
            real = Address.parse(self.chosen).scheme not in ("sim", "dut", "file")
        except BciError as error:
            return str(error)
        return tr("The simulated patient has no headset; only sim:, dut: and file: are for it.") if real else ""

    def _box_refused(self) -> str:
        address = self.stop_box.text().strip()
        try:
            if address:
                open_stop_box(address)
        except BciError as error:
            return tr("Stop box: {problem}").format(problem=error)
        return ""

    def _test(self) -> None:
        refused = self._refused()
        if refused:
            self.say(refused, "BAD")
            return
        address = self.chosen
        self.say("")
        self.test.setEnabled(False)
        self.result.setText(tr("Testing ... a wireless headset may need a minute."))
        in_background(self, lambda: try_device(address), lambda found, error: self._judge(address, found, error))

    def _judge(self, address: str, found: DeviceTest | None, error: Exception | None) -> None:
        self.test.setEnabled(True)
        self.visit.tests.pop(address, None)
        if found is not None:
            self.visit.tests[address] = found.to_dict()
        self.changed.emit()
        if address == self.chosen:
            self._show_test()
            if error is not None:
                self.result.setText(f"■ {error}")
        # The work goes on with Next; the keyboard is never left on what a disabled button gave up.
        self.next_button.setFocus()

    # -- the morning check: it tells more than the test, and is kept ---------------------------------------------------

    @property
    def checks(self) -> Path:
        """The folder that checks are kept in: signed reports, and a line for each."""
        return self.desk.data / "device-checks"

    def _show_check(self, check: QuickCheck | None) -> None:
        if check is None:
            self.checked.setText(tr("Not checked yet: rate, jitter, loss and what nothing explains, in half a minute."))
            return
        when = local(check.when)
        if check.go:
            self.checked.setText("● " + tr("GO, checked {when}").format(when=when))
        else:
            said = tr("NO-GO, checked {when}: {findings}")
            self.checked.setText("■ " + said.format(when=when, findings="; ".join(check.findings)))

    def _check(self) -> None:
        refused = self._refused()
        if refused:
            self.say(refused, "BAD")
            return
        address = self.chosen
        self.say("")
        self.morning.setEnabled(False)
        self.test.setEnabled(False)
        self.checked.setText(tr("Checking for half a minute ... leave the headset as it is."))
        in_background(self, lambda: quick_check(address, self.checks), lambda c, e: self._judge_check(address, c, e))

    def _judge_check(self, address: str, check: QuickCheck | None, error: Exception | None) -> None:
        self.morning.setEnabled(True)
        self.test.setEnabled(True)
        if address == self.chosen:
            self._show_check(check)
            if error is not None:
                self.checked.setText(f"■ {error}")
        self.next_button.setFocus()

    def go_on(self) -> None:
        """Go on with the device that was tested."""
        refused, found = self._refused() or self._box_refused(), self._tested()
        if refused:
            self.say(refused, "BAD")
        elif found is None:
            self.say(tr("Test the device first."), "WARN")
            self.test.setFocus()
        elif found.problem:
            self.say(found.problem, "BAD")
        else:
            if self.chosen != self.visit.device:
                self.visit.electrodes, self.visit.electrodes_for = {}, ""
            self.visit.device = self.chosen
            self.visit.stop_box = self.stop_box.text().strip()
            if not self.visit.simulated:
                remember(self.desk.data, self.chosen, found)
                keep_stop_box(self.desk.data, self.visit.stop_box)
            self.say("")
            self.done.emit()
