"""The session file: one TOML that says everything, checked before anything starts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bcikit.paradigms.registry import whole_table
from bcikit.session.anchoring import anchored
from bcikit.session.decoder_settings import DecoderSection
from bcikit.session.table_problems import part_problems
from bcikit.signal import BciError, ConfigError
from bcikit.signal.documents import read_toml
from bcikit.signal.settings import check_settings

SUBJECT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"
ANONYMOUS = "anonymous"
"""Code of whoever a session file does not name: everybody's, so it tells no two people apart."""


class ConfigTable(BaseModel):
    """A table of the session file: unknown keys are refused, values cannot change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SessionSection(ConfigTable):
    """Who and what.

    Attributes
    ----------
    name : str
        What the session is called, for people.
    subject : str
        Pseudonymous code of the person; never a name.
    seed : int
        Seed of everything random: the order of trials, pauses, the simulated user.
    operator : str
        Pseudonymous code or role of who runs it.
    notes : str
        Anything to keep with the session.
    """

    name: str = "session"
    subject: Annotated[str, Field(pattern=SUBJECT_PATTERN)] = ANONYMOUS
    seed: Annotated[int, Field(ge=0)] = 0
    operator: str = "operator"
    notes: str = ""


class SourceSection(ConfigTable):
    """Where the signal comes from.

    Attributes
    ----------
    address : str
        Address of the source, as `bcikit.open_source` takes it.
    channels : list of str
        Channels to use, by name; all channels of `types` if left out.
    types : list of str
        Types of the channels to use where none are named, such as "eeg" and "emg".
    """

    address: str
    channels: list[str] = Field(default_factory=list)
    types: Annotated[list[Literal["eeg", "emg", "eog"]], Field(min_length=1)] = ["eeg"]


class PipelineSection(ConfigTable):
    """What is done to the signal before it is decoded.

    Attributes
    ----------
    steps : list of table
        Each with ``step`` and the parameters of that step, in order.
    """

    steps: list[dict[str, Any]] = Field(
        default_factory=lambda: [{"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4}]
    )


class ParadigmSection(ConfigTable):
    """What the person does.

    Attributes
    ----------
    name : str
        A shipped paradigm (``bcikit run paradigm:list``) or the path of a paradigm's TOML file.
    settings : table
        Settings that replace those of the paradigm.
    """

    name: str = "motor-imagery"
    settings: dict[str, Any] = Field(default_factory=dict)


class CalibrationSection(ConfigTable):
    """What the decoder learns from.

    Attributes
    ----------
    files : list of str
        Recordings of earlier runs; each is one run. Without them the session begins with a calibration block.
    events : table
        Name of an event in the recordings, and the class it starts.
    """

    files: list[str] = Field(default_factory=list)
    events: dict[str, str] = Field(default_factory=dict)


class ArmingSection(ConfigTable):
    """What must be there before anything may act on a person, beside the operator at the keys.

    Attributes
    ----------
    consent : str
        Path of the participant's consent (JSON, as the clinic window saves it).
    screening : str
        Path of the answers of the screening (JSON, saved with it).
    idle_test : float or None
        Seconds of rest before the first run in which false activations are counted. None takes as long as the gate's
        profile asks for, which for pictures is none.
    stop_box : str
        Address of the emergency stop of hardware ("serial:/dev/ttyACM0", "gpio:17"). Pressed, silent or unreadable, it
        stops everything; without it the session does not begin.
    """

    consent: str = ""
    screening: str = ""
    idle_test: Annotated[float, Field(ge=0, le=7200)] | None = None
    stop_box: str = ""


class OutputSection(ConfigTable):
    """What moves or is told: an address as `bcikit.paradigms.open_output` takes it."""

    address: str


class ScreenSection(ConfigTable):
    """The screen before the person, for the check of what flickers on it.

    Attributes
    ----------
    width_cm, height_cm, distance_cm : float
        Size of the picture, and its distance from the eyes.
    refresh_hz : float
        Pictures a second.
    peak_cd_m2 : float
        Luminance of white.
    blank : bool
        The control that every study of a simulated user needs: it sits in front of a screen that shows nothing.
    """

    width_cm: Annotated[float, Field(gt=0, le=1000)] = 53.0
    height_cm: Annotated[float, Field(gt=0, le=1000)] = 30.0
    distance_cm: Annotated[float, Field(gt=0, le=2000)] = 70.0
    refresh_hz: Annotated[float, Field(ge=20, le=1000)] = 60.0
    peak_cd_m2: Annotated[float, Field(gt=0, le=10000)] = 100.0
    blank: bool = False


class RecordingSection(ConfigTable):
    """Where the session is kept.

    Attributes
    ----------
    enabled : bool
        False only for trying things out: nothing is kept.
    folder : str
        Session folder; made if it is not there, refused if it holds a session.
    """

    enabled: bool = True
    folder: str = ""


class SessionConfig(ConfigTable):
    """A whole session.

    Attributes
    ----------
    session, source, pipeline, paradigm, decoder, calibration, arming, outputs, screen, recording : sections
        The tables of the file.
    gate : table
        Settings of the safety gate; checked against its hard limits by the safety room.
    """

    session: SessionSection = Field(default_factory=SessionSection)
    source: SourceSection
    pipeline: PipelineSection = Field(default_factory=PipelineSection)
    paradigm: ParadigmSection = Field(default_factory=ParadigmSection)
    decoder: DecoderSection = Field(default_factory=DecoderSection)
    calibration: CalibrationSection = Field(default_factory=CalibrationSection)
    gate: dict[str, Any] = Field(default_factory=dict)
    arming: ArmingSection = Field(default_factory=ArmingSection)
    outputs: list[OutputSection] = Field(default_factory=lambda: [OutputSection(address="hand:")])
    screen: ScreenSection = Field(default_factory=ScreenSection)
    recording: RecordingSection = Field(default_factory=RecordingSection)
    format: Literal[1] = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, ready for JSON or TOML."""
        return self.model_dump(mode="json")


