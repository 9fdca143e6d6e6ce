"""Decoders by name, the same in the API, on the command line and in session files."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from bcikit.decoding.estimator import Decoder
from bcikit.signal import ArgumentError, check_choice, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a decoder is, and what it is for.

    Attributes
    ----------
    paradigm : str
        One of `PARADIGMS`.
    where : str
        ``module:class``.
    what : str
        One line for a person.
    defaults : mapping
        Parameters that differ from the class's own.
    """

    paradigm: str
    where: str
    what: str
    defaults: Mapping[str, Any] = field(default_factory=dict)


PARADIGMS = ("motor-imagery", "ssvep", "p300", "errp", "braking", "cvep", "any")

_RIEMANN = "bcikit.decoding.riemann"
_CCA = "bcikit.decoding.ssvep.cca"
_ERP = "bcikit.decoding.erp"
_TRCA = "bcikit.decoding.ssvep.trca"

DECODERS: dict[str, Entry] = {
    "csp-lda": Entry(paradigm="motor-imagery", where=f"{_RIEMANN}:CspLda", what="common spatial patterns and LDA"),
    "tangent-lr": Entry(
        paradigm="motor-imagery", where=f"{_RIEMANN}:TangentSpace", what="tangent space and logistic regression"
    ),
    "tangent-svm": Entry(
        paradigm="motor-imagery",
        where=f"{_RIEMANN}:TangentSpace",
        what="tangent space and linear support vectors",
        defaults={"classifier": "svm"},
    ),
    "mdm": Entry(paradigm="motor-imagery", where=f"{_RIEMANN}:Mdm", what="minimum distance to the class means"),
    "fgmdm": Entry(paradigm="motor-imagery", where=f"{_RIEMANN}:FgMdm", what="minimum distance after geodesic filter"),
    "acm-svm": Entry(
        paradigm="motor-imagery", where=f"{_RIEMANN}:Acm", what="augmented covariance, tangent space, SVM"
    ),
    "cca": Entry(
        paradigm="ssvep",
        where=f"{_CCA}:Fbcca",
        what="canonical correlation, no training",
        defaults={"n_bands": 1, "n_harmonics": 2},
    ),
    "fbcca": Entry(paradigm="ssvep", where=f"{_CCA}:Fbcca", what="filter-bank canonical correlation, no training"),
    "fbcca-lda": Entry(paradigm="ssvep", where=f"{_CCA}:FbccaLda", what="filter-bank correlations and LDA, no-control"),
    "ecca": Entry(paradigm="ssvep", where=f"{_CCA}:ExtendedCca", what="extended CCA with the person's templates"),
    "ms-ecca": Entry(paradigm="ssvep", where=f"{_CCA}:MsEcca", what="multi-stimulus extended CCA"),
    "trca": Entry(
        paradigm="ssvep",
        where=f"{_TRCA}:Etrca",
        what="task-related components, a filter a target",
        defaults={"ensemble": False},
    ),
    "etrca": Entry(paradigm="ssvep", where=f"{_TRCA}:Etrca", what="ensemble task-related components"),
    "etrca-r": Entry(
        paradigm="ssvep",
        where=f"{_TRCA}:Etrca",
        what="ensemble task-related components with sines",
        defaults={"references": True},
    ),
    "tdca": Entry(paradigm="ssvep", where=f"{_TRCA}:Tdca", what="task-discriminant components"),
    "fb-tangent": Entry(
        paradigm="ssvep", where="bcikit.decoding.ssvep.tangent:FbTangent", what="narrow-band covariances, no-control"
    ),
    "ssvep-stack": Entry(
        paradigm="ssvep", where="bcikit.decoding.ssvep.tangent:SsvepStack", what="FBCCA and tangent space, no-control"
    ),
    "ssvep-auto": Entry(
        paradigm="ssvep", where="bcikit.decoding.ssvep.choice:SsvepAuto", what="the best of them for this person"
    ),
    "erp-lda": Entry(paradigm="p300", where=f"{_ERP}:ErpLda", what="amplitudes and shrinkage LDA"),
    "toeplitz-lda": Entry(
        paradigm="p300",
        where=f"{_ERP}:ErpLda",
        what="amplitudes and block-Toeplitz LDA, for short calibrations",
        defaults={"covariance": "toeplitz"},
    ),
    "xdawn-tangent": Entry(paradigm="p300", where=f"{_ERP}:ErpTangent", what="xDAWN covariances and tangent space"),
    "erp-stack": Entry(paradigm="p300", where=f"{_ERP}:ErpStack", what="amplitudes and covariances together"),
    "erp-tangent": Entry(
        paradigm="p300",
        where=f"{_ERP}:ErpTangent",
        what="covariances with mean responses and tangent space",
        defaults={"templates": "erp"},
    ),
    "fbcsp": Entry(
        paradigm="motor-imagery", where="bcikit.decoding.fbcsp:FbCsp", what="filter-bank common spatial patterns"
    ),
    "spiking": Entry(
        paradigm="motor-imagery", where="bcikit.decoding.spiking:SpikingDecoder", what="spiking neurons, for NIR"
    ),
    "errp-lda": Entry(
        paradigm="errp", where=f"{_ERP}:ErpLda", what="error potentials by shrinkage LDA", defaults={"interval": 0.05}
    ),
    "errp-tangent": Entry(
        paradigm="errp",
        where=f"{_ERP}:ErpTangent",
        what="error potentials by xDAWN covariances",
        defaults={"n_filters": 3},
    ),
    "braking": Entry(
        paradigm="braking", where="bcikit.decoding.braking:BrakingDetector", what="readiness to brake, sliding"
    ),
    "rcca": Entry(
        paradigm="cvep", where="bcikit.decoding.cvep:ReconvolutionCca", what="reconvolution CCA (extra cvep)"
    ),
    "onnx": Entry(paradigm="any", where="bcikit.decoding.external:OnnxDecoder", what="a network in an ONNX file"),
    "module": Entry(
        paradigm="any", where="bcikit.decoding.external:ModuleDecoder", what="a torch or braindecode network"
    ),
}


