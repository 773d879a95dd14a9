"""The only module that knows every adapter: settings in, a hub out, everything closed in reverse."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from multiagent_bridge.adapters.background import TaskBackground
from multiagent_bridge.adapters.bell import DatagramBell
from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.adapters.redaction.kingfisher import KingfisherScanner
from multiagent_bridge.adapters.redaction.re2_engine import Re2Engine
from multiagent_bridge.adapters.sandbox import choice
from multiagent_bridge.adapters.snapshots.snapshots import ShadowSnapshots
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.adapters.state import master_key, no_core_dumps, prepared
from multiagent_bridge.adapters.system import RandomIds, SystemClock
from multiagent_bridge.adapters.workspaces import FolderWorkspaces
from multiagent_bridge.config import Settings
from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.commands.verdict import Verdict
from multiagent_bridge.guard.redact import CustomPattern, Redactor
from multiagent_bridge.ports import Background, Clock, Ids
from multiagent_bridge.services.hub import Ground, Hub, assemble
from multiagent_bridge.services.orders import Judge


async def open_hub(settings: Settings, stack: AsyncExitStack, owner: str | None = None) -> Hub:
    """Everything a face needs, living as long as `stack`. `owner` names this process in the claims it makes on mail.

    Raises Unavailable or Tampered when store or keys cannot be used, Invalid for settings that make no sense.
    """
    no_core_dumps()
    home = prepared(settings.home)
    path = sqlite_path(settings.store_url, home)
    given = settings.master_key.get_secret_value() if settings.master_key else None
    keys = MasterKeys(master_key(home, given))
    store = SqliteStore(path, long_lived=owner is not None)
    await store.open()
    stack.push_async_callback(store.close)
    bell = DatagramBell(home / "bells", store.changed_elsewhere)
    await bell.open()
    stack.push_async_callback(bell.close)
    redactor = redactor_of(settings)
    clock, ids, background = SystemClock(), RandomIds(owner), TaskBackground()
    stack.push_async_callback(background.close)
    return assemble(
        store,
        bell,
        clock,
        ids,
        keys,
        StoreMeter(),
        redactor.redact,
        settings.all_limits,
        ground_of(settings, home, clock, ids, background),
    )


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
            "the store URL is not one this program can open", "use sqlite:///PATH, such as sqlite:////srv/bridge.db"
        )
    return home / Path(unquote(parts.path[1:])).expanduser()
