"""An issuer of tokens on loopback: it signs with real keys, rotates them, signs people in, and misbehaves when told to."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.adapters.oidc.code_flow import OidcCodeFlow
from multiagent_bridge.adapters.oidc.fetching import Fetching
from multiagent_bridge.adapters.oidc.issuer import OidcIssuer
from multiagent_bridge.adapters.oidc.keyset import Times
from multiagent_bridge.adapters.system import RandomIds, SystemClock
from multiagent_bridge.errors import NotAllowed
from multiagent_bridge.guard.identities import Claiming
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.services.code_flow import CodeFlow
from multiagent_bridge.services.hub import assemble
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import MASTER, MemoryBell, MemoryStore, TestHub, nowhere

AUDIENCE = "https://hub.example.org/mcp"
PEER = "ip:192.0.2.7"
ROLES = {role: frozenset({f"mab-{role}"}) for role in ("agent", "operator", "auditor", "admin")}
CLAIMING = Claiming(roles=ROLES)
KEYS = "/keys"
DISCOVERY = "/.well-known/openid-configuration"
AUTHORIZE = "/authorize"
AGREE = "/agree"
TOKEN = "/token"
CLIENT = "bridge-dashboard"
Answer = tuple[int, Mapping[str, str], bytes]


class Now(Protocol):
    """A clock, as far as an issuer reads one."""

    def now(self) -> int: ...


def private(algorithm: str, number: int = 0) -> Any:
    """The key of that number for that algorithm."""
    return _made(algorithm, number)


@cache
def _made(algorithm: str, number: int) -> Any:
    """Making one costs more than most tests."""
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else ed25519.Ed25519PrivateKey.generate()


def public(algorithm: str, name: str, number: int = 0) -> dict[str, Any]:
    """The same key as its issuer publishes it."""
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(private(algorithm, number).public_key(), as_dict=True)
    return {**made, "kid": name, "use": "sig", "alg": algorithm}


@dataclass
class Issuer:
    """`keys` are published; `answers` replace what a path says: (status, headers, body). It is silent while `answering` is
    not set.
    """

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [public("RS256", "first")])
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    answering: threading.Event = field(default_factory=threading.Event)
    clock: Now = field(default_factory=SystemClock)
    metadata: dict[str, object] = field(default_factory=dict)
    secret: str = ""
    identity: dict[str, object] = field(default_factory=dict)
    access: dict[str, object] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    posted: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)

    def answer(self, path: str) -> Answer:
        bare, _, query = path.partition("?")
        self.asked[bare] += 1
        if bare in self.answers:
            return self.answers[bare]
        if bare in (AUTHORIZE, AGREE):
            return self._page(bare, dict(parse_qsl(query)))
        endpoints = {"authorization_endpoint": self.url + AUTHORIZE, "token_endpoint": self.url + TOKEN}
        supported = {
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        documents: dict[str, object] = {
            KEYS: {"keys": self.keys},
            DISCOVERY: {"issuer": self.url, "jwks_uri": self.url + KEYS, **endpoints, **supported, **self.metadata},
        }
        found = documents.get(path)
        return (404, {}, b"") if found is None else (200, {}, json.dumps(found).encode())

    def agreed(self, address: str) -> dict[str, str]:
        """A person said yes at `address`: the authorization response."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
        code = secrets.token_urlsafe(24)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.url}

    def exchanged(self, authorization: str, form: dict[str, str]) -> Answer:
        """What the token endpoint answers: a code opens once, to who has its verifier (RFC 7636, section 4.6)."""
        self.asked[TOKEN] += 1
        self.posted.append((authorization, form))
        if TOKEN in self.answers:
            return self.answers[TOKEN]
        basic = "Basic " + base64.b64encode(f"{CLIENT}:{self.secret}".encode()).decode()
        if authorization != basic if self.secret else form.get("client_id") != CLIENT:
            return 401, {}, b'{"error": "invalid_client"}'
        asked = self.codes.pop(form.get("code", ""), {})
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not asked or (asked["redirect_uri"], asked["code_challenge"]) != (form.get("redirect_uri"), challenge):
            return 400, {}, b'{"error": "invalid_grant"}'
        given = {"id_token": self.id_token(asked["nonce"])}
        if self.access is not None:
            given["access_token"] = self.token(self.clock, **self.access)
        self.issued += given.values()
        said = {"token_type": "Bearer", "expires_in": 600, **given}
        return 200, {"Content-Type": "application/json"}, json.dumps(said).encode()

    def id_token(self, nonce: str, **changed: object) -> str:
        """The ID token of whoever `identity` says, for our client."""
        return self.token(
            self.clock, header={"typ": "JWT"}, **{"aud": CLIENT, "nonce": nonce, **self.identity, **changed}
        )

    def _page(self, bare: str, asked: dict[str, str]) -> Answer:
        """A page with a yes and a no, as a person sees it; a yes goes back with a code."""
        back = asked.get("redirect_uri", "")
        if bare == AGREE:
            answer = self.agreed(f"{self.url}{AUTHORIZE}?{urlencode(asked)}")
            return 302, {"Location": f"{back}?{urlencode(answer)}"}, b""
        no = urlencode({"error": "access_denied", "state": asked.get("state", ""), "iss": self.url})
        yes = html.escape(f"{AGREE}?{urlencode(asked)}")
        page = (
            "<!doctype html><html lang=en><title>Issuer</title><link rel=icon href='data:,'><h1>Issuer</h1>"
            f"<a href='{yes}'>Yes</a> <a href='{html.escape(f'{back}?{no}')}'>No</a></html>"
        )
        return 200, {"Content-Type": "text/html; charset=utf-8"}, page.encode()

    def vanish(self) -> None:
        for path in (KEYS, DISCOVERY):
            self.answers[path] = (503, {}, b"away")

    def come_back(self) -> None:
        self.answers.clear()

    def claims(self, clock: Now, **changed: object) -> dict[str, object]:
        """The claims of a good token; a changed one that is None is left out."""
        now = clock.now() // SECOND
        good: dict[str, object] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "user-7",
            "preferred_username": "zoe",
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "roles": ["mab-agent"],
        }
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def token(
        self,
        clock: Now,
        key: str = "first",
        algorithm: str = "RS256",
        number: int = 0,
        header: Mapping[str, object] | None = None,
        **changed: object,
    ) -> str:
        headers = {"kid": key, "typ": "at+jwt", **(header or {})}
        kept = {name: value for name, value in headers.items() if value is not None}
        return jwt.encode(self.claims(clock, **changed), private(algorithm, number), algorithm, headers=kept)


