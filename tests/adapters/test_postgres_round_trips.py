"""What a send costs in questions to PostgreSQL, and that nothing can tell what was put off to spare one."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.adapters.postgres import opening, writing
from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.errors import BridgeError, Conflict, NotFound, TooFast, Unavailable
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.conversations import Binding
from multiagent_bridge.model.limits import SECOND, Window
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import NOW, draft, message, seat
from tests.postgres_server import Server, served

pytestmark = [pytest.mark.anyio, pytest.mark.servers]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What every writing connection is asked from now on."""
    found: list[str] = []

    async def logged(address: Address, name: str) -> Any:
        connection: Any = await opening.open_connection(address, name)
        connection.add_query_logger(lambda one: found.append(one.query))
        return connection

    monkeypatch.setattr(writing, "open_connection", logged)
    return found


async def test_a_send_asks_four_times(server: Server, tmp_path: Path, asked: list[str]) -> None:
    settings = config.Settings(home=tmp_path, store=await server.create(), master_key="ab" * 32)
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(settings, stack)
        caller, nobody = Caller(agent="agent", name="agent", peer="uid:0"), Credentials()
        await hub.conversations.create(caller, "backend", "frontend")
        await hub.messages.send(caller, nobody, "the first is preceded by looking up what the server knows")
        for more, words in ((0, {}), (1, {"idempotency_key": "once"}), (2, {"idempotency_key": "two", "reply_to": 1})):
            asked.clear()
            await hub.messages.send(caller, nobody, "the build is green again", **words)
            # once a second the master keys are asked for as well
            found = [one for one in asked if "master_keys" not in one]
            assert len(found) == 4 + more, [one[:50] for one in found]
            assert found[0].startswith("BEGIN; ")
            assert found[-1].endswith("; COMMIT")


async def bound(store: Store, name: str = "conv_1", agent: str = "agent") -> None:
    await seat(store, name)
    await store.write(lambda tx: tx.bindings.bind(Binding(agent, name, "a", 1, NOW)))


async def test_whatever_asks_next_sees_what_was_put_off(server: Server) -> None:
    async with PostgresStore(Address(await server.create())) as store:
        await bound(store)

        async def acted(tx: Tx, look: Callable[[Tx], Any]) -> Any:
            await tx.bindings.of("agent")
            await tx.sessions.heartbeat("conv_1", "a", NOW)
            assert await tx.conversations.count_message("conv_1", 7) == 1
            found = await look(tx)
            assert await tx.conversations.count_message("conv_1", 7) == 2
            raise KeyError(found)

        looks: list[Callable[[Tx], Any]] = [
            lambda tx: tx.conversations.get("conv_1"),
            lambda tx: tx.conversations.list(),
            lambda tx: tx.conversations.newest(1),
            lambda tx: tx.conversations.expired(2**62, 1),
        ]
        for look in looks:
            with pytest.raises(KeyError) as told:
                await store.write(lambda tx, look=look: acted(tx, look))
            found = told.value.args[0]
            one = found if not isinstance(found, list) else found[0]
            assert (one.last_message, one.messages, one.bytes) == (1, 1, 7)
        for look in (lambda tx: tx.sessions.get("conv_1", "a"), lambda tx: tx.sessions.of("conv_1")):
            with pytest.raises(KeyError) as told:
                await store.write(lambda tx, look=look: acted(tx, look))
            found = told.value.args[0]
            one = found if not isinstance(found, list) else found[0]
            assert (one.id, one.last_heartbeat, one.status) == ("a", NOW, "working")
        after = await store.read(lambda tx: tx.conversations.get("conv_1"))
        assert after is not None
        assert after.last_message == 0, "what raised left nothing behind"


