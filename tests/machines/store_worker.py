"""One process of a race for a SQLite store: `python -m tests.machines.store_worker PATH KIND NAME [ARGUMENT]`.

Prints `ready`, waits for a line on stdin, works, prints one JSON line. `write` prints each number after it is durable instead.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from pathlib import Path

from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import NOW, conversation, message
from multiagent_bridge.testing.meters import THREE


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


def started() -> None:
    say("ready")
    sys.stdin.readline()


async def charge(store: Store, name: str, tries: str) -> list[int]:
    """How often it was admitted, all at one instant."""
    waits = [await store.write(lambda tx: tx.buckets.charge("k", THREE, NOW)) for _ in range(int(tries))]
    return [waits.count(0), len(waits)]


async def take(store: Store, name: str, count: str) -> list[int]:
    """Which of `count` invites it got."""
    order = list(range(int(count)))
    random.shuffle(order)
    return [n for n in order if await store.write(lambda tx, n=n: tx.invites.take(bytes([n])))]


async def read(store: Store, name: str, count: str) -> list[int]:
    """Which messages it was handed until all `count` are read by somebody."""
    got: list[int] = []

    async def handed(tx: Tx, claim: str) -> list[int]:
        found = [m.id for m in await tx.messages.unread("conv_1", "b", 3, 0)]
        await tx.messages.claim("conv_1", "b", found, claim, NOW)
        return found

    async def rest(tx: Tx) -> bool:
        newest = await tx.conversations.get("conv_1")
        seat = await tx.sessions.get("conv_1", "b")
        return newest is not None and seat is not None and newest.last_message == int(count) and seat.unread == 0

    for turn in itertools.count():
        if await store.read(rest):
            return got
        claim = f"{name}:{turn}"
        found = await store.write(lambda tx, c=claim: handed(tx, c))
        if found and random.random() < 0.2:
            assert await store.write(lambda tx, c=claim: tx.messages.release(c)) == len(found)
        elif found:
            assert await store.write(lambda tx, c=claim: tx.messages.confirm(c, NOW)) == len(found)
            got += found
    raise AssertionError


async def send(store: Store, name: str, count: str) -> int:
    async def sent(tx: Tx) -> None:
        await tx.messages.add(message(await tx.conversations.count_message("conv_1", 1)), ["b"])

    for _ in range(int(count)):
        await store.write(sent)
    return int(count)


async def pace(store: Store, name: str, seconds: str) -> list[float]:
    """Four writes a second; the milliseconds of each."""
    took: list[float] = []
    begun = time.monotonic() + random.random() / 4
    for turn in range(4 * int(seconds)):
        await asyncio.sleep(max(0, begun + turn / 4 - time.monotonic()))
        at = time.monotonic()
        await store.write(lambda tx, n=turn: tx.journal.append(entry(name, n)))
        took.append((time.monotonic() - at) * 1000)
    return took


async def write(store: Store, name: str, first: str) -> None:
    """Entries numbered from `first` for ever, eight callers at a time; each number is printed once it is durable."""
    number = int(first)

    async def one(number: int) -> None:
        await store.write(lambda tx: both(tx, number))
        say(number)

    async def both(tx: Tx, number: int) -> None:
        await tx.conversations.add(conversation(f"{name}.{number}"))
        await tx.journal.append(entry(name, number))

    while True:
        await asyncio.gather(*(one(n) for n in range(number, number + 8)))
        number += 8


def entry(name: str, number: int) -> Draft:
    return Draft(NOW, name, "a", f"process {name}", "test.write", facts={"n": number})


async def main(path: str, kind: str, name: str, argument: str = "") -> None:
    work = {"charge": charge, "take": take, "read": read, "send": send, "pace": pace, "write": write}
    if kind == "open":
        started()
        async with SqliteStore(Path(path)) as store:
            say((await store.write(lambda tx: tx.journal.append(entry(name, 0))))[0].seq)
        return
    async with SqliteStore(Path(path)) as store:
        started()
        say(await work[kind](store, name, argument))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
