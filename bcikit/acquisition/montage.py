"""Electrode positions by name."""

from functools import cache

import numpy as np


@cache
def montage_name(montage: str = "standard_1005") -> str:
    """Return what the installed MNE calls a montage: 1.13 renamed its "standard_*" after the head they were made on."""
    import mne

    known = mne.channels.get_builtin_montages()
    for old, new in (("standard_", "colin27_"), ("colin27_", "standard_")):
        if montage not in known and montage.startswith(old):
            montage = montage.replace(old, new, 1)
    return montage


@cache
def _located(montage: str) -> dict[str, tuple[str, tuple[float, float, float]]]:
    """Return name and position in head coordinates by lower-case name."""
    import mne

    made = mne.channels.make_standard_montage(montage_name(montage))
    # A montage keeps the coordinates of the scan it was made on: MNE turns them to the head's when it sets them.
    head = mne.create_info(made.ch_names, 100.0, "eeg", verbose="ERROR").set_montage(made, verbose="ERROR")
    places = [channel["loc"] for channel in head["chs"]]
    return {
        name.lower(): (name, (float(xyz[0]), float(xyz[1]), float(xyz[2])))
        for name, xyz in zip(made.ch_names, places, strict=True)
    }


def standard_name(name: str) -> str | None:
    """Return how the 10-05 system writes a name ("Fc5." is "FC5"), or None if it is none of its positions."""
    found = _located("standard_1005").get(name.strip().rstrip(".").lower())
    return None if found is None else found[0]


_REFERENCES = frozenset({"ref", "le", "ar", "avg", "av", "car", "a1a2", "m1m2", "org", "g2", "reference", "linkedears"})


def clinical_name(name: str) -> tuple[str, str]:
    """Return a name without what clinical systems put around it ("EEG C3-Ref" is "C3"), and the reference it names.

    A name of two electrodes ("EEG Fpz-Cz") is one of a bipolar derivation and stays.
    """
    plain = standard_name(name)
    if plain is not None:
        return plain, ""
    text = name.strip()
    text = text[4:].strip() if text[:4].lower() in ("eeg ", "eeg-", "eeg_") else text
    electrode, dash, reference = text.rpartition("-")
    if not dash:
        return standard_name(text) or name, ""
    found = standard_name(electrode)
    if found is not None and reference.strip().lower() in _REFERENCES:
        return found, reference.strip()
    return name, ""


@cache
def montage_positions(
    names: tuple[str, ...], montage: str = "standard_1005"
) -> tuple[tuple[float, float, float], ...] | None:
    """Return the positions of channels in a montage of MNE, or None where it has none of them.

    Parameters
    ----------
    names : tuple of str
        Channel names; case and dots do not matter ("Fc5." is FC5).
    montage : str
        Name that `mne.channels.make_standard_montage` knows.

    Returns
    -------
    tuple of (float, float, float) or None
        Metres, head coordinates; NaN for a name that is not in the montage.
    """
    located = _located(montage)
    unknown = ("", (float("nan"),) * 3)
    found = tuple(located.get(name.strip(". ").lower(), unknown)[1] for name in names)
    return None if all(np.isnan(xyz).any() for xyz in found) else found
