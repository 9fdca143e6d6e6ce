"""Scenes of a whole session of a paradigm, without a decoder."""

from collections.abc import Callable

import pytest

from bcikit.paradigms import Paradigm, WindowRequest, make_paradigm
from bcikit.paradigms.scene import BLANK, Scene
from bcikit.signal import Decision, Event, StreamInfo, Verdict


def decide(paradigm: Paradigm, request: WindowRequest) -> Decision:
    """Return a sure decision for the first class, with powers for what asks for them."""
    classes = paradigm.classes or ("none",)
    rest = 0.1 / max(len(classes) - 1, 1)
    calm = {"theta": 1.0, "alpha": 1.0, "beta": 2.0, "reward": 2.0, "inhibit0": 0.1, "inhibit1": 0.1}
    return Decision(
        time=request.stop_sample / 250,
        sample=request.stop_sample - 1,
        classes=classes,
        probabilities=tuple(0.9 if name == classes[0] else rest for name in classes),
        label=classes[0],
        data={"powers": calm},
    )


def play(paradigm: Paradigm, *, seconds: float = 4000.0, chunk: int = 25) -> list[tuple[Event, Scene]]:
    """Run a paradigm as the engine does; return every event with the scene after it."""
    paradigm.configure(StreamInfo(name="test", sfreq=250.0, ch_names=("C3", "Cz", "C4")), seed=1)
    paradigm.start(0, 0.0)
    seen: list[tuple[Event, Scene]] = []
    now = BLANK
    end = 0
    while not paradigm.finished and end < seconds * 250:
        end += chunk
        while True:
            events = paradigm.advance(end - 1, (end - 1) / 250)
            requests = paradigm.windows_due(end)
            for request in requests:
                decision = paradigm.interpret(decide(paradigm, request), request)
                verdict = Verdict(
                    time=decision.time,
                    sample=decision.sample,
                    allowed=decision.label is not None,
                    label=decision.label,
                    reasons=(),
                    state="ACTIVE",
                )
                events += paradigm.on_decision(decision, verdict, request)[1]
            for event in events:
                now = paradigm.scene(event, now)
                seen.append((event, now))
            if not events and not requests:
                break
    return seen


@pytest.fixture
def played() -> Callable[..., list[tuple[Event, Scene]]]:
    """Return a function that plays a shipped paradigm, or an own one, with settings."""

    def run(name: str | Paradigm, **settings: object) -> list[tuple[Event, Scene]]:
        return play(make_paradigm({"base": name, **settings}) if isinstance(name, str) else name)

    return run
