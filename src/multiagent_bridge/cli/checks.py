"""What `mab doctor` looks at on the machine: the programs, the state directory, the key, the settings, the clients."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from multiagent_bridge.errors import BridgeError

if TYPE_CHECKING:
    from multiagent_bridge.config import Settings

Verdict = Literal["ok", "warn", "fail"]

PYTHON_FROM = (3, 11)
SPACE_FAIL = 20_000_000
SPACE_WARN = 500_000_000
"""Bytes: a write-ahead log of a busy hub alone may take 16 MB."""

REINSTALL = "pip install --force-reinstall mcp-multiagent-bridge"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `mend` is a command or an act that mends it; a failure always has one."""

    name: str
    verdict: Verdict
    found: str
    mend: str = ""


@dataclass(slots=True)
class Patient:
    """What earlier checks learnt and later ones need; None where it could not be learnt."""

    home: Path | None = None
    settings: Settings | None = None
    sound: set[str] = field(default_factory=set)


Examination = Callable[[Patient], Iterator[Check]]


def python(patient: Patient) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON_FROM:
        yield Check(
            "python",
            "fail",
            f"{version}, and 3.11 is needed",
            "install a newer Python, then: uv tool install mcp-multiagent-bridge",
        )
    else:
        yield Check("python", "ok", f"{version}, {sys.executable}")


def sqlite(patient: Patient) -> Iterator[Check]:
    import apsw

    from multiagent_bridge.adapters.sqlite.opening import refuse_unsafe

    version = apsw.sqlite_lib_version()
    try:
        refuse_unsafe(version)
    except BridgeError as error:
        yield Check("sqlite", "fail", error.sentence, "pip install --upgrade apsw")
    else:
        yield Check("sqlite", "ok", version)


def settings(patient: Patient) -> Iterator[Check]:
    """The configuration; where it is wrong, at least the state directory is learnt."""
    from multiagent_bridge import config

    try:
        patient.settings = config.load()
        patient.home = patient.settings.home
    except BridgeError as error:
        try:
            patient.home = config.home()
        except BridgeError:
            patient.home = None
        yield Check("configuration", "fail", error.sentence, _edit(error))
        return
    files = ", ".join(str(path) for path in config.sources()) or "defaults, no bridge.toml"
    yield Check("configuration", "ok", files)


def _edit(error: BridgeError) -> str:
    from multiagent_bridge import config

    if error.hint.startswith("set MAB_HOME"):
        return 'export MAB_HOME="$PWD/.mab"'
    files = " ".join(str(path) for path in config.sources())
    return f"correct the setting in {files or 'the environment (MAB_*)'}, then: mab config validate"


def state_directory(patient: Patient) -> Iterator[Check]:
    name, home = "state directory", patient.home
    if home is None:
        yield Check(
            name, "fail", "no home directory is known, so there is no place for it", 'export MAB_HOME="$PWD/.mab"'
        )
        return
    try:
        found = home.lstat()
    except FileNotFoundError:
        parent = next((p for p in home.parents if p.exists()), home.parent)
        if os.access(parent, os.W_OK | os.X_OK):
            yield Check(name, "ok", f"{home} is made at the first use")
        else:
            yield Check(
                name,
                "fail",
                f"{home} is not there and cannot be made",
                f"mkdir -p -m 700 {_quoted(home)}, as a user who may; or set MAB_HOME",
            )
        return
    except OSError as error:
        yield Check(
            name, "fail", f"{home}: {(error.strerror or str(error)).lower()}", "set MAB_HOME to a directory of your own"
        )
        return
    if stat.S_ISLNK(found.st_mode):
        yield Check(
            name,
            "fail",
            f"{home} is a link to {home.readlink()}",
            f"rm {_quoted(home)}, once you know who planted it; or set MAB_HOME",
        )
    elif not stat.S_ISDIR(found.st_mode):
        yield Check(name, "fail", f"{home} is not a directory", f"mv {_quoted(home)} {_quoted(home)}.old")
    elif found.st_uid != os.geteuid():
        yield Check(name, "fail", f"{home} belongs to user {found.st_uid}", "set MAB_HOME to a directory of your own")
    elif stat.S_IMODE(found.st_mode) & 0o077:
        yield Check(
            name, "fail", f"{home} is open to others ({stat.S_IMODE(found.st_mode):04o})", f"chmod 700 {_quoted(home)}"
        )
    elif not os.access(home, os.W_OK | os.X_OK):
        yield Check(
            name,
            "fail",
            f"{home} cannot be written to",
            f"chmod 700 {_quoted(home)}; on a read-only disk set MAB_HOME to another",
        )
    else:
        patient.sound.add("directory")
        yield Check(name, "ok", f"{home} (0700, yours)")
    yield from _planted(home)
    yield from _space(home)


