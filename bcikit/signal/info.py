"""StreamInfo: what a stream is, known before its first sample."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bcikit.signal.checks import check_channels, check_range
from bcikit.signal.errors import ArgumentError
from bcikit.signal.rebuild import rebuild
from bcikit.signal.shown import Shown, counted, listed
from bcikit.signal.units import MICROVOLT

CHANNEL_TYPES = (
    "eeg",
    "eog",
    "emg",
    "ecg",
    "ref",
    "bio",
    "stim",
    "resp",
    "gsr",
    "temperature",
    "ppg",
    "accel",
    "gyro",
    "misc",
)
"""Channel types, MNE's words where MNE has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a device can tell beside its samples; every field is optional for a device.

    Attributes
    ----------
    impedance : bool
        Electrode impedance can be read.
    battery : bool
        The charge of the battery can be read.
    packet_modulus : int or None
        A packet counter exists and wraps at this number.
    full_scale : float or None
        Largest absolute value the device can deliver, in microvolts; `StreamInfo.full_scales` where channels differ.
    markers : bool
        The device itself can carry markers.
    trigger : bool
        The device has a hardware trigger input.
    """

    impedance: bool = False
    battery: bool = False
    packet_modulus: int | None = None
    full_scale: float | None = None
    markers: bool = False
    trigger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StreamInfo(Shown):
    """Description of a stream of chunks.

    Attributes
    ----------
    name : str
        Name of the stream.
    sfreq : float
        Nominal sampling rate in Hz; for feature streams the rate of updates, 0 where there is none.
    ch_names : tuple of str
        Unique channel names, in the order of the columns of `Chunk.data`.
    ch_types : tuple of str
        One of `CHANNEL_TYPES` a channel; all "eeg" if left out.
    positions : tuple of (float, float, float) or None
        Electrode positions in metres, head coordinates as in MNE; NaN where unknown.
    unit : str
        "uV" for signals; steps that leave volts state theirs ("uV2", "log10(uV2)", "1").
    source_id : str
        What stays the same when the stream comes back (LSL's source id, a serial port).
    device : str
        Maker and model, for people.
    reference : str
        Recording reference ("Cz", "average", "" if unknown).
    line_freq : float or None
        Mains frequency in Hz, if known.
    delay : float
        Group delay of the steps so far, in seconds.
    causal : bool
        False once a zero-phase step touched the data: such data must not train a decoder that runs live.
    capabilities : Capabilities
        What else the device can tell.
    bads : tuple of str
        Channels that a person marked as bad; training and evaluation leave them out.
    full_scales : tuple of (float or None) or None
        Full scale of each channel in microvolts, None where unknown, for channels that differ (several devices, several
        gains); left out where that of `capabilities` holds for all.
    """

    name: str
    sfreq: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...] = ()
    positions: tuple[tuple[float, float, float], ...] | None = None
    unit: str = MICROVOLT
    source_id: str = ""
    device: str = ""
    reference: str = ""
    line_freq: float | None = None
    delay: float = 0.0
    causal: bool = True
    capabilities: Capabilities = field(default_factory=Capabilities)
    bads: tuple[str, ...] = ()
    full_scales: tuple[float | None, ...] | None = None

    def __post_init__(self) -> None:
        check_range("sfreq", self.sfreq, low=0.0, unit="Hz")
        object.__setattr__(self, "ch_names", tuple(self.ch_names))
        object.__setattr__(self, "ch_types", tuple(self.ch_types) or ("eeg",) * len(self.ch_names))
        # Steps rename and leave out channels: what is no longer there is no longer bad.
        object.__setattr__(self, "bads", tuple(name for name in self.bads if name in self.ch_names))
        if len(set(self.ch_names)) != len(self.ch_names):
            twice = sorted({name for name in self.ch_names if self.ch_names.count(name) > 1})
            raise ArgumentError(f"ch_names of {self.name!r} must be unique; more than once: {', '.join(twice)}.")
        if len(self.ch_types) != len(self.ch_names):
            raise ArgumentError(
                f"ch_types of {self.name!r} has {len(self.ch_types)} entries for {len(self.ch_names)} channels."
            )
        unknown = sorted(set(self.ch_types) - set(CHANNEL_TYPES))
        if unknown:
            raise ArgumentError(
                f"ch_types of {self.name!r} has {', '.join(unknown)}; allowed: {', '.join(CHANNEL_TYPES)}."
            )
        if self.positions is not None:
            if len(self.positions) != len(self.ch_names):
                raise ArgumentError(
                    f"positions of {self.name!r} has {len(self.positions)} entries for {len(self.ch_names)} channels."
                )
            object.__setattr__(self, "positions", tuple(tuple(float(v) for v in xyz) for xyz in self.positions))
        if self.full_scales is not None and len(self.full_scales) != len(self.ch_names):
            raise ArgumentError(
                f"full_scales of {self.name!r} has {len(self.full_scales)} entries for {len(self.ch_names)} channels."
            )

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        kinds = counted(self.ch_types)
        line = f"{self.name!r}: {self.n_channels} channels ({kinds}), {self.sfreq:g} Hz, {self.unit}"
        return line, {
            "channels": listed(self.ch_names),
            "marked bad": listed(self.bads),
            "device": self.device,
            "reference": self.reference,
            "positions": "" if self.positions is None else "known",
            "delay": f"{self.delay * 1000:.1f} ms" if self.delay else "",
            "causal": "" if self.causal else "no: a zero-phase filter touched it",
        }

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.ch_names)

    def indices(self, *, ch_type: str) -> list[int]:
        """Return the columns of one channel type."""
        return [index for index, kind in enumerate(self.ch_types) if kind == ch_type]

    def index_of(self, names: Sequence[str], *, who: str = "the caller") -> list[int]:
        """Return the column of each name (case does not matter where names stay unique).

        Raises
        ------
        ArgumentError
            If the stream lacks one.
        """
        return check_channels(names, self.ch_names, who=who)

    def pick(self, columns: Sequence[int]) -> Self:
        """Return the description of some of the columns, in the order given."""
        return replace(
            self,
            ch_names=tuple(self.ch_names[c] for c in columns),
            ch_types=tuple(self.ch_types[c] for c in columns),
            positions=None if self.positions is None else tuple(self.positions[c] for c in columns),
            full_scales=None if self.full_scales is None else tuple(self.full_scales[c] for c in columns),
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; what is said a channel goes where their number changes."""
        if "ch_names" in changes and len(changes["ch_names"]) != len(self.ch_names):
            changes.setdefault("ch_types", ())
            changes.setdefault("positions", None)
            changes.setdefault("full_scales", None)
        return replace(self, **changes)

    def positions_array(self) -> NDArray[np.float64]:
        """Return the positions as ``(n_channels, 3)`` float64 in metres, NaN where unknown."""
        if self.positions is None:
            return np.full((self.n_channels, 3), np.nan)
        return np.asarray(self.positions, dtype=np.float64).reshape(self.n_channels, 3)

    def full_scale_array(self) -> NDArray[np.float64]:
        """Return the full scale of each channel in microvolts as ``(n_channels,)`` float64, NaN where unknown."""
        scales = self.full_scales
        if scales is None:
            scales = (self.capabilities.full_scale,) * self.n_channels
        return np.array([np.nan if scale is None else scale for scale in scales], dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_dict` reverses it."""
        result = asdict(self)
        result["ch_names"] = list(self.ch_names)
        result["ch_types"] = list(self.ch_types)
        result["bads"] = list(self.bads)
        if self.full_scales is None:
            # Most streams are of one scale: what is written of them stays readable by what knows no other.
            del result["full_scales"]
        else:
            result["full_scales"] = list(self.full_scales)
        if self.positions is not None:
            # JSON has no NaN; None stands for an unknown position.
            result["positions"] = [None if np.isnan(xyz).any() else list(xyz) for xyz in self.positions]
        return result

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the description that `to_dict` wrote; raises `DataError` or `ArgumentError` for what is none."""
        places = values.get("positions") if hasattr(values, "get") else None
        if isinstance(places, list):
            values = {**values, "positions": [[None] * 3 if xyz is None else xyz for xyz in places]}
        return rebuild(cls, values, what="stream")

    def fingerprint(self) -> str:
        """Return a short hash of what a decoder depends on: names, rate and unit."""
        text = json.dumps([self.ch_names, self.sfreq, self.unit])
        return hashlib.sha256(text.encode()).hexdigest()[:16]
