"""Player: a recording as a live stream on the LSL network."""

import time

from bcikit.acquisition.file import FileSource
from bcikit.acquisition.outlet import LslOutlet, LslTextOutlet
from bcikit.signal import Chunk, HostClock, Recording, StreamInfo, check_range


class Player:
    """Plays a recording through real LSL outlets: its samples as one stream, its events as another.

    Gaps stay gaps: nothing is sent for samples that were lost, and the times step over them. At another speed than 1
    the stream's rate is that many times the recording's, so that its times and its rate agree.

    Parameters
    ----------
    recording : Recording
        What is played.
    name : str
        Name of the outlet; the events are at ``NAME-markers``.
    speed : float
        Times its own pace.
    loop : bool
        Begin again at the end.
    source_id : str
        LSL source id; ``bcikit-play-NAME`` where it is empty, so that a receiver knows it when it comes back.
    """

    def __init__(
        self, recording: Recording, *, name: str, speed: float = 1.0, loop: bool = False, source_id: str = ""
    ) -> None:
        self.name = name
        self.speed = check_range("speed", speed, low=0.0, low_open=True)
        self._source = FileSource(recording, speed=self.speed, loop=loop)
        self.outlet_info: StreamInfo = recording.info.replace(sfreq=recording.info.sfreq * self.speed)
        identity = source_id or f"bcikit-play-{name}"
        self._outlet = LslOutlet(self.outlet_info, name=name, source_id=identity)
        self._markers = LslTextOutlet(f"{name}-markers", source_id=f"{identity}-markers")
        self._stopped = False

    def wait_for_listener(self, seconds: float) -> bool:
        """Wait until somebody listens to the samples, at most `seconds`; return whether somebody does."""
        now = HostClock().now
        end = now() + seconds
        while not self._outlet.has_consumers and now() < end:
            time.sleep(0.01)
        return self._outlet.has_consumers

    def stop(self) -> None:
        """Have `run` return after the chunk it is at; may be called from another thread."""
        self._stopped = True

    def run(self) -> float:
        """Play to the end (or until `stop`) and return the seconds of signal that were played."""
        source = self._source
        source.start()
        began = source.began
        played = 0.0
        while not self._stopped and not source.ended:
            chunk = source.pull(0.5)
            if chunk is None:
                continue
            times = began + (chunk.times - began) / self.speed
            self._outlet.push(Chunk(chunk.data, times, chunk.first_sample, chunk.health))
            for event in source.pull_events():
                text = event.name if event.value is None or not isinstance(event.value, str) else event.value
                self._markers.push(text, began + (event.time - began) / self.speed)
            played = float(chunk.times[-1]) - began
        return played

    def close(self) -> None:
        """Take the outlets from the network."""
        self._source.close()
        self._outlet.close()
        self._markers.close()

    def __enter__(self) -> "Player":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
