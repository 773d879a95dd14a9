"""Notices posted to a web address: signed, retried with back-off, never redirected, the answer's body never read."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import random
import time
from pathlib import Path

import httpx2

from multiagent_bridge import __version__
from multiagent_bridge.adapters.alerts.delivery import Notice
from multiagent_bridge.adapters.state import read_secret
from multiagent_bridge.errors import Invalid, Unavailable

TRIES = 4
PAUSE_SECONDS = 0.5
"""Before the second try; twice as long before each further one, and a little at random."""

SECONDS = 10.0
"""Longest single try."""

SHORTEST_SECRET = 16
LONGEST_URL = 2000

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Webhook:
    """POSTs each notice as JSON to `url`.

    `Mab-Signature` is `v1=` and the hex HMAC-SHA256, under the secret, of the text of `Mab-Timestamp` (seconds since
    1970), a full stop and the body. The receiver checks it, refuses old timestamps, and may see one `Mab-Notice` twice.
    """

    name = "webhook"

    def __init__(self, url: str, secret: bytes, pause: float = PAUSE_SECONDS, seconds: float = SECONDS) -> None:
        """Raises Invalid for an address that is neither HTTPS nor HTTP to this machine, or a secret that is too short."""
        self._url = checked(url)
        if len(secret) < SHORTEST_SECRET:
            raise Invalid(
                f"the webhook's secret has fewer than {SHORTEST_SECRET} bytes", "openssl rand -hex 32 makes one"
            )
        self._secret = secret
        self._pause = pause
        self._seconds = seconds

    async def deliver(self, notice: Notice) -> None:
        """Post it, up to `TRIES` times. Raises Unavailable with the last reason."""
        body = json.dumps(notice, separators=(",", ":")).encode("ascii")
        # neither proxies nor credentials are taken from the environment: the notice goes where its owner said
        async with httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=self._seconds) as client:
            for number in range(TRIES):
                if number:
                    await asyncio.sleep(self._pause * 2 ** (number - 1) * (1 + random.random() / 4))  # noqa: S311
                reason, again = await self._posted(client, body, str(notice.get("id", "")))
                if not reason:
                    return
                if not again:
                    break
        raise Unavailable(f"the webhook did not take it: {reason}", "look at its server")

    async def _posted(self, client: httpx2.AsyncClient, body: bytes, number: str) -> tuple[str, bool]:
        """One try: why it failed (empty when it did not), and whether another may help."""
        at = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"multiagent-bridge/{__version__}",
            "Mab-Notice": number,
            "Mab-Timestamp": at,
            "Mab-Signature": signature(self._secret, at, body),
        }
        try:
            async with asyncio.timeout(self._seconds):
                async with client.stream("POST", self._url, content=body, headers=headers) as answer:
                    status = answer.status_code
        except TimeoutError:
            return f"no answer within {self._seconds:g} s", True
        except httpx2.HTTPError as error:
            return _reason(error), True
        if 200 <= status < 300:
            return "", False
        return f"it answered {status}", status in _AGAIN


def checked(url: str) -> httpx2.URL:
    """The address as it will be used. Raises Invalid."""
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\")
    try:
        found = httpx2.URL(url) if plain and len(url) <= LONGEST_URL else None
    except httpx2.InvalidURL:
        found = None
    if found is None or not found.host:
        raise Invalid("the webhook's address is not one", "such as https://alerts.example.org/mab")
    if found.userinfo or found.fragment:
        raise Invalid("the webhook's address holds a user, a password or a fragment", "the signature says who calls")
    if found.scheme != "https" and not (found.scheme == "http" and _loopback(found.host)):
        raise Invalid("the webhook is neither HTTPS nor on this machine", "use https://, or http://127.0.0.1:PORT/")
    return found


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """What `Mab-Signature` says."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def secret_of(given: str) -> bytes:
    """The secret itself, or that of a file (`file:PATH`, 0600, ours). Raises Invalid, Unavailable."""
    if not given.startswith("file:"):
        return given.encode()
    path = Path(given[5:])
    content = read_secret(path)
    if content is None:
        raise Unavailable(f"the webhook's secret file {path} is missing", "openssl rand -hex 32 makes one")
    return content.strip()


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: httpx2.HTTPError) -> str:
    """The kind of failure: an error's own text may repeat what a server said."""
    match error:
        case httpx2.ConnectError():
            return "no connection"
        case httpx2.TimeoutException():
            return "it is too slow"
        case _:
            return type(error).__name__
