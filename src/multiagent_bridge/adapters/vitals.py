"""What a hub knows of its machine that a page may tell: sizes, versions and instants; never a path."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path, PurePath

from multiagent_bridge.errors import Invalid, Unavailable
from multiagent_bridge.model.health import Copies, Engine
from multiagent_bridge.model.instants import iso_to_microseconds

FRESH_SECONDS = 5.0
"""So long one look answers whoever asks."""

_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")


class MachineVitals:
    """`ports.Vitals`. `engine` looks at the store; `listed` gives the backups of the hub's folder, oldest first; `every_seconds`
    is 0 where the hub makes none by itself.
    """

    def __init__(
        self,
        program: str,
        engine: Callable[[], Awaitable[Engine]],
        listed: Callable[[], Awaitable[Sequence[str]]],
        every_seconds: int,
    ) -> None:
        self._program = program
        self._versions: Mapping[str, str] = {}
        self._engine = engine
        self._listed = listed
        self._every_seconds = every_seconds
        self._kept: tuple[float, Engine, Copies] | None = None
        self._turn = asyncio.Lock()

    def versions(self) -> Mapping[str, str]:
        if not self._versions:
            # milliseconds of imports, which a hub that nobody looks at has no use for
            import platform
            from importlib.metadata import version

            python, sdk = platform.python_version(), version("mcp")
            self._versions = {"Multiagent Bridge": self._program, "Python": python, "MCP SDK": sdk}
        return self._versions

    async def engine(self) -> Engine:
        return (await self._looked())[1]

    async def copies(self) -> Copies:
        return (await self._looked())[2]

    async def _looked(self) -> tuple[float, Engine, Copies]:
        async with self._turn:
            if self._kept is None or time.monotonic() - self._kept[0] >= FRESH_SECONDS:
                self._kept = time.monotonic(), await self._engine(), await self._backups()
            return self._kept

    async def _backups(self) -> Copies:
        if not self._every_seconds:
            return Copies()
        found = await self._listed()
        return Copies(self._every_seconds, len(found), made_at(found[-1]) if found else None)


async def sqlite_engine(path: Path) -> Engine:
    """The database file and its log. Raises Unavailable."""
    import apsw

    try:
        size = path.stat().st_size
        log = Path(f"{path}-wal")
        return Engine("SQLite", apsw.sqlite_lib_version(), size, log.stat().st_size if log.exists() else 0)
    except OSError as error:
        raise Unavailable("the database file cannot be looked at", "mab doctor") from error


def made_at(path: str) -> int | None:
    """When a backup of that name was made, in microseconds; None for a name that is none of ours."""
    found = _STAMP.search(PurePath(path).name)
    if found is None:
        return None
    year, month, day, hour, minute, second = found.groups()
    try:
        return iso_to_microseconds(f"{year}-{month}-{day}T{hour}:{minute}:{second}.000000Z")
    except Invalid:
        return None
