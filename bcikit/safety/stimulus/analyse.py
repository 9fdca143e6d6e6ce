"""Says of a design whether it passes, needs screening and consent, or is refused, with the numbers."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bcikit.safety.stimulus.colour import chromaticity, relative_luminance, saturated_red
from bcikit.safety.stimulus.design import FlickerTarget, FlickerTimes, Screen, StimulusDesign

Result = Literal["PASS", "RESTRICTED", "REFUSED"]
_RANK: dict[Result, int] = {"PASS": 0, "RESTRICTED": 1, "REFUSED": 2}

FLASHES_PER_S = 3.0
SWING = 0.10
DARKER = 0.80
AREA_SR = 0.006
FIELD_DEG = 10.0
SCREEN_SHARE = 0.25
_CELLS = 320
"""Cells along the longer side of the screen in which areas are added up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule with what was found.

    Attributes
    ----------
    rule : str
        "ST-1" to "ST-5".
    result : str
        What this rule alone asks for.
    what : str
        In words.
    value, limit : float or str
        The number and what is allowed.
    source : str
        Where the rule comes from.
    target : str
        Which target; empty for the whole design.
    """

    rule: str
    result: Result
    what: str
    value: float | str
    limit: float | str
    source: str
    target: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class StimulusReport:
    """What the analyser says.

    Attributes
    ----------
    result : str
        The worst of all findings.
    findings : tuple of Finding
        Every rule that did not simply pass, worst first.
    targets : tuple of dict
        The numbers of each target: flashes a second, swing, darker luminance, u'v' distance, solid angle, screen share.
    field_sr : float
        Largest flashing solid angle in any field of 10 degrees.
    screen_share : float
        Share of the screen that flashes.
    """

    result: Result
    findings: tuple[Finding, ...]
    targets: tuple[dict[str, Any], ...]
    field_sr: float
    screen_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "result": self.result,
            "findings": [finding.to_dict() for finding in self.findings],
            "targets": [dict(target) for target in self.targets],
            "field_sr": self.field_sr,
            "screen_share": self.screen_share,
        }


def solid_angle(width_cm: float, height_cm: float, distance_cm: float) -> float:
    """Return the solid angle in steradian of a flat rectangle looked at in its middle."""
    w, h, d = width_cm, height_cm, distance_cm
    return 4.0 * math.atan(w * h / (2.0 * d * math.sqrt(4.0 * d * d + w * w + h * h)))


def analyse_design(design: StimulusDesign) -> StimulusReport:
    """Check every target alone, all together, and the schedule.

    A flash is a pair of opposing changes of relative luminance by 0.10 or more whose darker state is below 0.80, or a
    pair of opposing transitions to or from saturated red (WCAG 2.x). More than three a second are RESTRICTED whatever
    their size, as WCAG 2.3.2 has it; the area rule of WCAG 2.3.1 is reported beside it.
    """
    screen = design.screen
    numbers = [_numbers(target, screen) for target in design.target]
    findings: list[Finding] = []
    for target, number in zip(design.target, numbers, strict=True):
        findings += _check_target(target, number, design)
    flashing = [t for t, n in zip(design.target, numbers, strict=True) if n["flashes"]]
    field, share = _concurrent_area(flashing, screen)
    findings += _check_area(field, share, design, numbers)
    if flashing:
        findings += _check_dose(design.schedule)
        if screen.peak_cd_m2 > 100.0:
            findings.append(
                _finding("ST-4", "RESTRICTED", "luminance of white, cd/m2", screen.peak_cd_m2, 100.0, "project default")
            )
    result: Result = max((f.result for f in findings), key=lambda r: _RANK[r], default="PASS")
    findings.sort(key=lambda finding: -_RANK[finding.result])
    return StimulusReport(
        result=result, findings=tuple(findings), targets=tuple(numbers), field_sr=round(field, 6), screen_share=share
    )


def _finding(
    rule: str, result: Result, what: str, value: float | str, limit: float | str, source: str, target: str = ""
) -> Finding:
    shown = round(value, 5) if isinstance(value, float) else value
    return Finding(rule=rule, result=result, what=what, value=shown, limit=limit, source=source, target=target)


def _numbers(target: FlickerTarget, screen: Screen) -> dict[str, Any]:
    light = target.colours()
    luminance = relative_luminance(light)
    u_v = chromaticity(light)
    distance = float(np.hypot(*(u_v[1] - u_v[0])))
    swing = float(abs(luminance[1] - luminance[0]))
    darker = float(luminance.min())
    fine = target.pattern != "uniform" and target.cell_deg < 0.1
    width, height = target.size_on(screen)
    red = bool(saturated_red(light).any() and distance > 0.2)
    general = swing >= SWING - 1e-9 and darker < DARKER and not fine
    return {
        "name": target.name,
        "frequency_hz": target.frequency_hz,
        "swing": round(swing, 4),
        "swing_cd_m2": round(swing * screen.peak_cd_m2, 2),
        "darker": round(darker, 4),
        "red_distance": round(distance, 4),
        "saturated_red": bool(saturated_red(light).any()),
        "solid_angle_sr": round(solid_angle(width, height, screen.distance_cm), 6),
        "screen_share": round(width * height / (screen.width_cm * screen.height_cm), 4),
        "general_flash": general,
        "red_flash": red,
        "flashes": (general or red) and target.frequency_hz > FLASHES_PER_S,
    }


def _check_target(target: FlickerTarget, number: dict[str, Any], design: StimulusDesign) -> list[Finding]:
    found: list[Finding] = []
    rate, name = target.frequency_hz, target.name
    refresh = design.screen.refresh_hz
    if rate > refresh / 2:
        found.append(
            _finding("ST-1", "REFUSED", "frequency above half the refresh rate aliases to slow flashes, Hz", rate,
                     refresh / 2, "sampling theorem", name)
        )  # fmt: skip
    if number["red_flash"] and rate > FLASHES_PER_S:
        found.append(
            _finding("ST-3", "REFUSED", "red flashes a second (u'v' distance "
                     f"{number['red_distance']:.2f} > 0.20)", rate, FLASHES_PER_S, "WCAG 2.3.1, ISO 9241-391", name)
        )  # fmt: skip
    if not number["general_flash"]:
        return found
    if rate > FLASHES_PER_S:
        found.append(
            _finding("ST-2", "RESTRICTED", f"flashes a second with a swing of {number['swing']:.2f} (0.10 is a flash)",
                     rate, FLASHES_PER_S, "WCAG 2.3.2", name)
        )  # fmt: skip
        if 15.0 <= rate <= 25.0:
            override = bool(design.override_by.strip() and design.override_reason.strip())
            strong = number["swing"] > 0.5 and not override
            found.append(
                _finding("ST-3" if strong else "ST-4", "REFUSED" if strong else "RESTRICTED",
                         "swing within the most provocative band, 15 to 25 Hz", number["swing"],
                         0.5 if strong else "outside the band", "Fisher et al. 2005", name)
            )  # fmt: skip
        if number["solid_angle_sr"] >= AREA_SR and number["swing_cd_m2"] >= 20.0:
            found.append(
                _finding("ST-1", "RESTRICTED", "solid angle of the target, sr, at a change of "
                         f"{number['swing_cd_m2']:.0f} cd/m2", number["solid_angle_sr"], AREA_SR,
                         "Harding et al. 2005", name)
            )  # fmt: skip
    elif rate >= 2.0 and design.schedule.trial_s > 4.0:
        found.append(
            _finding("ST-1", "RESTRICTED", "2 to 3 flashes a second for more than 4 s", rate, 2.0, "EA IRIS", name)
        )
    if target.pattern == "stripes":
        pairs = target.size_on(design.screen)[0] / (
            2 * 2 * design.screen.distance_cm * math.tan(math.radians(target.cell_deg) / 2)
        )
        limit = 5.0 if rate > 0 else 8.0
        bright = 0.5 * design.screen.peak_cd_m2
        if pairs > limit and number["solid_angle_sr"] > AREA_SR and bright >= 25.0:
            found.append(_finding("ST-1", "RESTRICTED", "pairs of stripes", pairs, limit, "Harding et al. 2005", name))
    return found


def _concurrent_area(targets: list[FlickerTarget], screen: Screen) -> tuple[float, float]:
    """Return the largest flashing solid angle in any 10 degree field, and the share of the screen that flashes."""
    if not targets:
        return 0.0, 0.0
    from scipy.signal import fftconvolve

    cell = max(screen.width_cm, screen.height_cm) / _CELLS
    columns, rows = (max(1, round(side / cell)) for side in (screen.width_cm, screen.height_cm))
    wide, high = screen.width_cm / columns, screen.height_cm / rows
    x = (np.arange(columns) + 0.5) * wide - screen.width_cm / 2
    y = (np.arange(rows) + 0.5) * high - screen.height_cm / 2
    mask = np.zeros((rows, columns), dtype=bool)
    d = screen.distance_cm
    for target in targets:
        width, height = target.size_on(screen)
        left, up = target.centre_on(screen)
        mask |= (np.abs(y - up)[:, None] <= height / 2) & (np.abs(x - left)[None, :] <= width / 2)
    # Each cell is seen under its area times cos^3 of its eccentricity over the squared distance.
    r2 = x[None, :] ** 2 + y[:, None] ** 2
    weight = np.where(mask, wide * high / d**2 * (1.0 + r2 / d**2) ** -1.5, 0.0)
    radius = d * math.tan(math.radians(FIELD_DEG / 2))
    across, down = (_offsets(radius, step, n) for step, n in ((wide, columns), (high, rows)))
    disc = (down[:, None] ** 2 + across[None, :] ** 2 <= radius**2).astype(float)
    field = float(fftconvolve(weight, disc, mode="full").max())
    return max(field, 0.0), round(float(mask.mean()), 4)


def _offsets(radius: float, step: float, n: int) -> NDArray[np.float64]:
    """Return distances of cells within a radius, but of no more cells than there are."""
    reach = min(max(1, round(radius / step)), n)
    return np.asarray(np.arange(-reach, reach + 1) * step, dtype=np.float64)


def _check_area(field: float, share: float, design: StimulusDesign, numbers: list[dict[str, Any]]) -> list[Finding]:
    found: list[Finding] = []
    if field > AREA_SR:
        found.append(
            _finding("ST-1", "RESTRICTED", "flashing solid angle in a field of 10 degrees, sr", field, AREA_SR,
                     "WCAG 2.3.1")
        )  # fmt: skip
    if share > SCREEN_SHARE:
        refused: Result = "RESTRICTED" if design.clinical else "REFUSED"
        found.append(
            _finding("ST-3", refused, "share of the screen that flashes more than three times a second", share,
                     SCREEN_SHARE, "ITU-R BT.1702, WCAG 2.3.1")
        )  # fmt: skip
        peak = design.screen.peak_cd_m2
        worst = max((n["swing_cd_m2"] for n in numbers if n["flashes"]), default=0.0)
        darkest = min((n["darker"] * peak for n in numbers if n["flashes"]), default=math.inf)
        if worst >= 20.0 and darkest < 160.0:
            found.append(
                _finding("ST-1", "RESTRICTED", "change of luminance on over a quarter of the screen, cd/m2", worst,
                         20.0, "ITU-R BT.1702")
            )  # fmt: skip
    return found


def _check_dose(schedule: FlickerTimes) -> list[Finding]:
    found: list[Finding] = []
    source = "project default; cf. 10 s trains with 7 s gaps in clinical photic stimulation"
    for what, value, limit in (
        ("continuous flicker in a trial, s", schedule.trial_s, 6.0),
        ("flicker in a block, s", schedule.block_s, 300.0),
        ("flicker in a session, s", schedule.session_s, 1200.0),
    ):
        if value > limit:
            found.append(_finding("ST-5", "REFUSED", what, value, limit, source))
    for what, value, limit in (
        ("steady picture between trials, s", schedule.gap_s, 1.0),
        ("rest between blocks, s", schedule.rest_s, 120.0),
    ):
        if value < limit:
            found.append(_finding("ST-5", "REFUSED", what, value, f"at least {limit:g}", source))
    return found
