"""What every paradigm shows of itself unless it says otherwise: scenes from the common grammar of events.

A paradigm of one's own that speaks this grammar (cues, phases, feedback, flicker) is seen without a line of drawing.
The shipped ones add their own pictures in `bcikit.paradigms.pictures`.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from bcikit.paradigms.scene import (
    SYMBOLS,
    Alert,
    Cue,
    Element,
    Instructions,
    Meter,
    Progress,
    RestBreak,
    Scene,
    Score,
    Target,
    Targets,
    Text,
    Words,
)
from bcikit.signal import Event

PAGES = ("see", "do")
"""Pages of instructions: what will be seen, what to do."""

_SYMBOLS = {
    "left_hand": "left", "right_hand": "right", "both_hands": "both", "fists": "both", "both_fists": "both",
    "both_feet": "feet", "none": "",
}  # fmt: skip
_KEPT = (Progress, Score)
_STILL = (
    "fixation",
    "eyes-open",
    "eyes-closed",
    "watch",
    "prepare",
    "training",
    "assist",
    "baseline",
    "relax",
    "driving",
)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("bcikit.paradigms").joinpath("words.toml").read_text(encoding="utf-8"))


def words(group: str, key: str) -> Words | None:
    """Return the words of a group ("cues", "phases", "say", "items", "outcomes", "levels"), None if there are none."""
    found = _table().get(group, {}).get(key)
    return None if found is None else Words(*found)


def say(key: str) -> Words:
    """Return the words of the group "say"."""
    return Words(*_table()["say"][key])


def title(name: str) -> Words:
    """Return a name as a person reads it: its words, or the name itself without underscores."""
    text = name.replace("_", " ").replace("-", " ")
    return words("items", name) or Words(text[:1].upper() + text[1:])


def symbol_of(label: str) -> str:
    """Return the symbol of a class: the hand, the feet; "" where there is none."""
    found = _SYMBOLS.get(label, label)
    return found if found in SYMBOLS else ""


def cue_words(label: str, *, group: str = "cues") -> Words:
    """Return what a person is told for a class."""
    found = words(group, label) or words("cues", label)
    if found is not None:
        return found
    look, name = say("look"), title(label)
    return Words(f"{look.en} {name.en}", f"{look.zh} {name.zh or name.en}")


def instructions(kind: str, *, page: int, pages: int) -> Scene:
    """Return a page of a kind's instructions; "see" and "do" in this order."""
    table = _table()["instructions"].get(kind, _table()["instructions"]["blocks"])
    lines = tuple(Words(*line) for line in table[PAGES[min(page, len(PAGES)) - 1]])
    shown = Instructions(title=Words(*table["title"]), lines=lines, page=page, pages=pages)
    return Scene(name="instructions", elements=(shown,))


def kept(before: Scene) -> tuple[Element, ...]:
    """Return what stays from scene to scene: progress and score."""
    return tuple(item for item in before.elements if isinstance(item, _KEPT))


def show(name: str, before: Scene, *elements: Element) -> Scene:
    """Return a scene of `elements`, with the progress and the score of the scene before."""
    return Scene(name=name, elements=(*elements, *kept(before)))


def targets_of(event: Event, *, wanted: str = "", size_deg: float = 3.3) -> Targets | None:
    """Return the targets that an event names in its data, None if there are none."""
    items = event.data.get("targets") or ()
    if not items:
        return None
    shown = tuple(
        Target(
            item=str(item["item"]),
            words=title(str(item["item"])),
            frequency=float(item.get("frequency", 0.0)),
            phase=float(item.get("phase", 0.0)),
        )
        for item in items
    )
    return Targets(targets=shown, wanted=wanted, size_deg=size_deg)


