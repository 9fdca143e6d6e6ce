"""Gains of a converter that the configuration of a board changes, and the full scale that follows from them."""

import re

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

_CHANNEL = re.compile(r"x(.)[01]([0-6])[0-7][01]{3}X")
"""OpenBCI's channel command: x, channel, power, gain, input, bias, SRB2, SRB1, X (Cyton SDK)."""


class GainProfile(BaseModel):
    """Gains of a board that takes OpenBCI's channel commands."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    reference: float = Field(gt=0, description="Full scale at gain 1, microvolts.")
    default: float = Field(gt=0, description="Gain after the board was reset.")
    values: tuple[float, ...] = Field(default=(1, 2, 4, 6, 8, 12, 24), description="Gain by its digit.")
    letters: str = Field(default="12345678QWERTYUI", description="What a command calls the channels.")


class Gains:
    """Follows the commands that a board is sent.

    Parameters
    ----------
    profile : GainProfile
        What the board can.
    n_channels : int
        Its channels.
    """

    def __init__(self, profile: GainProfile, n_channels: int) -> None:
        self._profile = profile
        self.values = np.full(n_channels, profile.default)

    def apply(self, command: str) -> bool:
        """Take a configuration string; return whether a gain changed."""
        before = self.values.copy()
        if command.strip() == "d":
            self.values[:] = self._profile.default
        for letter, digit in _CHANNEL.findall(command):
            channel = self._profile.letters.find(letter)
            if 0 <= channel < self.values.shape[0]:
                self.values[channel] = self._profile.values[int(digit)]
        return not np.array_equal(before, self.values)

    @property
    def full_scale(self) -> NDArray[np.float64]:
        """Largest absolute value of each channel, microvolts."""
        return np.asarray(self._profile.reference / self.values, dtype=np.float64)
