"""A run: which tests, in which order, each with its range of the journal; and the report of all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.errors import BridgeError, Invalid
from multiagent_bridge.validation import beginnings, credentials, mail, recovery, security, silence, stress, trail, work
from multiagent_bridge.validation.agents import Agent
from multiagent_bridge.validation.frame import NUMBERS, NotHere, Outcome, Sheet, judged, missing
from multiagent_bridge.validation.ledger import Ledger
from multiagent_bridge.validation.profiles import Profile
from multiagent_bridge.validation.stage import Stage
from multiagent_bridge.validation.team import ORCHESTRATOR, ROLES, Team, Worker

TEST_SECONDS = 300.0
"""Longest a test may take beside the times of its profile: a run always ends."""

LONGEST = 40 * 60
"""Of the protocol's own times the longest test takes less."""

Body = Callable[[Team, Sheet], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Test:
    """One test; `needs` are those whose results it stands on."""

    __test__ = False

    number: str
    name: str
    body: Body
    needs: tuple[str, ...] = ("1", "2")


TESTS: tuple[Test, ...] = (
    Test("1", "installation", beginnings.installation, ()),
    Test("2", "conversations", beginnings.conversations, ("1",)),
    Test("3", "task distribution", work.distribution),
    Test("4", "worker responses", work.responses, ("1", "2", "3")),
    Test("5", "concurrent load", work.load),
    Test("6", "security", security.security),
    Test("7", "failure recovery", recovery.recovery),
    Test("8", "audit trail", trail.trail, ("1", "2", "3", "4", "5", "6", "7")),
    Test("9", "idle recovery", silence.idle),
    Test("10", "credential distribution", credentials.credentials),
    Test("11", "keep-alive", mail.keepalive),
    Test("12", "watchdog", silence.watchdog),
    Test("13", "push", mail.push),
    Test("S", "stress", stress.stress),
)


@dataclass(frozen=True, slots=True)
class Ran:
    """Everything a report is made of."""

    profile: Profile
    outcomes: Sequence[Outcome]
    verifier_key: str
    sign: Callable[[bytes], bytes]
    checkpoint: str


Tell = Callable[[Mapping[str, object]], None]


def chosen(only: Sequence[str]) -> list[Test]:
    """The tests of a run: all, or those asked for with what they stand on. Raises Invalid for a number that is none."""
    wanted = {number.upper() for number in only}
    if unknown := sorted(wanted - set(NUMBERS)):
        raise Invalid(f"there is no test {unknown[0]}", f"use one of {', '.join(NUMBERS)}")
    if not wanted:
        return list(TESTS)
    for test in reversed(TESTS):
        if test.number in wanted:
            wanted.update(test.needs)
    return [test for test in TESTS if test.number in wanted]


async def run(profile: Profile, tests: Sequence[Test], journal: Path, tell: Tell) -> Ran:
    """Run the tests on a stage of their own and export its journal to `journal`, which is cleared away however it ends.

    `tell` hears of each test as it begins and as it ends. Raises Unavailable when the stage cannot be made.
    """
    async with Stage(profile) as stage, AsyncExitStack() as stack:
        ledger = await Ledger(stage.home).open(stack)
        agents = [Agent(stage, name.replace(" ", "-"), mode) for name, mode in _cast()]
        workers = [Worker(role, agent) for role, agent in zip(ROLES, agents[1:], strict=True)]
        team = Team(profile, stage, ledger, agents[0], workers)
        outcomes: list[Outcome] = []
        for test in tests:
            tell({"event": "begin", "number": test.number, "name": test.name})
            outcomes.append(await _outcome(team, test, outcomes))
            tell({"event": "end", **outcomes[-1].fields()})
        for agent in agents:
            await agent.leave()
        assert stage.hub is not None
        # nothing is written any more: the last checkpoint closes the journal
        await stage.hub.ended()
        note = await _exported(stage, journal)
        return Ran(profile, outcomes, ledger.keys.verifier_key, ledger.keys.sign, note)


def _cast() -> list[tuple[str, str]]:
    """Names, and the way each client greets: of every two neighbours one speaks the older protocol."""
    return [(name, "auto" if n % 2 == 0 else "legacy") for n, name in enumerate((ORCHESTRATOR, *ROLES))]


async def _outcome(team: Team, test: Test, before: Sequence[Outcome]) -> Outcome:
    """Run one test. Whatever it raises is its reason to have failed; what it had measured stays."""
    sheet, reason, began = Sheet(), "", time.monotonic()
    first = await team.ledger.size() + 1
    broken = [one.number for one in before if one.number in test.needs and not one.sheet.targets]
    try:
        if broken:
            raise NotHere(f"test {broken[0]}, which it stands on, did not get to its end")
        async with asyncio.timeout(TEST_SECONDS + team.profile.scaled(LONGEST)):
            await test.body(team, sheet)
    except NotHere as lacking:
        sheet.lacks = str(lacking)
    except TimeoutError:
        reason = "it took too long"
    except BridgeError as error:
        reason = str(error)
    except (OSError, LookupError, ValueError, AssertionError) as error:
        # what a test did not foresee is its finding, and the others still run
        reason = f"{type(error).__name__}: {error}"
    except BaseExceptionGroup as group:
        reason = "; ".join(f"{type(error).__name__}: {error}" for error in group.exceptions)
    seconds = time.monotonic() - began
    evidence = await team.ledger.evidence(sheet.first or first)
    targets = [target.fields() for target in sheet.targets]
    verdict = judged(targets, reason, sheet.lacks)
    missed = [target.what for target in sheet.targets if not target.met]
    told = _placeless(team, reason or sheet.lacks or missing(missed))
    sheet.done = [_placeless(team, done) for done in sheet.done]
    return Outcome(test.number, test.name, verdict, told, seconds, sheet, evidence)


def _placeless(team: Team, text: str) -> str:
    """A sentence without the place that the run had on this machine, which is nobody's business and gone."""
    return text.replace(str(team.stage.root), "STAGE")


async def _exported(stage: Stage, journal: Path) -> str:
    """The whole journal as JSON lines, by `mab audit --export` as anybody makes it. Returns the checkpoint beside it."""
    status, _, said = await stage.mab("audit", "--export", str(journal))
    if status:
        raise Invalid(f"the journal could not be exported: {said.strip()}", "name another --out")
    beside = journal.with_name(journal.name + ".checkpoint")
    return beside.read_text(encoding="utf-8")