def config_from(values: dict[str, Any], *, where: str = "configuration") -> SessionConfig:
    """Return a checked configuration.

    Parameters
    ----------
    values : dict
        As read from TOML.
    where : str
        Where it came from, for the error.

    Raises
    ------
    ConfigError
        With every problem: the key, the value and what is allowed.
    """
    return check_settings(SessionConfig, values, where=where)


def completed(values: Mapping[str, Any], *, folder: Path | None = None) -> dict[str, Any]:
    """Return the tables of a session with what they leave out as the paradigm proposes it (its table "defaults").

    A decoder without filters and a name of its own would be that of motor imagery, which decides nothing else.

    Parameters
    ----------
    values : mapping
        As read from TOML; what is wrong in it stays as it is, to be told by `config_from`.
    folder : Path, optional
        What the path of a paradigm's file counts from.
    """
    found = dict(values)
    proposed = _proposed(found.get("paradigm", {}), folder)
    decoder, gate = found.get("decoder", {}), found.get("gate", {})
    if "pipeline" in proposed and "pipeline" not in found:
        found["pipeline"] = {"steps": proposed["pipeline"]}
    if "output" in proposed and "outputs" not in found:
        several = proposed["output"] if isinstance(proposed["output"], list) else [proposed["output"]]
        found["outputs"] = [{"address": address} for address in several]
    if "decoder" in proposed and isinstance(decoder, Mapping) and not {"name", "encoder"} & decoder.keys():
        own = {"name": proposed["decoder"], "parameters": proposed.get("decoder_parameters", {})}
        found["decoder"] = {**own, **decoder}
    if isinstance(proposed.get("gate"), Mapping) and isinstance(gate, Mapping):
        # The numbers are for its own profile: another one has limits of its own.
        fits = gate.get("profile") in (None, proposed["gate"].get("profile", "simulation"))
        own = {key: value for key, value in proposed["gate"].items() if fits or key == "idle_label"}
        found["gate"] = {**own, **gate}
    return found


def _proposed(about: object, folder: Path | None) -> Mapping[str, Any]:
    """Return what the paradigm of a table "paradigm" proposes for the rest; empty where that cannot be known."""
    if not isinstance(about, Mapping):
        return {}
    settings = about.get("settings")
    if isinstance(settings, Mapping) and "kind" in settings:
        return {}
    name = about.get("name", ParadigmSection().name)
    if not isinstance(name, str):
        return {}
    if name.endswith(".toml") and folder is not None and not Path(name).is_absolute():
        name = str(folder / name)
    try:
        proposed = whole_table(name).get("defaults", {})
    except BciError:
        return {}
    return proposed if isinstance(proposed, Mapping) else {}


def load_config(path: str | Path) -> SessionConfig:
    """Return the checked configuration of a session file.

    Relative paths in it (recordings, models, paradigm files, the session folder, those in addresses) count from the
    file's folder. What the file leaves out of pipeline, decoder, gate and outputs is as the paradigm proposes.

    Raises
    ------
    ConfigError
        If the file is missing, is no TOML, or has a problem; every problem is listed.
    """
    # Whole, so that what is written down says the same to whoever reads it in another folder.
    folder = Path(path).absolute().parent
    values = completed(read_toml(Path(path)), folder=folder)
    try:
        config = config_from(values, where=str(path))
    except ConfigError as error:
        raise ConfigError(str(path), [*error.problems, *part_problems(values, folder=folder)]) from None
    return anchored(config, folder)
