"""A stranger where a hub said that it serves the dashboard: `mab dashboard` makes links to the process that said so alone."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from multiagent_bridge.cli import places
from multiagent_bridge.errors import Refused, Unavailable
from multiagent_bridge.guard import proofs
from multiagent_bridge.web.face import HttpFace
from multiagent_bridge.web.proof import PATH, Proof
from tests.faces.browsing import Site, site
from tests.machines.agents import MAB, environment
from tests.machines.places import Place, until

pytestmark = pytest.mark.anyio

NONCE = "0123456789abcdef" * 4
ASKED = re.compile(rb"GET \S+\?nonce=([0-9a-f]{64}) ")


@dataclass(frozen=True)
class At:
    """What a face says of itself."""

    url: str
    asked: str


@dataclass
class Stranger:
    """Listens where a hub said that it does, and answers as it likes."""

    answer: Callable[[str], Awaitable[bytes]]
    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            found = ASKED.search(await reader.readuntil(b"\r\n\r\n"))
            self.asked.append(found[1].decode() if found else "")
            with suppress(ConnectionError):
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + await self.answer(self.asked[-1]))
                await writer.drain()
        finally:
            writer.transport.abort()


@asynccontextmanager
async def stranger(answer: Callable[[str], Awaitable[bytes]]) -> AsyncIterator[Stranger]:
    here = Stranger(answer)
    server = await asyncio.start_server(here.serve, "127.0.0.1", 0)
    here.url = "http://{}:{}".format(*server.sockets[0].getsockname())
    try:
        yield here
    finally:
        server.close()


@asynccontextmanager
async def announced(home: Path, at: At, proof: Proof | None = None) -> AsyncIterator[Proof]:
    """A process that lives says that it serves there; it may be wrong."""
    made = proof or Proof()
    async with AsyncExitStack() as stack:
        places.announce(stack, home / places.HUB, cast(HttpFace, at), made)
        yield made


async def asks(here: Site, query: str, **headers: str) -> tuple[int, str]:
    async with here.stranger(**headers) as http:
        answer = await http.get(f"{PATH}{query}")
        return answer.status_code, answer.text


async def rubbish(nonce: str) -> bytes:
    return b"\xff\x00 sign in here"


async def nothing(nonce: str) -> bytes:
    return b""


async def echo(nonce: str) -> bytes:
    return nonce.encode()


async def flood(nonce: str) -> bytes:
    return b"0" * 10_000_000


async def another_key(nonce: str) -> bytes:
    return proofs.proof(b"x" * 32, "http://127.0.0.1:1", "127.0.0.1", 1, nonce).encode()


@pytest.mark.parametrize("answer", [rubbish, nothing, echo, flood, another_key])
async def test_who_cannot_prove_that_it_is_the_hub_gets_no_link(
    tmp_path: Path, answer: Callable[[str], Awaitable[bytes]]
) -> None:
    async with stranger(answer) as there, announced(tmp_path, At(there.url, there.url)):
        with pytest.raises(Refused) as refused:
            await places.place(tmp_path)
        assert there.asked
    assert there.url in refused.value.sentence
    assert refused.value.hint


async def test_a_proof_is_of_no_use_for_the_next_question(tmp_path: Path) -> None:
    async with site() as here:
        kept = ""

        async def replayed(nonce: str) -> bytes:
            nonlocal kept
            kept = kept or proofs.proof(proof.secret, proof.url, "127.0.0.1", port, nonce)
            return kept.encode()

        async with stranger(replayed) as there:
            port = int(there.url.rpartition(":")[2])
            async with announced(tmp_path, At(there.url, there.url)) as proof:
                assert await places.place(tmp_path) == there.url, "whoever has the secret proves it"
                with pytest.raises(Refused):
                    await places.place(tmp_path)
        assert len(set(there.asked)) == 2
        assert here.url


async def test_who_passes_the_question_on_to_the_true_hub_proves_nothing_of_itself(tmp_path: Path) -> None:
    async with site() as here:
        proof = here.dashboard.proof

        async def relayed(nonce: str) -> bytes:
            return (await asks(here, f"?nonce={nonce}"))[1].encode()

        async with announced(tmp_path, At(here.url, here.url), proof):
            assert await places.place(tmp_path) == here.url
        async with stranger(relayed) as there:
            # the very process that wrote the file, asked at another address than the one it is said to be at
            async with announced(tmp_path, At(here.url, there.url), proof):
                with pytest.raises(Refused):
                    await places.place(tmp_path)
            assert len(there.asked) == 1
            # and another process of the same store
            async with announced(tmp_path, At(there.url, there.url)):
                with pytest.raises(Refused):
                    await places.place(tmp_path)


async def test_who_never_answers_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ASK_SECONDS", 0.1)
    never = asyncio.Event()

    async def silent(nonce: str) -> bytes:
        await never.wait()
        return b""

    async with stranger(silent) as there, announced(tmp_path, At(there.url, there.url)):
        with pytest.raises(Unavailable):
            await places.place(tmp_path)
        never.set()


async def test_who_hangs_up_at_once_is_nobody_who_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the asker has looked with whom it speaks: the kernel no longer tells."""
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect
    with socket.create_server(("127.0.0.1", 0)) as listening:

        async def connected(asking: socket.socket, address: Any) -> None:
            await connect(asking, address)
            there, _ = listening.accept()
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            there.close()

        monkeypatch.setattr(loop, "sock_connect", connected)
        url = "http://{}:{}".format(*listening.getsockname())
        async with announced(tmp_path, At(url, url)):
            with pytest.raises(Unavailable):
                await places.place(tmp_path)


