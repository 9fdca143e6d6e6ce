"""What the readers that lean on MNE share: opening, units, codes, and what was never measured."""

import contextlib
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.codes import trigger_events
from bcikit.acquisition.formats import FileHints
from bcikit.acquisition.gaps import without_fillings
from bcikit.acquisition.montage import clinical_name, standard_name
from bcikit.signal import Note, Recording, SourceError, StreamInfo, is_other, is_voltage, microvolts_per

_KINDS = (
    (re.compile(r"(h|v|l|r)?eog.*|.*[ _-]eog.*|loc\b.*|roc\b.*", re.IGNORECASE), "eog"),
    (re.compile(r"emg.*|.*[ _-]emg.*|chin.*", re.IGNORECASE), "emg"),
    (re.compile(r"e[ck]g.*|.*[ _-]e[ck]g.*", re.IGNORECASE), "ecg"),
    (re.compile(r"resp.*", re.IGNORECASE), "resp"),
    (re.compile(r"temp.*", re.IGNORECASE), "temperature"),
    (re.compile(r"gsr.*|eda.*", re.IGNORECASE), "gsr"),
    (
        re.compile(r"(trig(ger)?s?|trg|sti|stim|status|ttl|markers?)([ _-]?(in|ch|channel))?[ _-]?\d*", re.IGNORECASE),
        "stim",
    ),
)
"""Labels that name another kind of signal than EEG, as EDF+ writes them ("EOG horizontal")."""


def kind_of(label: str) -> str:
    """Return the type that the label of a channel names, or "" where it names none."""
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(label.strip())), "")


def open_raw(path: Path, reader: str, **options: Any) -> Any:
    """Return an `mne.io.Raw` whose samples are still in the file."""
    import mne

    return checked(getattr(mne.io, reader)(path, preload=False, verbose="ERROR", **options), path)


def open_recording(path: Path, reader: str, *, suffix: str = "", **options: Any) -> tuple[Any, Recording]:
    """Return a Raw and the recording in it, its samples still in the file where MNE takes the file's own name."""
    with named_as(path, suffix or path.suffix.lower()) as named:
        raw = open_raw(named, reader, **options)
        recording = Recording.from_mne(raw, name=path.name, lazy=True)
        recording = replace(recording, notes=(*recording.notes, *_other_modality(raw)))
        if reader == "read_raw_fif":
            events = tuple(replace(event, name=unescaped(event.name)) for event in recording.events)
            recording = replace(recording, events=events)
        # A name that is only lent is gone when the samples are asked for.
        return raw, recording if named == path else recording.loaded()


def _other_modality(raw: Any) -> list[Note]:
    """Return what is to be said of channels that are magnetic or optical: nothing here knows what to make of them."""
    counts = Counter(raw.get_channel_types())
    other = {kind: n for kind, n in counts.items() if re.match(r"mag|grad|ref_meg|hb[or]|fnirs|eyegaze|pupil", kind)}
    if not other:
        return []
    text = f"of another modality, taken as misc: {', '.join(f'{kind} ({n})' for kind, n in other.items())}"
    alone = not set(counts) & {*SCALED, "seeg", "ecog", "dbs"}
    if alone:
        text += "; there is no EEG or other voltage beside them; accept=channels if that is meant"
    return [Note(code="channels", text=text, doubt=alone, count=sum(other.values()))]


def unescaped(name: str) -> str:
    """Return a name from a FIF file, which holds Latin-1: MNE writes letters beyond it as ``&#24038;``."""
    return re.sub(
        r"&#(\d{3,7});", lambda found: chr(int(found[1])) if 255 < int(found[1]) < 0x110000 else found[0], name
    )


def checked(raw: Any, path: Path) -> Any:
    """Return a Raw that has samples and a rate."""
    if not raw.info["sfreq"] > 0:
        raise SourceError(f"{path} has a sampling rate of {raw.info['sfreq']:g} Hz.")
    if not raw.n_times:
        raise SourceError(f"{path} holds no samples.")
    return raw


@contextlib.contextmanager
def named_as(path: Path, suffix: str) -> Iterator[Path]:
    """Yield the file under a name that ends as MNE wants it; the content says what it is."""
    if path.suffix.lower() == suffix:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="bcikit-") as folder:
        link = Path(folder) / f"recording{suffix}"
        link.symlink_to(path.resolve())
        yield link


