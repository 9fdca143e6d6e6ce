"""The pictures of the shipped paradigms: each returns the scene after an event, on top of `bcikit.paradigms.stage`."""

from collections.abc import Mapping, Sequence
from typing import Any

from bcikit.paradigms.scene import (
    Cue,
    Film,
    Goal,
    Hands,
    Matrix,
    Meter,
    RestBreak,
    Rising,
    Road,
    Scene,
    Score,
    Side,
    Target,
    Targets,
    Words,
)
from bcikit.paradigms.stage import (
    advise,
    count,
    cue_words,
    follow,
    outcome_cue,
    outcome_of,
    outcome_words,
    say,
    show,
    symbol_of,
    title,
    words,
)
from bcikit.signal import Event

_SIDES: dict[str, Side] = {"left": "left", "right": "right", "both": "both"}


def side_of(label: str) -> Side:
    """Return the hand of a class, "" where it is none."""
    return _SIDES.get(symbol_of(label), "")


def hands(event: Event, before: Scene, *, kind: str, classes: tuple[str, ...], affected: Side, group: str) -> Scene:
    """Return the scene of a paradigm whose classes are movements: two hands, where any class is one of a hand.

    Parameters
    ----------
    event, before
        As in `bcikit.paradigms.stage.follow`.
    kind : str
        Kind of the paradigm.
    classes : tuple of str
        Its classes.
    affected : str
        Side that the therapy is for.
    group : str
        "cues" for imagery, "attempts" where the movement is tried.
    """
    if not any(side_of(name) for name in classes):
        return follow(kind, event, before)
    head, _, what = event.name.partition("/")
    if event.name in ("phase/fixation", "phase/prepare", "phase/watch"):
        symbol = "cross" if what == "fixation" else ""
        cue = Cue(symbol=symbol, words=words("phases", what) or Words(""))
        if what == "watch" and before.find(Film) is not None:
            return before
        return show(what, before, Hands(affected=affected), cue)
    if head == "cue" and what in classes:
        asked = Hands(asked=side_of(what), affected=affected)
        return show("cue", before, asked, Cue(symbol=symbol_of(what), words=cue_words(what, group=group)))
    if head == "feedback" and what == "result":
        before = count(event, before)
        outcome = outcome_of(event)
        shown: Hands = before.find(Hands) or Hands(affected=affected)
        result = Hands(asked=shown.asked, affected=affected, outcome=outcome)
        return show("outcome", before, result, outcome_cue(outcome))
    if event.name == "phase/assist":
        shown = before.find(Hands) or Hands(affected=affected)
        return show("assist", before, shown, Cue(symbol="tick", words=words("phases", "assist") or Words("")))
    return follow(kind, event, before)


def watched(event: Event, before: Scene, *, film: str, label: str, affected: Side) -> Scene | None:
    """Return the scene of watching a film and of the attempt after it; None where the event is neither."""
    if event.name == "stimulus/video":
        shown = Film(name=film, mirrored=side_of(label) == "left", words=words("phases", "watch") or Words(""))
        return show("watch", before, shown)
    if event.name in ("phase/attempt", "phase/imagery"):
        asked = str(event.data.get("class", ""))
        group = "attempts" if event.name == "phase/attempt" else "cues"
        hand = Hands(asked=side_of(asked), affected=affected)
        return show("attempt", before, hand, Cue(symbol=symbol_of(asked), words=cue_words(asked, group=group)))
    return None


def steering(event: Event, before: Scene, *, classes: tuple[str, ...], kind: str = "imagery-steering") -> Scene:
    """Return the scene of a ball that is steered to the left (the first class) or to the right, or watched."""
    head, _, what = event.name.partition("/")
    if event.name == "phase/fixation":
        return show("fixation", before, Meter(steer=True), Cue(words=words("phases", "prepare") or Words("")))
    if head == "cue" and what in classes:
        wanted: Side = "left" if what == classes[0] else "right"
        same = side_of(what) == wanted
        told = say(f"steer-{wanted}") if same else cue_words(what)
        if kind == "error-potential":
            told = say(f"goal-{wanted}")
        return show("cue", before, Meter(steer=True, wanted=wanted), Cue(words=told))
    if event.name in ("feedback/start", "feedback/end"):
        return count(event, before)
    if event.name == "feedback/result":
        # Whoever only watches the ball has no score.
        before = before if kind == "error-potential" else count(event, before)
        ball: Meter = before.find(Meter) or Meter(steer=True)
        sides: dict[str, Side] = {classes[0]: "left", classes[-1]: "right"}
        gone: Side = sides.get(str(event.data.get("predicted")), "")
        ball = Meter(steer=True, wanted=ball.wanted, gone=gone if kind == "error-potential" else "")
        return show("outcome", before, ball, outcome_cue(outcome_of(event)))
    return follow(kind, event, before)


