"""Go or no-go in half a minute: what a clinic asks of its headset in the morning, and what is kept of it."""

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bcikit.signal import DataError
from bcikit.signal.documents import json_of
from bcikit.signal.rebuild import rebuild
from bcikit.validation.profile import Profile
from bcikit.validation.results import Judgement
from bcikit.validation.run import Report, Show, default_profile, validate

QUICK_TESTS = ("V-RATE", "V-JIT", "V-LOSS", "V-RESID")
"""What the stream itself shows, with nothing connected."""

QUICK_SECONDS = 25.0
KEPT = "checks.jsonl"
"""In the folder that a check is kept in: one check a line, the newest last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickCheck:
    """What came of a check.

    Attributes
    ----------
    address : str
        Of the device.
    when : str
        UTC, as ``2026-11-29T07:40:00Z``.
    go : bool
        Whether nothing speaks against using it.
    findings : tuple of str
        What does, in words.
    folder : str
        Where its signed report lies; empty if it was not kept.
    """

    address: str
    when: str
    go: bool
    findings: tuple[str, ...]
    folder: str = ""


def quick_profile(profile: Profile) -> Profile:
    """Return a profile with the short recording of a quick check, and limits that it can decide.

    A loss below 0.01 % takes minutes to show, and a clock is told to 50 ppm only by a longer recording: here the
    question is whether the link works today, so both limits are ten times as wide.
    """
    limits = []
    for item in profile.limits:
        if (item.test, item.quantity) in (("V-LOSS", "loss"), ("V-RATE", "clock")):
            limits.append(
                replace(item, low=10 * item.low, high=10 * item.high, source=f"{item.source}; ten times, quick")
            )
        else:
            limits.append(item)
    return replace(profile, durations={**profile.durations, "timing": QUICK_SECONDS}, limits=tuple(limits))


def findings(report: Report) -> tuple[str, ...]:
    """Return in words what speaks against a device."""
    good = (Judgement.PASS, Judgement.REPORT, Judgement.NOT_APPLICABLE)
    said = []
    for outcome in report.outcomes:
        if outcome.judgement in good:
            continue
        bad = [item for item in outcome.measurements if item.judgement not in good]
        said += [f"{item.label}: {item.text()}" for item in bad]
        if not bad:
            said.append(f"{outcome.title}: {outcome.reason}")
    return tuple(said)


def quick_check(address: str, keep: Path, *, show: Show | None = None) -> QuickCheck:
    """Check a device for half a minute with nothing connected, and keep report and result.

    Parameters
    ----------
    address : str
        Of the device.
    keep : Path
        Folder: the signed report of each check goes into one of its own, the result is added to ``checks.jsonl``.
    show : callable or None
        Takes the progress.

    Raises
    ------
    BciError
        If the device cannot be opened.
    """
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    folder = keep / when.replace(":", "")
    profile = quick_profile(Profile.load(default_profile(address)))
    report = validate(address, profile=profile, out=folder, tests=QUICK_TESTS, show=show)
    check = QuickCheck(
        address=address, when=when, go=report.exit_code == 0, findings=findings(report), folder=str(folder)
    )
    with (keep / KEPT).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(check), ensure_ascii=False) + "\n")
    return check


def last_check(address: str, keep: Path) -> QuickCheck | None:
    """Return the newest check of a device that was kept, None if there is none."""
    path = keep / KEPT
    lines: Sequence[str] = path.read_text(encoding="utf-8").splitlines() if path.is_file() else ()
    for line in reversed(lines):
        try:
            values = json_of(line)
        except ValueError:
            # A line that was cut off when the power went.
            continue
        if isinstance(values, dict) and values.get("address") == address:
            with contextlib.suppress(DataError):
                return rebuild(QuickCheck, values)
    return None
