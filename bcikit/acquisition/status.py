"""StreamStatus: what a source knows of itself, for a strip, a report, a log."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bcikit.acquisition.watchdog import Pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """Health of a whole stream up to now.

    Attributes
    ----------
    name : str
        Name of the stream.
    pulse : Pulse
        "alive", "late", "stalled", "lost", "waiting" or "ended".
    age : float
        Seconds since the newest sample arrived.
    samples, lost, gaps : int
        Samples received; samples lost; how many times.
    repeated, reordered : int
        Packets that came twice, or out of order.
    bad_samples : int
        Samples of a channel that are NaN, railed or repeated.
    clock_steps : int
        Times the stamps went back or jumped.
    overflows : int
        Times a driver's buffer was full.
    reconnects : int
        Times the link was lost and had back.
    rate : float
        Effective sampling rate in Hz.
    drift_ppm, drift_uncertainty_ppm : float
        Effective against nominal rate, with its expanded uncertainty (k = 2).
    jitter : float
        Standard deviation of the stamps, seconds.
    stamps : str
        How its times are made: "counter" (arrival, and a packet counter places the samples), "sender", "arrival".
    time_uncertainty : float
        Expanded uncertainty (k = 2) of the time of the newest sample, seconds; a delay that is the same for all samples
        of a link cannot be seen and is not in it.
    seeming_rate : float or None
        Samples a second that seem to come where that is not what the stream states; once it is sure, that is an error.
    offset, offset_uncertainty : float
        What is added to the stamps of the device to have the host's clock, seconds.
    buffer_fill : float
        Share of the driver's buffer that was full at the last pull.
    battery : float or None
        Charge in per cent, where the device tells.
    impedances : mapping of str to float
        Newest impedance of each electrode in ohm, by channel name; empty where the device does not measure it. Of
        joined devices, of the electrodes of all, by their names in the joined stream.
    joined : tuple of StreamStatus
        The same of each device whose channels are joined to this one's.
    """

    name: str
    pulse: Pulse
    age: float = 0.0
    samples: int = 0
    lost: int = 0
    gaps: int = 0
    repeated: int = 0
    reordered: int = 0
    bad_samples: int = 0
    clock_steps: int = 0
    overflows: int = 0
    reconnects: int = 0
    rate: float = 0.0
    drift_ppm: float = 0.0
    drift_uncertainty_ppm: float = float("inf")
    jitter: float = 0.0
    stamps: str = "sender"
    time_uncertainty: float = 0.0
    seeming_rate: float | None = None
    offset: float = 0.0
    offset_uncertainty: float = 0.0
    buffer_fill: float = 0.0
    battery: float | None = None
    impedances: Mapping[str, float] = field(default_factory=dict)
    joined: "tuple[StreamStatus, ...]" = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary (infinity becomes None)."""
        # Asked for four times a second: `dataclasses.asdict` takes a millisecond.
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values |= {"pulse": str(self.pulse), "impedances": dict(self.impedances)}
        del values["joined"]
        if self.joined:
            values["joined"] = [status.to_dict() for status in self.joined]
        return {
            key: None if isinstance(value, float) and value == float("inf") else value for key, value in values.items()
        }
