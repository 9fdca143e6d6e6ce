"""Export to FIF with MNE."""

import struct
from collections.abc import Collection
from pathlib import Path

from bcikit.recording.session import Session
from bcikit.recording.staging import staged_file
from bcikit.recording.view import ExportView, report_loss
from bcikit.signal import ArgumentError

_ID_STRUCT = 31
"""FIF type of an identity: version, machine (two numbers), seconds, microseconds."""

NOBODY = struct.pack(">iiii", 0, 0, 0, 2**31 - 1)
"""No machine, and the time that MNE reads as none."""


def export_fif(
    session: Session, path: str | Path, *, keep: Collection[str] = (), overwrite: bool = False, lossy: bool = False
) -> ExportView:
    """Write a session as FIF in double precision; events, lost and bad spans as annotations, bad channels marked.

    Parameters
    ----------
    session : Session
        What to export.
    path : str or Path
        A name that ends in ".fif"; MNE likes "_eeg.fif" or "_raw.fif".
    keep : collection of str
        What not to take out: "channels", "device", "texts", "all".
    overwrite : bool
        Whether a file that exists may be replaced.
    lossy : bool
        Whether something may be left out that the format cannot hold; else what is left out is a `DoubtWarning`.

    Returns
    -------
    ExportView
        What was written.
    """
    path = Path(path)
    if path.suffix.lower() != ".fif":
        raise ArgumentError(f"{path.name} must end in '.fif'.")
    view = ExportView.of(session, keep=keep)
    report_loss(path.name, view.without_values(), lossy=lossy)
    with staged_file(path, view.check, overwrite=overwrite) as aside:
        raw = view.recording().to_mne()
        raw.info["bads"] = [name for name, (good, _) in zip(view.info.ch_names, view.status, strict=True) if not good]
        raw.save(aside, fmt="double", split_naming="bids" if "_" in path.stem else "neuromag", verbose="ERROR")
        for part in aside.parent.glob("*.fif"):
            blank_identities(part)
    return view


def blank_identities(path: Path) -> None:
    """Overwrite every identity in a FIF file: MNE puts the network address of the machine and the time into them."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        position = 0
        while position + 16 <= size:
            file.seek(position)
            _, kind, length, following = struct.unpack(">iiii", file.read(16))
            if kind == _ID_STRUCT and length == 20:
                file.seek(position + 20)
                file.write(NOBODY)
            position = following if following > 0 else position + 16 + length
            if following < 0:
                return
