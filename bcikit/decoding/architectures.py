"""Architectures of braindecode as networks in ONNX: torch makes them, where it is installed, and is then not needed."""

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.decoding.external import OnnxNetwork
from bcikit.signal import Address, ArgumentError, DataError, MissingDependencyError, ModelError, check_choice

OPTIONS = ("weights", "seed")
_HOW = (
    "pip install torch torchaudio --index-url https://download.pytorch.org/whl/cpu, then pip install braindecode onnx "
    "onnxscript onnxruntime. They are needed where the model is trained, not where it decides; or export the network "
    "to ONNX elsewhere, for encoder = 'onnx:FILE'"
)


def check_architecture(address: Address) -> None:
    """Refuse an address ``braindecode:NAME?weights=FILE&seed=N`` that cannot be made here, before anything is recorded.

    Raises
    ------
    ArgumentError
        If there is no such architecture, an option is unknown, `seed` is no number, or both options are given.
    ModelError
        If there is no file of weights.
    MissingDependencyError
        If torch, braindecode or what exports is not installed.
    """
    address.check_options(OPTIONS)
    _seed(address)
    weights = address.options.get("weights", "")
    if weights and not Path(weights).is_file():
        raise ModelError(f"{weights} (weights of {address.body}) is no file.")
    for package in ("torch", "braindecode", "onnx", "onnxscript", "onnxruntime"):
        if find_spec(package) is None:
            raise MissingDependencyError(package, "", f"encoder {str(address)!r}", how=_HOW)
    with _quiet():
        check_choice("NAME of encoder braindecode:NAME", address.body, _architectures(_models()))


def note_on(address: Address) -> str:
    """Return what must be known of an encoder beside its scores: that nobody trained it; empty where that is not so."""
    if address.scheme != "braindecode" or address.options.get("weights"):
        return ""
    return (
        f"{address.body} has random weights (seed {_seed(address)}): its filters were drawn, not learned, and only the "
        "head is trained; a baseline that a network with learned weights must beat"
    )


def make_network(
    address: Address, *, n_channels: int, n_times: int, sfreq: float, n_outputs: int, ch_names: tuple[str, ...] = ()
) -> tuple[OnnxNetwork, str]:
    """Return an architecture of braindecode in ONNX for such windows, and in words what it is and which output it has.

    In evaluation mode, without its ``final_layer`` where it has one, the batch axis free; what onnxruntime gives is
    compared with what torch gives.

    Parameters
    ----------
    address : Address
        ``braindecode:NAME``, NAME a class of ``braindecode.models``. Options: ``weights``, a file of safetensors or a
        state dict of torch, which is read as tensors only; ``seed`` of the random weights without it, 0 if left out.
    n_channels, n_times : int
        Shape of a window.
    sfreq : float
        Sampling rate in Hz.
    n_outputs : int
        Classes.
    ch_names : tuple of str
        Channels, for architectures that go by their names (Labram).

    Raises
    ------
    ArgumentError
        If there is no such architecture.
    DataError
        If it cannot be made for such windows, or exported.
    ModelError
        If the weights do not fit it.
    MissingDependencyError
        If torch or braindecode cannot be imported.
    """
    check_architecture(address)
    weights = address.options.get("weights", "")
    changed = Path(weights).stat().st_mtime_ns if weights else 0
    content, said = _export(str(address), changed, n_channels, n_times, sfreq, n_outputs, ch_names)
    return OnnxNetwork(content=content, name=str(address)), said


