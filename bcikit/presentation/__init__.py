"""What a person sees and hears: scenes (`bcikit.paradigms.scene`) drawn alike by a Qt window and by a browser page.

`layout` gives every element its place, `show` follows a session frame by frame, `qt` paints it, `web` is the page.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'bcikit.presentation' has no attribute {name!r}")
    return getattr(import_module(f"bcikit.presentation.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