async def test_where_nobody_listens_there_is_no_link(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = "http://{}:{}".format(*bound.getsockname())
        async with announced(tmp_path, At(url, url)):
            with pytest.raises(Unavailable):
                await places.place(tmp_path)


async def test_what_was_left_behind_is_removed_and_nobody_is_asked(tmp_path: Path) -> None:
    async with stranger(echo) as there:
        for name in (places.HUB, places.DASHBOARD):
            said = places.Said(os.getpid(), there.url, there.url, b"x" * 32)
            (tmp_path / name).write_bytes(said.text())
        assert await places.place(tmp_path) is None
        assert not there.asked
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"1 http://127.0.0.1:1\n", b"\xff\xfe", b"{}", b"[" * 10_000])
async def test_what_nobody_holds_is_removed_whatever_it_says(tmp_path: Path, content: bytes) -> None:
    (tmp_path / places.HUB).write_bytes(content)
    assert await places.place(tmp_path) is None
    assert not (tmp_path / places.HUB).exists()


async def test_a_link_planted_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    home = tmp_path / "home"
    home.mkdir()
    (home / places.HUB).symlink_to(elsewhere)
    with pytest.raises(Unavailable):
        await places.place(home)
    async with announced(home, At("http://127.0.0.1:1", "http://127.0.0.1:1")):
        assert not (home / places.HUB).is_symlink()
        assert stat.S_IMODE((home / places.HUB).stat().st_mode) == 0o600
    assert elsewhere.read_text() == "kept"
    assert not list(home.iterdir())


async def test_who_ends_takes_away_its_own_file_and_no_other(tmp_path: Path) -> None:
    first, second = At("http://127.0.0.1:1", ""), At("http://127.0.0.1:2", "")
    async with announced(tmp_path, second):
        async with AsyncExitStack() as stack:
            places.announce(stack, tmp_path / places.HUB, cast(HttpFace, first), Proof())
            assert await places.place(tmp_path) == first.url
            async with announced(tmp_path, second):
                await stack.aclose()
                assert await places.place(tmp_path) == second.url


@pytest.mark.parametrize(
    "query",
    [
        "", "?", "?nonce=", f"?nonce={NONCE[1:]}", f"?nonce={NONCE}0", f"?nonce={NONCE.upper()}", f"?nonce={NONCE}%0a",
        f"?nonce={NONCE[1:]}g", f"?nonce={NONCE[1:]}%C2%B2", f"?nonce={NONCE}&nonce={NONCE}", "?nonce=" + "0" * 1_900,
    ],
)  # fmt: skip
async def test_nothing_but_a_question_of_the_one_length_is_signed(query: str) -> None:
    async with site() as here:
        proof = here.dashboard.proof
        proof.url = here.url
        status, text = await asks(here, query)
        assert status == 400
        assert not re.search("[0-9a-f]{64}", text)


