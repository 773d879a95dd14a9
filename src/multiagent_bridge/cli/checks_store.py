"""What `mab doctor` looks at in the store and at the hub: database file, journal, clock, the process that serves."""

from __future__ import annotations

import asyncio
import os
import shlex
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from multiagent_bridge import __version__
from multiagent_bridge.cli.checks import Check, Patient, database_path
from multiagent_bridge.errors import BridgeError, Tampered

if TYPE_CHECKING:
    import apsw

    from multiagent_bridge.model.journal import Entry
    from multiagent_bridge.services.journal import Verified

PATIENCE_SECONDS = 20.0
"""Longest look at the database, and longest verification of the journal."""

UNVOUCHED = 200
"""Entries after the last checkpoint that are unusual: one is signed every 100 (`Limits.checkpoint_entries`)."""

AHEAD_SECONDS = 60


def database(patient: Patient) -> Iterator[Check]:
    """The file as it lies there, read only: nothing is created, migrated or repaired."""
    import apsw

    from multiagent_bridge.adapters.sqlite.opening import APPLICATION_ID, MIGRATIONS

    name, path = "database", database_path(patient)
    if path is None:
        return
    try:
        found = path.lstat()
    except FileNotFoundError:
        yield Check(name, "ok", f"{path} is made at the first use")
        return
    except OSError as error:
        yield Check(name, "fail", f"{path}: {(error.strerror or str(error)).lower()}", f"ls -l {_quoted(path.parent)}")
        return
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        yield Check(
            name, "fail", f"{path} is not a plain file of yours", f"rm {_quoted(path)}, once you know who put it there"
        )
        return
    if found.st_size == 0:
        yield Check(name, "ok", f"{path} is empty, and filled at the first use")
        return
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOFOLLOW)
        try:
            connection.set_busy_timeout(2000)
            application, version = _header(connection)
            if application != APPLICATION_ID:
                yield Check(
                    name, "fail", f"{path} is a database of another program", "name another one: --store sqlite:///PATH"
                )
                return
            if version > len(MIGRATIONS):
                told = f"{path} is of version {version}, and this program knows {len(MIGRATIONS)}"
                yield Check(name, "fail", told, "uv tool upgrade mcp-multiagent-bridge")
                return
            wrong = _quick_check(connection)
        finally:
            connection.close()
    except apsw.InterruptError:
        yield Check(
            name,
            "warn",
            f"{path} was not checked to its end in {PATIENCE_SECONDS:.0f} s",
            "sqlite3 PATH 'PRAGMA quick_check'",
        )
        patient.sound.add("database")
        return
    except apsw.Error as error:
        yield Check(name, "fail", f"{path} cannot be read: {error}", "mab restore YOUR-BACKUP --overwrite")
        return
    if wrong:
        yield Check(name, "fail", f"{path} is damaged: {wrong}", "mab restore YOUR-BACKUP --overwrite")
        return
    if version < len(MIGRATIONS):
        yield Check(name, "warn", f"version {version} is brought to {len(MIGRATIONS)} at the next use", "mab list")
        return
    patient.sound.add("database")
    yield Check(name, "ok", f"{path}, version {version}, {found.st_size / 1e6:,.1f} MB, sound")


def _header(connection: apsw.Connection) -> tuple[int, int]:
    ((application, version),) = connection.execute(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version)"
    )
    return int(application), int(version)


def _quick_check(connection: apsw.Connection) -> str:
    """The first thing SQLite finds wrong, "" when nothing is. Raises apsw.InterruptError when it takes too long."""
    ended = threading.Event()

    def interrupt() -> None:
        if not ended.wait(PATIENCE_SECONDS):
            connection.interrupt()

    watch = threading.Thread(target=interrupt, daemon=True)
    watch.start()
    try:
        told = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    finally:
        ended.set()
        watch.join()
    return "" if told == ["ok"] else (told or ["no answer"])[0]


