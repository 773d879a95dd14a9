"""Backups: mab backup, mab restore."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.cli.files import unread
from multiagent_bridge.errors import Invalid, NotFound

if TYPE_CHECKING:
    from multiagent_bridge.config import Settings
    from multiagent_bridge.model.backups import Backup

IDENTITY_BYTES = 4096


def register(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE", help="File to write; left out, one named after the time in the state directory."
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="AGE", help="An age recipient that may open it, too. May be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write an encrypted copy of the whole store, journal included, while hubs go on working."""
    from multiagent_bridge import config

    folder = str(config.load().home / "backups")
    made = owner.run(lambda hub, me: hub.backups.make(me, file, folder, tuple(to or ())))
    if as_json:
        output.data(made.fields())
        return
    output.facts(made.fields())
    output.say("it opens with this bridge's master key alone, which is not in it: keep master.key elsewhere")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File that mab backup wrote.")],
    identity: Annotated[
        Path | None,
        typer.Option("--identity", metavar="FILE", help="File of the age identity of a recipient that was named."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the store that is there; its file is kept beside the new one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put the store of a backup in place, once all of it was verified. Nothing is overwritten without --overwrite."""
    from multiagent_bridge import config
    from multiagent_bridge.cli import running

    settings = config.load()
    own = _identity(identity) if identity is not None else None
    with running.none_runs(settings.home):
        found, aged = asyncio.run(_restored(settings, file.expanduser(), own, overwrite))
    facts = found.fields() | {"verified": True}
    if as_json:
        output.data(facts)
        return
    output.facts(facts | {"verified": "yes"})
    output.say("what was rotated or revoked since that backup is as it was then: mab rotate, mab key revoke again")
    if aged:
        output.say(f"{aged} conversations have older data keys, as they had then: mab master-key reseal replaces them")


async def _restored(settings: Settings, file: Path, identity: str | None, overwrite: bool) -> tuple[Backup, int]:
    """The backup that is in place now, and in how many conversations it has data keys older than the newest."""
    from multiagent_bridge import wiring
    from multiagent_bridge.adapters.state import prepared

    home = prepared(settings.home)
    if settings.master_key is None and not (home / "master.key").exists():
        raise NotFound(
            "there is no master key here, and without it nobody reads what a backup holds",
            f"copy master.key of the bridge that made it to {home}, then repeat the command",
        )
    found = await wiring.restored(settings, home, file, identity, overwrite)

    async with owner.hub() as hub:
        # first of all: the store is in place, whatever comes of it, and what it holds has its grace time anew
        await hub.backups.restored(owner.owner(), found)
        await hub.journal.verify()
        return found, (await hub.master_keys.status(owner.owner())).aged


def _identity(path: Path) -> str:
    """The identity in an age key file: its one line that is no comment."""
    try:
        content = path.expanduser().read_text(encoding="ascii")[:IDENTITY_BYTES]
    except (OSError, ValueError) as error:
        hint = "name a file of age-keygen or mab credentials keygen"
        raise unread(path, error, "an identity", hint) from error
    lines = [line.strip() for line in content.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise Invalid(
            "the identity file does not hold one identity", "name a file of age-keygen or mab credentials keygen"
        )
    return lines[0]
