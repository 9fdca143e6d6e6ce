"""What a decoder says of itself, in words: the signal is strange, learning stopped, a choice was taken back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bcikit.ui.words import tr


@dataclass(frozen=True, slots=True)
class Said:
    """A happening in words.

    Attributes
    ----------
    short : str
        On a marker.
    text : str
        A sentence, with what to do.
    level : str
        "WARN" where somebody should look, else "".
    """

    short: str
    text: str
    level: str = ""


def said_of(name: str, data: Mapping[str, Any]) -> Said | None:
    """Return what an event of the decoder means; None for all other events."""
    match name:
        case "decoder/drift":
            share = f"{float(data.get('strange', 0.0)):.0%}"
            text = tr("{share} of the newest windows look unlike the training. Check electrodes, or calibrate again.")
            return Said(tr("signal unlike the training"), text.format(share=share), "WARN")
        case "decoder/familiar":
            return Said(tr("signal as in the training"), tr("The signal looks like the training again."))
        case "decoder/frozen":
            text = tr("The decoder stopped learning and went back to the model it began with: learning made it worse.")
            return Said(tr("learning stopped"), text, "WARN")
        case "feedback/undo":
            return Said(tr("choice taken back"), tr("The last choice was taken back: the person noticed an error."))
    return None
