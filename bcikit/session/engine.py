"""The engine: runs a session from its configuration to its report."""

import copy
import datetime
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bcikit.acquisition import Interactive
from bcikit.decoding import AdaptiveModel, Model
from bcikit.paradigms import Decider
from bcikit.presentation.layout import Viewing
from bcikit.recording import SessionWriter, installed_versions, read_session
from bcikit.recording.result import RESULT, VERSION, SessionResult
from bcikit.safety import AuditLog, SafetySystem
from bcikit.safety.arming import ArmRequest
from bcikit.session.channel import ChannelServer
from bcikit.session.conductor import AUTOMATIC, RULES, Conductor, model_message
from bcikit.session.config import SessionConfig, completed, config_from, load_config
from bcikit.session.drive import BY_OPERATOR, FINISHED, RUNNING, SourceFeed, drive
from bcikit.session.from_config import recording_folder, shows
from bcikit.session.listener import Listener
from bcikit.session.models import AFTER, ERROR_MODEL, expected_here, following, without_calibration
from bcikit.session.objects import Objects
from bcikit.session.outputs import Outputs, state_of
from bcikit.session.planning import Plan, plan
from bcikit.session.report import write_report
from bcikit.session.retrain import model_from_runs
from bcikit.session.running import registered
from bcikit.session.shipped import is_paradigm_file, shipped_config
from bcikit.session.showing import UserListener
from bcikit.session.sinks import Counter, Publisher, Recorder
from bcikit.session.stages import StageMeter, with_laps
from bcikit.session.standstill import ATTENDED
from bcikit.session.summary import accuracy_summary, title_of, to_json
from bcikit.session.training import (
    Progress,
    calibration_summary,
    fit_model,
    no_progress,
)
from bcikit.signal import BciError, Recording, RecordingError
from bcikit.signal.messages import Input, Progressed, StateChanged
from bcikit.signal.secrecy import without_secrets
from bcikit.signal.shown import Shown


@dataclass(frozen=True, slots=True, repr=False)
class Result(Shown):
    """What a session came to.

    Attributes
    ----------
    values : SessionResult
        Content of ``result.json``: a dict.
    folder : Path or None
        The session folder; None where nothing was kept.
    """

    values: SessionResult
    folder: Path | None

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        values = self.values
        right = f"{values.get('n_correct', 0)} of {values.get('n_trials', 0)} trials right"
        chance = values.get("chance_upper")
        line = f"{values.get('paradigm', '')!r}: {right}" + (f" (chance up to {chance:.0%})" if chance else "")
        gate = values.get("gate", {})
        return f"{line}, {values.get('ended', '')}", {
            "decisions let through": f"{gate.get('allowed', 0)} of {gate.get('n', 0)}",
            "decoder": str(values.get("decoder") or ""),
            "source": str(values.get("source", "")),
            "duration": f"{values.get('duration_s', 0.0):.0f} s, {values.get('lost_samples', 0)} samples lost",
            "folder": "" if self.folder is None else str(self.folder),
        }

    def write(self, folder: Path) -> None:
        """Write ``result.json``."""
        (folder / RESULT).write_text(to_json(self.values) + "\n", encoding="utf-8")


