"""Formats that MNE reads well: FIF, EEGLAB, GDF and the files of many amplifiers."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.fif_check import check_fif
from bcikit.acquisition.formats import FileHints, Format
from bcikit.acquisition.gaps import with_gaps, without_fillings
from bcikit.acquisition.gdf_header import gdf_event_rate, gdf_has_rate, gdf_units
from bcikit.acquisition.mat_check import check_mat
from bcikit.acquisition.mne_files import (
    SCALED,
    as_stated,
    finished,
    in_microvolts,
    named,
    named_as,
    open_recording,
    starts,
    told,
    unscaled,
)
from bcikit.signal import Event, Note, Recording, SourceError


# ---- GDF -----------------------------------------------------------------------------------------------------------
def read_gdf(path: Path, reading: FileHints) -> Recording:
    """Return a GDF file."""
    if not gdf_has_rate(path):
        raise SourceError(f"{path} cannot be read: it states records of 0 s, so nobody can know its sampling rate.")
    raw, recording = open_recording(path, "read_raw_gdf", suffix=".gdf")
    recording = _at_their_rate(recording, raw._raw_extras[0], path)
    signals, taken = gdf_units(path)
    if len(signals) == recording.info.n_channels:
        counts = np.asarray(raw._raw_extras[0]["n_samps"])
        slow = np.flatnonzero(counts < counts.max()).tolist() if counts.size == len(signals) else []
        recording = in_microvolts(recording, signals, taken, where=str(path), unit=reading.unit, slow=slow)
    return finished(recording, reading)


def _at_their_rate(recording: Recording, header: dict[str, Any], path: Path) -> Recording:
    """Return a recording whose events lie where their own rate puts them: MNE takes them for samples of the signals."""
    table = header.get("events")
    sfreq = recording.info.sfreq
    rate = gdf_event_rate(path, int(header["data_offset"]) + int(header["n_records"]) * int(header["bytes_tot"]))
    if table is None or not len(table[1]) or rate <= 0 or abs(rate / sfreq - 1.0) < 1e-3:
        return recording
    _, places, codes, _, lengths = table
    events = [
        Event(name=str(int(code)), time=at / rate, sample=round(at / rate * sfreq), duration=length / rate,
              source="annotation")
        for at, code, length in zip(places.tolist(), codes.tolist(), lengths.tolist(), strict=True)
    ]  # fmt: skip
    note = Note(code="events", text=f"events are on a grid of their own, of {rate:g} Hz", count=len(events))
    events.sort(key=lambda event: event.time)
    return replace(recording, events=tuple(events), notes=(*recording.notes, note))


# ---- FIF, EEGLAB and the others --------------------------------------------------------------------------------------
def read_fif(path: Path, reading: FileHints) -> Recording:
    """Return a FIF file, in volts as MNE keeps it unless the user says otherwise."""
    check_fif(path)
    try:
        raw, recording = open_recording(path, "read_raw_fif")
    except ValueError as error:
        if "No raw data" not in str(error):
            raise
        raise SourceError(f"{path} holds no recording (epochs, averages?); give the raw file (..._raw.fif).") from None
    recording = told(recording, reading, "V (FIF keeps volts)")
    if not any(not event.name.lower().startswith("bad") for event in recording.events):
        beside = _events_beside(path, raw)
        recording = replace(recording, events=(*recording.events, *beside))
        if beside:
            note = Note(code="events", text=f"{len(beside)} of the events file beside it", count=len(beside))
            return without_fillings(replace(recording, notes=(*recording.notes, note)))
    return finished(recording, reading)


def _events_beside(path: Path, raw: Any) -> tuple[Event, ...]:
    """Return the events of a file ``*-eve.fif`` beside ``*_raw.fif``, as MNE names them."""
    if not path.name.endswith(("_raw.fif", "-raw.fif")):
        return ()
    beside = path.with_name(path.name[: -len("_raw.fif")] + "-eve.fif")
    if not beside.is_file():
        return ()
    check_fif(beside)
    import mne

    rows = mne.read_events(beside, verbose="ERROR")
    sfreq = float(raw.info["sfreq"])
    return tuple(
        Event(
            name=str(int(code)),
            time=(int(sample) - raw.first_samp) / sfreq,
            sample=int(sample) - raw.first_samp,
            value=int(code),
            source="events file",
        )
        for sample, _, code in rows
    )


def read_eeglab(path: Path, reading: FileHints) -> Recording:
    """Return an EEGLAB data set; a boundary is a gap of as many samples as it says were cut out."""
    check_mat(path)
    try:
        _, recording = open_recording(path, "read_raw_eeglab", suffix=".set")
    except AttributeError as error:
        if "'get'" not in str(error):
            raise
        raise SourceError(
            f"{path} has an empty EEG.chaninfo, which MNE does not read; in EEGLAB: EEG.chaninfo.nosedir = '+X', "
            "and save it again."
        ) from None
    except TypeError as error:
        if "trials" not in str(error):
            raise
        raise SourceError(f"{path} holds epochs, not a recording; give the data set they were cut from.") from None
    recording = told(named(recording), reading, "uV (EEGLAB's unit)")
    if reading.unit:
        # EEGLAB's numbers are microvolts; MNE made volts of them.
        scale = np.array([1e6 if kind in SCALED else 1.0 for kind in recording.info.ch_types])
        recording = replace(recording, data=recording.data * scale)
    import mne

    with named_as(path, ".set") as lent:
        # As they are: a Raw cuts durations at its own end.
        listed = mne.read_annotations(lent)
    gaps = []
    kept = [event for event in recording.events if not _is_boundary(event.name)]
    for found in listed:
        if not _is_boundary(found["description"]):
            continue
        row = int(np.ceil(float(found["onset"]) * recording.info.sfreq - 1e-6))
        duration = float(found["duration"]) * recording.info.sfreq
        # What was cut out of unknown length is still a seam that nothing may be cut across.
        gaps.append((row, max(1, round(duration)) if np.isfinite(duration) else 1))
    recording = replace(recording, events=tuple(kept))
    return finished(with_gaps(recording, gaps, "EEGLAB boundaries"), reading)


def _is_boundary(name: str) -> bool:
    """Return whether an event is EEGLAB's boundary: it is -99 in data sets whose event types are numbers."""
    return name == "boundary" or re.fullmatch(r"-99(\.0+)?", name) is not None


