from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from multiagent_bridge.errors import Invalid, NotFound, Refused
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.testing.hubs import OWNER, agent, memory_hub

from .conftest import Pair

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
    made = await pair.hub.archives.restore(OWNER, archive)
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
        await pair.hub.archives.restore(OWNER, archive)
    assert len((await pair.hub.conversations.list(OWNER)).places) == 1


async def test_only_the_owner_exports_and_imports(pair: Pair) -> None:
    with pytest.raises(Refused):
        await pair.hub.archives.export(pair.alice, pair.made.conversation.id)
    archive = await pair.hub.archives.export(OWNER, pair.made.conversation.id)
    with pytest.raises(Refused):
        await pair.hub.archives.restore(pair.alice, archive)
    with pytest.raises(NotFound):
        await pair.hub.archives.export(OWNER, "conv_000000000000")
