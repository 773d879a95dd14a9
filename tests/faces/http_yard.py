"""A hub in memory behind the real HTTP face on a loopback port, its identities a table of this test."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from multiagent_bridge.adapters.metrics import Metrics
from multiagent_bridge.errors import NotAllowed
from multiagent_bridge.mcp.http import Endpoint
from multiagent_bridge.mcp.server import TOOLS, build
from multiagent_bridge.model.identities import KEY, Identity
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.testing.hubs import TestHub, memory_hub
from multiagent_bridge.web.face import HttpFace, Place
from multiagent_bridge.web.metrics import route

ENDLESS = (Window(1_000_000, 60),)
UNLIMITED = Limits(writes=ENDLESS, reads=ENDLESS, creations=ENDLESS, failures=ENDLESS, invites=ENDLESS)
ALICE, BOB = "alice-secret-" + "a" * 40, "bob-secret-" + "b" * 40
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def identity(name: str, *roles: str) -> Identity:
    return Identity(f"key_{name}", name, KEY, frozenset(roles or ("agent",)), None, None)


@dataclass
class Table:
    """Who is known: an authenticator that a test can change under the face."""

    known: dict[str, Identity] = field(default_factory=lambda: {ALICE: identity("alice"), BOB: identity("bob")})
    metadata: Mapping[str, object] | None = None
    asked: list[str] = field(default_factory=list)

    async def authenticate(self, bearer: str, peer: str) -> Identity:
        self.asked.append(peer)
        if bearer not in self.known:
            raise NotAllowed("that credential is not known here", "ask for one")
        return self.known[bearer]

    async def still(self, identity: Identity) -> bool:
        return identity in self.known.values()

    def resource_metadata(self, url: str) -> Mapping[str, object] | None:
        return None if self.metadata is None else {"resource": url, **self.metadata}


@dataclass
class Yard:
    world: TestHub
    table: Table
    face: HttpFace
    endpoint: Endpoint
    certificate: Path | None
    """Of the authority that vouches for the face."""
    stack: AsyncExitStack
    metrics: Metrics

    @property
    def url(self) -> str:
        return f"{self.face.url}/mcp"

    @property
    def port(self) -> int:
        return int(self.face.url.rpartition(":")[2])

    def verified(self) -> ssl.SSLContext | bool:
        return ssl.create_default_context(cafile=str(self.certificate)) if self.certificate else True

    def http(self, token: str | None = ALICE, **more: Any) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx2.AsyncClient(
            base_url=self.face.url, headers=headers, verify=self.verified(), trust_env=False, timeout=60, **more
        )

    @asynccontextmanager
    async def client(self, token: str = ALICE, era: str = "auto", **headers: str) -> AsyncIterator[Client]:
        """The SDK's own client."""
        async with self.http(token) as http:
            http.headers.update(headers)
            async with Client(streamable_http_client(self.url, http_client=http), mode=era) as client:  # type: ignore[arg-type]
                yield client

    async def raw(self, content: bytes, seconds: float = 60.0) -> bytes:
        """What comes back for these bytes until the other end closes or is silent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(content)
            await writer.drain()
            async with asyncio.timeout(seconds):
                return await reader.read(-1)
        finally:
            writer.close()

    async def pair(self, era: str = "auto") -> str:
        """Alice (session a) and Bob (session b) in a conversation; its id."""
        async with self.client(ALICE, era) as alice, self.client(BOB, era) as bob:
            made = await fields(alice, "create_conversation", my_role="backend", partner_role="frontend")
            await fields(bob, "join_conversation", invite=made["sessions"][1]["invite"])
            return str(made["conversation_id"])


@asynccontextmanager
async def yard(
    tls: Path | None = None, gate: bool = False, world: TestHub | None = None, **place: Any
) -> AsyncIterator[Yard]:
    """The face, open. `tls` is a folder for a certificate of its own and the authority that signed it."""
    found, table = world or memory_hub(UNLIMITED), Table()
    certificate = None
    if tls is not None:
        authority = certified(tls, "ca")
        certificate = authority[0]
        served, key = certified(tls, "server", authority)
        place |= {"tls_cert": str(served), "tls_key": str(key)}
    metrics = Metrics([tool.name for tool in TOOLS], "0")
    endpoint = Endpoint(build(found.hub, gate, metrics), found.hub, table.still, gate)
    at = Place(**({"listen": "127.0.0.1:0"} | place))
    more = [route(found.hub.gauges, metrics.rendered)]
    face = HttpFace(at, endpoint, table, found.hub.journal.refused, found.hub.journal.head, more)
    metrics.connections = lambda: face.listener.connections
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(endpoint.serving())
        await face.open(stack, endpoint.leave)
        yield Yard(found, table, face, endpoint, certificate, stack, metrics)


async def fields(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]


def posted(tool: str, request: int = 1, **arguments: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A call of the newer era as body and header lines, for clients that are only HTTP."""
    params = {"name": tool, "arguments": arguments, "_meta": MODERN}
    body = {"jsonrpc": "2.0", "id": request, "method": "tools/call", "params": params}
    return body, {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }


def request(tool: str, token: str = ALICE, path: str = "/mcp", host: str = "127.0.0.1", **arguments: Any) -> bytes:
    """The same as bytes on the wire."""
    body, lines = posted(tool, **arguments)
    content = json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}"]
    head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    head += [f"{name}: {value}" for name, value in lines.items()]
    return "\r\n".join([*head, "", ""]).encode() + content


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=authority, crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def certified(folder: Path, name: str = "server", signer: tuple[Path, Path] | None = None) -> tuple[Path, Path]:
    """A certificate for this machine and its key, as files; signed by itself, or by `signer`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = subject, key
    if signer is not None:
        issuer = x509.load_pem_x509_certificate(signer[0].read_bytes()).subject
        loaded = serialization.load_pem_private_key(signer[1].read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signing = loaded
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), True)
        # Python 3.13 and later verify by the letter of RFC 5280, 4.2.1: an authority says who it is and what its key may do
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), False)
        .add_extension(_usage(authority=signer is None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .sign(signing, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.touch(0o600)
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private
