"""What a simulated user sees is what is painted: in front of a blank screen it cannot do anything."""

import functools

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QRectF

from bcikit.outputs import open_output
from bcikit.paradigms import make_paradigm, paradigm_names
from bcikit.paradigms.scene import BLANK, Cue, Hands, Matrix, Road, Scene, Target, Targets, Words
from bcikit.presentation.director import SEEN
from bcikit.presentation.eyes import perceive
from bcikit.presentation.qt.painter import StagePainter
from bcikit.presentation.rehearsal import rehearse
from bcikit.recording import read_session
from bcikit.session.config import OutputSection
from bcikit.session.engine import Engine
from bcikit.session.flips import AWAITED
from bcikit.session.shipped import shipped_config
from bcikit.session.showing import UserListener
from bcikit.signal import DataError, Event
from bcikit.signal.messages import Happened, Input, Presented
from tests.presentation.test_scene import SHORT


class Person:
    """Keeps what it perceives."""

    def __init__(self):
        self.seen = []

    def on_event(self, event):
        self.seen.append(event)


@functools.cache
def played_of(name):
    """Return the events of a short block of a paradigm, each with its scene."""
    return rehearse(make_paradigm({"base": name, "instructions": 5.0, **SHORT.get(name, {})}))


def look(name, address, *, blank=False):
    """Play a paradigm on a screen in memory before a person; return what was played, what was perceived, the screen."""
    played = played_of(name)
    person = Person()
    listener = UserListener(person, 250.0, blank=blank, screen=True)
    with open_output(address) as output:
        before = BLANK
        for event, scene in played:
            values = scene.to_dict() if scene != before else None
            if values is not None or event.name.startswith(SEEN):
                listener.take(Presented(event=event, scene=values))
                output.inform({"type": "show", "time": event.time, "event": event.to_dict(), "scene": values})
            listener.take(Happened(event=event))
            output.tick(event.time)
            for message in output.heard():
                listener.take(Input(kind="screen", values=message))
            before = scene
        return [event for event, _ in played], person.seen, output.state()


def of(events, *kinds):
    return [event.name for event in events if event.name.startswith(kinds)]


VISIBLE = tuple(name for name in AWAITED if name != "advice/")


@pytest.mark.parametrize("name", paradigm_names())
def test_a_person_perceives_what_is_painted_of_every_paradigm_and_nothing_of_a_blank_screen(qapp, name, monkeypatch):
    played, seen, state = look(name, "frames:")
    assert state["unpainted"] == 0
    assert of(played, *VISIBLE)
    # An error is seen with the picture that shows it.
    assert of(seen, "feedback/error") == of(played, "feedback/error")
    # Everything, in its order; each on the frame that showed it.
    assert of(seen, *VISIBLE) == of(played, *VISIBLE)
    if name == "p300-auditory":
        _, unheard, _ = look(name, "frames:?mute=1")
        assert of(unheard, "stimulus/", "sound/") == []
        return
    _, unseen, _ = look(name, "frames:?blank=1")
    assert of(unseen, *VISIBLE, "feedback/", "advice/", "select/") == []
    # A renderer that reports frames and draws nothing is found out.
    monkeypatch.setattr(StagePainter, "_draw", lambda *_: QRectF())
    _, unseen, state = look(name, "frames:")
    assert of(unseen, "cue/", "stimulus/") == []


def test_the_blank_of_a_session_file_is_blank(qapp):
    _, seen, _ = look("motor-imagery", "frames:", blank=True)
    assert of(seen, "cue/", "phase/", "feedback/") == []


def session(name, address, folder, *, model=None, **settings):
    """Run a whole session faster than life before a screen in memory; return its result."""
    config = shipped_config(name, source=SOURCES.get(name, ""), seed=0, settings={"instructions": 0.0, **settings})
    # A guard works in real time only.
    outputs = [section for section in config.outputs if not section.address.startswith("guard")]
    changes = {
        "outputs": [*outputs, OutputSection(address=address)],
        "recording": config.recording.model_copy(update={"enabled": True, "folder": str(folder)}),
    }
    if model is not None and model.exists():
        changes["decoder"] = config.decoder.model_copy(update={"model": str(model)})
    return Engine(config.model_copy(update=changes)).run().values


def share_right(values, _):
    return sum(bool(row["correct"]) for row in values["trials"]) / max(len(values["trials"]), 1)


def hits(values, _):
    return values["details"]["hit_rate"]


def switched(values, _):
    return values["details"]["sensitivity"]


def errors_told(values, _):
    details = values["details"]
    return (details["errors_seen"] or 0.0) - (details["false_errors"] or 0.0)


def rise(values, _):
    return values["details"]["block_power"][0] / values["details"]["baseline_power"]


def learned(_, folder):
    return float((folder / "model.skops").exists())


def phases_shown(values, _):
    return 1.0 if values["presentation"]["not_shown"] == 0 else 0.0


def warned(values, _):
    """Warnings that were painted and sounded within 200 ms of the change of level."""
    return float(
        sum(
            0 < (item["painted_s"] or 9) <= 0.2 and 0 < (item["sounded_s"] or 9) <= 0.2
            for item in values["presentation"]["warnings"]
        )
    )


