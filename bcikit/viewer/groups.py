"""Groups of channels that one wants to see together."""

from bcikit.recording.view import VOLT_TYPES
from bcikit.signal import StreamInfo
from bcikit.ui.words import tr

_REGIONS = (
    ("frontal", ("Fp", "AF", "F")),
    ("central", ("FC", "C", "CP")),
    ("temporal", ("FT", "T", "TP")),
    ("parietal", ("P",)),
    ("occipital", ("PO", "O", "I")),
)


def region_of(name: str) -> str:
    """Return the region of the head that a name of the 10-5 system stands for, "" for other names."""
    letters = name.rstrip("0123456789zZhH").lower()
    for region, prefixes in _REGIONS:
        if letters in (prefix.lower() for prefix in prefixes):
            return region
    return ""


def channel_groups(info: StreamInfo) -> dict[str, list[int]]:
    """Return names of groups, in the language of the interface, to columns; the first holds all."""
    groups: dict[str, list[int]] = {tr("all"): list(range(info.n_channels))}
    kinds = dict.fromkeys(info.ch_types)
    if len(kinds) > 1:
        for kind in kinds:
            groups[kind.upper()] = info.indices(ch_type=kind)
    words = {
        "frontal": tr("frontal"),
        "central": tr("central"),
        "temporal": tr("temporal"),
        "parietal": tr("parietal"),
        "occipital": tr("occipital"),
    }
    eeg = info.indices(ch_type="eeg")
    if len(eeg) > 8:
        for region, word in words.items():
            members = [index for index in eeg if region_of(info.ch_names[index]) == region]
            if members:
                groups[word] = members
        left = [index for index in eeg if info.ch_names[index][-1:] in "13579"]
        right = [index for index in eeg if info.ch_names[index][-1:] in "02468"]
        groups[tr("left")], groups[tr("right")] = left, right
    size = 16
    if info.n_channels > 2 * size:
        for start in range(0, info.n_channels, size):
            members = list(range(start, min(start + size, info.n_channels)))
            groups[f"{start + 1}–{members[-1] + 1}"] = members
    return {name: members for name, members in groups.items() if members}


def unit_of(info: StreamInfo, kind: str) -> str:
    """Return the unit of a type of channel: that of the stream for voltages; "" for what is none (it is not known)."""
    return info.unit if kind in VOLT_TYPES else ""
