"""What windows share: theme, words, strip, status, head map, tables."""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.ui.numbers import NumberField
    from bcikit.ui.session_link import SessionLink
    from bcikit.ui.status import Status
    from bcikit.ui.veil import Veil
    from bcikit.ui.words import install, tr

_WHERE = {
    "NumberField": "numbers",
    "SessionLink": "session_link",
    "Status": "status",
    "Veil": "veil",
    "install": "words",
    "tr": "words",
}

__all__ = ["NumberField", "SessionLink", "Status", "Veil", "install", "tr"]

__getattr__, __dir__ = face(__name__, _WHERE)
