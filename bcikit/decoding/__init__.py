"""sklearn estimators per paradigm, calibration, evidence, adaptation, evaluation, model files."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bcikit.decoding.chance import accuracy_interval, chance_interval, chance_level
    from bcikit.decoding.estimator import Decoder
    from bcikit.decoding.model import Model
    from bcikit.decoding.registry import DECODERS, PARADIGMS, decoder_names, make_decoder
    from bcikit.decoding.scores import Scores, cross_validate, make_folds
    from bcikit.decoding.sheet import ModelSheet
    from bcikit.decoding.trials import Epochs, epochs, join

_WHERE = {
    "DECODERS": "registry",
    "PARADIGMS": "registry",
    "Decoder": "estimator",
    "Epochs": "trials",
    "Model": "model",
    "ModelSheet": "sheet",
    "Scores": "scores",
    "accuracy_interval": "chance",
    "chance_interval": "chance",
    "chance_level": "chance",
    "cross_validate": "scores",
    "decoder_names": "registry",
    "epochs": "trials",
    "join": "trials",
    "make_decoder": "registry",
    "make_folds": "scores",
}

__all__ = [
    "DECODERS",
    "PARADIGMS",
    "Decoder",
    "Epochs",
    "Model",
    "ModelSheet",
    "Scores",
    "accuracy_interval",
    "chance_interval",
    "chance_level",
    "cross_validate",
    "decoder_names",
    "epochs",
    "join",
    "make_decoder",
    "make_folds",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used (PEP 562): scikit-learn takes a second."""
    if name not in _WHERE:
        raise AttributeError(f"module 'bcikit.decoding' has no attribute {name!r}")
    return getattr(import_module(f"bcikit.decoding.{_WHERE[name]}"), name)
