"""The assembly: everything a session needs, opened and checked; all problems are found before anything starts."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bcikit.acquisition import Source, open_source
from bcikit.decoding import DECODERS, Model
from bcikit.outputs import Output, open_output, output_class
from bcikit.paradigms import Paradigm, make_paradigm, read_paradigm
from bcikit.processing import Pipeline
from bcikit.safety import GateSettings
from bcikit.safety.settings import REAL_ACTUATORS
from bcikit.session.config import SessionConfig
from bcikit.session.equip import attach_errors, prepare_paradigm
from bcikit.session.models import find_error_model, following, starting_model
from bcikit.session.stimulus import check_stimuli, refusal
from bcikit.session.training import Window
from bcikit.signal import Address, BciError, ConfigError, SafetyError, StreamInfo, check_choice
from bcikit.signal.settings import check_settings

T = TypeVar("T")


@dataclass(slots=True)
class Assembly:
    """The parts of a session, ready to be joined; close it when done.

    Attributes
    ----------
    config : SessionConfig
        What it was made from.
    source : Source
        Open, not started.
    columns : list of int
        Channels that are used.
    pipeline : Pipeline
        Configured once, as a check.
    paradigm : Paradigm
        Configured once, as a check.
    gate : GateSettings
        Within the hard limits.
    window : Window
        Of a decision after the cue.
    model : Model or None
        Loaded from a file; None where it is trained.
    error_model : Model or None
        The decoder of error potentials, where choices are taken back by them.
    stimulus : str
        What the stimulus analyser says: "", "PASS" or "RESTRICTED".
    outputs : list of Output
        Open.
    """

    config: SessionConfig
    source: Source
    columns: list[int]
    pipeline: Pipeline
    paradigm: Paradigm
    gate: GateSettings
    window: Window
    model: Model | None
    stimulus: str
    error_model: Model | None = None
    outputs: list[Output] = field(default_factory=list)

    @property
    def info(self) -> StreamInfo:
        """The stream with the channels that are used."""
        return self.source.info.pick(self.columns)

    def close(self) -> None:
        """Close outputs first, so that what moves lets go; then the source."""
        for output in self.outputs:
            output.close()
        self.source.close()


class _Collector:
    """Runs the parts of the preflight and keeps every problem."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def attempt(self, key: str, part: Callable[[], T]) -> T | None:
        try:
            return part()
        except ConfigError as error:
            self.problems += [f"{key}.{problem}" for problem in error.problems]
        except BciError as error:
            self.problems.append(f"{key}: {error}")
        return None


def check_parts(config: SessionConfig) -> None:
    """Check everything of a session but its source, which stays closed.

    Raises
    ------
    ConfigError
        With all problems at once.
    """
    collect = _Collector()
    _, paradigm, _, outputs = _parts(config, collect)
    for output in outputs:
        output.close()
    if paradigm is not None:
        collect.attempt("calibration", lambda: _check_calibration(config, paradigm))
    if collect.problems:
        raise ConfigError(config.session.name, collect.problems)


def check_operator(config: SessionConfig, *, attended: bool) -> None:
    """Refuse a session that moves more than pictures and that nobody attends.

    Raises
    ------
    ConfigError
        Saying how to run it.
    """
    profile = config.gate.get("profile", "simulation")
    moving = [section.address for section in config.outputs if _owns_actuator(section.address)]
    if moving and profile not in REAL_ACTUATORS:
        raise ConfigError(
            config.session.name,
            [
                f"gate.profile is {profile!r}, but {', '.join(moving)} can touch a person; "
                f"it needs the profile {' or '.join(sorted(REAL_ACTUATORS))}."
            ],
        )
    if profile != "simulation" and not attended:
        raise ConfigError(
            config.session.name,
            [
                f"gate.profile is {profile!r}; it needs an operator who arms it, with the participant's consent. "
                "Run it from the clinic window (bcikit clinic), or take the profile 'simulation' for pictures only."
            ],
        )


def _owns_actuator(address: str) -> bool:
    """Return whether an output can move something real, or touch a person."""
    parsed = Address.parse(address)
    return output_class(parsed.scheme).can_touch(parsed)


def _parts(
    config: SessionConfig, collect: _Collector
) -> tuple[GateSettings | None, Paradigm | None, Pipeline | None, list[Output]]:
    """Make what does not need the source."""
    gate = collect.attempt("gate", lambda: check_settings(GateSettings, config.gate, where="gate"))
    paradigm = collect.attempt("paradigm", lambda: paradigm_of(config))
    if paradigm is not None:
        collect.attempt("decoder", lambda: prepare_paradigm(paradigm, config))
    pipeline = collect.attempt("pipeline.steps", lambda: Pipeline.from_config(config.pipeline.steps))
    collect.attempt("recording.folder", lambda: check_folder(config.recording.folder or "."))
    outputs: list[Output] = []
    for number, section in enumerate(config.outputs):
        output = collect.attempt(f"outputs.{number}.address", lambda address=section.address: open_output(address))  # type: ignore[misc]
        if output is not None:
            outputs.append(output)
    return gate, paradigm, pipeline, outputs


