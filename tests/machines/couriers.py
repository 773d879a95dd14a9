"""A bare repository, a hub's owner who pushes credentials, and workers who wait for them."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from tests.machines.agents import MAB, SECONDS, environment
from tests.machines.places import Place

STARTING = 120.0
"""Longest start of a few interpreters on a machine that others keep busy."""


class Team:
    """One conversation, its hub's owner, and a bare repository."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.repository = folder / "repository.git"
        subprocess.run(["git", "init", "--quiet", "--bare", str(self.repository)], check=True)
        made = json.loads(place.mab("create", "orchestrator", "builder", "--json").stdout)
        self.conversation = str(made["conversation_id"])
        keys = json.loads(place.mab("credentials", "keygen", "--json").stdout)
        self.recipient, self.publisher = str(keys["recipient"]), str(keys["publisher"])

    def push(self, worker: str = "builder-1", session: str = "b", *words: str) -> dict[str, Any]:
        to = ("--worker", worker, "--key", self.recipient, "--repo", str(self.repository), "--json")
        done = self.place.mab("credentials", "push", self.conversation, session, *to, *words)
        return dict(json.loads(done.stdout))

    def sync(self, *words: str, worker: str = "builder-1", **env: str) -> Sync:
        where = ("--worker", worker, "--repo", str(self.repository), "--publisher", self.publisher, "--json")
        return Sync(self.place, *where, *words, **env)

    def alive(self, session: str = "b") -> dict[str, Any]:
        """The session as its owner is shown it."""
        seen = json.loads(self.place.mab("status", "--json").stdout)
        (mine,) = [c for c in seen["conversations"] if c["conversation_id"] == self.conversation]
        return dict(next(s for s in mine["sessions"] if s["session_id"] == session))


class Sync:
    """A running `mab credentials sync --json`, its events with the moment each came."""

    def __init__(self, place: Place, *words: str, **env: str) -> None:
        self._told: queue.SimpleQueue[tuple[float, dict[str, Any]] | None] = queue.SimpleQueue()
        self.seen: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [MAB, "credentials", "sync", *words],
            env=environment(place.home, **(place.env | env)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._read, self._complaints)]
        self.complaints = b""
        for thread in self._threads:
            thread.start()

    def event(self, name: str, seconds: float = STARTING) -> tuple[float, dict[str, Any]]:
        """The next event of that name, and when it came. Fails when it does not come."""
        end = time.monotonic() + seconds
        while True:
            told = self._told.get(timeout=max(0.01, end - time.monotonic()))
            if told is None:
                self._threads[1].join(SECONDS)
            assert told is not None, f"it ended: {self.seen} {self.complaints.decode()}"
            if told[1]["event"] == name:
                return told

    def end(self) -> int:
        """Ask it to end and return its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            for thread in self._threads:
                thread.join(SECONDS)
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            self.process.stdout.close()
            self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            self.seen.append(event)
            self._told.put((time.monotonic(), event))
        self._told.put(None)

    def _complaints(self) -> None:
        assert self.process.stderr is not None
        self.complaints = self.process.stderr.read()


def objects(repository: Path) -> bytes:
    """Every object of a repository, unpacked: what git could show anybody who has it."""
    batch = ["git", "-C", str(repository), "cat-file", "--batch-all-objects", "--batch"]
    return subprocess.run(batch, check=True, capture_output=True).stdout
