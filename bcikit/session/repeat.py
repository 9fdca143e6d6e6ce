"""Replay: a recorded session run again, decision by decision, verdict by verdict, to the last bit."""

import itertools
import math
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bcikit.decoding import Model
from bcikit.paradigms import Decider
from bcikit.paradigms.settings import as_recorded
from bcikit.recording import Session, installed_versions, read_session
from bcikit.recording.layout import RECORDING
from bcikit.safety import AuditLog
from bcikit.safety.arming import ArmRequest
from bcikit.session.conductor import RULES, Conductor
from bcikit.session.config import SessionConfig, config_from
from bcikit.session.drive import RecordedFeed, drive
from bcikit.session.earlier import Earlier
from bcikit.session.listener import Listener
from bcikit.session.models import ERROR_MODEL, MODEL, following
from bcikit.session.objects import Objects
from bcikit.session.planning import plan_recorded
from bcikit.session.standstill import ATTENDED
from bcikit.session.training import Progress, no_progress
from bcikit.signal import Decision, Recording, RecordingError, Verdict
from bcikit.signal.messages import Decided, Message
from bcikit.signal.shown import Shown

_ROUNDING = 1e-9
"""What another build of a numerical library explains, as a share of a number; a wrong sample is far more."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison(Shown):
    """What a replay found.

    Attributes
    ----------
    n_decisions, n_verdicts : int
        How many were recorded.
    n_replayed : int
        How many decisions the replay made.
    difference : str
        The first difference, in words; empty if everything is identical.
    index : int or None
        Which decision differs first, counted from 0.
    rounding : float or None
        The largest difference of a number, as a share of it, where numbers differ and nothing else does, and by so
        little (1e-9) that another build of a numerical library explains it; None otherwise.
    """

    n_decisions: int
    n_verdicts: int
    n_replayed: int
    difference: str = ""
    index: int | None = None
    rounding: float | None = None

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        found = self.difference or "identical, bit for bit"
        return f"{self.n_decisions} decisions, {self.n_verdicts} verdicts: {found}", {}

    @property
    def identical(self) -> bool:
        """True if every decision and every verdict is the same, bit for bit."""
        return not self.difference


class _Collector(Listener):
    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.verdicts: list[Verdict] = []

    def take(self, message: Message) -> None:
        if isinstance(message, Decided):
            self.decisions.append(message.decision)
            self.verdicts.append(message.verdict)


def replay(path: str | Path, *, progress: Progress = no_progress, **parts: Any) -> Comparison:
    """Run a recorded session again and compare.

    The recorded raw chunks, with their boundaries and arrival times, and everything else that came from outside
    (markers, orders, silences) go through the same configuration and the same model.

    Parameters
    ----------
    path : str or Path
        A session folder.
    progress : callable, optional
        Called with what is going on, chunks done and chunks in all.
    **parts
        ``paradigm``, ``decoder``, ``pipeline``: the objects that the session was run with, where its configuration can
        only name them.

    Raises
    ------
    RecordingError
        If the folder is no session, or lacks its configuration.
    ConfigError
        If the configuration is not one of this version.
    """
    session = read_session(path, damaged=True)
    folder = Path(path) if session.path is None else session.path
    if "paradigm" not in session.config:
        raise RecordingError(
            f"{folder} has no configuration; only what 'bcikit run' and 'bcikit demo' record can be replayed."
        )
    config = config_from(dict(session.config), where=f"{folder}/session.json")
    collector = _Collector()
    with ExitStack() as stack:
        stack.enter_context(as_recorded())
        # What is allowed depends on whether it was logged: a replay writes its log, too, and throws it away.
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="bcikit-replay-"))
        audit = stack.enter_context(closing(AuditLog(scratch))) if config.recording.enabled else None
        drive(
            RecordedFeed(session, progress=progress),
            _conductor(session, config, folder, collector, audit, Objects.of(**parts)),
        )
    found = compare(session, collector.decisions, collector.verdicts)
    said = [found.difference]
    if found.rounding is not None:
        said.append(f"all else is the same: numbers differ by {found.rounding:.0e} of their size at most")
    if found.difference:
        said.append(_other_versions(session.versions))
        if found.rounding is None and session.versions.get("rules") != RULES:
            said.append(f"decided by {_age(session.versions)} rules of safety (see CHANGELOG)")
        if config.paradigm.name.endswith(".toml") and "kind" not in config.paradigm.settings:
            said.append(f"the settings of its paradigm were not recorded: {config.paradigm.name} is read as it is now")
    if found.rounding is not None and "processor" not in session.versions:
        said.append("another kind of processor rounds otherwise, and that of the recording was not written down")
    # Damage is a difference, too, where no decision happened to see it.
    return replace(found, difference="; ".join(filter(None, [*said, session.damage])))


def _age(recorded: Mapping[str, str]) -> str:
    """Return whether a session was decided by older or newer rules; the first had no number."""
    then = str(recorded.get("rules", ""))
    return "newer" if then.isdecimal() and int(then) > int(RULES) else "older"


def _other_versions(recorded: Mapping[str, str]) -> str:
    """Return with what was recorded that has another version here; another build may round the last bit otherwise."""
    here = installed_versions()
    other = [name for name, version in recorded.items() if here.get(name, version) != version]
    if not other:
        return ""
    then = ", ".join(f"{name} {recorded[name]}" for name in other)
    return f"recorded with {then}; here {', '.join(f'{name} {here[name]}' for name in other)}"


def compare(session: Session, decisions: Sequence[Decision], verdicts: Sequence[Verdict]) -> Comparison:
    """Return the first difference between what was recorded and what came out of a replay.

    What was decided on the last chunk of a session that was cut off may not have been written any more: that is none.
    """
    cut_off = session.status in (RECORDING, "recovered") and bool(session.chunks)
    last = session.chunks[-1].first_sample if cut_off else None
    same = Comparison(n_decisions=len(session.decisions), n_verdicts=len(session.verdicts), n_replayed=len(decisions))
    pairs = itertools.zip_longest(session.decisions, decisions, session.verdicts, verdicts)
    apart, first = 0.0, same
    for index, (old, new, old_verdict, new_verdict) in enumerate(pairs):
        where = old or new
        head = f"decision {index}" + (f" at sample {where.sample} ({where.time:.3f} s)" if where is not None else "")
        unwritten = last is not None and where is not None and where.sample >= last
        text = ""
        if not (unwritten and old is None):
            text = _difference("decision", old, new)
        if not text and not (unwritten and old_verdict is None):
            text = _difference("verdict", old_verdict, new_verdict)
        if text:
            first = first if first.difference else replace(same, difference=f"{head}: {text}", index=index)
            apart = max(apart, _apart(old, new), _apart(old_verdict, new_verdict))
    return replace(first, rounding=apart if first.difference and apart <= _ROUNDING else None)


def _apart(old: Any, new: Any) -> float:
    """Return how far numbers are apart at most, as a share of them; infinity where anything else differs."""
    if isinstance(old, Decision | Verdict) and isinstance(new, Decision | Verdict):
        return _apart(old.to_dict(), new.to_dict())
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old.keys() == new.keys():
        return max((_apart(value, new[key]) for key, value in old.items()), default=0.0)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        return max(map(_apart, old, new), default=0.0)
    if isinstance(old, float) and isinstance(new, float) and math.isfinite(old) and math.isfinite(new):
        return abs(old - new) / max(abs(old), abs(new), 1.0e-300)
    return 0.0 if old == new or (old != old and new != new) else math.inf


def _difference(what: str, old: Any, new: Any) -> str:
    if old is None or new is None:
        return "" if old is new else f"the {what} was {'recorded' if new is None else 'replayed'} only"
    before, after = old.to_dict(), new.to_dict()
    for key, value in before.items():
        if value != after[key]:
            return f"{what}.{key} was {value!r}, is {after[key]!r}"
    return ""


def _conductor(
    session: Session,
    config: SessionConfig,
    folder: Path,
    collector: Listener,
    audit: AuditLog | None,
    objects: Objects,
) -> Conductor:
    model = _model(folder / MODEL, objects)
    error_model = Model.load(folder / ERROR_MODEL) if (folder / ERROR_MODEL).is_file() else None
    plan = plan_recorded(
        config, session.info, request=_request(session), model=model, error_model=error_model, objects=objects
    )
    section = config.decoder
    given = config.calibration.files or section.model or section.start != "calibrate"
    trained_inside = plan.paradigm.calibration is not None and not given
    decider = None if plan.model is None else following(plan.model, section)

    def trained(recording: Recording) -> Decider:  # noqa: ARG001 - the model of that calibration is in the folder
        if decider is None:
            raise RecordingError(f"{folder} has no {MODEL}; the decisions after its calibration cannot be replayed.")
        return decider

    if trained_inside:
        plan.model = None
    return plan.conductor(
        plan.safety(audit),
        decider=None if trained_inside else decider,
        trainer=trained,
        listeners=[collector],
        earlier=Earlier.of(session.events),
    )


def _model(path: Path, objects: Objects) -> Model | None:
    if isinstance(objects.decoder, Model):
        return objects.decoder
    return Model.load(path) if path.is_file() else None


def _request(session: Session) -> ArmRequest | None:
    """Return what the operator brought; None where nobody attended."""
    for record in session.records.get("inputs", []):
        if record["kind"] == ATTENDED:
            return ArmRequest.from_record(record.get("request", {}))
    return None
