"""A WebSocket client for tests that reads and writes TLS in one thread.

That of `websockets.sync` does it in two, and before Python 3.13 one of them may lose what the other sends.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLContext

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as opening


@dataclass
class Caller:
    """A connection and the loop it lives in, which runs while something is sent or waited for."""

    runner: asyncio.Runner
    connection: ClientConnection

    def send(self, text: str | bytes) -> None:
        self.runner.run(self.connection.send(text))

    def recv(self, timeout: float) -> str | bytes:
        return self.runner.run(asyncio.wait_for(self.connection.recv(), timeout))


@contextmanager
def connect(url: str, *, ssl: SSLContext | None, headers: Mapping[str, str] | None = None) -> Iterator[Caller]:
    """Connect, and hang up at the end; raises what `websockets` raises where it is not let in."""

    async def come() -> ClientConnection:
        return await opening(
            url, ssl=ssl, additional_headers=headers, open_timeout=60, compression=None, ping_interval=None, proxy=None
        )

    with asyncio.Runner() as runner:
        caller = Caller(runner, runner.run(come()))
        try:
            yield caller
        finally:
            runner.run(caller.connection.close())
