"""How a run judges: what breaks off, what cannot be done here, an act that the journal lacks, a text that came twice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.callers import Credentials
from multiagent_bridge.testing.hubs import OWNER, memory_hub
from multiagent_bridge.validation import run, security, silence, trail, work
from multiagent_bridge.validation.agents import Failed, Said
from multiagent_bridge.validation.frame import NotHere, Outcome, Sheet
from multiagent_bridge.validation.profiles import Profile
from multiagent_bridge.validation.stress import Round
from multiagent_bridge.validation.team import Team
from multiagent_bridge.validation.worker import Worker

pytestmark = pytest.mark.anyio


class Ledger:
    """A journal in which nothing happens."""

    async def size(self) -> int:
        return 7

    async def evidence(self, first: int) -> dict[str, object]:
        return {"first": first, "last": 7, "entries": 0}


ROOT = Path("/stage/of/this/run")
TEAM = cast("Team", SimpleNamespace(ledger=Ledger(), profile=Profile.of("quick"), stage=SimpleNamespace(root=ROOT)))


async def ended(body: Callable[[Team, Sheet], Awaitable[None]], before: list[Outcome] | None = None) -> Outcome:
    return await run._outcome(TEAM, run.Test("5", "load", body, ("3",)), before or [])


@pytest.mark.parametrize(
    "error",
    [Failed("no"), Unavailable("gone"), OSError(5, "input/output error"), KeyError("x"), AssertionError(), TimeoutError()],
)  # fmt: skip
async def test_a_test_that_breaks_off_has_failed_and_keeps_what_it_measured(error: Exception) -> None:
    async def body(team: Team, sheet: Sheet) -> None:
        sheet.target("messages", "exactly", 80, 80)
        raise error

    outcome = await ended(body)
    assert outcome.verdict == "failed"
    assert outcome.reason
    assert [target.measured for target in outcome.sheet.targets] == [80]


async def test_a_test_whose_tasks_break_off_has_failed() -> None:
    async def body(team: Team, sheet: Sheet) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(broken())

    async def broken() -> None:
        raise Failed("one of several")

    outcome = await ended(body)
    assert (outcome.verdict, outcome.reason) == ("failed", "Failed: failed: one of several")


async def test_a_test_that_measures_nothing_has_failed() -> None:
    async def body(team: Team, sheet: Sheet) -> None:
        sheet.did("looked away")

    assert (await ended(body)).verdict == "failed"


async def test_a_test_that_cannot_be_done_here_says_why() -> None:
    async def body(team: Team, sheet: Sheet) -> None:
        sheet.holds("the stages before it", True)
        raise NotHere("no sandbox works on this machine")

    outcome = await ended(body)
    assert (outcome.verdict, outcome.reason) == ("not run", "no sandbox works on this machine")


async def test_a_test_is_not_run_on_what_broke_off_before_it() -> None:
    async def body(team: Team, sheet: Sheet) -> None:
        sheet.holds("never reached", True)

    outcome = await ended(body, [Outcome("3", "tasks", "failed", "it took too long", 1.0, Sheet(), {})])
    assert outcome.verdict == "not run"
    assert "test 3" in outcome.reason
    assert outcome.sheet.targets == []


async def test_a_report_names_no_place_of_this_machine() -> None:
    async def body(team: Team, sheet: Sheet) -> None:
        sheet.did(f"looked into {ROOT}/s/bridge.db")
        raise Failed(f"{ROOT}/s is not writable")

    outcome = await ended(body)
    assert str(ROOT) not in json.dumps(outcome.fields())
    assert outcome.reason == "failed: STAGE/s is not writable"


def guarded(monkeypatch: pytest.MonkeyPatch, *, works: bool) -> Callable[[Team, Sheet], Awaitable[None]]:
    """Test 6 on a machine whose guard refuses to enable commands, though a sandbox works or because none does."""

    async def closed(*given: object) -> int:
        return 2

    async def sandbox(team: Team) -> bool:
        return works

    async def enabled(*given: object) -> tuple[bool, str]:
        return False, "mab: error: unavailable: no sandbox works"

    for name, other in (("_closed", closed), ("_sandbox", sandbox), ("_enabled", enabled)):
        monkeypatch.setattr(security, name, other)
    monkeypatch.setattr(security, "_workspace", lambda team: ROOT)
    monkeypatch.setattr(TEAM, "workers", [None, None], raising=False)

    async def body(team: Team, sheet: Sheet) -> None:
        sheet.target("refusals before", "exactly", 2, await security._stages(team, sheet))

    return body


async def test_without_a_sandbox_the_guard_is_not_run_and_never_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = await ended(guarded(monkeypatch, works=False))
    assert outcome.verdict == "not run"
    assert outcome.reason.startswith("no sandbox works on this machine")
    assert [target.measured for target in outcome.sheet.targets] == [2]


async def test_a_guard_that_cannot_be_enabled_though_a_sandbox_works_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (await ended(guarded(monkeypatch, works=True))).verdict == "failed"


async def test_a_defect_of_the_run_itself_is_not_a_finding() -> None:
    async def body(team: Team, sheet: Sheet) -> None:
        raise TypeError("a defect")

    with pytest.raises(TypeError):
        await ended(body)


async def test_an_act_or_a_refusal_that_the_journal_lacks_is_found() -> None:
    held = memory_hub()
    opened = await held.hub.conversations.create(OWNER, "backend", "frontend")
    here = opened.conversation.id
    sent = await held.hub.messages.send(OWNER, Credentials(here, "a"), "hello")
    entries = await held.hub.journal.entries()

    def call(number: int) -> Said:
        arguments = {"conversation_id": here}
        return Said("send_to_partner", arguments, "", "", {"message_id": number}, 0.0, 1.0, [])

    known, unknown = Counter(trail.expected([call(sent.message_id)])), Counter(trail.expected([call(99)]))
    found = trail.written(entries)
    assert not known - found
    assert unknown - found == unknown
    twice = Counter(trail.expected([call(sent.message_id), call(sent.message_id)]))
    assert sum((twice - found).values()) == 1
    assert all(trail.whole(entry) for entry in entries)


def test_what_was_refused_is_looked_for_unless_the_store_could_not_write_it() -> None:
    attempts = [{"code": code} for code in ("too_fast", "unavailable", "broken", "")]
    call = Said("send_to_partner", {}, "", "", {}, 0.0, 1.0, attempts)
    assert list(trail._refused(call)) == ["too_fast"]


@pytest.mark.parametrize(
    ("heard", "once"),
    [(["a", "b"], 2), (["a"], 1), (["a", "a", "b"], 1), (["a", "B"], 1), ([], 0), (["c", "d"], 0)],
)
def test_only_what_came_just_once_and_unchanged_counts(heard: list[str], once: int) -> None:
    assert work._once(Counter(["a", "b"]), heard) == once


def test_a_message_lost_doubled_or_changed_is_counted() -> None:
    expected = Counter({("a", "x"): 1, ("b", "y"): 1})
    assert Round([], expected, Counter(expected)).wrong == 0
    assert Round([], expected, Counter({("a", "x"): 1})).wrong == 1
    assert Round([], expected, expected + Counter({("a", "x"): 1})).wrong == 1
    assert Round([], expected, Counter({("a", "x"): 1, ("b", "Y"): 1})).wrong == 2


def test_a_recovery_is_no_alarm_and_another_sessions_silence_is_not_the_victims() -> None:
    assert silence.silenced({"kind": "silent", "session_id": "c"}, "c")
    assert not silence.silenced({"kind": "recovered", "session_id": "c"}, "c")
    assert not silence.silenced({"kind": "silent", "session_id": "d"}, "c")


class Client:
    """Answers tool calls with these sentences in turn, an empty one being a success."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = list(sentences)

    async def call_tool(self, tool: str, arguments: dict[str, Any]) -> object:
        text = self.sentences.pop(0)
        if text == "raise":
            raise ConnectionError("gone")
        return SimpleNamespace(
            content=[SimpleNamespace(text=text)], is_error=bool(text), structured_content={"done": 1}
        )