def gliding(event: Event, before: Scene, *, goals: Mapping[str, Sequence[float]], force: bool) -> Scene:
    """Return the scene of a cursor between its goals, or of a bar that fills with the force."""
    head, _, what = event.name.partition("/")
    if event.name in ("feedback/start", "feedback/end"):
        return before
    if event.name not in ("phase/fixation", "feedback/result") and (head != "cue" or what not in goals):
        return follow("cursor", event, before)
    if event.name == "feedback/result":
        told = outcome_cue(outcome_of(event))
    else:
        told = Cue(words=cue_words(what) if head == "cue" else words("phases", "prepare") or Words(""))
    name = "outcome" if head == "feedback" else head if head == "cue" else "fixation"
    if force:
        return show(name, before, Meter(), told)
    shown: Meter | None = before.find(Meter)
    wanted: Goal = _direction(goals[what]) if head == "cue" else "" if shown is None else shown.wanted
    flat = all(len(place) == 1 for place in goals.values())
    return show(name, before, Meter(steer=True, plane=not flat, wanted=wanted), told)


def _direction(place: Sequence[float]) -> Goal:
    """Return the side on which a goal lies."""
    x, y = (*place, 0.0)[:2]
    if abs(x) >= abs(y):
        return "left" if x < 0 else "right"
    return "down" if y < 0 else "up"


def matrix(event: Event, before: Scene, *, rows: tuple[tuple[str, ...], ...], goal: str, written: str) -> Scene:
    """Return the scene of a speller: items, the one to look at, the text written so far, suggested words."""
    head, _, what = event.name.partition("/")
    shown: Matrix | None = before.find(Matrix)
    labels = tuple((item, found) for row in rows for item in row if (found := words("items", item)) is not None)

    def with_matrix(name: str, **changes: Any) -> Scene:
        values: dict[str, Any] = {
            "wanted": "" if shown is None else shown.wanted,
            "written": written,
            "goal": goal,
            "labels": labels,
        }
        values |= {"suggestions": () if shown is None else shown.suggestions, **changes}
        return show(name, before, Matrix(rows=rows, **values))

    if head == "cue":
        return with_matrix("cue", wanted=str(event.data.get("item", what)), chosen="", outcome="")
    if event.name == "phase/gaze":
        return with_matrix("gaze", wanted="" if shown is None or before.name != "cue" else shown.wanted)
    if event.name == "prediction/words" and shown is not None:
        return with_matrix(before.name, suggestions=tuple(map(str, event.data.get("words", ()))))
    if event.name == "phase/flash":
        return with_matrix("flash")
    if head == "select" and what == "undo":
        return with_matrix("undo", written=str(event.data.get("text", written)))
    if head == "select":
        return with_matrix("chosen", chosen=what, written=str(event.data.get("text", written)))
    if event.name == "feedback/result":
        before = count(event, before)
        predicted = event.data.get("predicted")
        return with_matrix("outcome", chosen="" if predicted is None else str(predicted), outcome=outcome_of(event))
    if event.name in ("trial/end", "trial/start"):
        # The next item begins without a ring: whoever writes freely has none.
        before = count(event, before)
        return before if shown is None else with_matrix(before.name, wanted="", chosen="", outcome="")
    return follow("p300-speller", event, before)


def heard(event: Event, before: Scene) -> Scene:
    """Return the scene of a speller by ear: closed eyes, and what to do for whoever looks all the same."""
    head, _, what = event.name.partition("/")
    if head == "cue" or event.name in ("phase/gaze", "phase/flash"):
        return show("cue", before, Cue(symbol="eyes-closed", words=say("listen")))
    if head == "select":
        return show("chosen", before, Cue(symbol="", words=title(what)))
    return follow("p300-auditory", event, before)


