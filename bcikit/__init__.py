"""bcikit: from a stream of EEG to a gated action.

Import time is kept low: a room is loaded when something of it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bcikit.version import __version__

if TYPE_CHECKING:
    from bcikit.acquisition import open_source, read_recording
    from bcikit.decoding import Model, OnlineDecoder, epochs, make_decoder
    from bcikit.outputs import open_output
    from bcikit.processing import Pipeline
    from bcikit.recording import read_session, record
    from bcikit.session import Engine, plan, replay, run
    from bcikit.signal import Chunk, Decision, Event, Health, Recording, StreamInfo

_WHERE = {
    "Chunk": "bcikit.signal",
    "Decision": "bcikit.signal",
    "Engine": "bcikit.session",
    "Event": "bcikit.signal",
    "Health": "bcikit.signal",
    "Model": "bcikit.decoding",
    "OnlineDecoder": "bcikit.decoding",
    "Pipeline": "bcikit.processing",
    "Recording": "bcikit.signal",
    "StreamInfo": "bcikit.signal",
    "epochs": "bcikit.decoding",
    "make_decoder": "bcikit.decoding",
    "open_output": "bcikit.outputs",
    "open_source": "bcikit.acquisition",
    "plan": "bcikit.session",
    "read_recording": "bcikit.acquisition",
    "read_session": "bcikit.recording",
    "record": "bcikit.recording",
    "replay": "bcikit.session",
    "run": "bcikit.session",
}

__all__ = [
    "Chunk",
    "Decision",
    "Engine",
    "Event",
    "Health",
    "Model",
    "OnlineDecoder",
    "Pipeline",
    "Recording",
    "StreamInfo",
    "__version__",
    "epochs",
    "make_decoder",
    "open_output",
    "open_source",
    "plan",
    "read_recording",
    "read_session",
    "record",
    "replay",
    "run",
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
