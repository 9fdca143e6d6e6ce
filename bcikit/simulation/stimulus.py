"""What is connected to the inputs of a device on the bench, and what a response to it looks like."""

from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

KINDS = (
    "open",  # as it is: a person, a stream, nothing in particular
    "short",  # all inputs shorted to the reference
    "sine",  # one sine on all inputs, or on one
    "two-tone",  # two sines of one size together on all inputs
    "off",  # inputs open (railed) for `OFF_SECONDS`, then shorted
    "square",  # one square wave on all inputs
    "common",  # one sine on all inputs and the reference together
    "pulses",  # TTL pulses on one input, and a software marker for each
    "bursts",  # a sine on one input for one second, every `BURST_PERIOD` seconds; the digital output on the last
    "resistors",  # a known resistor on each input
    "internal",  # the device's own test signal
    "phantom",  # a known EEG waveform on all inputs
    "taps",  # inputs shorted, cable tapped
    "electrodes",  # a pair of electrodes in saline
    "eyes-open",
    "eyes-closed",
)

OFF_SECONDS = 2.0
"""Seconds an electrode is off before it is put on again."""

BURST_PERIOD = 3.0
"""Seconds from one burst to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """One set-up of the bench.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    seconds : float
        How long to record.
    amplitude_uv : float
        Peak of a sine, half the swing of a square or pulse, in microvolts at the input.
    frequency : float
        Hz; for pulses how many a second.
    offset_uv : float
        Direct voltage under it.
    channel : int or None
        The only driven channel; None for all.
    ohms : float
        Resistance in front of each input.
    after : float
        Seconds on battery before it starts.
    second : float
        Hz of the other tone.
    again : int
        How often the same was recorded before.
    """

    kind: str
    seconds: float
    amplitude_uv: float = 0.0
    frequency: float = 0.0
    offset_uv: float = 0.0
    channel: int | None = None
    ohms: float = 0.0
    after: float = 0.0
    second: float = 0.0
    again: int = 0

    def __post_init__(self) -> None:
        from bcikit.signal import check_choice, check_range

        check_choice("kind", self.kind, KINDS)
        check_range("seconds", self.seconds, low=0.0, low_open=True, unit="s")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)


@runtime_checkable
class Arrangeable(Protocol):
    """A source whose bench can be set by program: a simulated device, or a bench with a remote generator."""

    def connect(self, stimulus: Stimulus) -> None:
        """Connect something else to the inputs; the next sample is the first of it."""

    def digital_out(self) -> None:
        """Raise the digital output for a tenth of a second; it is wired to the last input."""

    def impedances(self) -> NDArray[np.float64]:
        """Return what the device reads as impedance of each input, in ohms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Standard uncertainties (k = 1) of the instruments of a bench, from their certificates.

    Attributes
    ----------
    amplitude : float
        Generator and divider together, relative.
    common : float
        Common-mode generator, relative.
    offset : float
        Direct voltage source, relative.
    resistor : float
        Resistors, relative.
    frequency : float
        Generator, relative.
    timebase : float
        Clock against which times are compared, relative.
    """

    amplitude: float = 5e-4
    common: float = 5e-3
    offset: float = 2e-3
    resistor: float = 0.0058
    frequency: float = 1e-6
    timebase: float = 1e-6


def phantom_wave(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the waveform of the phantom at times `t` in seconds: alpha that waxes and an evoked wave each second.

    In units of its amplitude; band-limited to 1 to 20 Hz, the same for every bench, so that it can be played from
    a file by a generator.
    """
    alpha = 0.6 * np.sin(2 * np.pi * 10 * t) * (1 + 0.5 * np.sin(2 * np.pi * 0.3 * t))
    theta = 0.3 * np.sin(2 * np.pi * 5.5 * t + 1.0)
    within = np.mod(t, 1.0)
    evoked = np.exp(-0.5 * ((within - 0.3) / 0.05) ** 2) - 0.6 * np.exp(-0.5 * ((within - 0.2) / 0.03) ** 2)
    return alpha + theta + evoked
