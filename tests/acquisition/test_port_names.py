"""Names of serial ports and of files, as the systems have them."""

import os
import sys

import pytest

from bcikit.acquisition import port_lock
from bcikit.acquisition.port_lock import PortLock
from bcikit.signal import Address, ArgumentError, SourceError


@pytest.mark.skipif(os.name != "posix", reason="Windows opens a serial port for one program only")
def test_the_two_names_that_macos_has_for_a_port_are_one(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(port_lock.tempfile, "gettempdir", lambda: str(tmp_path))
    first = PortLock("/dev/cu.usbserial-DM00Q0QN")
    try:
        with pytest.raises(
            SourceError, match=rf"/dev/tty\.usbserial.* in use by bcikit already \(process {os.getpid()}"
        ):
            PortLock("/dev/tty.usbserial-DM00Q0QN")
        PortLock("/dev/tty.usbserial-DM00Q0QX").release()
    finally:
        first.release()
    PortLock("/dev/tty.usbserial-DM00Q0QN").release()


def test_on_windows_the_system_itself_opens_a_port_once(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(port_lock.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(sys, "platform", "win32")
    for port in ("COM3", r"\\.\COM12"):
        PortLock(port).release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [r"C:\data\one.xdf", "C:/data/one.xdf", "d:one.xdf"])
def test_a_drive_of_windows_is_no_scheme(text: str) -> None:
    with pytest.raises(ArgumentError, match="is no address of a source; it must be like"):
        Address.parse(text)
    parsed = Address.parse(f"file:{text}?speed=2")
    assert (parsed.scheme, parsed.body, parsed.options) == ("file", text, {"speed": "2"})
    assert str(parsed) == f"file:{text}?speed=2"


@pytest.mark.parametrize("port", ["COM3", r"\\.\COM12", "/dev/cu.usbserial-DM00Q0QN"])
def test_a_port_stands_in_an_address_as_it_is(port: str) -> None:
    assert Address.parse(f"brainflow:cyton?serial_port={port}").options["serial_port"] == port
    assert Address.parse(f"serial-fes:{port}").body == port
