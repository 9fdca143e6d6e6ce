"""Device profiles: what a maker says of a device in a TOML file, without code."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bcikit.acquisition.gains import GainProfile
from bcikit.acquisition.montage import montage_positions
from bcikit.signal import ConfigError, StreamInfo
from bcikit.signal.documents import packaged_toml, read_toml
from bcikit.signal.settings import check_settings

ENTRY_POINT_GROUP = "bcikit.profiles"
"""An entry point names a package whose ``*.toml`` files are profiles, too."""


class CounterProfile(BaseModel):
    """How the packet counter of a device runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    modulus: int = Field(ge=4, description="The counter wraps after this many values.")
    step: int = Field(default=1, ge=1, description="How much it grows from packet to packet.")
    samples_per_packet: int = Field(default=1, ge=1, description="Samples that share one value.")
    channel: str | None = Field(default=None, description="LSL: label of the channel that carries the counter.")


class TriggerProfile(BaseModel):
    """Which channel carries hardware triggers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    channel: str
    mask: int | None = Field(default=None, description="Bits that belong to the trigger.")
    debounce: float = Field(default=0.002, ge=0, description="Seconds a level must hold.")


class DeviceProfile(BaseModel):
    """What a maker says of a device.

    A profile fits a BrainFlow board that `boards` names, or an LSL stream whose name, manufacturer or model holds one
    of `lsl` (case does not matter).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    boards: tuple[str, ...] = ()
    lsl: tuple[str, ...] = ()
    channels: tuple[str, ...] | None = Field(default=None, description="Names, in the order of the device.")
    types: tuple[str, ...] | None = Field(default=None, description="Types, in the order of the device.")
    montage: str | None = Field(default=None, description="A montage of MNE ('standard_1005').")
    positions: dict[str, tuple[float, float, float]] | None = Field(
        default=None, description="Metres, head coordinates; wins over `montage`."
    )
    unit: str | None = Field(default=None, description="Unit of an LSL stream that states none.")
    reference: str = ""
    full_scale: float | None = Field(default=None, gt=0, description="Largest absolute value, microvolts.")
    counter: CounterProfile | None = None
    stamps: Literal["arrival", "sender"] = Field(
        default="arrival", description="BrainFlow: whether the driver stamps on arrival or takes the device's own time."
    )
    gain: GainProfile | None = None
    unknown: tuple[str, ...] = Field(default=(), description="What is not known of the device, in words.")
    trigger: TriggerProfile | None = None

    def describe(self, info: StreamInfo) -> StreamInfo:
        """Return `info` with what the profile adds: names, types, positions, reference, full scale.

        Raises
        ------
        ConfigError
            If the number of channels differs.
        """
        changes: dict[str, object] = {}
        for key, values in (("ch_names", self.channels), ("ch_types", self.types)):
            if values is None:
                continue
            if len(values) != info.n_channels:
                raise ConfigError(
                    f"profile {self.name!r}",
                    [f"{'channels' if key == 'ch_names' else 'types'} has {len(values)} entries, "
                     f"the device has {info.n_channels} channels."],
                )  # fmt: skip
            changes[key] = values
        info = info.replace(**changes) if changes else info
        if info.positions is None:
            info = info.replace(positions=self._positions(info.ch_names))
        capabilities = info.capabilities
        return info.replace(
            device=info.device or self.name,
            reference=info.reference or self.reference,
            capabilities=replace(
                capabilities,
                full_scale=capabilities.full_scale or self.full_scale,
                packet_modulus=capabilities.packet_modulus or (self.counter.modulus if self.counter else None),
                trigger=capabilities.trigger or self.trigger is not None,
            ),
        )

    def _positions(self, names: Iterable[str]) -> tuple[tuple[float, float, float], ...] | None:
        if self.positions is not None:
            unknown = (float("nan"),) * 3
            return tuple(self.positions.get(name, unknown) for name in names)
        if self.montage is not None:
            return montage_positions(tuple(names), self.montage)
        return None


def read_profile(path: str | Path) -> DeviceProfile:
    """Read a profile file.

    Raises
    ------
    ConfigError
        If the file is missing or wrong; each problem names its key.
    """
    return check_settings(DeviceProfile, read_toml(Path(path)), where=str(path))


@cache
def known_profiles() -> tuple[DeviceProfile, ...]:
    """Return the profiles in this package and in packages that an entry point names."""
    packages = ["bcikit.acquisition.profiles", *(point.value for point in entry_points(group=ENTRY_POINT_GROUP))]
    found: list[DeviceProfile] = []
    for package in packages:
        found += [check_settings(DeviceProfile, values, where=name) for name, values in packaged_toml(package)]
    return tuple(found)


def profile_for_board(board: str) -> DeviceProfile | None:
    """Return the profile of a BrainFlow board by its name in `brainflow.BoardIds`."""
    return next((profile for profile in known_profiles() if board in profile.boards), None)


def profile_for_lsl(*texts: str) -> DeviceProfile | None:
    """Return the profile of an LSL stream by its name, manufacturer and model."""
    together = " ".join(texts).lower()
    return next((p for p in known_profiles() if any(part.lower() in together for part in p.lsl)), None)
