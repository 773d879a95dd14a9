from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from multiagent_bridge.errors import Invalid, NotFound, Refused, Tampered
from multiagent_bridge.model.archives import signed
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub

from .conftest import Pair
from .forgeries import THEIRS, signed_anew
from .rotations import Site, opened, send

pytestmark = pytest.mark.anyio


async def test_an_archive_comes_back_as_a_new_conversation_with_its_read_marks(pair: Pair) -> None:
    await pair.send(pair.alice, "read before", files_involved=["a.py"], action_type="question")
    await pair.check(pair.bob)
    await pair.send(pair.alice, "not yet read", reply_to=1)
    archive = json.loads(json.dumps(await pair.hub.archives.export(OWNER, pair.made.conversation.id)))
    elsewhere = memory_hub()
    made = await elsewhere.hub.archives.restore(OWNER, archive)
    assert made.conversation.id != pair.made.conversation.id
    bob = agent("bob elsewhere")
    place = await elsewhere.hub.conversations.join(bob, NO_CREDENTIALS, made.invites[1])
    assert (place.session.unread, [s.role for s in made.sessions]) == (1, ["backend", "frontend"])
    history = await elsewhere.hub.messages.check(bob, NO_CREDENTIALS, "test:1", history=True)
    assert [letter.fields() for letter in history.letters] == [
        {key: value for key, value in archive["messages"][0].items() if key != "deliveries"}
    ]
    sent = await elsewhere.hub.messages.send(bob, NO_CREDENTIALS, "going on")
    assert sent.message_id == 3
    assert (await elsewhere.hub.evidence.verify()).messages == 3


async def test_an_archive_carries_its_entries_and_a_checkpoint(pair: Pair) -> None:
    await pair.send(pair.alice, "hello")
    archive: Any = await pair.hub.archives.export(OWNER, pair.made.conversation.id)
    assert [e["action"] for e in archive["journal"]][:3] == ["conversation.create", "conversation.join", "message.send"]
    await pair.hub.journal.verify([archive["checkpoint"]])


async def test_secrets_in_an_archive_from_elsewhere_are_redacted_again(pair: Pair) -> None:
    await pair.send(pair.alice, "PLACE")
    archive: Any = await pair.hub.archives.export(OWNER, pair.made.conversation.id)
    archive["messages"][0]["message"] = "AKIA" + "IOSFODNN7EXAMPLQ"
    made = await pair.hub.archives.restore(OWNER, signed_anew(archive))
    again: Any = await pair.hub.archives.export(OWNER, made.conversation.id)
    assert again["messages"][0]["message"] == "AWS_KEY_REDACTED"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("mab_archive",), 2),
        (("sessions",), []),
        (("sessions", 0, "session_id"), "b"),
        (("sessions", 0, "role"), "x"),
        (("messages",), {}),
        (("messages", 0, "id"), 0),
        (("messages", 0, "id"), 2),
        (("messages", 0, "from"), "z"),
        (("messages", 0, "timestamp"), "yesterday"),
        (("messages", 0, "deliveries"), None),
        (("messages", 0, "deliveries", 0, "to"), "z"),
        (("messages", 0, "message"), ""),
    ],
)
async def test_an_archive_that_was_changed_stores_nothing(pair: Pair, path: tuple[Any, ...], value: object) -> None:
    await pair.send(pair.alice, "one")
    await pair.send(pair.alice, "two")
    archive: Any = copy.deepcopy(await pair.hub.archives.export(OWNER, pair.made.conversation.id))
    place = archive
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(Invalid):
        await pair.hub.archives.restore(OWNER, signed_anew(archive))
    assert len((await pair.hub.conversations.list(OWNER)).places) == 1


