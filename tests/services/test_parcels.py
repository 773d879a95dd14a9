from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, NotFound, Refused, Tampered, Unavailable
from multiagent_bridge.guard import parcels as guard
from multiagent_bridge.model.callers import Credentials
from multiagent_bridge.model.parcels import Address, Letter, Parcel, Seen
from multiagent_bridge.services.parcels import Arrivals, Pushed
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub

pytestmark = pytest.mark.anyio

KEY = "age1" + "q" * 58


@dataclass
class Shelf:
    """A repository in memory: each letter as it was sent, under the worker's name. Encryption is for the adapters' tests."""

    world: TestHub
    files: dict[str, bytes] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    broken: BridgeError | None = None

    async def send(self, letters: Sequence[Letter]) -> str:
        self.seen = [entry.action for entry in await self.world.hub.journal.entries()]
        if self.broken:
            raise self.broken
        self.files |= {letter.worker: letter.content for letter in letters}
        return "version"

    async def fetch(self, worker: str) -> bytes | None:
        return self.files.get(worker)


class Box:
    """A letterbox in memory that trusts the signatures of one hub."""

    recipient = KEY

    def __init__(self, world: TestHub) -> None:
        self._keys = world.keys
        self.memory: dict[str, Seen] = {}
        self.kept: dict[str, Parcel] = {}

    def open(self, sealed: bytes) -> bytes:
        return sealed

    def verify(self, publisher: bytes, message: bytes, signature: bytes) -> bool:
        return publisher == self._keys.publisher_key and signature == self._keys.publish(message)

    def seen(self, worker: str) -> Seen | None:
        return self.memory.get(worker)

    def trust(self, worker: str, publisher: bytes) -> None:
        self.memory[worker] = Seen(publisher)

    def keep(self, parcel: Parcel, seen: Seen) -> None:
        self.memory[parcel.worker], self.kept[parcel.worker] = seen, parcel


@dataclass
class Desk:
    world: TestHub
    shelf: Shelf
    box: Box
    arrivals: Arrivals
    conversation: str

    async def push(self, *sessions: str, hub: str = "") -> Pushed:
        addresses = [self.address(session) for session in sessions or ("b",)]
        return await self.world.hub.parcels.push(OWNER, addresses, hub, self.shelf)

    def address(self, session: str) -> Address:
        return Address({"b": "builder"}.get(session, f"worker-{session}"), KEY, self.conversation, session)


@pytest.fixture
async def desk(anyio_backend: str) -> Desk:
    world = memory_hub()
    made = await world.hub.conversations.create(OWNER, "orchestrator", "builder", ["tester"])
    shelf, box = Shelf(world), Box(world)
    return Desk(world, shelf, box, Arrivals("builder", shelf, box, world.clock), made.conversation.id)


async def test_a_pushed_token_opens_the_session_it_names(desk: Desk) -> None:
    pushed = await desk.push(hub="https://hub.example.org/mcp")
    pulled = await desk.arrivals.pull(desk.world.hub.parcels.publisher)
    assert pulled.fresh
    assert pulled.parcel == pushed.parcels[0] == desk.box.kept["builder"]
    assert (pulled.parcel.role, pulled.parcel.hub) == ("builder", "https://hub.example.org/mcp")
    given = Credentials(desk.conversation, "b", pulled.parcel.token)
    joined = await desk.world.hub.conversations.join(agent("builder"), given)
    assert joined.session.id == "b"


async def test_the_entry_is_there_before_anything_leaves_and_never_holds_the_token(desk: Desk) -> None:
    pushed = await desk.push()
    assert desk.shelf.seen[-1] == "credentials.push"
    (entry,) = [entry for entry in await desk.world.hub.journal.entries() if entry.action == "credentials.push"]
    assert (entry.conversation, entry.target, entry.facts["session"]) == (desk.conversation, "worker builder", "b")
    assert entry.facts["recipient"] == KEY
    lines = [line async for line in desk.world.hub.journal.lines()]
    assert not any(pushed.parcels[0].token in line for line in lines)
    assert pushed.parcels[0].token not in repr(pushed) + json.dumps(pushed.fields())


