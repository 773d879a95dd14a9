"""What `mab init` means to do to one file, worked out before anything is touched, and the doing of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from multiagent_bridge.clients import documents, files, hooks, plugins, records
from multiagent_bridge.clients.difference import difference
from multiagent_bridge.clients.documents import Entry
from multiagent_bridge.clients.files import Snapshot, shown
from multiagent_bridge.clients.machine import Machine
from multiagent_bridge.clients.programs import SCOPES, Client, Scope, client_called, is_ours, merged
from multiagent_bridge.clients.records import Record
from multiagent_bridge.errors import BridgeError, Conflict, Invalid, Refused

Action = Literal["none", "add", "update", "replace", "remove", "restore", "delete", "forget"]


@dataclass(frozen=True, slots=True)
class Change:
    """One file's change. `new` is what it will hold; None takes it away, unless `action` touches no file.

    none: nothing to do. add, update, replace: our entry in. restore: the bytes from before back. remove: our entry out.
    delete: the file we made goes. forget: the entry is gone already, only our record goes.
    """

    client: Client
    scope: Scope
    snapshot: Snapshot
    action: Action
    new: bytes | None = None
    entry: Entry = field(default_factory=dict)
    record: Record | None = None
    key: str = ""
    """Where in the file `entry` stands."""

    next_step: str = ""

    @property
    def path(self) -> Path:
        return self.snapshot.path

    @property
    def writes(self) -> bool:
        return self.action not in ("none", "forget")

    @property
    def difference(self) -> list[str]:
        """The unified diff, empty when no file changes."""
        if not self.writes:
            return []
        before = self.snapshot.text if self.snapshot.content is not None else None
        after = self.new.decode() if self.new is not None else None
        return difference(self.path, before, after, ours=self.action in ("add", "update"))


def plan_entry(
    client: Client,
    scope: Scope,
    machine: Machine,
    words: tuple[str, ...],
    agent: str,
    environment: dict[str, str],
    state: Path,
    *,
    force: bool = False,
) -> Change:
    """How our entry gets into `client`'s file. Raises Conflict for a foreign server under our key unless `force`,
    Invalid for a file that does not parse, Unavailable for one that cannot be written."""
    snapshot = files.look(client.file(machine, scope), machine.project if scope == "project" else None)
    with _named(snapshot):
        text = snapshot.text
        present = documents.read(client.syntax, text, client.path)
        wanted = client.entry(words, agent, environment)
        foreign = present is not None and not is_ours(present)
        if foreign and not force:
            raise Conflict('another server is configured as "mab"', "--force puts this one in its place")
        entry = merged(None if foreign else present, wanted, client.environment)
        key = ".".join(client.path)
        if entry == present:
            return Change(client, scope, snapshot, "none", snapshot.content, entry, key=key)
        files.check_writable(snapshot)
        edit = documents.put if foreign else documents.update
        new = edit(client.syntax, text, client.path, entry).encode()
        missing = documents.containers_missing(client.syntax, text, client.path)
    after, before = files.digest(new), files.digest(snapshot.content or b"")
    earlier = records.load(state, snapshot.target) if present is not None and not foreign else None
    if earlier is not None:
        record = earlier.followed_by(after, untouched=earlier.after == before)
    else:
        # The bytes before hold our entry already, or none: only the latter are bytes to go back to.
        back = None if present is not None and not foreign else before
        created = snapshot.content is None
        where = (str(snapshot.path), str(snapshot.target))
        record = Record(client.name, scope, *where, after, back, None, created, missing, foreign=foreign)
    action: Action = "add" if present is None else "replace" if foreign else "update"
    return Change(client, scope, snapshot, action, new, entry, record, key, client.next_step)


def plan_hooks(change: Change, machine: Machine, words: tuple[str, ...], agent: str, home: str, state: Path) -> Change:
    """How our hooks get into the client's file of hooks; the answer takes the place of `change` where that file is the same.

    Raises Invalid for a client without hooks and a file that does not parse, Conflict for hooks that are not ours alone,
    Unavailable for a file that cannot be written.
    """
    client, known = change.client, hooks.HOOKS.get(change.client.name)
    if known is None:
        raise Invalid(f"{client.title} has no hooks that run a command", "its agent asks for mail by itself")
    snapshot = files.look(known.file(machine))
    shared = snapshot.target == change.snapshot.target
    groups = known.groups(words, agent, home)
    with _named(snapshot):
        if shared:
            snapshot = change.snapshot
        text = change.new.decode() if shared and change.new is not None else snapshot.text
        new = hooks.put(text, groups)
        if new == text:
            return change if shared else Change(client, "user", snapshot, "none", snapshot.content, groups, key="hooks")
        files.check_writable(snapshot)
        fresh = not hooks.held(snapshot.text)
    after, before = files.digest(new.encode()), files.digest(snapshot.content or b"")
    record = change.record if shared else None
    earlier = records.load(state, snapshot.target)
    if record is not None:
        record = dataclasses.replace(record, after=after, hooks=True)
    elif earlier is not None:
        record = dataclasses.replace(earlier.followed_by(after, untouched=earlier.after == before), hooks=True)
    else:
        where = (str(snapshot.path), str(snapshot.target))
        back = before if fresh else None
        created = snapshot.content is None
        record = Record(client.name, "user", *where, after, back, None, created, server=False, hooks=True)
    action: Action = change.action if shared and change.action != "none" else "add" if fresh else "update"
    entry, key = (change.entry, change.key) if shared else (groups, "hooks")
    return Change(client, "user", snapshot, action, new.encode(), entry, record, key, known.next_step)


def plan_plugin(change: Change, machine: Machine, words: tuple[str, ...], agent: str, home: str, state: Path) -> Change:
    """How the plugin of the client of `change` gets to where the client looks for plugins.

    Raises Conflict for a file there that is not ours, Refused for a link, Unavailable for one that cannot be written.
    """
    client, known = change.client, plugins.PLUGINS[change.client.name]
    path = known.file(machine)
    if path.is_symlink():
        raise Refused(f"{shown(path)} is a link", "remove it: a plugin is a program and must not lead elsewhere")
    snapshot = files.look(path)
    with _named(snapshot):
        present = snapshot.content is not None
        if present and not plugins.is_ours(snapshot.text):
            raise Conflict("another plugin goes by that name", "move it away")
        new = known.text(words, agent, home).encode()
        if new == snapshot.content:
            return Change(client, "user", snapshot, "none", new, key="plugin")
        files.check_writable(snapshot)
    earlier = records.load(state, snapshot.target)
    if present and earlier is not None:
        record = earlier.followed_by(files.digest(new), untouched=False)
    else:
        where = (str(snapshot.path), str(snapshot.target))
        record = Record(client.name, "user", *where, files.digest(new), server=False, plugin=True)
    action: Action = "update" if present else "add"
    return Change(client, "user", snapshot, action, new, {}, record, "plugin", known.next_step)


def plan_undo(record: Record) -> Change:
    """How what `record` tells of is taken back. Raises Conflict when the entry is no longer ours."""
    client = client_called(record.client)
    if record.scope not in SCOPES:
        raise Invalid(f"the record of {shown(record.path)} is not one of mab init", "edit the client by hand")
    scope: Scope = "user" if record.scope == "user" else "project"
    snapshot = files.look(Path(record.target))
    if str(snapshot.target) != record.target:
        raise Conflict(f"{shown(record.target)} leads elsewhere now", "edit the client by hand")
    with _named(snapshot):
        if snapshot.content is None:
            return Change(client, scope, snapshot, "forget", record=record)
        if record.plugin:
            if not plugins.is_ours(snapshot.text):
                return Change(client, scope, snapshot, "forget", record=record)
            files.check_writable(snapshot)
            return Change(client, scope, snapshot, "delete", None, record=record)
        if files.digest(snapshot.content) == record.after:
            files.check_writable(snapshot)
            if record.created:
                return Change(client, scope, snapshot, "delete", None, record=record)
            if (old := _kept(record)) is not None:
                return Change(client, scope, snapshot, "restore", old, record=record)
        present = documents.read(client.syntax, snapshot.text, client.path) if record.server else None
        hooked = record.hooks and hooks.held(snapshot.text)
        if present is None and not hooked:
            return Change(client, scope, snapshot, "forget", record=record)
        if present is not None and not is_ours(present):
            raise Conflict('the server configured as "mab" is no longer this one', "edit the file by hand")
        files.check_writable(snapshot)
        new = snapshot.text if present is None else _without(client, snapshot.text, record)
        if hooked:
            new = hooks.taken_out(new)
    return Change(client, scope, snapshot, "remove", new.encode(), record=record)


def carry_out(change: Change, state: Path) -> Path | None:
    """Do it; answers the backup that was kept. The record is there before the file changes.

    Raises Conflict, Unavailable.
    """
    if change.action == "none" or change.record is None:
        return None
    if change.action in ("add", "update", "replace"):
        return _write(change, change.record, state)
    kept = None
    if change.action == "delete":
        if change.record.after != files.digest(change.snapshot.content or b""):
            kept = files.keep_copy(change.snapshot)  # somebody edited our file
        files.delete(change.snapshot, tuple(Path(folder) for folder in change.record.directories))
    elif change.new is not None:
        if change.action == "remove":
            kept = files.keep_copy(change.snapshot)
        files.replace(change.snapshot, change.new)
        if change.action == "restore" and change.record.backup is not None:
            Path(change.record.backup).unlink(missing_ok=True)  # the file itself is that copy again
    records.forget(state, change.snapshot.target)
    return kept


def _write(change: Change, record: Record, state: Path) -> Path | None:
    earlier = records.load(state, change.snapshot.target)
    copy = files.keep_copy(change.snapshot)
    backup = record.backup or (str(copy) if copy else None)
    noted = dataclasses.replace(record, backup=backup)
    records.save(state, noted)
    try:
        made = files.replace(change.snapshot, change.new or b"", private=change.scope == "user")
    except BridgeError:
        if earlier is not None:
            records.save(state, earlier)
        else:
            records.forget(state, change.snapshot.target)
        if copy is not None:
            copy.unlink(missing_ok=True)
        raise
    if made:
        records.save(state, dataclasses.replace(noted, directories=tuple(map(str, made))))
    return copy


def _without(client: Client, text: str, record: Record) -> str:
    """The text without our entry, and with the foreign one back that stood there."""
    if record.foreign and (old := _kept(record)) is not None:
        entry = documents.read(client.syntax, old.decode(), client.path)
        if entry is not None:
            return documents.put(client.syntax, text, client.path, entry)
    return documents.remove(client.syntax, text, client.path, record.containers)


def _kept(record: Record) -> bytes | None:
    """The bytes from before, if the backup still holds exactly those."""
    if record.before is None or record.backup is None:
        return None
    content = files.look(Path(record.backup)).content
    return content if content is not None and files.digest(content) == record.before else None


@contextlib.contextmanager
def _named(snapshot: Snapshot) -> Iterator[None]:
    """Says which file it was when a sentence about its content passes."""
    name = shown(snapshot.path)
    try:
        yield
    except BridgeError as fault:
        if name in fault.sentence:
            raise
        raise type(fault)(f"{name}: {fault.sentence}", fault.hint, **fault.facts) from None
