"""bcikit: from a stream of EEG to a gated action.

Import time is kept low: a room is loaded when something of it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bcikit.version import __version__

if TYPE_CHECKING:
    from bcikit.acquisition import open_source, read_recording
    from bcikit.processing import Pipeline
    from bcikit.signal import Chunk, Decision, Event, Health, Recording, StreamInfo


_WHERE = {
    "Chunk": "bcikit.signal",
    "Decision": "bcikit.signal",
    "Event": "bcikit.signal",
    "Health": "bcikit.signal",
    "Pipeline": "bcikit.processing",
    "Recording": "bcikit.signal",
    "StreamInfo": "bcikit.signal",
    "open_source": "bcikit.acquisition",
    "read_recording": "bcikit.acquisition",
}

__all__ = [
    "Chunk",
    "Decision",
    "Event",
    "Health",
    "Pipeline",
    "Recording",
    "StreamInfo",
    "__version__",
    "open_source",
    "read_recording",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its room when it is first used (PEP 562)."""
    try:
        module = import_module(_WHERE[name])
    except KeyError:
        raise AttributeError(f"module 'bcikit' has no attribute {name!r}") from None
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
