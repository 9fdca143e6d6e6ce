"""What a model file says of itself."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Self

from bcikit.signal import MICROVOLT, DataError, ModelError, StreamInfo
from bcikit.signal.rebuild import rebuild
from bcikit.version import __version__

FORMAT = 1
"""Version of the layout of the sheet and of the file around it."""

_TUPLES = ("classes", "ch_names", "filters", "people", "devices")
ENOUGH_TRIALS = 60
"""After so many trials at chance, more of the same will not help."""

_PACKAGES = ("numpy", "scipy", "scikit-learn", "pyriemann", "skops")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSheet:
    """Everything one must know to use a model, readable without loading it.

    Attributes
    ----------
    decoder : str
        Name of the decoder (see `bcikit.decoding.decoder_names`) or of a class.
    params : mapping
        Its parameters, ready for JSON.
    paradigm : str
        What it is for: "motor-imagery", "ssvep", ...
    classes : tuple of str
        What it can decide.
    idle : str or None
        The class that means "nothing is wanted"; deciding for it gives no label.
    ch_names : tuple of str
        Channels it needs, in its order.
    sfreq : float
        Sampling rate in Hz it needs.
    n_times : int
        Samples a window.
    tmin, tmax : float
        Where the windows of the training lay, seconds from the event.
    unit : str
        Unit of the data.
    reference : str
        What the voltages behind the filters were measured against, such as "Cz" or "average"; empty if unknown.
    filters : tuple of mapping
        Configuration of the pipeline before the windows, as `Pipeline.to_config` writes it.
    reject : float
        Probability below which nothing is decided.
    max_bad : float
        Largest share of bad samples in any channel of a window that is still decided.
    data : str
        Fingerprint of the training data (`Epochs.fingerprint`); empty for a model without training.
    n_trials : mapping of str to int
        Trials of each class it learned from.
    scores : mapping
        Held-out scores (`Scores.to_dict`).
    created : str
        Date and time, ISO 8601, UTC.
    versions : mapping of str to str
        Packages it was made with.
    intended_use : str
        For whom and what it was made, in words.
    seed : int
        Seed of everything random.
    people : tuple of str
        Of a model of many people: who they were, by their codes; empty for a model of one person.
    withdrawn : int
        How many more people there were, who withdrew their consent since: such a model is used no more.
    devices : tuple of str
        Names of the streams that they were recorded with.
    expected : mapping
        Of a model of many people: what a new person may expect (``value``, ``low``, ``high``, ``metric``), who is
        re-centred as they were (``followed``).
    why : str
        Of a decoder that compares others: which it chose, and why, in words.
    causal : bool
        False if the training data were filtered with zero phase: such a model is refused on a stream.
    """

    decoder: str
    params: Mapping[str, Any]
    paradigm: str
    classes: tuple[str, ...]
    ch_names: tuple[str, ...]
    sfreq: float
    n_times: int
    tmin: float
    tmax: float
    idle: str | None = None
    unit: str = MICROVOLT
    reference: str = ""
    filters: tuple[Mapping[str, Any], ...] = ()
    reject: float = 0.0
    max_bad: float = 0.1
    data: str = ""
    n_trials: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    intended_use: str = ""
    seed: int = 0
    people: tuple[str, ...] = ()
    withdrawn: int = 0
    devices: tuple[str, ...] = ()
    expected: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    causal: bool = True

    @property
    def guesses(self) -> bool:
        """Whether it was no better than guessing, each class counting alike, on `ENOUGH_TRIALS` held-out trials."""
        found = self.scores
        enough = int(found.get("n_trials") or 0) >= ENOUGH_TRIALS
        return enough and float(found.get("balanced_accuracy", 1.0)) <= float(found.get("balanced_chance_upper", 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_dict` reverses it."""
        result = asdict(self)
        for key in _TUPLES:
            result[key] = list(result[key])
        return {"format": FORMAT, **result}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the sheet that `to_dict` wrote.

        Raises
        ------
        ModelError
            If it was written by a newer bcikit, or a field is missing or unknown.
        """
        if not isinstance(values, Mapping):
            raise ModelError("The model sheet is no object.")
        content = dict(values)
        found = content.pop("format", None)
        if found != FORMAT:
            raise ModelError(f"The model sheet has the format {found!r}; this bcikit reads {FORMAT}.")
        try:
            sheet = rebuild(cls, content, what="The model sheet")
        except DataError as error:
            raise ModelError(str(error)) from None
        problems = sheet.problems()
        if problems:
            raise ModelError(f"The model sheet says what cannot be: {'; '.join(problems)}.")
        return sheet

    def problems(self) -> list[str]:
        """Return what in the sheet no model can have: it decides what a model is given and what comes out of it."""
        found = []
        for name, low, high in (
            ("sfreq", 1e-3, 1e6), ("reject", 0.0, 1.0), ("max_bad", 0.0, 1.0), ("tmin", -1e6, 1e6), ("tmax", -1e6, 1e6)
        ):  # fmt: skip
            value = getattr(self, name)
            # Worded so that what is no number is refused.
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                found.append(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}")
        if type(self.n_times) is not int or not 0 < self.n_times <= 10**8:
            found.append(f"n_times is {self.n_times!r}; it must be a number of samples")
        for name in ("classes", "ch_names"):
            texts = getattr(self, name)
            if not all(isinstance(text, str) and text for text in texts) or len(set(texts)) != len(texts):
                found.append(f"{name} are {list(texts)!r}; each must be a text of its own")
        if self.idle is not None and self.idle not in self.classes:
            found.append(f"idle is {self.idle!r}, which is none of the classes")
        return found

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def columns(self, info: StreamInfo) -> list[int]:
        """Return the column of the stream for each channel of the model, matched by name.

        Raises
        ------
        ModelError
            If a channel is missing, the rate or the unit is another, or stream or model are not causal.
        """
        problems: list[str] = []
        folded = {name.lower(): index for index, name in reversed(list(enumerate(info.ch_names)))}
        exact = {name: index for index, name in enumerate(info.ch_names)}
        found = [exact.get(name, folded.get(name.lower())) for name in self.ch_names]
        missing = [name for name, column in zip(self.ch_names, found, strict=True) if column is None]
        if missing:
            problems.append(f"it needs the channels {', '.join(missing)}, which are missing")
        # A clock that drifts by 0.1 % moves no filter edge that matters; more is another device.
        if abs(info.sfreq - self.sfreq) > 1e-3 * self.sfreq:
            problems.append(f"it was trained at {self.sfreq:g} Hz, the stream has {info.sfreq:g} Hz")
        if info.unit != self.unit:
            problems.append(f"it was trained in {self.unit}, the stream is in {info.unit}")
        if not self.causal:
            problems.append("it was trained on data filtered with zero phase, which no live stream can be")
        if problems:
            raise ModelError(
                f"The model {self.decoder!r} does not fit the stream {info.name!r}: {'; '.join(problems)}."
            )
        return [column for column in found if column is not None]

    def doubts(self, info: StreamInfo) -> list[str]:
        """Return in words why what the model sees of a stream that fits may not be what it learned from."""
        ours, theirs = self.reference.strip(), info.reference.strip()
        if not ours or not theirs or ours.casefold() == theirs.casefold():
            return []
        return [
            f"the model {self.decoder!r} was trained on voltages against {ours}, those of {info.name!r} are against "
            f"{theirs}: every channel looks different to it. Use the same reference, or calibrate"
        ]


def now_utc() -> str:
    """Return date and time for `ModelSheet.created`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a model depends on."""
    return {"python": platform.python_version(), "bcikit": __version__, **{name: version(name) for name in _PACKAGES}}
