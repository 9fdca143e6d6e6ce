"""What BrainFlow knows of its boards, in bcikit's words; nothing is opened here."""

import contextlib
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from bcikit.acquisition.openbci import refuse_daisy
from bcikit.signal import ArgumentError, Capabilities, SourceError, StreamInfo, check_choice

T = TypeVar("T")

_AUX_ROWS = {
    "accel_channels": "accel",
    "gyro_channels": "gyro",
    "ppg_channels": "ppg",
    "eda_channels": "gsr",
    "temperature_channels": "temperature",
    "magnetometer_channels": "misc",
    "rotation_channels": "misc",
    "analog_channels": "misc",
    "other_channels": "misc",
}
_SIGNAL_ROWS = {"eeg_channels": "eeg", "ecg_channels": "ecg", "emg_channels": "emg", "eog_channels": "eog"}

_ABILITIES = {"resistance_channels": "impedance", "battery_channel": "battery"}

_REASONS = {
    1: "the port is already open",
    2: "the port cannot be opened: check that the device is plugged in, the port's name, and your rights on it; of a "
    "Bluetooth device, that it is on and in range and this computer's Bluetooth is on",
    3: "the port cannot be set up: another program has it open, or it is no serial port",
    4: "the device cannot be written to: check that it is on, in range and at that address",
    5: "the device sends what is no answer: check that it is the board that the address names",
    6: "the device does not answer at the start: check that it is on, in range, and the board that the address names",
    7: "the board is not ready: check that it is on, charged and in range",
    9: "the size of the buffer is not allowed",
    13: "an argument is missing or wrong: the board needs a serial_port, mac_address, ip_address, file or the like",
    14: "BrainFlow does not support the board on this system",
    16: "the board is already open in this process",
    17: "the driver of the maker is missing or failed: see BrainFlow's page on supported boards",
    18: "the device does not answer: check that it is on and in range",
}
"""What BrainFlow's exit codes mean to a person."""


@cache
def library() -> Any:
    """Return the module `brainflow.board_shim`, its log off."""
    with warnings.catch_warnings():
        # It imports pkg_resources, which warns of its own end; nothing a user of bcikit can do about it.
        warnings.simplefilter("ignore")
        from brainflow import board_shim

        board_shim.BoardShim.disable_board_logger()
    return board_shim


def board_name(number: int) -> str:
    """Return BrainFlow's own name of a board id ("CYTON_BOARD")."""
    return str(library().BoardIds(number).name)


def board_names() -> dict[str, int]:
    """Return every board BrainFlow knows: the name used in addresses, and its id."""
    return {short_name(board.name): int(board.value) for board in library().BoardIds if board.name != "NO_BOARD"}


def short_name(name: str) -> str:
    """Return BrainFlow's name of a board as it is used in addresses: "CYTON_DAISY_BOARD" is "cyton-daisy"."""
    short = name.lower().replace("-", "_").replace("_board", "").replace("_", "-")
    return "playback" if short == "playback-file" else short


def board_id(text: str, *, what: str) -> int:
    """Return BrainFlow's id of a board by name (any case) or number.

    Raises
    ------
    ArgumentError
        If there is none; the message lists all.
    """
    names = board_names()
    with contextlib.suppress(ValueError):
        if int(text) in names.values():
            return int(text)
    return names[check_choice(what, short_name(text), names)]


def call(what: str, function: Callable[[], T]) -> T:
    """Return what a function of BrainFlow returns, its errors in words.

    Raises
    ------
    SourceError
        Where BrainFlow raises.
    """
    error_type = library().BrainFlowError
    try:
        return function()
    except error_type as error:
        reason = _REASONS.get(error.exit_code, "see BrainFlow's documentation of its exit codes")
        raise SourceError(f"{what}: BrainFlow says {error.exit_code}; {reason}.") from None


def describe(board: int) -> dict[str, Any]:
    """Return BrainFlow's own description of a board (default preset)."""
    return dict(call(f"board {board}", lambda: library().BoardShim.get_board_descr(board)))


