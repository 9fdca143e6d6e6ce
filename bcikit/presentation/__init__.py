"""What a person sees and hears: scenes (`bcikit.paradigms.scene`) drawn alike by a Qt window and by a browser page.

`layout` gives every element its place, `show` follows a session frame by frame, `qt` paints it, `web` is the page.
"""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.presentation.director import Director
    from bcikit.presentation.eyes import perceive
    from bcikit.presentation.layout import Shape, Viewing, lay_out
    from bcikit.presentation.presenter import Flip, Presenter
    from bcikit.presentation.rehearsal import rehearse
    from bcikit.presentation.show import Show
    from bcikit.presentation.timing import measure_timing

_WHERE = {
    "Director": "director",
    "Flip": "presenter",
    "Presenter": "presenter",
    "Shape": "layout",
    "Show": "show",
    "Viewing": "layout",
    "lay_out": "layout",
    "measure_timing": "timing",
    "perceive": "eyes",
    "rehearse": "rehearsal",
}

__all__ = [
    "Director",
    "Flip",
    "Presenter",
    "Shape",
    "Show",
    "Viewing",
    "lay_out",
    "measure_timing",
    "perceive",
    "rehearse",
]

__getattr__, __dir__ = face(__name__, _WHERE)
