"""A source: a simulated amplifier whose person moves a hand when asked to."""

import numpy as np

from bcikit.acquisition import Device, Source
from bcikit.signal import (
    Address,
    Chunk,
    Command,
    Decision,
    Event,
    Flag,
    Health,
    SourceError,
    StreamEndedError,
    StreamInfo,
    Verdict,
)

SFREQ = 200.0
BLOCK = 20


def open_nlab(address: Address) -> "NlabSource":
    """Open ``nlab:?seed=1&minutes=20``."""
    address.check_options(("seed", "minutes"))
    return NlabSource(
        seed=int(address.number("seed", 0, low=0)), minutes=address.number("minutes", 20.0, low=0.1, high=600.0)
    )


def discover(wait: float) -> list[Device]:  # noqa: ARG001 - it is always there
    """Return what ``bcikit devices`` lists of this package."""
    return [Device(address="nlab:?seed=1", what="laboratory", detail="3 channels, 200 Hz", n_channels=3, sfreq=SFREQ)]


open_nlab.discover = discover  # type: ignore[attr-defined]


class NlabSource(Source):
    """Gives blocks as fast as they are pulled; C3 and C4 grow quieter on the side opposite to the hand that moves."""

    live = False

    def __init__(self, *, seed: int = 0, minutes: float = 20.0) -> None:
        self.info = StreamInfo(name="nlab", sfreq=SFREQ, ch_names=("C3", "Cz", "C4"))
        self._seed = seed
        self._end = int(minutes * 60 * SFREQ)
        self._running = False
        self._next = 0

    def start(self) -> None:
        """Begin to stream."""
        self._rng = np.random.default_rng(self._seed)
        self._running, self._first, self._scale = True, True, np.ones(3)

    def stop(self) -> None:
        """Stop to stream."""
        self._running = False

    @property
    def ended(self) -> bool:
        """True after the last block."""
        return self._next >= self._end

    def pull(self, timeout: float = 1.0) -> Chunk | None:  # noqa: ARG002 - there is nothing to wait for
        """Return the next block."""
        if not self._running:
            raise SourceError("the amplifier of the laboratory does not run: start() it first")
        if self.ended:
            raise StreamEndedError(self.info.name)
        count = min(BLOCK, self._end - self._next)
        at = self._next + np.arange(count)
        chunk = Chunk(
            data=self._rng.normal(0.0, 10.0, (count, 3)) * self._scale,
            times=at / SFREQ,
            first_sample=self._next,
            health=Health(flags=Flag.START if self._first else Flag(0)),
        )
        self._next += count
        self._first = False
        return chunk

    def on_event(self, event: Event) -> None:
        """Let the person see a cue, and the lamp go out."""
        if event.name == "cue/left":
            self._scale = np.array([1.0, 1.0, 0.4])
        elif event.name == "cue/right":
            self._scale = np.array([0.4, 1.0, 1.0])
        elif event.name == "trial/end":
            self._scale = np.ones(3)

    def on_decision(self, decision: Decision, verdict: Verdict) -> None:
        """Do nothing: the person does not mind."""

    def on_command(self, command: Command) -> None:
        """Do nothing: the person does not mind."""
