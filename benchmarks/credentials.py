"""Credentials through a git repository: from the owner's push to a worker that is connected."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, p50
from benchmarks.places import Place, served
from benchmarks.wire import MAB

INTERVAL = 60.0
"""Seconds between two looks as shipped."""

SCALED = 3.0
"""The same in the scaled run: long against what a look and a join take, so that the two can be told apart."""

WAIT = 120.0


def distribution(quick: bool) -> list[Figure]:
    """Push to connected, with the hook and with polling at a scaled interval; each time a rotation, then its push."""
    count = 3 if quick else 12
    with served() as here:
        team = _Team(here)
        hooked, pushes = team.changes(600.0, count, hook=True)
        polled, _ = team.changes(SCALED, count, hook=False)
    # whatever is not waiting for the next look: fetch, decryption, join
    work = max(0.0, max(polled) - SCALED)
    at_60 = INTERVAL + max(work, max(hooked))
    facts = {
        "runs": count,
        "push_alone_p50_s": p50(pushes),
        "hook_ratio": p50(hooked) / p50(pushes),
        "hook_p50_s": p50(hooked),
        "hook_max_s": max(hooked),
        "polling_interval_s": SCALED,
        "polling_p50_s": p50(polled),
        "polling_max_s": max(polled),
        "ratio": max(polled) / SCALED,
        "worst_at_60_s": at_60,
    }
    with_hook = (
        f"p50 {p50(hooked):.2f} s, slowest {max(hooked):.2f} s in {count}; {p50(hooked) / p50(pushes):.2f} x the push "
        f"command alone ({p50(pushes):.2f} s)"
    )
    with_polling = (
        f"looking every {SCALED:g} s: p50 {p50(polled):.2f} s, slowest {max(polled):.2f} s in {count}; looking every "
        f"{INTERVAL:g} s: one interval plus the slowest work, {INTERVAL:g} + {at_60 - INTERVAL:.2f} = {at_60:.2f} s at worst"
    )
    what = "`mab credentials push` begun to worker connected"
    return [
        Figure(
            "credentials, hook", f"{what}, with the post-receive hook", "under 2 s", with_hook, max(hooked) < 2.0, facts
        ),
        Figure(
            "credentials, polling", f"{what}, with polling", "under 65 s at 60 s", with_polling, at_60 < 65.0, facts
        ),
    ]


class _Team:
    def __init__(self, here: Place) -> None:
        self._here = here
        self._repository = here.home / "repository.git"
        subprocess.run(["git", "init", "--quiet", "--bare", str(self._repository)], check=True)
        self._conversation = str(self._mab("create", "orchestrator", "builder")["conversation_id"])
        self._keys = self._mab("credentials", "keygen")

    def changes(self, every: float, count: int, hook: bool) -> tuple[list[float], list[float]]:
        """Seconds from the beginning of each push to the worker's connection, and to the end of the push, at moments that do not
        follow the looks.
        """
        installed = self._repository / "hooks" / "post-receive"
        installed.unlink(missing_ok=True)
        if hook:
            self._mab("credentials", "hook", "--repo", str(self._repository))
        taken, pushes = [], []
        self._push()
        with self._sync(every) as connected:
            connected.get(timeout=WAIT)
            for number in range(count):
                self._mab("rotate", self._conversation, "b")
                # spread over the interval
                time.sleep(0.2 if hook else every * number / count)
                began = time.monotonic()
                sequence = self._push()
                pushes.append(time.monotonic() - began)
                while True:
                    at, found = connected.get(timeout=WAIT)
                    if found == sequence:
                        break
                taken.append(at - began)
        return taken, pushes

    def _push(self) -> int:
        to = ("--worker", "builder", "--key", self._keys["recipient"], "--repo", str(self._repository))
        return int(self._mab("credentials", "push", self._conversation, "b", *to)["sequence"])

    @contextmanager
    def _sync(self, every: float) -> Iterator[queue.SimpleQueue[tuple[float, int]]]:
        where = (
            "--worker",
            "builder",
            "--repo",
            str(self._repository),
            "--publisher",
            self._keys["publisher"],
            "--json",
        )
        words = [MAB, "credentials", "sync", *where, "--every", str(every)]
        process = subprocess.Popen(words, env=self._here.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        found: queue.SimpleQueue[tuple[float, int]] = queue.SimpleQueue()
        assert process.stdout is not None
        reading = threading.Thread(target=_read, args=(process.stdout, found), daemon=True)
        reading.start()
        try:
            yield found
        finally:
            process.terminate()
            process.wait(120)
            reading.join(30)
            process.stdout.close()

    def _mab(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [MAB, *words, "--json"], env=self._here.env, check=True, capture_output=True, cwd=Path("/")
        )
        return dict(json.loads(done.stdout))


def _read(stream: Any, found: queue.SimpleQueue[tuple[float, int]]) -> None:
    for line in stream:
        at, event = time.monotonic(), json.loads(line)
        if event["event"] == "connected":
            found.put((at, int(event["sequence"])))
