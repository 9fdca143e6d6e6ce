"""What single tables of a configuration come to: the paradigm, the channels, the window, the folder, the stimuli."""

import datetime
import os
from collections.abc import Mapping
from pathlib import Path

from bcikit.outputs import output_class
from bcikit.paradigms import Paradigm, make_paradigm, read_paradigm
from bcikit.paradigms.registry import whole_table, with_settings
from bcikit.session.config import ScreenSection, SessionConfig
from bcikit.session.stimulus import check_stimuli, refusal
from bcikit.session.training import CueWindow
from bcikit.signal import Address, ArgumentError, BciError, SafetyError, StreamInfo


def stimulus_result(config: SessionConfig, paradigm: Paradigm) -> str:
    """Return what the analyser says of the stimuli: "", "PASS" or "RESTRICTED"; a refused design is a problem."""
    report = check_stimuli(paradigm, config.screen)
    if report is None:
        return ""
    if report.result == "REFUSED":
        raise SafetyError(f"the design is REFUSED: {refusal(report)}")
    return report.result


def check_folder(folder: str, *, new: bool = False) -> Path:
    """Return the nearest folder that exists; refuse what cannot be written, before anything is recorded.

    Parameters
    ----------
    new : bool
        Refuse one that holds anything, too: a session is never written over another.

    Raises
    ------
    BciError
        If it, or the nearest folder above it that exists, is not writable.
    """
    path = wanted = Path(folder).absolute()
    try:
        if "\0" in folder:
            raise OSError("a name cannot hold NUL")
        while not _is_there(path):
            path = path.parent
    except OSError as error:
        raise BciError(f"{folder[:60]!r} cannot be a folder: {error.strerror or error}.") from None
    if not path.is_dir():
        raise BciError(f"{path} is a file; a session needs a folder.")
    if not os.access(path, os.W_OK | os.X_OK):
        raise BciError(f"{path} is not writable. Choose another folder (--out) or ask for the right.")
    if new and path == wanted and any(path.iterdir()):
        raise BciError(f"{path} is not empty; a session is never written over another. Name a new folder.")
    return path


def recording_folder(config: SessionConfig) -> Path:
    """Return the folder a session records into: its own, else a new one of this second."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return Path(config.recording.folder or Path("sessions") / f"{config.session.subject}-{stamp}")


def _is_there(path: Path) -> bool:
    """Return whether something is there; a name that no disk takes is an error, which `Path.exists` keeps to itself."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


FOR_SCREENS = {"display_delay": 0.16, "instructions": 10.0}
"""Settings of a paradigm in front of a real screen: windows wait for what is shown 0.1 s after its plan, with room for
frames that come late; instructions come first. What a session or a paradigm's own file says replaces them."""


def shows(config: SessionConfig) -> bool:
    """Return whether a person looks at one of the outputs of a session."""
    try:
        addresses = [Address.parse(section.address) for section in config.outputs]
        return any(output_class(address.scheme).can_show(address) for address in addresses)
    except BciError:
        # Said where the outputs are opened.
        return False


def seen_at(address: str, screen: ScreenSection) -> Address:
    """Return the address of an output, with how the person sees the picture where it lays that out by itself.

    Raises
    ------
    ArgumentError
        If the address says it otherwise: what flickers is judged by the table "screen".
    """
    parsed = Address.parse(address)
    known = output_class(parsed.scheme).options
    for key in filter(known.__contains__, ("height_cm", "distance_cm")):
        wanted = getattr(screen, key)
        try:
            said = float(parsed.options.get(key, wanted))
        except ValueError:
            # No number: refused where the output is opened, as everywhere.
            continue
        if said != wanted:
            raise ArgumentError(f"{key} is {wanted:g} in the table [screen]; leave it out of {address!r}.")
        parsed = parsed.with_option(key, str(wanted))
    return parsed


def paradigm_of(config: SessionConfig, *, recorded: bool = False) -> Paradigm:
    """Return the paradigm of a session, its settings replaced by those of the session file.

    Parameters
    ----------
    recorded : bool
        Whether it is of a recording. One that only names a paradigm's file ran with what screens need in place of what
        that file says of it.
    """
    screens = FOR_SCREENS if shows(config) else {}
    name, settings = config.paradigm.name, config.paradigm.settings
    if "kind" in settings:
        return make_paradigm({**screens, **settings}, name=Path(name).stem if name.endswith(".toml") else name)
    if not screens and not settings:
        return make_paradigm(name)
    stem = Path(name.removeprefix("paradigm:")).stem
    if recorded:
        return make_paradigm({**read_paradigm(name), **screens, **settings}, name=stem)
    return make_paradigm(with_settings({**screens, **whole_table(name)}, settings), name=stem)


def as_recorded_with(config: SessionConfig, paradigm: Paradigm) -> SessionConfig:
    """Return the configuration with every setting of a paradigm's own file, which may be another one tomorrow.

    And with the whole of each table of settings of which the session says a part.

    Parameters
    ----------
    paradigm : Paradigm
        What `paradigm_of` made of it.
    """
    section = config.paradigm
    if "kind" in section.settings:
        return config
    whole = paradigm.settings.model_dump(mode="json")
    if not section.name.endswith(".toml"):
        parts = {key: whole.get(key, value) for key, value in section.settings.items() if isinstance(value, Mapping)}
        return config.model_copy(
            update={"paradigm": section.model_copy(update={"settings": {**section.settings, **parts}})}
        )
    # The name under which the class is registered, which a stranger's class need not know.
    kind = whole_table(section.name)["kind"]
    settings = {"kind": kind, **whole}
    return config.model_copy(update={"paradigm": section.model_copy(update={"settings": settings})})


def columns_of(config: SessionConfig, info: StreamInfo) -> list[int]:
    """Return the channels a session uses: those it names, else all of the types it names, EEG alone if none."""
    if config.source.channels:
        return info.index_of(config.source.channels, who="source.channels")
    columns = [index for index, kind in enumerate(info.ch_types) if kind in config.source.types]
    for kind in config.source.types:
        if kind in info.ch_types:
            continue
        raise BciError(
            f"{info.name!r} has no {kind.upper()} channel; it has {', '.join(info.ch_names) or 'none'}. "
            "Name the channels to use in source.channels."
        )
    return columns


def window_of(config: SessionConfig, paradigm: Paradigm) -> CueWindow:
    """Return the window after the cue: the paradigm's where it has one."""
    wanted = paradigm.calibration
    if wanted is not None:
        return CueWindow(wanted.tmin, wanted.tmax)
    return CueWindow(config.decoder.tmin, config.decoder.tmax)


def check_window(config: SessionConfig, paradigm: Paradigm) -> None:
    """Refuse a window of the table "decoder" that the paradigm's own would silently stand in for.

    Raises
    ------
    BciError
        With the window that the paradigm has.
    """
    section, wanted = config.decoder, paradigm.calibration
    if wanted is None:
        return
    own = {"tmin": wanted.tmin, "tmax": wanted.tmax}
    other = [
        f"{key} = {getattr(section, key):g}"
        for key in own
        if key in section.model_fields_set and abs(getattr(section, key) - own[key]) > 1e-9
    ]
    if other:
        raise BciError(
            f"{', '.join(other)}: {paradigm.name} decides on {wanted.tmin:g} to {wanted.tmax:g} s after its events. "
            "Leave tmin and tmax out, and say the window in paradigm.settings."
        )
