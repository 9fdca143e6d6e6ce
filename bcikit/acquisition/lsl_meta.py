"""The metadata of LSL streams, as the XDF project specifies them for EEG, read and written."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.lsl_library import lsl
from bcikit.signal import CHANNEL_TYPES, ArgumentError, Capabilities, Note, SourceError, StreamInfo, microvolts_per

VOLTAGE_TYPES = frozenset({"eeg", "eog", "emg", "ecg", "ref", "bio"})
"""Channel types whose samples are voltages and are brought to microvolts."""

_KINDS = {
    "exg": "eeg", "acc": "accel", "accelerometer": "accel", "gyroscope": "gyro", "eda": "gsr", "stimulus": "stim",
    "trigger": "stim", "triggers": "stim", "trig": "stim", "trg": "stim", "marker": "stim", "markers": "stim",
    "temp": "temperature", "aux": "misc", "counter": "misc",
}  # fmt: skip


def channel_texts(info: Any) -> list[dict[str, str]]:
    """Return label, type and unit (and x, y, z where given) of each channel that the description lists."""
    found: list[dict[str, str]] = []
    channel = info.desc().child("channels").child("channel")
    while not channel.empty():
        texts = {key: channel.child_value(key) for key in ("label", "type", "unit")}
        location = channel.child("location")
        if not location.empty():
            texts |= {axis.lower(): location.child_value(axis) for axis in "XYZ"}
        loc = channel.child("loc")
        if location.empty() and not loc.empty():
            # MNE-LSL writes MNE's own array, in metres.
            texts |= {axis: _millimetres(loc.child_value(f"R0{axis}")) for axis in "xyz"}
        found.append(texts)
        channel = channel.next_sibling("channel")
    return found


def _millimetres(metres: str) -> str:
    value = _number(metres)
    return "" if value is None else repr(1e3 * value)


def channel_type(text: str, stream_type: str) -> str:
    """Return one of `CHANNEL_TYPES` for what a stream says."""
    for word in (text.strip().lower(), stream_type.strip().lower()):
        kind = _KINDS.get(word, word)
        if kind in CHANNEL_TYPES:
            return kind
        if word:
            return "misc"
    return "eeg"


def stated_unit(text: str) -> str:
    """Return the unit that a stream states; empty for the words by which programs say that they state none."""
    text = text.strip()
    return "" if text.lower() in ("n/a", "none", "unknown") else text


def unit_factor(text: str, kind: str, *, where: str) -> float:
    """Return what a sample is multiplied with: voltages become microvolts, all else stays as it is.

    A whole number is a power of ten of the SI unit ("-6" is microvolts), as MNE-LSL writes it.
    """
    if kind not in VOLTAGE_TYPES:
        return 1.0
    try:
        return float(10.0 ** (int(text) + 6))
    except ValueError:
        return microvolts_per(text, where=where)


def _names(channels: list[dict[str, str]], n_channels: int, *, where: str) -> tuple[str, ...]:
    if not channels:
        return tuple(f"Ch{number + 1}" for number in range(n_channels))
    if len(channels) != n_channels:
        raise SourceError(f"{where} has {n_channels} channels but describes {len(channels)}: its description is wrong.")
    return unique_names([texts["label"] for texts in channels])


def unique_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Return a name for each label: a label that is empty or taken already gets the number of its channel."""
    names: list[str] = []
    taken = {label.strip() for label in labels}
    for number, label in enumerate(labels, start=1):
        name = label.strip() or f"Ch{number}"
        while name in names or (name != label.strip() and name in taken):
            name += f"-{number}"
        names.append(name)
    return tuple(names)


def doubled(labels: Sequence[str]) -> list[Note]:
    """Return what is to be said of labels that stand more than once: nobody can tell such channels apart by name."""
    counts = Counter(label.strip() for label in labels)
    same = [f"{label or 'no name'} ({count})" for label, count in counts.items() if count > 1]
    if not same:
        return []
    return [Note(code="names", text=f"channels of one name were numbered: {', '.join(same)}", count=len(same))]


