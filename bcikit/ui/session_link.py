"""The line of a window to a running session: reads what it says, tries again while it is not there, says why."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from bcikit.session.control import RIGHTS, ChannelReader, ControlClient
from bcikit.session.frames import Signal
from bcikit.session.ticket import Ticket
from bcikit.signal import BciError, Chunk, Event, StreamInfo
from bcikit.signal.messages import Beat, Message, Snapshot, Streams
from bcikit.ui.orders import Orders
from bcikit.ui.words import tr

T = TypeVar("T")

STALE_SECONDS = 0.6
"""A session that was not heard for so long (two beats and more) is shown as silent, within a second when busy, too."""

RETRY_SECONDS = 0.5
"""Between two attempts to join."""

_KEEP = 20000
_KEEP_CHUNKS = 4096


class LinkStream:
    """One signal of a session, as `StreamReader` gives that of a source."""

    def __init__(self) -> None:
        self.info: StreamInfo | None = None
        self.fault = ""
        self.ended = False
        self.chunks: deque[Chunk] = deque(maxlen=_KEEP_CHUNKS)

    def take(self) -> list[Chunk]:
        """Return the chunks that came since the last call."""
        return drain(self.chunks)

    def take_events(self) -> list[Event]:
        """Return nothing: events of a session are messages."""
        return []

    def halt(self) -> None:
        """Do nothing: the link is what runs."""


class SessionLink:
    """Joins a session and stays with it.

    Parameters
    ----------
    ticket : Ticket or callable
        Of the session, or what returns it once it is there (None or an error until then).
    signals : bool
        Whether signals are wanted, too.

    Attributes
    ----------
    raw, filtered : LinkStream
        The signals.
    orders : Orders
        Where STOP and other orders go; what the role may not do is refused by the session.
    fault : str
        Why nothing is heard; "" while it is.
    connected : bool
        Whether the session is joined now.
    joined : int
        How often it was joined.
    sessions : int
        How many sessions were joined: where the first is over, another one may have its name. Nothing that was shown of
        one may stand beside what is shown of the next.
    """

    def __init__(self, ticket: Ticket | Callable[[], Ticket | None], *, signals: bool = True) -> None:
        self._ticket = (lambda: ticket) if isinstance(ticket, Ticket) else ticket
        self._signals = signals
        self.raw, self.filtered = LinkStream(), LinkStream()
        self._messages: deque[Message] = deque(maxlen=_KEEP)
        self._client = _Client(self._ticket)
        self.orders = Orders(self._client)
        self.fault = ""
        self.connected = False
        self.joined = 0
        self.sessions = 0
        self._last: Ticket | None = None
        self._heard = self._begun = time.monotonic()
        self._engine_age = 0.0
        self._beat_at = self._heard
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="bcikit-link")

    def start(self) -> "SessionLink":
        """Begin to listen."""
        self._thread.start()
        return self

    def take(self) -> list[Message]:
        """Return the messages that came since the last call; a `Snapshot` comes first after each joining."""
        return drain(self._messages)

    @property
    def age(self) -> float:
        """Seconds for which the session, or its own thread, was not heard."""
        now = time.monotonic()
        return max(now - self._heard, self._engine_age + (now - self._beat_at) if self.joined else 0.0)

    @property
    def stale(self) -> bool:
        """True if nothing was heard of the session for more than a second: nothing that it said may stand as new."""
        return self.age > STALE_SECONDS

    @property
    def why(self) -> str:
        """Why nothing is heard, in the language of the interface; "" while it is."""
        if not self.stale:
            return ""
        seconds = round(self.age)
        if self.connected:
            return tr("The engine has not moved for {seconds} s").format(seconds=seconds)
        if self.joined:
            return tr("Nothing was heard of the session for {seconds} s").format(seconds=seconds)
        return tr("The session is not there yet ({seconds} s): {why}").format(seconds=seconds, why=self.fault)

    def halt(self) -> None:
        """Leave the session to itself."""
        self._halt.set()
        if self._thread.is_alive():
            self._thread.join(3.0)
        self.orders.close()

    # ---- the thread ----------------------------------------------------------------------------------------------
    def _work(self) -> None:
        while not self._halt.is_set():
            try:
                ticket = self._ticket()
                if ticket is None:
                    raise BciError(tr("it has not begun"))
                reader = ChannelReader(ticket)
            except Exception as error:  # noqa: BLE001 - the window shows it, and it is tried again
                self.fault = str(error) or type(error).__name__
                self._halt.wait(RETRY_SECONDS)
                continue
            self.connected, self.fault = True, ""
            if ticket != self._last:
                self._last = ticket
                for stream in (self.raw, self.filtered):
                    stream.info = None
                    stream.chunks.clear()
                self._messages.clear()
                self.sessions += 1
            self.joined += 1
            try:
                if RIGHTS.get(ticket.role):
                    # Open before it is needed: a stop must not wait for a greeting.
                    self._client.connect()
                self._listen(reader)
            except Exception as error:  # noqa: BLE001 - the window shows it, and it is tried again
                self.fault = str(error) or type(error).__name__
            finally:
                self.connected = False
                reader.close()
            self._halt.wait(RETRY_SECONDS)

    def _listen(self, reader: ChannelReader) -> None:
        while not self._halt.is_set():
            try:
                got = reader.read(0.25)
            except BciError as error:
                # One message that cannot be read does not make the others unread.
                self.fault = str(error)
                continue
            if got is None:
                continue
            self._heard = time.monotonic()
            if isinstance(got, Signal):
                self._take_signal(got)
            elif isinstance(got, Beat):
                self._engine_age, self._beat_at = got.engine_age, self._heard
            else:
                self._look(got)
                self._messages.append(got)

    def _take_signal(self, signal: Signal) -> None:
        if self._signals:
            stream = self.filtered if signal.kind == "filtered" else self.raw
            if stream.info is not None and stream.info.n_channels == signal.chunk.n_channels:
                stream.chunks.append(signal.chunk)

    def _look(self, message: Message) -> None:
        for part in message.messages if isinstance(message, Snapshot) else (message,):
            if isinstance(part, Streams):
                for stream, values in ((self.raw, part.raw), (self.filtered, part.filtered)):
                    stream.info = StreamInfo.from_dict(dict(values)) if values else None


class _Client:
    """Gives orders once there is a ticket."""

    def __init__(self, ticket: Callable[[], Ticket | None]) -> None:
        self._ticket = ticket
        self._client: ControlClient | None = None
        self._lock = threading.Lock()

    def _ready(self) -> ControlClient:
        with self._lock:
            if self._client is None:
                ticket = self._ticket()
                if ticket is None:
                    raise BciError("The session has not begun: it takes no orders yet.")
                self._client = ControlClient(ticket, connect=False)
            return self._client

    def connect(self) -> None:
        """Open the lines before they are needed."""
        self._ready().connect()

    def send(self, order: dict[str, object]) -> None:
        """Give an order and wait until the session has it."""
        self._ready().send(order)

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()


def drain(queue: deque[T]) -> list[T]:
    """Return what is in a queue and take it out, while another thread appends."""
    taken: list[T] = []
    while queue:
        taken.append(queue.popleft())
    return taken
