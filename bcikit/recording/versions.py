"""Which programs made a session."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from bcikit.version import __version__

_PACKAGES = ("brainflow", "mne", "numpy", "pylsl", "pyriemann", "scikit-learn", "scipy", "skops")


def installed_versions() -> dict[str, str]:
    """Return the versions of Python, the system and the packages that a result depends on; no name of a host."""
    return dict(_found())


@cache
def _found() -> dict[str, str]:
    # What was imported is what was installed when this process began: looking costs milliseconds.
    system = f"{platform.system()} {platform.machine()}"
    found = {"bcikit": __version__, "python": platform.python_version(), "system": system}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
