"""Pipeline: steps in a row, the filters among them merged, from Python, from TOML, and saved with a model."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from bcikit.processing.cascade import Cascade, mean_delay
from bcikit.processing.engines import ENGINES
from bcikit.processing.handover import Handover, change
from bcikit.processing.iir import IirStep, make_cascade, share_cascade
from bcikit.processing.regrid import Regrid
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, BciError, Chunk, ConfigError, Event, StreamInfo, check_choice
from bcikit.signal.documents import read_toml

if TYPE_CHECKING:
    from bcikit.processing.describe import Description


class Pipeline(Step):
    """A list of steps, and itself a step.

    Filters that follow each other run as one cascade; nothing else changes by being in a pipeline.

    Parameters
    ----------
    steps : sequence of Step
        Applied from the first to the last.
    engine : str
        What runs the filters: "auto" (numba where it is installed, else numpy), "numba", "numpy" or "scipy".
    """

    name = "pipeline"

    def __init__(self, steps: Sequence[Step], *, engine: str = "auto") -> None:
        given: list[Any] = [steps] if isinstance(steps, Step | str) else list(steps)
        if isinstance(steps, Step | str) or not all(isinstance(step, Step) for step in given):
            raise ArgumentError(
                f"steps is {steps!r:.60}; it must be a list of steps: Pipeline([Bandpass(l_freq=1, h_freq=40)])."
            )
        self.steps = tuple(steps)
        self.engine = check_choice("engine", engine, ENGINES)
        self.info: StreamInfo | None = None
        self.output: StreamInfo | None = None
        self._plan: tuple[Step | Cascade | Handover, ...] = ()
        self._grids: tuple[Regrid, ...] = ()

    @property
    def engine_name(self) -> str:
        """What runs the filters in fact; "none" if there are none."""
        cascades = [item for item in self._plan if isinstance(item, Cascade)]
        return cascades[0].engine.name if cascades else "none"

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"Pipeline([{', '.join(repr(step) for step in self.steps)}])"

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Configure each step with the output of the one before, and merge filters in a row.

        Raises
        ------
        ArgumentError
            If a step cannot work on what it would get.
        """
        plan: list[Step | Cascade | Handover] = []
        grids: list[Regrid] = []
        self.info = info
        self.delay = self.latency = self.settling = self.offset = 0.0
        # Filters of single types of channels run side by side: the slowest type is what a window waits for.
        self._typed: dict[str, tuple[float, float]] = {}
        index = 0
        while index < len(self.steps):
            group: list[IirStep] = []
            while index < len(self.steps) and isinstance(step := self.steps[index], IirStep):
                if group and not share_cascade(group[-1], step):
                    break
                group.append(step)
                index += 1
            grids.append(Regrid.of(self, self.info, info))
            if group:
                info = self._merge(group, info, plan)
                continue
            step = self.steps[index]
            info = step.configure(info)
            self.offset += grids[-1].ratio * step.offset
            self.delay += step.delay
            self.latency += step.latency
            self.settling += step.settling
            plan.append(step)
            index += 1
        self._plan, self._grids = tuple(plan), tuple(grids)
        self.output = info
        return info

    def _merge(self, group: list[IirStep], info: StreamInfo, plan: "list[Step | Cascade | Handover]") -> StreamInfo:
        """Add one cascade for a group of filters to the plan and return the description after it."""
        sos = np.vstack([step.prepare(info) for step in group])
        cascade = make_cascade(group, info, sos, engine=self.engine)
        delay, settling = mean_delay(sos) / info.sfreq, cascade.settling_samples / info.sfreq
        if group[0].types:
            delay, settling = self._beside(group[0].types, info, delay, settling)
        self.delay += delay
        self.settling += settling
        plan.append(cascade)
        return info.replace(delay=info.delay + delay)

    def _beside(self, types: tuple[str, ...], info: StreamInfo, delay: float, settling: float) -> tuple[float, float]:
        """Return by how much filters of some types of channels make the slowest type slower."""
        before = np.max([(0.0, 0.0), *self._typed.values()], axis=0)
        for kind in set(types) & set(info.ch_types):
            so_far = self._typed.get(kind, (0.0, 0.0))
            self._typed[kind] = (so_far[0] + delay, so_far[1] + settling)
        grown = np.max([(0.0, 0.0), *self._typed.values()], axis=0) - before
        return float(grown[0]), float(grown[1])

    def process(self, chunk: Chunk) -> Chunk:
        """Run the chunk through every step.

        Raises
        ------
        ArgumentError
            If the pipeline was not configured.
        """
        if self.output is None:
            raise ArgumentError("The pipeline is not configured; call configure(info) first.")
        for step in self._plan:
            chunk = step.process(chunk)
            if not chunk.data.shape[0]:
                return Chunk(np.empty((0, self.output.n_channels)), np.empty(0), chunk.first_sample)
        return chunk

    def pull_events(self) -> list[Event]:
        """Return what the steps found since the last call, at samples of the pipeline's input."""
        found: list[Event] = []
        for item, grid in zip(self._plan, self._grids, strict=True):
            step = item.new if isinstance(item, Handover) else item
            if isinstance(step, Step):
                found += [grid.event_back(event) for event in step.pull_events()]
        return found

    def reset(self) -> None:
        """Reset every step."""
        for step in self._plan:
            step.reset()

    def update(self, step: int | str, *, fade: float = 0.1, **changes: Any) -> None:
        """Change parameters of a step while the stream runs, without a transient.

        The changed step runs beside the old one, unheard, until it has settled; then the output fades over.

        Parameters
        ----------
        step : int or str
            Index, or the name of a step that occurs once.
        fade : float
            Seconds of the fade.
        **changes
            Parameters of the step and their new values.

        Raises
        ------
        ArgumentError
            If there is no such step or parameter, the value is not allowed, or the change would give the output other
            channels or another rate; the pipeline then runs on as it was.
        """
        if self.info is None or self.output is None:
            raise ArgumentError("The pipeline is not configured; call configure(info) first.")
        fresh, position = change(self, step, changes)
        info = fresh.configure(self.info)
        if (info.ch_names, info.sfreq, info.unit) != (self.output.ch_names, self.output.sfreq, self.output.unit):
            raise ArgumentError(
                "The change would give the output of the pipeline other channels, another rate or another unit; stop "
                "and configure a new pipeline instead."
            )
        plan = list(self._plan)
        rate = self.info.sfreq if position == 0 else 0.0
        plan[position] = Handover(plan[position], fresh._plan[position], fade=fade, sfreq=rate or info.sfreq)
        self._plan = tuple(plan)
        self.steps, self.output = fresh.steps, info
        self.delay, self.latency, self.settling = fresh.delay, fresh.latency, fresh.settling

    def describe(self, *, chunk: int = 8, measure: bool = True) -> "Description":
        """Return what the pipeline does, for people: steps, delay, settling time, cost, frequency response.

        Printing it gives a table; `Description.plot` draws the response.

        Parameters
        ----------
        chunk : int
            Samples a chunk, for the cost.
        measure : bool
            False to leave the cost out.
        """
        from bcikit.processing.describe import describe

        return describe(self, chunk=chunk, measure=measure)

    def apply_zero_phase(self, recording: Any, *, copy: bool = True, threads: int = 1) -> Any:
        """Return a recording filtered forwards and backwards, for analysis only; see `apply_zero_phase`."""
        from bcikit.processing.offline import apply_zero_phase

        return apply_zero_phase(self, recording, copy=copy, threads=threads, engine=self.engine)

    @classmethod
    def from_toml(cls, path: str | Path, *, engine: str = "auto") -> Self:
        """Return the pipeline that a TOML file describes: one ``[[pipeline]]`` table a step.

        Raises
        ------
        ConfigError
            If the file is no TOML, has no such table, or a step is wrong; every problem is listed.
        """
        tables = read_toml(Path(path)).get("pipeline")
        if not isinstance(tables, list):
            raise ConfigError(str(path), ["has no [[pipeline]] tables."])
        try:
            return cls.from_config(tables, engine=engine)
        except ConfigError as error:
            raise ConfigError(str(path), error.problems) from error

    def to_toml(self, path: str | Path) -> None:
        """Write the pipeline as TOML; `from_toml` reads it."""
        import tomli_w

        Path(path).write_text(tomli_w.dumps({"pipeline": self.to_config()}), encoding="utf-8")

    def to_config(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return one table a step, ready for TOML and JSON; `from_config` reverses it."""
        return [step.to_config() for step in self.steps]

    @classmethod
    def from_config(cls, config: Sequence[Any], *, engine: str = "auto") -> Self:
        """Return the pipeline that a list of tables describes.

        Parameters
        ----------
        config : sequence of mapping
            One table a step: ``{"step": "bandpass", "l_freq": 8, "h_freq": 30}``.
        engine : str
            See the class.

        Raises
        ------
        ConfigError
            Listing every problem: unknown steps, unknown or missing parameters, values that are not allowed.
        """
        problems: list[str] = []
        steps = [step for index, table in enumerate(config) if (step := _build(index, table, problems)) is not None]
        if problems:
            raise ConfigError("pipeline", problems)
        return cls(steps, engine=engine)


def _build(index: int, table: Any, problems: list[str]) -> Step | None:
    """Return the step that one table describes, or note what is wrong with it."""
    from bcikit.processing.registry import step_class

    where = f"pipeline[{index}]"
    if not isinstance(table, Mapping) or not isinstance(table.get("step"), str):
        problems.append(f'{where} must be a table with step = "NAME"; it is {table!r}.')
        return None
    name = table["step"]
    try:
        kind = step_class(name)
    except BciError as error:
        problems.append(f"{where}.step: {error}")
        return None
    values = {key: value for key, value in table.items() if key != "step"}
    signature = inspect.signature(kind)
    before = len(problems)
    for key in values:
        try:
            check_choice(f"key of {where} ({name})", key, signature.parameters)
        except ArgumentError as error:
            problems.append(str(error))
    for key, parameter in signature.parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in values:
            problems.append(f"{where} ({name}) lacks {key}.")
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except (BciError, TypeError, ValueError) as error:
        problems.append(f"{where} ({name}): {error}")
        return None
