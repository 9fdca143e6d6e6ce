"""The plan: a configuration, or objects, become a session that can start, or all that is wrong is said at once."""

import contextlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from bcikit.acquisition import Source, open_source
from bcikit.decoding import Model
from bcikit.decoding.encoder import try_encoder
from bcikit.outputs import Output, open_output, output_class
from bcikit.paradigms import Decider, Paradigm
from bcikit.paradigms.films import load_film
from bcikit.processing import Pipeline
from bcikit.safety import AuditLog, GateSettings, SafetySystem
from bcikit.safety.arming import ArmRequest
from bcikit.safety.consent import Consent, load_screening
from bcikit.safety.dose import DoseLimits
from bcikit.safety.settings import REAL_ACTUATORS
from bcikit.safety.stop_box import StopBox, open_stop_box
from bcikit.session.arming import arming_problems, idle_seconds
from bcikit.session.conductor import AUTOMATIC, Conductor
from bcikit.session.config import SessionConfig
from bcikit.session.decoder_checks import (
    check_begun,
    check_followed,
    check_idle,
    check_model,
    check_owner,
    check_past_gate,
    check_targeted,
    check_targets,
    check_types,
    check_used,
    notes_on_electrodes,
    notes_on_rhythms,
    notes_on_stop,
)
from bcikit.session.earlier import Earlier
from bcikit.session.equip import attach_errors, prepare_paradigm
from bcikit.session.from_config import (
    as_recorded_with,
    check_folder,
    check_window,
    columns_of,
    paradigm_of,
    recording_folder,
    seen_at,
    stimulus_result,
    window_of,
)
from bcikit.session.listener import Listener
from bcikit.session.models import find_error_model, following, notes_on_nobody, notes_on_promise, starting_model
from bcikit.session.objects import Objects
from bcikit.session.rehearsal import Rehearsal, rehearse
from bcikit.session.side_path import SidePath
from bcikit.session.stages import StageMeter
from bcikit.session.stimulus import notes_on_targets
from bcikit.session.training import CueWindow, Trainer, least_trials, load_runs, required_channels, unfitted
from bcikit.session.watch import DISK_FAULT_BYTES, DISK_WARN_BYTES
from bcikit.signal import (
    Address,
    ArgumentError,
    BciError,
    ConfigError,
    Decision,
    Recording,
    SourceError,
    StreamInfo,
    Verdict,
)
from bcikit.signal.secrecy import without_secrets
from bcikit.signal.settings import check_settings

T = TypeVar("T")


