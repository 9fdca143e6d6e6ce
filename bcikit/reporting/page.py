"""Parts of an HTML page that browsers and Qt's own text engine draw alike; every text is escaped here."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = (
    "body{font-family:'DejaVu Sans','Noto Sans','Segoe UI','Noto Sans CJK SC','Microsoft YaHei','PingFang SC',"
    "sans-serif;max-width:760px;margin:24px auto;color:#16202a;font-size:11pt}"
    "h1{font-size:18pt}h2{font-size:13pt;margin-top:14px}"
    "th{padding-right:18px;vertical-align:top;color:#5c6975;text-align:left;font-weight:normal}"
    "td,th{padding:3px 12px 3px 0}.mark{color:#c43d00;font-size:20pt;font-weight:800}"
    ".small{color:#5c6975;font-size:9pt}.new{page-break-before:always}"
)
"""Style of every page of this kit."""


def key_table(rows: Iterable[tuple[str, str]]) -> str:
    """Return rows of a name and what is said of it; a line break in the text is one in the page."""
    lines = ""
    for key, text in rows:
        said = "<br>".join(escape(part) for part in text.splitlines())
        lines += f"<tr><th align='left'>{escape(key)}</th><td>{said}</td></tr>"
    return f"<table cellpadding='3'>{lines}</table>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a head."""
    top = "".join(f"<th align='left'>{escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table cellpadding='3'><tr>{top}</tr>{body}</table>"


def section(title: str, *parts: str, new_page: bool = False) -> str:
    """Return a heading and what follows it; nothing where nothing follows."""
    content = "".join(parts)
    if not content:
        return ""
    kind = " class='new' style='page-break-before:always'" if new_page else ""
    return f"<h2{kind}>{escape(title)}</h2>{content}"


def picture(url: str, words: str, *, width: int = 430) -> str:
    """Return an image with its words for who cannot see it."""
    return f"<p><img src='{url}' width='{width}' alt='{escape(words)}'></p>"


def page(title: str, *parts: str, language: str = "en", mark: str = "", foot: str = "") -> str:
    """Return a whole page; it holds its pictures and no script.

    Parameters
    ----------
    title : str
        Of the page and its first heading.
    parts : str
        HTML.
    language : str
        "en" or "zh".
    mark : str
        A warning above and below everything, such as that it is a simulation.
    foot : str
        Small text at the end.
    """
    warning = f"<p class='mark'>{escape(mark)}</p>" if mark else ""
    return (
        f"<!DOCTYPE html><html lang='{language}'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{STYLE}</style></head><body>{warning}<h1>{escape(title)}</h1>{''.join(parts)}"
        f"{warning}<p class='small'>{escape(foot)}</p></body></html>"
    )