def _planted(home: Path) -> Iterator[Check]:
    """Links and other people's files where only plain files of ours belong."""
    try:
        strange = [
            entry.name
            for entry in os.scandir(home)
            if entry.is_symlink() or entry.stat(follow_symlinks=False).st_uid != os.geteuid()
        ]
    except OSError:
        return
    for path in (home / name for name in sorted(strange)):
        yield Check(
            "planted file",
            "fail",
            f"{path} is a link, or another user's",
            f"rm {_quoted(path)}, once you know who put it there",
        )


def _space(home: Path) -> Iterator[Check]:
    try:
        free = shutil.disk_usage(home).free
    except OSError:
        return
    told = f"{free / 1e6:,.0f} MB free"
    if free < SPACE_FAIL:
        yield Check(
            "disk", "fail", told, f"free some space on the disk of {home}: mab cleanup erases expired conversations"
        )
    elif free < SPACE_WARN:
        yield Check("disk", "warn", told, "mab cleanup erases expired conversations")
    else:
        yield Check("disk", "ok", told)


def socket_path(patient: Patient) -> Iterator[Check]:
    from multiagent_bridge.cli.running import PATH_BYTES

    if patient.home is None:
        return
    length = len(os.fsencode(patient.home / "hub.sock"))
    if length <= PATH_BYTES:
        yield Check("socket path", "ok", f"{length} bytes")
    elif Path("/proc/self/fd").is_dir():
        yield Check("socket path", "ok", f"{length} bytes, reached through /proc")
    else:
        yield Check(
            "socket path", "fail", f"{length} bytes, and {PATH_BYTES} is the most here", "export MAB_HOME=~/.mab"
        )


def master_key(patient: Patient) -> Iterator[Check]:
    name = "master key"
    given = patient.settings.master_key.get_secret_value() if patient.settings and patient.settings.master_key else ""
    if given == "keyring":
        yield from _in_keyring(patient)
        return
    if given.startswith("command:"):
        yield from _printed(patient, given)
        return
    if given and not given.startswith("file:"):
        if _is_key(given.encode()):
            patient.sound.add("key")
            yield Check(name, "ok", "from MAB_MASTER_KEY")
        else:
            yield Check(
                name,
                "fail",
                "MAB_MASTER_KEY is not 64 hex characters",
                "restore the key, or name its file: MAB_MASTER_KEY=file:PATH",
            )
        return
    if patient.home is None:
        return
    path = Path(given[5:]) if given else patient.home / "master.key"
    database = database_path(patient)
    try:
        found = path.lstat()
        content = b"" if stat.S_ISLNK(found.st_mode) else path.read_bytes()[:4096]
    except FileNotFoundError:
        if given or (database is not None and database.exists() and database.stat().st_size):
            yield Check(
                name,
                "fail",
                f"{path} is missing, and without it nothing stored can be read",
                f"cp YOUR-COPY-OF-THE-KEY {_quoted(path)} && chmod 600 {_quoted(path)}",
            )
        else:
            yield Check(name, "ok", f"{path} is made at the first use")
        return
    except OSError as error:
        yield Check(name, "fail", f"{path}: {(error.strerror or str(error)).lower()}", f"chmod 600 {_quoted(path)}")
        return
    if not stat.S_ISREG(found.st_mode):
        yield Check(
            name,
            "fail",
            f"{path} is not a plain file",
            f"rm {_quoted(path)}, once you know who put it there, then restore the key",
        )
    elif found.st_uid != os.geteuid():
        yield Check(name, "fail", f"{path} belongs to user {found.st_uid}", f"chown {os.geteuid()} {_quoted(path)}")
    elif stat.S_IMODE(found.st_mode) & 0o077:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        yield Check(
            name,
            "fail",
            f"{path} is open to others ({mode})",
            f"chmod 600 {_quoted(path)}, then: mab rotate CONV for each conversation",
        )
    elif not _is_key(content):
        yield Check(
            name,
            "fail",
            f"{path} does not hold 64 hex characters",
            f"cp YOUR-COPY-OF-THE-KEY {_quoted(path)} && chmod 600 {_quoted(path)}",
        )
    else:
        patient.sound.add("key")
        yield Check(name, "ok", f"{path} (0600)")


