"""Watchdogs and keep-alives as processes: several at once, killed at any moment, with a hub that goes away under them."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import Any

import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.model.callers import Credentials
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.tasks import Task
from multiagent_bridge.ports import Store, Tx
from multiagent_bridge.testing.hubs import OWNER
from tests.machines.agents import MAB, SECONDS, environment
from tests.machines.places import Place, until
from tests.machines.test_sqlite_races import in_store

pytestmark = [pytest.mark.machines, pytest.mark.timeout(180)]

LONG = "600"
"""A threshold that no machine is too slow for: who is silent here is a matter of what the store says."""

STARTING = 120.0
"""Longest start of a few interpreters on a machine that others keep busy."""


def peopled(place: Place, count: int) -> list[str]:
    """So many conversations in which b is long silent with two tasks, c is there, and a was never seen."""

    async def opened() -> list[str]:
        names = []
        async with AsyncExitStack() as stack:
            hub = await wiring.open_hub(config.load(home=place.home), stack)
            for _ in range(count):
                made = await hub.conversations.create(OWNER, "orchestrator", "tests", ["docs"])
                names.append(made.conversation.id)
                for _ in range(2):
                    await hub.tasks.assign(OWNER, Credentials(names[-1], "a"), "a task", to="b")
        return names

    names = asyncio.run(opened())
    now = time.time_ns() // 1000

    async def beaten(tx: Tx) -> None:
        for name in names:
            await tx.sessions.heartbeat(name, "b", now - 1000 * SECOND)
            await tx.sessions.heartbeat(name, "c", now)

    in_store(place.home / "bridge.db", lambda store: store.write(beaten))
    return names


def tasks_of(place: Place, names: Sequence[str]) -> list[Task]:
    async def looked(store: Store) -> list[Task]:
        found = [await store.read(lambda tx, n=name: tx.tasks.list(n, 100)) for name in names]
        return [task for tasks in found for task in tasks]

    return in_store(place.home / "bridge.db", looked)  # type: ignore[no-any-return]


def started(place: Place, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [MAB, *words], env=environment(place.home, **place.env), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@contextmanager
def running(place: Place, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = started(place, *words)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=SECONDS)
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> tuple[list[Mapping[str, Any]], str]:
    """The alerts that a process which ends by itself printed, and its talk."""
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()], err


def done(place: Place, action: str) -> list[Mapping[str, Any]]:
    return [entry for entry in place.entries() if entry["action"] == action]


def test_of_six_watchdogs_that_look_at_once_one_acts_on_each_silence(place: Place) -> None:
    names = peopled(place, 40)
    guards = [started(place, "watchdog", "--once", "--threshold", LONG, "--json", "-") for _ in range(6)]
    alerts = [alert for guard in guards for alert in said(guard)[0]]
    assert Counter((a["kind"], a["conversation_id"], a["session_id"]) for a in alerts) == Counter(
        ("silent", name, "b") for name in names
    )
    assert Counter((t.state, t.assignee, t.fence) for t in tasks_of(place, names)) == {("reassigned", "c", 2): 80}
    assert len(done(place, "silence.warn")) == 40
    assert len(done(place, "task.reassign")) == 80
    # what was decided is in the mail of those it concerns, once
    rows = json.loads(place.mab("show", names[0], "--json").stdout)["messages"]
    assert sum("has been silent" in row["message"] for row in rows) == 1
    place.verified()


def test_a_watchdog_killed_between_two_checks_is_taken_up_by_the_next(place: Place) -> None:
    names = peopled(place, 3)
    with running(place, "watchdog", "--interval", "3600", "--threshold", LONG, "--json", "-") as guard:
        assert guard.stdout is not None
        assert {json.loads(guard.stdout.readline())["kind"] for _ in names} == {"silent"}
        guard.send_signal(signal.SIGKILL)
        guard.wait(SECONDS)
    more = peopled(place, 2)
    alerts, talk = said(started(place, "watchdog", "--once", "--threshold", LONG, "--json", "-"))
    assert sorted(a["conversation_id"] for a in alerts) == sorted(more)
    assert all(name in talk for name in names), "what still stands is said, though it was reported before"
    assert {t.fence for t in tasks_of(place, [*names, *more])} == {2}
    place.verified()


def test_watchdogs_killed_at_random_lose_no_task_and_give_none_away_twice(place: Place) -> None:
    names, chance, kills = peopled(place, 150), random.Random(7), 0
    for _ in range(12):
        with running(place, "watchdog", "--interval", "1", "--threshold", LONG) as guard:
            # its start takes half a second; most of the work lies within the next
            time.sleep(0.4 + chance.random() * 0.6)
            kills += guard.poll() is None
            guard.kill()
    said(started(place, "watchdog", "--once", "--threshold", LONG))
    assert kills == 12
    assert Counter((t.state, t.assignee, t.fence) for t in tasks_of(place, names)) == {("reassigned", "c", 2): 300}
    assert Counter(e["conversation"] for e in done(place, "silence.warn")) == dict.fromkeys(names, 1)
    assert len(done(place, "task.reassign")) == 300
    place.verified()


def test_a_worker_whose_keep_alive_is_killed_is_found_and_its_task_goes_on(fast: Place) -> None:
    threshold = 15.0
    alice, bob, conversation = fast.pair()
    name = json.loads(fast.mab("show", conversation, "--json").stdout)["conversation_id"]
    made = alice.good("assign_task", title="run the tests", to="b")
    bob.good("update_task", task_id=made["task_id"], action="accept")
    keep = ("keepalive", "--conversation", conversation, "--interval", "1", "--session")
    with (
        running(fast, *keep, "a"),
        running(fast, *keep, "b") as bobs,
        ExitStack() as stack,
    ):
        kept_alive(fast)
        # only now: who starts on a busy machine is silent for a while
        watchdog = ("watchdog", "--interval", "1", "--threshold", f"{threshold:g}", "--json", "-")
        guard = stack.enter_context(running(fast, *watchdog))
        assert guard.stdout is not None
        kept_alive(fast)
        assert done(fast, "silence.warn") == [], "no false alarm before"
        bobs.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        alert = json.loads(guard.stdout.readline())
        took = time.monotonic() - killed
        assert (alert["kind"], alert["conversation_id"], alert["session_id"]) == ("silent", name, "b")
        assert [task["to"] for task in alert["tasks"]] == ["a"]
        print(f"found {took:.1f} s after the kill (threshold {threshold:g} s, check 1 s)")
        assert took < threshold + 1 + 30
        told = [m["message"] for m in alice.good("check_messages", wait_seconds=20)["messages"]]
        assert any("session b (frontend) has been silent" in line for line in told)
    (warned,), (moved,) = done(fast, "silence.warn"), done(fast, "task.reassign")
    assert warned["at"] == moved["at"]
    assert moved["latency_us"] < 30_000_000
    late = bob.call("update_task", task_id=made["task_id"], action="complete", fence=2)
    assert late.code == "conflict"
    fast.verified()


def lives(*processes: subprocess.Popen[str]) -> bool:
    """They run; what one of them said as it ended is in the failure."""
    for process in processes:
        assert process.poll() is None, process.communicate()
    return True


def kept_alive(place: Place) -> None:
    """Both sessions of a pair beat three times more."""
    before = {session: beats(place, session) for session in "ab"}
    for session, count in before.items():
        until(lambda s=session, c=count: beats(place, s) >= c + 3, f"{session} is kept alive", STARTING)  # type: ignore[misc]


def beats(place: Place, session: str) -> int:
    return sum(e["session"] == session for e in done(place, "status.heartbeat"))


def test_a_keep_alive_goes_on_while_the_hub_is_killed_and_starts_again(fast: Place) -> None:
    alice, bob, conversation = fast.pair()
    with running(fast, "keepalive", "-c", conversation, "-s", "b", "--interval", "1", "--json") as keep:
        assert keep.stdout is not None
        until(lambda: lives(keep) and beats(fast, "b") >= 2, "it beats", STARTING)
        old = fast.kill_hub()
        count = beats(fast, "b")
        until(lambda: beats(fast, "b") >= count + 2, "it beats without a hub")
        alice.good("send_to_partner", message="after the restart")
        assert fast.hub != old
        line = json.loads(keep.stdout.readline())
        assert (line["from"], line["message_id"], line["unread"]) == ("a", 1, 1)
        assert [m["message"] for m in bob.good("check_messages")["messages"]] == ["after the restart"]
        fast.mab("serve", "--stop")
        count = beats(fast, "b")
        until(lambda: beats(fast, "b") >= count + 2, "it beats once the hub has left")
        assert keep.poll() is None
        keep.send_signal(signal.SIGTERM)
        _, talk = keep.communicate(timeout=SECONDS)
        assert (keep.returncode, talk) == (0, "")


def test_a_keep_alive_and_a_watchdog_get_over_a_store_that_is_locked_for_long(place: Place) -> None:
    (name,) = peopled(place, 1)
    with (
        running(place, "keepalive", "-c", name, "-s", "c", "--interval", "1") as keep,
        running(place, "watchdog", "--interval", "1", "--threshold", LONG) as guard,
    ):
        work = lambda: lives(keep, guard) and beats(place, "c") >= 1 and done(place, "silence.warn")  # noqa: E731
        until(work, "both are at work", STARTING)
        lock = os.open(place.home / "bridge.db-lock", os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert keep.stderr is not None
        assert guard.stderr is not None
        try:
            # longer than a transaction waits for its turn
            assert keep.stderr.readline().startswith("trying again: unavailable: ")
            while not guard.stderr.readline().startswith("this check was not made: unavailable: "):
                pass
        finally:
            os.close(lock)
        count = beats(place, "c")
        assert keep.stderr.readline() == "it works again\n"
        until(lambda: beats(place, "c") > count and done(place, "watchdog.grace"), "both go on")
        assert (keep.poll(), guard.poll()) == (None, None)
    assert len(done(place, "silence.warn")) == 1


def test_a_hub_with_a_watchdog_inside_watches_while_it_serves(place: Place) -> None:
    (name,) = peopled(place, 1)
    out = place.home / "got"
    words = {"INSIDE": "true", "THRESHOLD_SECONDS": LONG, "JSON_FILE": str(out)}
    hub = place.serve(**{f"MAB_WATCHDOG__{word}": value for word, value in words.items()})
    until(lambda: out.exists() and out.read_text().endswith("\n"), "the hub's watchdog has found it")
    alert = json.loads(out.read_text())
    assert (alert["kind"], alert["conversation_id"], alert["session_id"]) == ("silent", name, "b")
    place.mab("serve", "--stop")
    assert hub.wait(SECONDS) == 0
    assert len(done(place, "silence.warn")) == 1
