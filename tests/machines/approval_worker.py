"""One process of a race for approvals: `python -m tests.machines.approval_worker STORE KIND NAME COUNT [HOP]`.

Prints `ready`, waits for a line on stdin, works, prints one JSON line. A run is a line appended to STORE.runs, after the
commit that used the approval up: evidence outside the database.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.model.commands import Command
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.laws import NOW
from multiagent_bridge.testing.store_commands import BOOT, LIFE, UP, VERIFIER, command, moved


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


def entry(name: str, action: str, number: int) -> Draft:
    return Draft(NOW, "conv_1", "a", f"runner {name}", action, facts={"n": number})


async def used(tx: Tx, name: str, number: int, fuse: str = "") -> bool:
    """The single use of one approval with its entry, while the mode is enabled."""
    if await tx.yolo.current("conv_1") is None:
        return False
    digest, end = command(number).digest, NOW + LIFE
    if not await tx.commands.start(f"cmd_{number}", digest, VERIFIER, BOOT, UP, NOW, name, end):
        return False
    await tx.journal.append(entry(name, "command.start", number))
    burn(fuse, "within")
    return True


def burn(fuse: str, hop: str) -> None:
    """Die without any warning where the fuse says so."""
    if fuse == hop:
        os.kill(os.getpid(), signal.SIGKILL)


async def start(store: Store, runs: int, name: str, count: int) -> list[int]:
    """Try to run every one, in the same order as everybody else, so that all meet at each. Returns those it ran."""
    won = []
    for number in range(count):
        if await store.write(lambda tx, n=number: used(tx, name, n)):
            os.write(runs, f"{number}\n".encode())
            won.append(number)
    return won


async def decide(store: Store, state: str, count: int) -> list[int]:
    """Look at each request, then write a decision. Returns those that it decided."""
    won = []
    for number in range(count):
        found = await store.read(lambda tx, n=number: tx.commands.get(f"cmd_{n}"))
        assert found is not None
        after = moved(replace(found, state="pending", approval=None), state)
        if await store.write(lambda tx, c=after: tx.commands.change(c, "pending")):
            won.append(number)
    return won


async def disable(store: Store, name: str, count: int) -> int:
    """Let some run, then end the mode and every approval under it in one transaction. Returns how many approvals it ended."""

    async def disabled(tx: Tx) -> int:
        current = await tx.yolo.current("conv_1")
        assert current is not None
        assert await tx.yolo.change(replace(current, state="disabled"), "enabled")
        waiting = [c for c in await tx.commands.open("conv_1", 10**6) if c.state == "approved"]
        for one in waiting:
            assert await tx.commands.change(moved(one, "expired"), "approved")
        await tx.journal.append(entry(name, "yolo.disable", len(waiting)))
        return len(waiting)

    while len(await store.read(lambda tx: tx.commands.running("hub"))) < count // 4:
        await asyncio.sleep(0)
    return await store.write(disabled)


async def serve(store: Store, runs: int, name: str, count: int, fuse: str = "") -> None:
    """Call lost what an earlier life left running, then run what is approved. With a fuse it dies there, at the fifth."""
    for left in await store.read(lambda tx: tx.commands.running(name)):
        assert await ended(store, left, "lost")
    say("alive")
    for number in range(count):
        burning = fuse if number == 4 else ""
        if not await store.write(lambda tx, n=number, f=burning: used(tx, name, n, f)):
            continue
        burn(burning, "committed")
        os.write(runs, f"{number}\n".encode())
        burn(burning, "ran")
        found = await store.read(lambda tx, n=number: tx.commands.get(f"cmd_{n}"))
        assert found is not None
        assert await ended(store, found, "done")


async def ended(store: Store, running: Command, state: str) -> bool:
    after = moved(running, state)
    return await store.write(lambda tx: tx.commands.change(after, "running"))


async def main(path: str, kind: str, name: str, count: str, fuse: str = "") -> None:
    runs = os.open(f"{path}.runs", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    async with SqliteStore(Path(path)) as store:
        say("ready")
        sys.stdin.readline()
        if kind == "start":
            say(await start(store, runs, name, int(count)))
        elif kind == "decide":
            say(await decide(store, name, int(count)))
        elif kind == "disable":
            say(await disable(store, name, int(count)))
        elif kind == "serve":
            await serve(store, runs, name, int(count), fuse)
            say("done")
    os.close(runs)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
