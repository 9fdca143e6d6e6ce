"""A scene is data: what every paradigm shows of itself, in two languages, without a window."""

import json

import pytest

from bcikit.paradigms import Paradigm, make_paradigm, paradigm_names
from bcikit.paradigms.scene import (
    BLANK,
    KINDS,
    Alert,
    Cue,
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
    Target,
    Targets,
    Text,
    Words,
)
from bcikit.paradigms.schedule import Planned
from bcikit.paradigms.settings import ParadigmSettings
from bcikit.presentation.layout import HEIGHT, WIDTH, lay_out
from bcikit.signal import ArgumentError, ConfigError, Event

SHORT = {
    "motor-imagery": {"calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 2},
    "calibration": {"trials_per_run": 2},
    "vr-imagery": {"calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 2},
    "motor-imagery-fes": {"calibration_runs": 1, "runs": 1, "trials_per_run": 4},
    "action-observation": {"calibration_runs": 1, "runs": 1, "trials_per_run": 4},
    "p300-speller": {"calibration": "A", "copy_text": "BR", "max_selections": 3, "calibration_sequences": 2},
    "driving-vigilance": {"drive": 120.0},
    "emergency-braking": {"calibration_brakings": 5, "brakings": 3},
    "neurofeedback-smr": {"baseline": 30.0, "blocks": 2, "block": 30.0},
    "neurofeedback-alpha": {"baseline": 30.0, "blocks": 2, "block": 30.0},
    "ssvep-menu": {"rounds": 1},
    "code-menu": {"rounds": 1, "calibration_rounds": 5},
    "brain-switch": {"calibration_trials": 5, "trials": 2},
    "error-potential": {"calibration_trials": 40, "trials": 4},
    "cursor": {"watched": 4, "trials": 1, "blocks": 1},
    "grip-force": {"watched": 4, "trials": 2, "blocks": 1},
}


def scenes(seen, kind):
    return [scene.find(kind) for _, scene in seen if scene.find(kind) is not None]


def every_words(value):
    if isinstance(value, dict):
        if value.keys() == {"en", "zh"}:
            yield value
        else:
            for item in value.values():
                yield from every_words(item)
    elif isinstance(value, list):
        for item in value:
            yield from every_words(item)


@pytest.mark.parametrize("name", paradigm_names())
def test_every_shipped_paradigm_tells_shows_and_ends_in_both_languages(played, name):
    seen = played(name, instructions=5.0, **SHORT.get(name, {}))
    pages = scenes(seen, Instructions)
    assert {page.page for page in pages} == {1, 2}
    assert all(page.pages == 2 and page.lines for page in pages)
    names = [scene.name for _, scene in seen]
    assert names[-1] == "end"
    assert seen[-1][1].find(Text).words.en.startswith("Well done")
    assert len(set(names)) >= 4
    for event, scene in seen:
        values = scene.to_dict()
        assert Scene.from_dict(json.loads(json.dumps(values))) == scene
        for found in every_words(values):
            assert bool(found["en"]) == bool(found["zh"]), (event.name, found)


def test_practice_comes_after_the_instructions_and_counts_for_nothing(played):
    paradigm = make_paradigm({"base": "motor-imagery", "instructions": 5.0, **SHORT["motor-imagery"]})
    seen = played(paradigm)
    kinds = [event.data["kind"] for event, _ in seen if event.name == "block/start"]
    assert kinds[:3] == ["instructions", "instructions", "practice"]
    cues = [event for event, _ in seen if event.name.startswith("cue/")]
    assert [event.data.get("practice") for event in cues] == [True, None, None, None, None]
    results = paradigm.results()
    assert (results["n_calibration_trials"], results["n_trials"]) == (2, 2)


def test_the_therapist_skips_a_page():
    paradigm = make_paradigm({"base": "resting-state", "instructions": 60.0})
    from bcikit.signal import StreamInfo

    paradigm.configure(StreamInfo(name="test", sfreq=250.0, ch_names=("Cz",)), seed=1)
    paradigm.start(0, 0.0)
    paradigm.advance(500, 2.0)
    assert [event.name for event in paradigm.on_operator("skip", 500, 2.0)] == ["therapist/skip"]
    events = paradigm.advance(600, 2.4)
    assert [event.name for event in events] == ["block/end", "block/start", "phase/instructions"]
    assert events[-1].data["page"] == 2


def test_imagery_shows_two_hands_and_a_wrong_decision_looks_different(played):
    seen = played("motor-imagery", affected_side="left", **SHORT["motor-imagery"])
    asked = {hands.asked for hands in scenes(seen, Hands)}
    assert {"left", "right", ""} <= asked
    assert {hands.affected for hands in scenes(seen, Hands)} == {"left"}
    # The decoder of this test always says the left hand: one trial is right, the other wrong.
    outcomes = {(hands.asked, hands.outcome) for hands in scenes(seen, Hands) if hands.outcome}
    assert outcomes == {("left", "right"), ("right", "wrong")}
    said = {cue.words.en for _, scene in seen if scene.name == "outcome" and (cue := scene.find(Cue)) is not None}
    assert said == {"Correct", "Not this time"}
    assert any(isinstance(item, Meter) for _, scene in seen for item in scene.elements)
    assert scenes(seen, Score)[-1] == Score(right=1, total=2, words=Words("Correct", "正确"))
    assert max(progress.done for progress in scenes(seen, Progress)) == 2


def test_breaks_say_how_long_they_are(played):
    seen = played("motor-imagery", **SHORT["motor-imagery"])
    breaks = [scene.find(RestBreak) for _, scene in seen if scene.name == "break"]
    assert breaks
    assert breaks[0].seconds == 30.0


def test_the_speller_shows_letters_the_wanted_one_and_the_text(played):
    seen = played("p300-speller", predictions=0, **SHORT["p300-speller"])
    matrices = scenes(seen, Matrix)
    assert {item for matrix in matrices for row in matrix.rows for item in row} >= set("ABCXYZ<_")
    assert {matrix.wanted for matrix in matrices} >= {"A", "B"}
    assert {matrix.goal for matrix in matrices} == {"BR"}
    assert any(matrix.wanted and scene.name == "flash" for _, scene in seen if (matrix := scene.find(Matrix)))


def test_words_that_are_proposed_stand_in_the_scene(played):
    rows = ["ABCDEF", "GHIJKL", "MNOPQR", "STUVWX", "YZ_<12", ["#1", "#2", "3", "4", "5", "6"]]
    seen = played("p300-speller", rows=rows, predictions=2, **SHORT["p300-speller"])
    assert any(len(matrix.suggestions) == 2 for matrix in scenes(seen, Matrix))


def test_the_menu_rings_what_is_asked_for_from_the_first_trial_on(played):
    seen = played("ssvep-menu", **SHORT["ssvep-menu"])
    first = next(scene for event, scene in seen if event.name.startswith("cue/") and event.name != "cue/none")
    assert first.find(Targets).wanted in ("up", "down", "left", "right")
    for event, scene in seen:
        if event.name == "stimulus/flicker" and event.data["target"]:
            assert scene.find(Targets).wanted == event.data["target"]


def test_a_drive_shows_brake_lights_and_warns(played):
    seen = played("emergency-braking", **SHORT["emergency-braking"])
    lit = [scene.find(Road).braking for event, scene in seen if event.name == "stimulus/lead-brake"]
    assert lit
    assert all(lit)
    assert not any(scene.find(Road).braking for event, scene in seen if event.name == "label/cruise")
    warned = [scene.find(Alert) for event, scene in seen if event.name == "advice/brake"]
    assert warned
    assert all(alert is not None and alert.words.zh for alert in warned)


def test_a_sleepy_driver_is_warned_until_it_is_better():
    paradigm = make_paradigm("driving-vigilance")
    scene = paradigm.scene(Event(name="phase/driving", time=0.0), BLANK)
    assert scene.find(Road).level == "alert"
    scene = paradigm.scene(Event(name="advice/drowsy", time=1.0, value=8.2), scene)
    assert scene.find(Alert).words.en == "Stop and take a break now"
    scene = paradigm.scene(Event(name="advice/some-sleepiness", time=2.0, value=6.2), scene)
    assert scene.find(Alert) is None


@pytest.mark.parametrize("count", [2, 4, 12, 40, 64])
@pytest.mark.parametrize("compass", [False, True])
def test_no_target_lies_over_the_edge_or_over_another_one(count, compass):
    names = ["up", "down", "left", "right"] if compass else [f"t{number}" for number in range(count)]
    targets = Targets(
        targets=tuple(Target(item=name, words=Words(name), frequency=10.0) for name in names), size_deg=30.0
    )
    boxes = [shape.box for shape in lay_out(Scene(name="menu", elements=(targets,))) if shape.id.startswith("target:")]
    assert len(boxes) == len(names)
    for number, (left, top, width, height) in enumerate(boxes):
        assert min(left, top, WIDTH - left - width, HEIGHT - top - height) >= 0
        for other in boxes[:number]:
            assert abs(left - other[0]) >= width or abs(top - other[1]) >= height


def test_neurofeedback_rises_and_counts_points():
    paradigm = make_paradigm("neurofeedback-smr")
    scene = paradigm.scene(Event(name="phase/training", time=0.0, duration=30.0), BLANK)
    assert scene.find(Rising) is not None
    for _ in range(3):
        scene = paradigm.scene(Event(name="feedback/reward", time=1.0, value=2.0), scene)
    assert scene.find(Score).right == 3


def test_action_observation_shows_its_film(played):
    seen = played("action-observation", **SHORT["action-observation"])
    films = [scene.find(Film) for event, scene in seen if event.name == "stimulus/video"]
    assert films
    assert all(film is not None and film.name for film in films)


class Stranger(Paradigm):
    """Somebody's own paradigm: three events, no drawing."""

    kind = "stranger"
    Settings = ParadigmSettings

    @property
    def classes(self):
        return ("jump", "left_hand")

    def start(self, sample, time):
        for offset, name in ((0, "paradigm/start"), (100, "cue/jump"), (300, "cue/left_hand"), (600, "paradigm/end")):
            self.schedule.add(Planned(sample=sample + offset, name=name, action=self._end if offset == 600 else None))

    def _end(self, sample):
        self._finished = True

    def results(self):
        return {}


def test_a_strangers_paradigm_shows_something_without_drawing(played):
    seen = played(Stranger(ParadigmSettings()))
    cues = [scene.find(Cue) for event, scene in seen if event.name.startswith("cue/")]
    assert cues[0].words.en == "Look at Jump"
    assert (cues[1].symbol, cues[1].words.zh) == ("left", "想象握紧左手")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"version": 2, "elements": []}, "version"),
        ({"version": 1, "elements": [{"kind": "hologram"}]}, "hologram"),
        ({"version": 1, "elements": [{"kind": "cue", "symbol": "upside-down"}]}, "symbol"),
        ({"version": 1, "elements": [{"kind": "cue", "colour": "red"}]}, "colour"),
        ({"version": 1, "elements": ["cue"]}, "kind"),
    ],
)
def test_what_is_no_scene_is_refused_by_name(values, match):
    with pytest.raises(ArgumentError, match=match):
        Scene.from_dict(values)


def test_each_kind_has_a_name_of_its_own():
    assert len(KINDS) == 15
    assert all(name == kind.kind for name, kind in KINDS.items())


def test_by_ear_the_eyes_stay_closed_and_each_item_has_its_tone(played):
    seen = played("p300-auditory", calibration_sequences=2, max_sequences=2)
    tones = [event for event, _ in seen if event.name == "stimulus/tone"]
    assert len({event.data["frequency"] for event in tones}) == 3
    assert not any(event.name == "stimulus/flash" for event, _ in seen)
    said = [event for event, _ in seen if event.name == "sound/item"]
    assert {event.data["text"] for event in said} == {"YES", "NO", "NURSE"}
    assert {event.data["text_zh"] for event in said} == {"是", "不", "护士"}
    cues = [scene.find(Cue) for _, scene in seen if scene.name == "cue"]
    assert {cue.symbol for cue in cues} == {"eyes-closed"}
    with pytest.raises(ConfigError, match="auditory"):
        make_paradigm({"base": "p300-auditory", "mode": "row-column", "rows": [["A", "B"], ["C", "D"]]})
