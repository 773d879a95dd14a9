"""What a request must look like before anybody asks who sent it: pure judgements about its header."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed

Headers = Sequence[tuple[bytes, bytes]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HEADER_BYTES = 16_384
HEADER_LINES = 100
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SECRETS = frozenset(
    {"access_token", "token", "api_key", "apikey", "api-key", "key", "bearer", "authorization", "id_token", "secret"}
)
"""Names under which people put credentials into an address, where every proxy writes them down."""

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})))(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"(https?)://(.{1,300})")
_PORTS = {"http": 80, "https": 443}
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]{1,8192})")


@dataclass(frozen=True, slots=True)
class Rules:
    """`hosts`: names by which clients may call the hub. `origins`: pages elsewhere that may call it. `proxies`: the only
    peers whose word about a client counts; empty: nobody's. `tls`: connections are encrypted here. `url`: what the hub is
    called from outside, when that is not what Host says.
    """

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()
    proxies: tuple[Network, ...] = ()
    tls: bool = False
    url: str = ""

    def base(self, headers: Headers) -> str:
        """The hub's own URL, without a path, as this client knows it. `headers` passed `checked`."""
        scheme = "https" if self.tls or self.proxies else "http"
        return self.url.rstrip("/") or f"{scheme}://{one(headers, b'host')}"


class Refusal(Exception):
    """An answer in place of what was asked for. `extra` header lines go with it."""

    def __init__(self, status: int, error: BridgeError, extra: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error
        self.extra = extra


def checked(rules: Rules, method: str, target: bytes, query: bytes, headers: Headers, peer: str) -> str:
    """The address of the client, once the request's shape, Host, Origin and way here are in order. Raises Refusal."""
    _shape(target, query, headers)
    client = _client(rules, headers, peer)
    host, port = _host(rules, headers)
    _origin(rules, headers, host, port)
    return client


def one(headers: Headers, name: bytes) -> str | None:
    """The only line of that name; None without any. Raises Refusal for several."""
    found = [value for key, value in headers if key == name]
    if len(found) > 1:
        raise Refusal(400, Invalid(f"the request has several {name.decode()} lines", "send one"))
    return found[0].decode("latin-1") if found else None


def bearer(headers: Headers) -> str | None:
    """The bearer credential; None without one. Raises Refusal for several Authorization lines."""
    given = one(headers, b"authorization")
    found = _BEARER.fullmatch(given) if given else None
    return found[1] if found else None


def networks(words: Sequence[str]) -> tuple[Network, ...]:
    """Addresses or networks of trusted proxies. Raises Invalid, also for one that contains everybody."""
    found = []
    for word in words:
        try:
            network = ipaddress.ip_network(word)
        except ValueError as error:
            raise Invalid(f"{word} is no address of a proxy", "an address or a network, such as 10.0.0.0/24") from error
        if network.prefixlen == 0:
            raise Invalid(f"{word} would trust everybody", "name the proxy's own address")
        found.append(network)
    return tuple(found)


def _shape(target: bytes, query: bytes, headers: Headers) -> None:
    if len(headers) > HEADER_LINES or sum(len(key) + len(value) + 4 for key, value in headers) > HEADER_BYTES:
        raise Refusal(431, Invalid("the header is too large", "at most 100 lines and 16 KiB"))
    if not target.startswith(b"/") or b"\0" in target or len(target) > 2_048:
        raise Refusal(400, Invalid("the request names no path of this hub", "send a path, such as /mcp"))
    if one(headers, b"transfer-encoding") is not None and one(headers, b"content-length") is not None:
        # two readers may disagree where such a request ends (RFC 9112, section 6.1)
        raise Refusal(400, Invalid("the request has two lengths", "Content-Length or chunks, not both"))
    named = {name.lower() for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=50)}
    if named & SECRETS:
        raise Refusal(
            400,
            Invalid("a credential in an address is known to everybody by now", "revoke it; send Authorization: Bearer"),
        )


def _client(rules: Rules, headers: Headers, peer: str) -> str:
    """Who sent it: the peer itself, or whom a trusted proxy names. Nobody else's word counts."""
    if not rules.proxies:
        return peer
    address = _address(peer)
    if not _trusted(rules, address):
        if address.is_loopback:
            return peer
        raise Refusal(403, NotAllowed("this hub takes requests from its proxy alone", "use the proxy's address"))
    proto = [part.strip() for part in ",".join(_all(headers, b"x-forwarded-proto")).split(",")][-1].lower()
    if proto != "https":
        raise Refusal(
            403, NotAllowed("the proxy does not say that the client came by HTTPS", "X-Forwarded-Proto: https")
        )
    told = [part.strip() for part in ",".join(_all(headers, b"x-forwarded-for")).split(",") if part.strip()]
    for part in reversed(told):
        found = _address(part)
        if not _trusted(rules, found):
            return str(found)
    raise Refusal(400, Invalid("the proxy does not say for whom it asks", "X-Forwarded-For: the client's address"))


def _all(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        found = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError as error:
        raise Refusal(400, Invalid("the client's address is not one", "X-Forwarded-For: addresses")) from error
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _trusted(rules: Rules, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address in network for network in rules.proxies)


def _host(rules: Rules, headers: Headers) -> tuple[str, int]:
    """The host and port the client called, which keeps a page of elsewhere from calling us by a name of its own."""
    host, port = authority(one(headers, b"host") or "")
    if host not in rules.hosts:
        raise Refusal(421, NotAllowed("this hub does not answer to that Host", "add it to hosts in [http]"))
    return host, port


def authority(text: str) -> tuple[str, int]:
    """`host` or `host:port` as (host in lower case without brackets, port or 0). Raises Refusal for anything else."""
    found = _HOST.fullmatch(text)
    if found is None or int(found[3] or 0) > 65_535:
        raise Refusal(400, Invalid("the Host line is missing or wrong", "Host: NAME or NAME:PORT"))
    return (found[1] or found[2]).lower(), int(found[3] or 0)


def _origin(rules: Rules, headers: Headers, host: str, port: int) -> None:
    """Browsers say which page asks: one of our own, or one that was allowed. Everything else sends no Origin."""
    given = one(headers, b"origin")
    if given is None or given.lower().rstrip("/") in rules.origins:
        return
    found = _ORIGIN.fullmatch(given)
    if found is not None:
        scheme = found[1]
        theirs, at = authority(found[2])
        own = port or _PORTS["https" if rules.tls or rules.proxies else "http"]
        if theirs in rules.hosts and (at or _PORTS[scheme]) == own:
            return
    raise Refusal(403, NotAllowed("pages of that Origin may not call this hub", "add it to origins in [http]"))
