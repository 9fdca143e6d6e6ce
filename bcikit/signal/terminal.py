"""A pseudo terminal: the serial line of a device that is simulated."""

import os
import sys

from bcikit.signal.errors import SourceError


def open_terminal(who: str) -> tuple[int, int, str]:
    """Return the device's end, the other end (kept open, or nobody could hang up) and the port to hand to a driver.

    Parameters
    ----------
    who : str
        What is simulated, for the error.

    Raises
    ------
    SourceError
        On Windows, which has none.
    """
    if sys.platform == "win32":
        raise SourceError(f"{who} needs pseudo terminals, which Windows lacks; take Linux or macOS.")
    import tty

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    return ours, theirs, os.ttyname(theirs)
