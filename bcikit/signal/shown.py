"""How an object shows itself: one readable line at a prompt, a small table in a notebook."""

from collections import Counter
from collections.abc import Iterable
from html import escape


class Shown:
    """Gives ``repr`` and ``_repr_html_`` to a class that says what it is."""

    __slots__ = ()

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return the line without the name of the class, and the rows of the table: what, value."""
        raise NotImplementedError

    def __repr__(self) -> str:
        line, _ = self.shown()
        return f"<{type(self).__name__} {line}>"

    def _repr_html_(self) -> str:
        line, rows = self.shown()
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(what)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
            for what, value in rows.items()
            if value
        )
        head = f"{escape(type(self).__name__)} {escape(line)}"
        return f"<table><caption style='text-align:left'>{head}</caption>{cells}</table>"


def counted(names: Iterable[str], *, most: int = 6) -> str:
    """Return names with how often each stands there: "left 20, right 20"; further ones as their number."""
    counts = Counter(names)
    shown = [f"{name} {count}" for name, count in counts.most_common(most)]
    rest = len(counts) - len(shown)
    return ", ".join([*shown, f"and {rest} other{'s' * (rest > 1)}"] if rest else shown)


def listed(names: Iterable[str], *, most: int = 12) -> str:
    """Return names with commas between, the end left out where there are many."""
    every = list(names)
    return ", ".join(every[:most]) + (f", ... ({len(every)} in all)" if len(every) > most else "")
