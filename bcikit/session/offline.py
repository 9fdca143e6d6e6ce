"""A recording run through the live code: the same plan, driver and conductor, with nothing behind the outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from bcikit.acquisition.file import FileSource
from bcikit.decoding import Model
from bcikit.decoding.acting import Acting, ActingRule
from bcikit.decoding.pseudo_online import PseudoOnline, summarise
from bcikit.paradigms import Decider, Paradigm, WindowRequest
from bcikit.paradigms.settings import ParadigmSettings
from bcikit.processing import Pipeline
from bcikit.session.config import SessionConfig, config_from
from bcikit.session.drive import SourceFeed, drive
from bcikit.session.listener import Listener
from bcikit.session.objects import OBJECT, Objects
from bcikit.session.planning import plan_recorded
from bcikit.signal import Command, DataError, Decision, Event, Recording, Verdict, check_int, check_range
from bcikit.signal.messages import Decided, Happened, Message, Sent

Judge = Callable[[Decision], Verdict]
"""Says of a decision whether it may act, in place of the gate."""


def labelled(decision: Decision) -> Verdict:
    """Return a verdict that lets every label through: for evaluation only, where nothing can move."""
    return Verdict(
        time=decision.time,
        sample=decision.sample,
        allowed=decision.label is not None,
        label=decision.label,
        reasons=() if decision.label is not None else ("A-NONE",),
        state="REPLAY",
    )


@dataclass(slots=True)
class Course(Listener):
    """What came of a recording.

    Attributes
    ----------
    events, decisions, verdicts, commands : list
        In order.
    results : dict
        `Paradigm.results` at the end.
    """

    events: list[Event] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        """Keep what happened."""
        match message:
            case Happened():
                self.events.append(message.event)
            case Decided():
                self.decisions.append(message.decision)
                self.verdicts.append(message.verdict)
            case Sent():
                self.commands.append(message.command)


def run_recording(
    recording: Recording,
    *,
    paradigm: Paradigm,
    decoder: Decider | None = None,
    pipeline: Pipeline | None = None,
    gate: Mapping[str, Any] | None = None,
    judge: Judge | None = labelled,
    chunk: int = 32,
    seed: int = 0,
) -> Course:
    """Run a paradigm over a recording whose events drive it, by the code that runs live.

    Parameters
    ----------
    recording : Recording
        Unfiltered, with events that have samples.
    paradigm : Paradigm
        With cues from outside.
    decoder : Decider or None
        Trained on other recordings; None for the paradigm's own.
    pipeline : Pipeline or None
        Causal steps before windows are taken.
    gate : mapping or None
        Settings of the gate, where `judge` is None.
    judge : callable or None
        Says what may act; the default lets all labels through. None has the gate judge, as live.
    chunk : int
        Samples a chunk; the result does not depend on it.
    seed : int
        Seed of the paradigm.

    Raises
    ------
    DataError
        If nothing decides.
    """
    steps = pipeline if pipeline is not None else Pipeline([])
    config = _config(recording, steps, gate or {}, seed=seed)
    objects = Objects(paradigm=paradigm, pipeline=steps)
    model = decoder if isinstance(decoder, Model) else None
    plan = plan_recorded(
        config, recording.info, request=None, model=model, error_model=None, objects=objects, shows=False
    )
    course = Course()
    conductor = plan.conductor(plan.safety(None), decider=decoder, trainer=None, listeners=[course], judge=judge)
    if conductor.decider is None:
        raise DataError(f"{paradigm.name} needs a trained decider for a recording.")
    drive(SourceFeed(FileSource(recording, chunk=chunk), conductor), conductor)
    course.results = conductor.results()
    return course


def pseudo_online(
    model: Model,
    recording: Recording,
    *,
    events: Mapping[str, str],
    seconds: float,
    step: float = 0.1,
    idle_classes: tuple[str, ...] = (),
    rule: ActingRule | None = None,
    chunk_size: int = 32,
) -> PseudoOnline:
    """Run a model over a whole recording through the code that runs live.

    Carrara and Papadopoulo 2023 (arXiv 2308.11656), with the idle windows kept. Windows that begin before an event and
    end within its trial belong to neither class and are not counted.

    Parameters
    ----------
    model : Model
        Trained on other recordings; its sheet says filters and window.
    recording : Recording
        Unfiltered.
    events : mapping of str to str
        Event to class; a class of `idle_classes` counts as idle.
    seconds : float
        How long a class is asked for after its event.
    step : float
        Seconds between windows.
    idle_classes : tuple of str
        Classes that mean rest.
    rule : ActingRule or None
        Evidence and dwell after which something acts: only those windows have a label then. None takes each window's
        own decision.
    chunk_size : int
        Samples a chunk; it changes nothing.

    Raises
    ------
    DataError
        If the recording has none of the events, or is shorter than one window.
    """
    check_range("seconds", seconds, low=0.0, low_open=True, unit="s")
    check_int("chunk_size", chunk_size, low=1)
    pipeline = Pipeline.from_config([dict(one) for one in model.sheet.filters])
    sliding = Sliding(ParadigmSettings(), model=model, step=step, rule=rule, idle_classes=idle_classes)
    course = run_recording(recording, paradigm=sliding, decoder=model, pipeline=pipeline, chunk=chunk_size)
    filtered = sliding.info
    assert filtered is not None
    ratio = recording.info.sfreq / filtered.sfreq
    return summarise(
        course.decisions,
        recording.events,
        events=events,
        sfreq=recording.info.sfreq,
        seconds=seconds,
        n_times=round(model.sheet.n_times * ratio),
        step=max(1, round(step * filtered.sfreq)) / filtered.sfreq,
        idle_classes=idle_classes,
        acts=rule is not None,
    )


class Sliding(Paradigm):
    """Asks for nothing and has every window of a stream decided, one after the other.

    Parameters
    ----------
    settings : ParadigmSettings
        Not used.
    model : Model
        Says how long a window is.
    step : float
        Seconds between windows.
    rule : ActingRule or None
        After which evidence and dwell a window's label counts; None lets every window's count.
    idle_classes : tuple of str
        Classes that mean rest.
    """

    kind: ClassVar[str] = "sliding"
    Settings: ClassVar[type[ParadigmSettings]] = ParadigmSettings

    def __init__(
        self,
        settings: ParadigmSettings,
        *,
        model: Model,
        step: float,
        rule: ActingRule | None = None,
        idle_classes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(settings)
        self._model = model
        self._step = step
        idle = next((name for name in self.classes if name in idle_classes), None)
        window = model.sheet.n_times / model.sheet.sfreq
        self._acting: Acting | None = None
        if rule is not None:
            self._acting = Acting(self.classes, rule=rule, idle=idle, window=window, step=step)

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the model."""
        return tuple(str(name) for name in self._model.classes)

    @property
    def open_ended(self) -> bool:
        """True: it goes on for as long as the recording does."""
        return True

    def start(self, sample: int, time: float) -> None:
        """Ask for the first window."""
        self._anchor = (sample, time)
        self._ask(WindowRequest(sample + self._model.sheet.n_times, self._model.sheet.n_times, kind="monitor"))

    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:  # noqa: ARG002
        """Leave a label only in the window in which something acts."""
        if self._acting is None:
            return decision
        about: dict[str, Any] = {**decision.data, "ready": self._acting.ready}
        label = self._acting.add(decision)
        about["evidence"] = self._acting.evidence
        reason = None if label is not None else decision.reason or "waiting"
        return replace(decision, label=label, reason=reason, data=about)

    def on_decision(
        self,
        decision: Decision,  # noqa: ARG002
        verdict: Verdict,  # noqa: ARG002
        request: WindowRequest,
    ) -> tuple[list[Command], list[Event]]:
        """Ask for the next window."""
        hop = check_int("samples a step", max(1, round(self._step * self.sfreq)), low=1)
        self._ask(WindowRequest(request.stop_sample + hop, request.n_times, kind="monitor"))
        return [], []

    def results(self) -> dict[str, Any]:
        """Return that there were no trials."""
        return {"paradigm": self.kind, "n_trials": 0, "trials": []}


def _config(recording: Recording, pipeline: Pipeline, gate: Mapping[str, Any], *, seed: int) -> SessionConfig:
    return config_from(
        {
            "session": {"name": "offline", "seed": seed},
            "source": {"address": f"{OBJECT}{recording.info.name}"},
            "pipeline": {"steps": pipeline.to_config()},
            "gate": dict(gate),
            "outputs": [],
            "recording": {"enabled": False},
        }
    )
