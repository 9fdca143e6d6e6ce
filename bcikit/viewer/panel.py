"""What every panel of the viewer is: a widget that is shown the newest state while it is visible."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtWidgets import QWidget

from bcikit.signal import StreamInfo
from bcikit.ui.status import Status
from bcikit.viewer.still import AnyHistory


@dataclass
class View:
    """What there is to see.

    Attributes
    ----------
    status : Status
        What the engine said.
    raw, filtered : History or None
        Samples as the device sent them, and as the decoder sees them.
    age : float or None
        Seconds since the newest sample came into this window.
    lost, received : int
        Samples, as this window sees them.
    links : deque of (time, loss in percent, jitter in ms)
        As this window sees them.
    device : mapping
        What the source counts and measures, as `bcikit.acquisition.StreamStatus` names it.
    arrivals : deque of (seconds, sample)
        When blocks came into this window's process, where it reads the device itself.
    span : (first, last) or None
        Samples between the cursors of the traces in front, and `looked_at`, the stream that they belong to.
    watching : bool
        Whether nothing can be stopped from here.
    """

    status: Status = field(default_factory=Status)
    raw: AnyHistory | None = None
    filtered: AnyHistory | None = None
    age: float | None = None
    lost: int = 0
    received: int = 0
    links: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=600))
    device: Mapping[str, Any] = field(default_factory=dict)
    arrivals: deque[tuple[float, int]] = field(default_factory=deque)
    span: tuple[int, int] | None = None
    looked_at: AnyHistory | None = None
    watching: bool = False

    @property
    def best(self) -> AnyHistory | None:
        """The stream to analyse: filtered where there is one."""
        return self.filtered or self.raw

    @property
    def info(self) -> StreamInfo | None:
        """The stream as the device sends it."""
        history = self.raw or self.filtered
        return None if history is None else history.info

    @property
    def loss_percent(self) -> float | None:
        """Samples lost on the way into this window, in percent."""
        total = self.lost + self.received
        return 100.0 * self.lost / total if total else None


class Panel(QWidget):
    """A panel of the viewer.

    Attributes
    ----------
    period : float
        Seconds between two refreshes; it is asked only while it is visible.
    collects : bool
        Whether it gathers something while nobody sees it: then `collect` is called once a second.
    """

    period: float = 0.2
    collects: bool = False

    def collect(self, view: View) -> None:
        """Take what came, without showing it."""

    def refresh(self, view: View) -> None:
        """Show the newest state."""

    def table(self) -> list[list[object]]:
        """Return what is shown as rows for a CSV file, the head first; empty if there is none."""
        return []
