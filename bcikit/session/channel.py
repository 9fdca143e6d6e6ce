"""The channel of a session: what it says to other processes of this machine, and what they order. Loopback only.

Two doors, each with a thread: one for messages and orders, one for STOP. What the session says is put into a queue;
the door's thread writes it, so that a slow, frozen or killed window delays nothing. Whoever joins first gets a
`Snapshot`, then messages with a growing sequence and an age; who falls behind loses signals first, and then is given a
new snapshot.
"""

import json
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from bcikit.session.control import RIGHTS
from bcikit.session.door import Door, Peer
from bcikit.session.frames import ANSWER, ORDER, SAID, SIGNAL, frame, pack_signal
from bcikit.session.memory import Memory
from bcikit.session.orders import checked_order
from bcikit.session.ticket import ROLES, Ticket
from bcikit.signal import ArgumentError, BciError, Event, check_choice
from bcikit.signal.documents import json_of
from bcikit.signal.messages import VERSION, Beat, Filtered, Happened, Message, Raw, to_json

PERIOD = 0.02
"""Seconds between two looks of the door's thread at what the session said: once a frame is enough for a picture."""

BEAT_SECONDS = 0.25
"""Between two beats, by which a window knows that the session lives."""

MOST_SAID = 4096
"""Messages that wait for the door's thread before signals are left out; nothing else is."""

SIGNAL_BYTES = 4 * 2**20
"""Bytes that a peer may leave untaken before signals are left out for it."""

MOST_BYTES = 16 * 2**20
"""Bytes that a peer may leave untaken before everything is thrown away and it gets a new snapshot."""


