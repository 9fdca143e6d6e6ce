"""One window owns a data folder: two would write each other's state."""

from pathlib import Path

from PySide6.QtCore import QLockFile

from bcikit.signal import BciError

NAME = "clinic.lock"


class FolderLock:
    """Holds a data folder for this window; one whose process is gone is taken over.

    Parameters
    ----------
    folder : Path
        The data folder.

    Raises
    ------
    BciError
        If another window has it, or it cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = QLockFile(str(folder / NAME))
        # Stale only if its process is gone: a window may be open for weeks.
        self._lock.setStaleLockTime(0)
        if self._lock.tryLock(200):
            return
        if self._lock.error() != QLockFile.LockError.LockFailedError:
            raise BciError(f"The folder {folder} cannot be written to; choose another with --data.")
        owner = self._owner()
        raise BciError(
            f"Another clinic window has the folder {folder} open{owner}. Go on there, or close it first; "
            "two windows on one folder would mix up patients."
        )

    def _owner(self) -> str:
        pid, host, _program = self._lock.getLockInfo()
        return f" (process {pid} on {host})" if pid else ""

    def release(self) -> None:
        """Give the folder back."""
        self._lock.unlock()
