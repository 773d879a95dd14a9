"""Small JSON documents of the issuer, and forms posted to it: bounded in size and time, never redirected, never compressed."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from collections.abc import Collection, Mapping
from pathlib import Path

import httpx2

from multiagent_bridge import __version__
from multiagent_bridge.errors import Invalid, Unavailable

SECONDS = 5.0
"""Longest fetch, from connection to last byte."""

LONGEST = 256 << 10
"""Bytes of a document."""

LONGEST_URL = 2_000


class Fetching:
    """Neither proxies nor credentials are taken from the environment."""

    def __init__(self, authorities: str = "", seconds: float = SECONDS, longest: int = LONGEST) -> None:
        """`authorities`: file of those that may vouch for the issuer's certificate; empty: the usual ones.

        Raises Invalid when the file cannot be read or holds no certificate.
        """
        self._seconds = seconds
        self._longest = longest
        self._trust = _trusting(authorities) if authorities else None

    async def document(self, url: str) -> dict[str, object]:
        """The JSON object at `url`. Raises Unavailable with the kind of failure, never with what a server said."""
        _, found = await self._asked("GET", url, (200,), {}, None)
        return found

    async def posted(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, object]]:
        """Post a form: the status, one of 200, 400 and 401 (RFC 6749, section 5), and the JSON object. Raises as `document`."""
        return await self._asked("POST", url, (200, 400, 401), headers, form)

    async def _asked(
        self, method: str, url: str, good: Collection[int], more: Mapping[str, str], form: Mapping[str, str] | None
    ) -> tuple[int, dict[str, object]]:
        if self._trust is None:
            # reading the certificates of all authorities takes tens of milliseconds
            self._trust = await asyncio.to_thread(httpx2.create_ssl_context, trust_env=False)
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"multiagent-bridge/{__version__}",
            **more,
        }
        try:
            async with asyncio.timeout(self._seconds):
                async with (
                    httpx2.AsyncClient(
                        verify=self._trust, follow_redirects=False, trust_env=False, timeout=self._seconds
                    ) as client,
                    client.stream(method, url, headers=headers, data=form) as answer,
                ):
                    if answer.status_code not in good:
                        raise failed(f"it answered {answer.status_code}")
                    if answer.headers.get("content-encoding", "identity") != "identity":
                        raise failed("its answer is compressed")
                    body = await self._body(answer)
        except TimeoutError as error:
            raise failed(f"no answer within {self._seconds:g} s") from error
        except httpx2.HTTPError as error:
            raise failed(_kind(error)) from error
        return answer.status_code, _object(body)

    async def _body(self, answer: httpx2.Response) -> bytes:
        body = bytearray()
        async for part in answer.aiter_raw():
            body += part
            if len(body) > self._longest:
                raise failed(f"its answer is longer than {self._longest:,} bytes")
        return bytes(body)


def _trusting(authorities: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=Path(authorities).expanduser())
    except (OSError, ValueError) as error:
        raise Invalid(
            "the file of oidc.ca_file cannot be used", "a PEM file with the certificates of authorities"
        ) from error


def failed(why: str) -> Unavailable:
    return Unavailable(f"the token issuer cannot be used: {why}", "try again soon; look at the issuer")


def checked(name: str, url: str) -> str:
    """An address of the issuer as it will be used: HTTPS, or HTTP to this machine. Raises Invalid."""
    plain = url.isascii() and url.isprintable() and not set(url) & set(' \\"<>') and len(url) <= LONGEST_URL
    try:
        found = httpx2.URL(url) if plain else None
    except httpx2.InvalidURL:
        found = None
    if found is None or not found.host:
        raise Invalid(f"{name} is no address", "such as https://login.example.org/realms/team")
    if found.userinfo or found.fragment or "#" in url:
        raise Invalid(f"{name} holds a user, a password or a fragment", "leave it out")
    if found.scheme != "https" and not (found.scheme == "http" and _loopback(found.host)):
        raise Invalid(f"{name} is neither HTTPS nor on this machine", "use https://")
    return url


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses are of one scheme, host and port."""
    first, second = httpx2.URL(one), httpx2.URL(other)
    return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _object(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise failed("its answer is no JSON") from error
    if not isinstance(found, dict):
        raise failed("its answer is no JSON object")
    return found


def _kind(error: httpx2.HTTPError) -> str:
    match error:
        case httpx2.ConnectError():
            return "no connection"
        case httpx2.TimeoutException():
            return "it is too slow"
        case _:
            return type(error).__name__
