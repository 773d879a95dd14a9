"""A web server on this machine that answers what a test says, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

ANSWER = "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
Writes = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are statuses, or functions that write what they like; the last one stays."""

    answers: Sequence[int | Writes] = (200,)
    received: list[Received] = field(default_factory=list)
    port: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/alerts"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            answer = self.answers[min(len(self.received), len(self.answers) - 1)]
            self.received.append(Received(head[0], headers, body))
            if isinstance(answer, int):
                writer.write(ANSWER.format(status=answer).encode())
            else:
                await answer(writer)
            await writer.drain()
        writer.transport.abort()
        self.serving.discard(task)


@asynccontextmanager
async def receiving(*answers: int | Writes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(answers or (200,))
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tuple(receiver.serving):
            task.cancel()
        await asyncio.gather(*receiver.serving, return_exceptions=True)
        # an aborted transport closes its socket at the next turn
        await asyncio.sleep(0)
