"""One kit for every HTML and PDF page: figures, tables, the page around them."""

from bcikit.reporting.figures import COLOURS, data_url, figure
from bcikit.reporting.page import key_table, page, picture, section, table
from bcikit.reporting.render import render

__all__ = ["COLOURS", "data_url", "figure", "key_table", "page", "picture", "render", "section", "table"]


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
