"""Export to BIDS-EEG: the signals with pybv or edfio, and around them what the standard asks for."""

import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bcikit.recording.bids_files import (
    channels_table,
    coordinate_system,
    dataset_description,
    electrodes_table,
    events_sidecar,
    events_table,
    merge_participants,
    participants_sidecar,
    readme,
    signal_sidecar,
    write_json,
    write_text,
)
from bcikit.recording.edf import edf_labels, shortened, write_edf
from bcikit.recording.session import Session
from bcikit.recording.staging import staged
from bcikit.recording.view import VOLT_TYPES, ExportView, report_loss
from bcikit.recording.vocabulary import is_plain
from bcikit.signal import ArgumentError, MissingDependencyError, RecordingError, check_choice

FORMATS = ("brainvision", "edf", "bdf")
"""How the signals may be kept; BrainVision has single precision, EDF 16 and BDF 24 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BidsLabels:
    """Where a recording stands in a BIDS dataset; labels are letters and digits.

    Attributes
    ----------
    subject : str
        Label of the person: a code, never a name.
    task : str
        What was done.
    session : str
        Label of the visit; empty if there is only one.
    run : str
        Number of the run; empty if there is only one.
    """

    subject: str = "01"
    task: str = ""
    session: str = ""
    run: str = ""

    def __post_init__(self) -> None:
        for name in ("subject", "task", "session", "run"):
            value = getattr(self, name)
            if value and not re.fullmatch(r"\d+" if name == "run" else r"[A-Za-z0-9]+", value):
                raise ArgumentError(
                    f"{name} is {value!r}; BIDS allows {'digits' if name == 'run' else 'letters, digits'}."
                )
        if not self.subject:
            raise ArgumentError("subject must not be empty.")

    @property
    def folder(self) -> Path:
        """Folder of the signals in the dataset."""
        visit = f"ses-{self.session}" if self.session else "."
        return Path(f"sub-{self.subject}") / visit / "eeg"

    @property
    def person(self) -> str:
        """Beginning of the names of files about person and visit."""
        return f"sub-{self.subject}" + (f"_ses-{self.session}" if self.session else "")

    @property
    def stem(self) -> str:
        """Beginning of the names of files about this recording."""
        return f"{self.person}_task-{self.task}" + (f"_run-{self.run}" if self.run else "")


def export_bids(
    session: Session,
    root: str | Path,
    *,
    labels: BidsLabels | None = None,
    format: str = "brainvision",  # noqa: A002 - the word a user knows
    keep: Collection[str] = (),
    overwrite: bool = False,
    lossy: bool = False,
) -> Path:
    """Add a session to a BIDS dataset, which is made where there is none.

    A recording that lost samples is "discontinuous": the lost samples are zeros under a "BAD_lost" event, so that times
    stay true. Bad spans of a channel are events with its name, and its status follows from how much of it was bad.

    Parameters
    ----------
    session : Session
        What to export.
    root : str or Path
        Folder of the dataset.
    labels : BidsLabels or None
        Subject, task, visit and run; subject "01" and the task of the session where they are left out.
    format : str
        "brainvision", "edf" or "bdf".
    keep : collection of str
        What not to take out: "channels", "device", "texts", "all".
    overwrite : bool
        Whether a recording that exists may be replaced; in another format, too.
    lossy : bool
        Whether something may be left out that the format cannot hold; else what is left out is a `DoubtWarning`.

    Returns
    -------
    Path
        The file of the signals.

    Raises
    ------
    RecordingError
        If it exists already, would hold what identifies, or cannot be written.
    """
    root = Path(root)
    check_choice("format", format, FORMATS)
    labels = labels or BidsLabels()
    if not labels.task:
        labels = BidsLabels(subject=labels.subject, task=task_of(session), session=labels.session, run=labels.run)
    view = ExportView.of(session, keep=keep)
    report_loss(
        labels.stem, view.left_out if format == "brainvision" else (*view.left_out, *shortened(view.info)), lossy=lossy
    )
    if not overwrite and list((root / labels.folder).glob(f"{labels.stem}_eeg.*")):
        raise RecordingError(
            f"{root / labels.folder / labels.stem} exists already; give it another run, session or subject "
            "(--run 2), or say --overwrite."
        )
    if format != "brainvision":
        # The tables name channels as the file can.
        view = view.renamed(edf_labels(view.info))
    suffix = {"brainvision": ".vhdr", "edf": ".edf", "bdf": ".bdf"}[format]
    with staged(root, view.check, overwrite=overwrite) as aside:
        folder = aside / labels.folder
        folder.mkdir(parents=True)
        signals = folder / f"{labels.stem}_eeg{suffix}"
        if format == "brainvision":
            write_brainvision(view, signals)
        else:
            write_edf(view, signals)
        write_json(folder / f"{labels.stem}_eeg.json", signal_sidecar(view, labels.task))
        write_text(folder / f"{labels.stem}_channels.tsv", channels_table(view))
        write_text(folder / f"{labels.stem}_events.tsv", events_table(view))
        write_json(folder / f"{labels.stem}_events.json", events_sidecar(view))
        _write_electrodes(root / labels.folder, folder, labels, view, overwrite=overwrite)
        made = {path.name for path in folder.iterdir()}
    if overwrite:
        _remove_former(root / labels.folder, labels, made)
    # Last: a person without a recording would make the dataset invalid.
    _write_dataset(root, labels, view)
    return root / labels.folder / signals.name


def task_of(session: Session) -> str:
    """Return the task label of a session: the paradigm of its configuration where its name is made of plain words."""
    paradigm = session.config.get("paradigm", "")
    if isinstance(paradigm, dict):
        paradigm = paradigm.get("kind") or paradigm.get("name") or ""
    text = str(paradigm).removeprefix("paradigm:")
    return re.sub(r"[^A-Za-z0-9]", "", text) if text and is_plain(text) else "bci"


def _write_dataset(root: Path, labels: BidsLabels, view: ExportView) -> None:
    """Make what every dataset has, where it is missing, and enter the person."""
    with staged(root, view.check, overwrite=True) as aside:
        if not (root / "dataset_description.json").exists():
            write_json(aside / "dataset_description.json", dataset_description())
        if not any(root.glob("README*")):
            write_text(aside / "README.md", readme())
        if not (root / "participants.json").exists():
            write_json(aside / "participants.json", participants_sidecar())
        people = root / "participants.tsv"
        before = people.read_text(encoding="utf-8") if people.exists() else ""
        write_text(aside / "participants.tsv", merge_participants(before, labels.subject))


def _write_electrodes(there: Path, folder: Path, labels: BidsLabels, view: ExportView, *, overwrite: bool) -> None:
    table, source = electrodes_table(view)
    if not table:
        return
    name = f"{labels.person}_space-CapTrak_electrodes.tsv"
    old = there / name
    if old.exists() and old.read_text(encoding="utf-8") != table and not overwrite:
        raise RecordingError(f"{old} has other electrodes than this recording; name another visit with --session.")
    if not old.exists() or overwrite:
        write_text(folder / name, table)
        write_json(folder / f"{labels.person}_space-CapTrak_coordsystem.json", coordinate_system(source))


def _remove_former(folder: Path, labels: BidsLabels, made: Collection[str]) -> None:
    """Remove what is left of a recording that was written over: signals in another format, electrodes that it had."""
    former = list(folder.glob(f"{labels.stem}_eeg.*"))
    signals = folder.glob(f"{labels.person}_*_eeg.*")
    if all(path.name.startswith(f"{labels.stem}_eeg.") for path in signals):
        # Other recordings of the visit share them.
        former += [folder / f"{labels.person}_space-CapTrak_{what}" for what in ("electrodes.tsv", "coordsystem.json")]
    for path in former:
        if path.name not in made:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise RecordingError(
                    f"{path} is of the recording that was written over and cannot be removed: "
                    f"{error.strerror or error}. Remove it: it is not what the tables beside it tell of."
                ) from error


def write_brainvision(view: ExportView, path: Path) -> None:
    """Write a view as BrainVision (.vhdr, .eeg, .vmrk) in single precision."""
    try:
        import pybv
    except ImportError as error:
        raise MissingDependencyError("pybv", "formats", "Writing BrainVision") from error
    kinds = view.info.ch_types
    in_volts = np.array([1e-6 if kind in VOLT_TYPES and view.info.unit == "uV" else 1.0 for kind in kinds])
    units = ["µV" if scale != 1.0 else "AU" for scale in in_volts]
    events = []
    for row in view.rows:
        onset = round(row.onset * view.info.sfreq)
        length = min(max(1, round(row.duration * view.info.sfreq)), view.n_times - onset)
        if 0 <= onset < view.n_times:
            # How the format writes a comma in a text.
            text = row.text.replace(",", r"\1")
            events.append({"onset": onset, "duration": length, "description": text, "type": "Comment"})
    with warnings.catch_warnings():
        # Said of every unit but µV.
        warnings.filterwarnings("ignore", message="Encountered unsupported")
        pybv.write_brainvision(
            data=(view.data * in_volts).T,
            sfreq=view.info.sfreq,
            ch_names=list(view.info.ch_names),
            fname_base=path.stem,
            folder_out=path.parent,
            events=events,
            resolution=1.0,
            unit=units,
            fmt="binary_float32",
        )
