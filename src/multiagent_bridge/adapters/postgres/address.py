"""Where the database is, and how its connections are made: every wait is bounded, and no password is ever shown."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from multiagent_bridge.adapters.postgres.driver import Connection, pg
from multiagent_bridge.adapters.postgres.failures import translated
from multiagent_bridge.errors import Invalid

SCHEMES = ("postgresql", "postgres")
SCHEMA = "bridge"
"""Everything of ours lies in it; nothing is looked up in `public`, where others may have planted functions."""


@dataclass(frozen=True, slots=True)
class Address:
    """A database and the patience with it. `password` stands for the one that the URL does not name.

    All in seconds: `connect` for one connection, `statement` for one statement, `lock` for the turn of another hub, `acquire`
    for a free connection of the pool of `pool_size`.
    """

    url: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    pool_size: int = 8
    connect_seconds: float = 5.0
    statement_seconds: float = 15.0
    lock_seconds: float = 10.0
    acquire_seconds: float = 5.0

    def __post_init__(self) -> None:
        checked(self.url)

    @property
    def idle_seconds(self) -> float:
        """How long a hub may keep others waiting within a transaction (stopped, cut off) before the server ends it."""
        return self.lock_seconds * 0.8


def checked(url: str) -> str:
    """The store URL. Raises Invalid, without any part of it, when it is none of ours or shows its password needlessly."""
    try:
        parts = urlsplit(url)
        parts.hostname, parts.port  # noqa: B018 - reading the port is what checks it
        names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError:
        raise Invalid(
            "the store URL cannot be read",
            "use postgresql://USER@HOST:PORT/DATABASE, with every special character of a password as %XX",
        ) from None
    if parts.scheme not in SCHEMES or parts.fragment:
        raise Invalid(
            "the store URL is not one of PostgreSQL", "use postgresql://USER@HOST:PORT/DATABASE; a # in it is %23"
        )
    if "password" in names:
        raise Invalid("a password stands in the query of the store URL", "set postgres.password, or use PGPASSFILE")
    return url


async def connect(address: Address, name: str) -> Connection:
    """One connection. Raises Unavailable with `retry_after`, or Invalid for a URL that the driver does not take.

    The client's own limit is a little longer than the server's: it acts only where the network swallows the answer.
    """
    settings = {
        "application_name": f"multiagent-bridge {name}",
        "search_path": f"{SCHEMA}, pg_temp",
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "off",
        "statement_timeout": _milliseconds(address.statement_seconds),
        "lock_timeout": _milliseconds(address.lock_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(address.idle_seconds),
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "jit": "off",
        # a plan is made once, often while the tables are empty: it goes by the indexes that were made for it, for good
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_bitmapscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
    }
    try:
        connection: Connection = await pg.connect(
            address.url,
            password=address.password,
            timeout=address.connect_seconds,
            command_timeout=address.statement_seconds + min(5.0, address.statement_seconds),
            server_settings=settings,
        )
        return connection
    except ssl.SSLCertVerificationError as error:
        # it is a ValueError, too, and says nothing of the URL
        raise translated(error) from error
    except (ValueError, pg.ClientConfigurationError):
        # the driver's text may hold any part of the URL
        raise Invalid("the store URL cannot be read", "see docs/guide/postgresql.md for what may stand in it") from None
    except (pg.PostgresError, pg.InterfaceError, pg.InternalClientError, OSError, TimeoutError) as error:
        raise translated(error) from error


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