def read_info(
    info: Any,
    *,
    unit: str | None = None,
    fallback: str | None = None,
    types: tuple[str, ...] | None = None,
    sfreq: float | None = None,
) -> tuple[StreamInfo, NDArray[np.float64]]:
    """Return the description of a stream and the factor of each channel.

    Parameters
    ----------
    info : pylsl.StreamInfo
        With its description (from an inlet).
    unit : str or None
        Unit of the voltages, for a stream that states none or a wrong one.
    fallback : str or None
        Unit of the voltages of which the stream states none, as its profile knows it.
    types : tuple of str or None
        Types of the channels, where somebody knows them better than the stream.
    sfreq : float or None
        Samples a second, where the stream states none or a wrong number.

    Raises
    ------
    SourceError
        If it cannot be a stream of samples: text, no rate, a description that does not fit.
    ArgumentError
        If a voltage has no known unit.
    """
    where = f"lsl:{info.name()}"
    if info.channel_format() == 3:
        raise SourceError(f"{where} carries text; take it as markers: '...?markers={info.name()}'.")
    sfreq = float(info.nominal_srate()) if sfreq is None else sfreq
    if not math.isfinite(sfreq) or sfreq <= 0:
        raise SourceError(
            f"{where} states no sampling rate ({sfreq:g} Hz). If its samples come evenly, say how many a second: "
            "option 'sfreq=250' of the address; if its numbers are markers, take it beside a source: "
            f"'...?markers={info.name()}'."
        )
    channels = channel_texts(info)
    count = int(info.channel_count())
    names = _names(channels, count, where=where)
    texts = channels or [{"label": name, "type": "", "unit": ""} for name in names]
    kinds = tuple(channel_type(item["type"], info.type()) for item in texts)
    if types is not None and len(types) == count:
        kinds = types
    factors = np.array(
        [
            unit_factor(unit or stated_unit(item["unit"]) or fallback or "", kind, where=f"{where}, channel {name!r},")
            for item, kind, name in zip(texts, kinds, names, strict=True)
        ]
    )
    acquisition = info.desc().child("acquisition")
    device = " ".join(
        part for part in (acquisition.child_value("manufacturer"), acquisition.child_value("model")) if part
    )
    full_scale = _number(acquisition.child_value("full_scale_uv"))
    modulus = _number(acquisition.child_value("packet_modulus"))
    return StreamInfo(
        name=info.name(),
        sfreq=sfreq,
        ch_names=names,
        ch_types=kinds,
        positions=positions_of(texts),
        source_id=info.source_id(),
        device=device,
        reference=info.desc().child("reference").child_value("label"),
        line_freq=_number(acquisition.child_value("line_freq")),
        capabilities=Capabilities(full_scale=full_scale, packet_modulus=None if modulus is None else int(modulus)),
    ), factors


def positions_of(channels: list[dict[str, str]]) -> tuple[tuple[float, float, float], ...] | None:
    """Return positions in metres from texts "x", "y", "z" in millimetres; None where no channel has any."""
    found = []
    for texts in channels:
        xyz = tuple(_number(texts.get(axis, "")) for axis in ("x", "y", "z"))
        found.append((math.nan,) * 3 if None in xyz else tuple(1e-3 * float(v or 0.0) for v in xyz))
    if all(math.isnan(xyz[0]) for xyz in found):
        return None
    return tuple((x, y, z) for x, y, z in found)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def write_info(info: StreamInfo, *, name: str, kind: str, source_id: str, sfreq: float, channel_format: str) -> Any:
    """Return a `pylsl.StreamInfo` with everything `info` knows in its description.

    Positions are written twice: in millimetres as the XDF project specifies, and in metres as MNE-LSL reads them.
    """
    pylsl = lsl()

    if not name:
        raise ArgumentError("name of an LSL outlet is empty; streams are found by it.")
    outlet = pylsl.StreamInfo(name, kind, info.n_channels, sfreq, channel_format, source_id)
    desc = outlet.desc()
    channels = desc.append_child("channels")
    for column, (label, ch_type) in enumerate(zip(info.ch_names, info.ch_types, strict=True)):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("type", ch_type)
        channel.append_child_value("unit", _unit_text(info.unit, ch_type))
        position = None if info.positions is None else info.positions[column]
        if position is not None and not any(map(math.isnan, position)):
            location = channel.append_child("location")
            for axis, value in zip("XYZ", position, strict=True):
                location.append_child_value(axis, f"{1e3 * value:.6g}")
            loc = channel.append_child("loc")
            for axis, value in zip("xyz", position, strict=True):
                loc.append_child_value(f"R0{axis}", f"{value:.9g}")
    if info.reference:
        desc.append_child("reference").append_child_value("label", info.reference)
    acquisition = desc.append_child("acquisition")
    for key, known in (
        ("model", info.device),
        ("line_freq", info.line_freq),
        ("full_scale_uv", info.capabilities.full_scale),
    ):
        if known:
            acquisition.append_child_value(key, str(known))
    if info.delay:
        desc.append_child("processing").append_child_value("group_delay", repr(info.delay))
    return outlet


def _unit_text(unit: str, kind: str) -> str:
    if kind not in VOLTAGE_TYPES:
        # Never empty: MNE-LSL drops the units of all channels when one has none.
        return "none" if unit == "uV" else unit
    return "microvolts" if unit == "uV" else unit
