"""Any sequence of mail operations, against a model of a dozen lines: counters, queues and states always agree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import NOW, message, seat

SESSIONS = ("a", "b", "c")
CLAIMS = ("hub:1", "hub:2", "hubs:1", "other:1")

sessions = st.sampled_from(SESSIONS)
ids = st.lists(st.integers(0, 9), max_size=4)
claims = st.sampled_from(CLAIMS)
instants = st.integers(NOW, NOW + 5)
steps = st.one_of(
    st.tuples(st.just("add"), st.sets(sessions).map(sorted)),
    st.tuples(st.just("claim"), sessions, ids, claims, instants),
    st.tuples(st.just("take"), sessions, st.integers(0, 3), claims, instants, instants),
    st.tuples(st.just("confirm"), claims, instants),
    st.tuples(st.just("release"), claims),
    st.tuples(st.just("release_owner"), st.sampled_from(("hub", "hubs", "other", "o"))),
    st.tuples(st.just("unconfirm"), sessions, ids),
    st.tuples(st.just("ack"), sessions, st.integers(0, 9), instants),
)


class Model:
    """(session, message id) -> None (unread), (claim, instant) or the instant it was read."""

    def __init__(self) -> None:
        self.last = 0
        self.at: dict[tuple[str, int], tuple[str, int] | int | None] = {}

    def waiting(self, session: str, stale_before: int) -> list[int]:
        free = (
            n for (s, n), d in sorted(self.at.items()) if s == session and (d is None or self.stale(d, stale_before))
        )
        return list(free)

    @staticmethod
    def stale(held: object, before: int) -> bool:
        return isinstance(held, tuple) and held[1] < before

    def move(self, places: list[tuple[str, int]], to: tuple[str, int] | int | None) -> int:
        self.at.update(dict.fromkeys(places, to))
        return len(places)

    def step(self, step: tuple) -> object:  # type: ignore[type-arg]
        match step:
            case ("add", recipients):
                self.last += 1
                self.at.update({(r, self.last): None for r in recipients})
                return None
            case ("claim", s, numbers, claim, now):
                self.move(
                    [(s, n) for n in numbers if (s, n) in self.at and not isinstance(self.at[s, n], int)], (claim, now)
                )
                return None
            case ("take", s, limit, claim, stale_before, now):
                taken = self.waiting(s, stale_before)[:limit]
                self.move([(s, n) for n in taken], (claim, now))
                return taken
            case ("confirm", claim, now):
                return self.move([p for p, d in self.at.items() if isinstance(d, tuple) and d[0] == claim], now)
            case ("release", claim):
                return self.move([p for p, d in self.at.items() if isinstance(d, tuple) and d[0] == claim], None)
            case ("release_owner", owner):
                held = [p for p, d in self.at.items() if isinstance(d, tuple) and d[0].startswith(owner + ":")]
                return self.move(held, None)
            case ("unconfirm", s, numbers):
                return self.move(
                    [p for p, d in self.at.items() if p[0] == s and p[1] in numbers and isinstance(d, int)], None
                )
            case ("ack", s, through, now):
                open_ = [p for p, d in self.at.items() if p[0] == s and p[1] <= through and not isinstance(d, int)]
                return self.move(open_, now)
        raise AssertionError(step)


async def done(tx: Tx, name: str, step: tuple) -> object:  # type: ignore[type-arg]
    """The same step in the store."""
    mail = tx.messages
    match step:
        case ("add", recipients):
            await mail.add(message(await tx.conversations.count_message(name, 1), name=name), recipients)
            return None
        case ("claim", s, numbers, claim, now):
            await mail.claim(name, s, numbers, claim, now)
            return None
        case ("take", s, limit, claim, stale_before, now):
            taken = [m.id for m in await mail.unread(name, s, limit, stale_before)]
            await mail.claim(name, s, taken, claim, now)
            return taken
        case ("confirm", claim, now):
            return await mail.confirm(claim, now)
        case ("release", claim):
            return await mail.release(claim)
        case ("release_owner", owner):
            return await mail.release_owner(owner)
        case ("unconfirm", s, numbers):
            return await mail.unconfirm(name, s, numbers)
        case ("ack", s, through, now):
            return await mail.ack(name, s, through, now)
    raise AssertionError(step)


async def compare(store: Store, name: str, model: Model) -> None:
    async def seen(tx: Tx) -> None:
        for session in await tx.sessions.of(name):
            s = session.id
            assert session.unread == sum(d is None for (who, _), d in model.at.items() if who == s)
            found = await tx.messages.unread(name, s, 99, NOW + 3)
            assert [m.id for m in found] == model.waiting(s, NOW + 3)
            read = sorted(n for (who, n), d in model.at.items() if who == s and isinstance(d, int))
            assert [m.id for m in await tx.messages.history(name, s, None, 99)] == read
            delivered = sorted((n for who, n in model.at if who == s), reverse=True)
            assert [m.id for m in await tx.messages.received(name, s, None, 99)] == delivered
        for number in range(1, model.last + 1):
            found = {(d.recipient, d.claimed, d.read_at) for d in await tx.messages.deliveries(name, number)}
            assert found == {
                (who, isinstance(d, tuple), d if isinstance(d, int) else None)
                for (who, n), d in model.at.items()
                if n == number
            }

    await store.read(seen)


async def play(store: Store, name: str, sequence: list[tuple]) -> None:  # type: ignore[type-arg]
    await seat(store, name, SESSIONS)
    model = Model()
    try:
        for step in sequence:
            assert await store.write(lambda tx, s=step: done(tx, name, s)) == model.step(step), step
            await compare(store, name, model)
    finally:
        # claims are known by their name alone: leave none to the next example
        await store.write(lambda tx: tx.conversations.remove(name))


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[asyncio.Runner, Store]]:
    with asyncio.Runner() as runner:
        store: Store
        if request.param == "memory":
            store = MemoryStore()
        else:
            path: Path = tmp_path_factory.mktemp("model")
            store = SqliteStore(path / "bridge.db")
            runner.run(store.open())
        yield runner, store
        runner.run(store.close())


_names = count()


@settings(deadline=None, max_examples=120)
@given(st.lists(steps, max_size=14))
def test_any_sequence_of_mail_agrees_with_the_model(
    stage: tuple[asyncio.Runner, Store],
    sequence: list[tuple],  # type: ignore[type-arg]
) -> None:
    runner, store = stage
    runner.run(play(store, f"conv_{next(_names)}", sequence))
