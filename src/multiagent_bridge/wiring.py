"""The only module that knows every adapter: settings in, a hub out, everything closed in reverse."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from multiagent_bridge import __version__
from multiagent_bridge.adapters.authenticators import here as authenticators_here
from multiagent_bridge.adapters.background import TaskBackground
from multiagent_bridge.adapters.backups.rotated import RotatedBackups
from multiagent_bridge.adapters.bell import DatagramBell
from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.master_keys import KeySource
from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.adapters.names import hub_name, machine_of
from multiagent_bridge.adapters.redaction.kingfisher import KingfisherScanner
from multiagent_bridge.adapters.redaction.re2_engine import Re2Engine
from multiagent_bridge.adapters.sandbox import choice
from multiagent_bridge.adapters.snapshots.snapshots import ShadowSnapshots
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.adapters.state import no_core_dumps, prepared
from multiagent_bridge.adapters.system import RandomIds, SystemClock
from multiagent_bridge.adapters.vitals import MachineVitals, sqlite_engine
from multiagent_bridge.adapters.workspaces import FolderWorkspaces
from multiagent_bridge.config import Settings
from multiagent_bridge.errors import Invalid, NotFound
from multiagent_bridge.guard.commands.verdict import Verdict
from multiagent_bridge.guard.redact import CustomPattern, Redactor
from multiagent_bridge.model.backups import Backup
from multiagent_bridge.model.health import Engine
from multiagent_bridge.ports import Background, Bell, Clock, Ids, Meter, Store
from multiagent_bridge.ports.code_flow import AuthorizationServer
from multiagent_bridge.services.code_flow import CodeFlow
from multiagent_bridge.services.hub import Ground, Hub, assemble
from multiagent_bridge.services.orders import Judge
from multiagent_bridge.services.overlaps import heard

if TYPE_CHECKING:
    from multiagent_bridge.adapters.oidc.issuer import OidcIssuer
    from multiagent_bridge.adapters.postgres.address import Address
    from multiagent_bridge.adapters.postgres.looking import Looked
    from multiagent_bridge.adapters.redis.address import Address as RedisAddress
    from multiagent_bridge.adapters.transfer.places import Place


async def open_hub(settings: Settings, stack: AsyncExitStack, owner: str | None = None) -> Hub:
    """Everything a face needs, living as long as `stack`. `owner` names this process in the claims it makes on mail.

    Raises Unavailable or Tampered when store or keys cannot be used, Invalid for settings that make no sense.
    """
    no_core_dumps()
    home = prepared(settings.home)
    check_store(settings, home)
    keys = keys_of(settings, home)
    store = await store_of(settings, home, stack, long_lived=owner is not None)
    await heard(store, keys)
    bell = await bell_of(settings, home, store, stack)
    clock, ids, background = SystemClock(), RandomIds(owner and owner_of(settings, owner)), TaskBackground()
    stack.push_async_callback(background.close)
    issuer = issuer_of(settings, clock, stack)
    hub = assemble(
        store,
        bell,
        clock,
        ids,
        keys,
        await meter_of(settings, stack),
        redactor_of(settings).redact,
        settings.all_limits,
        ground_of(settings, home, clock, ids, background),
        issuer=issuer,
        vitals=vitals_of(settings, home, keys),
        claiming=settings.oidc.claiming,
        backups=backups_of(settings, home, keys),
        authenticators=authenticators_here(),
        machine=machine_of(home) if is_postgres(settings.store_url) else "",
    )
    if server := authorization_server_of(settings, clock, issuer):
        given = settings.oidc
        hub.browsers.accept(CodeFlow(clock, ids, keys, hub.redaction, server, given.claiming, given.sign_in_seconds))
    return hub


def keys_of(settings: Settings, home: Path) -> MasterKeys:
    """The master keys, read again from their source when the store is under one that is not among them.

    Raises Unavailable, Invalid.
    """
    source = key_source(settings, home)
    return MasterKeys(*source.read(), reread=source.reread)


def key_source(settings: Settings, home: Path) -> KeySource:
    """Where the master keys come from."""
    return KeySource(home, settings.master_key.get_secret_value() if settings.master_key else None)


class OpenStore(Store, Protocol):
    """A store that is open, and can say whether somebody else wrote to it: the backstop of every bell."""

    async def changed_elsewhere(self) -> bool: ...


async def store_of(settings: Settings, home: Path, stack: AsyncExitStack, *, long_lived: bool = False) -> OpenStore:
    """The store that the URL names, open as long as `stack`; `home` is the prepared state directory.

    Raises Invalid for a URL of no store, or one whose driver is not installed; Unavailable or Tampered when it cannot be used.
    """
    if is_postgres(settings.store_url):
        from multiagent_bridge.adapters.postgres.store import PostgresStore

        shared = PostgresStore(postgres_address(settings))
        stack.push_async_callback(shared.close)
        await shared.open()
        return shared
    store = SqliteStore(sqlite_path(settings.store_url, home), long_lived=long_lived)
    await store.open()
    stack.push_async_callback(store.close)
    return store


async def bell_of(settings: Settings, home: Path, store: OpenStore, stack: AsyncExitStack) -> Bell:
    """The bell that reaches every process of that store, open as long as `stack`. Raises Unavailable, Invalid."""
    if (redis := redis_address(settings)) and settings.redis.bell:
        from multiagent_bridge.adapters.redis.bell import RedisBell

        return await stack.enter_async_context(RedisBell(redis, store.changed_elsewhere))
    if is_postgres(settings.store_url):
        from multiagent_bridge.adapters.postgres.bell import NotifyBell

        return await stack.enter_async_context(NotifyBell(postgres_address(settings), store.changed_elsewhere))
    bell = DatagramBell(home / "bells", store.changed_elsewhere)
    await bell.open()
    stack.push_async_callback(bell.close)
    return bell


async def meter_of(settings: Settings, stack: AsyncExitStack) -> Meter:
    """The meter of all processes of that store, open as long as `stack`. Raises Unavailable, Invalid."""
    if (redis := redis_address(settings)) and settings.redis.meter:
        from multiagent_bridge.adapters.postgres.metering import BesideMeter
        from multiagent_bridge.adapters.redis.meter import RedisMeter

        return BesideMeter(await stack.enter_async_context(RedisMeter(redis)))
    return StoreMeter()


async def place_of(settings: Settings, home: Path, stack: AsyncExitStack, *, made: bool) -> Place:
    """The store as a place to move from or into, locked as long as `stack`; `made`: a file that is not there is made.

    Raises Invalid, Unavailable, Tampered, and NotFound where there is no file to move from.
    """
    if is_postgres(settings.store_url):
        from multiagent_bridge.adapters.transfer.postgres import postgres_place

        return await stack.enter_async_context(postgres_place(postgres_address(settings)))
    from multiagent_bridge.adapters.transfer.sqlite import sqlite_place

    path = sqlite_path(settings.store_url, home)
    if not made and not path.exists():
        raise NotFound("there is no database file to move", "look at the path: mab config show")
    return await stack.enter_async_context(sqlite_place(path))


def owner_of(settings: Settings, owner: str) -> str:
    """The name under which a long-lived process claims and runs; where hubs share a store, one of this state directory alone.

    Else a hub that starts would take what another one is working on for what it left behind itself. Raises Unavailable.
    """
    return f"{owner}-{hub_name(prepared(settings.home))}" if is_postgres(settings.store_url) else owner


async def looked_at(settings: Settings) -> Looked:
    """What a doctor wants to know of a PostgreSQL store; nothing is changed. Raises Unavailable, Invalid."""
    address = postgres_address(settings)
    from multiagent_bridge.adapters.postgres.looking import look

    return await look(address)


def store_file(settings: Settings) -> Path | None:
    """The file that holds the store, there or not; None where it lies on a server. Raises Invalid."""
    return None if is_postgres(settings.store_url) else sqlite_path(settings.store_url, settings.home)


def backups_of(settings: Settings, home: Path, keys: MasterKeys) -> RotatedBackups:
    """What copies the store that the URL names."""

    async def copy(target: Path) -> None:
        from multiagent_bridge.adapters.backups import copies

        if is_postgres(settings.store_url):
            await copies.postgres_copy(postgres_address(settings), target)
        else:
            await copies.sqlite_copy(sqlite_path(settings.store_url, home), target)

    return RotatedBackups(home, copy, keys, __version__)


def vitals_of(settings: Settings, home: Path, keys: MasterKeys) -> MachineVitals:
    """What a page may tell of this machine."""

    async def engine() -> Engine:
        if is_postgres(settings.store_url):
            from multiagent_bridge.adapters.postgres import looking

            return await looking.engine(postgres_address(settings))
        return await sqlite_engine(sqlite_path(settings.store_url, home))

    given = settings.backup
    backups = backups_of(settings, home, keys)
    every = given.every_seconds if given.folder else 0
    return MachineVitals(__version__, engine, lambda: backups.list(given.folder), every)


async def restored(settings: Settings, home: Path, file: Path, identity: str | None, overwrite: bool) -> Backup:
    """Put the store of a backup in place of the one that the settings name. Returns what the file was.

    Raises what `adapters.backups.restoring` raises, and Conflict for a PostgreSQL database that is not empty.
    """
    from multiagent_bridge.adapters.backups.restoring import put_in_place
    from multiagent_bridge.adapters.backups.rotated import unpacked_under

    keys = keys_of(settings, home)
    async with unpacked_under(home, file, keys, identity) as (backup, plain):
        if not is_postgres(settings.store_url):
            await put_in_place(plain, sqlite_path(settings.store_url, home), overwrite)
            return backup
        from multiagent_bridge.adapters.transfer.moving import move
        from multiagent_bridge.adapters.transfer.postgres import postgres_place
        from multiagent_bridge.adapters.transfer.sqlite import sqlite_place

        async with sqlite_place(plain) as source, postgres_place(postgres_address(settings)) as target:
            await move(source, target)
    return backup


def same_store(one: Settings, other: Settings, home: Path) -> bool:
    """Whether both name the same store, as far as their URLs tell. Raises Invalid for one that cannot be opened."""
    for settings in (one, other):
        check_store(settings, home)
    if is_postgres(one.store_url) or is_postgres(other.store_url):
        return one.store_url == other.store_url
    return sqlite_path(one.store_url, home).resolve() == sqlite_path(other.store_url, home).resolve()


def check_store(settings: Settings, home: Path) -> None:
    """Raises Invalid for a store URL that cannot be opened, before anything is made or looked up for it."""
    if is_postgres(settings.store_url):
        postgres_address(settings)
    else:
        sqlite_path(settings.store_url, home)


def is_postgres(url: str) -> bool:
    """Whether the store is a PostgreSQL database. Does not look any further: the URL may still be wrong."""
    return url.partition(":")[0] in ("postgresql", "postgres")


def postgres_address(settings: Settings) -> Address:
    """Where the database is. Raises Invalid for a wrong URL, an unreadable password file, or without the driver."""
    if find_spec("asyncpg") is None:
        raise Invalid("a PostgreSQL store needs the extra [postgres]", "pip install 'mcp-multiagent-bridge[postgres]'")
    from multiagent_bridge.adapters.postgres.address import Address

    given = settings.postgres
    return Address(
        settings.store_url,
        password=_secret(given.password.get_secret_value(), "postgres.password") if given.password else None,
        pool_size=given.pool_size,
        connect_seconds=given.connect_seconds,
        statement_seconds=given.statement_seconds,
        lock_seconds=given.lock_seconds,
        acquire_seconds=given.acquire_seconds,
    )


def redis_address(settings: Settings) -> RedisAddress | None:
    """Where Redis is, None without it. Raises Invalid for a wrong URL, beside SQLite, or without the driver."""
    given = settings.redis
    if not given.url.get_secret_value():
        return None
    if not is_postgres(settings.store_url):
        raise Invalid("Redis goes with a PostgreSQL store", "leave redis.url out, or move the store: mab migrate")
    if find_spec("redis") is None:
        raise Invalid("redis.url needs the extra [redis]", "pip install 'mcp-multiagent-bridge[postgres,redis]'")
    from multiagent_bridge.adapters.redis.address import Address as RedisAddress

    return RedisAddress(
        given.url.get_secret_value(),
        password=_secret(given.password.get_secret_value(), "redis.password") if given.password else None,
        prefix=given.prefix,
        connect_seconds=given.seconds,
        answer_seconds=given.seconds,
        connections=given.connections,
    )


def _secret(given: str, name: str) -> str:
    """A secret itself, or the first line of the file that `file:PATH` names. Raises Invalid when it cannot be read."""
    scheme, _, path = given.partition(":")
    if scheme != "file":
        return given
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, ValueError) as error:
        raise Invalid(f"the file of {name} cannot be read", "check its path and who may read it") from error


def issuer_of(settings: Settings, clock: Clock, stack: AsyncExitStack) -> OidcIssuer | None:
    """Whose tokens are believed besides the hub's own keys. Raises Invalid."""
    given = settings.oidc
    if not given.issuer:
        return None
    from multiagent_bridge.adapters.oidc.fetching import Fetching
    from multiagent_bridge.adapters.oidc.issuer import OidcIssuer
    from multiagent_bridge.adapters.oidc.keyset import Times

    times, fetching = Times(given.keys_seconds, given.keys_seconds_longest), Fetching(given.ca_file)
    issuer = OidcIssuer(given.issuer, given.audience, clock, given.jwks_url, given.algorithms, times, fetching)
    stack.push_async_callback(issuer.close)
    return issuer


