"""The morning check on the device page: go or no-go, in words, kept with its signed report."""

from pathlib import Path
from typing import Any

import pytest

from bcikit.clinic import page_device
from bcikit.validation import quick
from bcikit.validation.verify import verify_report


@pytest.mark.parametrize(
    ("address", "mark", "word"), [("dut:channels=4", "●", "GO"), ("dut:channels=4&quirk=repeats:20", "■", "repeat")]
)
def test_a_check_of_the_device_is_shown_kept_and_found_again(
    qtbot: Any, dark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, mark: str, word: str
) -> None:
    from types import SimpleNamespace

    from bcikit.clinic.visit import Visit

    monkeypatch.setattr(page_device, "reachable_devices", lambda wait: [])
    visit = Visit()
    visit.simulated = True
    desk = SimpleNamespace(visit=visit, data=tmp_path, theme=dark)
    page = page_device.DevicePage(desk)  # type: ignore[arg-type]
    qtbot.addWidget(page)
    page.address.setText(address)
    assert "Not checked yet" in page.checked.text()
    page.morning.click()
    assert not page.morning.isEnabled()
    qtbot.waitUntil(page.morning.isEnabled, timeout=90_000)
    assert page.checked.text().startswith(mark)
    assert word in page.checked.text()
    kept = quick.last_check(address, page.checks)
    assert kept is not None
    assert kept.go is (mark == "●")
    assert verify_report(Path(kept.folder)).problems == ()
    # Another day: the page shows what was kept, of this device and of no other.
    again = page_device.DevicePage(desk)  # type: ignore[arg-type]
    qtbot.addWidget(again)
    again.address.setText("dut:channels=5")
    assert "Not checked yet" in again.checked.text()
    again.address.setText(address)
    assert again.checked.text() == page.checked.text()
