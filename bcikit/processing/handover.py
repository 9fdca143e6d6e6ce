"""Handover: from a step to its changed self while the stream runs, without a transient."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bcikit.processing.cascade import Cascade
from bcikit.processing.iir import share_cascade
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Chunk, check_choice, check_range

if TYPE_CHECKING:
    from bcikit.processing.pipeline import Pipeline


class Handover:
    """Runs the old and the new beside each other until the new one has settled, then fades over.

    Parameters
    ----------
    old, new : Step or Cascade
        Both configured for the same stream, with outputs of the same channels and rate.
    fade : float
        Seconds of the fade.
    sfreq : float
        Rate of the input in Hz.
    """

    def __init__(
        self, old: "Step | Cascade | Handover", new: "Step | Cascade | Handover", *, fade: float, sfreq: float
    ) -> None:
        check_range("fade", fade, low=0.0, high=60.0, unit="s")
        # Of a handover that is over only the newer step is left.
        self.old: Step | Cascade | Handover | None = old.new if isinstance(old, Handover) and old.over else old
        self.new: Step | Cascade = new.new if isinstance(new, Handover) else new
        wait = self.new.settling_samples if isinstance(self.new, Cascade) else round(self.new.settling * sfreq)
        self._wait = wait + 1
        self._fade = round(fade * sfreq)
        self._begin: int | None = None

    @property
    def over(self) -> bool:
        """True once only the new one runs."""
        return self.old is None

    def reset(self) -> None:
        """Forget the past of both; the handover ends."""
        self.old = None
        self.new.reset()

    def process(self, chunk: Chunk) -> Chunk:
        """Return the output of the old, of both, or of the new."""
        if self.old is None or not chunk.n_times:
            return self.new.process(chunk)
        if self._begin is None:
            self._begin = chunk.first_sample
        old, new = self.old.process(chunk), self.new.process(chunk)
        since = chunk.first_sample - self._begin
        if since + chunk.n_times <= self._wait:
            return old
        if since >= self._wait + self._fade:
            self.old = None
        if old.data.shape != new.data.shape or old.n_times != chunk.n_times:
            # Features come at their own pace: from one update to the next there is nothing to fade.
            return new
        position = (np.arange(since, since + chunk.n_times) - self._wait + 1) / (self._fade + 1)
        weight = (0.5 - 0.5 * np.cos(np.pi * np.clip(position, 0.0, 1.0)))[:, None]
        data = (1.0 - weight) * old.data + weight * new.data
        masks = [part.health.mask for part in (old, new)]
        mask = None
        if any(item is not None for item in masks):
            first, second = (np.zeros(data.shape, np.uint8) if item is None else item for item in masks)
            mask = first * (weight < 1.0).astype(np.uint8) | second * (weight > 0.0).astype(np.uint8)
        return Chunk(data, chunk.times, new.first_sample, new.health.with_mask(mask))


def change(pipeline: "Pipeline", step: int | str, changes: dict[str, Any]) -> tuple["Pipeline", int]:
    """Return a new pipeline with one step changed, not yet configured, and the place of the step in its plan.

    Raises
    ------
    ArgumentError
        If there is no such step or parameter, or the value is not allowed.
    """
    from bcikit.processing.pipeline import Pipeline

    index = _find(pipeline, step)
    old = pipeline.steps[index]
    declared = [name for name, item in getattr(old, "__dataclass_fields__", {}).items() if item.init]
    for name in changes:
        check_choice(f"parameter of {old.name}", name, declared)
    steps = list(_copies(pipeline))
    steps[index] = replace(old, **changes)  # type: ignore[type-var]
    return Pipeline(steps, engine=pipeline.engine), _place(pipeline, index)


def _find(pipeline: "Pipeline", step: int | str) -> int:
    """Return the index of a step."""
    if isinstance(step, int):
        if not -len(pipeline) <= step < len(pipeline):
            raise ArgumentError(f"step is {step}; the pipeline has {len(pipeline)} steps.")
        return step % len(pipeline)
    names = [item.name for item in pipeline]
    check_choice("step", step, names)
    if names.count(step) > 1:
        raise ArgumentError(f"step {step!r} occurs {names.count(step)} times in the pipeline; give its index.")
    return names.index(step)


def _copies(pipeline: "Pipeline") -> list[Step]:
    """Return the steps anew, without their state, so that configuring them does not touch those that run."""
    return [replace(step) for step in pipeline.steps]  # type: ignore[type-var]


def _place(pipeline: "Pipeline", index: int) -> int:
    """Return where in the plan a step runs: filters in a row share one place."""
    place = -1
    for position, step in enumerate(pipeline.steps[: index + 1]):
        merged = position > 0 and share_cascade(pipeline.steps[position - 1], step)
        place += not merged
    return place
