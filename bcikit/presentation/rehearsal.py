"""A rehearsal: a paradigm played without signal, to see what a person will see."""

from collections.abc import Callable

from bcikit.paradigms import Paradigm, WindowRequest
from bcikit.paradigms.scene import BLANK, Scene
from bcikit.signal import Decision, Event, StreamInfo, Verdict

Answer = Callable[[Paradigm, WindowRequest], Decision]


def sure(paradigm: Paradigm, request: WindowRequest) -> Decision:
    """Return a sure decision for the first class, with calm powers for what asks for powers."""
    classes = paradigm.classes or ("none",)
    rest = 0.1 / max(len(classes) - 1, 1)
    powers = {"theta": 1.0, "alpha": 1.0, "beta": 2.0, "reward": 2.0, "inhibit0": 0.1, "inhibit1": 0.1}
    return Decision(
        time=request.stop_sample / paradigm.sfreq,
        sample=request.stop_sample - 1,
        classes=classes,
        probabilities=tuple(0.9 if name == classes[0] else rest for name in classes),
        label=classes[0],
        data={"powers": powers},
    )


def rehearse(
    paradigm: Paradigm,
    *,
    seconds: float = 4000.0,
    answer: Answer = sure,
    info: StreamInfo | None = None,
    seed: int = 1,
) -> list[tuple[Event, Scene]]:
    """Play a paradigm as a session does, with made-up decisions; return each event and the scene after it.

    Parameters
    ----------
    paradigm : Paradigm
        Not configured yet.
    seconds : float
        Longest play, in seconds of signal.
    answer : callable
        Gives the decision for a window.
    info : StreamInfo, optional
        Of the stream; C3, Cz and C4 at 250 Hz if left out.
    seed : int
        Of the order of trials.
    """
    stream = info or StreamInfo(name="rehearsal", sfreq=250.0, ch_names=("C3", "Cz", "C4"))
    paradigm.configure(stream, seed=seed)
    paradigm.start(0, 0.0)
    seen: list[tuple[Event, Scene]] = []
    now, end, step = BLANK, 0, max(1, round(0.1 * stream.sfreq))
    while not paradigm.finished and end < seconds * stream.sfreq:
        end += step
        while True:
            events = paradigm.advance(end - 1, (end - 1) / stream.sfreq)
            requests = paradigm.windows_due(end)
            for request in requests:
                decision = paradigm.interpret(answer(paradigm, request), request)
                allowed = decision.label is not None
                verdict = Verdict(
                    time=decision.time,
                    sample=decision.sample,
                    allowed=allowed,
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