class ChannelServer:
    """What a running session listens with.

    Wrong keys, malformed and forbidden orders are refused; a flood of orders keeps the newest, but never loses a stop.

    Attributes
    ----------
    at_once : list of callable
        Called with every order that is taken, in the thread of the door it came through, before the session's own
        thread looks: what must not wait for a session that trains (`bcikit.session.outputs.Outputs.at_once`).
    waiting : threading.Event
        Set while an order waits for `poll`.
    environment : dict of str to str
        What a child process with the rights of a therapist needs.
    """

    def __init__(self) -> None:
        self._keys = {role: secrets.token_bytes(32) for role in ROLES}
        self._orders: deque[dict[str, Any]] = deque(maxlen=256)
        self._stops: dict[str, dict[str, Any]] = {}
        self._taking = threading.Lock()
        self.waiting = threading.Event()
        self.at_once: list[Callable[[Mapping[str, Any]], None]] = []
        self._said: deque[tuple[float, Message]] = deque()
        self._memory = Memory()
        self._sequence = 0
        self._touched = time.monotonic()
        self._next_beat = 0.0
        self._told_faults: set[str] = set()
        self._last_time = 0.0
        self._readers = 0
        self._session = secrets.token_hex(8)
        self._stop_door = Door(
            "bcikit-stop",
            keys=self._keys,
            purposes=("stop",),
            words=self._words,
            joined=_nothing,
            said=self._take_order,
        )
        self._door = Door(
            "bcikit-channel",
            keys=self._keys,
            purposes=("messages", "orders"),
            words=self._words,
            joined=self._joined,
            said=self._take_order,
            tick=self._tick,
            period=PERIOD,
        )
        self._stop_door.open()
        self._door.open()

    # ---- for the session -----------------------------------------------------------------------------------------
    def ticket(self, role: str) -> Ticket:
        """Return the ticket of a role: see `bcikit.session.ticket.ROLES`."""
        check_choice("role", role, tuple(ROLES))
        return Ticket(self._door.port, role, self._keys[role])

    @property
    def environment(self) -> dict[str, str]:
        """What a child process with the rights of a therapist needs."""
        return self.ticket("therapist").environment

    @property
    def n_readers(self) -> int:
        """How many read the messages now."""
        return self._readers

    def say(self, message: Message) -> None:
        """Say something to whoever reads; never waits. Signals that nobody reads cost nothing."""
        if isinstance(message, Raw | Filtered) and (not self._readers or len(self._said) >= MOST_SAID):
            return
        self._said.append((time.monotonic(), message))

    def touch(self) -> None:
        """Take notice that the session's own thread lives: windows show its silence."""
        self._touched = time.monotonic()

    def poll(self) -> list[dict[str, Any]]:
        """Return the orders since the last call; a stop comes first."""
        self.touch()
        with self._taking:
            self.waiting.clear()
            orders = [*self._stops.values(), *self._orders]
            self._stops.clear()
            self._orders.clear()
        return orders

    def put(self, order: dict[str, Any], *, role: str = "therapist") -> None:
        """Take an order from within this process.

        Parameters
        ----------
        role : str
            Who gives it: one of `bcikit.session.ticket.ROLES`, with the rights of that role.

        Raises
        ------
        ArgumentError
            If it is not as `bcikit.session.orders.checked_order` wants it, or the role may not give it; the session
            never sees it then.
        BciError
            If an output did not take a stop at once; the session has the order all the same.
        """
        order = checked_order(order)
        check_choice("role", role, RIGHTS)
        if order["do"] not in RIGHTS[role]:
            raise ArgumentError(f"Who joined as {role} may not order {order['do']!r}.")
        with self._taking:
            if order["do"] == "stop" or (order["do"] == "estop" and order["pressed"]):
                if order["do"] == "estop":
                    # It was pressed anew: a release that nobody has looked at yet must not follow it.
                    kept = [one for one in self._orders if one["do"] != "estop"]
                    self._orders.clear()
                    self._orders.extend(kept)
                self._stops[order["do"]] = order
            else:
                self._orders.append(order)
            self.waiting.set()
        for call in self.at_once:
            call(order)

    def close(self) -> None:
        """Say what waits, and listen no more."""
        self._door.close()
        self._stop_door.close()

    # ---- in the doors' threads -----------------------------------------------------------------------------------
    def _words(self) -> dict[str, object]:
        return {"version": VERSION, "session": self._session, "pid": os.getpid(), "stop": self._stop_door.port}

    def _joined(self, peer: Peer) -> None:
        peer.wants_snapshot = peer.purpose == "messages"

    def _take_order(self, peer: Peer, kind: bytes, payload: bytes) -> None:
        """Take a frame of a peer and answer it."""
        try:
            if kind != ORDER:
                raise ArgumentError("Only orders are taken here.")
            order = json_of(payload)
            do = order.get("do") if isinstance(order, dict) else None
            if peer.purpose == "messages" or (peer.purpose == "stop" and do != "stop"):
                raise ArgumentError(f"A connection for {peer.purpose} does not take {do!r}.")
            self.put(order, role=peer.role)
        except (BciError, ValueError, RecursionError) as error:
            answer: dict[str, Any] = {"ok": False, "error": str(error)}
        else:
            answer = {"ok": True}
        peer.out += frame(ANSWER, json.dumps(answer).encode())

    def _tick(self) -> None:
        readers = [peer for peer in self._door.peers if peer.purpose == "messages"]
        now = time.monotonic()
        # Before the queue is taken: what is remembered now is in the snapshot, what comes later follows it.
        for peer in readers:
            if len(peer.out) > MOST_BYTES:
                peer.wants_snapshot = True
        for door in (self._door, self._stop_door):
            if door.fault and door.fault not in self._told_faults:
                self._told_faults.add(door.fault)
                self.say(Happened(event=Event(name="channel/fault", time=self._last_time, data={"what": door.fault})))
        self._take_said(readers, now)
        for peer in readers:
            if peer.wants_snapshot and not peer.out:
                peer.wants_snapshot = False
                snapshot = self._memory.snapshot(self._last_time)
                peer.out += frame(SAID, to_json(snapshot, seq=self._sequence, age=0.0))
        self._readers = len(readers)
        if readers and now >= self._next_beat:
            self._next_beat = now + BEAT_SECONDS
            beat = Beat(engine_age=max(0.0, now - self._touched), time=self._last_time)
            self._send(readers, frame(SAID, to_json(beat, seq=self._sequence, age=0.0)))

    def _take_said(self, readers: list[Peer], now: float) -> None:
        while self._said:
            said, message = self._said.popleft()
            self._sequence += 1
            if isinstance(message, Raw | Filtered):
                keeping = [peer for peer in readers if len(peer.out) < SIGNAL_BYTES]
                if keeping:
                    payload = pack_signal(message, sequence=self._sequence, age=now - said)
                    self._send(keeping, frame(SIGNAL, payload))
                continue
            self._memory.take(message)
            self._last_time = max(self._last_time, message.time)
            if readers:
                self._send(readers, frame(SAID, to_json(message, seq=self._sequence, age=now - said)))

    @staticmethod
    def _send(readers: list[Peer], data: bytes) -> None:
        for peer in readers:
            # Who waits for a snapshot takes what is on its way first; it gets nothing in between.
            if not peer.wants_snapshot:
                peer.out += data


def _nothing(peer: Peer) -> None:
    pass
