"""What a simulated user sees is what is drawn: in front of a blank screen it cannot do anything."""

import pytest

from bcikit.paradigms.scene import BLANK, Cue, Hands, Matrix, Road, Scene, Target, Targets, Words
from bcikit.presentation.eyes import perceive
from bcikit.session.engine import Engine
from bcikit.session.shipped import shipped_config
from bcikit.signal import Event


def run(name, *, blank=False, seed=0, **settings):
    config = shipped_config(name, seed=seed, settings=settings)
    changes = {
        "screen": config.screen.model_copy(update={"blank": blank}),
        "recording": config.recording.model_copy(update={"enabled": False}),
    }
    return Engine(config.model_copy(update=changes)).run().values


def right(values):
    return sum(bool(row["correct"]) for row in values["trials"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("p300-speller", {"calibration": "NEUR", "copy_text": "BCI", "max_selections": 5}),
        ("p300-single", {"calibration_sequences": 10}),
        ("ssvep-menu", {"rounds": 3, "idle_share": 0.0}),
        (
            "motor-imagery",
            {"eyes_open": 0.0, "eyes_closed": 0.0, "between_runs": 2.0, "feedback_runs": 1, "feedback_rate": 4.0},
        ),
    ],
)
def test_the_twin_succeeds_with_the_picture_and_fails_without(name, settings):
    seen = run(name, **settings)
    unseen = run(name, blank=True, **settings)
    share = right(seen) / seen["n_trials"]
    assert share >= 0.75
    # Two classes of movement are guessed right half of the time; a letter or a target never is.
    chance = 0.5 if name == "motor-imagery" else 0.0
    assert right(unseen) / unseen["n_trials"] <= chance + 0.3
    assert share - right(unseen) / unseen["n_trials"] >= 0.2


@pytest.mark.soak
def test_answers_are_given_by_ear_with_closed_eyes_also_where_the_screen_is_blank():
    assert run("p300-auditory", blank=True)["details"]["text"] == "YES NO NURSE"


@pytest.mark.soak
def test_a_driver_who_sees_no_brake_lights_gets_ready_for_nothing():
    settings = {"calibration_brakings": 40, "brakings": 20}
    seen = run("emergency-braking", **settings)["details"]
    unseen = run("emergency-braking", blank=True, **settings)["details"]
    assert seen["hit_rate"] >= 0.4
    assert unseen["hit_rate"] <= 0.1


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "settings"),
    [("vr-imagery", {"feedback_runs": 1}), ("motor-imagery-fes", {"runs": 1, "between_runs": 5.0})],
)
def test_movements_that_nobody_asks_for_are_not_imagined(name, settings):
    seen, unseen = (run(name, blank=blank, **settings)["details"]["hit_rate"] for blank in (False, True))
    assert seen >= 0.7
    assert unseen <= 0.2


@pytest.mark.soak
def test_whoever_sees_no_balloon_raises_nothing():
    settings = {"baseline": 60.0, "blocks": 2, "block": 120.0}
    rises = []
    for blank in (False, True):
        details = run("neurofeedback-smr", blank=blank, **settings)["details"]
        rises.append(details["block_power"][0] / details["baseline_power"])
    assert rises[0] >= 1.2
    assert rises[1] <= 1.1


def test_a_flash_counts_as_wanted_only_where_the_ringed_letter_lights_up():
    scene = Scene(elements=(Matrix(rows=(("A", "B"), ("C", "D")), wanted="A"),))
    lying = Event(name="stimulus/flash", time=0.0, data={"items": ["C", "D"], "target": True})
    assert perceive(lying, scene).data["target"] is False
    row = Event(name="stimulus/flash", time=0.0, data={"items": ["A", "B"], "target": False})
    assert perceive(row, scene).data["target"] is True
    other = Event(name="stimulus/flash", time=0.0, data={"items": ["Z"], "target": True})
    assert perceive(other, scene) is None
    free = Scene(elements=(Matrix(rows=(("A", "B"), ("C", "D"))),))
    assert perceive(row, free).data["target"] is None


def test_a_flicker_has_the_frequency_that_is_drawn_at_the_ringed_target():
    drawn = (
        Target(item="up", words=Words("Up"), frequency=9.0),
        Target(item="down", words=Words("Down"), frequency=12.0),
    )
    event = Event(name="stimulus/flicker", time=0.0, data={"frequency": 9.0, "phase": 0.0, "target": "up"})
    assert perceive(event, Scene(elements=(Targets(targets=drawn, wanted="down"),))).data["frequency"] == 12.0
    assert perceive(event, Scene(elements=(Targets(targets=drawn),))).data["frequency"] == 0.0


@pytest.mark.parametrize(
    ("name", "scene", "seen"),
    [
        ("cue/left_hand", BLANK, False),
        ("cue/left_hand", Scene(elements=(Hands(asked="left"),)), True),
        ("cue/left_hand", Scene(elements=(Hands(), Cue())), False),
        ("cue/A", Scene(elements=(Matrix(rows=(("A", "B"),), wanted="B"),)), False),
        ("stimulus/flash", BLANK, False),
        ("stimulus/lead-brake", Scene(elements=(Road(),)), False),
        ("stimulus/lead-brake", Scene(elements=(Road(braking=True),)), True),
        ("feedback/error", Scene(elements=(Hands(outcome="right"),)), False),
        ("feedback/error", Scene(elements=(Hands(outcome="wrong"),)), True),
        ("phase/eyes-closed", BLANK, False),
        ("trial/end", BLANK, True),
        ("sound/beep", BLANK, True),
    ],
)
def test_only_what_is_drawn_is_perceived(name, scene, seen):
    assert (perceive(Event(name=name, time=0.0), scene) is not None) is seen
