"""The description of a stimulus that flickers, flashes or fades, as a person writes it in TOML."""

import math
import os
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bcikit.signal.documents import read_toml
from bcikit.signal.settings import check_settings

Unit = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Colour = tuple[Unit, Unit, Unit]
Positive = Annotated[float, Field(gt=0.0, le=1e5)]
Length = Annotated[float, Field(ge=0.1, le=1e4)]
Angle = Annotated[float, Field(gt=-90.0, lt=90.0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Screen(_Table):
    """The screen and the eye before it.

    Attributes
    ----------
    width_cm, height_cm : float
        Size of the picture.
    distance_cm : float
        From the eye.
    refresh_hz : float
        Pictures a second.
    peak_cd_m2 : float
        Luminance of white.
    """

    width_cm: Length
    height_cm: Length
    distance_cm: Length
    refresh_hz: Annotated[float, Field(ge=20.0, le=1000.0)] = 60.0
    peak_cd_m2: Annotated[float, Field(gt=0.0, le=10000.0)] = 100.0


class FlickerTimes(_Table):
    """How long it flickers.

    Attributes
    ----------
    trial_s : float
        Continuous flicker in a trial.
    gap_s : float
        Steady picture between trials.
    block_s : float
        Flicker in a block, all trials together.
    rest_s : float
        Rest between blocks.
    session_s : float
        Flicker in a session, all blocks together.
    """

    trial_s: Positive = 4.0
    gap_s: Annotated[float, Field(ge=0.0, le=1e5)] = 2.0
    block_s: Positive = 240.0
    rest_s: Annotated[float, Field(ge=0.0, le=1e5)] = 120.0
    session_s: Positive = 900.0


class FlickerTarget(_Table):
    """One thing that changes.

    Attributes
    ----------
    name : str
        For the report.
    frequency_hz : float
        Changes from dark to bright and back, a second. For flashes in a sequence: 1 over the stimulus onset asynchrony.
    waveform : str
        "sine", "square" or "flash".
    depth : float or None
        Modulation of a grey of relative luminance 0.5: from 0.5 (1 - depth) to 0.5 (1 + depth).
    low, high : colour or None
        Instead of `depth`: sRGB colours from 0 to 1 that it changes between.
    size_deg : (float, float) or None
        Width and height in degrees of visual angle.
    size_cm : (float, float) or None
        Instead of `size_deg`.
    full_screen : bool
        Instead of a size.
    position_deg : (float, float)
        Of the centre, from the centre of the screen, right and up. What would lie beside the screen is taken to lie
        at its edge.
    pattern : str
        "uniform", "checkerboard" or "stripes".
    cell_deg : float
        Size of a square or width of a stripe.
    """

    name: str = "target"
    frequency_hz: Annotated[float, Field(ge=0.0, le=500.0)]
    waveform: Literal["sine", "square", "flash"] = "sine"
    depth: Unit | None = None
    low: Colour | None = None
    high: Colour | None = None
    size_deg: tuple[Positive, Positive] | None = None
    size_cm: tuple[Positive, Positive] | None = None
    full_screen: bool = False
    position_deg: tuple[Angle, Angle] = (0.0, 0.0)
    pattern: Literal["uniform", "checkerboard", "stripes"] = "uniform"
    cell_deg: Positive = 1.0

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        colours = (self.low is not None, self.high is not None)
        if any(colours) if self.depth is not None else not all(colours):
            raise ValueError(f"target {self.name!r}: give either depth, or low and high")
        if sum((self.size_deg is not None, self.size_cm is not None, self.full_screen)) != 1:
            raise ValueError(f"target {self.name!r}: give one of size_deg, size_cm and full_screen")
        return self

    def colours(self) -> NDArray[np.float64]:
        """Return the two states as linear light, shape ``(2, 3)``, dark first where it is grey."""
        from bcikit.safety.stimulus.colour import linear

        if self.depth is not None:
            return np.array([[0.5 * (1 - self.depth)] * 3, [0.5 * (1 + self.depth)] * 3])
        return np.stack([linear(self.low or ()), linear(self.high or ())])

    def size_on(self, screen: Screen) -> tuple[float, float]:
        """Return width and height in cm on a screen, not larger than the screen."""
        if self.full_screen:
            return screen.width_cm, screen.height_cm
        if self.size_cm is not None:
            width, height = self.size_cm
        else:
            assert self.size_deg is not None
            width, height = (
                2 * screen.distance_cm * math.tan(math.radians(min(size, 170.0)) / 2) for size in self.size_deg
            )
        return min(width, screen.width_cm), min(height, screen.height_cm)

    def centre_on(self, screen: Screen) -> tuple[float, float]:
        """Return where the centre is, in cm right and up of the middle of a screen that shows the whole target."""
        width, height = self.size_on(screen)
        right, up = (screen.distance_cm * math.tan(math.radians(angle)) for angle in self.position_deg)
        room = (screen.width_cm - width) / 2, (screen.height_cm - height) / 2
        return max(-room[0], min(room[0], right)), max(-room[1], min(room[1], up))


class StimulusDesign(_Table):
    """Everything the analyser needs to know.

    Attributes
    ----------
    screen : Screen
        Size, distance, refresh, luminance.
    schedule : FlickerTimes
        How long.
    target : tuple of FlickerTarget
        What changes; all at once, as far as the analyser is concerned.
    clinical : bool
        A declared clinical mode, in which a physician takes the responsibility for full-field flicker.
    override_by, override_reason : str
        A clinician who allows a strong swing between 15 and 25 Hz, and why.
    """

    screen: Screen
    schedule: FlickerTimes = FlickerTimes()
    target: Annotated[tuple[FlickerTarget, ...], Field(min_length=1, max_length=200)]
    clinical: bool = False
    override_by: str = ""
    override_reason: str = ""


def load_design(path: str | os.PathLike[str]) -> StimulusDesign:
    """Read a design from TOML.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no TOML, or a key is wrong; every problem is listed.
    """
    return check_settings(StimulusDesign, read_toml(Path(path)), where=str(path))