@contextmanager
def issuing(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Issuer]:
    """An issuer that answers on loopback until the end of the block, by HTTPS if `tls` is given, under the name `host`."""
    issuer = Issuer()
    issuer.answering.set()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.say(*issuer.answer(self.path))

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.say(*issuer.exchanged(self.headers.get("Authorization", ""), form))

        def say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            issuer.answering.wait(30)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *words: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    issuer.url = f"{'https' if tls else 'http'}://{host}:{server.server_port}"
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.answering.set()
        server.shutdown()
        server.server_close()
        thread.join(30)


def trusting(
    issuer: Issuer,
    claiming: Claiming = CLAIMING,
    limits: Limits | None = None,
    times: Times | None = None,
    master: bytes = MASTER,
    seconds: float = 60.0,
    authorities: str = "",
    store: Any = None,
    clock: FakeClock | None = None,
    signs_in: Mapping[str, Any] | None = None,
    **settings: Any,
) -> TestHub:
    """A hub in memory, its clock standing still, that believes the issuer; with `signs_in` browsers sign in there, too."""
    clock, store, keys = clock or FakeClock(), store or MemoryStore(), MasterKeys(master)
    believed = OidcIssuer(
        issuer.url, [AUDIENCE], clock, times=times, fetching=Fetching(authorities, seconds), **settings
    )
    hub = assemble(
        store,
        MemoryBell(),
        clock,
        RandomIds("test"),
        keys,
        StoreMeter(),
        Redactor().redact,
        limits or Limits(),
        nowhere(),
        believed,
        claiming,
    )
    if signs_in is not None:
        issuer.clock = clock
        server = OidcCodeFlow(believed, CLIENT, clock, **signs_in)
        hub.browsers.accept(CodeFlow(clock, RandomIds("test"), keys, hub.redaction, server, claiming, 43_200))
    return TestHub(hub, clock, store, keys)


def b64(raw: bytes | Mapping[str, Any]) -> str:
    """Base 64 as a token has it."""
    whole = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return base64.urlsafe_b64encode(whole).rstrip(b"=").decode()


def signed(header: Mapping[str, object], payload: bytes | Mapping[str, Any]) -> str:
    """A token of the issuer's own RS256 key, whatever stands in it: the library would refuse to write some of these."""
    first = f"{b64({'alg': 'RS256', **header})}.{b64(payload)}"
    return f"{first}.{b64(jwt.get_algorithm_by_name('RS256').sign(first.encode(), private('RS256')))}"


async def refused(world: TestHub, bearer: str, peer: str = PEER) -> str:
    """What an attacker is told; always the same. The entry in the journal repeats nothing of the credential."""
    with pytest.raises(NotAllowed) as found:
        await world.hub.identities.authenticate(bearer, peer)
    (entry,) = await world.hub.journal.newest(1)
    assert (entry.action, entry.code) == ("identity.authenticate", "not_allowed")
    assert len(bearer) < 12 or bearer[8:] not in entry.line
    return str(found.value)
