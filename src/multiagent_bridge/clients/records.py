"""What `mab init` wrote, one small file a configured file under `clients/` of the state directory, for `--undo`.

Digests and paths only: the configuration itself, which may hold other servers' secrets, stays where it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from multiagent_bridge.clients import files
from multiagent_bridge.errors import Invalid, Refused, Unavailable


@dataclass(frozen=True, slots=True)
class Record:
    """One configured file. `before` and `after` are SHA-256 of its bytes around our writing.

    `before` is None once the bytes to go back to are gone; `created`: there was no file; `containers`: how many objects
    around the entry we made; `directories`: those we made; `foreign`: somebody else's entry stood at our key. `server`,
    `hooks` and `plugin`: which of them we wrote there; a plugin is the whole file.
    """

    client: str
    scope: str
    path: str
    target: str
    after: str
    before: str | None = None
    backup: str | None = None
    created: bool = False
    containers: int = 0
    directories: tuple[str, ...] = ()
    foreign: bool = False
    server: bool = True
    hooks: bool = False
    plugin: bool = False

    def followed_by(self, after: str, *, untouched: bool) -> Record:
        """This record when our own entry is written anew; `untouched`: nobody changed the file since."""
        before = self.before if untouched else None
        return replace(self, after=after, before=before, created=self.created and untouched)


def load_all(state: Path) -> tuple[Record, ...]:
    """Every record, by client and path. Raises Invalid naming the file that cannot be read."""
    folder = _folder(state)
    try:
        found = [record for file in sorted(folder.glob("*.json")) if (record := _load(file))]
    except OSError as fault:
        raise Unavailable(f"{files.shown(folder)} cannot be read: {_why(fault)}", "mend that") from None
    return tuple(sorted(found, key=lambda record: (record.client, record.scope, record.path)))


def load(state: Path, target: Path) -> Record | None:
    """The record of one configured file, None if there is none. Raises Invalid."""
    return _load(_file(state, target))


def save(state: Path, record: Record) -> None:
    """Keep `record`. Raises Unavailable, Refused."""
    folder = _folder(state)
    if folder.is_symlink():
        raise Refused(f"{files.shown(folder)} is a link", "remove it: state must not lead elsewhere")
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)  # parents' mode is not ours: one call a directory
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as fault:
        raise Unavailable(f"{files.shown(folder)} cannot be made: {_why(fault)}", "mend that") from None
    file = _file(state, Path(record.target))
    if file.is_symlink():
        raise Refused(f"{files.shown(file)} is a link", "remove it: state must not lead elsewhere")
    text = json.dumps(asdict(record), ensure_ascii=True, indent=1) + "\n"
    files.replace(files.look(file), text.encode())


def forget(state: Path, target: Path) -> None:
    """Drop the record of one configured file, if there is one."""
    try:
        _file(state, target).unlink(missing_ok=True)
    except OSError as fault:
        raise Unavailable(f"the record cannot be removed: {_why(fault)}", "mend that") from None


def _load(file: Path) -> Record | None:
    if file.is_symlink():
        raise Refused(f"{files.shown(file)} is a link", "remove it: state must not lead elsewhere")
    content = files.look(file).content
    if content is None:
        return None
    try:
        value = json.loads(content)
        record = Record(**{**value, "directories": tuple(value["directories"])})
        texts = [record.client, record.scope, record.path, record.target, record.after, *record.directories]
        maybe = [record.before, record.backup]
        numbers = [record.created, record.containers, record.foreign, record.server, record.hooks, record.plugin]
        if not all(isinstance(text, str) for text in [*texts, *(m for m in maybe if m is not None)]):
            raise TypeError
        if not all(isinstance(number, int) for number in numbers):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise Invalid(f"{files.shown(file)} is not a record of mab init", "delete it, edit by hand") from None
    return record


def _folder(state: Path) -> Path:
    return state / "clients"


def _file(state: Path, target: Path) -> Path:
    name = hashlib.sha256(str(target).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return _folder(state) / f"{name}.json"


def _why(fault: OSError) -> str:
    return (fault.strerror or type(fault).__name__).lower()
