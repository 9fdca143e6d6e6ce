"""Figures that belong to no window and are seen in a notebook."""

import io
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float, *, dpi: float = 100.0) -> "Figure":
    """Return an empty figure of so many inches; as the last line of a notebook's cell it is a picture."""
    # The object-oriented way: pyplot would keep every figure of a long session.
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    made: Figure = _kind()(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(made)
    return made


@cache
def _kind() -> Any:
    from matplotlib.figure import Figure

    class SeenFigure(Figure):
        """A figure that a notebook shows though pyplot does not know it."""

        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return SeenFigure
