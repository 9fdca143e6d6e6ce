"""Text files of devices: OpenBCI GUI, BrainFlow, Muse and tables with a time column."""

import itertools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition import brainflow_boards as boards
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.lsl_meta import unique_names
from bcikit.acquisition.profile import profile_for_board
from bcikit.acquisition.stamps import on_grid
from bcikit.signal import ArgumentError, Event, Recording, SourceError, StreamInfo, microvolts_per

_MUSE = frozenset({"TP9", "AF7", "AF8", "TP10"})
_TIME_COLUMNS = frozenset({"timestamps", "timestamp", "time", "times"})
_MARKER_COLUMN = re.compile(r"(markers?|stim|triggers?|events?)[ _-]?\d*", re.IGNORECASE)
"""Names of columns that hold markers: zero, and a number at the sample of a marker ("Marker", "Marker0")."""
_OPENBCI_BOARDS = {"cyton": "CYTON_BOARD", "daisy": "CYTON_DAISY_BOARD", "ganglion": "GANGLION_BOARD"}


def read_text(
    path: Path,
    *,
    board: str | None = None,
    unit: str | None = None,
    sfreq: float | None = None,
    partial: bool = False,
) -> Recording:
    """Return a text file of a device.

    Parameters
    ----------
    path : Path
        OpenBCI GUI text (version 4 to 6), BrainFlow's own table (needs `board`), a Muse table, or any table whose
        header has a time column in seconds.
    board : str or None
        BrainFlow's name of the board, for its tables, which do not say.
    unit : str or None
        Unit of a table that is no Muse's.
    sfreq : float or None
        Sampling rate of a table; from the times where it is left out.
    partial : bool
        Leave out a last line that was cut off.

    Raises
    ------
    SourceError
        If the file is of no known kind, or damaged.
    """
    try:
        with path.open(encoding=_encoding(path)) as file:
            head = [file.readline() for _ in range(8)]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as text ({error}).") from None
    if head[0].startswith("%OpenBCI"):
        return _read_openbci(path, head, partial=partial)
    words = [word.strip() for word in re.split(r"[,;\t]", head[0].strip())]
    if words and words[0].lower() in _TIME_COLUMNS:
        return _read_table(path, words, head[0], unit=unit, sfreq=sfreq, partial=partial)
    if _numeric(words) and len(words) > 3:
        return _read_brainflow(path, head[0], len(words), board=board, partial=partial)
    raise SourceError(
        f"{path} is no text file bcikit knows: OpenBCI GUI text, BrainFlow's table, or a table whose first column is "
        "'timestamps' (seconds)."
    )


def _encoding(path: Path) -> str:
    """Return how a text is encoded: UTF-8 where it can be, else Latin-1, which older programs write."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
    try:
        (start.rpartition(b"\n")[0] or start).decode("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def _seconds_per(stamp: float) -> float:
    """Return the seconds that one in a column of times is: UNIX times may be in seconds, milli- or microseconds."""
    return 1e-6 if stamp > 1e14 else 1e-3 if stamp > 1e11 else 1.0


def _numeric(words: list[str]) -> bool:
    try:
        for word in words:
            float(word)
    except ValueError:
        return False
    return True


def _load(
    path: Path, *, delimiter: str, skip: int, columns: list[int], partial: bool, decimal: str = "."
) -> NDArray[np.float64]:
    cut_off = False

    def lines(file: TextIO) -> Iterator[str]:
        nonlocal cut_off
        for line in file:
            cut_off = not line.endswith("\n")
            if not (partial and cut_off):
                yield line if decimal == "." else line.replace(decimal, ".")

    try:
        with path.open(encoding=_encoding(path)) as file, warnings.catch_warnings():
            # It warns of a table without rows, which is an error below.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(lines(file), delimiter=delimiter, skiprows=skip, usecols=columns, ndmin=2)
    except (ValueError, OSError) as error:
        text = (str(error).strip().splitlines() or ["damaged"])[0]
        whole = f" To read what is whole: '{path}?partial=true'." if cut_off and not partial else ""
        raise SourceError(f"{path} is damaged or truncated: {text}.{whole}") from None
    if not table.shape[0]:
        raise SourceError(f"{path} holds no samples.")
    return table


def _count(
    packets: NDArray[np.float64], times: NDArray[np.float64], counter: PacketCounter | None
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return the rows to keep and the index of each, lost samples counted."""
    if counter is None:
        rows = np.arange(times.shape[0], dtype=np.intp)
        return rows, rows.astype(np.int64)
    count = counter.count(packets, times)
    rows = np.arange(times.shape[0], dtype=np.intp) if count.keep is None else count.keep
    return rows, np.arange(rows.shape[0], dtype=np.int64) + np.cumsum(count.lost)


