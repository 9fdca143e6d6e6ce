"""Steps on MNE objects: what comes in goes out."""

from typing import TYPE_CHECKING, Any

import numpy as np

from bcikit.signal import ArgumentError, Recording

if TYPE_CHECKING:
    from bcikit.processing.step import Step


def apply_to_mne(step: "Step", data: Any, *, chunk_size: int) -> Any:
    """Return an `mne.io.Raw` or `mne.Epochs` processed by a step; never changes the one given.

    Bad samples become "BAD_" annotations of a Raw, whose own annotations stay at their times; what ends before the
    first window of a feature is left out. Each epoch is a stream of its own; a step must keep the number of samples an
    epoch equal.

    Raises
    ------
    ArgumentError
        If `data` is neither, or the step gives nothing that MNE can hold.
    """
    import mne

    if isinstance(data, mne.io.BaseRaw):
        return _to_raw(step.apply(Recording.from_mne(data), chunk_size=chunk_size), data)
    if isinstance(data, mne.BaseEpochs):
        return _apply_to_epochs(step, data, chunk_size)
    raise ArgumentError(
        f"A step is applied to a Recording, an mne.io.Raw or mne.Epochs; this is {type(data).__name__}."
    )


def _to_raw(result: Recording, original: Any) -> Any:
    """Return a Raw with the annotations and the measurement date of the original one and the bad spans."""
    import mne

    raw = result.to_mne()
    raw.set_meas_date(original.info["meas_date"])
    raw.info["bads"] = [name for name in original.info["bads"] if name in raw.ch_names]
    if original.first_samp and raw.info["sfreq"] == original.info["sfreq"]:
        raw = mne.io.RawArray(raw.get_data(), raw.info, first_samp=original.first_samp, verbose="ERROR")
    # Onsets without an origin count from the first sample, whatever MNE made of those it keeps. The first sample of
    # features is that of their first window, which the recording reaches later.
    old = original.annotations
    lead = float(result.times[0]) if result.n_times else 0.0
    onset = old.onset - original.first_time - lead
    end = onset + old.duration
    kept = end >= 0
    onset = np.maximum(onset, 0.0)
    # A mark of one channel is, on features of which none bears its name, one of all.
    other = set(raw.ch_names).isdisjoint(original.ch_names)
    names = [() if other else old.ch_names[row] for row in np.flatnonzero(kept)]
    marks = mne.Annotations(onset[kept], (end - onset)[kept], old.description[kept], ch_names=names)
    # What came in is there already; what the step found is new.
    found = [event for event in result.events if event.source != "annotation" and event.time >= lead]
    if found:
        marks += mne.Annotations([event.time - lead for event in found], 0.0, [event.name for event in found])
    if result.mask is not None and result.n_times:
        spans = _spans(np.any(result.mask & np.uint8(0x7F), axis=1))
        if spans:
            sfreq = result.info.sfreq
            first = int(result.samples[0])
            onsets = [(int(result.samples[begin]) - first) / sfreq for begin, _ in spans]
            marks += mne.Annotations(onsets, [(end - begin) / sfreq for begin, end in spans], "bad_bcikit")
    raw.set_annotations(marks, on_missing="ignore")
    return raw


def _spans(bad: "np.ndarray[Any, np.dtype[np.bool_]]") -> list[tuple[int, int]]:
    """Return begin and end of each run of bad samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _apply_to_epochs(step: "Step", epochs: Any, chunk_size: int) -> Any:
    """Return `mne.EpochsArray` with each epoch processed on its own."""
    import mne

    data = epochs.get_data(copy=False)
    if not len(data):
        raise ArgumentError("The mne.Epochs hold no epoch.")
    results = []
    for epoch in data:
        raw = mne.io.RawArray(epoch, epochs.info, verbose="ERROR")
        results.append(step.apply(Recording.from_mne(raw), chunk_size=chunk_size))
    lengths = {result.n_times for result in results}
    if len(lengths) > 1 or 0 in lengths:
        raise ArgumentError(
            f"{step.name} gives {sorted(lengths)} samples an epoch; mne.Epochs need one length above 0."
        )
    raws = [result.to_mne() for result in results]
    first = results[0]
    kept = first.info.sfreq == epochs.info["sfreq"] and first.n_times == data.shape[2]
    tmin = epochs.tmin if kept else epochs.tmin + float(first.times[0])
    return mne.EpochsArray(
        np.stack([raw.get_data() for raw in raws]),
        raws[0].info,
        events=epochs.events,
        event_id=epochs.event_id,
        tmin=tmin,
        baseline=None,
        metadata=epochs.metadata,
        verbose="ERROR",
    )