def stream_info(descr: dict[str, Any], *, aux: bool, name: str) -> tuple[list[int], StreamInfo]:
    """Return the rows to read and the description of the stream.

    Parameters
    ----------
    descr : dict
        What `describe` returned.
    aux : bool
        Take the channels that are no biosignals (movement, light, temperature), too.
    name : str
        Name of the board, for the stream.
    """
    rows: dict[int, str] = {}
    for key, kind in _SIGNAL_ROWS.items():
        for row in descr.get(key, []):
            # The same row is often listed as EEG, ECG and EMG: it is what the electrodes make it.
            rows.setdefault(int(row), kind)
    if aux or not rows:
        for key, kind in _AUX_ROWS.items():
            for row in descr.get(key, []):
                rows.setdefault(int(row), kind)
    columns = sorted(rows)
    if not columns:
        raise SourceError(f"{name}: BrainFlow lists no channel for this board.")
    labels = dict(zip(descr.get("eeg_channels", []), str(descr.get("eeg_names", "")).split(","), strict=False))
    names: list[str] = []
    counts: dict[str, int] = {}
    for row in columns:
        kind = rows[row]
        counts[kind] = counts.get(kind, 0) + 1
        names.append(labels.get(row) or f"{kind}{counts[kind]}")
    marker = descr.get("marker_channel") is not None
    info = StreamInfo(
        name=name,
        sfreq=float(descr["sampling_rate"]),
        ch_names=tuple(names),
        ch_types=tuple(rows[row] for row in columns),
        device=f"{descr.get('name', name)} (BrainFlow)",
        capabilities=Capabilities(
            impedance="resistance_channels" in descr, battery="battery_channel" in descr, markers=marker
        ),
    )
    return columns, info


def prepare(board: int, parameters: dict[str, Any], master: int | None, *, where: str) -> Any:
    """Return a `BoardShim` with its session prepared.

    Raises
    ------
    SourceError
        If the board cannot be opened; the message says what to check.
    """
    fields = library().BrainFlowInputParams()
    for key, value in parameters.items():
        setattr(fields, key, value)
    if master is not None:
        fields.master_board = master
    shim = call(where, lambda: library().BoardShim(board, fields))
    call(where, shim.prepare_session)
    if board == library().BoardIds.CYTON_BOARD.value:
        try:
            refuse_daisy(shim, where)
        except SourceError:
            shim.release_session()
            raise
    return shim


def check_master(board: int, master: int | None, parameters: dict[str, Any], *, address: str) -> None:
    """Refuse a playback or streaming board without what it needs: BrainFlow would stream nothing, silently.

    Raises
    ------
    ArgumentError
        Naming what is missing.
    SourceError
        If the file is not there.
    """
    needed = {
        library().BoardIds.PLAYBACK_FILE_BOARD.value: ("file",),
        library().BoardIds.STREAMING_BOARD.value: ("ip_address", "ip_port"),
    }.get(board)
    if needed is None:
        return
    missing = [key for key in needed if not parameters.get(key)]
    if master is None:
        missing.append("master_board")
    if missing:
        raise ArgumentError(
            f"{address} needs {', '.join(missing)}: '{address}?{'&'.join(f'{k}=...' for k in missing)}'."
        )
    file = parameters.get("file")
    if file is not None and not Path(file).is_file():
        raise SourceError(f"{address}: there is no file {file!r}.")


def simulated() -> frozenset[int]:
    """Return the boards that are no device: they play something, at the pace of a sleeping thread."""
    ids = library().BoardIds
    return frozenset({ids.SYNTHETIC_BOARD.value, ids.PLAYBACK_FILE_BOARD.value, ids.STREAMING_BOARD.value})


def check_playback_config(what: str, text: str) -> int | None:
    """Return the percentage of the file that a setting of the playback board leaves out; None for another setting.

    What is no setting is refused: the board would go on as if nothing had been said.

    Raises
    ------
    ArgumentError
        Naming what is allowed.
    """
    known = ("loopback_true", "loopback_false", "new_timestamps", "old_timestamps")
    name, _, share = text.partition(":")
    if name == "set_index_percentage" and share.isdecimal() and int(share) < 100:
        return int(share)
    if text not in known:
        raise ArgumentError(f"{what}: allowed are {', '.join(known)}, set_index_percentage:0 to 99.")
    return None


def check_playback(file: str, descr: dict[str, Any], *, master: str) -> int:
    """Return how many samples a file of BrainFlow's has.

    Raises
    ------
    SourceError
        If it was recorded from another board: its columns mean other things.
    """
    rows = 0
    columns = None
    with Path(file).open("rb") as lines:
        for line in lines:
            if line.strip():
                rows += 1
                columns = line.count(b"\t") + 1 if columns is None else columns
    if columns is not None and columns != int(descr["num_rows"]):
        raise SourceError(
            f"{file} has {columns} columns and a recording of {master} has {descr['num_rows']}: name the board it was "
            "recorded from as master_board."
        )
    return rows


def board_summaries() -> list[tuple[str, str, str]]:
    """Return name, title and abilities of every board, in the order of the names."""
    found = []
    for name, number in sorted(board_names().items()):
        try:
            descr = describe(number)
        except SourceError:
            continue
        if not descr.get("sampling_rate"):
            found.append((name, str(descr.get("name", name)), "gives the data of its master_board"))
            continue
        signals = max((len(descr.get(key, [])) for key in _SIGNAL_ROWS), default=0)
        able = [word for key, word in _ABILITIES.items() if key in descr]
        parts = [f"{signals} channels", f"{descr['sampling_rate']} Hz", *able]
        found.append((name, str(descr.get("name", name)), ", ".join(parts)))
    return found
