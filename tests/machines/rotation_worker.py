"""A rotation that is killed at every step: `python -m tests.machines.rotation_worker ROOT VERB`.

Each attempt is a fork of this process: it works on a copy of one prepared state directory and kills itself at its n-th step,
others then look at what it left. Prints one JSON line: how many steps there were, and what went wrong.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from multiagent_bridge.adapters import state
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.cli import owner, resealing
from multiagent_bridge.cli.app import run
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.model.reseals import FINISHED, Reseal
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.services.master_keys import MasterKeys
from multiagent_bridge.testing.hubs import agent

# sealing anew takes several steps for each of them
CONVERSATIONS = 2 if "reseal" in sys.argv else 5


def forked(work: Callable[[], object]) -> int:
    """Run it in a fork. Returns its exit status, or minus the signal that ended it."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


async def fill(root: Path) -> None:
    async with owner.hub() as hub:
        seats = []
        for n in range(CONVERSATIONS):
            made = await hub.conversations.create(agent(f"a{n}"), "backend", "frontend")
            await hub.messages.send(agent(f"a{n}"), NO_CREDENTIALS, f"message {n}")
            seats.append([made.conversation.id, made.tokens[0]])
    (root / "seats.json").write_text(json.dumps(seats))


async def look(root: Path, tokens: bool) -> None:
    """Everything is readable and verifies, and the old tokens open, or no longer."""
    async with owner.hub() as hub:
        found = await hub.evidence.verify()
        assert found.messages == CONVERSATIONS, found
        for n, (conversation, token) in enumerate(json.loads((root / "seats.json").read_text())):
            (message, *_) = await told(hub, conversation)
            assert message == f"message {n}"
            given = Credentials(conversation, "a", token)
            try:
                await hub.status.heartbeat(agent("stranger"), given)
            except Exception:
                assert not tokens
            else:
                assert tokens


async def replaced() -> None:
    """No conversation has an older data key, and what was done to each text is counted once."""
    async with owner.hub() as hub:
        found = await hub.master_keys.status(owner.owner())
        assert found.aged == 0, found
        assert found.reseal is not None
        assert found.reseal == Reseal(found.reseal.began, FINISHED, CONVERSATIONS, CONVERSATIONS), found


async def told(hub: Hub, conversation: str) -> list[str]:
    mail = await hub.messages.check(owner.owner(), Credentials(conversation, "b"), hub.ids.claim(), auto_ack=False)
    return [letter.text for letter in mail.letters]


def killed_at(n: int) -> None:
    """Patch this process so that it dies at its n-th step: around each transaction, and each step of writing the ring."""
    steps = itertools.count(1)

    def step() -> None:
        if next(steps) == n:
            os.kill(os.getpid(), signal.SIGKILL)

    write, rename, fsync = SqliteStore.write, Path.rename, os.fsync

    async def written(self: SqliteStore, work: Callable[[Tx], Awaitable[Any]], *, brief: bool = False) -> Any:
        step()

        async def worked(tx: Tx) -> Any:
            result = await work(tx)
            step()
            return result

        result = await write(self, worked, brief=brief)
        step()
        return result

    def renamed(self: Path, target: Any) -> Path:
        step()
        moved = rename(self, target)
        step()
        return moved

    def synced(handle: int) -> None:
        step()
        fsync(handle)

    SqliteStore.write = written  # type: ignore[method-assign,assignment]
    Path.rename = renamed  # type: ignore[method-assign,assignment]
    state.os.fsync = synced  # type: ignore[attr-defined,assignment]


def mab(*words: str) -> None:
    status = run(list(words))
    assert status == 0, (words, status)


def main(root: Path, verb: str) -> None:
    prepared, home = root / "prepared", root / "state"
    # two batches of data keys and one that is empty
    MasterKeys.rewrap.__defaults__ = (2,)
    resealing.SHARE = 1
    os.environ["MAB_HOME"] = str(home)
    wrong: list[str] = []

    def expect(n: int, what: str, work: Callable[[], object]) -> None:
        if status := forked(work):
            wrong.append(f"step {n}: {what} ended with {status}")

    expect(0, "filling", lambda: asyncio.run(fill(root)))
    if verb != "rotate":
        expect(0, "rotating", lambda: mab("master-key", "rotate"))
    home.rename(prepared)
    for n in itertools.count(1):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(prepared, home)

        def attempt(n: int = n) -> None:
            killed_at(n)
            mab("master-key", verb)

        ended = forked(attempt)
        if ended == 0:
            break
        if ended != -signal.SIGKILL:
            wrong.append(f"step {n}: it ended with {ended}")
        if verb == "rotate":
            expect(n, "looking after the kill", lambda: asyncio.run(look(root, tokens=True)))
            again(n, verb, expect)
            expect(n, "looking after the repetition", lambda: asyncio.run(look(root, tokens=True)))
            expect(n, "retiring", lambda: mab("master-key", "retire"))
        elif verb == "reseal":
            expect(n, "looking after the kill", lambda: asyncio.run(look(root, tokens=True)))
            again(n, verb, expect)
            expect(n, "looking for older data keys", lambda: asyncio.run(replaced()))
            expect(n, "retiring", lambda: mab("master-key", "retire"))
        else:
            again(n, verb, expect)
        expect(n, "looking at the end", lambda: asyncio.run(look(root, tokens=False)))
        left = (home / "master.key").read_text().split()
        if len(left) != 1 or list(home.glob(".master.key.*")):
            wrong.append(
                f"step {n}: {len(left)} keys are left in the ring, {list(home.glob('.master.key.*'))} beside it"
            )
    print(json.dumps({"steps": n - 1, "wrong": wrong}))


def again(n: int, verb: str, expect: Callable[[int, str, Callable[[], object]], None]) -> None:
    """The same command once more; when its work was done before the kill it says so with a conflict."""

    def repeated() -> None:
        assert run(["master-key", verb]) in (0, 8)

    expect(n, "repeating", repeated)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