def _markers(
    values: NDArray[np.float64], times: NDArray[np.float64], samples: NDArray[np.int64], source: str, prefix: str = ""
) -> tuple[Event, ...]:
    found = []
    for row in np.flatnonzero(np.nan_to_num(values)):
        value = float(values[row])
        number = int(value) if value.is_integer() else value
        found.append(
            Event(
                name=f"{prefix}{number}", time=float(times[row]), sample=int(samples[row]), value=number, source=source
            )
        )
    return tuple(found)


def _read_openbci(path: Path, head: list[str], *, partial: bool) -> Recording:
    """Read OpenBCI GUI text: microvolts, stamps in milliseconds (version 5) or seconds, counter in the first column."""
    text = "".join(line for line in head if line.startswith("%"))
    count = re.search(r"Number of channels\s*=\s*(\d+)", text)
    rate = re.search(r"Sample Rate\s*=\s*([\d.]+)", text)
    if count is None or rate is None or float(rate[1]) <= 0:
        raise SourceError(f"{path}: the head of this OpenBCI file says no number of channels or no sampling rate.")
    n_channels, sfreq = int(count[1]), float(rate[1])
    skip = sum(line.startswith("%") for line in head)
    columns = [word.strip() for word in ([*head, ""])[skip].split(",")]
    titled = columns[0].lower() == "sample index"
    skip += titled
    stamp_column = columns.index("Timestamp") if titled and "Timestamp" in columns else len(columns) - 2
    if not titled:
        # Version 5 begins with a row of zeros that was never measured, and is a column short of the others.
        with path.open(encoding=_encoding(path)) as file:
            first = next(itertools.islice(file, skip + 1, None), "")
        if not first.strip():
            raise SourceError(f"{path} holds no samples.")
        stamp_column = len(first.split(",")) - 2
        skip += 1
    marker_column = next((i for i, name in enumerate(columns) if name == "Marker Channel"), None) if titled else None
    wanted = [0, *range(1, n_channels + 1), stamp_column, *([] if marker_column is None else [marker_column])]
    table = _load(path, delimiter=",", skip=skip, columns=wanted, partial=partial)
    stamps = table[:, n_channels + 1]
    times = stamps * _seconds_per(float(np.median(stamps)))
    board_text = text.lower()
    board = next((value for key, value in reversed(_OPENBCI_BOARDS.items()) if key in board_text), None)
    profile = None if board is None else profile_for_board(board)
    counter = None
    if profile is not None and profile.counter is not None:
        counter = PacketCounter(profile.counter.modulus, sfreq, step=profile.counter.step)
    rows, samples = _count(table[:, 0], times, counter)
    info = StreamInfo(
        name=path.name,
        sfreq=sfreq,
        ch_names=tuple(f"EXG{i}" for i in range(n_channels)),
        device="OpenBCI" if profile is None else profile.name,
    )
    if profile is not None:
        info = profile.describe(info)
    origin = float(times[rows[0]])
    smooth = (samples - samples[0]) / sfreq
    events = () if marker_column is None else _markers(table[rows, -1], smooth, samples, "marker channel")
    return Recording(
        info=info.replace(source_id=f"start:{origin:.3f}"),
        data=np.ascontiguousarray(table[rows, 1 : n_channels + 1]),
        times=smooth,
        samples=samples,
        events=events,
    )


