"""Tables of text with a column of times: of programs whose dialect is known, and of any other."""

import datetime
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.checks import grid_notes, tidy_rate
from bcikit.acquisition.codes import column_events
from bcikit.acquisition.columns import ColumnRoles, by_dialect, by_map, by_titles, time_title
from bcikit.acquisition.dialect import dialect_of
from bcikit.acquisition.formats import FileHints, Format
from bcikit.acquisition.lsl_meta import VOLTAGE_TYPES, unique_names
from bcikit.acquisition.rows import TextTable, encoding_of, numeric, read_lines, read_table
from bcikit.acquisition.stamps import Grid, on_grid
from bcikit.signal import (
    ArgumentError,
    Event,
    Note,
    Recording,
    SourceError,
    StreamInfo,
    is_voltage,
    microvolts_per,
)

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SUFFIXES = (".csv", ".tsv", ".txt")


def read_text_table(path: Path, reading: FileHints) -> Recording:
    """Return a table as a recording.

    Raises
    ------
    SourceError
        If it is damaged, or its times say no rate.
    ArgumentError
        If its unit or the unit of its times is not known; the message says how to state it.
    """
    encoding = encoding_of(path, reading.encoding)
    lines, _ = read_lines(path, encoding)
    if not any(sum(map(numeric, re.split(r"[,;\t ]+", line.strip()))) for line in lines[:200]):
        raise SourceError(f"{path} is no text file bcikit knows: it holds words and no table of numbers.")
    del lines
    table = read_table(path, encoding=encoding, partial=reading.partial)
    dialect = None if reading.map else dialect_of(table.titles)
    if reading.map:
        columns = by_map(table, reading.map)
    elif dialect is not None:
        columns = by_dialect(table, dialect)
    else:
        columns = by_titles(table)
        if not table.titles or columns.time is None:
            raise SourceError(f"{path} {_plain(table)}")
    if not columns.signals:
        raise SourceError(f"{path} has no column of samples ({columns.describe()}).")
    return table_recording(table, columns, reading)


def preview(path: Path, text: str, *, encoding: str | None = None, rows: int = 4) -> list[str]:
    """Return what a map makes of a table, a line a column with its first cells: for a look before it is read.

    Parameters
    ----------
    path : Path
        The table.
    text : str
        The map, as `read_recording` takes it.
    encoding : str or None
        Of the table.
    rows : int
        Cells of each column.

    Raises
    ------
    ArgumentError
        If the map cannot be understood.
    SourceError
        If the file is no table.
    """
    table = read_table(path, encoding=encoding_of(path, encoding), partial=True)
    columns = by_map(table, text)
    roles = {column: f"{kind} {name!r}" for column, (name, kind) in columns.signals.items()}
    roles |= {column: f"marker {title!r}" for column, title in columns.markers.items()}
    roles |= {column: f"text {title!r}" for column, title in columns.texts.items()}
    if columns.time is not None:
        roles[columns.time] = f"time [{columns.time_unit or 'unit not said'}]"
    shown = []
    for column in range(table.n_columns):
        title = f" ({table.titles[column]})" if column < len(table.titles) else ""
        cells = "  ".join(cell or "-" for cell in table.texts(column, rows=rows))
        shown.append(f"column {column}{title} = {roles.get(column, 'left out')}: {cells}")
    return shown


def _plain(table: TextTable) -> str:
    what = f"is no text file bcikit knows, but a table of {table.n_columns} columns"
    what += f" ({', '.join(table.titles[:8])})" if table.titles else " without titles"
    last = table.n_columns - 1
    return (
        f"{what} without a column of times. Say what the columns are: "
        f"map='time=0[s] eeg=1:{last}' (or 'eeg=0:{last} rate=250' where there are no times)."
    )


def table_recording(table: TextTable, columns: ColumnRoles, reading: FileHints) -> Recording:
    """Return a table whose columns are known as a recording."""
    path = table.path
    notes = [Note(code="columns", text=columns.describe())]
    factors, origin = _factors(columns, reading, path)
    table = _rows_with_samples(table, columns, notes)
    events = _row_texts(table, columns)
    if events is not None:
        table, text_rows = events
    else:
        text_rows = []
    data = table.numbers(list(columns.signals), empty=True) * factors
    grid, rate = _grid(table, columns, reading, notes)
    names = unique_names([name for name, _ in columns.signals.values()])
    kinds = tuple(kind for _, kind in columns.signals.values())
    notes.append(Note(code="unit", text=origin))
    found = [
        event
        for column, title in columns.markers.items()
        for event in column_events(table.numbers([column], empty=True)[:, 0], grid.samples, grid.times, title)
    ]
    found += [
        Event(name=text, time=float(grid.times[row]), sample=int(grid.samples[row]), value=text, source=title)
        for row, text, title in text_rows
    ]
    return Recording(
        info=StreamInfo(
            name=path.name, sfreq=rate, ch_names=names, ch_types=kinds, device=columns.device,
            reference=columns.reference,
        ),
        data=np.ascontiguousarray(data),
        times=grid.times,
        samples=grid.samples,
        events=tuple(sorted(found, key=lambda event: event.time)),
        notes=tuple(notes),
    )  # fmt: skip