@dataclass(slots=True)
class Plan:
    """A session that can start: its parts, opened and checked. Close it when done, or use it in a ``with`` block.

    Attributes
    ----------
    config : SessionConfig
        What is recorded with it.
    stream : StreamInfo
        Of the source, with all its channels.
    source : Source or None
        Open, not started; None where inputs were recorded.
    columns : list of int
        Channels that are used.
    pipeline : Pipeline
        Configured once, as a check.
    paradigm : Paradigm
        Configured once, as a check.
    gate : GateSettings
        Within the hard limits.
    window : CueWindow
        Of a decision after the cue.
    decoder : object or None
        Unfitted, where a program gave one; else it is made of the configuration.
    model : Model or None
        Attached; None where it is trained or the paradigm brings what decides.
    error_model : Model or None
        The decoder of error potentials, where choices are taken back by them.
    stimulus : str
        What the stimulus analyser says: "", "PASS" or "RESTRICTED".
    operator : str
        Who arms.
    request : ArmRequest
        What the operator brings.
    outputs : list of Output
        Open.
    stop_box : StopBox or None
        The emergency stop of hardware, heard and released.
    runs : list of Recording
        What it is trained on before it starts.
    notes : list of str
        What is no hindrance and should be known.
    seconds : float
        How long it takes, as long as nobody chooses anything; 0 where that is not known.
    begun : str
        Which model it begins with, in words; empty where it is trained.
    """

    config: SessionConfig
    stream: StreamInfo
    columns: list[int]
    pipeline: Pipeline
    paradigm: Paradigm
    gate: GateSettings
    window: CueWindow
    operator: str
    request: ArmRequest
    source: Source | None = None
    decoder: Any = None
    model: Model | None = None
    error_model: Model | None = None
    stimulus: str = ""
    outputs: list[Output] = field(default_factory=list)
    stop_box: StopBox | None = None
    runs: list[Recording] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    begun: str = ""

    @property
    def info(self) -> StreamInfo:
        """The stream with the channels that are used."""
        return self.stream.pick(self.columns)

    @property
    def opened(self) -> Source:
        """The source, open.

        Raises
        ------
        SourceError
            If its inputs were recorded: there is none to open.
        """
        if self.source is None:
            raise SourceError("The inputs of this session were recorded; it has no source.")
        return self.source

    def safety(self, audit: AuditLog | None) -> SafetySystem:
        """Return the safety room of this session."""
        channels = required_channels(
            self.model,
            self.info,
            config=self.config,
            decoder=self.decoder,
            trains=self.paradigm.calibration is not None,
        )
        return SafetySystem(
            self.gate,
            self.info,
            audit=audit,
            required_channels=channels,
            stimulus=self.stimulus,
            stop_box=bool(self.config.arming.stop_box),
        )

    def conductor(
        self,
        safety: SafetySystem,
        *,
        decider: Decider | None,
        trainer: Trainer | None,
        listeners: Sequence[Listener] = (),
        meter: StageMeter | None = None,
        judge: Callable[[Decision], Verdict] | None = None,
        earlier: Earlier | None = None,
    ) -> Conductor:
        """Return what runs this session, whoever drives it."""
        return Conductor(
            info=self.stream,
            columns=self.columns,
            pipeline=self.pipeline,
            paradigm=self.paradigm,
            safety=safety,
            seed=self.config.session.seed,
            decider=decider,
            trainer=trainer,
            listeners=listeners,
            operator=self.operator,
            request=self.request,
            idle_test=idle_seconds(self.config, self.gate),
            meter=meter,
            judge=judge,
            earlier=earlier,
        )

    def lines(self) -> Sequence[tuple[str, str]]:
        """Return what was found, for people, before a session starts."""
        info = self.info
        idle = idle_seconds(self.config, self.gate)
        named = self.begun or self.config.decoder.trained[0]
        lines = [
            ("source", f"{info.name}: {info.n_channels} channels, {info.sfreq:g} Hz"),
            ("channels", ", ".join(info.ch_names[:12]) + (" ..." if info.n_channels > 12 else "")),
            ("paradigm", f"{self.paradigm.name}: {', '.join(self.paradigm.classes)}"),
            ("decoder", "the paradigm's own" if self.paradigm.decider() is not None else named),
            ("gate", self.gate.profile),
            ("outputs", ", ".join(without_secrets(section.address) for section in self.config.outputs) or "none"),
        ]
        lines += [
            ("network", without_secrets(f"{section.address}: {output.reach}"))
            for section, output in zip(self.config.outputs, self.outputs, strict=True)
            if output.reach
        ]
        if self.error_model is not None:
            sheet = self.error_model.sheet
            lines.append(("errors", f"{sheet.decoder} takes choices back, of {sheet.created}"))
        if self.config.arming.stop_box:
            lines.append(("stop box", without_secrets(self.config.arming.stop_box)))
        if idle:
            lines.append(("idle test", f"{idle:g} s of rest before the first run"))
        if self.seconds:
            lines.append(("minutes", f"about {(self.seconds + idle) / 60:.0f}"))
        return (*lines, *(("note", note) for note in self.notes))

    def close(self) -> None:
        """Close outputs first, so that what moves lets go; then the source. One that fails leaves none of them open."""
        _close_all(self.outputs, self.stop_box, self.source)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        _close_all(self.outputs, self.stop_box, self.source, error)


def _close_all(
    outputs: Sequence[Output], stop_box: StopBox | None, source: Source | None, ended: BaseException | None = None
) -> None:
    """Close all; what went wrong with that is told with what had `ended` the session, and never instead of it."""
    try:
        with contextlib.ExitStack() as last_first:
            for part in (source, stop_box, *reversed(outputs)):
                if part is not None:
                    last_first.callback(part.close)
    except Exception as error:
        if ended is None:
            raise
        ended.add_note(f"And closing failed: {type(error).__name__}: {error}")


