"""PostgreSQL behind TLS: whose certificate is not believed is told so, and is taken up again once it is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.bell import NotifyBell
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.testing.laws import seat
from tests.faces.http_yard import certified
from tests.postgres_server import Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.servers]

SOON = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


class Front:
    """TLS before a server on a Unix socket. It shows `shown`, a certificate and its key, to whoever connects next."""

    def __init__(self, server: Server, shown: tuple[Path, Path]) -> None:
        self._server = server
        self.shown = shown
        self.refused = asyncio.Event()
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Front:
        self._listening = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def url(self, url: str, authority: Path) -> str:
        port = self._listening.sockets[0].getsockname()[1]
        bare = url.partition("?")[0].replace("@/", f"@localhost:{port}/")
        return f"{bare}?sslmode=verify-full&sslrootcert={authority}"

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # the request for TLS, and that it is welcome
        await reader.readexactly(8)
        writer.write(b"S")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.shown)
        try:
            await writer.start_tls(context)
        except OSError:
            self.refused.set()
            writer.close()
            return
        theirs, to = await asyncio.open_unix_connection(self._server.folder / ".s.PGSQL.5432")
        for pump in (_pump(reader, to), _pump(theirs, writer)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


async def test_a_certificate_that_is_not_believed_is_named_and_the_url_is_not(server: Server, tmp_path: Path) -> None:
    believed, other = certified(tmp_path, "ca"), certified(tmp_path, "other")
    url = await server.create()
    async with Front(server, certified(tmp_path, "server", other)) as front:
        with pytest.raises(Unavailable, match="certificate") as refused:
            await PostgresStore(Address(front.url(url, believed[0]))).open()
        assert refused.value.facts["retry_after"]
        front.shown = certified(tmp_path, "server", believed)
        async with PostgresStore(Address(front.url(url, believed[0]))) as store:
            await seat(store)


async def test_a_bell_comes_back_once_the_certificate_is_believed_again(server: Server, tmp_path: Path) -> None:
    believed, other = certified(tmp_path, "ca"), certified(tmp_path, "other")
    good, wrong = certified(tmp_path, "good", believed), certified(tmp_path, "wrong", other)
    url = await server.create()

    async def nothing() -> bool:
        return False

    ours = "FROM pg_stat_activity WHERE application_name ~ 'bell' AND datname = current_database()"
    admin = await asyncpg.connect(url)
    async with Front(server, good) as front:
        async with NotifyBell(Address(front.url(url, believed[0])), nothing):
            front.shown = wrong
            await admin.execute(f"SELECT pg_terminate_backend(pid) {ours}")
            await asyncio.wait_for(front.refused.wait(), SOON)
            front.shown = good
            async with asyncio.timeout(SOON):
                while not await admin.fetchval(f"SELECT count(*) {ours} AND query ~ 'LISTEN'"):
                    await asyncio.sleep(0.01)
    await admin.close()
