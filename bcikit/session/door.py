"""A door of the channel: a listening socket on loopback with a thread of its own, which nobody can keep busy."""

import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from bcikit.outputs.strangers import who_goes
from bcikit.session.frames import HELLO, LARGEST_FROM_PEER, WELCOME, Unframer, frame
from bcikit.session.ticket import check_hello, welcome
from bcikit.signal import BciError

GREETING_SECONDS = 2.0
"""A caller that has not shown by then that it has the key is cut off, however slowly it goes on speaking."""

MOST_PEERS = 32
"""Connections with a key at once."""

_ACCEPTS = 32
"""Callers let in before those that are in are looked at again: less than may stand there, so that each gets a look."""

_READ_BYTES = 65536
_REST_SECONDS = 0.05
"""How long a door that has no handles left rests before it accepts again."""

_NO_HANDLES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Peer:
    """Whoever called, before and after it has shown that it has the key.

    Attributes
    ----------
    role, purpose : str
        "" before.
    waiting : int
        Bytes that it has not taken yet.
    """

    def __init__(self, line: socket.socket, address: str, now: float) -> None:
        self.line, self.address, self.since = line, address, now
        self.role = self.purpose = ""
        self.spoke = False
        self.wants_snapshot = False
        self.unframer = Unframer(1024)
        self.out = bytearray()
        self.closing = False

    @property
    def waiting(self) -> int:
        """Bytes that the peer has not taken yet."""
        return len(self.out)


