"""Commands of the master key: master-key status, stage, rotate, retire, reseal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output, owner
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.errors import Conflict, Refused

if TYPE_CHECKING:
    from multiagent_bridge.adapters.master_keys import KeySource
    from multiagent_bridge.config import Settings
    from multiagent_bridge.model.reseals import Reseal
    from multiagent_bridge.services.master_keys import Standing


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The master key: rotate it while hubs go on, then end the old one.", no_args_is_help=True)
    group.callback()(_group)
    for command in (status, stage, rotate, retire, reseal):
        group.command()(command)
    app.add_typer(group, name="master-key")


def _group() -> None:
    """The master key: rotate it while hubs go on, then end the old one."""


def status(as_json: Json = False) -> None:
    """Show the ids of the master keys and how each stands: waiting, current, accepted or retired; never a key."""
    found = owner.run(lambda hub, me: hub.master_keys.status(me))
    if as_json:
        output.data(found.fields())
        return
    output.table(
        ["master key", "state", "signer"], [(key, state, _signer(verifier)) for key, state, verifier in found.keys]
    )
    if found.left:
        output.say(f"{found.left} data keys are under another master key: mab master-key rotate wraps them anew")
    elif found.of("accepted"):
        output.say("every data key is under the current one; mab master-key retire ends the old one")
    for line in _replaced(found):
        output.say(line)


def stage() -> None:
    """Make a new key and put it on top of the ring, where it waits. For hubs on several machines: copy the ring, then rotate."""
    source = _source()[1]
    made = source.stage(owner.run(lambda hub, me: hub.master_keys.status(me)).ring)
    if made is None:
        raise Conflict("the ring changed meanwhile", "look at it again: mab master-key status")
    output.line(made)
    output.say(f"{made} waits in {source.place}: copy that to every other hub's machine, then mab master-key rotate")


def rotate(
    alone: Annotated[
        bool,
        typer.Option("--alone", help="No hub on another machine shares the store: make the key now, if none waits."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Hand over to a new master key while hubs go on, and make new data keys. Repeat it after any interruption.

    Tokens that were given out before go on working until mab master-key retire.
    """
    settings, source = _source()
    asyncio.run(_prepared(settings, source, alone))
    current, count = asyncio.run(_rotated())
    if as_json:
        output.data({"master_key": current, "data_keys": count})
        return
    output.facts({"master_key": current, "data_keys": count})
    output.say("copy the ring to a safe place now: mab master-key retire takes the old key out of it for good")
    output.say("what was written before is under the older data keys still: mab master-key reseal replaces them")


def retire(as_json: Json = False) -> None:
    """End the old master key: tokens and invites made under it open nothing any more, and it is taken out of the ring."""
    source = _source()[1]
    gone, dropped = asyncio.run(_retired(source))
    if as_json:
        output.data({"retired": gone, "removed": dropped})
        return
    output.facts({"retired": " ".join(gone), "removed": " ".join(dropped)})
    if source.writable:
        output.say(
            "backups that were made under it open only with the copy of it that you keep; "
            "take it out of the ring on every other hub's machine"
        )
    else:
        output.say(f"now take it out of {source.place}; keep it with the backups that were made under it")


def reseal(
    leave: Annotated[
        bool, typer.Option("--leave", help="Only begin: the hubs that serve this store do the rest beside their work.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Seal what was written before the last rotation anew, then destroy the older data keys. Repeat it after any interruption.

    Hubs and agents go on meanwhile. Backups of before open as they did, under the ring of their time.
    """
    found = asyncio.run(_resealed(leave))
    if as_json:
        output.data({"state": found.state, "texts": found.texts, "data_keys": found.data_keys})
        return
    output.facts({"state": found.state.replace("_", " "), "texts": found.texts, "data keys destroyed": found.data_keys})
    if leave:
        output.say("the hubs go on with it within a minute: mab master-key status shows how far they are")


async def _prepared(settings: Settings, source: KeySource, alone: bool) -> None:
    """A key waits in the ring, or a rotation is under way that this one goes on with. Raises Refused, Conflict."""
    from multiagent_bridge import wiring

    async with owner.hub() as hub:
        found = await hub.master_keys.status(owner.owner())
    if found.left and not found.of("accepted"):
        raise Conflict(
            f"{found.left} data keys are under a master key that this store never was under",
            "put that key into the ring, or end those conversations and let mab cleanup erase them",
        )
    if found.left or (found.of("waiting") and not found.of("accepted")):
        return
    if found.of("accepted"):
        raise Conflict("the last rotation of the master key has not ended", "mab master-key retire ends it")
    if wiring.is_postgres(settings.store_url) and not alone:
        raise Refused(
            "other hubs may share this store, and a new key must reach them first",
            "mab master-key stage, and copy the ring to their machines; or say --alone",
        )
    source.stage(found.ring)


async def _rotated() -> tuple[str, int]:
    """Hand over unless that was done, then wrap data keys anew until none is left. Returns the current key, and how many."""
    async with owner.hub() as hub:
        me, count = owner.owner(), 0
        found = await hub.master_keys.status(me)
        if not found.of("accepted"):
            await hub.master_keys.rotate(me)
        while wrapped := await hub.master_keys.rewrap(me):
            count += wrapped
        return (await hub.master_keys.status(me)).of("current")[0], count


async def _retired(source: KeySource) -> tuple[list[str], list[str]]:
    async with owner.hub() as hub:
        me = owner.owner()
        before = await hub.master_keys.status(me)
        if before.of("accepted") or not _left_over(before, source):
            await hub.master_keys.retire(me)
        after = await hub.master_keys.status(me)
    gone = [key for key in after.of("retired") if key not in before.of("retired")]
    return gone, source.drop(after.of("retired"))


async def _resealed(leave: bool) -> Reseal:
    """Begin, or go on; then do it all unless it is left to others. Raises Conflict, Tampered, Unavailable."""
    from multiagent_bridge.cli import resealing

    async with owner.hub() as hub:
        me = owner.owner()
        begun = await hub.reseals.begin(me)
        if not leave:
            await resealing.driven(hub, me)
        return (await hub.master_keys.status(me)).reseal or begun


def _replaced(found: Standing) -> list[str]:
    """How far the replacement of older data keys is, in words."""
    done = found.reseal
    left = f"{found.aged} conversations, of up to {found.texts_left} messages, have older data keys still"
    if done is not None and done.state == "under_way":
        return [f"being sealed anew since entry {done.began}: {done.texts} texts so far; {left}"]
    if found.aged:
        return [f"{left}: mab master-key reseal replaces them"]
    if done is not None:
        return [
            f"since entry {done.began} {done.texts} texts were sealed anew and {done.data_keys} data keys destroyed"
        ]
    return []


def _left_over(found: Standing, source: KeySource) -> bool:
    """Whether a retired key is still in the ring: a retirement was interrupted."""
    from multiagent_bridge.adapters.keys import key_id

    return source.writable and not {key_id(key) for key in source.read()}.isdisjoint(found.of("retired"))


def _signer(verifier_key: str) -> str:
    return verifier_key.partition("+")[0]


def _source() -> tuple[Settings, KeySource]:
    from multiagent_bridge import config, wiring
    from multiagent_bridge.adapters.state import prepared

    settings = config.load()
    return settings, wiring.key_source(settings, prepared(settings.home))
