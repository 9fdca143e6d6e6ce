"""liblsl, told to keep its log to errors unless the user has a configuration of his own."""

import os
from functools import cache
from pathlib import Path
from typing import Any

_QUIET = "[log]\nlevel = -2\n"
_FILES = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "~/.lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")


@cache
def lsl() -> Any:
    """Return the module `pylsl`; the first call must come before anything else talks to the network."""
    import pylsl

    configured = "LSLAPICFG" in os.environ or any(Path(os.path.expanduser(name)).is_file() for name in _FILES)  # noqa: PTH111 - who has no home has none
    if not configured and hasattr(pylsl, "set_config_content"):
        pylsl.set_config_content(_QUIET)
    return pylsl
