"""The clock of the host; the engine runs on sample time and never asks it."""


class HostClock:
    """LSL's clock: monotonic seconds, the same in every process of this machine."""

    def __init__(self) -> None:
        # pylsl loads liblsl when it is imported; only what needs the wall pays for it.
        from pylsl import local_clock

        self._read = local_clock

    def now(self) -> float:
        """Return `pylsl.local_clock()`."""
        return float(self._read())
