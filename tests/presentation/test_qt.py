"""The Qt renderer: pictures that were really painted, and the times at which they were."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QGuiApplication, QImage, QPainter

from bcikit.paradigms import make_paradigm, paradigm_names
from bcikit.paradigms.films import film_names, load_film
from bcikit.paradigms.frames import Refresh
from bcikit.paradigms.scene import Cue, Film, Hands, Matrix, RestBreak, Scene, Text, Words
from bcikit.presentation.director import Director
from bcikit.presentation.layout import SMALLEST, Viewing, lay_out
from bcikit.presentation.qt.painter import StagePainter, picture
from bcikit.presentation.qt.view import SceneView
from bcikit.presentation.qt.window import PatientWindow, beside, rest
from bcikit.presentation.rehearsal import rehearse
from bcikit.presentation.show import Show
from bcikit.presentation.symbols import symbol
from bcikit.signal import DataError, Event, HostClock
from tests.presentation.test_scene import SHORT


def pixels(image):
    """Return the picture as an array of shape (height, width, 3)."""
    data = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return data[:, : image.width(), 2::-1].astype(int)


def shown(scene, **values):
    show = Show(Refresh(60.0))
    show.scene = scene
    for key, value in values.items():
        setattr(show, key, value)
    return show


def message(event, scene=None):
    return {"type": "show", "event": event.to_dict(), "scene": None if scene is None else scene.to_dict()}


class Silent:
    """Takes what is to be heard, and plays nothing."""

    why = ""

    def __init__(self):
        self.played = []

    def play(self, frequency, seconds):
        self.played.append(("tone", frequency))
        return True

    def speak(self, text, language):
        self.played.append((language, text))
        return True


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", paradigm_names())
def test_every_scene_of_every_paradigm_fits_and_can_be_read_at_two_metres(qapp, name, language):
    scenes = {scene for _, scene in rehearse(make_paradigm({"base": name, "instructions": 5.0, **SHORT.get(name, {})}))}
    chosen = sorted(scenes, key=lambda scene: (scene.name, str(scene)))
    for width, height, some in ((1280, 800, chosen[::3]), (1366, 768, chosen[::9]), (1920, 1080, chosen[::9])):
        for scene in some:
            stage = StagePainter(Viewing(language=language))
            image = QImage(width, height, QImage.Format.Format_RGB32)
            painter = QPainter(image)
            stage.paint(painter, width, height, shown(scene), 0.0, patch=False)
            painter.end()
            window = QRectF(-1, -1, width + 2, height + 2)
            for key, place in stage.places.items():
                assert window.contains(place) or place.isEmpty(), (scene.name, key, place)
    for scene in scenes:
        # Words on the stage are never smaller than what 2 m allow, but for what does not fit at all.
        assert all(shape.size >= SMALLEST for shape in lay_out(scene, Viewing(language=language)) if shape.do == "text")


def test_the_matrix_that_is_painted_holds_its_letters_and_a_flash_lights_them(qapp):
    scene = Scene(name="flash", elements=(Matrix(rows=(("A", "B"), ("C", "D")), wanted="A"),))
    calm = pixels(picture(shown(scene), 1280, 800))
    lit = pixels(picture(shown(scene, lit={"A": 9.0, "B": 9.0}), 1280, 800))
    change = (lit != calm).any(axis=2)
    rows = np.flatnonzero(change.any(axis=1))
    assert change.sum() > 500
    # The upper row of letters is brighter, nothing else has changed.
    assert 160 < rows.min() < rows.max() < 480
    assert lit[change].mean() > calm[change].mean() + 60
    blank = pixels(picture(shown(scene, blanked=True), 1280, 800))
    assert np.unique(blank.reshape(-1, 3), axis=0).shape[0] == 1


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_that_closes_is_the_one_of_the_command(qapp, side):
    show = shown(Scene(name="cue", elements=(Hands(asked=side),)))
    before = pixels(picture(show, 1280, 800))
    data = {"class": f"{side}_hand"}
    show.take({"type": "command", "name": "close", "value": 1.0, "ttl": 0.5, "data": data}, 100.0)
    for frame in range(30):
        show.frame(100.0 + frame / 60)
    assert show.closure[side] > 0.9
    assert show.closure["right" if side == "left" else "left"] == 0.0
    changed = np.flatnonzero((pixels(picture(show, 1280, 800)) != before).any(axis=(0, 2)))
    assert changed.max() < 640 if side == "left" else changed.min() > 640
    # Not renewed, it lets go by itself.
    for frame in range(90):
        show.frame(100.5 + frame / 60)
    assert show.closure[side] == 0.0


def test_a_wrong_decision_looks_different_from_a_right_one_also_without_colours(qapp):
    grey = []
    for outcome in ("right", "wrong", "none"):
        scene = Scene(elements=(Hands(asked="left", outcome=outcome), Cue(symbol="tick" if outcome == "right" else "")))
        grey.append(pixels(picture(shown(scene), 1280, 800)).mean(axis=2))
    assert all(
        (np.abs(a - b) > 40).sum() > 400 for a, b in ((grey[0], grey[1]), (grey[1], grey[2]), (grey[0], grey[2]))
    )


def test_each_flip_is_stamped_when_it_was_painted_and_never_before_it_was_due(qtbot):
    flips = []
    view = SceneView(refresh=Refresh(60.0), delay=0.1, on_flip=flips.append, sounds=Silent())
    qtbot.addWidget(view)
    view.show()
    scene = Scene(name="flash", elements=(Matrix(rows=(("A", "B"), ("C", "D"))),))
    begin = HostClock().now() + 0.2
    view.take(message(Event(name="phase/flash", time=begin - 0.2), scene))
    for number in range(12):
        flash = Event(
            name="stimulus/flash", time=begin + number * 0.175, sample=number, duration=0.1, data={"items": ["A"]}
        )
        view.take(message(flash))
    qtbot.waitUntil(lambda: len(flips) == 13, timeout=60_000)
    late = [flip.shown - flip.due for flip in flips[1:]]
    # A frame and a half: a plan falls between two frames, and so does the first of a run.
    assert min(late) > -0.03
    assert flips[1].report()["sample"] == 0
    # Two that a busy machine shows at once are one picture.
    assert view.painted >= len({flip.shown for flip in flips})


def test_a_window_that_cannot_be_seen_paints_nothing_and_a_copy_makes_no_sound(qtbot):
    sounds = Silent()
    view = SceneView(copy=True, sounds=sounds)
    qtbot.addWidget(view)
    view.show()
    view.take(message(Event(name="sound/beep", time=HostClock().now(), data={"frequency": 1000.0})))
    qtbot.wait(300)
    assert sounds.played == []


def test_a_warning_is_painted_and_sounded_within_200_ms(qtbot, stalls):
    flips, sounds = [], Silent()
    view = SceneView(refresh=Refresh(60.0), on_flip=flips.append, sounds=sounds)
    qtbot.addWidget(view)
    view.show()
    paradigm = make_paradigm("driving-vigilance")
    scene = paradigm.scene(Event(name="phase/driving", time=0.0), Scene())
    view.take(message(Event(name="phase/driving", time=HostClock().now()), scene))
    qtbot.waitUntil(lambda: len(flips) == 1, timeout=60_000)
    delays, waited = [], stalls()
    for number in range(5):
        # A machine under load may miss once.
        now = HostClock().now()
        warning = Event(name="advice/drowsy", time=now, value=8.0, sample=number)
        view.take(message(warning, paradigm.scene(warning, scene)))
        qtbot.waitUntil(lambda count=number: len(flips) == count + 2, timeout=60_000)
        sounded = view.heard()[-1]
        assert sounded["audible"]
        assert sounded["name"] == "advice/drowsy"
        delays.append(max(flips[-1].shown, sounded["shown"]) - now)
    assert min(delays) <= 0.2 + waited.seconds
    assert ("tone", 880.0) in sounds.played
    assert ("en", "Stop and take a break now") in sounds.played
    assert "Stop" in view.accessibleDescription()


def test_a_stop_ends_flicker_and_light_at_once_and_is_said_until_it_is_over(qapp, monkeypatch):
    show = shown(Scene(name="flash", elements=(Matrix(rows=(("A", "B"),)),)), lit={"A": 99.0})
    show.take({"type": "safe"}, 5.0)
    assert show.lit == {}
    paradigm = make_paradigm("motor-imagery")
    director = Director(paradigm)
    cue = Event(name="cue/left_hand", time=1.0)
    assert director.on_event(cue)[0].find(Hands).asked == "left"
    # No handle is left: a stop opens no file.
    monkeypatch.setattr("bcikit.presentation.director.say", None)
    assert director.on_stop(stopped=True).find(Text).words.zh
    assert director.on_stop(stopped=True) is None
    assert director.on_event(Event(name="cue/right_hand", time=2.0)) == (None, False)
    assert director.on_stop(stopped=False).find(Hands).asked == "right"


def test_a_break_counts_down(qapp):
    show = Show(Refresh(60.0), delay=0.0)
    scene = Scene(name="break", elements=(RestBreak(words=Words("Rest"), seconds=90.0),))
    show.take(message(Event(name="phase/break", time=10.0, duration=90.0), scene), 10.0)
    show.frame(10.0)
    assert show.countdown(90.0, 10.0) == "1:30"
    assert show.countdown(90.0, 40.0) == "1:00"
    assert show.countdown(90.0, 200.0) == "0:00"
    assert (pixels(picture(show, 640, 360, now=10.0)) != pixels(picture(show, 640, 360, now=40.0))).any()


def test_films_run_and_are_mirrored_for_the_left_hand(qapp):
    assert set(film_names()) == {"hand-open", "reach-cup"}
    show = shown(Scene(elements=(Film(name="hand-open"),)))
    first, later = (pixels(picture(show, 640, 360, now=now)) for now in (0.0, 2.0))
    assert (first != later).any()
    mirrored = pixels(picture(shown(Scene(elements=(Film(name="hand-open", mirrored=True),))), 640, 360, now=2.0))
    box = np.s_[40:220, 200:440]
    assert np.abs(mirrored[box][:, ::-1] - later[box]).mean() < 6


def test_a_clinic_adds_its_own_film(tmp_path):
    from PIL import Image

    path = tmp_path / "lift.gif"
    frames = [Image.new("RGB", (32, 24), (40 * number, 0, 0)) for number in range(5)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    film = load_film(str(path))
    assert (film.frames, film.seconds) == (5, pytest.approx(0.5))
    assert film.frame_at(0.25) == (2.0 * 480, 0.0, 480.0, 360.0)
    with pytest.raises(DataError, match="ffmpeg"):
        load_film("movement.mp4")
    with pytest.raises(DataError, match="no such file"):
        load_film(str(tmp_path / "gone.gif"))
    (tmp_path / "broken.gif").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match="cannot be read"):
        load_film(str(tmp_path / "broken.gif"))


@pytest.mark.parametrize(("stated", "shown"), [(0, 0.1), (1, 0.1), (2, 0.02), (25, 0.25)])
def test_pictures_of_a_film_that_state_no_time_are_shown_as_long_as_in_a_browser(tmp_path, stated, shown):
    from PIL import Image

    path = tmp_path / "lift.gif"
    frames = [Image.new("RGB", (32, 24), (40 * number, 0, 0)) for number in range(5)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    # What stands in a GIF are hundredths of a second, and Pillow writes no 0.
    path.write_bytes(re.sub(rb"(\x21\xf9\x04.)\x0a\x00", rb"\g<1>" + bytes((stated, 0)), path.read_bytes(), flags=re.S))
    film = load_film(str(path))
    assert (film.frames, film.rate) == (5, pytest.approx(1 / shown))


def test_whole_items_are_written_in_the_language_of_the_person(qapp):
    labels = (("YES", Words("YES", "是")), ("NO", Words("NO", "不")))
    scene = Scene(elements=(Matrix(rows=(("YES", "NO"),), goal="YES NO", written="YES", labels=labels),))
    texts = {shape.id: shape.text for shape in lay_out(scene, Viewing(language="zh"))}
    assert (texts["goal"], texts["written"]) == ("是 不", "是_")
    letters = Scene(elements=(Matrix(rows=(("A", "B"),), goal="AB", written="A"),))
    texts = {shape.id: shape.text for shape in lay_out(letters, Viewing(language="zh"))}
    assert (texts["goal"], texts["written"]) == ("AB", "A_")


@pytest.mark.parametrize("how", ["hidden", "minimised", "blank"])
def test_what_nobody_can_see_is_no_flip(qtbot, how):
    flips = []
    view = SceneView(refresh=Refresh(60.0), delay=0.02, on_flip=flips.append, sounds=Silent())
    qtbot.addWidget(view)
    if how == "minimised":
        view.showMinimized()
    elif how == "blank":
        view.show()
        view.blank()
    view.take(
        message(Event(name="cue/left_hand", time=HostClock().now(), sample=1), Scene(elements=(Hands(asked="left"),)))
    )
    qtbot.waitUntil(lambda: view.show_.scene.elements != (), timeout=60_000)
    qtbot.wait(100)
    assert flips == []
    view.blank(blanked=False)
    view.showNormal()
    view.take(message(Event(name="cue/right_hand", time=HostClock().now(), sample=2), Scene(elements=(Hands(),))))
    qtbot.waitUntil(lambda: len(flips) == 1, timeout=60_000)
    assert flips[0].event.sample == 2


def test_a_display_that_is_unplugged_never_leaves_the_picture_on_the_therapists_windows(qtbot, monkeypatch):
    view = SceneView(refresh=Refresh(60.0), sounds=Silent())
    window = PatientWindow(view)
    qtbot.addWidget(window)
    primary, told = window.screen(), []

    class Second:
        def geometry(self):
            return QRect(5000, 0, 640, 480)

    displays = [primary, Second()]
    monkeypatch.setattr(QGuiApplication, "screens", lambda: displays)
    window.on_display = lambda: told.append(window.geometry())
    window.place("second")
    del displays[1]
    QGuiApplication.instance().screenRemoved.emit(primary)
    qtbot.waitUntil(lambda: len(told) == 1, timeout=60_000)
    assert told[0] == beside(primary.availableGeometry())
    assert not window.isFullScreen()
    assert window.isVisible()


def test_a_window_that_is_moved_to_another_display_goes_by_its_rate_and_tells_the_session(qtbot, monkeypatch):
    view = SceneView(sounds=Silent())
    window = PatientWindow(view)
    qtbot.addWidget(window)
    told = []
    window.on_display = lambda: told.append(view.show_.presenter.refresh.rate)
    window.place("window")
    before = view.show_.presenter.refresh.rate
    monkeypatch.setattr(view, "screen", lambda: SimpleNamespace(refreshRate=lambda: 2 * before))
    window.windowHandle().screenChanged.emit(window.screen())
    qtbot.waitUntil(lambda: told == [2 * before], timeout=60_000)
    # The rate of the display itself changes.
    monkeypatch.setattr(view, "screen", lambda: SimpleNamespace(refreshRate=lambda: before))
    window.screen().refreshRateChanged.emit(before)
    qtbot.waitUntil(lambda: told == [2 * before, before], timeout=60_000)
    assert view._tick == before


def test_the_rate_of_a_machine_that_is_slower_than_its_display_counts(qtbot, monkeypatch):
    view = SceneView(refresh=Refresh(144.0), sounds=Silent())
    qtbot.addWidget(view)
    view.show()
    now = [100.0]

    def slowly():
        now[0] += 0.02
        return now[0]

    monkeypatch.setattr(view._clock, "now", slowly)
    # Two looks at the clock a frame: 25 frames a second.
    assert 20.0 <= view.measure_refresh() <= 30.0
    assert view.show_.presenter.refresh.rate < 30.0
    monkeypatch.undo()
    # Frames come at that rate from then on, and what is planned is shown when it is due, not before.
    flips = []
    view._start, view._ticks, view._now, view._on_flip = HostClock().now(), 0, HostClock().now(), flips.append
    view._timer.start(0)
    begin = HostClock().now() + 0.1
    for number in range(6):
        data = {"items": ["A"]}
        flash = Event(name="stimulus/flash", time=begin + 0.2 * number, sample=number, duration=0.1, data=data)
        view.take(message(flash, Scene(elements=(Matrix(rows=(("A", "B"),)),)) if number == 0 else None))
    qtbot.waitUntil(lambda: len(flips) == 6, timeout=60_000)
    assert min(flip.shown - flip.due for flip in flips) > -0.05


def test_what_is_to_be_heard_is_said_in_the_language_of_the_person_and_reported(qtbot):
    sounds = Silent()
    view = SceneView(refresh=Refresh(60.0), delay=0.02, sounds=sounds)
    qtbot.addWidget(view)
    view.show()

    def sounded(name, scene=None, **data):
        view.take(message(Event(name=name, time=HostClock().now(), sample=3, data=data), scene))
        heard = []
        qtbot.waitUntil(lambda: heard.extend(view.heard()) or bool(heard), timeout=60_000)
        assert (heard[0]["name"], heard[0]["sample"]) == (name, 3)
        return heard[0]

    words = {"text": "close your eyes", "text_zh": "闭上眼睛"}
    assert sounded("sound/words", **words)["audible"]
    view.language = "zh"
    assert view.language == "zh"
    assert sounded("sound/words", **words)["audible"]
    assert sounded("sound/start")["audible"]
    assert sounded("select/YES", Scene(elements=(Matrix(rows=(("YES",),), written="YES"),)), item="是")["audible"]
    assert sounds.played == [("en", "close your eyes"), ("zh", "闭上眼睛"), ("zh", "start"), ("zh", "是")]
    # By its words and not by its identifier, and what it is taken for in the scene that holds it.
    keys = Scene(
        elements=(Matrix(rows=(("_", "<"), ("NO", "#1")), labels=(("NO", Words("NO", "不")),), suggestions=("水",)),)
    )
    for item in ("left_hand", "_", "<", "NO", "#1"):
        assert sounded(f"select/{item}", keys, item=item)["audible"]
    assert [text for _, text in sounds.played[4:]] == ["左手", "空格", "退格", "不", "水"]
    # What is taken back has no word: it is not "not heard".
    view.take(message(Event(name="select/undo", time=HostClock().now(), sample=3, data={"text": ""}), keys))
    assert sounded("sound/start")["audible"]
    assert len(sounds.played) == 10
    # A computer that cannot speak: the session hears that nothing was heard, and why.
    sounds.speak = lambda *_: False
    silent = sounded("sound/start")
    assert (silent["audible"], silent["why"]) == (False, "nothing on this computer speaks")
    assert view.state()["n"] == 0, "nothing of it was a stimulus to be seen"


def test_a_window_that_fills_the_only_screen_and_keys_that_do_nothing_there(qtbot):
    view = SceneView(refresh=Refresh(60.0), sounds=Silent())
    window = PatientWindow(view)
    qtbot.addWidget(window)
    window.place("full")
    assert window.isFullScreen()
    screen = window.screen()
    told = []
    window.on_display = lambda: told.append(window.geometry())
    # Only what stands on the second display takes a place anew.
    QGuiApplication.instance().screenAdded.emit(screen)
    qtbot.keyClick(window, "x")
    assert told == []
    assert window.isFullScreen()
    whole = QRect(0, 0, 1280, 800)
    assert rest(whole).width() + beside(whole).width() == 1280
    assert not rest(whole).intersects(beside(whole))


def test_a_choice_is_marked_also_without_colours_and_what_is_wanted_is_ringed(qapp):
    def shapes(**values):
        matrix = Matrix(rows=(("A", "_"), ("<", "#1"), ("#2", "YES")), suggestions=("HELLO",), **values)
        return {shape.id: shape for shape in lay_out(Scene(elements=(matrix,)), Viewing(language="en"))}

    right, wrong = (shapes(chosen="A", outcome=outcome, wanted="YES") for outcome in ("right", "wrong"))
    assert "wrong:A" not in right
    assert "wrong:A" in wrong
    assert right["chosen:A"].line != wrong["chosen:A"].line
    assert "ask:YES" in wrong
    assert [wrong[f"item:{name}"].text for name in ("A", "#1", "#2", "YES")] == ["A", "HELLO", "-", "YES"]
    assert wrong["item:_"].text
    assert wrong["item:<"].text
    assert shapes(outcome="none")["outcome"].text


@pytest.mark.parametrize(("name", "count"), [("both", 2), ("feet", 1), ("tongue", 1), ("rest", 1), ("left", 1)])
def test_each_symbol_lies_about_its_middle_and_points_where_it_says(name, count):
    shapes = symbol(name, (800.0, 450.0), 100.0)
    assert len(shapes) == count
    boxes = [shape["box"] for shape in shapes]
    left, right = min(box[0] for box in boxes), max(box[0] + box[2] for box in boxes)
    assert (left + right) / 2 == pytest.approx(800.0, abs=1.0)
    points = [point for shape in shapes for point in shape.get("points", ())]
    tip = {"feet": (800.0, 550.0), "tongue": (800.0, 350.0), "left": (700.0, 450.0)}.get(name)
    assert tip is None or tip in points
    assert symbol("no symbol", (0.0, 0.0), 1.0) == []


@pytest.mark.parametrize("value", [{"ttl": "long"}, {"ttl_ms": {}}, {"data": 3}, {"ttl_ms": "x", "data": {}}])
def test_a_command_that_is_wrong_lets_the_hand_go_and_is_named(value):
    show = shown(Scene(elements=(Hands(asked="left"),)))
    show.take({"type": "command", "name": "close", "value": 1.0, "ttl": 5.0, "data": {"class": "left_hand"}}, 100.0)
    show.frame(100.0)
    show.frame(101.0)
    assert show.closure["left"] > 0.9
    with pytest.raises(DataError, match="a command is wrong"):
        show.take({"type": "command", "name": "close", **value}, 101.0)
    for frame in range(60):
        show.frame(101.0 + frame / 60)
    assert show.closure["left"] == 0.0
    show.take({"type": "unknown"}, 102.0)


def test_the_window_without_a_session_says_so_and_ends_with_2(monkeypatch, capsys):
    from bcikit.presentation.__main__ import main

    monkeypatch.setattr("sys.argv", ["bcikit.presentation", "--place", "window"])
    monkeypatch.setenv("BCIKIT_SCREEN", "ws://127.0.0.1:9/ws?token=none")
    assert main() == 2
    assert "The session does not let the window in" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["bcikit.presentation", "--place", "third"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "invalid choice: 'third'" in capsys.readouterr().err
