"""System libraries that Qt needs and a bare machine may lack."""

import ctypes.util
import platform
import shutil

_NEEDED = {
    # library: (Debian and Ubuntu, Fedora, Arch)
    "EGL": ("libegl1", "libglvnd-egl", "libglvnd"),
    "GL": ("libgl1", "libglvnd-glx", "libglvnd"),
    "xkbcommon": ("libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    "dbus-1": ("libdbus-1-3", "dbus-libs", "dbus"),
    "fontconfig": ("libfontconfig1", "fontconfig", "fontconfig"),
    "glib-2.0": ("libglib2.0-0", "glib2", "glib2"),
}
_NEEDED_WITH_SCREEN = {
    "xcb-cursor": ("libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    "xcb-icccm": ("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    "xcb-keysyms": ("libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    "xkbcommon-x11": ("libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"),
}
_MANAGERS = (
    ("apt-get", "sudo apt-get install -y", 0),
    ("dnf", "sudo dnf install -y", 1),
    ("pacman", "sudo pacman -S", 2),
)


def missing_libraries(*, screen: bool = False) -> list[str]:
    """Return the libraries Qt cannot do without that are not on this machine; none outside Linux.

    Parameters
    ----------
    screen : bool
        Ask for those that are needed to draw on an X screen, too.
    """
    if platform.system() != "Linux":
        return []
    needed = {**_NEEDED, **(_NEEDED_WITH_SCREEN if screen else {})}
    return [name for name in needed if ctypes.util.find_library(name) is None]


def install_command(missing: list[str]) -> str:
    """Return what to type to install libraries on this machine; all of Qt's where none is named."""
    table = {**_NEEDED, **_NEEDED_WITH_SCREEN}
    wanted = missing or list(table)
    if platform.system() != "Linux":
        return "pip install --force-reinstall PySide6-Essentials"
    for program, command, column in _MANAGERS:
        if shutil.which(program):
            return f"{command} {' '.join(sorted({table[name][column] for name in wanted}))}"
    return f"Install with the system's package manager: {', '.join(wanted)}"
