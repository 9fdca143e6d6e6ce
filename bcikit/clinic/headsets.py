"""Which devices may measure a patient, what a short test of one found, and which ones this clinic has used."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bcikit.acquisition import Device, open_source
from bcikit.acquisition.brainflow_boards import board_id
from bcikit.clinic.times import today
from bcikit.clinic.visit import Visit
from bcikit.paradigms import read_paradigm
from bcikit.signal import Address, BciError
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import read_json
from bcikit.signal.rebuild import rebuild
from bcikit.ui.device_words import detail_words, kind_words
from bcikit.ui.words import tr

TEST_SECONDS = 3.0
STOP_BOX = "stop-box.json"
REMEMBERED = "devices.json"
_NO_HEADSET = ("sim", "dut", "file")


@dataclass(frozen=True)
class DeviceTest:
    """What a short test of a device found.

    Attributes
    ----------
    name : str
        What the device calls itself.
    serial : str
        What stays the same when it is plugged in again: source id or port.
    channels : tuple of str
        Names of the EEG channels.
    nominal, rate : float
        Samples a second: stated and arrived.
    lost : int
        Samples lost.
    battery : float or None
        Charge in per cent, where the device tells.
    impedance : bool
        Whether it can measure impedances.
    """

    name: str
    serial: str
    channels: tuple[str, ...]
    nominal: float
    rate: float
    lost: int
    battery: float | None = None
    impedance: bool = False

    @property
    def problem(self) -> str:
        """Why it cannot measure a patient; "" if it can."""
        if len(self.channels) < 2:
            return tr("It has {count} EEG channels: that is no EEG headset.").format(count=len(self.channels))
        if self.nominal <= 0 or self.rate <= 0:
            return tr("No data arrive. Check power, battery and cable.")
        if abs(self.rate - self.nominal) >= 0.05 * self.nominal:
            return tr("{rate:.1f} samples a second arrive in place of {nominal:g}: the link is bad.").format(
                rate=self.rate, nominal=self.nominal
            )
        return ""

    def words(self) -> str:
        """Return the test in words, with the shape of its level."""
        words = tr("{shape} {name}: {channels} channels, {rate:.1f} of {nominal:g} samples a second, {lost} lost")
        shape = "■" if self.problem else "▲" if self.lost or (self.battery is not None and self.battery < 20) else "●"
        said = words.format(
            shape=shape,
            name=self.name,
            channels=len(self.channels),
            rate=self.rate,
            nominal=self.nominal,
            lost=self.lost,
        )
        if self.battery is not None:
            said += ", " + tr("battery {percent:.0f} %").format(percent=self.battery)
        said += ", " + (tr("measures impedance") if self.impedance else tr("no impedance: judged by the signal"))
        return f"{said}. {self.problem}" if self.problem else said

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {**asdict(self), "channels": list(self.channels)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DeviceTest":
        """Return the test that `to_dict` wrote; raises `DataError` if it is none."""
        return rebuild(cls, values, what="test of a device")


def try_device(address: str, *, seconds: float = TEST_SECONDS) -> DeviceTest:
    """Open a device, read a little, close it again."""
    samples = lost = 0
    with open_source(address) as source:
        end = time.monotonic() + seconds + 5.0
        first: float | None = None
        last = 0.0
        while time.monotonic() < end and not source.ended and (first is None or last - first < seconds):
            chunk = source.pull(0.5)
            if chunk is None or not chunk.n_times:
                continue
            first = float(chunk.times[0]) if first is None else first
            samples, lost, last = samples + chunk.n_times, lost + chunk.health.lost, float(chunk.times[-1])
        info, status = source.info, source.status()
        span = last - first if first is not None else 0.0
        return DeviceTest(
            name=info.device or info.name,
            serial=info.source_id or address,
            channels=tuple(info.ch_names[index] for index in info.indices(ch_type="eeg")),
            nominal=info.sfreq,
            # The first sample begins the time, it does not fill it.
            rate=(samples - 1) / span if span > 0 else 0.0,
            lost=lost,
            battery=status.battery,
            impedance=info.capabilities.impedance,
        )


def is_headset(device: Device) -> bool:
    """Return whether something that was found may be a headset: regular, EEG, and more than one channel.

    What can only be known once it is opened (a serial port with a known board) is tested before it is used.
    """
    address = Address.parse(device.address)
    if address.scheme == "lsl":
        return device.content.upper() == "EEG" and device.sfreq > 0 and device.n_channels > 1
    return not refusal(device.address) and "BOARD" not in device.address


def refusal(address: str) -> str:
    """Return why an address may not measure a patient; "" if it may."""
    try:
        parsed = Address.parse(address)
    except BciError as error:
        return str(error)
    if parsed.scheme in _NO_HEADSET:
        return tr("That is a simulation or a recording, not this patient. Choose the headset.")
    if parsed.scheme == "brainflow" and parsed.body:
        try:
            # BrainFlow gives boards that are none (synthetic, streaming, playback) numbers below zero.
            if board_id(parsed.body, what="board") < 0:
                return tr("That is a test board without a person. Choose the headset.")
        except BciError as error:
            return str(error)
    return ""


def simulated_address(protocol: str) -> str:
    """Return the simulated patient's own source for a protocol, at a person's pace."""
    wanted = str(read_paradigm(protocol).get("defaults", {}).get("sim", "sim:motor-imagery"))
    return str(Address.parse(wanted).with_option("live", "1"))


def offers(visit: Visit, found: Sequence[Device], known: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return what this visit may choose from: name, details, address; devices of this clinic first.

    The simulated patient has its own source and nothing else; a patient has headsets and no simulation.
    """
    if visit.simulated:
        return [(tr("Simulated patient"), tr("no headset: signals are made by a program"), "")]
    used = {str(item["address"]): item for item in known}
    rows = []
    for device in found:
        if is_headset(device):
            item = used.get(device.address)
            what = str(item["name"]) if item else kind_words(device.what)
            more = tr("used here on {day}").format(day=item["day"]) if item else ""
            details = " · ".join(part for part in (detail_words(device.detail), more) if part)
            rows.append((bool(item), (what, details, device.address)))
    return [row for _, row in sorted(rows, key=lambda entry: not entry[0])]


def remembered(data: Path) -> list[dict[str, Any]]:
    """Return the devices that this clinic has used, the newest first."""
    try:
        values = read_json(data / REMEMBERED)
    except (OSError, ValueError):
        return []
    named = ("address", "name", "day")
    return [
        item
        for item in (values if isinstance(values, list) else ())
        if isinstance(item, dict) and all(isinstance(item.get(name), str) for name in named)
    ]


def stop_box_of(data: Path) -> str:
    """Return the address of the stop box that this clinic used last; "" where it has none."""
    try:
        said = read_json(data / STOP_BOX)
    except (OSError, ValueError):
        return ""
    return said if isinstance(said, str) else ""


def keep_stop_box(data: Path, address: str) -> None:
    """Keep the address of the stop box for the next visit."""
    write_whole(data / STOP_BOX, json.dumps(address).encode())


def remember(data: Path, address: str, test: DeviceTest) -> None:
    """Remember a device that was used on a patient."""
    others = [item for item in remembered(data) if item["address"] != address]
    entry = {"address": address, "name": test.name, "serial": test.serial, "day": today()}
    write_whole(data / REMEMBERED, json.dumps([entry, *others][:20], indent=1).encode())
