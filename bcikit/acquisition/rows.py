"""Rows of text tables: encoding, separator, decimal mark, titles, numbers and texts of columns."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import ArgumentError, SourceError

_SEPARATORS = ("\t", ";", ",")


def encoding_of(path: Path, stated: str | None = None) -> str:
    """Return how a text is encoded: as stated, else by its mark, UTF-8 where it can be, GBK or Latin-1 where not.

    Raises
    ------
    ArgumentError
        If the stated encoding is none Python knows.
    """
    if stated:
        try:
            "".encode(stated)
        except LookupError:
            raise ArgumentError(f"encoding is {stated!r}, which is none; for example utf-8, latin-1, gbk.") from None
        return stated
    with path.open("rb") as file:
        start = file.read(1 << 16)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig" if _decodes(start.rpartition(b"\n")[0] or start, "utf-8-sig") else guess_encoding(start)


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def guess_encoding(raw: bytes) -> str:
    """Return the likelier of the encodings of older programs for bytes that are no UTF-8: GBK or Latin-1."""
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError:
        return "latin-1"
    chinese = [letter for letter in text if "\u4e00" <= letter <= "\u9fff"]
    if len(chinese) + sum(letter in "，。；：（）“”、" for letter in text) < sum(ord(letter) > 127 for letter in text):
        return "latin-1"
    # Western letters stand alone or in pairs between ASCII ones; Chinese words are of characters of the common half of
    # GB 2312, whose first byte is below most of the small letters of Latin-1.
    usual = sum(0xB0 <= letter.encode("gb18030")[0] <= 0xD7 for letter in chinese)
    longest = max((len(run) for run in re.findall(rb"[\x80-\xff]+", raw)), default=0)
    return "gb18030" if chinese and usual >= 0.7 * len(chinese) and longest >= 4 else "latin-1"


def is_garbled(text: str) -> bool:
    """Return whether a text cannot have been meant: it holds control characters, or words of accented letters alone.

    That is what text of another encoding looks like in Latin-1, which has a letter for every byte.
    """
    if any("\x80" <= letter <= "\x9f" for letter in text):
        return True
    return any(len(word) > 2 and all("\xc0" <= letter <= "\xff" for letter in word) for word in text.split())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextTable:
    """A text table; its lines are taken apart when a column is asked for, so that it is in memory about once.

    Attributes
    ----------
    path : Path
        Where it is.
    titles : tuple of str
        Of the columns; empty where there are none.
    lines : list of str
        Rows as they are.
    first_line : int
        Number of the line of the first row, 1 for the first of the file.
    separator, decimal : str
        What parts the columns, and the decimal mark.
    n_columns : int
        Number of columns.
    quoted : bool
        Whether cells may stand in quotation marks.
    cut_off : bool
        Whether the last line has no end.
    """

    path: Path
    titles: tuple[str, ...]
    lines: list[str]
    first_line: int
    separator: str
    decimal: str
    n_columns: int
    quoted: bool
    cut_off: bool

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.lines)

    def keep(self, wanted: NDArray[np.bool_]) -> "TextTable":
        """Return the table with some of its rows."""
        return replace(self, lines=list(itertools.compress(self.lines, wanted.tolist())))

    def cells(self, *, rows: int | None = None) -> Iterator[list[str]]:
        """Return the cells of each row, or of the first so many."""
        return split_lines(self.lines[:rows] if rows else self.lines, self.separator, quoted=self.quoted)

    def texts(self, column: int, *, rows: int | None = None) -> list[str]:
        """Return the cells of a column, or those of its first rows."""
        return [row[column].strip() for row in self.cells(rows=rows)]

    def numbers(self, columns: Sequence[int], *, empty: bool = False, rows: int | None = None) -> NDArray[np.float64]:
        """Return columns as numbers, shape (n_rows, n_columns).

        Parameters
        ----------
        empty : bool
            Whether a cell may be empty, which is no number.
        rows : int or None
            Of the first rows alone; of all where it is left out.

        Raises
        ------
        SourceError
            Naming the line and column of a cell that is none.
        """
        values = np.empty((min(rows or self.n_rows, self.n_rows), len(columns)))
        at = 0
        taken = self.cells(rows=rows)
        while block := list(itertools.islice(taken, _BLOCK)):
            cells = [[row[column] for column in columns] for row in block]
            if self.decimal == ",":
                cells = [[cell.replace(",", ".") for cell in row] for row in cells]
            try:
                values[at : at + len(cells)] = np.array(cells, dtype=np.float64).reshape(len(cells), len(columns))
            except ValueError:
                for offset, row in enumerate(cells):
                    values[at + offset] = self._row(at + offset, row, columns, empty=empty)
            at += len(cells)
        return values

    def _row(self, at: int, cells: Sequence[str], columns: Sequence[int], *, empty: bool) -> list[float]:
        found = []
        for place, cell in enumerate(cells):
            if empty and not cell.strip():
                found.append(float("nan"))
                continue
            try:
                found.append(float(cell))
            except ValueError:
                raise self._not_a_number(at, columns[place], cell.strip()) from None
        return found

    def _not_a_number(self, row: int, column: int, cell: str) -> SourceError:
        what = f"'{cell[:30]}'" if cell else "nothing"
        where = f"line {self.first_line + row}, column {column + 1}"
        if self.titles and column < len(self.titles):
            where += f" ({self.titles[column]})"
        whole = f" To read what is whole: '{self.path}?partial=true'." if row >= self.n_rows - 1 else ""
        return SourceError(f"{self.path} is damaged or truncated: {what} stands for a number in {where}.{whole}")


_BLOCK = 20_000
"""Rows that are taken apart at once."""


def numeric(text: str) -> bool:
    """Return whether a cell is a number, whatever its decimal mark."""
    try:
        float(text.strip().strip('"').replace(",", "."))
    except ValueError:
        return False
    return True


def read_lines(path: Path, encoding: str) -> tuple[list[str], bool]:
    """Return the lines of a text, and whether the last has no end.

    Raises
    ------
    SourceError
        If it cannot be decoded.
    """
    try:
        text = path.read_text(encoding=encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8-sig":
            raise SourceError(f"{path} is no text in {encoding}; say in which: encoding=latin-1 or gbk.") from None
        # It was UTF-8 as far as was looked at.
        raw = path.read_bytes()
        text = raw.decode(guess_encoding(raw), errors="replace")
    except UnicodeError as error:
        raise SourceError(
            f"{path} is no text in {encoding} ({error}); say in which: encoding=latin-1 or gbk."
        ) from None
    return text.splitlines(), bool(text) and not text.endswith(("\n", "\r"))


_ABOUT = re.compile(r"[^:,;\t0-9]+:[^,;\t]*([,;\t]+ *[^:,;\t0-9]+:[^,;\t]*){2,}[,;\t]*")
"""A line about the recording above the titles, as EmotivPRO writes it: "title:x,start timestamp:1,headset type:y"."""


def read_table(
    path: Path, *, encoding: str, skip: int = 0, titled: bool | None = None, decimal: str = "", partial: bool = False
) -> TextTable:
    """Return the table in a text.

    Parameters
    ----------
    skip : int
        Lines before the titles or the first row.
    titled : bool or None
        Whether titles stand above; by their cells where it is left out.
    decimal : str
        The decimal mark; by separator and cells where it is left out.
    partial : bool
        Leave out a last line that was cut off.

    Raises
    ------
    SourceError
        If there are no rows, or rows of different length.
    """
    lines, cut_off = read_lines(path, encoding)
    body = lines[skip:]
    if partial and cut_off and body:
        body = body[:-1]
    start = next((i for i, line in enumerate(body) if line.strip()), len(body))
    if titled is None and start + 1 < len(body) and _ABOUT.fullmatch(body[start].strip()):
        start += 1
    body, skip = body[start:], skip + start
    remarks = next((i for i, line in enumerate(body) if not line.startswith("#")), 0) if titled is None else 0
    if remarks:
        # NumPy puts titles behind "# ", the last of such lines.
        last, rows = body[remarks - 1].lstrip("# "), body[remarks : remarks + 1]
        sizes = {len(cells) for cells in split_lines([last, *rows], _separator(rows), quoted=False)}
        body, skip = (
            ([last, *body[remarks:]], skip + remarks - 1) if len(sizes) == 1 else (body[remarks:], skip + remarks)
        )
    if not body:
        raise SourceError(f"{path} holds no samples.")
    separator = _separator(body)
    quoted = len(separator) == 1 and any('"' in line for line in itertools.islice(body, 200))
    head = [cell.strip() for cell in next(split_lines(body[:1], separator, quoted=quoted))]
    has_titles = not any(map(numeric, head)) if titled is None else titled
    titles = tuple(head) if has_titles else ()
    # A line that is empty ends nothing and says nothing.
    lines = [line for line in body[has_titles:] if line.strip()]
    if not lines:
        raise SourceError(f"{path} holds no samples.")
    first_line = skip + 1 + has_titles
    width = len(titles) or int(np.median([len(row) for row in split_lines(lines[:1000], separator, quoted=quoted)]))
    _check_widths(
        path, lines, width, first_line, separator, titled=bool(titles), quoted=quoted, cut_off=cut_off and not partial
    )
    mark = decimal or _decimal(list(split_lines(lines[:50], separator, quoted=quoted)), separator)
    return TextTable(
        path=path, titles=titles, lines=lines, first_line=first_line, separator=separator, decimal=mark,
        n_columns=width, quoted=quoted, cut_off=cut_off,
    )  # fmt: skip


def _separator(lines: Sequence[str]) -> str:
    sample = [line for line in lines[:50] if line.strip()]
    for mark in _SEPARATORS:
        counts = [line.count(mark) for line in sample]
        if min(counts) > 0 and (mark != "," or not _commas_are_decimals(sample)):
            return mark
    # A comma with a space behind it parts columns where commas alone are decimal marks.
    if all(", " in line for line in sample):
        return ", "
    first = sample[0]
    return next((mark for mark in _SEPARATORS if mark in first), " ")


def _commas_are_decimals(lines: Sequence[str]) -> bool:
    """Return whether a table is parted by ", " and has decimal commas: "0,00, 3,77, -3,96"."""
    data = [line for line in lines if any(numeric(cell) for cell in line.split(", "))]
    if not data or not all(", " in line for line in data):
        return False
    return all(re.search(r"\d,\d", line) for line in data) and not any(re.search(r"\d\.\d", line) for line in data)


def split_lines(lines: Sequence[str], separator: str, *, quoted: bool) -> Iterator[list[str]]:
    """Yield the cells of each line."""
    if separator == " ":
        return (line.split() for line in lines)
    if quoted:
        return csv.reader(lines, delimiter=separator)
    return (line.split(separator) for line in lines)


def _decimal(rows: Sequence[Sequence[str]], separator: str) -> str:
    if separator == ",":
        return "."
    cells = [cell for row in rows[:50] for cell in row]
    commas = sum(bool(re.fullmatch(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*", cell)) for cell in cells)
    points = sum(bool(re.search(r"\d\.\d", cell)) for cell in cells)
    return "," if commas > points else "."


def _check_widths(
    path: Path, lines: Sequence[str], width: int, first_line: int, separator: str, *,
    titled: bool, quoted: bool, cut_off: bool,
) -> None:  # fmt: skip
    """Refuse rows of another length.

    Empty cells at the end are a separator too many. More cells than titles have no name, which must be said; fewer are
    a line that is damaged.
    """
    for at, row in enumerate(split_lines(lines, separator, quoted=quoted)):
        if len(row) == width or (len(row) > width and not any(cell.strip() for cell in row[width:])):
            continue
        where = f"line {first_line + at} has {len(row)} cells where there are {width}"
        if len(row) > width:
            raise SourceError(
                f"{path}: {where} {'titles' if titled else 'columns'}; a column without a title may hold markers. Say "
                f"what the columns are: map='time=0[s] eeg=1:{max(1, width - 1)} marker={width}'."
            )
        last = at == len(lines) - 1
        whole = f" To read what is whole: '{path}?partial=true'." if last and cut_off else ""
        raise SourceError(f"{path} is damaged or truncated: {where}.{whole}")
