"""Commands of snapshots: yolo rollback, cleanup. The difference is shown before anything changes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner, person
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import Refused

if TYPE_CHECKING:
    from multiagent_bridge.model.workspaces import Change, Snapshot

MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow"), "mode": ("m", "yellow")}
"""How a change is shown, seen from the present: what a rollback brings back, takes away, or makes otherwise."""

DAYS = 30


def rollback(
    snapshot: Annotated[
        str | None, typer.Argument(metavar="SNAPSHOT", help="Its id; without one all are listed.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Show the difference and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Bring a workspace back to a snapshot: shows the difference, asks, keeps a snapshot of what was there."""
    if snapshot is None:
        _list(as_json)
        return
    changes = owner.run(lambda hub, me: hub.snapshots.difference(me, snapshot))
    if show or not changes:
        _answer(snapshot, changes, None, as_json)
        return
    if not as_json:
        _print(changes)
    if not yes:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise Refused("nothing was rolled back: nobody was there to agree", "add --yes, or --print to look only")
        question = "Make these changes?" if len(changes) > 1 else "Make this change?"
        person.agreed(question, "nothing was rolled back", "run it again when you want it")
    before = owner.run(lambda hub, me: hub.snapshots.rollback(me, snapshot))
    if as_json:
        _answer(snapshot, changes, before, as_json)
    else:
        output.line(f"rolled back; what was there before is snapshot {before.id}")


def _list(as_json: bool) -> None:
    snapshots = owner.run(lambda hub, me: hub.snapshots.list(me))
    if as_json:
        output.data([fields(one) for one in snapshots])
        return
    table(snapshots)
    if not snapshots:
        output.say("no snapshots")


def cleanup(
    older_than: Annotated[
        int, typer.Option("--older-than", metavar="DAYS", min=0, help="Only snapshots that are older.")
    ] = DAYS,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Forget old snapshots for good. The journal stays."""
    if not yes:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise Refused("no snapshot was removed: nobody was there to agree", "add --yes")
        question = f"Forget every snapshot older than {older_than} days for good?"
        person.agreed(question, "no snapshot was removed", "run it again when you want it")
    gone = owner.run(lambda hub, me: hub.snapshots.cleanup(me, older_than))
    if as_json:
        output.data({"removed": gone})
    else:
        output.say(f"snapshots removed: {gone}")


def fields(snapshot: Snapshot) -> dict[str, object]:
    from multiagent_bridge.model.instants import microseconds_to_iso

    return {
        "snapshot": snapshot.id,
        "workspace": snapshot.workspace.path,
        "at": microseconds_to_iso(snapshot.at),
        "files": snapshot.files,
        "label": snapshot.label,
        "left_out": list(snapshot.left_out),
    }


def table(snapshots: Sequence[Snapshot]) -> None:
    rows = [fields(one) for one in snapshots]
    columns = ("snapshot", "at", "files", "label", "workspace")
    output.table(columns, [[row[name] for name in columns] for row in rows])


def _print(changes: Sequence[Change]) -> None:
    for change in changes:
        mark, colour = MARKS[change.how]
        output.line(f"{mark} {change.path}", colour)


def _answer(snapshot: str, changes: Sequence[Change], before: Snapshot | None, as_json: bool) -> None:
    if as_json:
        shown = [{"path": change.path, "how": change.how} for change in changes]
        output.data({"snapshot": snapshot, "changes": shown, "before": before.id if before else None})
        return
    _print(changes)
    if not changes:
        output.say("nothing to roll back: the workspace is as it was")
