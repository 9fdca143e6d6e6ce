"""Export of features: band power of every channel over time, as a table."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from bcikit.processing import BANDS, BandPower, Pick, Pipeline
from bcikit.recording.deidentify import Deidentifier
from bcikit.recording.session import Session
from bcikit.recording.tables import write_table
from bcikit.signal import RecordingError


def export_features(
    session: Session,
    path: str | Path,
    *,
    window: float = 1.0,
    hop: float = 0.5,
    bands: Mapping[str, tuple[float, float]] | None = None,
    keep: Collection[str] = (),
    overwrite: bool = False,
) -> int:
    """Write one row a window: time, whether it can be believed, and the power of each EEG channel in each band.

    The same step that runs live computes them, causally.

    Parameters
    ----------
    session : Session
        What to export.
    path : str or Path
        A name that ends in ".csv" or ".parquet".
    window, hop : float
        Length and distance of the windows in seconds.
    bands : mapping of str to (float, float), or None
        Edges in Hz; delta, theta, alpha and beta where it is left out.
    keep : collection of str
        What not to take out.
    overwrite : bool
        Whether a file that exists may be replaced.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    RecordingError
        If there is no EEG channel or no whole window.
    """
    check = Deidentifier(session, keep=keep)
    recording = session.recording
    info = check.info(recording.info)
    names = [name for name, kind in zip(info.ch_names, info.ch_types, strict=True) if kind == "eeg"]
    if not names:
        raise RecordingError(f"{session.path or session.info.name} has no EEG channel to take features from.")
    step = BandPower(window=window, hop=hop, bands=dict(bands or BANDS))
    pipeline = Pipeline([Pick(channels=names), step])
    features = pipeline.configure(info)
    chunks = [pipeline.process(chunk) for chunk in recording.chunks(4096)]
    rows = []
    for chunk in chunks:
        mask = np.zeros(chunk.data.shape, np.uint8) if chunk.health.mask is None else chunk.health.mask
        for time, values, bad in zip(chunk.times, chunk.data, np.any(mask, axis=1).tolist(), strict=True):
            row = {"time": float(time - recording.times[0]), "good": not bad}
            rows.append(row | dict(zip(features.ch_names, values.tolist(), strict=True)))
    if not rows:
        raise RecordingError(f"{session.path or session.info.name} is shorter than one window of {window:g} s.")
    write_table(rows, Path(path), check, overwrite=overwrite)
    return len(rows)
