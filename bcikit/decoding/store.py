"""Model files: a zip of a readable sheet and a skops file, which can hold no code."""

import hashlib
import io
import json
import zipfile
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from bcikit import plugins
from bcikit.decoding.sheet import ModelSheet
from bcikit.signal import ModelError
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import DAMAGED_ARCHIVE, json_of

SHEET = "sheet.json"
CONTENT = "model.skops"
SUFFIXES = (".bcimodel", ".skops")
"""How model files are usually called."""

_OWN = "bcikit.decoding."
_SIZE_LIMIT = 1 << 30
_SHEET_LIMIT = 1 << 24
"""Bytes of a sheet: that of a model of ten thousand people has less than one of these sixteen megabytes."""


def write_model(path: str | Path, sheet: ModelSheet, content: dict[str, Any]) -> Path:
    """Write a model file; an existing one is replaced only once the new one is complete.

    Raises
    ------
    ModelError
        If the folder cannot be written, or the content cannot be stored without pickle.
    """
    import skops.io

    try:
        data = skops.io.dumps(content)
    except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
        raise ModelError(f"The model cannot be stored without pickle: {error}.") from error
    return _write(Path(path), sheet, data)


def _write(target: Path, sheet: ModelSheet, data: bytes) -> Path:
    values = {**sheet.to_dict(), "sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps({**values, "sheet_sha256": _fingerprint(values)}, indent=1)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr(SHEET, text)
        archive.writestr(CONTENT, data)
    try:
        write_whole(target, whole.getvalue())
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}.") from error
    return target


def withdraw_people(path: Path, codes: Collection[str]) -> None:
    """Take persons out of the sheet of a model of many people, which nobody can use afterwards.

    Raises
    ------
    ModelError
        If it is no model file, or cannot be written.
    """
    sheet, data = _read(path)
    left = tuple(code for code in sheet.people if code not in codes)
    _write(path, sheet.replace(people=left, withdrawn=sheet.withdrawn + len(sheet.people) - len(left)), data)


def read_sheet(path: str | Path) -> ModelSheet:
    """Return the sheet of a model file without loading the model.

    Raises
    ------
    ModelError
        If there is no such file or it is no model file.
    """
    return _read(Path(path))[0]


def read_model(path: str | Path, *, trusted: Sequence[str] = ()) -> tuple[ModelSheet, dict[str, Any]]:
    """Return sheet and content of a model file.

    Parameters
    ----------
    path : str or Path
        The file.
    trusted : sequence of str
        Full names of further types that may be loaded: your own estimators. Nothing of a file is executed or
        imported before its types have been compared with what is trusted.

    Raises
    ------
    ModelError
        If the file is missing, damaged, of another version, or holds a type that is not trusted.
    """
    import skops.io

    sheet, data = _read(Path(path))
    if sheet.withdrawn:
        raise ModelError(
            f"{path} learned from {sheet.withdrawn} {'person' if sheet.withdrawn == 1 else 'people'} whose consent was "
            "withdrawn since. It is used no more: train it anew without them."
        )
    try:
        unknown = skops.io.get_untrusted_types(data=data)
    except Exception as error:
        raise ModelError(f"{path} is damaged: {error}.") from error
    known = [name for name in unknown if _own_type(name) or _of_plugin(name, sheet.decoder)]
    refused = [name for name in unknown if name not in trusted and name not in known]
    if refused:
        raise ModelError(
            f"{path} holds types that are not trusted: {', '.join(refused)}. Load it only if you know who made it, "
            "with trusted=[...] naming them."
        )
    try:
        content = skops.io.loads(data, trusted=unknown)
    except Exception as error:
        raise ModelError(f"{path} cannot be loaded ({error}); it was made with {dict(sheet.versions)}.") from error
    return sheet, content


def _read(path: Path) -> tuple[ModelSheet, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive, path)
            if archive.getinfo(SHEET).file_size > _SHEET_LIMIT:
                raise ModelError(f"{path} has a sheet of more than 16 MiB; that is no model.")
            values = json_of(archive.read(SHEET))
            data = archive.read(CONTENT)
    except FileNotFoundError:
        raise ModelError(f"There is no model file {path}.") from None
    except DAMAGED_ARCHIVE as error:
        raise ModelError(f"{path} is no model file or is damaged: {error}.") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} is no model file or is damaged: its sheet is no object.")
    # A sheet of an earlier version has no checksum of its own.
    stated = values.pop("sheet_sha256", None)
    whole = stated is None or stated == _fingerprint(values)
    if values.pop("sha256", None) != hashlib.sha256(data).hexdigest():
        raise ModelError(f"{path} is damaged: its content does not match its checksum.")
    try:
        # What is in the file is an archive itself: a small one may hold gigabytes of zeros.
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            _check_size(inner, path)
    except DAMAGED_ARCHIVE as error:
        raise ModelError(f"{path} holds no model: {error}.") from error
    sheet = ModelSheet.from_dict(values)
    if not whole:
        raise ModelError(f"{path} is damaged: its sheet does not match its checksum.")
    return sheet, data


def _fingerprint(values: dict[str, Any]) -> str:
    """Return the checksum of what a sheet says, however it is laid out."""
    text = json.dumps(json.loads(json.dumps(values)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _check_size(archive: zipfile.ZipFile, path: Path) -> None:
    if sum(item.file_size for item in archive.infolist()) > _SIZE_LIMIT:
        raise ModelError(f"{path} unpacks to more than 1 GiB; that is no model.")


def _own_type(name: str) -> bool:
    """Tell whether a name is an estimator of bcikit's own: a class, defined in this room, with nothing run on load."""
    if not name.startswith(_OWN):
        return False
    from sklearn.base import BaseEstimator

    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    return isinstance(found, type) and issubclass(found, BaseEstimator) and found.__module__ == module


def _of_plugin(name: str, decoder: str) -> bool:
    """Tell whether a type belongs to the package that is installed here as the plug-in of this decoder."""
    if decoder not in plugins.names("decoders"):
        return False
    plugin = plugins.find("decoders", decoder)
    return not plugin.shipped and name.partition(".")[0] == plugin.where.partition(":")[0].partition(".")[0]