class Door:
    """Lets in who has a key, and hands on what it says.

    Parameters
    ----------
    name : str
        Of the thread.
    keys : mapping of str to bytes
        Role to key.
    purposes : tuple of str
        What connections this door is for.
    words : callable
        Returns what a peer is told when it is let in.
    joined, said : callable
        Called with a peer that was let in, and with each of its frames (kind and payload).
    tick : callable, optional
        Called every `period` seconds while somebody is in, and a few times a second otherwise.
    period : float
        Seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        keys: Mapping[str, bytes],
        purposes: tuple[str, ...],
        words: Callable[[], Mapping[str, object]],
        joined: Callable[[Peer], None],
        said: Callable[[Peer, bytes, bytes], None],
        tick: Callable[[], None] = lambda: None,
        period: float = 0.25,
    ) -> None:
        self._keys, self._purposes, self._words = keys, purposes, words
        self._joined, self._said, self._tick, self._period = joined, said, tick, period
        self._nonces: set[bytes] = set()
        self.peers: list[Peer] = []
        self._strangers: list[Peer] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.settimeout(0)
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._waker, self._woken = socket.socketpair()
        self._woken.settimeout(0)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._rest_until = 0.0
        self._closing = threading.Event()
        self.fault = ""
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def open(self) -> None:
        """Begin to let in."""
        self._thread.start()

    @property
    def n_strangers(self) -> int:
        """Callers that have not shown a key yet."""
        return len(self._strangers)

    def wake(self) -> None:
        """Have the thread look at once."""
        with suppress(OSError):
            self._waker.send(b"\0")

    def close(self) -> None:
        """Send what waits as far as it goes, and shut."""
        self._closing.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(3.0)

    # ---- the thread ----------------------------------------------------------------------------------------------
    def _work(self) -> None:
        next_tick = 0.0
        while not self._closing.is_set():
            try:
                self._look(max(0.0, min(next_tick - time.monotonic(), self._period if self.peers else 0.25)))
                now = time.monotonic()
                if now >= next_tick:
                    next_tick = now + (self._period if self.peers else 0.25)
                    self._tick()
                    self._write_all()
            except Exception as error:  # noqa: BLE001 - the door must stay in its hinges; the session asks what was wrong
                self.fault = f"{type(error).__name__}: {error}"
                time.sleep(0.01)
        self._shut()

    def _look(self, seconds: float) -> None:
        now = time.monotonic()
        if self._rest_until and now >= self._rest_until:
            self._rest_until = 0.0
            self._selector.register(self._listener, selectors.EVENT_READ)
        calls = False
        for key, mask in self._selector.select(seconds):
            if key.fileobj is self._listener:
                calls = True
            elif key.fileobj is self._woken:
                with suppress(BlockingIOError):
                    self._woken.recv(4096)
            else:
                peer: Peer = key.data
                if mask & selectors.EVENT_READ and not peer.closing:
                    self._read(peer)
                if mask & selectors.EVENT_WRITE and not peer.closing:
                    self._write(peer)
        now = time.monotonic()
        # Those that are in were heard; only now others, who may push the oldest strangers out.
        for peer in [p for p in self._strangers if now - p.since > GREETING_SECONDS]:
            self._drop(peer)
        if calls:
            self._accept(now)

    def _accept(self, now: float) -> None:
        for _ in range(_ACCEPTS):
            try:
                line, address = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            except OSError as error:
                if error.errno not in _NO_HANDLES:
                    raise
                # Without a handle left: whoever did not show a key gives one back, and the door rests for a moment.
                for peer in [p for p in self._strangers if not p.spoke] or self._strangers[:]:
                    self._drop(peer)
                self._selector.unregister(self._listener)
                self._rest_until = now + _REST_SECONDS
                return
            self._let_in(line, str(address[0]), now)

    def _let_in(self, line: socket.socket, address: str, now: float) -> None:
        line.settimeout(0)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        place = who_goes([peer.address for peer in self._strangers], address)
        if place is not None:
            self._drop(self._strangers[place])
        peer = Peer(line, address, now)
        self._strangers.append(peer)
        self._selector.register(line, selectors.EVENT_READ, peer)

    def _read(self, peer: Peer) -> None:
        try:
            data = peer.line.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(peer)
            return
        if not data:
            self._drop(peer)
            return
        peer.spoke = True
        try:
            for kind, payload in peer.unframer.feed(data):
                if peer.role:
                    self._said(peer, kind, payload)
                else:
                    self._greet(peer, kind, payload)
        except BciError:
            self._drop(peer)
            return
        self._write(peer)

    def _greet(self, peer: Peer, kind: bytes, payload: bytes) -> None:
        if kind != HELLO:
            raise BciError("no greeting")
        role, purpose, nonce = check_hello(payload, self._keys)
        # A greeting that was overheard opens nothing a second time.
        if nonce in self._nonces or purpose not in self._purposes or len(self.peers) >= MOST_PEERS:
            raise BciError("not let in")
        self._nonces.add(nonce)
        peer.role, peer.purpose, peer.unframer = role, purpose, Unframer(LARGEST_FROM_PEER)
        self._strangers.remove(peer)
        self.peers.append(peer)
        peer.out += frame(WELCOME, welcome(self._keys[role], nonce, self._words()))
        self._joined(peer)

    def _write_all(self) -> None:
        for peer in self.peers[:]:
            self._write(peer)

    def _write(self, peer: Peer) -> None:
        if peer.closing:
            return
        try:
            while peer.out:
                sent = peer.line.send(peer.out[:262144])
                del peer.out[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._drop(peer)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.out else 0)
        if self._selector.get_key(peer.line).events != wanted:
            self._selector.modify(peer.line, wanted, peer)

    def _drop(self, peer: Peer) -> None:
        if peer.closing:
            return
        peer.closing = True
        for group in (self.peers, self._strangers):
            if peer in group:
                group.remove(peer)
        with suppress(KeyError, ValueError):
            self._selector.unregister(peer.line)
        peer.line.close()

    def _shut(self) -> None:
        self._tick()
        for peer in self.peers[:]:
            # What waits goes out if it is taken soon: the last word of a session is that it is over.
            peer.line.settimeout(0.2)
            with suppress(OSError):
                peer.line.sendall(bytes(peer.out))
            self._drop(peer)
        for peer in self._strangers[:]:
            self._drop(peer)
        self._selector.close()
        for line in (self._listener, self._waker, self._woken):
            line.close()
