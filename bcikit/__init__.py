"""bcikit: from a stream of EEG to a gated action.

Import time is kept low: a room is loaded when something of it is asked for.
"""

from typing import TYPE_CHECKING

from bcikit.face import face
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
    "Chunk": "signal",
    "Decision": "signal",
    "Engine": "session",
    "Event": "signal",
    "Health": "signal",
    "Model": "decoding",
    "OnlineDecoder": "decoding",
    "Pipeline": "processing",
    "Recording": "signal",
    "StreamInfo": "signal",
    "epochs": "decoding",
    "make_decoder": "decoding",
    "open_output": "outputs",
    "open_source": "acquisition",
    "plan": "session",
    "read_recording": "acquisition",
    "read_session": "recording",
    "record": "recording",
    "replay": "session",
    "run": "session",
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

__getattr__, __dir__ = face(__name__, _WHERE)