async def test_each_push_has_a_larger_number_and_only_the_newest_is_new(desk: Desk) -> None:
    first, second = await desk.push(), await desk.push()
    assert first.parcels[0].sequence < second.parcels[0].sequence
    publisher = desk.world.hub.parcels.publisher
    assert (await desk.arrivals.pull(publisher)).fresh
    assert not (await desk.arrivals.pull(publisher)).fresh


async def test_after_a_rotation_the_next_push_brings_the_new_token(desk: Desk) -> None:
    await desk.push()
    old = (await desk.arrivals.pull(desk.world.hub.parcels.publisher)).parcel
    await desk.world.hub.conversations.rotate(OWNER, desk.conversation, "b")
    await desk.push()
    new = (await desk.arrivals.pull()).parcel
    assert (old.generation, new.generation) == (1, 2)
    with pytest.raises(NotAllowed):
        await desk.world.hub.conversations.join(agent("x"), Credentials(desk.conversation, "b", old.token))
    await desk.world.hub.conversations.join(agent("x"), Credentials(desk.conversation, "b", new.token))


async def test_a_hub_whose_clock_was_set_back_is_still_believed(desk: Desk) -> None:
    await desk.push()
    await desk.arrivals.pull(desk.world.hub.parcels.publisher)
    desk.world.clock.jump(-600)
    await desk.push()
    assert (await desk.arrivals.pull()).fresh


async def test_several_workers_are_served_by_one_push(desk: Desk) -> None:
    fields = (await desk.push("b", "c")).fields()
    assert [row["worker"] for row in fields["workers"]] == ["builder", "worker-c"]  # type: ignore[attr-defined]
    assert set(fields) == {"commit", "workers"}
    assert set(desk.shelf.files) == {"builder", "worker-c"}


async def test_the_fields_of_one_worker_stand_at_the_top_too(desk: Desk) -> None:
    fields = (await desk.push()).fields()
    assert set(fields) == {
        "worker", "conversation_id", "session_id", "role", "generation", "sequence", "hub", "issued_at", "expires_at",
        "file", "commit", "workers",
    }  # fmt: skip


async def test_what_could_not_leave_is_written_down_too(desk: Desk) -> None:
    desk.shelf.broken = Unavailable("the repository cannot be reached", "later")
    with pytest.raises(Unavailable):
        await desk.push()
    entries = [entry for entry in await desk.world.hub.journal.entries() if entry.action.startswith("credentials.")]
    assert [entry.action for entry in entries] == ["credentials.push", "credentials.fail"]
    assert entries[1].facts["reason"] == "the repository cannot be reached"


async def test_when_one_of_many_cannot_be_served_nobody_is(desk: Desk) -> None:
    await desk.world.hub.conversations.revoke(OWNER, desk.conversation, "c")
    with pytest.raises(Refused):
        await desk.push("b", "c")
    assert desk.shelf.files == {}
    assert "credentials.push" not in [
        entry.action for entry in await desk.world.hub.journal.entries() if entry.outcome == "done"
    ]