class Engine:
    """Runs one session.

    Parameters
    ----------
    config : SessionConfig, dict, str or Path, optional
        Everything, or the path of a session file. Without it the session is built of the parts that are given.
    operator : str
        Who arms the session; `bcikit.session.conductor.AUTOMATIC` for nobody.
    request : ArmRequest, optional
        What the operator brings to calibrate and to arm: consent and screening; without them a simulation runs, and
        nothing else. It is recorded with the session, since verdicts depend on it.
    progress : callable, optional
        Called with what is going on, steps done and steps in all.
    noted : callable, optional
        Called before anything starts with each thing of the plan that a person should know, in words.
    limit : float
        Longest session in seconds of signal; 0 for none.
    listeners : sequence of Listener
        Further listeners.
    orders : bool
        Whether somebody can give orders by `control`: a window, the clinic, a program.
    source, paradigm, decoder, pipeline, outputs
        Objects, or names, that take the place of a table of the configuration: a `Source`, a `Recording` or an address;
        a `Paradigm` or its name; a `Model`, a classifier, or the name of one; a `Pipeline` or a list of steps; a list
        of `Output` or of addresses.

    Examples
    --------
    >>> from bcikit.session import Engine
    >>> engine = Engine(source="sim:motor-imagery", paradigm="motor-imagery", decoder="csp-lda")
    """

    def __init__(
        self,
        config: SessionConfig | Mapping[str, Any] | str | Path | None = None,
        *,
        operator: str = AUTOMATIC,
        request: ArmRequest | None = None,
        progress: Progress = no_progress,
        noted: Callable[[str], object] = str,
        limit: float = 0.0,
        listeners: Sequence[Listener] = (),
        orders: bool = True,
        **parts: Any,
    ) -> None:
        self._objects = Objects.of(**parts)
        self.config = self._objects.described(session_config(config))
        self.operator = operator
        self.request = request
        self._show = progress
        self._noted = noted
        self.limit = limit
        self.listeners = list(listeners)
        self.orders = orders
        self.control = ChannelServer()
        self._told: tuple[str, int] = ("", 0)
        self._ending = threading.Event()
        self._calibration: dict[str, Any] = {}
        self._model: Any = None
        self._adaptation: dict[str, Any] = {}
        self._timing: dict[str, Any] = {}

    def run(self) -> Result:
        """Run the session to its end and write what came out.

        Raises
        ------
        ConfigError
            With every problem, before anything starts.
        BciError
            If something fails later; what was recorded is kept.
        """
        with registered(self.control, self.config.session.name):
            return self._run_all()

    def _run_all(self) -> Result:
        try:
            self.progress(without_secrets(f"Opening {self.config.source.address}"), 0, 0)
            with plan(
                self.config,
                objects=self._objects,
                operator=self.operator,
                request=self.request,
                orders=self.orders,
                train=self._train_on_files,
            ) as made:
                for note in made.notes:
                    self._noted(note)
                return self._run(made)
        except BaseException as error:
            self.control.say(StateChanged(state="FAILED", reason=str(error) or type(error).__name__))
            raise
        finally:
            self.control.close()

    def end(self) -> None:
        """End the session after the chunk that it is at; may be called from a signal handler or another thread."""
        self._ending.set()

    def progress(self, what: str, done: int, total: int) -> None:
        """Tell whoever started the session, and the windows, what is going on."""
        self._show(what, done, total)
        self.control.touch()
        # Steps of a second and more: a window needs no more, and what it is told is remembered for those that come.
        what = "" if what == RUNNING else what
        if (what, done * 20 // total if total else 0) != self._told:
            self._told = (what, done * 20 // total if total else 0)
            self.control.say(Progressed(what=what, done=done, total=total))

    # ---- inside ------------------------------------------------------------------------------------------------
    def _run(self, made: Plan) -> Result:
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        model = self._model = made.model
        if model is not None and model.sheet.people:
            expected = expected_here(self.config.decoder, model.sheet)
            if expected:
                numbers = [expected[key] for key in ("value", "low", "high")]
                self._calibration["without_calibration_expected"] = numbers
            self._calibration["people_without_calibration"] = len(model.sheet.people)
        counter = Counter()
        with self._writer(made) as writer, ExitStack() as stack:
            folder = None if writer is None else writer.path
            audit = None if folder is None else stack.enter_context(closing(self._audit(made.config, folder)))
            safety = made.safety(audit)
            for section, output in zip(self.config.outputs, made.outputs, strict=True):
                if audit is not None and output.reach:
                    audit.write(
                        "network", now=0.0, actor="engine", action=without_secrets(section.address), reason=output.reach
                    )
            meter = StageMeter(made.info.sfreq, made.gate)
            publisher = self._publisher(made, safety)
            moves = Outputs(made.outputs, safety=safety, viewing=self._viewing)
            stack.enter_context(self._stopped_at_once(moves, made))
            first = [] if writer is None else [Recorder(writer)]
            user: list[Listener] = []
            if isinstance(made.opened, Interactive):
                user = [
                    UserListener(
                        made.opened,
                        made.opened.info.sfreq,
                        blank=self.config.screen.blank,
                        screen=shows(self.config),
                    )
                ]
            listeners = with_laps(
                meter,
                [
                    ("record", first),
                    ("output", [moves]),
                    ("task", [counter, *user]),
                    ("publish", [publisher]),
                    ("task", self.listeners),
                ],
            )
            conductor = made.conductor(
                safety,
                decider=None if model is None else following(model, self.config.decoder),
                trainer=lambda recording: self._train_in_session(made, recording),
                listeners=listeners,
                meter=meter,
            )
            for recorder in first:
                if self.operator != AUTOMATIC:
                    brought = {"operator": self.operator, "request": made.request.to_record()}
                    recorder.take(Input(kind=ATTENDED, values=brought))
                if model is not None:
                    recorder.take(model_message(model, 0.0))
                if made.error_model is not None and folder is not None:
                    made.error_model.save(folder / ERROR_MODEL)
            try:
                ended = self._drive(made, conductor, meter, folder, publisher, moves)
                self._keep_followed(conductor, folder)
            except BaseException:
                # Whatever an output does wrong now: what is raised is why the session ended.
                with suppress(Exception):
                    moves.let_go("session over")
                # Who shows the state must not go on showing that of a session that is over.
                with suppress(Exception):
                    moves.take(StateChanged(state="FAILED", time=conductor.now))
                raise
            moves.let_go("session over")
            ran = safety.state
            safety.control.finish(now=conductor.now)
            if safety.state is not ran:
                moves.take(StateChanged(state=str(safety.state), time=conductor.now))
            publisher.say_finished(conductor.now)
            values = self._values(made, counter, conductor, started, ended)
            values["commands_held_back"] = moves.held_back
            if writer is not None:
                writer.close("complete" if values["complete"] else "stopped", result=RESULT)
        result = Result(values, folder)
        if folder is not None:
            result.write(folder)
            self._report(made.config, folder, result)
        return result

    @contextmanager
    def _stopped_at_once(self, moves: Outputs, made: Plan) -> Iterator[None]:
        """Let a stop reach the outputs whatever the session is at, and come from them and from the stop box, too."""

        def put(order: dict[str, Any]) -> None:
            # What an output does wrong at a stop is raised by the session's own thread, which stops it again.
            with suppress(BciError):
                self.control.put({**order, "reason": order["reason"][:500]}, role="outputs")

        def page(reason: str) -> None:
            put({"do": "stop", "who": "outputs", "reason": reason})

        def box(pressed: bool, lost: bool, reason: str) -> None:  # noqa: FBT001
            put({"do": "estop", "pressed": pressed, "lost": lost, "who": "stop box", "reason": reason})

        for output in made.outputs:
            output.on_stop(page)
        self.control.at_once.append(moves.at_once)
        if made.stop_box is not None:
            made.stop_box.tell(box)
        try:
            yield
        finally:
            if made.stop_box is not None:
                made.stop_box.close()
            self.control.at_once.remove(moves.at_once)

    @property
    def _viewing(self) -> Viewing:
        """How the person sees the picture."""
        screen = self.config.screen
        return Viewing(height_cm=screen.height_cm, distance_cm=screen.distance_cm)

    def _audit(self, config: SessionConfig, folder: Path) -> AuditLog:
        """Return the audit log of the session; every record says which session, whose, and with what it ran."""
        text = to_json(without_secrets(config.to_dict()))
        return AuditLog(
            folder,
            session_id=folder.name,
            subject=config.session.subject,
            software=f"bcikit {installed_versions().get('bcikit', '')}",
            config_sha256=hashlib.sha256(text.encode()).hexdigest(),
        )

    def _drive(
        self,
        made: Plan,
        conductor: Conductor,
        meter: StageMeter,
        folder: Path | None,
        publisher: Publisher,
        moves: Outputs,
    ) -> str:
        """Run the session to its end; return how it ended."""
        feed = SourceFeed(
            made.opened,
            conductor,
            control=self.control,
            attended=self.operator != AUTOMATIC,
            meter=meter,
            folder=folder,
            publisher=publisher,
            outputs=made.outputs,
            progress=self.progress,
            limit=self.limit,
            ending=self._ending,
            waiting=moves.renew_switch,
        )
        ended = drive(feed, conductor)
        status = feed.status
        self._timing = {
            "stamps": "" if status is None else status.stamps,
            "uncertainty_s": 0.0 if status is None else status.time_uncertainty,
            "doubts": [*feed.doubts(conductor.n_samples), *conductor.flips.doubts()],
            "notes": feed.trust.notes,
        }
        return ended

    def _train_on_files(self, runs: list[Recording]) -> Model:
        model, trials = model_from_runs(
            self.config,
            runs,
            paradigm=self._objects.paradigm,
            decoder=self._unfitted(),
            pipeline=copy.deepcopy(self._objects.pipeline),
            progress=self.progress,
        )
        self._calibration = calibration_summary(model, trials)
        self._calibration |= without_calibration(self.config.decoder, model, trials)
        return model

    def _unfitted(self) -> Any:
        """Return the decoder that a program gave to be trained; None where the configuration names it."""
        given = self._objects.decoder
        return None if given is None or isinstance(given, Model) else copy.deepcopy(given)

    def _train_in_session(self, made: Plan, recording: Recording) -> Decider:
        wanted = made.paradigm.calibration
        cues: Mapping[str, str] = {} if wanted is None else wanted.events
        model, trials = fit_model(
            self.config,
            recording,
            cues=cues,
            window=made.window,
            pipeline=made.pipeline,
            decoder=self._unfitted(),
            progress=self.progress,
        )
        self._calibration = calibration_summary(model, trials)
        self._calibration |= without_calibration(self.config.decoder, model, trials)
        self._model = model
        return following(model, self.config.decoder)

    def _keep_followed(self, conductor: Conductor, folder: Path | None) -> None:
        """Keep what a model that followed the person had become, for the next session and for the report."""
        decider = conductor.decider
        if conductor.strange is not None:
            self._calibration["windows unlike the training at the end"] = f"{conductor.strange:.0%}"
        if not isinstance(decider, AdaptiveModel):
            return
        self._adaptation = {**decider.counts, "frozen": decider.frozen}
        if folder is not None:
            decider.save(folder / AFTER)

    @contextmanager
    def _writer(self, made: Plan) -> Iterator[SessionWriter | None]:
        section = self.config.recording
        if not section.enabled:
            yield None
            return
        folder = recording_folder(self.config)
        versions = {**installed_versions(), "rules": RULES}
        writer = SessionWriter(folder, info=made.stream, config=made.config.to_dict(), versions=versions)
        try:
            yield writer
        except BaseException:
            # Whatever went wrong, what was recorded is closed and stays readable.
            with suppress(RecordingError):
                writer.close("failed")
            raise

    def _publisher(self, made: Plan, safety: SafetySystem) -> Publisher:
        publisher = Publisher(
            self.control,
            made.stream,
            # The very steps: a table can only name those that are registered.
            made.pipeline.configure(made.info),
            outputs=made.outputs,
            addresses=[without_secrets(section.address) for section in self.config.outputs],
            safety=safety,
            title=title_of(self.config.session.name, made.paradigm),
            paradigm=made.paradigm.name,
        )
        if self._model is not None:
            publisher.take(model_message(self._model, 0.0))
        return publisher

    def _values(
        self,
        made: Plan,
        counter: Counter,
        conductor: Conductor,
        started: str,
        ended: str,
    ) -> SessionResult:
        results = conductor.results()
        trials = results.pop("trials", [])
        # A speller decodes targets and other flashes, and decides for letters.
        classes = list(results.get("classes", made.paradigm.classes))
        summary = conductor.safety.summary()
        sheet = getattr(self._model, "sheet", None)
        tally = counter.tally.to_dict()
        shown = {"paradigm", "name", "classes", "confusion", "n_trials", "n_correct", "n_undecided"}
        values = {
            "version": VERSION,
            "title": title_of(self.config.session.name, made.paradigm),
            "bcikit": installed_versions().get("bcikit", ""),
            "ended": ended,
            "complete": ended in (FINISHED, BY_OPERATOR),
            "started": started,
            "subject": self.config.session.subject,
            "seed": self.config.session.seed,
            "source": without_secrets(self.config.source.address),
            "paradigm": made.paradigm.name,
            "kind": made.paradigm.kind,
            "decoder": sheet.decoder if sheet is not None else None,
            "model_fingerprint": getattr(sheet, "data", None),
            **accuracy_summary(trials, classes, sealed=results.get("arm") == "sealed"),
            "duration_s": tally["n_samples"] / made.info.sfreq,
            **tally,
            "interrupted_trials": conductor.interrupted,
            "dropped_cues": conductor.dropped_cues,
            "backlog_s": conductor.backlog_s,
            "timing": self._timing,
            "idle_test": conductor.idle.result or None,
            "calibration": self._calibration,
            "adaptation": self._adaptation,
            "details": {key: value for key, value in results.items() if key not in shown},
            "trials": trials,
            "outputs": [
                {
                    "address": without_secrets(section.address),
                    **({"reach": output.reach} if output.reach else {}),
                    **state_of(output),
                }
                for section, output in zip(self.config.outputs, made.outputs, strict=True)
            ],
            "stop_box": None if made.stop_box is None else made.stop_box.state(),
            "presentation": conductor.flips.summary(),
            "alarms": summary.pop("alarms", []),
            "safety": summary,
            "versions": installed_versions(),
        }
        return cast(SessionResult, values)

    def _report(self, config: SessionConfig, folder: Path, result: Result) -> None:
        self.progress("Writing the report", 0, 1)
        recording = read_session(folder, lazy=True).recording
        write_report(
            folder / "report.html",
            result.values,
            config=without_secrets(config.to_dict()),
            recording=recording,
            events=recording.events,
        )
        self.progress("Writing the report", 1, 1)


def session_config(given: SessionConfig | Mapping[str, Any] | str | Path | None) -> SessionConfig | None:
    """Return a configuration from whatever says it: itself, its tables, a session file, ``paradigm:NAME``.

    Raises
    ------
    ConfigError
        With every problem.
    """
    if given is None or isinstance(given, SessionConfig):
        return given
    if isinstance(given, Mapping):
        return config_from(completed(given))
    if str(given).startswith("paradigm:") or is_paradigm_file(given):
        return shipped_config(str(given))
    return load_config(given)


def run(config: SessionConfig | Mapping[str, Any] | str | Path | None = None, **options: Any) -> Result:
    """Run a session and return what it came to.

    Parameters
    ----------
    config : SessionConfig, dict, str or Path, optional
        A configuration, a session file, or ``paradigm:NAME`` with its simulated user.
    **options
        For `Engine`.

    Raises
    ------
    ConfigError
        With every problem, before anything starts.

    Examples
    --------
    >>> from bcikit.session import run
    >>> result = run("paradigm:motor-imagery")  # doctest: +SKIP
    """
    return Engine(config, **options).run()