def finished(recording: Recording, reading: FileHints, *, fallback: int | None = None) -> Recording:
    """Return a recording with its trigger codes beside its annotations, and without what was never measured."""
    codes, notes = trigger_events(recording, mask=reading.trigger_mask, fallback=fallback)
    if recording.events:
        text = f"{len(recording.events)} annotations"
        notes.insert(0, Note(code="annotations", text=text, count=len(recording.events)))
    # A code that an export wrote as an annotation as well is one event.
    written = {(event.name, event.sample) for event in recording.events}
    codes = [event for event in codes if (event.name, event.sample) not in written]
    events = tuple(sorted([*recording.events, *codes], key=lambda event: event.time))
    if recording.info.bads:
        text = f"marked as bad: {', '.join(recording.info.bads)}"
        notes.append(Note(code="bads", text=text, count=len(recording.info.bads)))
    return without_fillings(replace(recording, events=events, notes=(*recording.notes, *notes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitNote(Note):
    """In which unit the file has its voltages, for what stands beside it and may say another one.

    Attributes
    ----------
    names : tuple of str
        Channels.
    unit : str
        As the file states it, or the one that its format always has.
    """

    names: tuple[str, ...]
    unit: str


def unit_notes(names: tuple[str, ...], units: list[str], who: str) -> list[Note]:
    """Return a note for each unit, saying whose it is and who states it."""
    found: dict[str, list[str]] = {}
    for name, unit in zip(names, units, strict=True):
        found.setdefault(unit, []).append(name)
    return [
        UnitNote(code="unit", names=tuple(some), unit=unit,
                 text=f"{', '.join(some) if len(some) <= 6 else f'{some[0]} ... {some[-1]} ({len(some)})'}: "
                 f"{unit or 'none'} ({who})")
        for unit, some in found.items()
    ]  # fmt: skip


def in_microvolts(
    recording: Recording,
    signals: list[tuple[str, str]],
    known: Mapping[str, float],
    *,
    where: str,
    unit: str | None,
    slow: Collection[int] = (),
) -> Recording:
    """Return the recording with voltages in microvolts and everything else in the unit the file has it in.

    `unit` stands for a unit that is missing or cannot be understood where no channel states a voltage. Of the columns
    `slow` MNE interpolated the samples: between codes of a trigger that makes codes that nobody sent.
    """
    columns = [i for i, kind in enumerate(recording.info.ch_types) if kind != "stim"]
    voltages = any(is_voltage(signals[i][1]) for i in columns)
    unclear = [i for i in columns if not is_voltage(signals[i][1]) and not is_other(signals[i][1])]
    unclear = [i for i in unclear if kind_of(signals[i][0]) not in _NO_VOLTAGES]
    stated: float | None = None
    if not voltages and unclear:
        texts = sorted({signals[i][1] for i in unclear})
        stated = microvolts_per(unit or (texts[0] if texts != [""] else ""), where=where)
    elif unit:
        unclear = [i for i in unclear if is_position(signals[i][0])]
        stated = microvolts_per(unit)
    kinds = list(recording.info.ch_types)
    scale = np.ones(len(signals))
    said = []
    unread: list[Note] = []
    for column, (label, text) in enumerate(signals):
        said.append(text)
        if kinds[column] == "stim":
            # What MNE makes of the unit of codes is undone: they are whole numbers.
            continue
        kind = kind_of(label)
        taken = known.get(text, 1e6)
        factor = microvolts_per(text) if is_voltage(text) else stated if column in unclear else None
        if factor is None or kind == "stim":
            kinds[column] = kind if kind in _NO_VOLTAGES and (kind != "stim" or column not in slow) else "misc"
            if kind == "stim" and column in slow:
                text = f"{label} has fewer samples than the signals: its codes were not read"
                unread.append(Note(code="triggers", text=text, count=1))
            scale[column] = 1.0 / taken if recording.info.ch_types[column] in SCALED else 1e6 / taken
        else:
            kinds[column] = kind if kind in ("eog", "emg", "ecg") else "eeg"
            scale[column] = factor / taken
            said[-1] = text if is_voltage(text) else f"{unit} as you say"
    info = recording.info.replace(ch_types=tuple(kinds))
    notes = (*recording.notes, *unit_notes(info.ch_names, said, "stated by the file"), *_left_out(info, said))
    return replace(recording, info=info, data=recording.data * scale, notes=(*notes, *unread))


_NO_VOLTAGES = ("resp", "temperature", "gsr", "stim")
"""Kinds that a label names and that are no voltages, whatever unit stands there."""

_NUMBERS = re.compile(r"counts?|adu?|bits?|steps?|n/?a|none|units?", re.IGNORECASE)
"""Units that are no voltage, and no other quantity either."""


LEFT_OUT = "named as EEG, but their unit is no voltage, so they are not taken for EEG"
"""How the doubt about such channels begins; a table beside the file may decide it."""


def is_position(label: str) -> bool:
    """Return whether a label is that of an electrode of the 10-05 system ("EEG C3-Ref")."""
    return standard_name(clinical_name(label)[0]) is not None


def _left_out(info: StreamInfo, units: list[str]) -> list[Note]:
    """Return what is to be said of channels that are named as EEG and have no unit of it: no decoder gets them."""
    found = [
        f"{name} ({unit or 'none'})"
        for name, kind, unit in zip(info.ch_names, info.ch_types, units, strict=True)
        if kind == "misc" and (not is_other(unit) or _NUMBERS.fullmatch(unit)) and is_position(name)
    ]
    if not found:
        return []
    some = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
    text = f"{LEFT_OUT}: {some}; "
    text += "unit=uV (mV, V, nV) says an unknown unit, accept=unit that it is as it should be"
    return [Note(code="unit", text=text, doubt=True, count=len(found))]


SCALED = frozenset({"eeg", "eog", "emg", "ecg", "bio", "ref"})
"""Types that `Recording.from_mne` takes from volts to microvolts."""


def unscaled(recording: Recording) -> NDArray[np.float64]:
    """Return the factors that undo what `Recording.from_mne` makes of volts, shape (n_channels,)."""
    return np.array([1e-6 if kind in SCALED else 1.0 for kind in recording.info.ch_types])


def as_stated(
    recording: Recording,
    factors: NDArray[np.float64],
    units: Mapping[int, str],
    reading: FileHints,
    *,
    voltage: str = "bio",
) -> Recording:
    """Return a recording whose channels are in the units that the file states, voltages in microvolts.

    Parameters
    ----------
    factors : ndarray of float64, shape (n_channels,)
        By which the samples are to be multiplied to be in the units of the file.
    units : mapping of int to str
        Of each channel, as the file has them.
    voltage : str
        Type of a voltage that MNE does not take for one.
    """
    kinds = list(recording.info.ch_types)
    factors = factors.copy()
    said = []
    for column, label in enumerate(recording.info.ch_names):
        unit = units[column]
        said.append(unit)
        if kinds[column] == "stim":
            continue
        if not is_voltage(unit) and not is_other(unit) and reading.unit:
            unit = said[-1] = reading.unit
        if kind_of(label) == "stim":
            kinds[column] = "stim"
        elif is_voltage(unit):
            factors[column] *= microvolts_per(unit)
            named = kind_of(label)
            if named in ("eog", "emg", "ecg"):
                kinds[column] = named
            elif kinds[column] not in SCALED:
                kinds[column] = voltage
        else:
            named = kind_of(label)
            kinds[column] = named if named in _NO_VOLTAGES else "misc"
    info = recording.info.replace(ch_types=tuple(kinds))
    notes = (*recording.notes, *unit_notes(info.ch_names, said, "stated by the file"), *_left_out(info, said))
    return replace(recording, info=info, data=recording.data * factors, notes=notes)


def named(recording: Recording) -> Recording:
    """Return a recording whose voltages that nobody gave a type have the one that their label names."""
    kinds = tuple(
        kind_of(label) if kind == "eeg" and kind_of(label) in ("eog", "emg", "ecg", "stim") else kind
        for label, kind in zip(recording.info.ch_names, recording.info.ch_types, strict=True)
    )
    return replace(recording, info=recording.info.replace(ch_types=kinds))


def told(recording: Recording, reading: FileHints, usual: str) -> Recording:
    """Return a recording whose numbers are in the unit the user says, where the format itself has but one."""
    said = usual
    unit = usual.split()[0] if usual.startswith("uV") else ""
    if reading.unit:
        unit = ""
        factor = microvolts_per(reading.unit) / 1e6
        scale = np.array([factor if kind in SCALED else 1.0 for kind in recording.info.ch_types])
        said = f"{reading.unit} (as you say)"
        recording = replace(recording, data=recording.data * scale)
    names = tuple(
        name for name, kind in zip(recording.info.ch_names, recording.info.ch_types, strict=True) if kind in SCALED
    )
    note = UnitNote(code="unit", text=f"voltages: {said}", names=names, unit=unit)
    return replace(recording, notes=(*recording.notes, note))


def starts(*marks: bytes) -> Callable[[Path, bytes], bool]:
    """Return a probe that looks at how a file begins."""
    return lambda _path, head: head.startswith(marks)