def authorization_server_of(settings: Settings, clock: Clock, issuer: OidcIssuer | None) -> AuthorizationServer | None:
    """Where people sign in to the dashboard besides by a link. Raises Invalid."""
    given = settings.oidc
    if not given.client_id:
        return None
    if issuer is None:
        raise Invalid("oidc.client_id is of no issuer", "set oidc.issuer, or leave oidc.client_id out")
    from multiagent_bridge.adapters.oidc.code_flow import OidcCodeFlow

    secret = _secret(given.client_secret.get_secret_value(), "oidc.client_secret") if given.client_secret else ""
    return OidcCodeFlow(issuer, given.client_id, clock, secret, given.scopes, given.token_url)


def ground_of(settings: Settings, home: Path, clock: Clock, ids: Ids, background: Background) -> Ground:
    """What commands are judged by and run on. Raises Invalid for rules of the user's own that are wrong."""
    rules = settings.yolo.policy
    policy = LatePolicy(Path(rules).expanduser() if rules else None)
    if rules:
        # a person's own rules are wrong now, not at the first command
        _ = policy.version
    yolo = settings.yolo
    found = choice.sandboxes(home, yolo.user, yolo.docker_image, yolo.docker_runtime, yolo.sandbox_required)
    return Ground(policy, advise, found, FolderWorkspaces(home), ShadowSnapshots(home, clock, ids), background)


