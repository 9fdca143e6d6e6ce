"""Which column of a table is what: by a dialect, by what the user says, or by the titles."""

import re
from dataclasses import dataclass, field, replace

from bcikit.acquisition.dialect import Dialect, matches
from bcikit.acquisition.rows import TextTable, numeric
from bcikit.signal import CHANNEL_TYPES, ArgumentError, is_other, is_voltage

_TIME = re.compile(
    r"(?:t|times?|time[ _]?stamps?|unix[ _]?time(?:stamps?)?|date[ _]?time|seconds?|elapsed|lsl[ _]?times?(?:tamps?)?)"
    r"(?:[ _]*[\[(]?(?P<unit>s|sec|seconds?|ms|msec|milliseconds?|us|usec|µs|microseconds?|ns|samples?)[\])]?)?",
    re.IGNORECASE,
)
_UNITS = {"s": "s", "sec": "s", "ms": "ms", "msec": "ms", "us": "us", "usec": "us", "µs": "us", "ns": "ns"}
_MARKER = re.compile(
    r"(markers?|stim(ulus)?|triggers?|events?|annotations?|codes?|labels?)[ _-]?(channel)?[ _-]?\d*", re.I
)
"""Titles of columns that hold markers: zero or nothing, and a number or text at the sample of a marker."""
_NO_SIGNAL = re.compile(
    r"(sample[ _]?(index|number|nr|no)?|index|counter|packet.*|package.*|battery.*|quality.*|.*quality|poor[ _]?signal|"
    r"hsi.*|contact.*|impedance.*|(delta|theta|alpha|beta|gamma)([ _].*)?|.*[ _](delta|theta|alpha|beta|gamma)|"
    r"attention|meditation|temp(erature)?|hr|heart.?rate|ppg.*|.*aux.*|status|interpolated|trial|epoch|condition)",
    re.IGNORECASE,
)
_MOTION = (
    (re.compile(r"acc(el(erometer)?)?[ _-]?(channel[ _]?\d|[xyz]|\d)", re.IGNORECASE), "accel"),
    (re.compile(r"gyro(scope)?[ _-]?([xyz]|\d)", re.IGNORECASE), "gyro"),
    (re.compile(r"(h|v)?eog.*", re.IGNORECASE), "eog"),
    (re.compile(r"ecg.*|ekg.*", re.IGNORECASE), "ecg"),
    (re.compile(r"emg.*", re.IGNORECASE), "emg"),
)
_IN_BRACKETS = re.compile(r"(?P<name>.*?)[ _]*[\[(](?P<unit>[^\])]+)[\])]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRoles:
    """What the columns of a table are.

    Attributes
    ----------
    signals : dict of int to (str, str)
        Column to name and type of a channel.
    units : dict of int to str
        Column to a unit that its title states.
    time : int or None
        Column of times.
    time_unit : str
        s, ms, us, ns, samples or date; empty where nothing says.
    markers, texts : dict of int to str
        Columns of codes and of texts, and their titles.
    ignored : tuple of str
        Titles of columns that are left out.
    unit : str
        Unit of the voltages, as the dialect or the user says.
    origin : str
        Who says so.
    scale : float or None
        Microvolts a count.
    rate : float or None
        Nominal rate in Hz.
    device, reference : str
        Of the amplifier.
    """

    signals: dict[int, tuple[str, str]]
    units: dict[int, str] = field(default_factory=dict)
    time: int | None = None
    time_unit: str = ""
    markers: dict[int, str] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    unit: str = ""
    origin: str = ""
    scale: float | None = None
    rate: float | None = None
    device: str = ""
    reference: str = ""

    def describe(self) -> str:
        """Return in one line what is what, for a preview."""
        parts = [f"time=column {self.time} [{self.time_unit or '?'}]"] if self.time is not None else ["no times"]
        kinds: dict[str, list[str]] = {}
        for name, kind in self.signals.values():
            kinds.setdefault(kind, []).append(name)
        parts += [f"{kind}: {', '.join(names)}" for kind, names in kinds.items()]
        parts += [f"markers: {', '.join(self.markers.values())}"] if self.markers else []
        parts += [f"texts: {', '.join(self.texts.values())}"] if self.texts else []
        parts += [f"left out: {', '.join(self.ignored)}"] if self.ignored else []
        return "; ".join(parts)


def _is_text(table: TextTable, column: int) -> bool:
    """Return whether a column holds words, or nothing in most rows."""
    cells = [cell for cell in table.texts(column) if cell]
    return any(not numeric(cell) for cell in cells) or len(cells) < 0.5 * table.n_rows


def time_title(title: str) -> str | None:
    """Return the unit in the title of a column of times, empty where it states none; None if it is no such title."""
    found = _TIME.fullmatch(title.strip())
    if found is None:
        return None
    unit = (found["unit"] or "").lower()
    return _UNITS.get(unit) or ("samples" if unit.startswith("sample") else _UNITS.get(unit[:1], "") if unit else "")


def by_dialect(table: TextTable, dialect: Dialect) -> ColumnRoles:
    """Return what the columns of a program's table are."""

    def first(patterns: tuple[str, ...]) -> int | None:
        found = (i for pattern in patterns for i, title in enumerate(table.titles) if matches(pattern, title))
        return next(found, None)

    time = first(dialect.time)
    signals: dict[int, tuple[str, str]] = {}
    markers: dict[int, str] = {}
    texts: dict[int, str] = {}
    ignored: list[str] = []
    kinds = {"eeg": dialect.signal, "misc": dialect.misc, "accel": dialect.accel, "gyro": dialect.gyro}
    for i, title in enumerate(table.titles):
        if i == time:
            continue
        name = title.removeprefix(dialect.strip) if dialect.strip else title
        kind = next((kind for kind, patterns in kinds.items() if any(matches(p, title) for p in patterns)), None)
        if any(matches(p, title) for p in dialect.texts):
            texts[i] = title
        elif any(matches(p, title) for p in dialect.markers) or (not dialect.markers and _MARKER.fullmatch(title)):
            (texts if _is_text(table, i) else markers)[i] = title
        elif kind is not None:
            signals[i] = (name, kind)
        else:
            ignored.append(title)
    return ColumnRoles(
        signals=signals, time=time, time_unit=dialect.time_unit, markers=markers, texts=texts, ignored=tuple(ignored),
        unit=dialect.unit, origin=f"known of {dialect.name}", scale=dialect.scale, rate=dialect.rate,
        device=dialect.device, reference=dialect.reference,
    )  # fmt: skip


def by_titles(table: TextTable) -> ColumnRoles:
    """Return what the columns of a table of no known program are, by what stands above them."""
    signals: dict[int, tuple[str, str]] = {}
    units: dict[int, str] = {}
    markers: dict[int, str] = {}
    texts: dict[int, str] = {}
    ignored: list[str] = []
    time, time_unit = None, ""
    for i, title in enumerate(table.titles):
        unit_of_time = time_title(title)
        if unit_of_time is not None:
            if time is None:
                time, time_unit = i, unit_of_time
            else:
                ignored.append(title)
        elif _MARKER.fullmatch(title):
            (texts if _is_text(table, i) else markers)[i] = title
        elif not title or _is_text(table, i):
            (texts.update({i: title}) if title else ignored.append(f"column {i}"))
        else:
            found = _IN_BRACKETS.fullmatch(title)
            name = title
            if found is not None and (is_voltage(found["unit"]) or is_other(found["unit"])):
                name, units[i] = found["name"], found["unit"]
            kind = next((kind for pattern, kind in _MOTION if pattern.fullmatch(name)), "eeg")
            if kind == "eeg" and (_NO_SIGNAL.fullmatch(name) or (i in units and not is_voltage(units[i]))):
                kind = "misc"
            if re.fullmatch(r"sample[ _]?(index|number|nr|no)?|index|counter", name, re.IGNORECASE):
                ignored.append(title)
                continue
            signals[i] = (name, kind)
    return ColumnRoles(
        signals=signals, units=units, time=time, time_unit=time_unit, markers=markers, texts=texts,
        ignored=tuple(ignored),
    )  # fmt: skip


def by_map(table: TextTable, text: str) -> ColumnRoles:
    """Return what the user says the columns are: ``eeg=2:9 time=0[ms] marker=10 names=C3,Cz unit=uV rate=250``.

    Columns are numbers from 0 on, ranges with both ends, or titles, several parted by commas.

    Raises
    ------
    ArgumentError
        If a part cannot be understood, or there is no such column.
    """
    columns = ColumnRoles(signals={}, origin="as you say")
    names: list[str] = []
    for part in text.split():
        key, equals, value = part.partition("=")
        if not equals or not value:
            raise ArgumentError(f"map has {part!r}; each part must be like eeg=2:9, time=0[ms] or marker=10.")
        if key == "time":
            found = _IN_BRACKETS.fullmatch(value)
            where, unit = (found["name"], found["unit"]) if found else (value, "")
            columns = replace(columns, time=_places(table, where, part)[0], time_unit=unit)
        elif key in ("marker", "markers"):
            columns = replace(columns, markers=columns.markers | _titled(table, _places(table, value, part)))
        elif key in ("text", "texts"):
            columns = replace(columns, texts=columns.texts | _titled(table, _places(table, value, part)))
        elif key == "unit":
            columns = replace(columns, unit=value)
        elif key == "rate":
            columns = replace(columns, rate=_positive(value, part))
        elif key == "names":
            names = value.split(",")
        elif key in CHANNEL_TYPES:
            places = {i: (_title(table, i) or f"{key.upper()}{i}", key) for i in _places(table, value, part)}
            columns = replace(columns, signals=columns.signals | places)
        else:
            allowed = "time, marker, text, unit, rate, names, " + ", ".join(CHANNEL_TYPES)
            raise ArgumentError(f"map has {key!r}; allowed: {allowed}.")
    if not columns.signals:
        raise ArgumentError("map names no column of samples; for example eeg=1:8.")
    if names:
        if len(names) != len(columns.signals):
            raise ArgumentError(f"map has {len(names)} names for {len(columns.signals)} channels.")
        fresh = {i: (name, kind) for name, (i, (_, kind)) in zip(names, columns.signals.items(), strict=True)}
        columns = replace(columns, signals=fresh)
    used = {columns.time, *columns.signals, *columns.markers, *columns.texts}
    rest = tuple(_title(table, i) or f"column {i}" for i in range(table.n_columns) if i not in used)
    return replace(columns, ignored=rest)


def _positive(value: str, part: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise ArgumentError(f"map has {part!r}; it must be a number above 0.")
    return number


def _title(table: TextTable, column: int) -> str:
    return table.titles[column] if column < len(table.titles) else ""


def _titled(table: TextTable, columns: list[int]) -> dict[int, str]:
    return {i: _title(table, i) or f"column {i}" for i in columns}


def _places(table: TextTable, text: str, part: str) -> list[int]:
    """Return the columns that a text names: ``2:9``, ``0``, ``1,3,C4``."""
    found: list[int] = []
    for one in text.split(","):
        if one in table.titles:
            found.append(table.titles.index(one))
            continue
        first, colon, last = one.partition(":")
        if not first.isdecimal() or (colon and not last.isdecimal()):
            known = f"; its titles are {', '.join(table.titles)}" if table.titles else ""
            raise ArgumentError(f"map has {part!r}: there is no column {one!r}{known}.")
        found += range(int(first), int(last if colon else first) + 1)
    if not found or max(found) >= table.n_columns:
        raise ArgumentError(f"map has {part!r}; the table has the columns 0 to {table.n_columns - 1}.")
    return found
