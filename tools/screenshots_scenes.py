"""Takes the screenshots of what a person sees: every paradigm at three moments, window and page, languages and sizes.

uv run python tools/screenshots_scenes.py --out build/scenes      every picture, and the contact sheets there
uv run python tools/screenshots_scenes.py                         the contact sheets alone, into docs/images
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import chromium
from PIL import Image, ImageDraw
from PySide6.QtGui import QGuiApplication

from bcikit.outputs import open_output
from bcikit.paradigms import Paradigm, WindowRequest, make_paradigm, paradigm_names
from bcikit.paradigms.frames import Refresh
from bcikit.paradigms.scene import Alert, Cue, Hands, Matrix, Meter, Rising, Road, Scene, Targets
from bcikit.presentation.layout import Viewing, drawn
from bcikit.presentation.qt.painter import picture
from bcikit.presentation.rehearsal import rehearse, sure
from bcikit.presentation.show import Show
from bcikit.signal import Decision, Event, HostClock

SIZES = ((1280, 800), (1920, 1080))
LANGUAGES = ("en", "zh")
TILE = (256, 160)
COLUMNS = 2
"""Paradigms side by side on a sheet."""
SHORT = {
    "motor-imagery": {"calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 2, "affected_side": "left"},
    "calibration": {"trials_per_run": 2},
    "vr-imagery": {"calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 2},
    "motor-imagery-fes": {"calibration_runs": 1, "runs": 1, "trials_per_run": 4},
    "action-observation": {"calibration_runs": 1, "runs": 1, "trials_per_run": 4},
    "p300-speller": {"calibration": "A", "copy_text": "BRAIN", "max_selections": 5, "calibration_sequences": 2},
    "driving-vigilance": {"drive": 120.0},
    "emergency-braking": {"calibration_brakings": 5, "brakings": 3},
    "cursor": {"watched": 4, "trials": 1, "blocks": 1},
    "grip-force": {"watched": 4, "trials": 2, "blocks": 1},
    "neurofeedback-smr": {"baseline": 30.0, "blocks": 2, "block": 30.0},
    "neurofeedback-alpha": {"baseline": 30.0, "blocks": 2, "block": 30.0},
    "ssvep-menu": {"rounds": 1},
    "code-menu": {"rounds": 1, "calibration_rounds": 5},
}
"""Settings that make a rehearsal short."""


def knows(paradigm: Paradigm, request: WindowRequest) -> Decision:
    """Return what a decoder says that knows the wanted item of each flash, and the class of each trial."""
    decision = sure(paradigm, request)
    trial = paradigm.running(request) if hasattr(paradigm, "running") else None
    items, label = request.data.get("items"), "" if trial is None else trial.label
    if items is not None:
        likely = 0.97 if label in items else 0.03
        return replace(decision, probabilities=(likely, 1.0 - likely), label=None)
    if label in decision.classes:
        shares = tuple(0.9 if name == label else 0.1 / (len(decision.classes) - 1) for name in decision.classes)
        return replace(decision, probabilities=shares, label=label)
    return decision


def drowsy(paradigm: Paradigm, request: WindowRequest) -> Decision:
    """Return what a decoder says of a driver who falls asleep: powers that rise after the baseline."""
    decision = sure(paradigm, request)
    tired = request.stop_sample > 100 * paradigm.sfreq
    decision.data["powers"].update({"theta": 4.0, "alpha": 4.0} if tired else {})
    return decision


def moments(name: str) -> list[Scene]:
    """Return three scenes of a paradigm: its instructions, its task, and how it goes on or ends."""
    paradigm = make_paradigm({"base": name, "instructions": 5.0, **SHORT.get(name, {})})
    answer = drowsy if name == "driving-vigilance" else knows if name.startswith("p300") else sure
    scenes = [scene for _, scene in rehearse(paradigm, answer=answer)]
    first = next(scene for scene in scenes if scene.name == "instructions")
    wanted = {"flash", "cue", "gaze", "training", "drive", "attempt", "watch"}
    task = next((s for s in scenes if s.name == "watch" and s.elements[0].kind == "film"), None)
    task = task or next((s for s in scenes if s.name in wanted and s.find(Matrix) and s.name == "flash"), None)
    task = task or next((s for s in scenes if s.name in wanted and s.find(Hands) and s.find(Hands).asked), None)
    task = task or next((s for s in scenes if s.name in wanted), None)
    task = task or next((s for s in scenes if s.name in ("eyes-closed", "eyes-open")), None) or scenes[len(scenes) // 2]
    last = next((s for s in reversed(scenes) if s.find(Road) and s.find(Road).braking), None)
    last = last or next((s for s in reversed(scenes) if s.find(Alert)), None)
    outcomes = [s for s in scenes if s.name == "outcome"]
    last = last or next((s for s in reversed(outcomes) if not s.find(Matrix) or s.find(Matrix).chosen), None)
    return [first, task, last or scenes[-1]]


def state_of(scene: Scene) -> dict[str, object]:
    """Return what moves in a scene, in the middle of its movement."""
    lit = scene.find(Matrix).rows[0] if scene.name == "flash" else ()
    hands = scene.find(Hands)
    closed = {
        side: 0.85 if hands and hands.asked == side and hands.outcome == "right" else 0.0 for side in ("left", "right")
    }
    rises = 0.62 if scene.find(Rising) or scene.find(Meter) else 0.0
    levels = (
        {target.item: level for target, level in zip(scene.find(Targets).targets, (0.8, 0.2, 0.7, 0.4), strict=False)}
        if scene.name == "gaze" and scene.find(Targets)
        else {}
    )
    return {
        "lit": lit,
        "closure": closed,
        "value": rises,
        "position": -0.4 if scene.find(Meter) and "Imagine" in str(scene.find(Cue)) else 0.0,
        "levels": levels,
    }


def by_window(scene: Scene, language: str, width: int, height: int, path: Path) -> None:
    """Draw a scene as the window does."""
    show, now = Show(Refresh(60.0)), state_of(scene)
    show.scene = scene
    show.lit = dict.fromkeys(now["lit"], 9.0)  # type: ignore[call-overload]
    show.closure, show.value, show.position = now["closure"], now["value"], now["position"]  # type: ignore[assignment]
    picture(show, width, height, view=Viewing(language=language), now=2.0).save(str(path))


@contextmanager
def pages() -> Iterator[object]:
    """Open the page, with a session that has begun."""
    clock = HostClock()
    with open_output("ws:127.0.0.1:0?screen=1") as output, chromium.open_page(output.url) as page:
        page.until(chromium.READY)
        event, scene = Event(name="paradigm/start", time=clock.now(), sample=0), Scene(name="wait")
        values = {"time": event.time, "event": event.to_dict(), "scene": scene.to_dict()}
        output.inform({"type": "show", **values, "drawn": drawn(scene, Viewing())})
        page.until("!document.getElementById('stage').hidden")
        # It draws what it is asked for from now on, and nothing else.
        page.value("bcikit.presenter.frame = () => []")
        yield page


def by_page(page: object, scene: Scene, language: str, width: int, height: int, path: Path) -> None:
    """Draw a scene as the page does."""
    here = json.dumps({"drawn": drawn(scene, Viewing()), "scene": scene.to_dict(), **state_of(scene)})
    page.call(  # type: ignore[attr-defined]
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
    )
    draw = (
        f"(async () => {{ const s = {here}; const p = bcikit.presenter; "
        "Object.assign(p, { scene: s.scene, drawn: s.drawn, value: s.value, position: s.position }); "
        "Object.assign(p, { closure: s.closure, since: 0 }); "
        "p.lit = new Map(s.lit.map((i) => [i, 9])); "
        f"bcikit.scenes.language = '{language}'; bcikit.scenes.draw(p, 2); "
        "await new Promise((done) => setTimeout(done, 250)); bcikit.scenes.draw(p, 2); })()"
    )
    page.call("Runtime.evaluate", expression=draw, awaitPromise=True)  # type: ignore[attr-defined]
    path.write_bytes(page.picture())  # type: ignore[attr-defined]


def contact_sheet(files: list[list[Path]], names: list[str], path: Path) -> None:
    """Put the pictures of a renderer on one sheet: three of each paradigm."""
    label, wide = 22, 3 * TILE[0] + 12
    rows = -(-len(files) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * wide, rows * (TILE[1] + label)), "#ffffff")
    pen = ImageDraw.Draw(sheet)
    for number, (name, paths) in enumerate(zip(names, files, strict=True)):
        left, top = number // rows * wide, number % rows * (TILE[1] + label)
        pen.text((left + 6, top + 5), name, fill="#101418")
        for column, file in enumerate(paths):
            with Image.open(file) as shot:
                tile = shot.convert("RGB").resize(TILE, Image.Resampling.LANCZOS)
            sheet.paste(tile, (left + column * TILE[0], top + label))
    sheet.quantize(96, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, help="where every picture goes; without it only the sheets are kept")
    parser.add_argument("--only", nargs="*", default=list(paradigm_names()))
    given = parser.parse_args()
    application = QGuiApplication.instance() or QGuiApplication(sys.argv[:1])
    scenes = {name: moments(name) for name in given.only}
    sizes = SIZES if given.out else SIZES[:1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)

        def place(renderer: str, name: str, number: int, language: str, size: tuple[int, int]) -> Path:
            return folder / f"{renderer}-{name}-{number + 1}-{language}-{size[0]}x{size[1]}.png"

        with pages() as page:
            for name, shown in scenes.items():
                for number, scene in enumerate(shown):
                    for language in LANGUAGES:
                        for size in sizes:
                            by_window(scene, language, *size, place("window", name, number, language, size))
                            by_page(page, scene, language, *size, place("page", name, number, language, size))
        sheets = given.out or ROOT / "docs" / "images"
        for renderer, languages in (("window", LANGUAGES), ("page", LANGUAGES)):
            # The documentation shows each renderer and each language once.
            for language in languages if given.out else [languages[renderer == "page"]]:
                files = [[place(renderer, name, n, language, SIZES[0]) for n in range(3)] for name in scenes]
                contact_sheet(files, list(scenes), sheets / f"scenes-{renderer}-{language}.png")
        by_window(moments("motor-imagery")[1], "en", 800, 450, sheets / "scene-motor-imagery-en.png")
        sys.path.append(str(ROOT / "examples" / "plugin" / "src"))
        from nlab.paradigm import Lamp, LampSettings

        lamp = next(s for _, s in rehearse(Lamp(LampSettings(trials=2))) if s.name == "cue")
        by_window(lamp, "en", 640, 360, sheets / "scene-plugin-en.png")
    del application


if __name__ == "__main__":
    main()
