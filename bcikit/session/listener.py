"""Who is told what happens in a session: the recorder, the publisher, the simulated user, the counters."""

from collections.abc import Mapping
from typing import Any

from bcikit.acquisition import Interactive
from bcikit.paradigms import WindowRequest
from bcikit.signal import Chunk, Command, Decision, Event, Verdict


class Listener:
    """Is told everything, in the order in which it happens; does nothing by default."""

    def on_chunk(self, raw: Chunk, now: float) -> None:
        """Take a raw chunk, before anything is done with it; `now` is its arrival in seconds."""

    def on_filtered(self, chunk: Chunk) -> None:
        """Take what the pipeline made of a chunk."""

    def on_event(self, event: Event) -> None:
        """Take an event, of the paradigm, the source or the operator."""

    def on_input(self, kind: str, values: Mapping[str, Any]) -> None:
        """Take what came from outside beside the samples: what a replay must repeat at the same place."""

    def on_decision(self, decision: Decision, verdict: Verdict, request: WindowRequest, latency: float | None) -> None:
        """Take a decision and the gate's verdict on it; `latency` in seconds, None on replay."""

    def on_command(self, command: Command) -> None:
        """Take a command that was sent to the outputs."""

    def on_alarm(self, alarm: Mapping[str, Any]) -> None:
        """Take an alarm of the safety room that is new or has changed."""

    def on_state(self, state: str, time: float) -> None:
        """Take a change of the safety state."""

    def on_model(self, model: Any) -> None:
        """Take the model that decides from now on."""


class UserListener(Listener):
    """Lets a simulated user see what a person would: cues, feedback and what moves."""

    def __init__(self, user: Interactive) -> None:
        self._user = user

    def on_event(self, event: Event) -> None:
        """Show the event."""
        self._user.on_event(event)

    def on_decision(
        self,
        decision: Decision,
        verdict: Verdict,
        request: WindowRequest,  # noqa: ARG002
        latency: float | None,  # noqa: ARG002
    ) -> None:
        """Show the feedback."""
        self._user.on_decision(decision, verdict)

    def on_command(self, command: Command) -> None:
        """Show what moves."""
        self._user.on_command(command)
