"""What Qt draws into a file is there as a whole, or it is said that it is not: of a full disk Qt says nothing."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice

from bcikit.signal import RecordingError
from bcikit.signal.disk import write_whole


def drawn(draw: Callable[[QIODevice], object]) -> bytes:
    """Return what `draw` writes into the device that it is given."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    draw(buffer)
    return bytes(buffer.data().data())


def save_whole(target: Path, data: bytes) -> None:
    """Write a file as a whole; raises `RecordingError` where that is not possible, and what was there stays."""
    try:
        write_whole(target, data)
    except OSError as error:
        raise RecordingError(f"{target} cannot be written: {error.strerror or error}") from None
