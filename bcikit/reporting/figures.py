"""Pictures of a report, as PNG inside the page: one file that can be mailed and opened anywhere."""

import base64
import io
from typing import TYPE_CHECKING, Any

from bcikit.signal.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito 2008: told apart by everybody, colour-blind or not.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of classes, in order."""


CHINESE = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei")
"""Families with Chinese letters; Matplotlib knows a collection of Noto by its first face, which is the Japanese one."""


def figure(width: float = 7.0, height: float = 3.2, *, columns: int = 1) -> tuple["Figure", list[Any]]:
    """Return a figure that belongs to no window, and its axes.

    Parameters
    ----------
    width, height : float
        Inches.
    columns : int
        Axes beside each other.
    """
    made = new_figure(width, height, dpi=110)
    axes = list(made.subplots(1, columns, squeeze=False)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return made, axes


def _with_letters(made: "Figure") -> None:
    """Let what Matplotlib has no letters for (names of classes, of people) take another font that is there."""
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    there = {one.name for one in fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in CHINESE if name in there)]
    # Of all texts: those of ticks are not known before it is drawn.
    for one in made.findobj(Text):
        one.set_fontfamily(families)


def data_url(made: "Figure") -> str:
    """Return a figure as a ``data:`` address for an HTML image."""
    _with_letters(made)
    buffer = io.BytesIO()
    made.savefig(buffer, format="png")
    return png_url(buffer.getvalue())


def png_url(png: bytes) -> str:
    """Return a PNG as a ``data:`` address for an HTML image."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