async def test_an_archive_with_one_altered_byte_stores_nothing(pair: Pair) -> None:
    await pair.send(pair.alice, "pay 10", files_involved=["a.py"])
    await pair.check(pair.bob)
    archive = await pair.hub.archives.export(OWNER, pair.made.conversation.id)
    whole = json.dumps(archive)
    tried = 0
    for place in range(0, len(whole), 7):
        try:
            altered = json.loads(whole[:place] + chr(ord(whole[place]) ^ 1) + whole[place + 1 :])
        except ValueError:
            continue
        if altered != archive:
            tried += 1
            with pytest.raises((Tampered, Invalid)):
                await pair.hub.archives.restore(OWNER, altered)
    assert tried > 100
    assert len((await pair.hub.conversations.list(OWNER)).places) == 1
    refused = await pair.hub.journal.newest(1)
    assert (refused[0].action, refused[0].outcome) == ("conversation.import", "refused")


@pytest.mark.parametrize("gone", ["signature", "verifier_key", "checkpoint", "journal"])
async def test_an_archive_without_what_vouches_for_it_is_tampered(pair: Pair, gone: str) -> None:
    archive = dict(await pair.hub.archives.export(OWNER, pair.made.conversation.id))
    del archive[gone]
    with pytest.raises(Tampered):
        await pair.hub.archives.restore(OWNER, archive)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("messages", 0, "from"), "b"),
        (("messages", 0, "action_type"), "proposal"),
        (("messages", 0, "timestamp"), "2020-01-01T00:00:00.000000Z"),
        (("messages", 0, "id"), 77),
        (("conversation_id",), "conv_000000000000"),
        (("journal", 1, "seq"), 9),
        (("journal", 1, "actor"), "somebody else"),
        (("journal", 1, "at"), "yesterday"),
        (("journal", 1), []),
        (("checkpoint",), "mine"),
    ],
)
async def test_an_archive_that_contradicts_its_own_journal_stores_nothing(
    pair: Pair, path: tuple[Any, ...], value: object
) -> None:
    await pair.send(pair.alice, "one")
    archive: Any = signed_anew(await pair.hub.archives.export(OWNER, pair.made.conversation.id))
    assert len((await memory_hub().hub.archives.restore(OWNER, archive)).sessions) == 2
    place = archive
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    archive["signature"] = signed(archive, THEIRS.sign)
    with pytest.raises((Tampered, Invalid)):
        await pair.hub.archives.restore(OWNER, archive)
    assert len((await pair.hub.conversations.list(OWNER)).places) == 1


async def test_whoever_was_told_a_key_takes_no_archive_of_another(pair: Pair) -> None:
    mine: Any = await pair.hub.archives.export(OWNER, pair.made.conversation.id)
    theirs = signed_anew(mine)
    key = pair.world.keys.verifier_key
    with pytest.raises(Tampered):
        await pair.hub.archives.restore(OWNER, theirs, key)
    # named as ours, though signed by them
    with pytest.raises(Tampered):
        await pair.hub.archives.restore(OWNER, signed_anew(mine) | {"verifier_key": key})
    with pytest.raises(Invalid):
        await pair.hub.archives.restore(OWNER, mine, "no key")
    await pair.hub.archives.restore(OWNER, mine, key)
    await pair.hub.archives.restore(OWNER, theirs)
    signers = [e.facts["signer"] for e in await pair.hub.journal.newest(9) if e.facts.get("signer")]
    assert signers == [key.split("+")[1], THEIRS.verifier_key.split("+")[1]]


async def test_an_archive_made_after_a_rotation_comes_back(anyio_backend: str) -> None:
    site = Site()
    running = await site.hub()
    made = await opened(running)
    await send(running, "before")
    rotating = await site.rotated()
    await send(running, "after")
    archive = json.loads(json.dumps(await rotating.hub.archives.export(OWNER, made.conversation.id)))
    assert len((await memory_hub().hub.archives.restore(OWNER, archive)).sessions) == 2


async def test_only_the_owner_exports_and_imports(pair: Pair) -> None:
    with pytest.raises(Refused):
        await pair.hub.archives.export(pair.alice, pair.made.conversation.id)
    archive = await pair.hub.archives.export(OWNER, pair.made.conversation.id)
    with pytest.raises(Refused):
        await pair.hub.archives.restore(pair.alice, archive)
    with pytest.raises(NotFound):
        await pair.hub.archives.export(OWNER, "conv_000000000000")