def assemble(config: SessionConfig) -> Assembly:
    """Open and check every part of a session.

    Raises
    ------
    ConfigError
        With all problems at once; whatever was opened is closed again.
    """
    collect = _Collector()
    gate, paradigm, pipeline, outputs = _parts(config, collect)
    source = collect.attempt("source.address", lambda: open_source(config.source.address))
    columns = None if source is None else collect.attempt("source.channels", lambda: columns_of(config, source.info))
    if source is not None and not source.live:
        collect.problems += [
            f"outputs: {output.scheme}: works in real time only, and {config.source.address} is faster than that. "
            "Take a live source; a simulated user is one with the option live=1."
            for output in outputs
            if output.real_time
        ]
    window = None if paradigm is None else window_of(config, paradigm)
    if source is not None and columns is not None and pipeline is not None:
        info = source.info.pick(columns)
        filtered = collect.attempt("pipeline", lambda: pipeline.configure(info))
        if filtered is not None and paradigm is not None:
            collect.attempt("paradigm", lambda: paradigm.configure(filtered, seed=config.session.seed))
            stimulus = collect.attempt("stimulus", lambda: stimulus_result(config, paradigm))
            model = collect.attempt("decoder", lambda: _decoder(config, paradigm, filtered))
            error_model = collect.attempt("decoder", lambda: find_error_model(config, info, sfreq=filtered.sfreq))
            collect.attempt("decoder", lambda: attach_errors(paradigm, config, error_model))
    if paradigm is not None:
        collect.attempt("calibration", lambda: _check_calibration(config, paradigm))
    if collect.problems:
        for part in (*outputs, source):
            if part is not None:
                part.close()
        raise ConfigError(config.session.name, collect.problems)
    assert source is not None
    assert columns is not None
    assert pipeline is not None
    assert paradigm is not None
    assert gate is not None
    assert window is not None
    return Assembly(
        config, source, columns, pipeline, paradigm, gate, window, model, stimulus or "", error_model, outputs
    )


def stimulus_result(config: SessionConfig, paradigm: Paradigm) -> str:
    """Return what the analyser says of the stimuli: "", "PASS" or "RESTRICTED"; a refused design is a problem."""
    report = check_stimuli(paradigm, config.screen)
    if report is None:
        return ""
    if report.result == "REFUSED":
        raise SafetyError(f"the design is REFUSED: {refusal(report)}")
    return report.result


def check_folder(folder: str) -> None:
    """Refuse a folder that cannot be written, before anything is recorded.

    Raises
    ------
    ConfigError
        If it, or the nearest folder above it that exists, is not writable.
    """
    path = Path(folder).absolute()
    while not path.exists():
        path = path.parent
    if not path.is_dir():
        raise BciError(f"{path} is a file; a session needs a folder.")
    if not os.access(path, os.W_OK | os.X_OK):
        raise BciError(f"{path} is not writable. Choose another folder (--out) or ask for the right.")


def paradigm_of(config: SessionConfig) -> Paradigm:
    """Return the paradigm of a session, its settings replaced by those of the session file."""
    settings = config.paradigm.settings
    if not settings:
        return make_paradigm(config.paradigm.name)
    name = config.paradigm.name
    table = read_paradigm(name)
    return make_paradigm(_merge(table, settings), name=Path(name.removeprefix("paradigm:")).stem)


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return settings with some replaced; a table that lists what exists (events, actions) is replaced whole."""
    return {**base, **changes}


def columns_of(config: SessionConfig, info: StreamInfo) -> list[int]:
    """Return the channels a session uses: those it names, else all EEG channels."""
    if config.source.channels:
        return info.index_of(config.source.channels, who="source.channels")
    columns = info.indices(ch_type="eeg")
    if not columns:
        raise BciError(
            f"{info.name!r} has no EEG channel; it has {', '.join(info.ch_names) or 'none'}. "
            "Name the channels to use in source.channels."
        )
    return columns


def window_of(config: SessionConfig, paradigm: Paradigm) -> Window:
    """Return the window after the cue: the paradigm's where it has one."""
    wanted = paradigm.calibration
    if wanted is not None:
        return Window(wanted.tmin, wanted.tmax)
    return Window(config.decoder.tmin, config.decoder.tmax)


def _decoder(config: SessionConfig, paradigm: Paradigm, info: StreamInfo) -> Model | None:
    """Return the model of the session, attached; None where it is trained or the paradigm brings what decides."""
    section = config.decoder
    model = starting_model(config, paradigm, info)
    if model is not None:
        # Whether it can follow is found out before anything starts.
        following(model, section)
    elif paradigm.decider() is not None:
        if section.follows or section.start != "calibrate":
            raise BciError(
                f"{paradigm.name} brings what decides; start, recentre and adapt are for a trained model (for an "
                'SSVEP menu: paradigm settings decoder = "" and calibration_rounds).'
            )
    elif not section.model:
        check_choice("name", section.name, tuple(DECODERS))
    return model


def _check_calibration(config: SessionConfig, paradigm: Paradigm) -> None:
    section = config.calibration
    missing = [name for name in section.files if not Path(name).exists()]
    if missing:
        raise BciError(f"files: {', '.join(missing)}: there is no such file.")
    if section.files and not section.events:
        raise BciError("events: is missing; say which event of the recordings starts which class.")
    unknown = sorted(set(section.events.values()) - set(paradigm.classes))
    if unknown:
        raise BciError(
            f"events: {', '.join(unknown)} is no class of the paradigm; it has {', '.join(paradigm.classes)}."
        )


def describe(assembly: Assembly) -> Sequence[tuple[str, str]]:
    """Return what was found, for people, before a session starts."""
    info = assembly.info
    return (
        ("source", f"{info.name}: {info.n_channels} channels, {info.sfreq:g} Hz"),
        ("channels", ", ".join(info.ch_names[:12]) + (" ..." if info.n_channels > 12 else "")),
        ("paradigm", f"{assembly.paradigm.name}: {', '.join(assembly.paradigm.classes)}"),
        ("decoder", assembly.config.decoder.model or assembly.config.decoder.name),
        ("gate", assembly.gate.profile),
        ("outputs", ", ".join(section.address for section in assembly.config.outputs) or "none"),
        *(
            ("network", f"{section.address}: {output.reach}")
            for section, output in zip(assembly.config.outputs, assembly.outputs, strict=True)
            if output.reach
        ),
    )