def read_ant(path: Path, reading: FileHints) -> Recording:
    """Return an ANT Neuro recording; bipolar inputs are voltages, too."""
    raw, recording = open_recording(path, "read_raw_ant")
    units = dict(enumerate(raw._raw_extras[0]["orig_ch_units"]))
    # MNE makes volts of the microvolts it knows, and leaves all else.
    scales = np.array([1e6 if units[i].lower() in ("uv", "µv") else 1.0 for i in range(len(units))])
    if len(units) == recording.info.n_channels:
        recording = as_stated(recording, unscaled(recording) * scales, units, reading)
    return finished(recording, reading)


def read_nihon(path: Path, reading: FileHints) -> Recording:
    """Return a Nihon Kohden recording; its inputs are voltages whatever they are called."""
    _, recording = open_recording(
        path, "read_raw_nihon", **({"encoding": reading.encoding} if reading.encoding else {})
    )
    units = dict.fromkeys(range(recording.info.n_channels), "V")
    recording = as_stated(recording, unscaled(recording), units, reading)
    return finished(recording, reading)


def _other(reader: str) -> Callable[[Path, FileHints], Recording]:
    def read(path: Path, reading: FileHints) -> Recording:
        _, recording = open_recording(path, reader)
        return finished(told(named(recording), reading, "V (as MNE reads it)"), reading)

    return read


def _probe_eeglab(path: Path, head: bytes) -> bool | str:
    if path.suffix.lower() == ".fdt":
        return f"holds the samples of an EEGLAB data set; give the {path.with_suffix('.set').name}."
    return path.suffix.lower() == ".set" and head.startswith((b"MATLAB", b"\x89HDF"))