def decoder_names(paradigm: str | None = None) -> tuple[str, ...]:
    """Return the names of the decoders of one paradigm, or of all.

    Raises
    ------
    ArgumentError
        If there is no such paradigm.
    """
    if paradigm is not None:
        check_choice("paradigm", paradigm, PARADIGMS)
    return tuple(name for name, entry in DECODERS.items() if paradigm in (None, entry.paradigm))


def decoder_class(name: str) -> type[Decoder]:
    """Return the class behind a name."""
    check_choice("decoder", name, DECODERS)
    module, _, attribute = DECODERS[name].where.partition(":")
    found: type[Decoder] = getattr(import_module(module), attribute)
    return found


def make_decoder(name: str, *, sfreq: float, **params: Any) -> Decoder:
    """Return an unfitted decoder.

    Parameters
    ----------
    name : str
        One of `decoder_names`.
    sfreq : float
        Sampling rate in Hz of the epochs it will see; used by decoders with filters or reference signals.
    **params
        Parameters of the class (see its page in the documentation).

    Returns
    -------
    Decoder
        A scikit-learn classifier on ``(n_epochs, n_channels, n_times)``.

    Raises
    ------
    ArgumentError
        If the name or a parameter is unknown, or one that must be given is missing.
    """
    check_range("sfreq", sfreq, low=0.0, low_open=True, unit="Hz")
    factory: Callable[..., Decoder] = decoder_class(name)
    accepted = inspect.signature(factory).parameters
    values = {**DECODERS[name].defaults, **params}
    for key in values:
        check_choice(f"parameter of {name}", key, tuple(accepted))
    if "sfreq" in accepted:
        values["sfreq"] = sfreq
    missing = [key for key, value in accepted.items() if value.default is inspect.Parameter.empty and key not in values]
    if missing:
        raise ArgumentError(f"decoder {name!r} needs the parameter{'s' * (len(missing) > 1)} {', '.join(missing)}.")
    return factory(**values)
