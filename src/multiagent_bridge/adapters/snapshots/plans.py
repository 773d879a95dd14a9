"""What has to be done so that a workspace becomes what a snapshot holds, worked out before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from multiagent_bridge.adapters.folders import above, shown, unicode_of
from multiagent_bridge.adapters.snapshots.records import Kept
from multiagent_bridge.adapters.snapshots.tree import FOLDER, IGNORED, REPOSITORY, TOO_LARGE, UNREADABLE, Entry, Reading
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.workspaces import Change


@dataclass(slots=True)
class Plan:
    """In the order in which it is carried out. `kept` must be in a snapshot before: a rollback loses nothing. `obstacle`
    is why it cannot be carried out at all.
    """

    removed: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    written: dict[str, Entry] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    obstacle: Conflict | None = None

    def __bool__(self) -> bool:
        return bool(self.removed or self.emptied or self.made or self.written or self.modes)


def plan(then: Kept, now: Reading) -> Plan:
    """`now` was read under the rules of `then`, with all that `overlooked` names."""
    found = Plan()
    wanted = then.entries
    for path, entry in now.entries.items():
        if path not in wanted or wanted[path].kind != entry.kind:
            _go(found, path, entry, path in wanted)
    _pass(found, now, _needed(then), then)
    for path, entry in wanted.items():
        if (there := now.entries.get(path)) != entry:
            _come(found, path, entry, there, path in now.left_out)
    found.removed.sort()
    found.emptied.sort(key=lambda path: path.count("/"), reverse=True)
    found.made.sort(key=lambda path: path.count("/"))
    found.changes.sort(key=lambda change: change.path)
    return found


def overlooked(then: Kept, now: Reading) -> frozenset[str]:
    """What a reader passes by and a rollback must not: repositories below the workspace that have appeared since (what they
    configure runs when somebody types `git status`), those the snapshot holds, and large files that are new.

    The workspace's own repository is never touched.
    """
    found = {
        path for path in now.repositories if "/" in path and (path in then.entries or path not in then.repositories)
    }
    large = {path for path, why in now.left_out.items() if why == TOO_LARGE}
    return frozenset(found | {path for path in large if path in then.entries or not _untouched(path, then)})


def _needed(then: Kept) -> set[str]:
    """Every place that the snapshot has something at, or below."""
    return {place for path in then.entries for place in above(path)} | then.entries.keys()


def _go(found: Plan, path: str, entry: Entry, replaced: bool) -> None:
    if entry.kind == FOLDER:
        found.emptied.append(path)
    else:
        found.removed.append(path)
        found.kept.add(path)
    if not replaced:
        found.changes.append(Change(_named(path, entry), "removed"))


def _pass(found: Plan, now: Reading, needed: set[str], then: Kept) -> None:
    """What the reader passed by stays, and so do the folders that hold it, unless something has to come in its place."""
    occupied: dict[str, str] = {}
    for path, why in now.left_out.items():
        bare = path.rstrip("/")
        if why == UNREADABLE and not _untouched(bare, then):
            sentence = f"{shown(bare)} cannot be read, so what it holds now could not be kept"
            found.obstacle = Conflict(sentence, "make it readable to its owner (chmod u+rwX), then repeat the call")
        if bare in needed and why not in (IGNORED, REPOSITORY, UNREADABLE):
            # a pipe or the like holds nothing
            found.removed.append(bare)
        else:
            occupied |= dict.fromkeys(above(bare), bare)
    for path in found.emptied:
        if path in occupied and path in then.entries:
            sentence = f"{shown(occupied[path])} is in no snapshot and stands where a file has to come back"
            found.obstacle = Conflict(sentence, "move it away, then repeat the call")
    found.emptied = [path for path in found.emptied if path not in occupied]
    staying = {f"{unicode_of(path)}/" for path in occupied}
    found.changes = [change for change in found.changes if change.path not in staying]


def _come(found: Plan, path: str, entry: Entry, now: Entry | None, passed: bool) -> None:
    if entry.kind == FOLDER:
        found.modes[path] = entry.mode
        if now is None or now.kind != FOLDER:
            found.made.append(path)
    else:
        found.written[path] = entry
        if now is not None and now.kind != FOLDER:
            found.kept.add(path)
    how = "added" if now is None and not passed else "changed"
    if now is not None and (now.kind, now.oid) == (entry.kind, entry.oid):
        how = "mode"
    found.changes.append(Change(_named(path, entry), how))


def _untouched(path: str, then: Kept) -> bool:
    """Whether the snapshot left it alone already when it was taken."""
    return path in then.untouched or any(place in then.untouched for place in above(path))


def _named(path: str, entry: Entry) -> str:
    return unicode_of(path) + ("/" if entry.kind == FOLDER else "")


def summary(changes: Sequence[Change], most: int = 3) -> str:
    """The first few of them, for a sentence."""
    names = ", ".join(shown(change.path) for change in changes[:most])
    return names if len(changes) <= most else f"{names} and {len(changes) - most:,} more"