def _probe_fif(path: Path, head: bytes) -> bool | str:
    # The first tag is the file's identity: kind 100, type 31, 20 bytes.
    found = head.startswith(b"\x00\x00\x00\x64\x00\x00\x00\x1f\x00\x00\x00\x14")
    name = path.name.lower().removesuffix(".gz")
    for end, what in (
        ("-eve.fif", "events"),
        ("-epo.fif", "epochs"),
        ("-ave.fif", "averages"),
        ("-ica.fif", "components"),
    ):
        if found and name.endswith(end):
            return f"holds {what}, not a recording; give the raw file (..._raw.fif)."
    return found


GDF = Format(
    name="gdf", title="GDF", suffixes=(".gdf",), probe=starts(b"GDF "), read=read_gdf, options=("trigger_mask",)
)
FIF = Format(
    name="fif", title="FIF", suffixes=(".fif", ".fif.gz"), probe=_probe_fif, read=read_fif, options=("trigger_mask",)
)
EEGLAB = Format(
    name="eeglab", title="EEGLAB", suffixes=(".set",), probe=_probe_eeglab, read=read_eeglab, options=("trigger_mask",)
)
CNT = Format(
    name="neuroscan", title="Neuroscan CNT", suffixes=(".cnt",), probe=starts(b"Version 3.0"),
    read=_other("read_raw_cnt"), options=("trigger_mask",),
)  # fmt: skip
ANT = Format(
    name="ant", title="ANT Neuro eego (CNT)", suffixes=(".cnt",), read=read_ant, packages=(("antio", "formats"),),
    probe=lambda path, head: head.startswith((b"RIFF", b"RF64")) and path.suffix.lower() == ".cnt",
    options=("trigger_mask",),
)  # fmt: skip
NIHON = Format(
    name="nihon-kohden", title="Nihon Kohden", suffixes=(".eeg",), read=read_nihon,
    options=("encoding", "trigger_mask"),
    probe=lambda path, head: path.suffix.lower() == ".eeg" and bool(re.match(rb"(EEG|QI|DAE)-\d", head)),
)  # fmt: skip
EGI = Format(
    name="egi", title="EGI (MFF)", suffixes=(".mff",), read=_other("read_raw_egi"),
    probe=lambda path, _: path.is_dir() and (path / "info.xml").is_file(),
    packages=(("defusedxml", "formats"), ("mffpy", "formats")), options=("trigger_mask",),
)  # fmt: skip
CURRY = Format(
    name="curry", title="Curry", suffixes=(".cdt", ".dap", ".rs3"), read=_other("read_raw_curry"),
    probe=lambda path, _: path.suffix.lower() in (".cdt", ".dap", ".rs3")
    or (path.suffix.lower() == ".dat" and path.with_suffix(".dap").is_file()),
    packages=(("curryreader", "formats"),), options=("trigger_mask",),
)  # fmt: skip
PERSYST = Format(
    name="persyst", title="Persyst", suffixes=(".lay",), read=_other("read_raw_persyst"), probe=starts(b"[FileInfo]")
)
NEDF = Format(
    name="nedf", title="NeuroElectrics NEDF", suffixes=(".nedf",), read=_other("read_raw_nedf"),
    probe=lambda path, _: path.suffix.lower() == ".nedf",
)  # fmt: skip
NICOLET = Format(
    name="nicolet", title="Nicolet", suffixes=(".data",), read=_other("read_raw_nicolet"),
    probe=lambda path, _: path.suffix.lower() == ".data" and path.with_suffix(".head").is_file(),
)  # fmt: skip
CTF = Format(
    name="ctf", title="CTF", suffixes=(".ds",), read=_other("read_raw_ctf"),
    probe=lambda path, _: path.is_dir() and path.suffix.lower() == ".ds",
)  # fmt: skip
