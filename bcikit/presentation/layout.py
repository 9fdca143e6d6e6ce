"""Where everything of a scene stands: one list of shapes that every renderer draws, on a stage of 1600 by 900.

The stage is fitted into the window as large as it goes, in its middle. Sizes are for reading at 2 m: the smallest words
are 40 units high, 13 mm on a picture 30 cm high, more than 20 minutes of arc at 2 m.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bcikit.paradigms.scene import (
    Alert,
    Cue,
    Element,
    Film,
    Hands,
    Instructions,
    Matrix,
    Meter,
    Progress,
    RestBreak,
    Rising,
    Road,
    Scene,
    Score,
    Targets,
    Text,
    Words,
)
from bcikit.paradigms.stage import say, title, words
from bcikit.presentation.colours import (
    AMBER,
    BACK,
    CALM,
    DIM,
    FAINT,
    GREEN,
    GROUND,
    INK,
    ITEM,
    LIT,
    PANEL,
    RED,
    SKY,
    TARMAC,
)
from bcikit.presentation.symbols import symbol

WIDTH, HEIGHT = 1600.0, 900.0
SMALLEST = 40.0
"""Height of the smallest words, in units of the stage."""

Box = tuple[float, float, float, float]
"""Left, top, width, height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One thing to draw.

    Attributes
    ----------
    do : str
        "rect", "ellipse", "polygon", "text", "hand", "film".
    id : str
        What it is, the same in every renderer: "item:A", "target:up", "hand:left", "words".
    box : tuple
        Left, top, width, height on the stage.
    fill, line : str
        Colours (#rrggbb); empty for none.
    thick, radius : float
        Width of the line, radius of the corners.
    points : tuple of pair
        Of a polygon.
    text : str
        Words; they are broken into lines and made smaller until they fit into the box.
    size : float
        Height of the words.
    bold : bool
        Heavy letters.
    align : str
        "centre" or "left".
    live : str
        What changes it from frame to frame without a new scene: "lit:A" (a flash), "level:up" (a flicker),
        "closure:left", "value:width", "value:rise", "position", "plane", "countdown", "film", "drive".
    number : float
        What `live` needs: seconds of the countdown, travel of the ball.
    side, name : str
        Of a hand; of a film.
    """

    do: str
    id: str
    box: Box
    fill: str = ""
    line: str = ""
    thick: float = 0.0
    radius: float = 0.0
    points: tuple[tuple[float, float], ...] = ()
    text: str = ""
    size: float = 0.0
    bold: bool = False
    align: str = "centre"
    live: str = ""
    number: float = 0.0
    side: str = ""
    name: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, ready for JSON."""
        values = asdict(self)
        return {key: value for key, value in values.items() if value not in ("", 0.0, (), False) or key == "box"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """How the person sees the picture.

    Attributes
    ----------
    language : str
        "en" or "zh".
    height_cm, distance_cm : float
        Height of the picture and its distance from the eyes; targets have their visual angle by it.
    """

    language: str = "en"
    height_cm: float = 30.0
    distance_cm: float = 70.0

    def units(self, degrees: float) -> float:
        """Return the side of a square of a visual angle, in units of the stage."""
        return 2 * self.distance_cm * math.tan(math.radians(degrees) / 2) / self.height_cm * HEIGHT

    def degrees(self, units: float) -> float:
        """Return the visual angle of a side in units of the stage."""
        return math.degrees(2 * math.atan(units / HEIGHT * self.height_cm / 2 / self.distance_cm))


@dataclass(slots=True)
class _Page:
    """What the drawing of one element needs to know of the others."""

    scene: Scene
    view: Viewing
    shapes: list[Shape] = field(default_factory=list)

    def add(self, do: str, id_: str, box: Box, **values: Any) -> None:
        self.shapes.append(Shape(do=do, id=id_, box=box, **values))

    def words(self, name: str, text: str, box: Box, size: float, **values: Any) -> None:
        if text:
            self.add("text", name, box, text=text, size=size, **{"fill": INK, **values})

    def has(self, *kinds: type[Element]) -> bool:
        return any(self.scene.find(kind) is not None for kind in kinds)


def lay_out(scene: Scene, view: Viewing | None = None) -> list[Shape]:
    """Return the shapes of a scene, in the order in which they are drawn.

    Parameters
    ----------
    scene : Scene
        What to show.
    view : Viewing, optional
        Language and distance.
    """
    page = _Page(scene, view or Viewing())
    # A warning lies over everything else.
    for element in sorted(scene.elements, key=lambda item: isinstance(item, Alert)):
        _DRAW[type(element)](page, element)
    return page.shapes


def background(scene: Scene) -> str:
    """Return the colour behind the stage: mid-grey where something flickers, so that targets swing around it."""
    return BACK if scene.find(Targets) is not None else CALM


def drawn(scene: Scene, view: Viewing) -> dict[str, Any]:
    """Return the shapes of a scene in each language and the colour behind them, for a renderer in another language."""
    shapes = {
        language: [shape.to_dict() for shape in lay_out(scene, replace(view, language=language))]
        for language in ("en", "zh")
    }
    return {"back": background(scene), **shapes}


def _text(page: _Page, item: Text) -> None:
    size = {"big": 88.0, "title": 76.0, "line": 60.0, "note": SMALLEST}[item.role]
    page.words("words", item.words.say(page.view.language), (120, 240, 1360, 330), size, bold=item.role == "title")


def _cue(page: _Page, item: Cue) -> None:
    text = item.words.say(page.view.language)
    if page.has(Targets):
        page.words("words", text, (560, 385, 480, 130), 48)
        return
    if item.symbol:
        # Between the hands, above the way of the ball, or alone.
        middle = (800.0, 390.0) if page.has(Hands) else (800.0, 170.0) if page.has(Meter) else (800.0, 360.0)
        for shape in symbol(item.symbol, middle, 120.0 if page.has(Hands, Meter) else 190.0):
            page.add(shape.pop("do"), "symbol", shape.pop("box"), **shape)
    page.words("words", text, (80, 660, 1440, 140), 72)


def _hands(page: _Page, item: Hands) -> None:
    for side, left in (("left", 170.0), ("right", 970.0)):
        box = (left, 70.0, 460.0, 500.0)
        asked = item.asked in (side, "both")
        if asked:
            colour = {"right": GREEN, "wrong": AMBER, "none": DIM}.get(item.outcome, LIT)
            thick = 12.0 if item.outcome else 6.0
            page.add("rect", f"ask:{side}", (left - 20, 50, 500, 540), line=colour, thick=thick, radius=36.0)
            if item.outcome == "wrong":
                # Not by its colour alone: a frame that is crossed out.
                bar = (left + 400.0, 70.0, 60.0, 14.0)
                page.add("rect", f"wrong:{side}", bar, fill=AMBER, radius=7.0)
        page.add("hand", f"hand:{side}", box, side=side, live=f"closure:{side}")
        if item.affected == side:
            text = say("affected").say(page.view.language)
            page.words("affected", text, (left - 20, 598, 500, 52), SMALLEST, fill=DIM)


def _matrix(page: _Page, item: Matrix) -> None:
    language = page.view.language
    named = dict(item.labels)
    if item.goal:
        page.words("goal", _in_words(item.goal, named, language), (200, 16, 1200, 64), 52, fill=DIM)
    if item.outcome == "none":
        said = words("outcomes", "none")
        page.words("outcome", "" if said is None else said.say(language), (40, 842, 480, 52), SMALLEST, fill=DIM)
    page.words("written", _in_words(item.written, named, language) + "_", (200, 82, 1200, 78), 66, bold=True)
    columns = max(len(row) for row in item.rows)
    width, height = 1360.0 / columns, 660.0 / len(item.rows)
    for number, row in enumerate(item.rows):
        for column, name in enumerate(row):
            box = (120.0 + column * width, 180.0 + number * height, width, height)
            inner = (box[0] + 8, box[1] + 6, box[2] - 16, box[3] - 12)
            if name == item.chosen:
                colour = {"wrong": AMBER, "right": GREEN}.get(item.outcome, LIT)
                page.add("rect", f"chosen:{name}", inner, fill=PANEL, line=colour, thick=10.0, radius=20.0)
                if item.outcome == "wrong":
                    bar = (box[0] + width / 2 - 30, box[1] + height - 34, 60.0, 12.0)
                    page.add("rect", f"wrong:{name}", bar, fill=AMBER, radius=6.0)
            elif name == item.wanted:
                page.add("rect", f"ask:{name}", inner, line=LIT, thick=5.0, radius=20.0)
            text = named[name].say(language) if name in named else _item_text(name, item, language)
            size = min(height * 0.62, 92.0) if len(text) == 1 else min(height * 0.42, 72.0)
            page.words(f"item:{name}", text, inner, size, fill=ITEM, bold=True, live=f"lit:{name}")


def _in_words(text: str, named: Mapping[str, Words], language: str) -> str:
    """Return a text of whole items in the words of a language; letters are as they were written."""
    parts = text.split(" ")
    return " ".join(named[part].say(language) for part in parts) if all(part in named for part in parts) else text


def spoken(name: str, scene: Scene, language: str) -> str:
    """Return what an item is called for the ear, as the scene that holds it says; "" where it stands for nothing."""
    matrix, targets = scene.find(Matrix), scene.find(Targets)
    named = dict(matrix.labels) if matrix is not None else {}
    named |= {target.item: target.words for target in (targets.targets if targets is not None else ())}
    if name in named:
        return named[name].say(language)
    text = name if matrix is None else _item_text(name, matrix, language)
    return title(name).say(language) if text == name else "" if text == "-" else text


def _item_text(name: str, item: Matrix, language: str) -> str:
    """Return what stands in the field of an item."""
    if name == "_":
        return say("space").say(language)
    if name == "<":
        return say("back").say(language)
    if name.startswith("#") and name[1:].isdigit():
        index = int(name[1:]) - 1
        return item.suggestions[index] if index < len(item.suggestions) else "-"
    return name


_COMPASS = {"up": (800.0, 140.0), "down": (800.0, 730.0), "left": (250.0, 450.0), "right": (1350.0, 450.0)}


LARGEST = 260.0
"""Side of a target at most, in units of the stage."""


def _grid(items: Sequence[str]) -> tuple[int, int, bool]:
    """Return columns and rows of targets, and whether they lie up, down, left and right instead."""
    columns = math.ceil(math.sqrt(len(items) * 1.6))
    return columns, math.ceil(len(items) / columns), all(item in _COMPASS for item in items)


def target_room(items: Sequence[str]) -> tuple[float, float]:
    """Return how large targets may be so that each has room with its name, and how large they are drawn at most.

    Parameters
    ----------
    items : sequence of str
        The targets in their order.

    Returns
    -------
    tuple of float
        Sides in units of the stage.
    """
    columns, rows, compass = _grid(items)
    if compass:
        return 212.0, 212.0
    wide, high = WIDTH / columns, HEIGHT / rows
    return min(LARGEST, wide - 40.0, high - 104.0), min(LARGEST, wide - 20.0, high - 28.0)


def _targets(page: _Page, item: Targets) -> None:
    items = [target.item for target in item.targets]
    side = min(page.view.units(item.size_deg), target_room(items)[1])
    columns, rows, compass = _grid(items)
    for number, target in enumerate(item.targets):
        row, column = divmod(number, columns)
        place = ((column + 0.5) * WIDTH / columns, (row + 0.5) * HEIGHT / rows)
        x, y = _COMPASS[target.item] if compass else place
        box = (x - side / 2, y - side / 2 - 14, side, side)
        around = (box[0] - 20, box[1] - 20, side + 40, side + 40)
        if target.item == item.chosen:
            colour = {"wrong": AMBER, "right": GREEN}.get(item.outcome, LIT)
            page.add("rect", f"chosen:{target.item}", around, line=colour, thick=12.0, radius=14.0)
            if item.outcome == "wrong":
                bar = (x - 30, box[1] + side + 6, 60.0, 12.0)
                page.add("rect", f"wrong:{target.item}", bar, fill=AMBER, radius=6.0)
        elif target.item == item.wanted:
            page.add("rect", f"ask:{target.item}", around, line=INK, thick=5.0, radius=14.0)
        page.add("rect", f"target:{target.item}", box, fill=BACK, line=FAINT, thick=3.0, live=f"level:{target.item}")
        name = (x - 160, box[1] + side + 22, 320.0, 50.0)
        page.words(f"name:{target.item}", target.words.say(page.view.language), name, SMALLEST)


def _rising(page: _Page, item: Rising) -> None:
    page.add("rect", "threshold", (420, 397, 760, 6), fill=DIM, radius=3.0)
    balloon = (720.0, 560.0, 160.0, 190.0)
    page.add("polygon", "string", (796, 750, 8, 90), fill=DIM, live="value:rise", number=500.0,
             points=((797.0, 750.0), (803.0, 750.0), (803.0, 830.0), (797.0, 830.0)))  # fmt: skip
    page.add("ellipse", "balloon", balloon, fill=LIT, live="value:rise", number=500.0)
    page.words("words", item.words.say(page.view.language), (420, 790, 760, 90), 56)


def _meter(page: _Page, item: Meter) -> None:
    if not item.steer:
        page.add("rect", "meter", (500, 806, 600, 26), fill=PANEL, radius=13.0)
        page.add("rect", "meter-fill", (500, 806, 600, 26), fill=LIT, radius=13.0, live="value:width")
        return
    if item.plane:
        places = {"left": (590.0, 330.0), "right": (1010.0, 330.0), "up": (800.0, 120.0), "down": (800.0, 540.0)}
        for side, (across, down) in places.items():
            line, thick = (LIT, 12.0) if item.wanted == side else (FAINT, 5.0)
            page.add("ellipse", f"goal:{side}", (across - 63.0, down - 63.0, 126.0, 126.0), line=line, thick=thick)
        page.add("ellipse", "ball", (765, 295, 70, 70), fill=INK, live="plane", number=210.0)
        return
    page.add("rect", "way", (200, 386, 1200, 8), fill=PANEL, radius=4.0)
    for side, x in (("left", 200.0), ("right", 1400.0)):
        wanted = item.wanted in (side, "both")
        box = (x - 90, 300.0, 180.0, 180.0)
        page.add("ellipse", f"goal:{side}", box, line=LIT if wanted else FAINT, thick=12.0 if wanted else 5.0)
    if item.gone:
        page.add("ellipse", "ball", (145 if item.gone == "left" else 1345, 335, 110, 110), fill=INK)
    else:
        page.add("ellipse", "ball", (745, 335, 110, 110), fill=INK, live="position", number=600.0)


def _film(page: _Page, item: Film) -> None:
    side = "left" if item.mirrored else "right"
    page.add("film", "film", (480, 80, 640, 480), name=item.name, side=side, live="film")
    page.words("words", item.words.say(page.view.language), (80, 660, 1440, 140), 72)


def _road(page: _Page, item: Road) -> None:
    language = page.view.language
    page.add("rect", "sky", (0, 0, 1600, 380), fill=SKY)
    page.add("rect", "ground", (0, 380, 1600, 330), fill=GROUND)
    page.add("polygon", "road", (200, 380, 1200, 330), fill=TARMAC,
             points=((740.0, 380.0), (860.0, 380.0), (1400.0, 710.0), (200.0, 710.0)))  # fmt: skip
    for side, near, far in (("left", 200.0, 740.0), ("right", 1400.0, 860.0)):
        edge = ((far - 2, 380.0), (far + 2, 380.0), (near + 12, 710.0), (near - 12, 710.0))
        page.add("polygon", f"edge:{side}", (min(near, far), 380, abs(near - far), 330), fill=DIM, points=edge)
    page.add("polygon", "lane", (780, 380, 40, 330), fill=DIM, live="drive", number=item.speed_kmh,
             points=((797.0, 380.0), (803.0, 380.0), (820.0, 710.0), (780.0, 710.0)))  # fmt: skip
    # As large as a car 1.8 m wide looks at this distance.
    width = min(max(4200.0 / max(item.distance, 5.0), 90.0), 420.0)
    top = 470.0 - 0.15 * width
    page.add("rect", "car-roof", (800 - 0.36 * width, top - 0.34 * width, 0.72 * width, 0.4 * width), fill="#39424c",
             radius=0.1 * width)  # fmt: skip
    page.add("rect", "car", (800 - width / 2, top, width, 0.48 * width), fill="#55606c", radius=0.08 * width)
    for side, x in (("left", 800 - 0.46 * width), ("right", 800 + 0.46 * width - 0.24 * width)):
        light = (x, top + 0.1 * width, 0.24 * width, 0.14 * width)
        page.add("rect", f"brake:{side}", light, fill=RED if item.braking else "#4a1f22", radius=0.03 * width)
    page.add("rect", "dashboard", (0, 710, 1600, 190), fill="#0b0e12")
    page.words("speed", f"{item.speed_kmh:.0f} km/h", (100, 760, 420, 90), 64, bold=True)
    if item.level:
        _sleepiness(page, item.level, language)


def _sleepiness(page: _Page, level: str, language: str) -> None:
    levels = ("alert", "some-sleepiness", "sleepy", "drowsy")
    reached = levels.index(level) if level in levels else 0
    colours = (GREEN, GREEN, AMBER, RED)
    for number in range(len(levels)):
        box = (1060.0 + 115 * number, 740.0, 100.0, 34.0)
        page.add(
            "rect", f"level:{levels[number]}", box, fill=colours[reached] if number <= reached else PANEL, radius=8.0
        )
    said = words("gauge", level)
    page.words("level", "" if said is None else said.say(language), (880, 790, 640, 90), 44)


def _alert(page: _Page, item: Alert) -> None:
    colour = AMBER if item.level == "sleepy" else RED
    page.add("rect", "alert", (160, 60, 1280, 220), fill=colour, line=INK, thick=8.0, radius=28.0)
    page.add("polygon", "alert-sign", (200, 95, 170, 150), fill="#101418",
             points=((285.0, 95.0), (370.0, 245.0), (200.0, 245.0)))  # fmt: skip
    page.words("alert-mark", "!", (240, 135, 90, 105), 90, bold=True, fill=colour)
    page.words("alert-words", item.words.say(page.view.language), (390, 75, 1020, 190), 88, bold=True, fill="#101418")


def _progress(page: _Page, item: Progress) -> None:
    if page.has(Road):
        return
    page.add("rect", "progress", (560, 872, 480, 10), fill=PANEL, radius=5.0)
    share = item.done / item.total if item.total else 0.0
    if share > 0:
        page.add("rect", "progress-done", (560, 872, 480 * share, 10), fill=DIM, radius=5.0)


def _score(page: _Page, item: Score) -> None:
    if not item.total and not item.right:
        return
    number = f"{item.right} / {item.total}" if item.total else f"{item.right}"
    text = f"{item.words.say(page.view.language)}: {number}"
    if page.has(Text, RestBreak, Instructions):
        page.words("score", text, (200, 690, 1200, 110), 76, fill=GREEN)
    elif not page.has(Matrix, Road, Targets):
        page.words("score", text, (1150, 834, 430, 52), SMALLEST, fill=DIM)


def _instructions(page: _Page, item: Instructions) -> None:
    language = page.view.language
    page.words("title", item.title.say(language), (120, 90, 1360, 130), 92, bold=True, fill=LIT)
    each = 480.0 / max(len(item.lines), 1)
    for number, line in enumerate(item.lines):
        box = (140.0, 260.0 + number * each, 1320.0, each - 20)
        page.words(f"line:{number + 1}", line.say(language), box, 72)
    for number in range(item.pages):
        box = (800.0 + 44 * (number - (item.pages - 1) / 2) - 11, 830.0, 22.0, 22.0)
        page.add("ellipse", f"page:{number + 1}", box, fill=INK if number + 1 == item.page else PANEL)


def _rest(page: _Page, item: RestBreak) -> None:
    page.words("words", item.words.say(page.view.language), (120, 200, 1360, 220), 92)
    if item.seconds >= 5.0:
        page.words("countdown", "0:00", (500, 440, 600, 190), 150, bold=True, fill=LIT, live="countdown",
                   number=item.seconds)  # fmt: skip


def _nothing(page: _Page, item: Any) -> None:
    """Draw nothing: a target is drawn with its menu."""


_DRAW: Mapping[type[Element], Callable[[_Page, Any], None]] = {
    Text: _text, Cue: _cue, Hands: _hands, Matrix: _matrix, Targets: _targets, Rising: _rising, Meter: _meter,
    Film: _film, Road: _road, Alert: _alert, Progress: _progress, Score: _score, Instructions: _instructions,
    RestBreak: _rest,
}  # fmt: skip