def plan(
    config: SessionConfig | None = None,
    *,
    operator: str = AUTOMATIC,
    request: ArmRequest | None = None,
    orders: bool = True,
    train: Callable[[list[Recording]], Model] | None = None,
    objects: Objects | None = None,
    **parts: Any,
) -> Plan:
    """Return a session that can start.

    Parameters
    ----------
    config : SessionConfig, optional
        From a file, or of the defaults; what is given as an object takes the place of its table.
    operator : str
        Who arms; `AUTOMATIC` where nobody attends.
    request : ArmRequest, optional
        What the operator brings; from the files that `arming` names if left out.
    orders : bool
        Whether somebody can give orders: a window, the clinic, a program.
    train : callable, optional
        Trains on the recordings of `calibration.files`, after everything but the source was checked, and before that
        is opened: what streamed meanwhile would be old before it is looked at. They are checked only if left out.
    objects : Objects, optional
        Parts of the session that a program made.
    **parts
        The same by name: ``source``, ``paradigm``, ``decoder``, ``pipeline``, ``outputs``; objects or names.

    Raises
    ------
    ConfigError
        With all problems at once, each with the key of the session file; whatever was opened is closed again.
    """
    objects = objects or Objects.of(**parts)
    config = objects.described(config)
    return _Planner(config, objects, operator=operator, request=request, orders=orders, train=train).plan()


def plan_recorded(
    config: SessionConfig,
    stream: StreamInfo,
    *,
    request: ArmRequest | None,
    model: Model | None,
    error_model: Model | None,
    objects: Objects,
    shows: bool = True,
) -> Plan:
    """Return the plan of a session whose inputs were recorded: nothing is opened, trained, armed or written.

    Parameters
    ----------
    shows : bool
        Whether the stimuli were this paradigm's; where a recording of others is evaluated nothing is shown.

    Raises
    ------
    BciError
        If the configuration is none of this version.
    """
    paradigm = objects.paradigm if objects.paradigm is not None else paradigm_of(config, recorded=True)
    prepare_paradigm(paradigm, config)
    pipeline = Pipeline.from_config(config.pipeline.steps) if objects.pipeline is None else objects.pipeline
    columns = columns_of(config, stream)
    filtered = pipeline.configure(stream.pick(columns))
    if error_model is not None:
        side = SidePath(stream.pick(columns), error_model.sheet.filters, sfreq=filtered.sfreq)
        attach_errors(paradigm, config, error_model.attach(side.info))
    return Plan(
        config=config,
        stream=stream,
        columns=columns,
        pipeline=pipeline,
        paradigm=paradigm,
        gate=check_settings(GateSettings, config.gate, where="gate"),
        window=window_of(config, paradigm),
        operator=AUTOMATIC if request is None else request.operator,
        request=request or ArmRequest(),
        model=None if model is None else model.attach(filtered),
        stimulus=stimulus_result(config, paradigm) if shows else "",
    )


