"""A scene: what a person sees now, as data that every renderer draws alike.

A scene is made of elements, each a small frozen dataclass that says *what* is there: a cue, two hands, a matrix of
letters. Where and how large it is drawn is the renderers' common layout (`bcikit.presentation.layout`). What changes
with every frame (a flash, a flicker, a bar that follows the brain) is no new scene: it comes as an event (see
`bcikit.paradigms.stage`) and is applied to the scene that is shown.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, get_args

from bcikit.signal import ArgumentError, DataError, check_choice
from bcikit.signal.rebuild import rebuild, short

VERSION = 1
"""Version of the data; grows when a field changes its meaning or goes. A renderer refuses a newer one."""

Side = Literal["", "left", "right", "both"]
SIDES: tuple[str, ...] = get_args(Side)
Goal = Literal["", "left", "right", "both", "up", "down"]
GOALS: tuple[str, ...] = get_args(Goal)
SYMBOLS = (
    "", "cross", "left", "right", "both", "feet", "tongue", "rest", "look", "eyes-open", "eyes-closed", "tick",
    "bar",
)  # fmt: skip
ROLES = ("title", "line", "big", "note")
OUTCOMES = ("", "right", "wrong", "none")
LEVELS = ("alert", "some-sleepiness", "sleepy", "drowsy", "brake")


@dataclass(frozen=True, slots=True)
class Words:
    """The same words in English and Chinese.

    Attributes
    ----------
    en, zh : str
        In each language; where `zh` is empty the English words stand for it.
    """

    en: str
    zh: str = ""

    def say(self, language: str) -> str:
        """Return the words in a language ("en", "zh", or one that begins with them)."""
        return self.zh if language.startswith("zh") and self.zh else self.en

    def __bool__(self) -> bool:
        return bool(self.en or self.zh)


NOTHING = Words("")


class Element:
    """One thing of a scene. Fields are words, texts, numbers, or tuples of them, so that it becomes JSON and back."""

    __slots__ = ()
    kind: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the element as JSON holds it, with its ``kind``."""
        fields: Any = dataclasses.fields(self)  # type: ignore[arg-type]
        return {"kind": self.kind, **{item.name: _plain(getattr(self, item.name)) for item in fields}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Element):
    """Words alone; `role` says how large: "big" is the one thing to read, "title" and "line" a page, "note" more."""

    kind: ClassVar[str] = "text"
    words: Words
    role: str = "big"

    def __post_init__(self) -> None:
        check_choice("role", self.role, ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue(Element):
    """What to do now: a symbol in the middle, and words below it."""

    kind: ClassVar[str] = "cue"
    symbol: str = ""
    words: Words = NOTHING

    def __post_init__(self) -> None:
        check_choice("symbol", self.symbol, SYMBOLS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands(Element):
    """Two hands, seen from the front; how far each is closed follows the outputs, not the scene.

    Attributes
    ----------
    asked : str
        Which one is to be moved in the mind: "left", "right", "both" or "".
    affected : str
        The side that the therapy is for; it is named below the hand.
    outcome : str
        How the trial came out: "right" and "wrong" look different; "none" where nothing was decided.
    """

    kind: ClassVar[str] = "hands"
    asked: Side = ""
    affected: Side = ""
    outcome: str = ""

    def __post_init__(self) -> None:
        check_choice("asked", self.asked, SIDES)
        check_choice("affected", self.affected, SIDES)
        check_choice("outcome", self.outcome, OUTCOMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix(Element):
    """Items in rows, of which some light up together (`stimulus/flash`).

    Attributes
    ----------
    rows : tuple of tuple of str
        The items; ``_`` is the space and ``<`` takes back.
    wanted : str
        The item to look at; it is ringed. Empty where the person chooses.
    written, goal : str
        Text so far, and the text that is to be copied.
    suggestions : tuple of str
        Words that the items ``#1``, ``#2``, ... stand for.
    chosen : str
        The item chosen just now.
    outcome : str
        Whether it was the wanted one.
    """

    kind: ClassVar[str] = "matrix"
    rows: tuple[tuple[str, ...], ...]
    wanted: str = ""
    written: str = ""
    goal: str = ""
    suggestions: tuple[str, ...] = ()
    chosen: str = ""
    outcome: str = ""
    labels: tuple[tuple[str, Words], ...] = ()

    def __post_init__(self) -> None:
        check_choice("outcome", self.outcome, OUTCOMES)
        if not self.rows or not all(self.rows):
            raise ArgumentError("rows must hold at least one item in each row.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Element):
    """One target of `Targets`: a name, and the flicker that it will have (Hz, radians).

    With a code, its bits are shown one after the other, `rate` of them a second, bright for 1, again and again. With
    the `mode` "frame-period" it is bright for half of each period and dark for the other, in whole frames.
    """

    kind: ClassVar[str] = "target"
    item: str
    words: Words
    frequency: float = 0.0
    phase: float = 0.0
    code: str = ""
    rate: float = 0.0
    mode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets(Element):
    """Targets that flicker (`stimulus/flicker`), each with its name; `wanted` is ringed.

    Items called up, down, left and right stand there; others stand in rows.
    """

    kind: ClassVar[str] = "targets"
    targets: tuple[Target, ...]
    wanted: str = ""
    chosen: str = ""
    outcome: str = ""
    size_deg: float = 3.3

    def __post_init__(self) -> None:
        check_choice("outcome", self.outcome, OUTCOMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rising(Element):
    """Something that rises with the brain (`feedback/update`, value 0 to 1; half is the threshold)."""

    kind: ClassVar[str] = "rising"
    words: Words = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter(Element):
    """A bar that fills with `feedback/update`; `steer` makes it a ball that goes left and right (data ``position``).

    Attributes
    ----------
    steer : bool
        A ball between two goals.
    plane : bool
        There are goals above and below, too (data ``height``).
    wanted : str
        Its goal.
    gone : str
        The goal at which it has arrived; empty while it is on its way.
    """

    kind: ClassVar[str] = "meter"
    steer: bool = False
    plane: bool = False
    wanted: Goal = ""
    gone: Side = ""

    def __post_init__(self) -> None:
        check_choice("wanted", self.wanted, GOALS)
        check_choice("gone", self.gone, SIDES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Film(Element):
    """A short film of a movement, from its first picture on when the scene appears.

    Attributes
    ----------
    name : str
        A shipped film ("hand-open", "reach-cup"), or the path of an animated GIF, WebP or PNG.
    mirrored : bool
        Shows it for the other side.
    """

    kind: ClassVar[str] = "film"
    name: str
    mirrored: bool = False
    words: Words = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Road(Element):
    """A road with a car in front and a dashboard.

    Attributes
    ----------
    speed_kmh, distance : float
        Speed, and metres to the car in front.
    braking : bool
        Its brake lights are on.
    level : str
        Sleepiness on the dashboard: "alert", "some-sleepiness", "sleepy", "drowsy"; empty for none.
    """

    kind: ClassVar[str] = "road"
    speed_kmh: float = 100.0
    distance: float = 20.0
    braking: bool = False
    level: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Element):
    """A warning over everything else, seen and heard."""

    kind: ClassVar[str] = "warning"
    level: str
    words: Words

    def __post_init__(self) -> None:
        check_choice("level", self.level, LEVELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Element):
    """How far it is: trials done of all."""

    kind: ClassVar[str] = "progress"
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Element):
    """How it goes: trials that came out right, of those that are over."""

    kind: ClassVar[str] = "score"
    right: int
    total: int
    words: Words = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions(Element):
    """A page of instructions: what will be seen, what to do."""

    kind: ClassVar[str] = "instructions"
    title: Words
    lines: tuple[Words, ...]
    page: int = 1
    pages: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RestBreak(Element):
    """A break; `seconds` are counted down from when it appears, 0 shows no time."""

    kind: ClassVar[str] = "rest"
    words: Words
    seconds: float = 0.0


KINDS: dict[str, type[Element]] = {
    item.kind: item
    for item in (
        Text, Cue, Hands, Matrix, Target, Targets, Rising, Meter, Film, Road, Alert, Progress, Score, Instructions,
        RestBreak,
    )
}  # fmt: skip
"""Every kind of element by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a person sees.

    Attributes
    ----------
    name : str
        What it is for: "instructions", "cue", "task", "rest", "end"; for logs and tests.
    elements : tuple of Element
        Drawn in order; the layout gives each kind its place.
    """

    name: str = ""
    elements: tuple[Element, ...] = field(default=())

    def find(self, kind: type[Element]) -> Any:
        """Return the first element of a kind, None if there is none."""
        return next((item for item in self.elements if isinstance(item, kind)), None)

    def without(self, *kinds: type[Element]) -> tuple[Element, ...]:
        """Return the elements that are of none of these kinds."""
        return tuple(item for item in self.elements if not isinstance(item, kinds))

    def changed(self, element: Element, *, name: str | None = None) -> "Scene":
        """Return the scene with `element` in place of the one of its kind, or added."""
        kept = [element if type(item) is type(element) else item for item in self.elements]
        if element not in kept:
            kept.append(element)
        return Scene(name=self.name if name is None else name, elements=tuple(kept))

    def to_dict(self) -> dict[str, Any]:
        """Return the scene as JSON holds it."""
        return {"version": VERSION, "name": self.name, "elements": [item.to_dict() for item in self.elements]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the scene of what `to_dict` gave.

        Raises
        ------
        ArgumentError
            If the version is not this one, a kind unknown, or a field missing, unknown or out of its choices.
        """
        version = getattr(values, "get", lambda _: None)("version")
        if version != VERSION:
            raise ArgumentError(f"version of the scene is {short(version)}; this renderer knows {VERSION}.")
        name, elements = values.get("name", ""), values.get("elements", ())
        if not isinstance(name, str) or not isinstance(elements, list | tuple):
            raise ArgumentError("a scene has a text as its name and a list of elements.")
        try:
            return cls(name=name, elements=tuple(_element(item) for item in elements))
        except RecursionError:
            raise ArgumentError("the elements of the scene are nested too deeply.") from None


BLANK = Scene(name="blank")
"""Nothing."""


def _plain(value: Any) -> Any:
    if isinstance(value, Words):
        return {"en": value.en, "zh": value.zh}
    if isinstance(value, Element):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _element(values: Any) -> Element:
    name = values.get("kind") if isinstance(values, Mapping) else None
    if not isinstance(name, str) or name not in KINDS:
        kinds = ", ".join(sorted(KINDS))
        raise ArgumentError(f"element of the scene is {short(values)} of kind {short(name)}; allowed: {kinds}.")
    try:
        fields = {key: _back(value) for key, value in values.items() if key != "kind"}
        return rebuild(KINDS[name], fields, what=f"element {name!r} of the scene")
    except DataError as error:
        raise ArgumentError(str(error)) from None


def _back(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.keys() == {"en", "zh"}:
            return Words(str(value["en"]), str(value["zh"]))
        return _element(value)
    return tuple(_back(item) for item in value) if isinstance(value, list | tuple) else value
