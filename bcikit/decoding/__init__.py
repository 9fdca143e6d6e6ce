"""sklearn estimators per paradigm, calibration, evidence, adaptation, evaluation, model files."""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.decoding.adaptation import AdaptiveModel
    from bcikit.decoding.auto import AutoDecoder
    from bcikit.decoding.braking import BrakingDetector
    from bcikit.decoding.chance import accuracy_interval, chance_interval, chance_level
    from bcikit.decoding.codes import CodeTemplate
    from bcikit.decoding.cvep import ReconvolutionCca
    from bcikit.decoding.encoder import EncoderDecoder
    from bcikit.decoding.erp import ErpLda, ErpStack, ErpTangent
    from bcikit.decoding.estimator import Decoder
    from bcikit.decoding.evaluation.pictures import (
        plot_critical_difference,
        plot_erd,
        plot_erp,
        plot_slopes,
        plot_snr,
    )
    from bcikit.decoding.evidence import Accumulator, Evidence, Stopping
    from bcikit.decoding.external import ModuleDecoder, OnnxDecoder
    from bcikit.decoding.fbcsp import FbCsp
    from bcikit.decoding.hybrid import Hybrid
    from bcikit.decoding.model import Model
    from bcikit.decoding.online import OnlineDecoder
    from bcikit.decoding.registry import DECODERS, PARADIGMS, decoder_names, make_decoder
    from bcikit.decoding.riemann import Acm, CspLda, FgMdm, Mdm, TangentSpace
    from bcikit.decoding.scores import Scores, cross_validate, make_folds
    from bcikit.decoding.sheet import ModelSheet
    from bcikit.decoding.spiking import SpikingDecoder
    from bcikit.decoding.ssvep.cca import ExtendedCca, Fbcca, FbccaLda, MsEcca
    from bcikit.decoding.ssvep.choice import SsvepAuto
    from bcikit.decoding.ssvep.tangent import FbTangent, SsvepStack
    from bcikit.decoding.ssvep.trca import Etrca, Tdca
    from bcikit.decoding.trials import Epochs, epochs, join

_WHERE = {
    "plot_critical_difference": "evaluation.pictures",
    "plot_erd": "evaluation.pictures",
    "plot_erp": "evaluation.pictures",
    "plot_slopes": "evaluation.pictures",
    "plot_snr": "evaluation.pictures",
    "EncoderDecoder": "encoder",
    "AutoDecoder": "auto",
    "Accumulator": "evidence",
    "Acm": "riemann",
    "AdaptiveModel": "adaptation",
    "BrakingDetector": "braking",
    "CodeTemplate": "codes",
    "CspLda": "riemann",
    "DECODERS": "registry",
    "Decoder": "estimator",
    "Epochs": "trials",
    "ErpLda": "erp",
    "ErpStack": "erp",
    "ErpTangent": "erp",
    "Etrca": "ssvep.trca",
    "Evidence": "evidence",
    "ExtendedCca": "ssvep.cca",
    "FbCsp": "fbcsp",
    "Hybrid": "hybrid",
    "FbTangent": "ssvep.tangent",
    "Fbcca": "ssvep.cca",
    "FbccaLda": "ssvep.cca",
    "FgMdm": "riemann",
    "Mdm": "riemann",
    "Model": "model",
    "ModelSheet": "sheet",
    "ModuleDecoder": "external",
    "MsEcca": "ssvep.cca",
    "OnlineDecoder": "online",
    "OnnxDecoder": "external",
    "PARADIGMS": "registry",
    "ReconvolutionCca": "cvep",
    "Scores": "scores",
    "SpikingDecoder": "spiking",
    "SsvepAuto": "ssvep.choice",
    "SsvepStack": "ssvep.tangent",
    "Stopping": "evidence",
    "TangentSpace": "riemann",
    "Tdca": "ssvep.trca",
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
    "Accumulator",
    "Acm",
    "AdaptiveModel",
    "AutoDecoder",
    "BrakingDetector",
    "CodeTemplate",
    "CspLda",
    "Decoder",
    "EncoderDecoder",
    "Epochs",
    "ErpLda",
    "ErpStack",
    "ErpTangent",
    "Etrca",
    "Evidence",
    "ExtendedCca",
    "FbCsp",
    "FbTangent",
    "Fbcca",
    "FbccaLda",
    "FgMdm",
    "Hybrid",
    "Mdm",
    "Model",
    "ModelSheet",
    "ModuleDecoder",
    "MsEcca",
    "OnlineDecoder",
    "OnnxDecoder",
    "ReconvolutionCca",
    "Scores",
    "SpikingDecoder",
    "SsvepAuto",
    "SsvepStack",
    "Stopping",
    "TangentSpace",
    "Tdca",
    "accuracy_interval",
    "chance_interval",
    "chance_level",
    "cross_validate",
    "decoder_names",
    "epochs",
    "join",
    "make_decoder",
    "make_folds",
    "plot_critical_difference",
    "plot_erd",
    "plot_erp",
    "plot_slopes",
    "plot_snr",
]

__getattr__, __dir__ = face(__name__, _WHERE)