class _Planner:
    """Makes the parts of a session one after the other and keeps every problem."""

    def __init__(
        self,
        config: SessionConfig,
        objects: Objects,
        *,
        operator: str,
        request: ArmRequest | None,
        orders: bool,
        train: Callable[[list[Recording]], Model] | None,
    ) -> None:
        self.config, self.objects = config, objects
        self.operator, self.request, self.orders, self.train = operator, request, orders, train
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.begun = ""
        self.outputs: list[Output] = []
        self.source: Source | None = None
        self.stop_box: StopBox | None = None

    def plan(self) -> Plan:
        try:
            return self._plan()
        except BaseException as error:
            _close_all(self.outputs, self.stop_box, self.source, error)
            raise

    def _plan(self) -> Plan:
        config = self.config
        gate = self._attempt("gate", lambda: check_settings(GateSettings, config.gate, where="gate"))
        paradigm = self.objects.paradigm or self._attempt("paradigm", lambda: paradigm_of(config))
        pipeline = self.objects.pipeline or self._attempt(
            "pipeline.steps", lambda: Pipeline.from_config(config.pipeline.steps)
        )
        self._check_recording()
        self._check_channel(paradigm)
        self._check_length(paradigm, gate)
        self._check_films(paradigm)
        self._open_outputs(gate)
        self._open_stop_box()
        runs: list[Recording] = []
        model: Model | None = None
        window = None
        if paradigm is not None:
            self._attempt("decoder", lambda: prepare_paradigm(paradigm, config))
            self._attempt("decoder", lambda: check_window(config, paradigm))
            window = window_of(config, paradigm)
            runs = self._calibration(paradigm) or []
        if runs and not self.problems and self.train is not None:
            train = self.train
            model = self._attempt("calibration", lambda: train(runs))
        self._open_source()
        stream = None if self.source is None else self.source.info
        columns = None if stream is None else self._attempt("source.channels", lambda: columns_of(config, stream))
        request = self.request or self._brought()
        stimulus, error_model, rehearsal = "", None, Rehearsal()
        filtered: StreamInfo | None = None
        if stream is not None and columns is not None and pipeline is not None:
            filtered = self._attempt("pipeline", lambda: pipeline.configure(stream.pick(columns)))
        if filtered is not None and paradigm is not None and stream is not None and pipeline is not None:
            behind, fit_for, used = pipeline, filtered, stream.pick(columns or [])
            self._attempt("paradigm", lambda: paradigm.configure(fit_for, seed=config.session.seed))
            stimulus = self._attempt("stimulus", lambda: stimulus_result(config, paradigm)) or ""
            self.notes += notes_on_targets(paradigm, config.screen)
            self._check_runs(runs, used)
            if config.calibration.files and paradigm.decider() is not None:
                self.problems.append(f"calibration.files: {paradigm.name} brings what decides; leave them out.")
            trained, before = model, len(self.problems)
            model = self._attempt("decoder", lambda: self._model(paradigm, behind, fit_for, trained))
            decides = len(self.problems) == before
            if decides:
                self._attempt("gate", lambda: check_idle(config, paradigm, model))
            error_model = self._attempt("decoder", lambda: find_error_model(config, used, sfreq=fit_for.sfreq))
            self.notes += notes_on_nobody(config)
            self._attempt("decoder", lambda: attach_errors(paradigm, config, error_model))
            if gate is not None:
                self.problems += [f"decoder.{problem}" for problem in check_past_gate(config.decoder, gate)]
            self.notes += notes_on_electrodes(paradigm, used) + notes_on_rhythms(paradigm, behind, used)
            files = bool(config.calibration.files)
            rehearsal = (
                self._rehearse(paradigm, fit_for, gate, model, trained=files, refused=not decides) or Rehearsal()
            )
        if gate is not None and request is not None and paradigm is not None:
            asked = replace(request, stimulus=request.stimulus or stimulus)
            rests = filtered is not None and paradigm.resting() is not None
            self.problems += arming_problems(
                config, gate, asked, attended=self.operator != AUTOMATIC, orders=self.orders, rests=rests
            )
        if self.problems:
            raise ConfigError(config.session.name, self.problems)
        assert stream is not None
        assert columns is not None
        assert pipeline is not None
        assert paradigm is not None
        assert gate is not None
        assert window is not None
        assert request is not None
        return Plan(
            config=as_recorded_with(config, paradigm),
            stream=stream,
            source=self.source,
            columns=columns,
            pipeline=pipeline,
            paradigm=paradigm,
            gate=gate,
            window=window,
            operator=self.operator,
            request=request,
            decoder=self.objects.decoder if not isinstance(self.objects.decoder, Model) else None,
            model=model,
            error_model=error_model,
            stimulus=stimulus,
            outputs=self.outputs,
            stop_box=self.stop_box,
            runs=runs,
            notes=self.notes,
            seconds=rehearsal.seconds,
            begun=self.begun,
        )

    # ---- parts -------------------------------------------------------------------------------------------------
    def _attempt(self, key: str, part: Callable[[], T]) -> T | None:
        try:
            return part()
        except ConfigError as error:
            self.problems += [told(key, problem) for problem in error.problems]
        except BciError as error:
            self.problems.append(f"{key}: {error}")
        return None

    def _brought(self) -> ArmRequest | None:
        """Return what the files of the session bring to arm it."""
        section, before = self.config.arming, len(self.problems)
        consent = self._attempt("arming.consent", lambda: Consent.load(section.consent)) if section.consent else None
        screening = (
            self._attempt("arming.screening", lambda: load_screening(section.screening)) if section.screening else None
        )
        if len(self.problems) > before:
            return None
        return ArmRequest(
            operator=self.operator, subject=self.config.session.subject, consent=consent, screening=screening
        )

    def _check_recording(self) -> None:
        section = self.config.recording
        if not section.enabled:
            return
        folder = self._attempt(
            "recording.folder", lambda: check_folder(str(recording_folder(self.config)), new=bool(section.folder))
        )
        if folder is None:
            return
        free = shutil.disk_usage(folder).free
        if free < DISK_FAULT_BYTES:
            self.problems.append(f"recording.folder: {folder} has {free / 1e6:.0f} MB left; a session needs more.")
        elif free < DISK_WARN_BYTES:
            self.notes.append(f"{folder} has {free / 1e9:.1f} GB left")

    def _check_channel(self, paradigm: Paradigm | None) -> None:
        """Refuse a channel of the stimulator that is not there; its driver would refuse the first stimulation."""
        assist = _assist_of(paradigm)
        if getattr(assist, "command", "") != "stimulate":
            return
        from bcikit.outputs.guard import GuardOutput

        for number, section in enumerate(self.config.outputs):
            with contextlib.suppress(BciError):
                address = Address.parse(section.address)
                found = output_class(address.scheme)
                channels = found.channels_of(address) if issubclass(found, GuardOutput) else None
                if channels is not None and assist.channel > channels:
                    self.problems.append(
                        f"paradigm.settings.assist.channel is {assist.channel}; the stimulator of "
                        f"outputs.{number}.address has {channels}."
                    )

    def _check_length(self, paradigm: Paradigm | None, gate: GateSettings | None) -> None:
        """Refuse help that the gate would cut: the dose and the timing of the trial go by what was asked for."""
        assist = _assist_of(paradigm)
        seconds = getattr(assist, "seconds", None)
        if gate is not None and isinstance(seconds, int | float) and seconds > gate.action_max_s:
            self.problems.append(
                f"paradigm.settings.assist.seconds is {seconds:g}; an action ends after {gate.action_max_s:g} s "
                "(gate.action_max_s): ask for no more, or let the gate allow it."
            )

    def _check_films(self, paradigm: Paradigm | None) -> None:
        """Refuse a film that cannot be shown: it would be missing in a trial, which counts all the same."""
        for key, name in ({} if paradigm is None else paradigm.films).items():
            self._attempt(f"paradigm.settings.{key}", lambda name=name: load_film(name))  # type: ignore[misc]

    def _open_outputs(self, gate: GateSettings | None) -> None:
        if self.objects.outputs is not None:
            self.outputs = list(self.objects.outputs)
            self._check_moving([f"{output.scheme}:" for output in self.outputs if output.touches], gate)
            return
        moving = []
        profile = self._profile(gate)
        for number, section in enumerate(self.config.outputs):
            key, address = f"outputs.{number}.address", section.address
            earlier = enumerate(self.config.outputs[:number])
            twin = next((at for at, other in earlier if _is_same(other.address, address)), None)
            if twin is not None:
                self.problems.append(
                    f"{key} is that of outputs.{twin}: each command would go there twice; leave one out."
                )
                continue
            touches = self._attempt(key, lambda address=address: _can_touch(address))  # type: ignore[misc]
            if touches:
                moving.append(address)
            if touches is None or (touches and profile not in REAL_ACTUATORS):
                continue
            output = self._attempt(key, lambda address=address: self._open(address))  # type: ignore[misc]
            if output is not None:
                self.outputs.append(output)
        self._check_moving(moving, gate)

    def _profile(self, gate: GateSettings | None) -> str:
        """Return the gate's profile; where its table is wrong, it can be known all the same."""
        return str(self.config.gate.get("profile", "simulation")) if gate is None else gate.profile

    def _check_moving(self, moving: Sequence[str], gate: GateSettings | None) -> None:
        """Refuse what can touch a person with a profile for pictures."""
        profile = self._profile(gate)
        if moving and profile not in REAL_ACTUATORS:
            self.problems.append(
                f"gate.profile is {profile!r}, but {without_secrets(', '.join(moving))} can touch a person; "
                f"it needs the profile {' or '.join(sorted(REAL_ACTUATORS))}."
            )

    def _open(self, address: str) -> Output:
        return open_output(seen_at(address, self.config.screen))

    def _open_stop_box(self) -> None:
        address = self.config.arming.stop_box
        if not address:
            return
        box = self.stop_box = self._attempt("arming.stop_box", lambda: open_stop_box(address))
        if box is not None:
            self._attempt("arming.stop_box", box.start)

    def _calibration(self, paradigm: Paradigm) -> list[Recording] | None:
        section, decoder = self.config.calibration, self.config.decoder
        if not section.files:
            if section.events:
                self.problems.append(
                    "calibration.events: is for the recordings in calibration.files; name some, or leave it out."
                )
            return []
        if decoder.model or decoder.start != "calibrate":
            other = "model" if decoder.model else f'start = "{decoder.start}"'
            self.problems.append(
                f"calibration.files: would train another model than decoder.{other} asks for; leave out one of them."
            )
            return None
        before = len(self.problems)
        missing = [name for name in section.files if not Path(name).exists()]
        if missing:
            self.problems.append(f"calibration.files: {', '.join(missing)}: there is no such file.")
        if not section.events:
            self.problems.append(
                "calibration.events: is missing; say which event of the recordings starts which class."
            )
        known = set(paradigm.classes if paradigm.calibration is None else paradigm.calibration.events.values())
        unknown = sorted(set(section.events.values()) - known)
        if unknown:
            self.problems.append(
                f"calibration.events: {', '.join(unknown)} is no class of the paradigm, which has "
                f"{', '.join(sorted(known))}."
            )
        left_out = sorted(known - set(section.events.values()))
        if section.events and left_out:
            self.problems.append(f"calibration.events: no event starts {', '.join(left_out)}.")
        if len(self.problems) > before:
            return None
        return self._attempt("calibration.files", lambda: load_runs(self.config))

    def _check_runs(self, runs: list[Recording], info: StreamInfo) -> None:
        for run in runs:
            if run.info.sfreq != info.sfreq:
                self.problems.append(
                    f"calibration.files: {run.info.name} has {run.info.sfreq:g} Hz, the stream has {info.sfreq:g} Hz; "
                    "a decoder must be trained at the rate at which it runs."
                )
            missing = [name for name in info.ch_names if name not in run.info.ch_names]
            if missing:
                self.problems.append(
                    f"calibration.files: {run.info.name} has no channel {', '.join(missing)}, which the stream has; "
                    "name those that both have in source.channels."
                )

    def _open_source(self) -> None:
        given = self.objects.source
        address = self.config.source.address
        self.source = given or self._attempt("source.address", lambda: open_source(address))
        if self.source is not None and not self.source.live:
            shown = without_secrets(address)
            self.problems += [
                f"outputs: {output.scheme}: works in real time only, and {shown} is faster than that. "
                "Take a live source; a simulated user is one with the option live=1."
                for output in self.outputs
                if output.real_time
            ]

    def _model(self, paradigm: Paradigm, pipeline: Pipeline, info: StreamInfo, trained: Model | None) -> Model | None:
        """Return the model of the session; None where it is trained or the paradigm brings what decides."""
        section = self.config.decoder
        if trained is not None:
            following(trained.attach(info), section)
            return trained
        if isinstance(self.objects.decoder, Model):
            model, name = self.objects.decoder.attach(info), "that was given"
        else:
            begun = starting_model(self.config, paradigm, info)
            if begun is None and paradigm.decider() is not None:
                check_owner(section, paradigm)
                return None
            if begun is None:
                check_targets(section, paradigm)
                name, parameters = section.trained
                if name == "encoder" and self.objects.decoder is None:
                    self._attempt("decoder.encoder", lambda: try_encoder(str(parameters["encoder"])))
                if section.follows:
                    check_followed(section, unfitted(self.config, info.sfreq, self.objects.decoder))
                return None
            model, name = begun[0], str(begun[1])
            check_begun(section, model, paradigm, name=name)
        self.notes += check_model(model, paradigm, pipeline, self.config, name=name) + model.sheet.doubts(info)
        self.notes += notes_on_promise(section, model.sheet)
        self.begun = f"{model.sheet.decoder}: {name}, of {model.sheet.created}"
        # Whether it can follow is found out before anything starts.
        following(model, section)
        return model

    def _rehearse(
        self,
        paradigm: Paradigm,
        info: StreamInfo,
        gate: GateSettings | None,
        model: Model | None,
        *,
        trained: bool,
        refused: bool,
    ) -> Rehearsal | None:
        """Return what the paradigm will ask for; what nothing could come of is a problem."""
        vote_s = 3.0 if gate is None else gate.vote_s
        try:
            found = rehearse(paradigm, info, seed=self.config.session.seed, vote_s=vote_s)
        except Exception as error:  # noqa: BLE001 - a paradigm may come from anybody
            # What is wrong with what decides was told by whoever asked for it first.
            if not any(str(error) in problem for problem in self.problems):
                self.problems.append(f"paradigm: it fails when it is run through: {type(error).__name__}: {error}")
            return None
        if found.hurried:
            seen = f"{found.seconds / 60:.1f} min"
            self.notes.append(f"only the first {seen} of the paradigm were looked at: to run through it takes too long")
        untrained = model is None and not refused and paradigm.decider() is None
        if untrained and (found.undecided or found.trained_on is not None):
            self._check_training(found, info, trained=trained)
        if model is not None and found.undecided and min(found.undecided) < model.sheet.n_times:
            self.problems.append(
                f"decoder.model: it was trained on windows of {model.sheet.n_times} samples, and the paradigm asks "
                f"about {min(found.undecided)}; it would never decide."
            )
        owns = paradigm.decider() is not None
        trains = model is None and not owns
        self.problems += [f"decoder: {problem}" for problem in check_used(self.config, paradigm, found, trains=trains)]
        self.notes += notes_on_stop(self.config, gate, n_classes=len(paradigm.classes))
        if found.dose_ends is not None:
            limits = DoseLimits()
            self.notes.append(
                f"where nothing is chosen early, nothing may flicker after {found.dose_ends / 60:.1f} min (A-DOSE): "
                f"{limits.block_s:g} s without a rest of {limits.rest_s:g} s, and {limits.session_s:g} s, is most"
            )
        if gate is not None and 0 < found.most_within < gate.k:
            self.problems.append(
                f"gate.k is {gate.k}, and the paradigm decides at most {found.most_within} times in gate.vote_s = "
                f"{gate.vote_s:g} s: nothing would ever be allowed."
            )
        return found

    def _check_training(self, found: Rehearsal, info: StreamInfo, *, trained: bool) -> None:
        least = self._attempt("decoder", lambda: least_trials(self.config, info.sfreq, self.objects.decoder))
        if least is not None:
            decoder = unfitted(self.config, info.sfreq, self.objects.decoder)
            self._attempt("decoder.name", lambda: check_types(decoder, info))
            self._attempt("decoder.name", lambda: check_targeted(decoder, found))
        if trained or least is None:
            return
        if found.trained_on is None:
            self.problems.append(
                "decoder.model: nothing would decide: the paradigm has no calibration in it. Name a model "
                "(decoder.model), recordings (calibration.files), or give the paradigm calibration runs."
            )
            return
        few = [f"{count} of {name}" for name, count in found.trained_on.items() if count < least]
        if few:
            self.problems.append(
                f"paradigm.settings: its calibration has {', '.join(few)}; {self.config.decoder.name} needs at least "
                f"{least} trials of each class."
            )


def told(key: str, problem: str) -> str:
    """Return a problem of a table with its key: one that names a key of the table goes on from it."""
    sentence = problem.partition(" ")[0] in ("is", "cannot", "there", "the")
    return f"{key}: {problem}" if sentence else f"{key}.{problem}"


def _is_same(first: str, second: str) -> bool:
    try:
        return first == second or Address.parse(first) == Address.parse(second)
    except ArgumentError:
        return False


def _assist_of(paradigm: Paradigm | None) -> Any:
    """Return the help that the settings of a paradigm ask for; None where there is none."""
    return getattr(getattr(paradigm, "settings", None), "assist", None)


def _can_touch(address: str) -> bool:
    parsed = Address.parse(address)
    return output_class(parsed.scheme).can_touch(parsed)