async def test_what_was_put_off_is_there_after_the_end(server: Server) -> None:
    async with PostgresStore(Address(await server.create())) as store:
        await bound(store)

        async def acted(tx: Tx) -> int:
            await tx.bindings.of("agent")
            await tx.sessions.heartbeat("conv_1", "a", NOW)
            return await tx.conversations.count_message("conv_1", 7)

        assert await asyncio.gather(*(store.write(acted) for _ in range(5))) == [1, 2, 3, 4, 5]
        found = await store.read(lambda tx: tx.conversations.get("conv_1"))
        assert found is not None
        assert (found.last_message, found.messages, found.bytes) == (5, 5, 35)
        session = await store.read(lambda tx: tx.sessions.get("conv_1", "a"))
        assert session is not None
        assert session.last_heartbeat == NOW


async def test_a_transaction_that_has_ended_puts_nothing_off(server: Server) -> None:
    async with PostgresStore(Address(await server.create())) as store:
        await bound(store)
        kept: list[Tx] = []

        async def keeping(tx: Tx) -> None:
            await tx.bindings.of("agent")
            kept.append(tx)

        await store.write(keeping)
        await store.read(keeping)
        for tx in kept:
            with pytest.raises(RuntimeError):
                await tx.sessions.heartbeat("conv_1", "a", NOW)
            with pytest.raises(RuntimeError):
                await tx.conversations.count_message("conv_1", 1)


async def test_a_read_that_knows_its_rows_still_changes_nothing(server: Server) -> None:
    async with PostgresStore(Address(await server.create())) as store:
        await bound(store)

        async def writing(tx: Tx) -> None:
            await tx.bindings.of("agent")
            await tx.sessions.heartbeat("conv_1", "a", NOW)

        with pytest.raises(RuntimeError, match="read transaction"):
            await store.read(writing)


TABLES = {
    "conversations": "id, last_message, messages, bytes",
    "sessions": "conversation_id, id, status, last_heartbeat, unread, revoked, generation",
    "messages": "conversation_id, id, sender, body, size, idempotency_key",
    "deliveries": "conversation_id, message_id, recipient, read_at, claim",
    "buckets": "key, t1, t2, t3",
}


async def tables(url: str) -> dict[str, list[tuple[Any, ...]]]:
    connection = await asyncpg.connect(url)
    try:
        return {
            name: [
                tuple(row) for row in await connection.fetch(f"SELECT {columns} FROM bridge.{name} ORDER BY 1, 2, 3")
            ]
            for name, columns in TABLES.items()
        }
    finally:
        await connection.close()


async def one_step(tx: Tx, choice: random.Random, names: list[str]) -> None:
    """Something that a service could do, in any order with the others."""
    conversation, session = choice.choice(names), choice.choice("abc")
    others = choice.sample("abc", choice.randrange(4))
    at = NOW + choice.randrange(1000)
    match choice.randrange(13):
        case 0 | 1:
            await tx.sessions.heartbeat(conversation, session, at)
        case 2 | 3 | 4 | 5:
            number = await tx.conversations.count_message(conversation, choice.randrange(50))
            key = choice.choice([None, "k", "l"])
            if choice.random() < 0.2:
                await tx.sessions.heartbeat(choice.choice(names), session, at)
            if choice.random() < 0.9:
                sent = message(number + (choice.random() < 0.1), session, key, conversation)
                await tx.messages.add(sent, [*others, *others[:1]])
        case 6:
            await tx.sessions.report(conversation, session, choice.choice(["unknown", "idle"]), b"note")
        case 7:
            await tx.messages.claim(conversation, session, [1, 2, 3], "hub:1", at)
        case 8 | 9 | 10:
            windows = [Window(2, 60), Window(5, 3600), Window(50, 86400)][: choice.randrange(1, 4)]
            wait = await tx.buckets.charge(f"{conversation}/{session}:{choice.choice('rw')}", windows, at)
            if wait and choice.random() < 0.7:
                raise TooFast("too fast", "wait", retry_after=wait)
        case 11:
            await tx.messages.by_key(conversation, session, "k")
            await tx.messages.get(conversation, 1)
        case _:
            await tx.journal.append(draft(choice.randrange(9)))


