"""What a person sees and hears: scenes (`bcikit.paradigms.scene`) drawn alike by a Qt window and by a browser page.

`layout` gives every element its place, `show` follows a session frame by frame, `qt` paints it, `web` is the page.
"""

from bcikit.paradigms.films import FilmSheet, film_names, load_film
from bcikit.presentation.layout import Shape, Viewing, lay_out
from bcikit.presentation.presenter import Flip, Presenter
from bcikit.presentation.rehearsal import rehearse
from bcikit.presentation.show import Show

__all__ = [
    "FilmSheet",
    "Flip",
    "Presenter",
    "Shape",
    "Show",
    "Viewing",
    "film_names",
    "lay_out",
    "load_film",
    "rehearse",
]
