"""A small TLS proxy for tests, with the rules of deploy/nginx: one request a connection, the same key to the same hub."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

ADDRESS = "127.0.0.2"
"""Whom the hubs trust to say for whom it asks."""
SECONDS = 75.0
CONNECT_SECONDS = 20.0
HEAD_BYTES = 65_536
DROPPED = ("connection", "forwarded", "x-forwarded-for", "x-forwarded-proto")

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Terminator:
    """Listens on a loopback port until `close`. `hubs` are ports; the keys that come are dealt to them in turn.

    All its sockets belong to one event loop: a descriptor closed under another thread's read may be somebody else's by then.
    """

    def __init__(self, certificate: Path, key: Path, hubs: Sequence[int]) -> None:
        self.hubs = list(hubs)
        self.dealt: dict[str, int] = {}
        """The number of the hub that each Authorization line went to last."""
        self.port = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        assert self._listens.wait(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._loop.close()

    async def _serve(self) -> None:
        open_now: set[asyncio.Task[None]] = set()

        async def one(client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            open_now.add(task)
            try:
                await self._one((client, answer))
            except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
                # the other side left, or the test is over
                pass
            finally:
                open_now.discard(task)
                answer.transport.abort()

        server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=self._context, limit=HEAD_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        await self._ended.wait()
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)

    async def _one(self, client: Stream) -> None:
        incoming, outgoing = client
        async with asyncio.timeout(SECONDS):
            head = (await incoming.readuntil(b"\r\n\r\n"))[:-4]
        first, *lines = head.decode("latin-1").split("\r\n")
        kept = [line for line in lines if line.partition(":")[0].strip().lower() not in DROPPED]
        said = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in kept}
        peer = outgoing.get_extra_info("peername")[0]
        kept += ["Connection: close", f"X-Forwarded-For: {peer}", "X-Forwarded-Proto: https"]
        async with self._hub(said) as hub:
            hub[1].write("\r\n".join([first, *kept, "", ""]).encode("latin-1"))
            upward = asyncio.create_task(_passed(incoming, hub[1]))
            try:
                await _passed(hub[0], outgoing)
            finally:
                upward.cancel()
                await asyncio.gather(upward, return_exceptions=True)
        with contextlib.suppress(OSError, TimeoutError):
            outgoing.close()
            async with asyncio.timeout(CONNECT_SECONDS):
                await outgoing.wait_closed()

    @contextlib.asynccontextmanager
    async def _hub(self, said: dict[str, str]) -> AsyncIterator[Stream]:
        """A connection to the hub that the name asks for, else to that of the key, else to another that answers."""
        named = said.get("host", "").partition(".")[0]
        wanted = int(named[4:]) - 1 if named in ("hub-1", "hub-2") else None
        who = said.get("authorization", "")
        start = self.dealt.setdefault(who, len(self.dealt) % len(self.hubs)) if wanted is None else wanted
        for number in [start, *(n for n in range(len(self.hubs)) if n != start and wanted is None)]:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    found = await asyncio.open_connection("127.0.0.1", self.hubs[number], local_addr=(ADDRESS, 0))
            except (OSError, TimeoutError):
                continue
            if wanted is None:
                self.dealt[who] = number
            try:
                yield found
            finally:
                found[1].transport.abort()
            return
        raise OSError("no hub answers")


async def _passed(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass on what comes until the source ends."""
    with contextlib.suppress(OSError, TimeoutError):
        while True:
            async with asyncio.timeout(SECONDS):
                content = await source.read(65_536)
            if not content:
                return
            target.write(content)
            await target.drain()


@contextlib.contextmanager
def terminated(certificate: Path, key: Path, hubs: Sequence[int]) -> Iterator[Terminator]:
    proxy = Terminator(certificate, key, hubs)
    try:
        yield proxy
    finally:
        proxy.close()