async def played(url: str, seed: int, known: bool) -> list[str]:
    """A random story; what came of each of its transactions."""
    choice, told = random.Random(seed), []
    names = ["conv_1", "conv_2"][: 1 + seed % 2]
    async with PostgresStore(Address(url)) as store:
        for name in names:
            await bound(store, name)
        for _ in range(25):
            story = choice.randrange(2**32)

            async def acted(tx: Tx, story: int = story) -> None:
                steps = random.Random(story)
                for _ in range(steps.randrange(1, 7)):
                    # once it knows its rows, it goes on knowing them for some steps
                    if (steps.random() < 0.5) and known:
                        await tx.bindings.of("agent")
                    await one_step(tx, steps, names)

            try:
                await store.write(acted)
            except BridgeError as error:
                told.append(f"{error.code} {error.facts.get('retry_after', '')}")
            else:
                told.append("done")
    return told


@pytest.mark.parametrize("seed", range(6))
async def test_a_store_that_knows_its_rows_ends_as_one_that_asks_each_time(server: Server, seed: int) -> None:
    asking, knowing = await server.create(), await server.create()
    told = [await played(asking, seed, known=False), await played(knowing, seed, known=True)]
    assert told[0] == told[1]
    assert {"done", "conflict", "too_fast"} <= {one.partition(" ")[0] for one in told[0]}, (
        "not a story of success alone"
    )
    assert await tables(asking) == await tables(knowing)


async def test_who_sends_to_itself_too_has_heartbeat_and_mail(server: Server) -> None:
    async with PostgresStore(Address(await server.create())) as store:
        await bound(store)

        async def sent(tx: Tx) -> None:
            await tx.bindings.of("agent")
            await tx.sessions.heartbeat("conv_1", "a", NOW)
            await tx.messages.add(message(await tx.conversations.count_message("conv_1", 8)), ["a", "b", "b"])

        await store.write(sent)
        found = await store.read(lambda tx: tx.sessions.of("conv_1"))
        assert [(s.unread, s.last_heartbeat, s.status) for s in found] == [
            (1, NOW, "working"),
            (1, None, "unknown"),
            (0, None, "unknown"),
        ]


async def test_a_send_that_is_refused_leaves_the_others_of_its_batch_alone(server: Server) -> None:
    async with PostgresStore(Address(await server.create())) as store:
        await bound(store)
        await store.write(lambda tx: tx.messages.add(message(100, key="k"), ["b"]))

        async def sent(tx: Tx, n: int) -> int:
            await tx.bindings.of("agent")
            await tx.sessions.heartbeat("conv_1", "a", NOW + n)
            number = await tx.conversations.count_message("conv_1", 8)
            key, to = ("k" if n % 3 == 1 else None), (["z"] if n % 3 == 2 else ["b"])
            await tx.messages.add(replace(message(number), idempotency_key=key), to)
            return number

        found = await asyncio.gather(
            *(store.write(lambda tx, n=n: sent(tx, n)) for n in range(30)), return_exceptions=True
        )
        assert found[0::3] == list(range(1, 11))
        assert {type(one) for one in found[1::3]} == {Conflict}
        assert {type(one) for one in found[2::3]} == {NotFound}
        session = await store.read(lambda tx: tx.sessions.get("conv_1", "a"))
        assert session is not None
        assert session.last_heartbeat == NOW + 27, "the last that was sent"


async def test_a_count_that_somebody_changed_past_the_lock_is_refused(server: Server) -> None:
    url = await server.create()

    async def elsewhere() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE bridge.conversations SET last_message = last_message + 5")
        await connection.close()

    async with PostgresStore(Address(url)) as store:
        await bound(store)

        async def counted(tx: Tx, and_sent: bool) -> None:
            await tx.bindings.of("agent")
            number = await tx.conversations.count_message("conv_1", 8)
            other = threading.Thread(target=lambda: asyncio.run(elsewhere()))
            other.start()
            other.join(30)
            if and_sent:
                await tx.messages.add(message(number), ["b"])

        for and_sent in (True, False):
            with pytest.raises(Unavailable) as refused:
                await store.write(lambda tx, and_sent=and_sent: counted(tx, and_sent))
            assert refused.value.facts["retry_after"]
        assert await store.read(lambda tx: tx.messages.list("conv_1", 0, 9)) == []
        assert await store.write(lambda tx: tx.conversations.count_message("conv_1", 8)) == 11


