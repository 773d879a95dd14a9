"""Where the server is, and how clients of it are made: every wait is bounded, and no password is ever shown."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    MaxConnectionsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from multiagent_bridge.errors import Invalid, Unavailable

RETRY_SECONDS = 1.0
"""After what time a caller may try again when the server is away."""

LOST: tuple[type[BaseException], ...] = (RedisError, OSError, TimeoutError, EOFError)
"""Whatever a call may end with when the server or the way to it failed."""

_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    (
        (AuthenticationError, AuthorizationError, NoPermissionError),
        "Redis does not let this user in",
        "check user and password: redis.password",
    ),
    ((ReadOnlyError,), "Redis takes no writes", "name the primary server, not a replica, in redis.url"),
    ((OutOfMemoryError,), "Redis has no memory left", "raise its maxmemory, or let it evict keys that expire"),
    ((BusyLoadingError, MaxConnectionsError), "Redis has too much to do", "wait a moment, then repeat the call"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """A server and the patience with it, in seconds. `password` stands for the one that the URL does not name."""

    url: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    prefix: str = "mab"
    connect_seconds: float = 2.0
    answer_seconds: float = 2.0
    connections: int = 8

    def __post_init__(self) -> None:
        checked(self.url)

    def client(self, name: str) -> Redis:
        """A client that has not connected yet; it never repeats a call by itself: a charge repeated is a charge twice."""
        known: dict[str, Any] = {"password": self.password} if self.password else {}
        scheme = urlsplit(self.url).scheme
        if scheme != "unix":
            known["socket_keepalive"] = True
        if scheme == "rediss":
            known["ssl_min_version"] = ssl.TLSVersion.TLSv1_2
        pool = BlockingConnectionPool.from_url(
            self.url,
            timeout=self.answer_seconds,
            socket_connect_timeout=self.connect_seconds,
            socket_timeout=self.answer_seconds,
            retry=Retry(NoBackoff(), 0),
            max_connections=self.connections,
            client_name=f"multiagent-bridge-{name}",
            **known,
        )
        return Redis.from_pool(pool)


def checked(url: str) -> str:
    """The URL. Raises Invalid, without any part of it, when it is none of Redis or says in the open that TLS is not checked."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading the port is what checks it
    except ValueError:
        raise Invalid("redis.url cannot be read", "use redis://HOST:PORT/0, rediss:// with TLS") from None
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path):
        raise Invalid(
            "redis.url is not one of Redis or Valkey", "use redis://HOST:PORT/0, rediss:// with TLS, or unix://PATH"
        )
    if parts.query:
        # the driver would take any option of its connections from there, ssl_cert_reqs=none included
        raise Invalid("redis.url has a query", "name the database as a path: redis://HOST:PORT/2")
    return url


def translated(error: BaseException) -> Unavailable:
    """The bridge's error for one of the driver's, which becomes its cause; no text of the driver's is passed on."""
    sentence, hint = (
        "Redis cannot be reached",
        "see that it runs and can be reached; it is asked again at the next call",
    )
    if isinstance(error, ResponseError):
        sentence, hint = "Redis failed", "look at its log, and that it is Redis 6 or Valkey 7.2 or later"
    for kinds, said, what in _MEANINGS:
        # the driver gives a refusal while it connects another class
        refused = AuthenticationError in kinds and isinstance(error.__context__, AuthenticationError)
        if refused or isinstance(error, kinds):
            sentence, hint = said, what
    found = Unavailable(sentence, hint, retry_after=RETRY_SECONDS)
    found.__cause__ = error
    return found
