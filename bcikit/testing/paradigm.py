"""The conformance suite of paradigms: what the engine and replay rely on, as tests."""

import json
from abc import abstractmethod
from typing import Any

from bcikit.paradigms import Paradigm
from bcikit.signal import Decision, Event, StreamInfo, Verdict


class ParadigmConformance:
    """Base of a test class for a paradigm: subclass it, name it ``Test...``, and say how to `make` it.

    Attributes
    ----------
    info : StreamInfo
        A stream it can run on.
    seconds : float
        Longest time the whole protocol may take.
    """

    info: StreamInfo = StreamInfo(
        name="made", sfreq=250.0, ch_names=("F3", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "Oz")
    )
    seconds: float = 7200.0

    @abstractmethod
    def make(self) -> Paradigm:
        """Return the paradigm, not configured."""

    def _run(self, size: int, *, seed: int = 1) -> tuple[Paradigm, list[Event], list[tuple[Any, ...]]]:
        """Run the whole protocol on the sample clock; each window is answered with the first class, let through."""
        paradigm = self.make()
        paradigm.configure(self.info, seed=seed)
        paradigm.start(0, 0.0)
        events: list[Event] = []
        commands: list[tuple[Any, ...]] = []
        newest = -1
        while not paradigm.finished and newest < self.seconds * self.info.sfreq:
            newest += size
            while True:
                due = paradigm.advance(newest, newest / self.info.sfreq)
                requests = paradigm.windows_due(newest + 1)
                events += due
                for request in requests:
                    decision = self._decision(paradigm, request.stop_sample)
                    decision = paradigm.interpret(decision, request)
                    moved, said = paradigm.on_decision(decision, self._verdict(decision), request)
                    commands += [(command.sequence, command.name, command.value) for command in moved]
                    events += said
                if not due and not requests:
                    break
            if paradigm.open_ended and newest > 600 * self.info.sfreq:
                break
        return paradigm, events, commands

    def _decision(self, paradigm: Paradigm, stop: int) -> Decision:
        classes = paradigm.classes
        others = [0.1 / (len(classes) - 1)] * (len(classes) - 1) if len(classes) > 1 else []
        return Decision(
            time=(stop - 1) / self.info.sfreq,
            sample=stop - 1,
            classes=classes,
            probabilities=(1.0 - sum(others), *others),
            label=classes[0],
        )

    def _verdict(self, decision: Decision) -> Verdict:
        return Verdict(
            time=decision.time, sample=decision.sample, allowed=decision.label is not None, label=decision.label
        )

    def test_it_comes_to_an_end(self) -> None:
        """A protocol that is not open-ended finishes."""
        paradigm, events, _ = self._run(25)
        assert paradigm.finished or paradigm.open_ended
        assert events, "nothing is ever shown"
        results = paradigm.results()
        assert {"paradigm", "n_trials", "trials"} <= set(results)
        json.dumps(results, allow_nan=False)

    def test_any_chunks_give_the_same_protocol(self) -> None:
        """Events and commands do not depend on how the stream was cut: a replay repeats them."""
        _, events, commands = self._run(1 + 24)
        for size in (7, 250):
            _, other, moved = self._run(size)
            assert [(event.name, event.sample) for event in other] == [(event.name, event.sample) for event in events]
            assert moved == commands

    def test_everything_random_follows_from_the_seed(self) -> None:
        """The same seed, the same session."""
        _, first, _ = self._run(25, seed=3)
        _, again, _ = self._run(25, seed=3)
        assert [(event.name, event.sample) for event in again] == [(event.name, event.sample) for event in first]

    def test_events_lie_on_samples_in_order(self) -> None:
        """Each event has a name and its sample, and time does not run back."""
        _, events, _ = self._run(25)
        samples = [event.sample for event in events]
        assert all(sample is not None for sample in samples)
        assert all(event.name for event in events)
        placed = [sample for sample in samples if sample is not None]
        assert placed == sorted(placed), "events are not in order"

    def test_commands_are_numbered(self) -> None:
        """A receiver drops what does not grow."""
        _, _, commands = self._run(25)
        numbers = [command[0] for command in commands]
        assert numbers == sorted(set(numbers))

    def test_what_flickers_is_described(self) -> None:
        """The stimulus analyser knows every flicker before the start."""
        paradigm = self.make()
        paradigm.configure(self.info, seed=1)
        for design in paradigm.stimuli():
            assert {"kind", "name", "frequency", "depth", "size_deg", "seconds"} <= set(design)