async def called(monkeypatch: pytest.MonkeyPatch, tries: int, *sentences: str) -> tuple[dict[str, Any], list[float]]:
    pauses: list[float] = []

    async def slept(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", slept)
    worker = Worker(cast("Any", None))
    worker._client = cast("Any", Client(*sentences))
    return await worker.call({"tool": "send_to_partner", "tries": tries, "pause": 0.5}), pauses


async def test_a_worker_tries_again_with_back_off_while_it_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    done, pauses = await called(
        monkeypatch, 9, "unavailable: a", "unavailable: a", "too_fast: b (try again in 3 s)", ""
    )
    assert done["code"] == ""
    assert pauses == [0.5, 1.0, 3.0]
    assert [attempt["code"] for attempt in done["attempts"]] == ["unavailable", "unavailable", "too_fast", ""]


async def test_a_worker_gives_up_after_its_tries_and_says_with_what(monkeypatch: pytest.MonkeyPatch) -> None:
    done, pauses = await called(monkeypatch, 3, *["unavailable: locked"] * 5)
    assert (done["code"], len(done["attempts"]), len(pauses)) == ("unavailable", 3, 2)


@pytest.mark.parametrize("sentence", ["not_allowed: no", "conflict: no", "raise"])
async def test_a_worker_does_not_repeat_what_no_waiting_mends(monkeypatch: pytest.MonkeyPatch, sentence: str) -> None:
    done, pauses = await called(monkeypatch, 5, sentence, "")
    assert done["code"] in ("not_allowed", "conflict", "broken")
    assert pauses == []