def count(event: Event, before: Scene) -> Scene:
    """Return the scene with progress and score brought up to an event; nothing else changes."""
    name, data = event.name, event.data
    if name == "block/start":
        total = int(data.get("trials") or 0)
        if total < 2 or data.get("kind") == "practice":
            return Scene(name=before.name, elements=before.without(Progress))
        return before.changed(Progress(done=0, total=total))
    progress: Progress | None = before.find(Progress)
    if name == "trial/end" and progress is not None and not data.get("interrupted"):
        return before.changed(Progress(done=min(progress.done + 1, progress.total), total=progress.total))
    if name == "feedback/result" and isinstance(data.get("correct"), bool):
        score: Score = before.find(Score) or Score(right=0, total=0, words=say("score"))
        return before.changed(Score(right=score.right + data["correct"], total=score.total + 1, words=score.words))
    return before


def follow(kind: str, event: Event, before: Scene) -> Scene:
    """Return the scene after an event of the common grammar.

    Parameters
    ----------
    kind : str
        Kind of the paradigm; picks its instructions.
    event : Event
        What happened.
    before : Scene
        What was shown until now.
    """
    before = count(event, before)
    head, _, what = event.name.partition("/")
    name = event.name
    if name == "paradigm/start":
        return Scene(name="wait", elements=(Text(words=say("wait")),))
    if name == "paradigm/end":
        return show("end", before, Text(words=say("finished")))
    if name == "block/start" and event.data.get("kind") == "practice":
        return Scene(name="practice", elements=(Text(words=say("practice")),))
    if name == "phase/instructions":
        return instructions(kind, page=int(event.data.get("page", 1)), pages=int(event.data.get("pages", 1)))
    if head == "cue":
        return show("cue", before, Cue(symbol=symbol_of(what), words=cue_words(what)))
    if head == "phase":
        return _phase(what, event, before)
    if head == "advice":
        return advise(what, before)
    if head == "feedback":
        return _feedback(what, event, before)
    if name == "stimulus/flicker" and before.find(Targets) is None:
        found = targets_of(event)
        return before if found is None else show("flicker", before, found)
    return before


def advise(level: str, before: Scene) -> Scene:
    """Return the scene with a warning of this level over it, or without one where nothing is to be warned of."""
    said = words("levels", level)
    if level not in ("sleepy", "drowsy", "brake") or said is None:
        return Scene(name=before.name, elements=before.without(Alert))
    return before.changed(Alert(level=level, words=said))


def outcome_of(event: Event) -> str:
    """Return "right", "wrong" or "none" for a `feedback/result`; "" where nobody knows what was wanted."""
    if event.data.get("predicted") is None:
        return "none"
    correct = event.data.get("correct")
    return "" if correct is None else "right" if correct else "wrong"


def outcome_words(outcome: str) -> Words:
    """Return the words of an outcome."""
    return words("outcomes", outcome) or Words("")


def outcome_cue(outcome: str) -> Cue:
    """Return the mark and the words of an outcome: a tick, a bar, or the words alone where nothing was decided."""
    return Cue(symbol={"right": "tick", "wrong": "bar"}.get(outcome, ""), words=outcome_words(outcome))


def _phase(what: str, event: Event, before: Scene) -> Scene:
    if what == "break":
        return show("break", before, RestBreak(words=words("phases", what) or Words(""), seconds=event.duration))
    if what in ("rest", "pause", "iti"):
        return show("rest", before, RestBreak(words=words("phases", "rest") or Words("")))
    if what == "gaze":
        found = targets_of(event, wanted=before.name.removeprefix("cue/") if before.name.startswith("cue/") else "")
        return before if found is None else show("gaze", before, found)
    if what in _STILL:
        symbol = {"fixation": "cross", "eyes-open": "eyes-open", "eyes-closed": "eyes-closed"}.get(what, "")
        return show(what, before, Cue(symbol=symbol, words=words("phases", what) or title(what)))
    return before


def _feedback(what: str, event: Event, before: Scene) -> Scene:
    if what == "start":
        return before.changed(Meter())
    if what == "end":
        return Scene(name=before.name, elements=before.without(Meter))
    if what == "result":
        return show("outcome", before, outcome_cue(outcome_of(event)))
    return before
