"""Commands of the audit journal: audit, audit --verify, audit --export FILE."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.archives import new_private
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.cli.files import unread
from multiagent_bridge.errors import Invalid, NotFound, Tampered, Unavailable

if TYPE_CHECKING:
    from multiagent_bridge.model.callers import Caller
    from multiagent_bridge.services.evidence import Verified
    from multiagent_bridge.services.hub import Hub


def register(app: typer.Typer) -> None:
    app.command()(audit)


def audit(
    conversation: Annotated[
        str | None, typer.Argument(metavar="CONV", help="Only this conversation; - for all.")
    ] = None,
    limit: Annotated[int, typer.Argument(metavar="LIMIT", min=1, max=1_000_000, help="Newest so many.")] = 50,
    verify: Annotated[bool, typer.Option("--verify", help="Check every entry, link and checkpoint.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write every entry as a JSON line; - for stdout.")
    ] = None,
    checkpoint: Annotated[
        bool, typer.Option("--checkpoint", help="Print a signed checkpoint, to be kept elsewhere.")
    ] = False,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="FILE", help="Verify, also against a checkpoint kept elsewhere."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the last entries of the journal, verify or export it."""
    if verify or against:
        _verify([_read(path) for path in against or []], as_json)
    elif export is not None:
        _export(export, as_json)
    elif checkpoint:
        output.raw(owner.run(lambda hub, me: hub.journal.checkpoint()))
    else:
        _show(None if conversation in (None, "-") else conversation, limit, as_json)


def _show(conversation: str | None, limit: int, as_json: bool) -> None:
    from multiagent_bridge.model.journal import microseconds_to_iso

    entries = owner.run(lambda hub, me: hub.journal.newest(limit, conversation))
    if conversation is not None and not entries:
        raise NotFound("no entry names that conversation", "mab audit shows the newest of all")
    if as_json:
        output.data([json.loads(entry.line) for entry in entries])
        return
    output.table(
        ["seq", "at", "actor", "action", "target", "outcome"],
        [(e.seq, microseconds_to_iso(e.at), e.actor, e.action, e.target, e.code or e.outcome) for e in entries],
    )


def _verify(kept: list[str], as_json: bool) -> None:
    async def checked(hub: Hub, me: Caller) -> Verified:
        return await hub.evidence.verify(kept)

    try:
        done = owner.run(checked)
    except Tampered as found:
        if as_json:
            output.data({"verified": False, "sentence": found.sentence, **found.facts})
        raise
    if as_json:
        output.data(done.fields())
    else:
        output.line(
            f"verified: {done.entries} entries, {done.messages} messages, "
            f"{done.checkpoints} checkpoints (last at {done.last_checkpoint})"
        )


def _export(path: Path, as_json: bool) -> None:
    async def written(hub: Hub, me: Caller) -> tuple[int, str]:
        await hub.journal.note(me, "journal.export")
        note = await hub.journal.checkpoint()
        count = 0
        async for line in hub.journal.lines():
            out.write(line + "\n")
            count += 1
        return count, note

    beside = path.with_name(path.name + ".checkpoint")
    if str(path) == "-":
        out = sys.stdout
        owner.run(written)
        return
    try:
        # a person names the file: nothing there is overwritten unseen
        with new_private(path) as out, new_private(beside) as kept:
            count, note = owner.run(written)
            kept.write(note)
    except FileExistsError as error:
        raise Invalid(f"{error.filename} exists", "name a new file") from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}", "name another place") from error
    key = owner.run(_verifier_key)
    if as_json:
        output.data({"entries": count, "file": str(path), "checkpoint": str(beside), "verifier_key": key})
    else:
        output.say(f"{count} entries in {path}, checkpoint in {beside}\nverifier key: {key}")


async def _verifier_key(hub: Hub, me: Caller) -> str:
    return hub.journal.verifier_key


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unread(path, error, "a checkpoint", "name the file that mab audit --checkpoint was kept in") from error
