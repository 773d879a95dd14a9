"""What is written down of a snapshot: for lists in the commit's message, and beside the files what git has no place for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from multiagent_bridge.adapters.folders import above, shown
from multiagent_bridge.adapters.snapshots.repository import Outer, Own
from multiagent_bridge.adapters.snapshots.tree import FILE, FOLDER, IGNORED, LINK, Entry, Reading
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.workspaces import Snapshot, Workspace

FORMAT = 1
FEW = 20
"""Names that `left_out` tells one by one."""
DAMAGED = "a snapshot cannot be read"


@dataclass(slots=True)
class Kept:
    """A snapshot with all that it holds. `untouched` is path to reason of what is neither in it nor ignored by git."""

    snapshot: Snapshot
    entries: dict[str, Entry] = field(default_factory=dict)
    untouched: dict[str, str] = field(default_factory=dict)
    repositories: set[str] = field(default_factory=set)
    outer: Outer = field(default_factory=Outer)


def message(snapshot: Snapshot, own: Own, index: str) -> str:
    """The message of the commit: one line for people, and all of it as JSON. HEAD and index let a person restore refs by hand."""
    fields = {"mab_snapshot": FORMAT, **asdict(snapshot), "head": own.head, "commit": own.commit, "index": index}
    return f"snapshot {snapshot.id}\n\n{json.dumps(fields, sort_keys=True)}\n"


def snapshot(text: str) -> Snapshot:
    """What `message` wrote. Raises Unavailable."""
    try:
        fields = json.loads(text.partition("\n\n")[2])
        return Snapshot(
            id=fields["id"],
            workspace=Workspace(**fields["workspace"]),
            at=fields["at"],
            files=fields["files"],
            label=fields["label"],
            left_out=tuple(fields["left_out"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise Unavailable(DAMAGED, "look at the state directory: mab doctor") from error


def left_out(reading: Reading) -> tuple[str, ...]:
    """The first few, and how many more; what git ignores comes last, since whoever wrote the rules knows of it."""
    ordered = sorted(reading.left_out.items(), key=lambda one: (one[1] == IGNORED, one[0]))
    names = [f"{shown(path)} ({why})" for path, why in ordered]
    more = len(names) - FEW
    return (*names[:FEW], f"and {more:,} more") if more > 0 else tuple(names)


def about(reading: Reading, outer: Outer) -> bytes:
    """Permissions where they are not the usual ones, empty folders, what was left alone, and rules from outside."""
    usual = {
        kind: _usual([entry.mode for entry in reading.entries.values() if _kind(entry) == kind])
        for kind in ("file", "program", "folder")
    }
    full = {place for path, entry in reading.entries.items() for place in above(path) if entry.kind != FOLDER}
    others = {
        path: [entry.kind, entry.mode]
        for path, entry in reading.entries.items()
        if entry.kind != LINK and (entry.mode != usual[_kind(entry)] or (entry.kind == FOLDER and path not in full))
    }
    fields = {
        "usual": usual,
        "others": others,
        "untouched": {path: why for path, why in reading.left_out.items() if why != IGNORED},
        "repositories": sorted(reading.repositories),
        "outer": asdict(outer),
    }
    return json.dumps(fields, sort_keys=True).encode()


def of(snapshot: Snapshot, reading: Reading, outer: Outer) -> Kept:
    """A snapshot that was just taken."""
    untouched = {path: why for path, why in reading.left_out.items() if why != IGNORED}
    return Kept(snapshot, reading.entries, untouched, reading.repositories, outer)


def kept(snapshot: Snapshot, files: Mapping[str, tuple[str, str]], written: bytes) -> Kept:
    """A snapshot from its tree (path to mode and name, as git has them) and what `about` wrote. Raises Unavailable."""
    try:
        fields = json.loads(written)
        usual, others = fields["usual"], fields["others"]
        outer = Outer(**fields["outer"])
        found = Kept(snapshot, {}, dict(fields["untouched"]), set(fields["repositories"]), outer)
        places = {place for path in files for place in above(path)}
        places |= {path for path, (kind, _) in others.items() if kind == FOLDER}
        for place in places:
            found.entries[place] = Entry(FOLDER, others.get(place, (FOLDER, usual["folder"]))[1])
        for path, (mode, oid) in files.items():
            kind = LINK if mode == "120000" else FILE
            bits = usual["program" if mode == "100755" else "file"] if kind == FILE else 0o777
            found.entries[path] = Entry(kind, others[path][1] if path in others else bits, oid)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable(DAMAGED, "look at the state directory: mab doctor") from error
    return found


def _kind(entry: Entry) -> str:
    return "program" if entry.kind == FILE and entry.mode & 0o100 else entry.kind


def _usual(modes: list[int]) -> int:
    return min(Counter(modes).most_common(), key=lambda one: (-one[1], one[0]), default=(0o644, 0))[0]
