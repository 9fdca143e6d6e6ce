"""Controlled trials: a sealed list of allocations, drawn one after the other, which nobody at the window can read.

The list is made once for a clinic's folder (``bcikit clinic --new-trial CODE --arms contingent,sham``). It holds a
keyed fingerprint (HMAC-SHA256) for each number; the key lies beside it, for the program alone. The sum of the list is
printed when it is made, so that a statistician can show later that it is the same list.
"""

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bcikit.clinic.times import now
from bcikit.clinic.visit import Visit
from bcikit.recording import Catalogue
from bcikit.safety.words import says_something
from bcikit.signal import BciError
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import read_json
from bcikit.signal.rebuild import rebuild
from bcikit.ui.words import tr

ARMS = ("contingent", "sham", "yoked")
FOLDER = "trial"
_LIST, _KEY, _DELAYS = "list.json", "key", "delays.json"
SIZE = 60
"""Allocations of a list, in permuted blocks of two of each arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """What ``list.json`` holds: code, arms, when it was made, the next number, the sealed allocations."""

    trial: str
    arms: list[str]
    made: str
    next: int
    sealed: list[str]


def new_trial(data: Path, code: str, arms: Sequence[str]) -> str:
    """Make the sealed list of a trial and return the sum that shows later that it is the same.

    Raises
    ------
    BciError
        If there is a trial already, or an arm is unknown or named twice.
    """
    folder = data / FOLDER
    if (folder / _LIST).exists():
        raise BciError(f"{folder} holds a trial already; one folder of a clinic has one.")
    if not code or len(set(arms)) < 2 or len(set(arms)) != len(arms) or not set(arms) <= set(ARMS):
        raise BciError(f"arms is {','.join(arms)!r}; allowed: two or three of {', '.join(ARMS)}, and a code.")
    shuffle = secrets.SystemRandom().shuffle
    drawn: list[str] = []
    while len(drawn) < SIZE:
        block = [*arms, *arms]
        shuffle(block)
        drawn += block
    key = secrets.token_bytes(32)
    sealed = [_seal(key, number, arm) for number, arm in enumerate(drawn, start=1)]
    folder.mkdir(mode=0o700)
    (folder / _KEY).touch(mode=0o600)
    (folder / _KEY).write_bytes(key)
    values = {"trial": code, "arms": list(arms), "made": now(), "next": 1, "sealed": sealed}
    (folder / _LIST).write_text(json.dumps(values, indent=1), encoding="utf-8")
    return _sum(sealed)


def _sum(sealed: Sequence[str]) -> str:
    return hashlib.sha256("".join(sealed).encode()).hexdigest()


def _seal(key: bytes, number: int, arm: str) -> str:
    return hmac.new(key, f"{number}:{arm}".encode(), hashlib.sha256).hexdigest()


def _read(folder: Path) -> dict[str, Any]:
    try:
        return asdict(rebuild(_List, read_json(folder / _LIST), what="list"))
    except (OSError, ValueError) as error:
        raise BciError(f"The list of the trial in {folder} cannot be read: {error}") from None


def trial_of(data: Path) -> str:
    """Return the code of the trial of a clinic's folder; "" where there is none."""
    return str(_read(data / FOLDER)["trial"]) if (data / FOLDER / _LIST).exists() else ""


def sum_of(data: Path) -> str:
    """Return the sum by which the list of a clinic's folder is known; "" where there is none."""
    return _sum(_read(data / FOLDER)["sealed"]) if (data / FOLDER / _LIST).exists() else ""


def allocate(data: Path, catalogue: Catalogue, code: str, *, by: str) -> dict[str, Any]:
    """Draw the next allocation for a person, who keeps it; return it, still sealed.

    Raises
    ------
    BciError
        If there is no trial, or its list is used up.
    """
    person = catalogue.subject(code)
    if person.data.get("trial"):
        return dict(person.data["trial"])
    folder = data / FOLDER
    values = _read(folder)
    number = int(values["next"])
    if number > len(values["sealed"]):
        raise BciError(f"All {len(values['sealed'])} allocations of {values['trial']} are drawn.")
    # The number is gone before anybody has it: a crash skips one, and never gives one twice.
    write_whole(folder / _LIST, json.dumps({**values, "next": number + 1}, indent=1).encode())
    drawn = {"trial": values["trial"], "number": number, "drawn": now(), "by": by, "folder": str(folder)}
    # Other places of one catalogue may have a list of the same code, at the same path.
    drawn["list"] = _sum(values["sealed"])
    catalogue.update_subject(code, merge={"trial": drawn})
    return drawn


