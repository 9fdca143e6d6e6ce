"""The eyes of a simulated user: it answers to what is on the screen, not to what was meant to be there."""

from dataclasses import replace

from bcikit.paradigms.scene import Alert, Cue, Hands, Matrix, Meter, RestBreak, Road, Scene, Targets, Text
from bcikit.paradigms.stage import words
from bcikit.signal import Event

_ALWAYS = ("trial/", "block/", "paradigm/", "response/", "movement/", "operator/")
"""What a person knows without a picture: that it is over, and what it does itself."""


def perceive(event: Event, scene: Scene) -> Event | None:
    """Return an event as a person in front of a scene perceives it, None where nothing of it can be seen or heard.

    A flash is a flash of the wanted item if the ringed letter is among those that light up; what the paradigm knows
    of it does not count.

    Parameters
    ----------
    event : Event
        What the paradigm says.
    scene : Scene
        What is on the screen from then on.
    """
    name = event.name
    head, _, what = name.partition("/")
    if name.startswith(_ALWAYS) or head == "sound" or name == "stimulus/tone":
        return event
    if not scene.elements:
        return None
    if head == "cue":
        return event if _is_asked(what, scene) else None
    if name == "stimulus/flash":
        return _flash(event, scene)
    if name == "stimulus/flicker":
        return _flicker(event, scene)
    if name == "stimulus/lead-brake":
        road: Road | None = scene.find(Road)
        return event if road is not None and road.braking else None
    if name == "feedback/error":
        return event if _is_wrong(scene) else None
    return event


def _is_asked(what: str, scene: Scene) -> bool:
    """Return whether the scene asks for a class or an item."""
    matrix: Matrix | None = scene.find(Matrix)
    if matrix is not None:
        return matrix.wanted == what
    targets: Targets | None = scene.find(Targets)
    if targets is not None:
        return targets.wanted == what or (what == "none" and not targets.wanted)
    # A symbol, a hand that is ringed, words, or the goal of the ball: any of them says what is asked for.
    cue: Cue | None = scene.find(Cue)
    told = cue is not None and bool(cue.symbol or cue.words)
    hands: Hands | None = scene.find(Hands)
    meter: Meter | None = scene.find(Meter)
    asked = hands is not None and bool(hands.asked)
    return told or asked or (meter is not None and bool(meter.wanted)) or scene.find(Text) is not None


def _flash(event: Event, scene: Scene) -> Event | None:
    matrix: Matrix | None = scene.find(Matrix)
    if matrix is None:
        return None
    drawn = {item for row in matrix.rows for item in row}
    lit = [item for item in event.data.get("items", ()) if item in drawn]
    if not lit:
        return None
    target = matrix.wanted in lit if matrix.wanted else None
    return replace(event, data={**event.data, "items": lit, "target": target})


def _flicker(event: Event, scene: Scene) -> Event | None:
    targets: Targets | None = scene.find(Targets)
    if targets is None:
        return None
    looked = next((item for item in targets.targets if item.item == targets.wanted), None)
    data = dict(event.data)
    data["frequency"] = 0.0 if looked is None else looked.frequency
    data["phase"] = 0.0 if looked is None else looked.phase
    if any(item.code for item in targets.targets):
        data["code"], data["rate"] = ("", 0.0) if looked is None else (looked.code, looked.rate)
    return replace(event, data=data)


def _is_wrong(scene: Scene) -> bool:
    """Return whether the scene says that something went wrong: by a mark, or by the words for it."""
    if scene.find(Alert) is not None:
        return True
    ball: Meter | None = scene.find(Meter)
    if ball is not None and ball.gone:
        return ball.gone != ball.wanted
    for kind in (Hands, Matrix, Targets):
        found = scene.find(kind)
        if found is not None and found.outcome == "wrong":
            return True
    said = scene.find(Cue) or scene.find(RestBreak)
    return said is not None and said.words == words("outcomes", "wrong")
