"""Sinks: what they are handed arrives, in order, whoever else is slow; what does not arrive is said."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from multiagent_bridge.adapters.alerts import delivery as delivering
from multiagent_bridge.adapters.alerts.command import Command
from multiagent_bridge.adapters.alerts.delivery import Delivery, Notice
from multiagent_bridge.adapters.alerts.lines import JsonLines, Printed, sentence
from multiagent_bridge.adapters.alerts.webhook import TRIES, Webhook, secret_of
from multiagent_bridge.errors import BridgeError, Invalid, Unavailable

from .receiver import receiving

pytestmark = pytest.mark.anyio

SECRET = b"0123456789abcdef0123"
ALERT: Notice = {
    "id": 7, "at": "2026-09-21T14:18:20.000000Z", "kind": "silent", "conversation_id": "conv_1", "session_id": "b",
    "role": "tests", "status": "working", "silent_seconds": 300, "unread": 2,
    "tasks": [
        {"task_id": "task_1", "priority": "P0", "fence": 3, "to": "c"},
        {"task_id": "task_2", "priority": "P2", "fence": 2, "to": None},
    ],
}  # fmt: skip


class Slow:
    """A sink that takes nothing until it is let."""

    name = "slow"

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.got: list[object] = []

    async def deliver(self, notice: Notice) -> None:
        await self.let.wait()
        self.got.append(notice["id"])


class Ledger:
    """What was said not to have been delivered."""

    def __init__(self) -> None:
        self.said: list[tuple[str, object, str]] = []

    async def __call__(self, name: str, notice: Notice, error: BridgeError) -> None:
        self.said.append((name, notice["id"], error.code))


async def test_a_slow_sink_holds_up_no_other_and_gets_everything_in_order() -> None:
    slow, quick, ledger = Slow(), Slow(), Ledger()
    quick.let.set()
    async with Delivery([slow, quick], ledger) as delivery:
        for number in range(20):
            delivery.hand({"id": number})
        async with asyncio.timeout(60):
            while len(quick.got) < 20:
                await asyncio.sleep(0)
        assert slow.got == []
        slow.let.set()
    assert slow.got == quick.got == list(range(20))
    assert ledger.said == []


async def test_what_a_full_or_a_stuck_sink_did_not_take_is_said_of_each_notice() -> None:
    slow, ledger = Slow(), Ledger()
    async with Delivery([slow], ledger, room=3, drain=0.05) as delivery:
        delivery.hand({"id": 0})
        await asyncio.sleep(0)
        for number in range(1, 6):
            delivery.hand({"id": number})
    assert slow.got == []
    assert sorted(ledger.said) == [("slow", number, "unavailable") for number in range(6)]


async def test_leaving_waits_for_what_is_on_its_way() -> None:
    slow, ledger = Slow(), Ledger()
    async with Delivery([slow], ledger) as delivery:
        delivery.hand({"id": 1})
        asyncio.get_running_loop().call_later(0.05, slow.let.set)
    assert (slow.got, ledger.said) == ([1], [])


async def test_a_sink_with_a_defect_ends_the_program_instead_of_going_quiet() -> None:
    class Broken:
        name = "broken"

        async def deliver(self, notice: Notice) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with Delivery([Broken()], Ledger(), drain=5) as delivery:
            delivery.hand({"id": 1})


async def test_several_at_once_are_as_many_as_were_asked_for() -> None:
    running, most = 0, 0

    class Counting:
        name = "counting"

        async def deliver(self, notice: Notice) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1

    async with Delivery([Counting()], Ledger(), width=3) as delivery:
        for number in range(12):
            delivery.hand({"id": number})
    assert most == 3


async def test_lines_of_json_are_added_whole_and_a_file_moved_away_is_followed_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    sink = JsonLines(path)
    await sink.deliver(ALERT)
    await sink.deliver({"id": 8, "role": "grün"})
    assert [json.loads(line)["id"] for line in path.read_text("ascii").splitlines()] == [7, 8]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.rename(tmp_path / "old.jsonl")
    await sink.deliver(ALERT)
    assert len(path.read_text().splitlines()) == 1


async def test_a_disk_without_room_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = tmp_path / "alerts.jsonl", os.write
    await JsonLines(path).deliver(ALERT)
    monkeypatch.setattr(os, "write", lambda handle, line: write(handle, line[:9]))
    with pytest.raises(Unavailable):
        await JsonLines(path).deliver(ALERT)
    monkeypatch.undo()
    await JsonLines(path).deliver(ALERT)
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [7, 7]


def test_lines_of_several_processes_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    program = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from multiagent_bridge.adapters.alerts.lines import JsonLines\n"
        "async def main():\n"
        "    for n in range(50): await JsonLines(Path(sys.argv[1])).deliver({'id': n, 'x': 'y' * 9000})\n"
        "asyncio.run(main())\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(3)]
    assert [worker.wait(200) for worker in workers] == [0, 0, 0]
    found = [json.loads(line)["id"] for line in path.read_text().splitlines()]
    assert sorted(found) == sorted(list(range(50)) * 3)


async def test_an_alert_is_one_line_for_a_person() -> None:
    assert sentence(ALERT) == (
        "2026-09-21T14:18:20.000000Z silent: conv_1 session b (tests), 300 s, status working, unread 2; "
        "task task_1 (P0) to c; task task_2 (P2) held"
    )


async def test_a_closed_standard_error_is_a_sink_that_failed() -> None:
    def closed(notice: Notice) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(Unavailable):
        await Printed("stderr", closed).deliver(ALERT)


async def test_a_program_gets_the_notice_as_its_input_and_its_plain_parts_as_variables(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = (
        "import json, os, sys\n"
        "found = {n: v for n, v in os.environ.items() if n.startswith('MAB_NOTICE_')}\n"
        f"open({str(out)!r}, 'w').write(json.dumps([json.load(sys.stdin), found]))"
    )
    await Command([sys.executable, "-c", program]).deliver(ALERT)
    notice, variables = json.loads(out.read_text())
    assert notice == ALERT
    assert variables == {
        "MAB_NOTICE_ID": "7", "MAB_NOTICE_AT": ALERT["at"], "MAB_NOTICE_KIND": "silent",
        "MAB_NOTICE_CONVERSATION_ID": "conv_1", "MAB_NOTICE_SESSION_ID": "b", "MAB_NOTICE_STATUS": "working",
        "MAB_NOTICE_SILENT_SECONDS": "300", "MAB_NOTICE_UNREAD": "2",
    }  # fmt: skip


@pytest.mark.parametrize("line", ["exit 3", "kill -9 $$"])
async def test_a_program_that_fails_is_a_sink_that_failed(line: str) -> None:
    with pytest.raises(Unavailable):
        await Command(["sh", "-c", line]).deliver(ALERT)


async def test_a_program_that_reads_nothing_is_no_failure() -> None:
    await Command(["true"]).deliver({"id": 1, "x": "y" * 1_000_000})


@pytest.mark.parametrize("line", ["", "  ", "'unclosed", "no-such-program-here x", "/etc/passwd"])
def test_what_is_no_program_is_invalid(line: str) -> None:
    with pytest.raises(Invalid):
        Command.of(line)


async def test_a_webhook_is_signed_over_its_time_and_its_body() -> None:
    async with receiving(204) as there:
        await Webhook(there.url, SECRET).deliver(ALERT)
        [got] = there.received
    assert json.loads(got.body) == ALERT
    assert got.line == "POST /alerts HTTP/1.1"
    assert (got.headers["content-type"], got.headers["mab-notice"]) == ("application/json", "7")
    at = got.headers["mab-timestamp"]
    assert abs(int(at) - time.time()) < 30
    signed = hmac.new(SECRET, at.encode() + b"." + got.body, hashlib.sha256).hexdigest()
    assert got.headers["mab-signature"] == f"v1={signed}"


async def test_a_webhook_is_tried_again_after_longer_and_longer_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(delivering.asyncio, "sleep", pause)
    async with receiving(500, 429, 200) as there:
        await Webhook(there.url, SECRET).deliver(ALERT)
        assert len(there.received) == 3
        assert len({got.headers["mab-notice"] for got in there.received}) == 1
    assert 0.5 <= slept[0] < slept[1] <= 1.25
    async with receiving(503) as there:
        with pytest.raises(Unavailable, match="503"):
            await Webhook(there.url, SECRET).deliver(ALERT)
        assert len(there.received) == TRIES


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_a_webhook_that_says_no_is_not_asked_again(status: int) -> None:
    async with receiving(status) as there:
        with pytest.raises(Unavailable, match=str(status)):
            await Webhook(there.url, SECRET).deliver(ALERT)
        assert len(there.received) == 1


async def test_a_webhook_that_nobody_answers_is_a_sink_that_failed() -> None:
    async with receiving() as there:
        url = there.url
    with pytest.raises(Unavailable, match="no connection"):
        await Webhook(url, SECRET, pause=0.01).deliver(ALERT)


def test_the_secret_of_a_webhook_comes_from_a_file_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    path.chmod(0o600)
    assert secret_of(f"file:{path}") == SECRET
    assert secret_of(SECRET.decode()) == SECRET
    with pytest.raises(Unavailable):
        secret_of(f"file:{tmp_path / 'missing'}")
