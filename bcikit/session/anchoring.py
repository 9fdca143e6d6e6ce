"""Relative paths of a session file, and those in its addresses, counted from its folder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bcikit import plugins
from bcikit.acquisition.registry import JOIN_OPTION
from bcikit.paradigms.registry import from_folder
from bcikit.session.decoder_settings import DecoderSection, is_path
from bcikit.signal import Address, BciError

if TYPE_CHECKING:
    from bcikit.session.config import SessionConfig

Anchor = Callable[[str], str]
_SQLITE = "sqlite:///"


def anchored(config: "SessionConfig", folder: Path) -> "SessionConfig":
    """Return the configuration with paths that count from `folder`."""

    def anchor(text: str) -> str:
        return str(folder / text) if text and not Path(text).is_absolute() else text

    paradigm, arming = config.paradigm, config.arming
    tables: dict[str, Any] = {
        "source": config.source.model_copy(update={"address": _address(config.source.address, "sources", anchor)}),
        "paradigm": paradigm.model_copy(
            update={
                "name": anchor(paradigm.name) if paradigm.name.endswith(".toml") else paradigm.name,
                "settings": from_folder(paradigm.settings, folder),
            }
        ),
        "decoder": _decoder(config.decoder, anchor),
        "calibration": config.calibration.model_copy(
            update={"files": [anchor(name) for name in config.calibration.files]}
        ),
        "arming": arming.model_copy(update={"consent": anchor(arming.consent), "screening": anchor(arming.screening)}),
        "outputs": [
            section.model_copy(update={"address": _address(section.address, "outputs", anchor)})
            for section in config.outputs
        ],
        "recording": config.recording.model_copy(update={"folder": anchor(config.recording.folder)}),
    }
    return config.model_copy(update=tables)


def _address(text: str, kind: str, anchor: Anchor) -> str:
    """Return an address with its paths counted from the folder; what opens it says which they are."""
    try:
        said = Address.parse(text)
        opens = plugins.load(kind, said.scheme)
    except BciError:
        # Told where it is opened.
        return text
    paths, addresses = (getattr(opens, name, ()) for name in ("paths", "addresses"))
    found = said
    if kind == "sources":
        addresses = (*addresses, JOIN_OPTION)
        found = replace(said, body=anchor(said.body)) if "body" in paths else said
    for key, value in said.options.items():
        if key in addresses:
            found = found.with_option(key, _address(value, kind, anchor))
        elif key in paths:
            found = found.with_option(key, anchor(value))
    return text if found == said else str(found)


def _decoder(section: DecoderSection, anchor: Anchor) -> DecoderSection:
    changes = {
        "model": anchor(section.model),
        "models": _models(section.models, anchor),
        "encoder": _encoder(section.encoder, anchor),
        "error_model": anchor(section.error_model),
    }
    parameters = dict(section.parameters)
    for key, counted in (("path", anchor), ("encoder", lambda text: _encoder(text, anchor))):
        if isinstance(parameters.get(key), str):
            parameters[key] = counted(parameters[key])
    return section.model_copy(update={**changes, "parameters": parameters})


def _models(text: str, anchor: Anchor) -> str:
    """Return the place of models, a path or the address of a database; one of SQLite is a file."""
    if text.startswith(_SQLITE) and ":memory:" not in text:
        path, mark, query = text.removeprefix(_SQLITE).partition("?")
        return f"{_SQLITE}{anchor(path)}{mark}{query}"
    return anchor(text) if is_path(text) else text


def _encoder(encoder: str, anchor: Anchor) -> str:
    """Return the address of an encoder with its file, or that of its weights, counted from the folder."""
    if encoder.startswith("onnx:"):
        return f"onnx:{anchor(encoder.removeprefix('onnx:'))}"
    if "weights=" not in encoder:
        return encoder
    address = Address.parse(encoder)
    return str(address.with_option("weights", anchor(address.options.get("weights", ""))))