def arm_of(drawn: Mapping[str, Any]) -> str:
    """Return the arm of an allocation: for the engine, and for who unblinds.

    Raises
    ------
    BciError
        If the list or its key are not those that it was drawn from.
    """
    folder, number = Path(drawn["folder"]), int(drawn["number"])
    values = _read(folder)
    if drawn.get("list") and drawn["list"] != _sum(values["sealed"]):
        raise BciError(
            f"Allocation {number} of {drawn['trial']} was drawn from another list than the one in {folder}; "
            "it opens at the place that drew it alone."
        )
    try:
        key = (folder / _KEY).read_bytes()
    except OSError as error:
        raise BciError(f"The key of the trial in {folder} cannot be read: {error}") from None
    sealed = values["sealed"][number - 1] if 0 < number <= len(values["sealed"]) else ""
    for arm in values["arms"]:
        if hmac.compare_digest(_seal(key, number, arm), sealed):
            return str(arm)
    raise BciError(f"Allocation {number} of {drawn['trial']} does not open with the key in {folder}.")


def is_blind(drawn: Mapping[str, Any]) -> bool:
    """Return whether an allocation must be kept from who looks at the window or the report."""
    return bool(drawn) and not drawn.get("unblinded")


def is_sealed(drawn: Mapping[str, Any], started: str) -> bool:
    """Return whether the numbers of a session of a person with this allocation must be kept from who looks.

    What was trained before the allocation was drawn tells nothing of it; a session of no known time is kept.
    """
    if not is_blind(drawn):
        return False
    try:
        return datetime.fromisoformat(started) >= datetime.fromisoformat(str(drawn.get("drawn", "")))
    except (ValueError, TypeError):
        return True


def unblind(catalogue: Catalogue, code: str, *, by: str, reason: str) -> str:
    """Open the allocation of a person; who did it and why stays with the person and in the audit trail.

    Raises
    ------
    BciError
        If no reason is given, or the person has no allocation.
    """
    person = catalogue.subject(code)
    drawn = dict(person.data.get("trial") or {})
    if not drawn:
        raise BciError(tr("This patient is in no trial."))
    if not says_something(reason):
        raise BciError(tr("Unblinding needs a reason."))
    arm = arm_of(drawn)
    drawn["unblinded"] = {"by": by, "reason": reason, "at": now()}
    catalogue.update_subject(code, merge={"trial": drawn})
    return arm


def arm_settings(visit: Visit) -> dict[str, Any]:
    """Return what the paradigm is told of the allocation of a visit; nothing outside a trial.

    Raises
    ------
    BciError
        If a yoked session has nobody to be yoked to yet; which arm that is, is not said.
    """
    if not visit.trial or visit.simulated:
        return {}
    arm = arm_of(visit.trial)
    chosen: dict[str, Any] = {"arm": arm, "blind": True}
    if arm == "yoked":
        rows = _delays(Path(visit.trial["folder"]))
        # Rows of before name no protocol; who builds the session sees whether they fit.
        delays = [row["delays"] for row in rows if row["protocol"] == visit.protocol] or [
            row["delays"] for row in rows if not row["protocol"]
        ]
        if not delays:
            raise BciError(untrainable())
        chosen["yoked_delays"] = delays[(int(visit.trial["number"]) - 1) % len(delays)]
    return chosen


def untrainable() -> str:
    """Return what is said where an allocation stands in the way: nothing that tells the arm."""
    return tr("This allocation cannot be trained yet. Ask who leads the trial.")


def keep_delays(visit: Visit, delays: Sequence[float]) -> None:
    """Keep when the help came in a session whose decoder triggered it: who trains the same may be yoked to it.

    Raises
    ------
    BciError, OSError
        If those that are kept cannot be read or written; whatever the arm is.
    """
    if not visit.trial or not delays:
        return
    path = Path(visit.trial["folder"]) / _DELAYS
    try:
        rows = read_json(path)
    except FileNotFoundError:
        rows = []
    except ValueError as error:
        raise BciError(f"{path} cannot be read, and nothing is written over it: {error}") from None
    if not isinstance(rows, list):
        raise BciError(f"{path} is no list of delays, and nothing is written over it.")
    if arm_of(visit.trial) == "contingent":
        rows.append({"protocol": visit.protocol, "delays": [float(one) for one in delays]})
    # Of every arm: a disk that does not take it is noted, and would tell the only arm that writes.
    write_whole(path, json.dumps(rows).encode())


def _delays(folder: Path) -> list[dict[str, Any]]:
    """Return protocol and delays of each session that can be read.

    Of rows of before, which are delays alone, no protocol is known.
    """
    found: list[dict[str, Any]] = []
    try:
        rows = list(read_json(folder / _DELAYS))
    except (OSError, ValueError, TypeError):
        return []
    for row in rows:
        with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
            named = row if isinstance(row, dict) else {"protocol": "", "delays": row}
            found.append({"protocol": str(named["protocol"]), "delays": [float(one) for one in named["delays"]]})
    return found
