"""What a pipeline does, for people: steps, delay, settling time, cost and frequency response."""

import copy
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.iir import IirStep
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Chunk, StreamInfo, check_int

if TYPE_CHECKING:
    from bcikit.processing.pipeline import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One line of a description.

    Attributes
    ----------
    name : str
        The step.
    settings : str
        Its parameters.
    delay, settling : float
        Seconds.
    cost : float or None
        Seconds a chunk, of the step alone.
    output : str
        Channels and rate after it.
    """

    name: str
    settings: str
    delay: float
    settling: float
    cost: float | None
    output: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Description:
    """What a pipeline does; `str` gives a table, `plot` draws the frequency response of its filters.

    Attributes
    ----------
    lines : tuple of StepLine
        The steps.
    delay, settling : float
        Of the whole, in seconds. Filters in a row are merged, so the sums of the lines may differ a little.
    cost : float or None
        Seconds a chunk of the whole, hot.
    chunk : int
        Samples a chunk for the cost.
    engine : str
        What runs the filters.
    freqs : ndarray, shape (n,)
        Hz; empty if there is no filter.
    response : ndarray of complex, shape (n,)
        Of all filters together.
    """

    lines: tuple[StepLine, ...]
    delay: float
    settling: float
    cost: float | None
    chunk: int
    engine: str
    freqs: NDArray[np.float64]
    response: NDArray[np.complex128]

    def __str__(self) -> str:
        head = ("step", "settings", "delay ms", "settles s", "us/chunk", "output")
        rows = [
            (
                line.name,
                line.settings,
                f"{line.delay * 1e3:.1f}",
                f"{line.settling:.2f}",
                "-" if line.cost is None else f"{line.cost * 1e6:.0f}",
                line.output,
            )
            for line in self.lines
        ]
        total = "-" if self.cost is None else f"{self.cost * 1e6:.0f}"
        rows.append(("total", f"engine {self.engine}", f"{self.delay * 1e3:.1f}", f"{self.settling:.2f}", total, ""))
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
        return "\n".join(line.rstrip() for line in (text[0], "-" * len(text[0]), *text[1:]))

    def plot(self, ax: Any = None) -> Any:
        """Draw gain (dB) and group delay (ms) over frequency and return the matplotlib axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None
            Where to draw; a new figure if left out.

        Raises
        ------
        ArgumentError
            If there is no filter.
        """
        if not self.freqs.size:
            raise ArgumentError("The pipeline has no filter, so there is no frequency response to draw.")
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(7, 4), layout="constrained")
        gain = 20 * np.log10(np.maximum(np.abs(self.response), 1e-6))
        ax.semilogx(self.freqs, gain, color="tab:blue")
        ax.set(xlabel="frequency (Hz)", ylabel="gain (dB)", ylim=(-80, 5), title="Frequency response of the filters")
        ax.axhline(-3, color="0.7", linewidth=0.8, linestyle="--")
        ax.grid(visible=True, which="both", alpha=0.2)
        phase = np.unwrap(np.angle(self.response))
        delay = -np.gradient(phase, 2 * np.pi * self.freqs) * 1e3
        heard = gain > -20
        right = ax.twinx()
        right.plot(self.freqs, np.where(heard, delay, np.nan), color="tab:orange", linewidth=1)
        right.set_ylabel("group delay (ms)", color="tab:orange")
        right.set_ylim(bottom=0)
        return ax


def describe(pipeline: "Pipeline", *, chunk: int, measure: bool) -> Description:
    """Return the description of a configured pipeline; its state is not touched.

    Raises
    ------
    ArgumentError
        If it is not configured.
    """
    from bcikit.processing.pipeline import Pipeline

    check_int("chunk", chunk, low=1)
    if pipeline.info is None:
        raise ArgumentError("The pipeline is not configured; call configure(info) first.")
    twin = Pipeline(copy.deepcopy(pipeline.steps), engine=pipeline.engine)
    lines = []
    info = pipeline.info
    for step in twin.steps:
        after = step.configure(info)
        cost = _cost(step, info, chunk) if measure else None
        output = f"{after.n_channels} ch, {after.sfreq:g} Hz, {after.unit}"
        lines.append(
            StepLine(
                name=step.name,
                settings=_settings(step),
                delay=step.delay,
                settling=step.settling,
                cost=cost,
                output=output,
            )
        )
        info = after
    twin.configure(pipeline.info)
    freqs, response = filter_response(twin, pipeline.info)
    return Description(
        lines=tuple(lines),
        delay=twin.delay,
        settling=twin.settling,
        cost=_cost(twin, pipeline.info, chunk) if measure else None,
        chunk=chunk,
        engine=twin.engine_name,
        freqs=freqs,
        response=response,
    )


def _settings(step: Step) -> str:
    """Return the parameters of a step on one short line."""
    parts = []
    for key, value in step.to_config().items():
        text = str(value)
        if key != "step":
            parts.append(f"{key}={text if len(text) <= 30 else '...'}")
    return ", ".join(parts)


def _cost(step: Step, info: StreamInfo, chunk: int, *, calls: int = 50) -> float:
    """Return the median seconds a chunk of noise takes once the step has settled."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((8, chunk, info.n_channels)) * 10
    times = np.arange(chunk) / (info.sfreq or 1.0)
    warm = min(2000, int(step.settling * info.sfreq / chunk) + 2)
    spent = []
    for call in range(warm + calls):
        piece = Chunk(data[call % 8], times, call * chunk)
        begin = time.perf_counter()
        step.process(piece)
        if call >= warm:
            spent.append(time.perf_counter() - begin)
    step.reset()
    return float(np.median(spent))


def filter_response(pipeline: "Pipeline", info: StreamInfo) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return the response of all filters of EEG, from a hundredth of a hertz to half the rate."""
    from scipy.signal import sosfreqz

    filters = [step for step in pipeline.steps if isinstance(step, IirStep) and (not step.types or "eeg" in step.types)]
    if not filters:
        return np.empty(0), np.empty(0, dtype=np.complex128)
    freqs = np.geomspace(0.05, info.sfreq / 2 * 0.999, 4000)
    _, response = sosfreqz(np.vstack([step.sections(info) for step in filters]), worN=freqs, fs=info.sfreq)
    return freqs, response
