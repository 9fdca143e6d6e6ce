"""Which programs made a session."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from bcikit.version import __version__

_PACKAGES = ("brainflow", "mne", "numpy", "pylsl", "pyriemann", "scikit-learn", "scipy", "skops")


def installed_versions() -> dict[str, str]:
    """Return the versions of Python, the system and the packages that a result depends on; no name of a host.

    "processor" is what linear algebra was made for here, and what numpy found: each kind rounds the last bit its way.
    """
    return dict(_found())


@cache
def _found() -> dict[str, str]:
    # What was imported is what was installed when this process began: looking costs milliseconds.
    system = f"{platform.system()} {platform.machine()}"
    found = {"bcikit": __version__, "python": platform.python_version(), "system": system}
    found["processor"] = _arithmetic()
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _arithmetic() -> str:
    import numpy as np
    from threadpoolctl import threadpool_info

    blas = [
        f"{one['internal_api']} {one.get('architecture', '')}" for one in threadpool_info() if one["user_api"] == "blas"
    ]
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return ", ".join(text.strip() for text in [*sorted(set(blas)), " ".join(simd)] if text.strip())