# Folds and splits ask for the same network again and again; an export takes seconds.
@lru_cache(maxsize=2)
def _export(
    text: str, _: int, n_channels: int, n_times: int, sfreq: float, n_outputs: int, ch_names: tuple[str, ...]
) -> tuple[bytes, str]:
    address = Address.parse(text)
    name = address.body
    with _quiet():
        import torch

        shape = f"windows of {n_channels} channels x {n_times} samples at {sfreq:g} Hz"
        sizes = {"n_chans": n_channels, "n_times": n_times, "sfreq": sfreq, "n_outputs": n_outputs}
        with torch.random.fork_rng(devices=[]), _told(f"{name} cannot be made for {shape}"):
            torch.manual_seed(_seed(address))
            network = getattr(_models(), name)(**sizes).eval()
        headless = hasattr(network, "final_layer")
        if headless:
            network.final_layer = torch.nn.Identity()
        weights = address.options.get("weights", "")
        if weights:
            _load(network, name, Path(weights))
        extra = {"ch_names": list(ch_names)} if "ch_names" in inspect.signature(network.forward).parameters else {}

        class Embedding(torch.nn.Module):  # type: ignore[misc, unused-ignore]
            def __init__(self) -> None:
                super().__init__()
                self.network = network

            def forward(self, x: Any) -> Any:
                return self.network(x, **extra)

        module = Embedding().eval()
        windows = torch.from_numpy(
            np.random.default_rng(0).standard_normal((3, n_channels, n_times)).astype(np.float32)
        )
        with _told(f"{name} gives no embedding of {shape}"), torch.inference_mode():
            expected = module(windows).numpy().reshape(3, -1)
        with _told(f"{name} cannot be exported to ONNX"):
            batch = torch.export.Dim("batch")
            program = torch.onnx.export(
                module, (windows[:2],), dynamo=True, dynamic_shapes=({0: batch},), external_data=False, verbose=False
            )
            content = program.model_proto.SerializeToString()
    found = OnnxNetwork(content=content, name=name).run(windows.numpy().astype(np.float64)).reshape(3, -1)
    if not np.allclose(found, expected, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(expected).max()))):
        worst = float(np.abs(found - expected).max())
        raise DataError(f"{name} in ONNX gives other numbers than in torch, by up to {worst:.3g}; take another one.")
    output = "without its final_layer" if headless else "its own output, as it has no final_layer"
    origin = f"weights of {Path(weights).name}" if weights else f"random weights (seed {_seed(address)})"
    return content, f"{name} of braindecode with {origin}, {output}: {expected.shape[1]} features"


def _seed(address: Address) -> int:
    if {"seed", "weights"} <= address.options.keys():
        raise ArgumentError(f"{address}: seed is for random weights; leave out seed or weights.")
    return int(address.number("seed", 0, low=0, high=2**31))


def _models() -> Any:
    try:
        import braindecode.models
    except Exception as error:
        # A library of torchaudio that was built for another torch raises OSError, a half-made module AttributeError.
        why = str(error).partition("\n")[0]
        how = f"it is there, but: {why} (torch and torchaudio must be of one build) {_HOW}"
        raise MissingDependencyError("braindecode", "", "encoder 'braindecode:NAME'", how=how) from error
    return braindecode.models


def _architectures(models: Any) -> tuple[str, ...]:
    from torch.nn import Module

    return tuple(name for name, kind in vars(models).items() if isinstance(kind, type) and issubclass(kind, Module))


def _load(network: Any, name: str, path: Path) -> None:
    """Set the weights of a network by a file; those of its final layer, which is left out, may be of any size.

    Raises
    ------
    ModelError
        Naming the layers that do not fit.
    """
    import torch

    if path.suffix == ".safetensors":
        try:
            from safetensors.torch import load_file
        except ImportError:
            raise MissingDependencyError("safetensors", "", str(path), how="pip install safetensors") from None
        read: Any = load_file
    else:

        def read(file: Path) -> Any:
            return torch.load(file, map_location="cpu", weights_only=True)

    try:
        state = read(path)
    except Exception as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{path} holds no tensors alone (safetensors, or a state dict of torch): {why}") from error
    if not isinstance(state, Mapping) or not all(isinstance(one, torch.Tensor) for one in state.values()):
        raise ModelError(f"{path} is no state dict: it must hold a tensor for each layer.")
    renamed: dict[str, str] = getattr(network, "mapping", None) or {}
    given: dict[str, Any] = {str(renamed.get(key, key)): value for key, value in state.items()}
    wanted = network.state_dict()
    given = {key: value for key, value in given.items() if key in wanted or not key.startswith("final_layer.")}
    wrong = [
        f"{key} is {tuple(given[key].shape)}, not {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in given and given[key].shape != value.shape
    ]
    wrong += [f"{key} is missing" for key in wanted if key not in given]
    wrong += [f"{key} is none of its layers" for key in given if key not in wanted]
    if wrong:
        more = f"; {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ModelError(f"{path} does not fit {name} for these windows: {'; '.join(wrong[:5])}{more}.")
    network.load_state_dict(given)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch and braindecode warn of: it concerns who writes networks."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say in words what a network refuses."""
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise DataError(f"{what}: {lines[0] if lines else type(error).__name__}") from error
