"""What the way over HTTPS costs: a durable send against a no-op on the same path, and agents that merely wait."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.idle import busy
from benchmarks.latency import TEXT
from benchmarks.places import ROOT, Place, place
from benchmarks.start import resident
from multiagent_bridge import wiring
from multiagent_bridge.config import Settings
from multiagent_bridge.model.callers import Caller

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
AT_ONCE = 50
"""Connections opened side by side: the hub is measured while they wait, not while they come."""


@dataclass(frozen=True)
class Far:
    """A hub over HTTPS and keys of it."""

    url: str
    hub: int
    keys: Sequence[str]
    authority: Path

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    @asynccontextmanager
    async def client(self, key: str) -> AsyncIterator[Client]:
        headers = {"authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, verify=self.tls, trust_env=False, timeout=60) as http:
            async with Client(streamable_http_client(self.url, http_client=http)) as client:
                yield client


class Thin:
    """A client that only writes a request and reads its answer, over one connection that it keeps."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader = reader
        self._writer = writer
        self._key = key

    @classmethod
    async def open(cls, far: Far, key: str, tls: ssl.SSLContext) -> Thin:
        port = int(far.url.rpartition(":")[2].partition("/")[0])
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost"), key)

    def ask(self, tool: str, arguments: dict[str, Any]) -> None:
        params = {"name": tool, "arguments": arguments, "_meta": MODERN}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._key}\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            f"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)

    async def answer(self) -> dict[str, Any]:
        """The result, of an answer that is JSON."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return json.loads(await self._reader.readexactly(length))["result"]  # type: ignore[no-any-return]

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        self.ask(tool, arguments)
        result = await self.answer()
        assert not result.get("isError"), result
        return result

    def close(self) -> None:
        self._writer.transport.abort()


def send(quick: bool) -> list[Figure]:
    """`send_to_partner` against the no-op, both over HTTPS to the same hub, call by call in turn."""
    count = 100 if quick else 600
    with served(1) as far:
        noop, sent = asyncio.run(sends(far, count))
        thin_noop, thin_sent = asyncio.run(_thin_sends(far, count))
    ratio, thin = p50(sent) / p50(noop), p50(thin_sent) / p50(thin_noop)
    measured = f"{ratio:.2f} x ({milliseconds(p50(sent))} / {milliseconds(p50(noop))}); bare wire {thin:.2f} x"
    facts = {
        "ratio": ratio,
        "noop_p50_ms": p50(noop) * 1e3,
        "send_p50_ms": p50(sent) * 1e3,
        "send_p99_ms": percentile(sent, 0.99) * 1e3,
        "wire_ratio": thin,
        "wire_noop_p50_ms": p50(thin_noop) * 1e3,
        "wire_send_p50_ms": p50(thin_sent) * 1e3,
        "calls": count,
    }
    what = "durable `send_to_partner` over HTTPS, p50, against a no-op tool on the same hub and path"
    return [Figure("https", what, "at most 2.0 x", measured, ratio <= 2.0, facts), *agents(quick)]


async def sends(far: Far, count: int) -> tuple[list[float], list[float]]:
    noop, sent = [], []
    async with far.client(far.keys[0]) as client:
        await client.call_tool("create_conversation", {"my_role": "backend", "partner_role": "frontend"})
        for number in range(count + 20):
            start = time.perf_counter()
            await client.call_tool("noop", {})
            between = time.perf_counter()
            await client.call_tool("send_to_partner", {"message": TEXT})
            if number >= 20:
                sent.append(time.perf_counter() - between)
                noop.append(between - start)
    return noop, sent


async def _thin_sends(far: Far, count: int) -> tuple[list[float], list[float]]:
    noop, sent = [], []
    wire = await Thin.open(far, far.keys[0], far.tls)
    for _ in range(count):
        start = time.perf_counter()
        await wire.call("noop")
        between = time.perf_counter()
        await wire.call("send_to_partner", message=TEXT)
        sent.append(time.perf_counter() - between)
        noop.append(between - start)
    wire.close()
    return noop, sent


def agents(quick: bool) -> list[Figure]:
    """Agents with a key and a conversation each, all of them waiting in `check_messages`."""
    count, seconds = (200, 12.0) if quick else (1_000, 40.0)
    with served(count) as far:
        before = resident(far.hub)
        share, held = asyncio.run(_waiting(far, seconds))
    facts = {
        "agents": count,
        "share": share,
        "hub_kib": held,
        "kib_each": (held - before) / count,
        "seconds": seconds,
    }
    measured = f"{held / 1024:.0f} MB ({(held - before) / count:.0f} KiB each), {share:.2%} of a core"
    bar = "hub under 300 MB, under 2 % of a core"
    what = f"{count} agents connected by HTTPS, waiting in `check_messages`"
    return [Figure("https", what, bar, measured, held < 300 * 1024 and share < 0.02, facts)]


async def _waiting(far: Far, seconds: float) -> tuple[float, float]:
    tls, gate = far.tls, asyncio.Semaphore(AT_ONCE)

    async def begun(key: str) -> Thin:
        async with gate:
            wire = await Thin.open(far, key, tls)
            await wire.call("create_conversation", my_role="sender", partner_role="reader")
        return wire

    wires = await asyncio.gather(*(begun(key) for key in far.keys))
    for wire in wires:
        wire.ask("check_messages", {"wait_seconds": 50})
    # every wait has begun, and none ends before the last look
    await asyncio.sleep(2.0 + len(wires) / 200)
    spent, began = busy(far.hub), time.monotonic()
    await asyncio.sleep(seconds)
    share, held = (busy(far.hub) - spent) / (time.monotonic() - began), resident(far.hub)
    for wire in wires:
        wire.close()
    return share, held


@contextmanager
def served(keys: int, **settings: str) -> Iterator[Far]:
    """A hub over HTTPS that also knows `noop`, and so many keys of it. `settings`: its store and master key, if others."""
    with place() as here:
        here.env |= {f"MAB_{name.upper()}": value for name, value in settings.items()}
        made = asyncio.run(_keys(here, keys, settings))
        authority, private = _certificate(here.home)
        http = {"LISTEN": "127.0.0.1:0", "TLS_CERT": str(authority), "TLS_KEY": str(private)}
        env = here.env | {f"MAB_HTTP__{name}": value for name, value in http.items()}
        hub = subprocess.Popen([sys.executable, "-m", "benchmarks.hub"], cwd=ROOT, env=env, stderr=subprocess.PIPE)
        assert hub.stderr is not None
        try:
            lines = [hub.stderr.readline().decode() for _ in range(2)]
            assert "listens" in lines[0], lines
            assert "serves" in lines[1], lines
            yield Far(lines[1].split()[2].replace("127.0.0.1", "localhost"), hub.pid, made, authority)
        finally:
            hub.terminate()
            hub.wait(120)
            hub.stderr.close()


async def _keys(here: Place, count: int, settings: Mapping[str, str]) -> list[str]:
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(Settings.model_validate({"home": here.home, **settings}), stack)
        owner = Caller(agent="", name="owner", peer="uid:0", operator=True)
        return [(await hub.identities.create(owner, f"agent-{n}", ["agent"])).secret for n in range(count)]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine, signed by itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "tls.pem", folder / "tls.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.touch(0o600)
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return certificate, private
