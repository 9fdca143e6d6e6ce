"""Tables that BrainFlow writes: all rows of a board, without titles."""

import re
from pathlib import Path

import numpy as np

from bcikit.acquisition import brainflow_boards as boards
from bcikit.acquisition.codes import column_events
from bcikit.acquisition.formats import FileHints, Format
from bcikit.acquisition.profile import profile_for_board
from bcikit.acquisition.read_openbci import count_samples
from bcikit.acquisition.rows import encoding_of, numeric, read_table
from bcikit.signal import ArgumentError, Note, Recording, SourceError


def boards_of(n_columns: int) -> list[str]:
    """Return the names of the boards whose tables have so many columns."""
    found = []
    for name, number in sorted(boards.board_names().items()):
        try:
            descr = boards.describe(number)
        except SourceError:
            continue
        if int(descr.get("num_rows", 0)) == n_columns and descr.get("sampling_rate"):
            found.append(name)
    return found


def read_brainflow(path: Path, reading: FileHints) -> Recording:
    """Return what BrainFlow's `write_file`, its file streamer or the OpenBCI GUI's raw option writes.

    Raises
    ------
    ArgumentError
        If the board is not said; the message names those that fit.
    SourceError
        If it is damaged, or of another board.
    """
    if reading.map:
        from bcikit.acquisition.read_table import read_text_table

        return read_text_table(path, reading)
    table = read_table(path, encoding=encoding_of(path, reading.encoding), titled=False, partial=reading.partial)
    fitting = boards_of(table.n_columns)
    some = ", ".join(f"{name} ({table.n_columns})" for name in fitting[:6]) or "none"
    if reading.board is None:
        if not fitting:
            raise SourceError(
                f"{path} is a table of {table.n_columns} columns without titles, and no board of BrainFlow writes so "
                f"many. Say what the columns are: map='time=0[s] eeg=1:{table.n_columns - 1}'."
            )
        raise ArgumentError(
            f"{path} looks like a BrainFlow table of {table.n_columns} columns, which does not say of what board. Say "
            f"which: '{path}?board={fitting[0]}'; boards of so many columns: {some}. If it is another table: "
            f"map='eeg=0:{table.n_columns - 1} rate=250'."
        )
    number = boards.board_id(reading.board, what="board")
    descr = boards.describe(number)
    if int(descr["num_rows"]) != table.n_columns:
        raise SourceError(
            f"{path} has {table.n_columns} columns; a {reading.board} writes {descr['num_rows']}. Boards of "
            f"{table.n_columns} columns: {some}."
        )
    rows, info = boards.stream_info(descr, aux=False, name=path.name)
    if reading.sfreq:
        info = info.replace(sfreq=reading.sfreq)
    profile = profile_for_board(boards.board_name(number))
    if profile is not None:
        info = profile.describe(info)
    data = table.numbers(list(range(table.n_columns)))
    times = data[:, int(descr["timestamp_channel"])]
    packets = data[:, int(descr.get("package_num_channel", 0))]
    kept, samples, notes = count_samples(packets, times, profile, info.sfreq)
    smooth = (samples - samples[0]) / info.sfreq
    marker = descr.get("marker_channel")
    events = [] if marker is None else column_events(data[kept, int(marker)], samples, smooth, "brainflow")
    unit = Note(code="unit", text=f"uV (known of BrainFlow's {reading.board})")
    return Recording(
        info=info, data=np.ascontiguousarray(data[kept][:, rows]), times=smooth, samples=samples,
        events=tuple(events), notes=(unit, *notes),
    )  # fmt: skip


def _probe(path: Path, head: bytes) -> bool:
    if b"\0" in head or not head or path.suffix.lower() not in (".csv", ".txt", ".tsv"):
        return False
    lines = head.decode("latin-1").splitlines()
    cells = re.split(r"[\t;,]", lines[0].strip()) if lines else []
    return len(cells) > 3 and all(map(numeric, cells))


BRAINFLOW = Format(
    name="brainflow",
    title="a table of BrainFlow",
    suffixes=(".csv", ".txt"),
    probe=_probe,
    read=read_brainflow,
    options=("board", "sfreq", "encoding", "map"),
)
