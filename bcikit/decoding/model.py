"""Model: a fitted decoder with its calibration and its sheet; the same object offline, live and in a file."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.calibration import make_calibrator, scores_of
from bcikit.decoding.centre import centre_of
from bcikit.decoding.estimator import Centring, Decoder, check_trials, knowing_channels
from bcikit.decoding.familiar import Familiarity, typical_distance
from bcikit.decoding.registry import decoders_at, make_decoder
from bcikit.decoding.scores import Scores, cross_validate
from bcikit.decoding.sheet import ModelSheet, now_utc, package_versions
from bcikit.decoding.store import read_model, write_model
from bcikit.decoding.trials import Epochs
from bcikit.decoding.windows import WindowLike
from bcikit.signal import ArgumentError, Decision, ModelError, StreamInfo, check_range
from bcikit.signal.shown import Shown, listed


class Model(Shown):
    """A fitted decoder that turns windows into decisions.

    Make one by `fit`, `untrained` or `load`. Before the first window, `attach` it to the stream the windows come from.

    Attributes
    ----------
    estimator : estimator
        The fitted decoder.
    calibrator : estimator
        Turns its scores into probabilities.
    sheet : ModelSheet
        What the model is.
    scores : Scores or None
        Held-out decisions of `fit`; None after `load` (their numbers are in ``sheet.scores``).
    centres : dict of str to ndarray, shape (n_channels, n_channels)
        Mean covariance of the training: of its ``windows`` and, where it had any, of ``rest``. What `Recentring` needs.
        Where the decoder is centred by its ``features``, their mean, shape (n_features,), too.
    mapping : ndarray, shape (n_channels, n_channels), or None
        What windows are multiplied by before they are decided: where re-centring has come to.
    shift : ndarray, shape (n_features,), or None
        What is taken from the features of a decoder that is centred by them (`bcikit.decoding.centre`).
    typical : float or None
        Distance from the centre of the training that its windows stay below (`bcikit.decoding.familiar`).
    columns : ndarray of int or None
        Columns of the attached stream that are the model's channels; None where all are, in order.
    """

    def __init__(
        self,
        estimator: Any,
        calibrator: Any,
        sheet: ModelSheet,
        scores: Scores | None = None,
        *,
        centres: Mapping[str, NDArray[np.float64]] | None = None,
        mapping: NDArray[np.float64] | None = None,
        shift: NDArray[np.float64] | None = None,
        typical: float | None = None,
    ) -> None:
        self.estimator = estimator
        self.calibrator = calibrator
        self.sheet = sheet
        self.scores = scores
        self.centres: dict[str, NDArray[np.float64]] = dict(centres or {})
        self.mapping = mapping
        self.shift = shift
        self.typical = typical
        self.columns: NDArray[np.intp] | None = None
        self._n_stream: int = len(sheet.ch_names)
        self._idle = sheet.classes.index(sheet.idle) if sheet.idle is not None else -1

    @classmethod
    def fit(
        cls,
        decoder: Any,
        trials: Epochs,
        *,
        params: Mapping[str, Any] | None = None,
        calibration: str = "temperature",
        split: str = "auto",
        n_folds: int = 5,
        reject: float = 0.0,
        max_bad: float = 0.1,
        idle: str | None = None,
        filters: Sequence[Mapping[str, Any]] = (),
        intended_use: str = "",
        minimum: int | None = None,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
        rest: NDArray[np.float64] | None = None,
        people: bool = False,
        live: NDArray[np.float64] | None = None,
    ) -> Self:
        """Fit a decoder, and its calibration on decisions of trials it had not seen.

        Parameters
        ----------
        decoder : str or estimator
            Name of a decoder (`decoder_names`), made with `params`; or an unfitted one: from `make_decoder`, or any
            scikit-learn classifier on epochs.
        trials : Epochs
            What to learn from.
        params : mapping, optional
            Parameters of a decoder that is given by its name.
        calibration : {"temperature", "isotonic", "none"}
            How probabilities are made of held-out scores.
        split, n_folds, seed
            How trials are held out, see `bcikit.decoding.make_folds`.
        reject : float
            Probability below which nothing is decided.
        max_bad : float
            See `ModelSheet`.
        idle : str, optional
            The class that means "nothing is wanted".
        filters : sequence of mapping
            Configuration of the pipeline the trials went through.
        intended_use : str
            In words, for the sheet.
        minimum : int, optional
            Fewest trials a class; 5 or the decoder's own if left out.
        progress : callable, optional
            Called with (steps done, steps).
        people : bool
            Each group of the trials is a person or a day of their own: a decoder that is centred by its features
            (`bcikit.decoding.estimator.Centring`) learns with each group moved onto one mean, and decides a held-out
            group with its features moved by the windows of it that came before.
        rest : ndarray, shape (n, n_channels, n_times), optional
            Windows of rest from the same recordings, for re-centring on rest later.
        live : ndarray, shape (n_trials, n_channels, n_times), optional
            The trials as they are while they come, where `trials` were mapped by what came after them: a held-out one
            is decided as it is here.

        Raises
        ------
        DataError
            If there are too few trials or classes.
        ArgumentError
            If `reject` is no probability or `idle` no class.
        """
        from sklearn.base import clone

        if isinstance(decoder, str):
            decoder = make_decoder(decoder, sfreq=trials.sfreq, **(params or {}))
        elif params:
            raise ArgumentError("params are for a decoder that is given by its name; this one has its own.")
        decoder = knowing_channels(decoder, trials.info)
        least = getattr(decoder, "min_trials", 5) if minimum is None else minimum
        check_trials(trials.y, minimum=least, who="training")
        scores = cross_validate(
            decoder,
            trials,
            split=split,
            n_folds=n_folds,
            seed=seed,
            calibration=calibration,
            minimum=least,
            people=people,
            live=live,
            progress=None if progress is None else lambda done, total: progress(done, total + 1),
        )
        calibrator = make_calibrator(calibration).fit(scores.scores, scores.y_index, scores.folds)
        moved = people and isinstance(decoder, Centring)
        estimator = clone(decoder).fit(trials.X, trials.y, *([trials.groups] if moved else []))
        sheet = _sheet(
            estimator,
            trials.info,
            classes=scores.classes,
            n_times=trials.n_times,
            tmin=trials.tmin,
            tmax=trials.tmax,
            reject=reject,
            max_bad=max_bad,
            idle=idle,
            filters=filters,
            intended_use=intended_use,
            seed=seed,
        ).replace(
            data=trials.fingerprint(),
            n_trials=trials.counts(),
            scores=scores.to_dict(),
            why=str(getattr(estimator, "why_", "")),
            causal=trials.causal,
        )
        if progress is not None:
            n_folds_done = len(np.unique(scores.folds))
            progress(n_folds_done + 1, n_folds_done + 1)
        centres = {"windows": centre_of(trials.X)}
        if rest is not None and len(rest):
            centres["rest"] = centre_of(rest)
        if isinstance(estimator, Centring):
            centres["features"] = estimator.centre_
        return cls(
            estimator, calibrator, sheet, scores, centres=centres, typical=typical_distance(trials.X, trials.groups)
        )

    @classmethod
    def untrained(
        cls,
        decoder: Any,
        info: StreamInfo,
        *,
        seconds: float,
        reject: float = 0.0,
        max_bad: float = 0.1,
        filters: Sequence[Mapping[str, Any]] = (),
        intended_use: str = "",
    ) -> Self:
        """Return a model of a decoder that needs no calibration (`Decoder.prepare`).

        Parameters
        ----------
        decoder : Decoder
            With a method `prepare`, such as FBCCA.
        info : StreamInfo
            Stream with the channels to use.
        seconds : float
            Length of a window.
        """
        if not hasattr(decoder, "prepare"):
            raise ArgumentError(f"{type(decoder).__name__} must be trained; decoders without training have `prepare`.")
        n_times = round(check_range("seconds", seconds, low=0, low_open=True, unit="s") * info.sfreq)
        estimator = decoder.prepare(n_channels=info.n_channels, n_times=n_times)
        classes = tuple(str(label) for label in estimator.classes_)
        sheet = _sheet(
            estimator,
            info,
            classes=classes,
            n_times=n_times,
            tmin=0.0,
            tmax=n_times / info.sfreq,
            reject=reject,
            max_bad=max_bad,
            idle=None,
            filters=filters,
            intended_use=intended_use,
            seed=0,
        )
        calibrator = make_calibrator("none").fit(np.zeros((1, len(classes))), np.zeros(1, dtype=int))
        return cls(estimator, calibrator, sheet)

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        sheet = self.sheet
        seconds = sheet.n_times / sheet.sfreq
        line = f"{sheet.decoder}: {listed(sheet.classes)} from {seconds:g} s of {len(sheet.ch_names)} channels"
        scores = sheet.scores or {}
        if "accuracy" in scores:
            line += f", {scores['accuracy']:.2f} right on held-out trials (chance up to {scores['chance_upper']:.2f})"
        return line, {
            "channels": listed(sheet.ch_names),
            "rate": f"{sheet.sfreq:g} Hz",
            "trials": ", ".join(f"{name} {count}" for name, count in (sheet.n_trials or {}).items()),
            "reject": f"below {sheet.reject:g}" if sheet.reject else "",
            "use": sheet.intended_use,
        }

    @property
    def classes(self) -> tuple[str, ...]:
        """What can be decided."""
        return self.sheet.classes

    def attach(self, info: StreamInfo) -> Self:
        """Check the stream whose windows will be decided, and find the channels in it by name.

        Raises
        ------
        ModelError
            If a channel is missing, or rate, unit or causality do not fit.
        """
        columns = self.sheet.columns(info)
        self._n_stream = info.n_channels
        self.columns = None if columns == list(range(info.n_channels)) else np.asarray(columns, dtype=np.intp)
        return self

    def copy(self) -> Self:
        """Return a model that can be changed without changing this one; attached to the same stream."""
        other = type(self)(
            deepcopy(self.estimator),
            self.calibrator,
            self.sheet,
            centres=self.centres,
            mapping=self.mapping,
            shift=self.shift,
            typical=self.typical,
        )
        other.columns, other._n_stream = self.columns, self._n_stream
        return other

    def fits(self, window: WindowLike) -> bool:
        """Return whether a window has the channels of the attached stream and enough samples."""
        return window.data.shape[0] == self._n_stream and window.data.shape[1] >= self.sheet.n_times

    def pick(self, window: WindowLike) -> NDArray[np.float64]:
        """Return the newest samples of a window in the model's channels, shape ``(1, n_channels, n_times)``."""
        data = window.data if self.columns is None else window.data[self.columns]
        return data[None, :, data.shape[1] - self.sheet.n_times :]

    def familiarity(self) -> Familiarity | None:
        """Return what tells whether windows look like those of the training; None for a model without one."""
        if self.typical is None or "windows" not in self.centres:
            return None
        return Familiarity(self.centres["windows"], self.typical)

    def centred(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return epochs as the estimator sees them: mapped to the centre of its training."""
        return X if self.mapping is None else self.mapping @ X

    def probabilities(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated probabilities of epochs in the model's own channels, ``(n_epochs, n_classes)``."""
        return self.calibrator.predict_proba(scores_of(self.estimator, self.centred(X), shift=self.shift))

    def decide(self, window: WindowLike, *, now: float | None = None) -> Decision:
        """Decide one window. It never raises for what is wrong with the data: the reason says so.

        Parameters
        ----------
        window : Window
            ``data`` has the channels of the attached stream.
        now : float, optional
            Time on the engine's clock, for the age.

        Returns
        -------
        Decision
            Without a label and with a reason where nothing can or should be decided.
        """
        base: dict[str, Any] = {
            "time": window.time,
            "sample": window.stop_sample - 1,
            "classes": self.sheet.classes,
            "age": 0.0 if now is None else max(0.0, now - window.time),
        }
        if window.data.shape[0] != self._n_stream:
            return Decision(**base, reason=f"error: {window.data.shape[0]} channels instead of {self._n_stream}")
        if not self.fits(window):
            return Decision(**base, reason="not-enough-data")
        X = self.pick(window)
        bad = window.bad if self.columns is None else window.bad[self.columns]
        worst = float(bad.max(initial=0.0))
        if worst > self.sheet.max_bad or not np.isfinite(X).all():
            return Decision(**base, reason="bad-data", data={"bad": worst})
        problem = self.estimator.problem(X) if isinstance(self.estimator, Decoder) else ""
        if problem:
            return Decision(**base, reason="bad-data", data={"bad": worst, "why": problem})
        try:
            row = self.probabilities(X)[0]
        except Exception as error:  # noqa: BLE001 - a decoder that fails must not stop the session; nothing is decided
            return Decision(**base, reason=f"error: {type(error).__name__}: {error}")
        if not np.isfinite(row).all():
            return Decision(**base, reason="error: probabilities are not finite")
        return self._decided(base, row)

    def _decided(self, base: dict[str, Any], row: NDArray[np.float64]) -> Decision:
        best = int(row.argmax())
        probabilities = tuple(row.tolist())
        if probabilities[best] < self.sheet.reject:
            return Decision(**base, probabilities=probabilities, reason="low-confidence")
        if best == self._idle:
            return Decision(**base, probabilities=probabilities, reason="idle")
        return Decision(**base, probabilities=probabilities, label=self.sheet.classes[best])

    def save(self, path: str | Path) -> Path:
        """Write the model file (skops and a sheet, no pickle) and return its path.

        Raises
        ------
        ModelError
            If it cannot be written, or the estimator cannot be stored without pickle.
        """
        content = {"estimator": self.estimator, "calibrator": self.calibrator}
        if self.centres:
            content["centres"] = self.centres
        if self.mapping is not None:
            content["mapping"] = self.mapping
        if self.shift is not None:
            content["shift"] = self.shift
        if self.typical is not None:
            content["typical"] = self.typical
        return write_model(path, self.sheet, content)

    @classmethod
    def load(cls, path: str | Path, *, trusted: Sequence[str] = ()) -> Self:
        """Read a model file.

        Parameters
        ----------
        path : str or Path
            Written by `save`.
        trusted : sequence of str
            Full names of types beside bcikit's and scikit-learn's own that may be loaded.

        Raises
        ------
        ModelError
            If it is missing, damaged, or holds a type that is not trusted.
        """
        sheet, content = read_model(path, trusted=trusted)
        try:
            return cls(
                content["estimator"],
                content["calibrator"],
                sheet,
                centres=content.get("centres"),
                mapping=content.get("mapping"),
                shift=content.get("shift"),
                typical=content.get("typical"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path} lacks a part of the model: {error}.") from None


def _sheet(
    estimator: Any, info: StreamInfo, *, classes: tuple[str, ...], idle: str | None, **fields: Any
) -> ModelSheet:
    check_range("reject", fields["reject"], low=0.0, high=1.0)
    check_range("max_bad", fields["max_bad"], low=0.0, high=1.0)
    if idle is not None and idle not in classes:
        raise ArgumentError(f"idle is {idle!r}; allowed: {', '.join(classes)}.")
    name, paradigm = _name_of(estimator)
    params = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}
    return ModelSheet(
        decoder=name,
        params={key: _plain(value) for key, value in params.items()},
        paradigm=paradigm,
        classes=classes,
        idle=idle,
        ch_names=info.ch_names,
        sfreq=info.sfreq,
        unit=info.unit,
        reference=info.reference,
        filters=tuple(dict(step) for step in fields.pop("filters")),
        created=now_utc(),
        versions=package_versions(),
        **fields,
    )


def _name_of(estimator: Any) -> tuple[str, str]:
    """Return the registered name and the paradigm of an estimator; its class's name where it is a user's own."""
    kind = type(estimator)
    where = f"{kind.__module__}:{kind.__name__}"
    # The entry that fixes the most parameters first: the plain class would match its variants, too.
    for name, entry in sorted(decoders_at(where), key=lambda item: -len(item[1].defaults)):
        if all(getattr(estimator, key) == value for key, value in entry.defaults.items()):
            return name, entry.paradigm
    return kind.__name__, "any" if not isinstance(estimator, Decoder) else "own"


def _plain(value: Any) -> Any:
    """Return a parameter as JSON can hold it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