def _factors(columns: ColumnRoles, reading: FileHints, path: Path) -> tuple[NDArray[np.float64], str]:
    """Return what each signal is multiplied with, and who says so."""
    stated = columns.unit or reading.unit or ""
    origin = columns.origin if columns.unit else "as you say"
    factors, said = [], set()
    for column, (_, kind) in columns.signals.items():
        text = columns.units.get(column, "")
        if kind not in VOLTAGE_TYPES:
            factors.append(1.0)
        elif columns.scale is not None and not columns.unit:
            factors.append(columns.scale)
            said.add(f"counts of {columns.scale:g} uV ({columns.origin})")
        elif is_voltage(text):
            factors.append(microvolts_per(text))
            said.add(f"{text} (stated in the titles)")
        else:
            if not stated:
                raise ArgumentError(f"{path} states no unit. Say which it is: '{path}?unit=uV' (or mV, V, nV).")
            factors.append(microvolts_per(stated, where=str(path)))
            said.add(f"{stated} ({origin})")
    return np.array(factors), ", ".join(sorted(said)) or "no voltages"


def _rows_with_samples(table: TextTable, columns: ColumnRoles, notes: list[Note]) -> TextTable:
    """Leave out rows before the first sample that were never measured: all zero, counter and times as well."""
    first = table.numbers(list(columns.signals), empty=True, rows=1)
    if columns.time is None or first.any() or table.n_rows < 2:
        return table
    times = table.texts(columns.time, rows=2)
    if not all(map(numeric, times)):
        return table
    zero, after = (float(text.replace(",", ".")) for text in times)
    if zero != 0 or after <= 1e6:
        return table
    notes.append(Note(code="repaired", text="a first row of zeros was never measured; left out", count=1))
    keep = np.ones(table.n_rows, dtype=bool)
    keep[0] = False
    return table.keep(keep)


def _row_texts(table: TextTable, columns: ColumnRoles) -> tuple[TextTable, list[tuple[int, str, str]]] | None:
    """Return the table without rows that carry a text alone, and row, text and title of every text."""
    if not columns.texts:
        return None
    filled = np.array([any(row[column].strip() for column in columns.signals) for row in table.cells()])
    if not filled.any():
        return None
    # A row of its own tells of the sample before it.
    place = np.maximum(np.cumsum(filled) - 1, 0)
    found = [
        (int(place[row]), text, title)
        for column, title in columns.texts.items()
        for row, text in enumerate(table.texts(column))
        if text and text.lower() not in ("nan", "0", "0.0", "none", "n/a")
    ]
    # A word that is held is one event.
    kept = [
        item for at, item in enumerate(found)
        if at == 0 or found[at - 1][1:] != item[1:] or item[0] - found[at - 1][0] > 1
    ]  # fmt: skip
    return table.keep(filled), kept


def _grid(table: TextTable, columns: ColumnRoles, reading: FileHints, notes: list[Note]) -> tuple[Grid, float]:
    """Return indices and times of the samples, and the rate."""
    path = table.path
    nominal = reading.sfreq or columns.rate or 0.0
    if columns.time is None:
        if not nominal:
            raise SourceError(f"{path} has no column of times; say its rate: sfreq=250.")
        index = np.arange(table.n_rows, dtype=np.int64)
        notes.append(Note(code="rate", text=f"{nominal:g} Hz (as you say); no times"))
        return Grid(samples=index, times=index / nominal, rate=nominal), nominal
    stamps, unit_note = _stamps(table, columns, reading, nominal)
    notes += unit_note
    try:
        grid = on_grid(stamps, nominal)
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None
    notes += grid_notes(grid, nominal, decided=reading.sfreq is not None)
    if any(note.text == "dates" for note in unit_note):
        notes += _summer_time(grid)
    rate = reading.sfreq or (nominal if nominal and not grid.contradicts(nominal) else tidy_rate(grid))
    start = float(grid.times[0])
    shifted = Grid(samples=grid.samples, times=grid.times - start, rate=rate)
    return shifted, rate


def _summer_time(grid: Grid) -> list[Note]:
    """Return what is to be said where dates jump by a whole hour: clocks do so when summer time begins."""
    steps = np.diff(grid.samples) / grid.rate
    jumps = np.flatnonzero(np.abs(steps - 3600.0) < 1.0)
    if not jumps.size:
        return []
    text = (
        f"the dates jump by an hour at {grid.times[jumps[0]] - grid.times[0]:.0f} s, as they do when summer time begins"
    )
    text += "; it counts as lost samples; cut the file there, or accept=clock if it was a pause"
    return [Note(code="clock", text=text, doubt=True, count=int(jumps.size))]


