"""Step and Pipeline: the contract of everything that works on chunks."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from bcikit.signal import Chunk, Recording, StreamInfo


class Step(ABC):
    """Works on one chunk after the other and keeps its state between them.

    Any split of a stream into chunks gives the same output. `apply` on a recording is the same code.
    """

    delay: float = 0.0
    """Group delay in seconds, known after `configure`."""

    settling: float = 0.0
    """Seconds a disturbance (start, gap, bad sample) stays in the output, known after `configure`."""

    @abstractmethod
    def configure(self, info: StreamInfo) -> StreamInfo:
        """Prepare for a stream (the preflight) and return the description of the output.

        Raises
        ------
        ArgumentError
            If the step cannot work on such a stream: a frequency above Nyquist, a missing channel.
        """

    @abstractmethod
    def process(self, chunk: Chunk) -> Chunk:
        """Return the output for the next chunk; the input is never changed."""

    def reset(self) -> None:
        """Forget the past, as if just configured."""

    def apply(self, recording: Recording, *, chunk_size: int = 4096) -> Recording:
        """Return a whole recording processed by the same code that runs live."""
        info = self.configure(recording.info)
        chunks = [self.process(chunk) for chunk in recording.chunks(chunk_size)]
        return Recording.from_chunks(info, [chunk for chunk in chunks if chunk.n_times], events=recording.events)


class Pipeline(Step):
    """A list of steps, and itself a step.

    Parameters
    ----------
    steps : sequence of Step
        Applied from the first to the last.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Configure each step with the output of the one before."""
        for step in self.steps:
            info = step.configure(info)
        self.delay = sum(step.delay for step in self.steps)
        self.settling = sum(step.settling for step in self.steps)
        return info

    def process(self, chunk: Chunk) -> Chunk:
        """Run the chunk through every step."""
        for step in self.steps:
            chunk = step.process(chunk)
        return chunk

    def reset(self) -> None:
        """Reset every step."""
        for step in self.steps:
            step.reset()