def alpha_of_closed_eyes(_, folder):
    """Power from 8 to 12 Hz at the back of the head with closed eyes against open ones."""
    found = read_session(folder)
    data = found.recording.data[:, [found.recording.info.ch_names.index(name) for name in ("Pz", "Oz")]]
    sfreq, power = found.recording.info.sfreq, {}
    for event in found.events:
        if event.name in ("phase/eyes-open", "phase/eyes-closed"):
            part = data[event.sample + round(2 * sfreq) : event.sample + round(50 * sfreq)]
            spectrum = np.abs(np.fft.rfft(part - part.mean(axis=0), axis=0)) ** 2
            bins = np.fft.rfftfreq(len(part), 1 / sfreq)
            power[event.name] = spectrum[(bins >= 8) & (bins <= 12)].sum()
    return power["phase/eyes-closed"] / power["phase/eyes-open"]


def test_a_session_reports_what_was_shown_and_ends_in_doubt_where_nothing_was(tmp_path, qapp):
    phases = [{"phase": f"part-{number}", "seconds": 2.0, "text": f"Part {number}"} for number in range(4)]
    short = {"repeats": 1, "phases": phases, "beep": False}
    seen = session("custom", "frames:", tmp_path / "seen", **short)
    assert (seen["presentation"]["not_shown"], seen["timing"]["doubts"]) == (0, [])
    assert "What the person was shown" in (tmp_path / "seen" / "report.html").read_text(encoding="utf-8")
    unseen = session("custom", "frames:?blank=1", tmp_path / "unseen", **short)
    assert unseen["presentation"]["not_shown"] >= 4
    assert any("were not shown by the screen" in doubt for doubt in unseen["timing"]["doubts"])


SOURCES = {"driving-vigilance": "sim:vigilance?seed=0&fatigue=12"}
"""A driver who is very tired within minutes; other paradigms have the user of their own."""

IMAGERY = {"eyes_open": 0.0, "eyes_closed": 0.0, "between_runs": 2.0, "feedback_rate": 4.0}
TRAINED = {"calibration_runs": 0}
SESSIONS = {
    "action-observation": ({"runs": 1, "between_runs": 2.0}, TRAINED, hits, 0.6, 0.2),
    "brain-switch": ({"calibration_trials": 15, "trials": 10}, {"calibration_trials": 0}, switched, 0.8, 0.6),
    "calibration": ({**IMAGERY, "calibration_runs": 1}, {}, learned, 1.0, 0.0),
    "code-menu": ({"rounds": 3, "idle_share": 1.0}, {"calibration_rounds": 0}, share_right, 0.75, 0.2),
    "cursor": ({"watched": 8, "trials": 3, "blocks": 1}, {}, hits, 0.5, 0.3),
    "custom": ({"repeats": 1}, {}, phases_shown, 1.0, 0.0),
    "driving-vigilance": ({"baseline": 40.0, "drive": 240.0, "smooth": 15.0}, {}, warned, 1.0, 0.0),
    "emergency-braking": ({"calibration_brakings": 40, "brakings": 20}, {}, hits, 0.4, 0.1),
    "error-potential": ({}, {"calibration_trials": 0}, errors_told, 0.4, 0.2),
    "eyes-open-closed": ({}, {}, alpha_of_closed_eyes, 1.5, 1.2),
    "grip-force": ({"watched": 8, "trials": 4, "blocks": 1}, {}, hits, 0.6, 0.75),
    "motor-imagery": ({**IMAGERY, "feedback_runs": 1}, TRAINED, share_right, 0.75, 0.2),
    "motor-imagery-fes": ({"runs": 1, "between_runs": 5.0}, TRAINED, hits, 0.6, 0.2),
    "neurofeedback-alpha": ({"baseline": 60.0, "blocks": 1, "block": 120.0}, {}, rise, 1.15, 1.1),
    "neurofeedback-smr": ({"baseline": 60.0, "blocks": 1, "block": 120.0}, {}, rise, 1.15, 1.1),
    "p300-auditory": ({}, {"calibration": []}, share_right, 1.0, 0.0),
    "p300-single": ({}, {"calibration": []}, share_right, 0.75, 0.0),
    "p300-speller": ({"copy_text": "BRAIN"}, {"calibration": []}, share_right, 0.75, 0.0),
    "resting-state": ({}, {}, phases_shown, 1.0, 0.0),
    "ssvep-menu": ({"rounds": 3, "idle_share": 0.0}, {}, share_right, 0.75, 0.0),
    "vr-imagery": ({"feedback_runs": 1}, TRAINED, hits, 0.6, 0.2),
}
"""Settings, what changes where there is a model, what is measured, at least with the picture, at most without."""


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", paradigm_names())
def test_a_simulated_user_succeeds_before_the_screen_and_fails_before_a_blank_one(name, tmp_path, qapp):
    settings, again, measure, least, most = SESSIONS[name]
    seen = measure(session(name, "frames:", tmp_path / "seen", **settings), tmp_path / "seen")
    model = None if name == "calibration" else tmp_path / "seen" / "model.skops"
    if model is not None and model.exists():
        settings = {**settings, **again}
    address = "frames:?mute=1" if name == "p300-auditory" else "frames:?blank=1"
    try:
        unseen = measure(session(name, address, tmp_path / "unseen", model=model, **settings), tmp_path / "unseen")
    except DataError:
        # Nothing was shown, so nothing can be learned.
        unseen = 0.0
    print(f"{name}: {seen:.2f} {unseen:.2f}")
    assert seen >= least
    assert unseen <= most


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