def menu(event: Event, before: Scene, *, targets: tuple[Target, ...], size_deg: float) -> Scene:
    """Return the scene of an SSVEP menu."""
    head, _, what = event.name.partition("/")
    shown: Targets = before.find(Targets) or Targets(targets=targets, size_deg=size_deg)

    def with_targets(name: str, told: Words, **changes: Any) -> Scene:
        values: dict[str, Any] = {"targets": targets, "size_deg": size_deg, **changes}
        return show(name, before, Targets(**values), Cue(words=told))

    if head == "cue":
        aside = what == "none"
        return with_targets("cue", say("look-beside") if aside else cue_words(what), wanted="" if aside else what)
    if event.name == "phase/gaze":
        return before if before.name == "cue" else with_targets("gaze", say("choose"))
    if event.name in ("phase/flicker", "stimulus/flicker"):
        return before if before.find(Targets) is not None else with_targets("gaze", say("choose"))
    if event.name == "feedback/result":
        before = count(event, before)
        outcome, chosen = outcome_of(event), event.data.get("predicted")
        seen = "" if chosen in (None, "none") else str(chosen)
        return with_targets("outcome", outcome_words(outcome), wanted=shown.wanted, chosen=seen, outcome=outcome)
    if event.name == "phase/rest":
        return before if before.name == "outcome" else with_targets("rest", words("phases", "rest") or Words(""))
    return follow("ssvep-menu", event, before)


def rising(event: Event, before: Scene) -> Scene:
    """Return the scene of neurofeedback: a balloon that rises, and the points."""
    if event.name == "phase/training":
        score = before.find(Score) or Score(right=0, total=0, words=say("rewards"))
        return Scene(name="training", elements=(Rising(words=words("phases", "training") or Words("")), score))
    if event.name == "feedback/reward":
        score = before.find(Score) or Score(right=0, total=0, words=say("rewards"))
        return before.changed(Score(right=score.right + 1, total=0, words=score.words))
    if event.name in ("feedback/start", "feedback/end"):
        return before
    if event.name == "block/start":
        # Each block of training is a trial, but nobody counts them.
        return before
    return follow("neurofeedback", event, before)


def road(event: Event, before: Scene, *, kind: str, speed_kmh: float = 100.0, distance: float = 25.0) -> Scene:
    """Return the scene of a drive: road, car in front, brake lights, dashboard, warnings."""
    shown: Road | None = before.find(Road)
    head, _, what = event.name.partition("/")
    if event.name in ("phase/driving", "phase/baseline"):
        level = "alert" if kind == "vigilance" else ""
        return Scene(name="drive", elements=(Road(speed_kmh=speed_kmh, distance=distance, level=level),))
    if shown is not None:
        now = {"speed_kmh": shown.speed_kmh, "distance": shown.distance, "level": shown.level}
        if event.name == "stimulus/lead-brake":
            return before.changed(Road(braking=True, **now))  # type: ignore[arg-type]
        if event.name in ("label/cruise", "response/pedal"):
            return advise("", before.changed(Road(braking=False, **now)))  # type: ignore[arg-type]
        if event.name == "feedback/update" and "level" in event.data:
            now["level"] = str(event.data["level"])
            return before.changed(Road(braking=shown.braking, **now))  # type: ignore[arg-type]
        if head == "advice":
            return advise(what, before)
        if head in ("feedback", "block") and what != "start":
            return before
    return follow(kind, event, before)


def phases(event: Event, before: Scene, *, texts: dict[str, Words]) -> Scene:
    """Return the scene of timed phases, each with its own words."""
    head, _, what = event.name.partition("/")
    if head != "phase" or what == "instructions":
        return follow("blocks", event, before)
    told = texts.get(what) or words("phases", what) or title(what)
    if what in ("rest", "relax"):
        return show(what, before, RestBreak(words=told, seconds=event.duration))
    symbol = what if what in ("eyes-open", "eyes-closed") else "cross"
    return show(what, before, Cue(symbol=symbol, words=told))