async def test_nothing_is_pushed_for_what_is_over_or_never_was(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.push("zz")
    gone = Address("builder", KEY, "conv_000000000000", "b")
    with pytest.raises(NotFound):
        await desk.world.hub.parcels.push(OWNER, [gone], "", desk.shelf)
    desk.world.clock.advance(10**6)
    with pytest.raises(Refused):
        await desk.push()
    assert desk.shelf.files == {}


async def test_only_the_owner_pushes(desk: Desk) -> None:
    with pytest.raises(Refused):
        await desk.world.hub.parcels.push(agent("builder"), [desk.address("b")], "", desk.shelf)
    newest = (await desk.world.hub.journal.newest(1))[0]
    assert (newest.action, newest.outcome) == ("credentials.push", "refused")


@pytest.mark.parametrize(
    ("address", "hub"),
    [
        (Address("../x", KEY, "", "b"), ""),
        (Address("-x", KEY, "", "b"), ""),
        (Address("a" * 65, KEY, "", "b"), ""),
        (Address("x\n", KEY, "", "b"), ""),
        (Address("builder", "age1x", "", "b"), ""),
        (Address("builder", "AGE-SECRET-KEY-1" + "Q" * 58, "", "b"), ""),
        (Address("builder", "ssh-ed25519 AAAA", "", "b"), ""),
        (Address("builder", KEY, "", "b"), "http://hub.example.org/mcp"),
        (Address("builder", KEY, "", "b"), "https://user:secret@hub.example.org/mcp"),
        (Address("builder", KEY, "", "b"), "https://hub.example.org/mcp?key=secret"),
        (Address("builder", KEY, "", "b"), "--standalone"),
        (Address("builder", KEY, "", "b"), "https://"),
        (Address("builder", KEY, "", "b"), "https://h:x/"),
    ],
)
async def test_words_that_are_wrong_are_refused_unrepeated_with_an_entry(
    desk: Desk, address: Address, hub: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await desk.world.hub.parcels.push(OWNER, [address], hub, desk.shelf)
    assert "SECRET" not in str(caught.value).upper()
    assert (await desk.world.hub.journal.newest(1))[0].code == "invalid"


async def test_a_key_for_the_hub_travels_with_its_address_alone(desk: Desk) -> None:
    address = [desk.address("b")]
    for hub, key in (("", "x"), ("https://h/mcp", "x y"), ("https://h/mcp", "x\ny"), ("https://h/mcp", "x" * 501)):
        with pytest.raises(Invalid):
            await desk.world.hub.parcels.push(OWNER, address, hub, desk.shelf, key)
    pushed = await desk.world.hub.parcels.push(OWNER, address, "https://h/mcp", desk.shelf, "the-key")
    assert "the-key" not in repr(pushed) + json.dumps(pushed.fields())
    assert not any(["the-key" in line async for line in desk.world.hub.journal.lines()])
    assert (await desk.arrivals.pull(desk.world.hub.parcels.publisher)).parcel.hub_key == "the-key"


async def test_nobody_or_one_worker_twice_is_invalid(desk: Desk) -> None:
    for addresses in ([], [desk.address("b"), desk.address("b")], [desk.address("b")] * 101):
        with pytest.raises(Invalid):
            await desk.world.hub.parcels.push(OWNER, addresses, "", desk.shelf)


async def test_before_anything_was_pushed_there_is_nothing_and_the_publisher_is_remembered(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.arrivals.pull(desk.world.hub.parcels.publisher)
    await desk.push()
    assert (await desk.arrivals.pull()).fresh


@pytest.mark.parametrize("key", ["", "x", "a" * 64, "mabpub-" + "A" * 64, "mabpub-" + "a" * 63, KEY])
async def test_what_is_no_publisher_key_trusts_nobody(desk: Desk, key: str) -> None:
    await desk.push()
    with pytest.raises((Invalid, Refused)):
        await desk.arrivals.pull(key)
    assert desk.box.memory == {}


async def test_a_changed_letter_is_tampered(desk: Desk) -> None:
    await desk.push()
    said = json.loads(desk.shelf.files["builder"])
    said["body"] = said["body"].replace('"generation": 1', '"generation": 2')
    desk.shelf.files["builder"] = json.dumps(said).encode()
    with pytest.raises(Tampered):
        await desk.arrivals.pull(desk.world.hub.parcels.publisher)
    assert desk.box.kept == {}


async def test_files_tell_nothing_by_their_size(desk: Desk) -> None:
    await desk.push("b", "c", hub="https://a-rather-long-name.example.org/some/where/mcp")
    desk.shelf.files["plain"] = desk.shelf.files["builder"]
    key, address = "mab_key_" + "x" * 49, desk.address("b")
    await desk.world.hub.parcels.push(OWNER, [address], "https://hub.example.org/mcp", desk.shelf, key)
    assert len({len(content) for content in desk.shelf.files.values()}) == 1


async def test_the_publisher_key_is_not_the_one_that_signs_the_journal(desk: Desk) -> None:
    publisher = desk.world.hub.parcels.publisher
    assert guard.publisher(publisher) == desk.world.keys.publisher_key != desk.world.keys.public_key
