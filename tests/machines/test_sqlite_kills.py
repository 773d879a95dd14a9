"""Writers killed with SIGKILL at random points: what they said was stored is stored, once, and the journal verifies."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import apsw
import pytest

from multiagent_bridge.ports import Store
from tests.machines.test_sqlite_races import ROOT, in_store, verified

pytestmark = [pytest.mark.machines, pytest.mark.timeout(120)]

WRITERS = 4
KILLS = 24


class Writer:
    """A process that is killed and started again, and all that it ever acknowledged."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self.lives = 0
        self.acknowledged: list[int] = []
        self.start()

    def start(self) -> None:
        # every life counts from a number that no earlier one can have reached
        words = [sys.executable, "-m", "tests.machines.store_worker", str(self.path), "write", self.name]
        words.append(str(self.lives * 1_000_000))
        self.lives += 1
        self.process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.heard = threading.Thread(target=self.listen, args=(self.process,))
        self.heard.start()

    def listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            # a line cut off by the kill was no acknowledgement
            if line.endswith("\n") and line != '"ready"\n':
                self.acknowledged.append(json.loads(line))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(120)
        self.heard.join(120)
        self.process.communicate()


def test_what_killed_writers_acknowledged_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    choice = random.Random(7)
    writers = [Writer(path, f"w{n}") for n in range(WRITERS)]
    try:
        for _ in range(KILLS):
            victim = choice.choice(writers)
            before = len(victim.acknowledged)
            end = time.monotonic() + 120
            # a victim has written something in this life, and dies at no particular point
            while len(victim.acknowledged) < before + choice.randrange(1, 60):
                assert time.monotonic() < end
                time.sleep(choice.random() / 100)
            victim.kill()
            victim.start()
    finally:
        for writer in writers:
            writer.kill()
    said = {(w.name, n) for w in writers for n in w.acknowledged}
    assert len(said) > KILLS

    async def stored(store: Store) -> tuple[list[tuple[str, int]], set[str]]:
        entries = [(entry["conversation"], entry["facts"]["n"]) for entry in await verified(store)]
        return entries, {c.id for c in await store.read(lambda tx: tx.conversations.list())}

    entries, conversations = in_store(path, stored)
    assert len(entries) == len(set(entries))
    assert said <= set(entries)
    # both halves of each transaction, or neither
    assert conversations == {f"{name}.{number}" for name, number in entries}
    database = apsw.Connection(str(path))
    assert database.pragma("integrity_check") == "ok"
    database.close()


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    holder = Writer(path, "w")
    end = time.monotonic() + 120
    while not holder.acknowledged:
        assert time.monotonic() < end
        time.sleep(0.01)
    # stopped in the midst of writing it may hold the lock; killed it never does
    holder.process.send_signal(signal.SIGSTOP)
    holder.kill()
    # opening takes the lock, and would be refused while somebody held it
    assert in_store(path, verified)