def journal(patient: Patient) -> Iterator[Check]:
    """Every entry, link and checkpoint, and the clock against the newest entry. Only where opening changes nothing."""
    if patient.settings is None or not {"database", "key", "directory"} <= patient.sound:
        if (path := database_path(patient)) is not None and path.exists() and path.stat().st_size:
            yield Check(
                "journal",
                "warn",
                "not verified: what it needs is not in order",
                "mend what failed above, then: mab doctor",
            )
        yield from _clock(None)
        return
    newest: Entry | None = None
    try:
        verified, newest = asyncio.run(_verified())
    except Tampered as error:
        yield Check(
            "journal",
            "fail",
            error.sentence,
            "mab audit --verify, then compare with a checkpoint kept elsewhere: --against FILE",
        )
    except BridgeError as error:
        yield Check("journal", "fail", error.sentence, error.hint or "mab audit --verify")
    except TimeoutError:
        yield Check("journal", "warn", f"not verified to its end in {PATIENCE_SECONDS:.0f} s", "mab audit --verify")
    else:
        told = f"{verified.size} entries verify, {verified.checkpoints} checkpoints, last at {verified.last_checkpoint}"
        late = verified.size - verified.last_checkpoint >= UNVOUCHED
        yield Check("journal", "warn" if late else "ok", told, "mab audit --checkpoint" if late else "")
    yield from _clock(newest)


async def _verified() -> tuple[Verified, Entry | None]:
    from multiagent_bridge.cli import owner

    async with asyncio.timeout(PATIENCE_SECONDS), owner.hub() as hub:
        newest = list(await hub.journal.newest(1))
        return await hub.journal.verify(), newest[-1] if newest else None


def _clock(newest: Entry | None) -> Iterator[Check]:
    now = time.time()
    told = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if now < 1_767_225_600:
        yield Check("clock", "fail", f"{told} is before this program was made", "timedatectl set-ntp true")
    elif newest is not None and newest.at / 1e6 > now + AHEAD_SECONDS:
        behind = round(newest.at / 1e6 - now)
        yield Check(
            "clock", "fail", f"{told}, {behind} s behind the newest entry of the journal", "timedatectl set-ntp true"
        )
    else:
        yield Check("clock", "ok", told)


def hub(patient: Patient) -> Iterator[Check]:
    """Whether a hub runs, answers in time and is of this version."""
    from multiagent_bridge.cli import running

    home = patient.home
    if home is None:
        return
    found = running.look(home)
    who = f"process {found.pid}" if found.pid else "a process that is not known"
    socket = _quoted(home / "hub.sock")
    match found.state:
        case "answers" if _release(found.version) < _release(__version__):
            yield Check(
                "hub",
                "warn",
                f"{who} is version {found.version}, and this is {__version__}",
                "mab serve --stop; the next mab mcp starts a new one",
            )
        case "answers":
            yield Check("hub", "ok", f"{who}, version {found.version}, answered in {found.milliseconds:.0f} ms")
        case "none":
            yield Check("hub", "ok", "none runs; mab mcp starts one")
        case "stale":
            yield Check(
                "hub", "warn", "a dead hub left its socket behind", f"rm {socket}, or leave it: the next mab mcp does"
            )
        case "foreign":
            yield Check(
                "hub", "fail", f"{home / 'hub.sock'} is not a socket", f"rm {socket}, once you know who put it there"
            )
        case "refuses":
            yield Check("hub", "fail", f"{who} refuses this program: {found.said}", "mab serve --stop")
        case "silent":
            mend = (
                f"kill -9 {found.pid}"
                if found.pid
                else f"end the process that holds it: fuser -k {_quoted(home / 'hub.lock')}"
            )
            yield Check("hub", "fail", f"{who} holds the hub's lock and does not answer", mend)


def _release(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split("."):
        with suppress(ValueError):
            numbers.append(int(part))
    return tuple(numbers)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
