"""A picture of a recording: channels below each other, events, lost and bad samples."""

from typing import TYPE_CHECKING, Any

import numpy as np

from bcikit.signal.event import marks_bad
from bcikit.signal.figures import new_figure

if TYPE_CHECKING:
    from bcikit.signal.recording import Recording

_MOST = 4000
"""Points a channel; more cannot be seen."""


def plot_recording(recording: "Recording", *, channels: list[str] | None, scale: float | None, max_events: int) -> Any:
    """Return a matplotlib figure; see `Recording.plot`."""
    info = recording.info
    columns = list(range(info.n_channels)) if channels is None else info.index_of(channels, who="Recording.plot")
    step = max(1, recording.n_times // _MOST)
    data = recording.data[::step, columns]
    first = float(recording.times[0]) if recording.n_times else 0.0
    times = recording.times[::step] - first
    middle = np.nanmedian(data, axis=0) if data.size else np.zeros(len(columns))
    spread = np.nanpercentile(np.abs(data - middle), 95, axis=0) if data.size else np.ones(len(columns))
    space = scale or max(3.0 * float(np.nanmedian(spread)), 1e-9)
    figure = new_figure(10, max(2.5, 0.45 * len(columns) + 1.2))
    axes = figure.add_subplot()
    # A line is not drawn over what was lost.
    broken = np.flatnonzero(np.diff(recording.samples[::step]) > step)
    for row, (column, values) in enumerate(zip(columns, (data - middle).T, strict=True)):
        line = values / space - row
        line = np.insert(line.astype(float), broken + 1, np.nan)
        colour = "tab:gray" if info.ch_names[column] in info.bads else "tab:blue"
        axes.plot(np.insert(times, broken + 1, np.nan), line, lw=0.6, color=colour)
    for event in recording.events[:max_events]:
        onset = event.time - first
        if marks_bad(event):
            axes.axvspan(onset, onset + event.duration, color="tab:red", alpha=0.15, lw=0)
        else:
            axes.axvline(onset, color="tab:orange", lw=0.7, alpha=0.7)
            axes.annotate(event.name, (onset, 0.6), fontsize=7, rotation=90, va="bottom", annotation_clip=True)
    for gap in np.flatnonzero(np.diff(recording.samples) > 1):
        axes.axvspan(recording.times[gap] - first, recording.times[gap + 1] - first, color="0.8", lw=0)
    axes.set_yticks([-row for row in range(len(columns))], [info.ch_names[column] for column in columns])
    axes.set_ylim(-len(columns) + 0.2, 1.4)
    axes.set_xlabel("seconds from the first sample")
    axes.set_title(f"{info.name}: {space:.3g} {info.unit} between channels", fontsize=9)
    return figure