def _stamps(
    table: TextTable, columns: ColumnRoles, reading: FileHints, nominal: float
) -> tuple[NDArray[np.float64], list[Note]]:
    """Return the column of times in seconds."""
    assert columns.time is not None
    texts = table.texts(columns.time)
    unit = reading.time_unit or columns.time_unit
    sample = [text for text in texts[:50] if text]
    if unit == "date" or (not unit and any(not numeric(text) for text in sample)):
        return _dates(texts, table.path), [Note(code="times", text="dates")]
    values = table.numbers([columns.time], empty=True)[:, 0]
    unit = {"sec": "s", "seconds": "s", "msec": "ms", "µs": "us", "usec": "us", "sample": "samples"}.get(unit, unit)
    if unit == "samples":
        if not nominal:
            raise ArgumentError(f"{table.path} counts samples; say their rate: '{table.path}?sfreq=250'.")
        return values / nominal, [Note(code="times", text="numbers of samples")]
    if unit in _SECONDS:
        who = "as you say" if reading.time_unit else "stated"
        return _scaled(values, unit), [Note(code="times", text=f"in {unit} ({who})")]
    if unit:
        raise ArgumentError(f"time_unit is {unit!r}; allowed: {', '.join(_SECONDS)}, samples, date.")
    return _guessed(values, table, nominal)


def _scaled(values: NDArray[np.float64], unit: str) -> NDArray[np.float64]:
    """Return times in seconds from the first one on: large numbers keep their digits."""
    good = values[np.isfinite(values)]
    origin = float(good[0]) if good.size else 0.0
    return (values - origin) * _SECONDS[unit] + origin * _SECONDS[unit]


def _guessed(values: NDArray[np.float64], table: TextTable, nominal: float) -> tuple[NDArray[np.float64], list[Note]]:
    """Return times whose unit nothing states: by their size where they are UNIX time, else by the rate they would give.

    Raises
    ------
    ArgumentError
        If they could be samples, milliseconds or seconds alike.
    """
    good = values[np.isfinite(values)]
    if good.size < 2:
        raise SourceError(f"{table.path}: its times do not rise, so the sampling rate is unknown. State it: sfreq=256.")
    size = float(np.median(good))
    for limit, unit in ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s")):
        if size > limit:
            return _scaled(values, unit), [Note(code="times", text=f"UNIX time in {unit} (by its size)")]
    # Whatever one odd stamp says.
    low, high = np.percentile(good, [5, 95])
    step = float(high - low) / (0.9 * (good.size - 1))
    whole = bool(np.mean(good == np.rint(good)) > 0.99)
    if step < 0.5:
        return values, [Note(code="times", text="in s (by the rate)")]
    if whole and abs(step - 1.0) < 0.01:
        if nominal:
            unit = "ms" if abs(nominal - 1000.0) < 50 else "samples"
            scaled = values * 1e-3 if unit == "ms" else values / nominal
            return scaled, [Note(code="times", text=f"{unit} (by the rate of {nominal:g} Hz)")]
        raise ArgumentError(
            f"{table.path}: the times are 0, 1, 2, ...; they may be numbers of samples or milliseconds. Say which: "
            f"'{table.path}?sfreq=250' (samples) or '?time_unit=ms'."
        )
    expected = nominal or 300.0
    unit = min(_SECONDS, key=lambda one: abs(np.log(1.0 / (step * _SECONDS[one]) / expected)))
    rate = 1.0 / (step * _SECONDS[unit])
    text = f"taken for {unit}: in seconds the rate would be {1 / step:.3g} Hz; time_unit={unit} confirms it"
    sure = bool(nominal) and abs(rate / nominal - 1) < 0.1
    return _scaled(values, unit), [Note(code="times", text=text, doubt=not sure)]


def _dates(texts: list[str], path: Path) -> NDArray[np.float64]:
    """Return dates or times of day in seconds; a day that begins anew is counted on."""
    found = np.full(len(texts), np.nan)
    day, before = 0.0, -np.inf
    for row, text in enumerate(texts):
        if not text:
            continue
        clock = re.fullmatch(r"(\d{1,2}):(\d{2}):(\d{2})(?:[.,:](\d{1,9}))?", text)
        try:
            if clock is not None:
                part = float(f"0.{clock[4]}") if clock[4] else 0.0
                value = int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3]) + part
                if value < before - 43200:
                    day += 86400.0
                before = value
                found[row] = day + value
            else:
                found[row] = datetime.datetime.fromisoformat(text.replace("/", "-").replace(",", ".")).timestamp()
        except (ValueError, OverflowError):
            raise SourceError(
                f"{path}: {text!r} is no time bcikit can read; dates must be like 2024-01-31 10:00:00.123."
            ) from None
    return found


def _probe(path: Path, head: bytes) -> bool:
    if path.is_dir() or not head or (b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff"))):
        return False
    if path.suffix.lower() in _SUFFIXES:
        return True
    # Another name: only what begins like a table of times.
    first = head.split(b"\n", 1)[0].decode("latin-1")
    cells = re.split(r"[,;\t]", first)
    return len(cells) > 1 and time_title(cells[0]) is not None


TABLE = Format(
    name="table",
    title="a table of text (Muse, Mind Monitor, EMOTIV, NeuroSky, or any with a column of times)",
    suffixes=_SUFFIXES,
    probe=_probe,
    read=read_text_table,
    options=("unit", "sfreq", "encoding", "time_unit", "map"),
)
