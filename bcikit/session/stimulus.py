"""What a paradigm shows, checked by the stimulus analyser before the session can start."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bcikit.paradigms import Paradigm
from bcikit.paradigms.ssvep import SsvepMenu
from bcikit.presentation.layout import Viewing, target_room
from bcikit.safety.stimulus import StimulusDesign, StimulusReport, analyse_design
from bcikit.session.config import ScreenSection
from bcikit.signal.settings import check_settings

FLASH_DEPTH = 1.0
RING_DEG = 8.0
"""Targets of an unknown place are put on a circle of this radius, in degrees of visual angle."""


def check_stimuli(paradigm: Paradigm, screen: ScreenSection) -> StimulusReport | None:
    """Return what the analyser says of a paradigm's stimuli; None where nothing flickers or flashes.

    Raises
    ------
    ConfigError
        If the paradigm describes a stimulus that cannot be.
    """
    stimuli = paradigm.stimuli()
    if not stimuli:
        return None
    longest = max(float(item.get("seconds", 4.0)) for item in stimuli)
    values = {
        "screen": screen.model_dump(exclude={"blank"}),
        "schedule": {"trial_s": longest},
        "target": _targets(stimuli),
    }
    return analyse_design(check_settings(StimulusDesign, values, where=f"stimuli of {paradigm.name}"))


def notes_on_targets(paradigm: Paradigm, screen: ScreenSection) -> list[str]:
    """Return what of the targets of a menu has no room on the screen as it was designed."""
    if not isinstance(paradigm, SsvepMenu) or paradigm.outside:
        return []
    names = [target.name for target in paradigm.settings.targets]
    view = Viewing(height_cm=screen.height_cm, distance_cm=screen.distance_cm)
    wanted = paradigm.settings.size_deg
    room, most = target_room(names)
    if view.units(wanted) <= room:
        return []
    drawn = min(wanted, view.degrees(most))
    return [
        f"paradigm.settings.size_deg is {wanted:g}: on this screen (screen.height_cm, screen.distance_cm) {len(names)} "
        f"targets with their names have room for {view.degrees(room):.1f} degrees each and are drawn with {drawn:.1f}, "
        f"while {wanted:g} are checked; lower it, sit nearer or show fewer"
    ]


def _targets(stimuli: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    targets = []
    for number, item in enumerate(stimuli):
        angle = 2 * math.pi * number / len(stimuli)
        radius = RING_DEG if len(stimuli) > 1 else 0.0
        size = float(item.get("size_deg", 3.0))
        target: dict[str, Any] = {
            "name": str(item.get("name", number)),
            "frequency_hz": float(item["frequency"]),
            "waveform": "flash" if item.get("kind") == "flash" else "sine",
            "size_deg": (size, size),
            "position_deg": (radius * math.cos(angle), radius * math.sin(angle)),
        }
        if item.get("red"):
            target |= {"low": (0.0, 0.0, 0.0), "high": (1.0, 0.0, 0.0)}
        else:
            target["depth"] = float(item.get("depth", FLASH_DEPTH))
        targets.append(target)
    return targets


def refusal(report: StimulusReport) -> str:
    """Return in words why a design is refused, each rule with its number beside its limit."""
    worst = [finding for finding in report.findings if finding.result == "REFUSED"]
    return "; ".join(f"{item.rule} {item.target}: {item.what} is {item.value}, limit {item.limit}" for item in worst)
