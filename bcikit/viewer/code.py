"""The code that makes the picture in front: Python with the public names of bcikit, and matplotlib to draw."""

from typing import TYPE_CHECKING

from bcikit.signal.address import Address
from bcikit.viewer.display import BANDS

if TYPE_CHECKING:
    from bcikit.viewer.trace_panel import TracePanel


def code_of(panel: "TracePanel", source: str) -> str:
    """Return a script that draws what a panel shows: the same samples, filter, montage, channels and scale.

    Parameters
    ----------
    panel : TracePanel
        The traces.
    source : str
        Address, file or folder of what is shown; a live stream is read for as long as the window is.
    """
    canvas = panel.canvas
    end = canvas.frozen_end or canvas.history.end
    first = max(canvas.history.start, end - canvas.window_samples)
    lines = ["import matplotlib.pyplot as plt", "import numpy as np", ""]
    path = Address.parse(source).body if source.startswith("file:") else source
    if panel.overview is None:
        lines += [
            "from bcikit import open_source",
            "from bcikit.signal import Recording",
            "",
            f"with open_source({source!r}) as stream:",
            "    chunks = []",
            f"    while sum(chunk.n_times for chunk in chunks) < {end - first}:",
            "        chunk = stream.pull()",
            "        if chunk is not None:",
            "            chunks.append(chunk)",
            "    recording = Recording.from_chunks(stream.info, chunks)",
            "first, begin = 0, recording.times[0]",
        ]
    else:
        lines += [
            "from bcikit import read_recording",
            "",
            f"recording = read_recording({path!r})",
            f"first, begin = {first}, {canvas.history.time_at(first)!r}",
        ]
    lines += _filter_lines(panel)
    montage = canvas.montage
    shown = list(canvas.shown)
    if montage.matrix is not None:
        rows = [
            {panel.info.ch_names[c]: round(float(w), 9) for c, w in enumerate(montage.matrix[row]) if w}
            for row in shown
        ]
        lines += [
            f"montage = {rows!r}",
            "column = {name: number for number, name in enumerate(recording.info.ch_names)}",
            "data = np.stack(",
            "    [sum(w * recording.data[:, column[name]] for name, w in trace.items()) for trace in montage], axis=1",
            ")",
        ]
    else:
        lines += [f"data = recording.data[:, {shown!r}]"]
    lanes = [canvas.lane_uv[montage.types[row]] for row in shown]
    lines += [
        "# Numbers of samples count the lost ones, too: these are drawn as gaps.",
        "at = recording.samples - recording.samples[0] - first",
        f"there = (at >= 0) & (at < {end - first})",
        f"found, data = data[there], np.full(({end - first}, data.shape[1]), np.nan)",
        "times = np.full(len(data), np.nan)",
        "data[at[there]], times[at[there]] = found, recording.times[there]",
        f"lanes = {lanes!r}  # microvolts from one trace to the next",
        f"labels = {[montage.labels[row] for row in shown]!r}",
        f"bad = {[number for number, row in enumerate(shown) if row in canvas.dimmed]!r}  # rows drawn dim",
        "figure, axes = plt.subplots(figsize=(12, 7))",
        "for row in range(data.shape[1]):",
        "    trace = (data[:, row] - np.nanmedian(data[:, row])) / lanes[row] - row",
        '    axes.plot(times, trace, color="silver" if row in bad else "black", linewidth=0.6)',
        "axes.set_yticks(range(0, -len(labels), -1), labels)",
        f"axes.set_xlim(begin, begin + {(end - first) / canvas.history.rate!r})",
        "axes.set_ylim(0.5 - len(labels), 0.5)",
        'axes.set_xlabel("seconds")',
        'figure.savefig("traces.pdf")',
    ]
    return "\n".join(lines) + "\n"


def _filter_lines(panel: "TracePanel") -> list[str]:
    shown = panel.canvas.filter
    steps, names = [], []
    edges = BANDS[shown.band]
    if edges is not None:
        steps.append(f"Bandpass(l_freq={edges[0]!r}, h_freq={edges[1]!r}, order=2)")
        names.append("Bandpass")
    if shown.notch:
        steps.append(f"Notch(freq={shown.notch!r})")
        names.append("Notch")
    if not steps:
        return []
    return [
        f"from bcikit.processing import {', '.join([*names, 'Pipeline'])}",
        "",
        f"recording = Pipeline([{', '.join(steps)}]).apply(recording)",
    ]
