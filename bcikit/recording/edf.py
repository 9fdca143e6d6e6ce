"""Export to EDF+ and BDF+ with edfio."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.recording.session import Session
from bcikit.recording.staging import staged_file
from bcikit.recording.view import ExportView, report_loss
from bcikit.signal import ArgumentError, MissingDependencyError, RecordingError, StreamInfo

COARSEST = 0.1
"""Largest step in microvolts that an EDF+ export may have."""


def export_edf(
    session: Session, path: str | Path, *, keep: Collection[str] = (), overwrite: bool = False, lossy: bool = False
) -> ExportView:
    """Write a session as EDF+ (16 bits) or BDF+ (24 bits), as the file name ends; events and gaps as annotations.

    Lost samples are zeros under a "BAD_lost" annotation, so that times stay true; so are samples that are no number,
    under "BAD_nan". Each channel has the finest steps its range allows.

    Parameters
    ----------
    session : Session
        What to export.
    path : str or Path
        A name that ends in ".edf" or ".bdf".
    keep : collection of str
        What not to take out: "channels", "device", "texts", "all".
    overwrite : bool
        Whether a file that exists may be replaced.
    lossy : bool
        Whether something may be left out that the format cannot hold; else what is left out is a `DoubtWarning`.

    Returns
    -------
    ExportView
        What was written.

    Raises
    ------
    RecordingError
        If 16 bits would be coarser than 0.1 uV (then BDF+ is right), or the file cannot be written.
    """
    path = Path(path)
    view = ExportView.of(session, keep=keep)
    left_out = (*view.without_values(), *shortened(view.info), *_marks_of(view.info))
    report_loss(path.name, left_out, lossy=lossy)
    with staged_file(path, view.check, overwrite=overwrite) as aside:
        write_edf(view, aside)
    return view


def write_edf(view: ExportView, path: Path) -> None:
    """Write a view to a file that ends in ".edf" or ".bdf"."""
    try:
        import edfio
    except ImportError as error:
        raise MissingDependencyError("edfio", "formats", "Writing EDF+ and BDF+") from error
    suffix = path.suffix.lower()
    if suffix not in (".edf", ".bdf"):
        raise ArgumentError(f"{path.name} must end in '.edf' (16 bits) or '.bdf' (24 bits).")
    make_signal: Any = edfio.EdfSignal if suffix == ".edf" else edfio.BdfSignal
    make_file: Any = edfio.Edf if suffix == ".edf" else edfio.Bdf
    labels = edf_labels(view.info)
    view = view.renamed(labels)
    per_record, duration = record_of(view.n_times, view.info.sfreq)
    padding = -view.n_times % per_record
    data = np.pad(np.nan_to_num(view.data, nan=0.0, posinf=0.0, neginf=0.0), ((0, padding), (0, 0)))
    if suffix == ".edf":
        _check_steps(view, data)
    try:
        signals = [_signal(make_signal, view, index, label, data[:, index]) for index, label in enumerate(labels)]
    except ValueError as error:
        raise RecordingError(f"{path.name} cannot be written: {error}") from error
    annotations = [
        edfio.EdfAnnotation(round(row.onset, 6), round(row.duration, 6) or None, row.text) for row in view.rows
    ]
    if padding:
        onset = view.n_times / view.info.sfreq
        annotations.append(edfio.EdfAnnotation(round(onset, 6), None, "BAD_padding"))
    try:
        make_file(signals, annotations=annotations, data_record_duration=duration).write(path)
    except ValueError as error:
        raise RecordingError(f"{path.name} cannot be written: {error}") from error


def edf_labels(info: StreamInfo) -> tuple[str, ...]:
    """Return names that EDF+ can hold: 16 letters of each; kind and number where these are not ASCII, or come twice."""
    short = [name[:16].strip() for name in info.ch_names]
    labels = [
        name if name.isascii() and name.isprintable() and name and short.count(name) == 1 else f"{kind.upper()}{at:03d}"
        for at, (name, kind) in enumerate(zip(short, info.ch_types, strict=True), start=1)
    ]
    return tuple(labels) if len(set(labels)) == len(labels) else tuple(f"CH{at + 1:03d}" for at in range(len(labels)))


def shortened(info: StreamInfo) -> tuple[str, ...]:
    """Return what of the names of channels EDF+ cannot hold."""
    changed = [
        f"{name} as {label}" for name, label in zip(info.ch_names, edf_labels(info), strict=True) if name != label
    ]
    return (f"names of {len(changed)} channels ({', '.join(changed[:3])})",) if changed else ()


def _marks_of(info: StreamInfo) -> tuple[str, ...]:
    return (f"marks of {len(info.bads)} bad channels ({', '.join(info.bads[:3])})",) if info.bads else ()


def record_of(n_times: int, sfreq: float) -> tuple[int, float]:
    """Return samples and seconds of a data record, such that as little as possible is padded at the end.

    EDF+ keeps the duration in eight characters, and it must be exact; about a second is usual.

    Raises
    ------
    RecordingError
        If no duration near a second can be written for this rate.
    """
    best: tuple[int, int, float] | None = None
    for per_record in range(max(1, math.floor(sfreq * 2)), max(1, math.ceil(sfreq / 4)) - 1, -1):
        text = f"{per_record / sfreq:.7f}".rstrip("0").rstrip(".")[:8]
        if float(text) * sfreq != per_record:
            continue
        padding = -n_times % per_record
        if best is None or padding < best[0]:
            best = (padding, per_record, float(text))
    if best is None:
        raise RecordingError(f"EDF+ cannot hold a rate of {sfreq!r} Hz exactly; export to FIF or BrainVision instead.")
    return best[1], best[2]


def _signal(make_signal: Any, view: ExportView, index: int, label: str, values: NDArray[np.float64]) -> Any:
    """Return a signal in a unit whose numbers fit the eight characters that the header has for the range.

    Codes of a trigger channel are whole numbers and stay the numbers they are.
    """
    if view.info.ch_types[index] == "stim":
        bits = 16 if make_signal.__name__ == "EdfSignal" else 24
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        codes = np.rint(values)
        if codes.min(initial=0) < low or codes.max(initial=0) > high:
            raise RecordingError(
                f"{label} has codes up to {codes.max():.0f}, which {bits} bits cannot hold; "
                + ("name the file '.bdf' for 24 bits." if bits == 16 else "export to FIF instead.")
            )
        return make_signal(
            np.ascontiguousarray(codes), sampling_frequency=view.info.sfreq, label=label, physical_dimension="",
            physical_range=(low, high), digital_range=(low, high),
        )  # fmt: skip
    unit, scale = view.unit(index), 1.0
    largest = float(np.abs(values).max(initial=0.0))
    if unit == "uV" and largest >= 1e5:
        unit, scale = ("mV", 1e-3) if largest < 1e8 else ("V", 1e-6)
    return make_signal(
        np.ascontiguousarray(values * scale),
        sampling_frequency=view.info.sfreq,
        label=label,
        physical_dimension=unit,
    )


def _check_steps(view: ExportView, data: NDArray[np.float64]) -> None:
    for index, name in enumerate(view.info.ch_names):
        span = float(np.ptp(data[:, index]))
        if view.unit(index) == "uV" and span / 65535 > COARSEST:
            raise RecordingError(
                f"{name} spans {span:.0f} uV: in the 16 bits of EDF+ its steps would be {span / 65535:.2g} uV, more "
                f"than {COARSEST:g}. Name the file '.bdf' for 24 bits."
            )