def _in_keyring(patient: Patient) -> Iterator[Check]:
    """A key kept by the desktop's keyring: looked up, never made here."""
    from multiagent_bridge.adapters.keyring import kept_key

    if patient.home is None:
        return
    try:
        content = kept_key(patient.home, fresh=False)
    except BridgeError as error:
        database = database_path(patient)
        if error.__cause__ is None and (database is None or not database.exists()):
            # the keyring works and has no key, and nothing needs an old one
            yield Check("master key", "ok", "made in the keyring at the first use")
        else:
            yield Check("master key", "fail", error.sentence, error.hint or "unlock the keyring")
        return
    if _is_key(content.encode()):
        patient.sound.add("key")
        yield Check("master key", "ok", "from the keyring")
    else:
        yield Check("master key", "fail", "the keyring's entry is not 64 hex characters", "restore it from a backup")


def _quoted(path: Path) -> str:
    """A path as a shell reads it."""
    return shlex.quote(str(path))


def _is_key(content: bytes) -> bool:
    """Whether it is a ring of master keys: one, or several while one is rotated."""
    from multiagent_bridge.adapters.state import ring_of

    try:
        return bool(ring_of(content, "it"))
    except BridgeError:
        return False


def _printed(patient: Patient, given: str) -> Iterator[Check]:
    from multiagent_bridge.adapters.state import master_keys

    try:
        master_keys(Path("/"), given)
    except BridgeError as error:
        yield Check("master key", "fail", error.sentence, error.hint or "run the command yourself")
        return
    patient.sound.add("key")
    yield Check("master key", "ok", "from a command")


def database_path(patient: Patient) -> Path | None:
    """Where the database lies, None when that cannot be told."""
    from multiagent_bridge.wiring import sqlite_path

    if patient.settings is None:
        return None if patient.home is None else patient.home / "bridge.db"
    try:
        return sqlite_path(patient.settings.store_url, patient.settings.home)
    except BridgeError:
        return None


def clients(patient: Patient) -> Iterator[Check]:
    from multiagent_bridge.clients import documents
    from multiagent_bridge.clients.files import look
    from multiagent_bridge.clients.machine import this_machine
    from multiagent_bridge.clients.programs import CLIENTS, is_ours

    machine = this_machine()
    present = [client for client in CLIENTS if client.present(machine)]
    configured, missing = [], []
    for client in present:
        path = client.file(machine, "user")
        try:
            document = documents.read(client.syntax, look(path).text, path=client.path)
        except BridgeError as error:
            yield Check(
                "client", "warn", f"{client.title}: {error.sentence}", f"mab init --client {client.name} --print"
            )
            continue
        if is_ours(document):
            configured.append(client.title)
            yield from _startable(client.title, client.name, document)
        else:
            missing.append(client.name)
    if not present:
        yield Check("clients", "warn", "no MCP client was found", "mab init --client NAME")
    elif not configured:
        yield Check("clients", "warn", f"found but not configured: {', '.join(missing)}", "mab init")
    else:
        yield Check(
            "clients",
            "ok",
            f"configured: {', '.join(configured)}" + (f"; not: {', '.join(missing)}" if missing else ""),
        )


def _startable(title: str, name: str, entry: object) -> Iterator[Check]:
    """Whether the program that the client would start is there."""
    command = entry.get("command") if isinstance(entry, dict) else None
    word = str(command[0] if isinstance(command, list) and command else command)
    if shutil.which(word) is None:
        yield Check(
            "client", "fail", f"{title} would start {word}, which is not there", f"mab init --client {name} --yes"
        )