def _read_table(
    path: Path, words: list[str], head: str, *, unit: str | None, sfreq: float | None, partial: bool
) -> Recording:
    """Read a table with a time column: Muse's, or one whose unit is given."""
    is_muse = set(words) >= _MUSE
    if unit is None and not is_muse:
        raise ArgumentError(f"{path} states no unit. Say which it is: '{path}?unit=uV' (or mV, V, nV).")
    factor = microvolts_per(unit or "uV", where=str(path))
    # A comma is a decimal sign where another mark parts the columns.
    delimiter = next((mark for mark in ("\t", ";", ",") if mark in head), ",")
    markers = [i for i, word in enumerate(words) if i and _MARKER_COLUMN.fullmatch(word)]
    signal = [i for i in range(1, len(words)) if i not in markers]
    if not signal:
        raise SourceError(f"{path} has no column of samples.")
    decimal = "," if delimiter != "," else "."
    table = _load(path, delimiter=delimiter, skip=1, columns=[0, *signal, *markers], decimal=decimal, partial=partial)
    times = (table[:, 0] - table[0, 0]) * _seconds_per(float(np.median(table[:, 0])))
    rate = sfreq or _rate_of(times, path)
    samples, _ = on_grid(times, rate)
    names = unique_names([words[i] for i in signal])
    info = StreamInfo(
        name=path.name,
        sfreq=rate,
        ch_names=names,
        ch_types=tuple("misc" if "aux" in name.lower() else "eeg" for name in names),
        device="Muse" if is_muse else "",
        reference="Fpz" if is_muse else "",
    )
    scale = np.array([factor if kind == "eeg" else 1.0 for kind in info.ch_types])
    smooth = samples / rate
    return Recording(
        info=info,
        data=np.ascontiguousarray(table[:, 1 : len(signal) + 1] * scale),
        times=smooth,
        samples=samples,
        events=_marker_events(table[:, len(signal) + 1 :], smooth, samples, [words[i] for i in markers]),
    )


def _marker_events(
    columns: NDArray[np.float64], times: NDArray[np.float64], samples: NDArray[np.int64], names: list[str]
) -> tuple[Event, ...]:
    found = [event for index, name in enumerate(names) for event in _markers(columns[:, index], times, samples, name)]
    return tuple(sorted(found, key=lambda event: event.time))


def _rate_of(times: NDArray[np.float64], path: Path) -> float:
    """Return the sampling rate of a table: the mean over all rows, without the pauses."""
    steps = np.diff(times)
    if steps.shape[0] < 2 or not (np.median(steps) > 0):
        raise SourceError(f"{path}: its times do not rise, so the sampling rate is unknown. State it: '?sfreq=256'.")
    usual = steps[steps < 5 * np.median(steps)]
    rate = 1.0 / float(usual.mean())
    # Clocks of devices are true to a fraction of a per cent; their rates are whole numbers.
    return float(round(rate)) if abs(rate - round(rate)) < 0.01 * rate else rate


def _read_brainflow(path: Path, head: str, n_columns: int, *, board: str | None, partial: bool) -> Recording:
    """Read what BrainFlow's `write_file`, its file streamer or the OpenBCI GUI's raw option write."""
    if board is None:
        raise ArgumentError(
            f"{path} looks like a BrainFlow table of {n_columns} columns, which does not say of what board: "
            f"'{path}?board=cyton'."
        )
    number = boards.board_id(board, what="board")
    descr = boards.describe(number)
    if int(descr["num_rows"]) != n_columns:
        raise SourceError(f"{path} has {n_columns} columns; a {board} writes {descr['num_rows']}.")
    rows, info = boards.stream_info(descr, aux=False, name=path.name)
    delimiter = next(mark for mark in ("\t", ",", ";") if mark in head)
    table = _load(path, delimiter=delimiter, skip=0, columns=list(range(n_columns)), partial=partial)
    profile = profile_for_board(boards.board_name(number))
    counter = None
    if profile is not None:
        info = profile.describe(info)
        if profile.counter is not None:
            counter = PacketCounter(profile.counter.modulus, info.sfreq, step=profile.counter.step)
    times = table[:, int(descr["timestamp_channel"])]
    packets = table[:, int(descr.get("package_num_channel", 0))]
    kept, samples = _count(packets, times, counter)
    smooth = (samples - samples[0]) / info.sfreq
    marker = descr.get("marker_channel")
    events = () if marker is None else _markers(table[kept, int(marker)], smooth, samples, "brainflow")
    return Recording(
        info=info, data=np.ascontiguousarray(table[kept][:, rows]), times=smooth, samples=samples, events=events
    )
