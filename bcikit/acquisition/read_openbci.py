"""Text files of the OpenBCI GUI, versions 2 to 6: microvolts, a packet counter, stamps in several forms."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.codes import column_events
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.formats import FileHints, Format
from bcikit.acquisition.profile import DeviceProfile, profile_for_board
from bcikit.acquisition.rows import TextTable, encoding_of, numeric, read_lines, read_table
from bcikit.acquisition.stamps import BAND
from bcikit.signal import Note, Recording, SourceError, StreamInfo

_BOARDS = {
    "cyton": "CYTON_BOARD",
    "daisy": "CYTON_DAISY_BOARD",
    "ganglion": "GANGLION_BOARD",
    "cytonwifi": "CYTON_WIFI_BOARD",
    "cytonwifidaisy": "CYTON_DAISY_WIFI_BOARD",
    "ganglionwifi": "GANGLION_WIFI_BOARD",
}
"""Board by a word of the head; the last that is there counts, so what holds another word comes after it."""
_ACCEL = 3
_CLOCK = re.compile(r"\d{1,2}:\d{2}:\d{2}([.,:]\d+)?")


def count_samples(
    packets: NDArray[np.float64], times: NDArray[np.float64], profile: DeviceProfile | None, sfreq: float
) -> tuple[NDArray[np.intp], NDArray[np.int64], list[Note]]:
    """Return the rows to keep, the index of each with lost samples counted, and what is to be said.

    Parameters
    ----------
    packets, times : ndarray, shape (n_times,)
        Packet counter and stamp (seconds) of each row.
    profile : DeviceProfile or None
        Says how the counter runs.
    """
    rows = np.arange(times.shape[0], dtype=np.intp)
    notes: list[Note] = []
    samples = rows.astype(np.int64)
    if profile is not None and profile.counter is not None:
        count = PacketCounter(profile.counter.modulus, sfreq, step=profile.counter.step).count(packets, times)
        rows = rows if count.keep is None else count.keep
        samples = np.arange(rows.shape[0], dtype=np.int64) + np.cumsum(count.lost)
        lost = int(count.lost.sum())
        if lost:
            notes.append(Note(code="lost", text=f"{lost} samples lost (by the packet counter)", count=lost))
        if count.repeated or count.reordered:
            text = f"{count.repeated} packets that came twice and {count.reordered} out of order were left out"
            notes.append(Note(code="repaired", text=text, count=count.repeated + count.reordered))
    kept = times[rows]
    good = np.isfinite(kept)
    if np.count_nonzero(good) > 10:
        span = float(kept[good][-1] - kept[good][0])
        real = (float(samples[good][-1]) - float(samples[good][0])) / span if span > 0 else 0.0
        if span > 5.0 and abs(real / sfreq - 1.0) > max(BAND, 1.0 / span):
            text = f"says {sfreq:g} Hz; counter and stamps say {real:.4g} Hz; sfreq={round(real, 1):g} takes that"
            notes.append(Note(code="rate", text=text, doubt=True))
    return rows, samples, notes


def read_openbci(path: Path, reading: FileHints) -> Recording:
    """Return a text file of the OpenBCI GUI as a recording.

    Raises
    ------
    SourceError
        If its head says no rate, or it is damaged.
    """
    encoding = encoding_of(path, reading.encoding)
    lines, _ = read_lines(path, encoding)
    n_head = next((i for i, line in enumerate(lines) if not line.lstrip().startswith("%")), len(lines))
    head = "\n".join(lines[:n_head])
    rate = re.search(r"Sample Rate\s*=\s*([\d.,]+)", head)
    sfreq = reading.sfreq or (float(rate[1].replace(",", ".").rstrip(".")) if rate else 0.0)
    if sfreq <= 0:
        raise SourceError(f"{path}: the head of this OpenBCI file says no sampling rate; say it: '{path}?sfreq=250'.")
    notes: list[Note] = []
    skip = n_head + _unmeasured(lines[n_head : n_head + 3], notes)
    table = read_table(path, encoding=encoding, skip=skip, partial=reading.partial)
    count = re.search(r"Number of channels\s*=\s*(\d+)", head)
    signals, stamp, marker = _columns(table, int(count[1]) if count else None, path)
    if table.n_rows > 2:
        table = _without_zeros(table, signals, notes)
    times = _stamps(table, stamp)
    data = table.numbers([0, *signals])
    board = next((value for key, value in reversed(_BOARDS.items()) if key in head.lower()), None)
    profile = None if board is None else profile_for_board(board)
    rows, samples, more = count_samples(data[:, 0], times, profile, sfreq)
    notes += more
    info = StreamInfo(
        name=path.name,
        sfreq=sfreq,
        ch_names=tuple(f"EXG{i}" for i in range(len(signals))),
        device="OpenBCI" if profile is None else profile.name,
    )
    if profile is not None and (profile.channels is None or len(profile.channels) == len(signals)):
        info = profile.describe(info)
    smooth = (samples - samples[0]) / sfreq
    events = []
    if marker is not None:
        column = table.numbers([marker], empty=True)[rows, 0]
        events = column_events(column, samples, smooth, "marker channel")
    start = times[rows[0]] if rows.size else np.nan
    others = [title for i, title in enumerate(table.titles) if i not in (0, *signals, stamp, marker)]
    used = {title for title in others if title and title not in ("Other", "Not Used")}
    notes.append(Note(code="unit", text=f"{len(signals)} channels: uV (known of the OpenBCI GUI)"))
    if used:
        notes.append(Note(code="columns", text=f"left out: {', '.join(sorted(used))}", count=len(used)))
    return Recording(
        info=info.replace(source_id=f"start:{start:.3f}") if np.isfinite(start) else info,
        data=np.ascontiguousarray(data[rows, 1:]),
        times=smooth,
        samples=samples,
        events=tuple(events),
        notes=tuple(notes),
    )


def _unmeasured(lines: list[str], notes: list[Note]) -> int:
    """Return 1 where a row of zeros of another length stands above the first row, as version 5 writes it."""
    if len(lines) < 2:
        return 0
    cells = [cell.strip() for cell in re.split(r",\s*", lines[0])]
    zero = all(numeric(cell) and float(cell) == 0 for cell in cells if cell)
    if zero and len(cells) > 1 and len(cells) != len(re.split(r",\s*", lines[1])):
        notes.append(Note(code="repaired", text="a first row of zeros was never measured; left out", count=1))
        return 1
    return 0


def _without_zeros(table: TextTable, signals: list[int], notes: list[Note]) -> TextTable:
    """Leave out rows at the beginning whose channels are all exactly zero, though others are not."""
    data = table.numbers(signals, rows=2)
    moving = np.flatnonzero(data.any(axis=1))
    first = int(moving[0]) if moving.size else 0
    # A board that is off gives zeros for long; the GUI itself writes one such row.
    if first != 1:
        return table
    notes.append(Note(code="repaired", text="a first row of zeros was never measured; left out", count=1))
    keep = np.ones(table.n_rows, dtype=bool)
    keep[:first] = False
    return table.keep(keep)


def _columns(table: TextTable, n_channels: int | None, path: Path) -> tuple[list[int], int | None, int | None]:
    """Return the columns of the channels, of the stamps and of the markers."""
    titles = [title.lower() for title in table.titles]
    if titles:
        signals = [i for i, title in enumerate(titles) if re.fullmatch(r"(exg|eeg) channel \d+", title)]
        stamp = titles.index("timestamp") if "timestamp" in titles else None
        marker = titles.index("marker channel") if "marker channel" in titles else None
        if signals:
            if n_channels is not None and len(signals) != n_channels:
                raise SourceError(
                    f"{path}: the head says {n_channels} channels, the titles name {len(signals)}; the file is damaged."
                )
            return signals, stamp, marker
    places = range(table.n_columns)
    first = [""] * table.n_columns
    if n_channels is None or not titles:
        first = [cell.strip() for cell in next(table.cells(rows=1))]
    clocks = [i for i in places if _CLOCK.fullmatch(first[i])]
    unix = [i for i in places if numeric(first[i]) and float(first[i].replace(",", ".")) > 1e8]
    if n_channels is None:
        # Versions 2 and 3: index, channels, three of the accelerometer, clock, and perhaps milliseconds.
        last = min([*clocks, *unix, table.n_columns])
        n_channels = last - 1 - _ACCEL
        if n_channels not in (4, 8, 16):
            raise SourceError(
                f"{path}: the head says no number of channels, and its {table.n_columns} columns do not tell; "
                "read it as a table: map='eeg=1:8 ...'."
            )
    if n_channels + 1 > table.n_columns:
        raise SourceError(f"{path} is damaged: {table.n_columns} columns for {n_channels} channels.")
    return list(range(1, n_channels + 1)), next(iter(unix or clocks), None), None


def _stamps(table: TextTable, column: int | None) -> NDArray[np.float64]:
    """Return the stamps in seconds; not a number where there are none."""
    if column is None:
        return np.full(table.n_rows, np.nan)
    texts = table.texts(column)
    if _CLOCK.fullmatch(texts[0]):
        found = np.full(len(texts), np.nan)
        for row, text in enumerate(texts):
            parts = text.replace(",", ".").split(":")
            if len(parts) == 3 and all(map(numeric, parts)):
                hours, minutes, seconds = map(float, parts)
                found[row] = 3600 * hours + 60 * minutes + seconds
        # A day that begins anew goes on.
        return found + 86400.0 * np.concatenate([[0], np.cumsum(np.diff(found) < -43200)])
    values = table.numbers([column], empty=True)[:, 0]
    size = float(np.nanmedian(values))
    return values * (1e-6 if size > 1e14 else 1e-3 if size > 1e11 else 1.0)


def _probe(_path: Path, head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n").startswith(
        (b"%OpenBCI", b"%STOP", b"%Sample Rate", b"%Number of channels")
    )


OPENBCI = Format(
    name="openbci",
    title="a text file of the OpenBCI GUI (version 2 to 6)",
    suffixes=(".txt", ".csv"),
    probe=_probe,
    read=read_openbci,
    options=("sfreq", "encoding"),
)