def _policy(user_file: Path | None) -> Judge:
    from multiagent_bridge.adapters.policies import read_policy

    return read_policy(user_file)


def advise(line: str) -> Sequence[str]:
    """What a second reader has to say about a yolo line; its grammar is loaded at the first."""
    from multiagent_bridge.adapters import shell_advice

    return shell_advice.advise(line)


class LatePolicy:
    """The command policy, read at the first question: most hubs are never asked for a command."""

    def __init__(self, user_file: Path | None) -> None:
        self._read = cache(lambda: _policy(user_file))

    @property
    def version(self) -> str:
        return self._read().version

    def judge(self, command: str, mode: str, workspace: str = "") -> Verdict:
        return self._read().judge(command, mode, workspace)


def redactor_of(settings: Settings) -> Redactor:
    """The redactor with the custom patterns of `[redaction]`. Raises Invalid naming the pattern that is wrong."""
    patterns = [CustomPattern(**dict(pattern)) for pattern in settings.redaction.patterns]
    engine = Re2Engine() if any(pattern.regex for pattern in patterns) else None
    scanner = KingfisherScanner() if settings.redaction.scanner else None
    return Redactor(patterns, engine=engine, scanner=scanner, fingerprints=settings.redaction.fingerprints)


def sqlite_path(url: str, home: Path) -> Path:
    """The file that a `sqlite:///PATH` store URL names; a relative PATH is one of the state directory. Raises Invalid."""
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or parts.query or len(parts.path) < 2:
        raise Invalid(
            "the store URL is not one this program can open",
            "use sqlite:///PATH, such as sqlite:////srv/bridge.db, or postgresql://USER@HOST/DATABASE",
        )
    return home / Path(unquote(parts.path[1:])).expanduser()
