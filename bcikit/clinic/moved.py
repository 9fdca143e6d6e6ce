"""What was moved to another folder, or brought back from a backup, is found again."""

from pathlib import Path

from bcikit.clinic.arms import FOLDER, sum_of, trial_of
from bcikit.clinic.visit import Training, Visit
from bcikit.recording import Catalogue
from bcikit.recording.corrections import follow_moved, is_gone, moved_to
from bcikit.signal import BciError


def here(path: str, data: Path, *, parts: int = 1) -> str:
    """Return where a folder, or a file in one (`parts` = 2), lies now: below `data` where it is not where it was."""
    return str(moved_to(path, data, parts=parts) or path)


def follow(catalogue: Catalogue, data: Path) -> None:
    """Enter where the sessions, models and the trial of this clinic's folder lie now."""
    follow_moved(catalogue, data)
    try:
        trial, total = trial_of(data), sum_of(data)
    except BciError:
        return
    for person in catalogue.subjects() if trial else ():
        drawn = dict(person.data.get("trial") or {})
        # What was drawn where no sum was kept yet is known by the code alone.
        same = drawn.get("trial") == trial and drawn.get("list", total) == total
        if same and is_gone(str(drawn.get("folder", ""))):
            catalogue.update_subject(person.code, merge={"trial": {**drawn, "folder": str(data / FOLDER)}})


def follow_visit(visit: Visit, data: Path, *, starting: str = "") -> None:
    """Let a visit that was left in the middle know where its recordings lie now; `starting` as in `forget_unmade`."""
    for one in _trainings(visit):
        one.parts = [here(folder, data) for folder in one.parts]
        one.calibrations = [here(folder, data) for folder in one.calibrations]
    forget_unmade(visit, starting=starting)
    visit.model = here(visit.model, data, parts=2)
    if visit.trial.get("folder"):
        visit.trial = {**visit.trial, "folder": here(str(visit.trial["folder"]), data)}


def forget_unmade(visit: Visit, *, starting: str = "") -> None:
    """Take out of a visit what ended before it recorded, such as without a headset: it is no part of a training.

    The folder that an engine may still make (`starting`) stays.
    """
    for one in _trainings(visit):
        one.parts = [folder for folder in one.parts if folder == starting or not _is_unmade(Path(folder))]
        one.calibrations = [folder for folder in one.calibrations if folder == starting or not _is_unmade(Path(folder))]


def _is_unmade(folder: Path) -> bool:
    # Where what it lies in is gone, too, a disk is not connected.
    return not folder.is_dir() and folder.parent.is_dir()


def _trainings(visit: Visit) -> list[Visit | Training]:
    return [visit, *visit.others.values()]