async def test_two_hubs_that_know_the_bucket_admit_exactly_the_limit(server: Server) -> None:
    url, windows = await server.create(), [Window(10, 60), Window(100, 3600)]
    async with PostgresStore(Address(url)) as ours, PostgresStore(Address(url)) as theirs:
        await bound(ours)

        async def charged(tx: Tx, times: int) -> int:
            await tx.bindings.of("agent")
            # within one transaction as well each charge counts
            return sum([not await tx.buckets.charge("conv_1/a:write", windows, NOW) for _ in range(times)])

        async def admitted(store: Store, times: int) -> int:
            return await store.write(lambda tx: charged(tx, times))

        assert await admitted(ours, 1) == 1, "the first charge makes the row"
        found = await asyncio.gather(*(admitted(store, 1 + n % 3) for n in range(20) for store in (ours, theirs)))
        assert sum(found) == 9
        rows = (await tables(url))["buckets"]
        assert rows == [("conv_1/a:write", NOW + 60 * SECOND, NOW + 10 * 36 * SECOND, rows[0][3])]
        assert await admitted(theirs, 3) == 0


async def test_a_bucket_that_somebody_changed_past_the_lock_admits_nobody(server: Server) -> None:
    url, windows = await server.create(), [Window(10, 60)]

    async def elsewhere() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE bridge.buckets SET t1 = t1 + 1")
        await connection.close()

    async with PostgresStore(Address(url)) as store:
        await bound(store)
        await store.write(lambda tx: tx.buckets.charge("conv_1/a:write", windows, NOW))

        async def acted(tx: Tx, sends: bool) -> None:
            await tx.bindings.of("agent")
            assert await tx.buckets.charge("conv_1/a:write", windows, NOW) == 0
            other = threading.Thread(target=lambda: asyncio.run(elsewhere()))
            other.start()
            other.join(30)
            if sends:
                await tx.messages.add(message(await tx.conversations.count_message("conv_1", 8)), ["b"])

        for sends in (True, False):
            with pytest.raises(Unavailable):
                await store.write(lambda tx, sends=sends: acted(tx, sends))
        assert await store.read(lambda tx: tx.messages.list("conv_1", 0, 9)) == []


async def test_all_sessions_come_with_an_only_binding_and_are_asked_for_with_several(
    server: Server, asked: list[str]
) -> None:
    async with PostgresStore(Address(await server.create())) as store:
        await bound(store)
        wanted = await store.read(lambda tx: tx.sessions.of("conv_1"))

        async def looked(tx: Tx) -> tuple[object, object]:
            bindings = await tx.bindings.of("agent")
            return bindings, await tx.sessions.of("conv_1")

        def times() -> int:
            return sum(one.startswith("SELECT conversation_id, id, role") for one in asked)

        first = Binding("agent", "conv_1", "a", 1, NOW)
        assert await store.write(looked) == ([first], wanted)
        assert times() == 0
        for other in (Binding("agent", "conv_1", "c", 1, NOW), Binding("agent", "conv_2", "b", 1, NOW)):
            if other.conversation_id == "conv_2":
                await seat(store, "conv_2")
            await store.write(lambda tx, other=other: tx.bindings.bind(other))
            asked.clear()
            bindings, sessions = await store.write(looked)
            assert bindings[-1] == other  # type: ignore[index]
            assert sessions == wanted
            assert times() == 1
        # one of them counts no more, and the conversation is not mistaken for the only one
        await store.write(lambda tx: tx.sessions.revoke("conv_1", "c"))
        assert (await store.write(looked))[0] == [first, Binding("agent", "conv_2", "b", 1, NOW)]