async def test_the_endpoint_signs_no_words_of_the_one_who_asks_and_tells_no_secret() -> None:
    async with site() as here:
        proof = here.dashboard.proof
        assert (await asks(here, f"?nonce={NONCE}"))[0] == 400, "who has announced nothing proves nothing"
        proof.url = here.url
        first = await asks(here, f"?nonce={NONCE}")
        assert first == (200, proofs.proof(proof.secret, here.url, "127.0.0.1", here.port, NONCE))
        for headers in (
            {"host": f"localhost:{here.port}"},
            {"x-forwarded-host": "evil.example"},
            {"forwarded": "host=evil"},
        ):
            assert await asks(here, f"?nonce={NONCE}", **headers) == first
        assert proof.secret.hex() not in first[1]
        async with here.stranger() as http:
            assert (await http.post(PATH, params={"nonce": NONCE}, headers={"origin": here.url})).status_code == 405


async def test_a_page_of_elsewhere_learns_no_proof() -> None:
    async with site() as here:
        proof = here.dashboard.proof
        proof.url = here.url
        for lines in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"host": "evil.example"}):
            status, text = await asks(here, f"?nonce={NONCE}", **lines)
            assert status in (400, 403, 421)
            assert not re.search("[0-9a-f]{64}", text)


async def test_behind_a_proxy_and_under_tls_the_hub_itself_is_asked(tmp_path: Path) -> None:
    public = "https://bridge.example.org"
    for more in ({"proxies": ("127.0.0.1",), "public_url": public}, {"tls": tmp_path}):
        async with site(**cast(Any, more)) as here, AsyncExitStack() as stack:
            places.announce(stack, tmp_path / places.HUB, here.face, here.dashboard.proof)
            assert await places.place(tmp_path) == here.url
            assert here.url == public or here.url.startswith("https://127.0.0.1:")


def test_every_part_of_what_is_signed_counts() -> None:
    given = (b"x" * 32, "http://127.0.0.1:1", "127.0.0.1", 1, NONCE)
    answer = proofs.proof(*given)
    assert proofs.proves(answer, *given)
    others = (b"y" * 32, "http://127.0.0.1:2", "127.0.0.2", 2, NONCE[::-1])
    for at, other in enumerate(others):
        changed = cast(Any, (*given[:at], other, *given[at + 1 :]))
        assert not proofs.proves(answer, *changed)
    for wrong in ("", answer[:-1], answer.upper(), answer + "0", "\xe9" * 64):
        assert not proofs.proves(wrong, *given)


@pytest.mark.machines
def test_a_hub_that_was_killed_leaves_its_port_and_nobody_is_sent_there(fast: Place) -> None:
    fast.serve("--http", "127.0.0.1:0")
    left = json.loads((fast.home / "hub.url").read_text())
    made = json.loads(fast.mab("dashboard", "--json").stdout)
    assert made["url"].startswith(f"{left['url']}/sign-in#")
    fast.kill_hub()
    port = int(left["url"].rpartition(":")[2])

    async def taken() -> str:
        async with stranger_at(port) as there:
            process = await asyncio.create_subprocess_exec(
                MAB, "dashboard", "--json", env=environment(fast.home, **fast.env),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            assert process.stdout is not None
            try:
                line = await asyncio.wait_for(process.stdout.readline(), 60)
            finally:
                process.send_signal(signal.SIGTERM)
                _, said = await process.communicate()
            assert not there.asked
            assert "left behind" in said.decode()
            return str(json.loads(line)["url"])

    url = asyncio.run(taken())
    assert not url.startswith(left["url"]), "it serves the dashboard itself, elsewhere"
    until(lambda: not (fast.home / "hub.url").exists(), "the file is removed")


@asynccontextmanager
async def stranger_at(port: int) -> AsyncIterator[Stranger]:
    here = Stranger(echo)
    server = await asyncio.start_server(here.serve, "127.0.0.1", port)
    try:
        yield here
    finally:
        server.close()
