"""One process of a race for a PostgreSQL store: as `store_worker`, with a URL in the environment (MAB_TEST_STORE)."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.store import PostgresStore
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import HOUR, NOW
from multiagent_bridge.testing.store_commands import BOOT, UP, VERIFIER
from multiagent_bridge.testing.store_tasks import task
from tests.machines import store_worker
from tests.machines.store_worker import entry, say, started

COMMANDS = 12


async def start(store: Store, name: str, _: str) -> list[int]:
    """Which of the approved commands it got to run, each in the transaction that writes its entry."""

    async def begun(tx: Tx, number: int) -> bool:
        digest, end = f"{number:064x}", NOW + HOUR
        won = await tx.commands.start(f"cmd_{number}", digest, VERIFIER, BOOT, UP, NOW, name, end)
        if won:
            await tx.journal.append(entry(name, number))
        return won

    return [n for n in range(COMMANDS) if await store.write(lambda tx, n=n: begun(tx, n))]


async def accept(store: Store, name: str, _: str) -> list[int]:
    """Whose lease of which tasks it took."""

    async def taken(tx: Tx, number: int) -> bool:
        seen = task(number)
        after = replace(seen, state="accepted", assignee=name, fence=2, lease_expires_at=NOW + HOUR)
        return await tx.tasks.change(after, seen.state, seen.fence)

    return [n for n in range(COMMANDS) if await store.write(lambda tx, n=n: taken(tx, n))]


async def main(kind: str, name: str, argument: str = "") -> None:
    address = Address(os.environ["MAB_TEST_STORE"])
    work = {
        "charge": store_worker.charge,
        "take": store_worker.take,
        "read": store_worker.read,
        "send": store_worker.send,
        "write": store_worker.write,
        "start": start,
        "accept": accept,
    }
    if kind == "open":
        started()
        async with PostgresStore(address) as store:
            say((await store.write(lambda tx: tx.journal.append(entry(name, 0))))[0].seq)
        return
    async with PostgresStore(address) as store:
        started()
        say(await work[kind](store, name, argument))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
