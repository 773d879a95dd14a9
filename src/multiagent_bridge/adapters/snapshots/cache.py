"""What the last snapshot of a workspace found, so that the next one reads only what has changed. Without it all is read."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from multiagent_bridge.adapters.snapshots.contents import Known
from multiagent_bridge.adapters.snapshots.git import written
from multiagent_bridge.adapters.snapshots.tree import Entry

FORMAT = 1


@dataclass(slots=True)
class Last:
    """`tree` is git's name of the tree that holds exactly the files of `known`; empty when there is none."""

    tree: str = ""
    known: dict[str, Known] = field(default_factory=dict)


class Cache:
    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Last:
        try:
            fields = json.loads(self._path.read_bytes())
            if fields["format"] != FORMAT:
                return Last()
            return Last(fields["tree"], {path: _known(*row) for path, row in fields["files"].items()})
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            # it is nothing that could not be found out again
            return Last()

    def save(self, last: Last) -> None:
        """Whole or not at all; on a full disk not at all, and then the one before is gone too."""
        rows = {path: [*_row(known.entry), *(known.stamp or ())] for path, known in last.known.items()}
        draft = self._path.with_suffix(".new")
        try:
            written(draft, json.dumps({"format": FORMAT, "tree": last.tree, "files": rows}).encode())
            draft.replace(self._path)
        except OSError:
            self.drop()
            with suppress(OSError):
                draft.unlink()

    def drop(self) -> None:
        self._path.unlink(missing_ok=True)


def _row(entry: Entry) -> tuple[str, int, str]:
    return entry.kind, entry.mode, entry.oid


def _known(kind: str, mode: int, oid: str, *stamp: int) -> Known:
    return Known(Entry(kind, mode, oid), (stamp[0], stamp[1], stamp[2], stamp[3]) if stamp else None)
