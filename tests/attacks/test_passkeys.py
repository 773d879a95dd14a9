"""Who holds a browser's cookie, a passkey of somebody else or an answer that was given before tries to approve by passkey."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from multiagent_bridge.errors import Conflict, Invalid, NotAllowed, NotApproved, TooFast, Unavailable
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.limits import SECOND, Limits, Window
from multiagent_bridge.model.passkeys import Origin
from multiagent_bridge.services.approvals import Scope
from multiagent_bridge.services.passkeys import CHALLENGE_SECONDS, INVITED_SECONDS, TRIES
from multiagent_bridge.testing.hubs import OWNER
from tests.faces.browsing import site, text
from tests.services.guarded import Guarded, guarded

pytestmark = pytest.mark.anyio

ENDLESS = (Window(1_000_000, 60),)
HERE = Origin("https://hub.example:8443", "hub.example")


@dataclass
class Finger:
    """An authenticator that says plainly what it signs; `Plain` believes it when all of it is as expected."""

    credential: bytes = b"\x01" * 16
    count: int = 0

    def answers(self, challenge: str, origin: Origin = HERE, **more: object) -> str:
        self.count += 1
        said = {"id": self.credential.hex(), "challenge": challenge, "rp": origin.host, "origin": origin.url}
        return json.dumps({**said, "key": self.credential.hex() * 2, "count": self.count, **more})


class Plain:
    """`ports.Authenticators` without cryptography."""

    def creation(self, rp: str, challenge: str, name: str, known: Sequence[bytes]) -> str:
        return json.dumps({"rp": rp, "name": name, "known": len(known)})

    def request(self, rp: str, challenge: str, known: Sequence[bytes]) -> str:
        return json.dumps({"rp": rp, "known": len(known)})

    def created(self, answer: str, challenge: str, rp: str, origin: str) -> tuple[bytes, bytes, int]:
        said = self._read(answer, challenge, rp, origin)
        return bytes.fromhex(said["id"]), bytes.fromhex(said["key"]), said["count"]

    def credential(self, answer: str) -> bytes:
        try:
            return bytes.fromhex(json.loads(answer)["id"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise NotApproved("no answer") from error

    def asserted(self, answer: str, challenge: str, rp: str, origin: str, public_key: bytes, count: int) -> int:
        said = self._read(answer, challenge, rp, origin)
        if said["key"] != public_key.hex() or said["count"] <= count:
            raise NotApproved("another key, or a count that did not rise")
        return int(said["count"])

    def _read(self, answer: str, challenge: str, rp: str, origin: str) -> Any:
        try:
            said = json.loads(answer)
            right = (said["challenge"], said["rp"], said["origin"]) == (challenge, rp, origin)
        except (ValueError, KeyError, TypeError) as error:
            raise NotApproved("no answer") from error
        if not right:
            raise NotApproved("another answer")
        return said


@pytest.fixture
async def guard() -> AsyncIterator[Guarded]:
    made = await guarded(Limits(reads=ENDLESS, writes=ENDLESS, failures=ENDLESS))
    made.hub.passkeys._authenticators = Plain()
    await made.enable()
    yield made
    await made.background.close()


def browser(number: str = "one", name: str = "operator", *roles: str) -> Caller:
    return Caller("", name, "ip:192.0.2.7", roles=frozenset(roles or ("operator",)), identity=f"browser_{number}")


async def registered(guard: Guarded, who: Caller, finger: Finger, origin: Origin = HERE) -> None:
    hub = guard.hub
    invited = await hub.passkeys.invite(OWNER, who.name)
    begun = await hub.passkeys.registration(who, invited.code, origin)
    await hub.passkeys.register(who, begun["challenge"], finger.answers(begun["challenge"], origin), origin)


async def challenge(guard: Guarded, who: Caller, *ids: str, scope: Scope | None = None, origin: Origin = HERE) -> str:
    return (await guard.hub.passkeys.challenge(who, ids, scope, origin))["challenge"]


async def pending(guard: Guarded, *ids: str) -> bool:
    return {one.request.command.state for one in await guard.hub.approvals.look(OWNER, ids)} == {"pending"}


async def test_a_registered_passkey_says_yes_to_exactly_what_it_was_asked(guard: Guarded) -> None:
    me, finger = browser(), Finger()
    await registered(guard, me, finger)
    one, two = await guard.ask("pytest -q"), await guard.ask("git log")
    asked = await challenge(guard, me, two, one)
    done = await guard.hub.passkeys.approve(me, [one, two], None, asked, finger.answers(asked), HERE)
    assert {one.command_id for one in done} == {one, two}
    third, scope = await guard.ask("pytest -q tests"), Scope(1, 30, 1)
    asked = await challenge(guard, me, third, scope=scope)
    [given] = await guard.hub.passkeys.approve(me, [third], scope, asked, finger.answers(asked), HERE)
    assert given.grant_id
    [passkey] = await guard.hub.passkeys.list(OWNER)
    assert (passkey.count, passkey.used_at) == (finger.count, guard.clock.now())


async def test_a_program_with_the_cookie_registers_nothing_without_a_code_of_the_terminal(guard: Guarded) -> None:
    eve, hub = browser("eve"), guard.hub
    with pytest.raises(NotAllowed):
        await hub.passkeys.invite(eve, "operator")
    other = await hub.passkeys.invite(OWNER, "somebody else")
    spent = await hub.passkeys.invite(OWNER, "operator")
    await hub.passkeys.registration(browser(), spent.code, HERE)
    late = await hub.passkeys.invite(OWNER, "operator")
    for given in ("", "x" * 43, other.code, spent.code):
        with pytest.raises(NotApproved):
            await hub.passkeys.registration(eve, given, HERE)
    guard.clock.advance(INVITED_SECONDS)
    with pytest.raises(NotApproved):
        await hub.passkeys.registration(eve, late.code, HERE)
    for made_up in ("", late.code, "x" * 43):
        with pytest.raises(NotApproved):
            await hub.passkeys.register(eve, made_up, Finger().answers(made_up), HERE)
    assert await hub.passkeys.list(OWNER) == []
    refused = [
        e for e in await hub.journal.entries(0, 1000) if (e.action, e.code) == ("passkey.register", "not_approved")
    ]
    assert len(refused) == 8
    assert not [e for e in await hub.journal.entries(0, 1000) if late.code in e.line or other.code in e.line]


async def test_codes_of_registrations_are_guessed_only_so_often(guard: Guarded) -> None:
    eve, invited = browser("eve"), await guard.hub.passkeys.invite(OWNER, "operator")
    for _ in range(TRIES[0].limit):
        with pytest.raises(NotApproved):
            await guard.hub.passkeys.registration(eve, "x" * 43, HERE)
    with pytest.raises(TooFast):
        await guard.hub.passkeys.registration(eve, invited.code, HERE)


async def test_a_challenge_serves_its_browser_its_commands_and_its_page_once(guard: Guarded) -> None:
    me, finger, hub = browser(), Finger(), guard.hub
    await registered(guard, me, finger)
    elsewhere = Origin("https://evil.example", "evil.example")
    one, two = await guard.ask("pytest -q"), await guard.ask("git log")
    wrong: list[tuple[Caller, list[str], Scope | None, Origin]] = [
        (me, [two], None, HERE), (me, [one, two], None, HERE), (me, [one], Scope(), HERE), (me, [one], None, elsewhere),
        (browser("eve"), [one], None, HERE), (browser("one", "eve"), [one], None, HERE),
        (me, [one], None, Origin("http://hub.example:8443", "hub.example")),
    ]  # fmt: skip
    for who, ids, scope, origin in wrong:
        asked = await challenge(guard, me, one)
        with pytest.raises(NotApproved):
            await hub.passkeys.approve(who, ids, scope, asked, finger.answers(asked, origin), origin)
        with pytest.raises(NotApproved):
            await hub.passkeys.approve(me, [one], None, asked, finger.answers(asked), HERE)
        guard.clock.advance(60)
    assert await pending(guard, one, two)
    refused = [
        e for e in await hub.journal.entries(0, 1000) if (e.action, e.code) == ("command.approve", "not_approved")
    ]
    assert len(refused) == 2 * len(wrong)


async def test_a_scope_asked_of_a_passkey_is_signed_and_not_only_said(guard: Guarded) -> None:
    me, finger, hub = browser(), Finger(), guard.hub
    await registered(guard, me, finger)
    number = await guard.ask("pytest -q")
    asked = await challenge(guard, me, number, scope=Scope(2, 30, 1))
    with pytest.raises(NotApproved):
        await hub.passkeys.approve(me, [number], Scope(1, 480, 1000), asked, finger.answers(asked), HERE)
    with pytest.raises(Invalid):
        await challenge(guard, me, number, await guard.ask("git log"), scope=Scope())
    assert await pending(guard, number)


async def test_a_challenge_dies_after_two_minutes_and_when_the_clock_is_set_back(guard: Guarded) -> None:
    me, finger, hub = browser(), Finger(), guard.hub
    await registered(guard, me, finger)
    number = await guard.ask()
    for seconds in (CHALLENGE_SECONDS, CHALLENGE_SECONDS + 1):
        asked = await challenge(guard, me, number)
        guard.clock.advance(seconds)
        with pytest.raises(NotApproved):
            await hub.passkeys.approve(me, [number], None, asked, finger.answers(asked), HERE)
    asked = await challenge(guard, me, number)
    guard.clock.advance(CHALLENGE_SECONDS - 1)
    await hub.passkeys.approve(me, [number], None, asked, finger.answers(asked), HERE)


async def test_an_answer_cannot_be_given_again_nor_a_clone_sign_beside_the_key(guard: Guarded) -> None:
    me, finger, hub = browser(), Finger(), guard.hub
    await registered(guard, me, finger)
    one, two = await guard.ask("pytest -q"), await guard.ask("git log")
    asked = await challenge(guard, me, one)
    answer = finger.answers(asked)
    await hub.passkeys.approve(me, [one], None, asked, answer, HERE)
    for replayed in (asked, await challenge(guard, me, two)):
        with pytest.raises((NotApproved, Conflict)):
            await hub.passkeys.approve(me, [two], None, replayed, answer, HERE)
    clone = replace(finger, count=0)
    asked = await challenge(guard, me, two)
    with pytest.raises(NotApproved):
        await hub.passkeys.approve(me, [two], None, asked, clone.answers(asked), HERE)
    assert await pending(guard, two)


@pytest.mark.parametrize("said", ["", "null", "[]", "{}", '{"id":"zz"}', '{"id":5}', "\ud800", "{" * 5_000])
async def test_an_answer_that_is_none_is_not_approved(guard: Guarded, said: str) -> None:
    me, finger = browser(), Finger()
    await registered(guard, me, finger)
    number = await guard.ask()
    asked = await challenge(guard, me, number)
    with pytest.raises(NotApproved):
        await guard.hub.passkeys.approve(me, [number], None, asked, said, HERE)
    assert await pending(guard, number)


async def test_a_passkey_of_another_person_or_host_approves_nothing(guard: Guarded) -> None:
    me, mine, theirs, far = browser(), Finger(b"\x01"), Finger(b"\x02"), Finger(b"\x03")
    await registered(guard, me, mine)
    await registered(guard, browser("two", "somebody"), theirs)
    elsewhere = Origin("https://other.example", "other.example")
    await registered(guard, me, far, elsewhere)
    number = await guard.ask()
    for finger in (theirs, far, Finger(b"\x04")):
        asked = await challenge(guard, me, number)
        with pytest.raises(NotApproved):
            await guard.hub.passkeys.approve(me, [number], None, asked, finger.answers(asked), HERE)
    with pytest.raises(NotApproved):
        await challenge(guard, browser("three", "nobody"), number)
    assert await pending(guard, number)


async def test_who_can_write_to_the_database_gives_no_passkey_another_name(guard: Guarded) -> None:
    me, mine, theirs = browser(), Finger(b"\x01"), Finger(b"\x02")
    await registered(guard, me, mine)
    await registered(guard, browser("two", "somebody"), theirs)
    _, row = await guard.hub.passkeys.list(OWNER)
    number = await guard.ask()
    for forged in (replace(row, name="operator"), replace(row, public_key=b"mine")):
        await guard.world.store.write(lambda tx: tx.passkeys.remove(row.id))
        await guard.world.store.write(lambda tx, f=forged: tx.passkeys.add(f))  # type: ignore[misc]
        for who in (me, browser("two", "somebody")):
            assert forged.credential not in [one.credential for one in await guard.hub.passkeys.mine(who, HERE)]
        asked = await challenge(guard, me, number)
        with pytest.raises(NotApproved):
            await guard.hub.passkeys.approve(me, [number], None, asked, theirs.answers(asked), HERE)
    assert await pending(guard, number)


async def test_a_challenge_written_into_the_database_serves_nobody(guard: Guarded) -> None:
    me, finger, hub = browser(), Finger(), guard.hub
    await registered(guard, me, finger)
    number = await guard.ask()
    asked = await challenge(guard, me, number)
    digest = hub.passkeys._digest(asked)
    row = await guard.world.store.write(lambda tx: tx.passkeys.take_challenge(digest))
    assert row is not None
    forged = replace(row, expires_at=row.expires_at + 3_600 * SECOND)
    await guard.world.store.write(lambda tx: tx.passkeys.add_challenge(forged))
    with pytest.raises(NotApproved):
        await hub.passkeys.approve(me, [number], None, asked, finger.answers(asked), HERE)
    assert asked.encode() not in row.digest
    assert asked not in row.bound


async def test_a_removed_passkey_approves_nothing_also_when_it_was_asked_before(guard: Guarded) -> None:
    me, finger, hub = browser(), Finger(), guard.hub
    await registered(guard, me, finger)
    number = await guard.ask()
    asked = await challenge(guard, me, number)
    [passkey] = await hub.passkeys.list(OWNER)
    await hub.passkeys.remove(OWNER, passkey.id)
    with pytest.raises(NotApproved):
        await hub.passkeys.approve(me, [number], None, asked, finger.answers(asked), HERE)
    with pytest.raises(NotApproved):
        await challenge(guard, me, number)


async def test_of_two_who_sign_for_one_command_one_wins_and_the_other_is_told(guard: Guarded) -> None:
    me, other, finger, hub = browser(), browser("two"), Finger(), guard.hub
    await registered(guard, me, finger)
    number = await guard.ask()
    mine, theirs = await challenge(guard, me, number), await challenge(guard, other, number)
    await hub.passkeys.approve(me, [number], None, mine, finger.answers(mine), HERE)
    with pytest.raises(Conflict):
        await hub.passkeys.approve(other, [number], None, theirs, finger.answers(theirs), HERE)


async def test_only_a_signed_in_browser_that_is_no_agent_is_asked(guard: Guarded) -> None:
    number, hub = await guard.ask(), guard.hub
    await registered(guard, browser(), Finger())
    key = replace(browser(), identity="key_1")
    for who in (
        key,
        OWNER,
        browser("one", "operator", "operator", "agent"),
        browser("one", "operator", "auditor"),
        guard.alice,
    ):
        with pytest.raises(NotAllowed):
            await hub.passkeys.challenge(who, [number], None, HERE)
        with pytest.raises((NotAllowed, NotApproved)):
            await hub.passkeys.approve(who, [number], None, "x", "{}", HERE)
    assert await pending(guard, number)


async def test_without_the_extra_nothing_is_registered_or_asked(guard: Guarded) -> None:
    guard.hub.passkeys._authenticators = None
    number = await guard.ask()
    for verb in (
        guard.hub.passkeys.invite(OWNER, "operator"),
        guard.hub.passkeys.registration(browser(), "x", HERE),
        guard.hub.passkeys.register(browser(), "x", "{}", HERE),
        guard.hub.passkeys.challenge(browser(), [number], None, HERE),
        guard.hub.passkeys.approve(browser(), [number], None, "x", "{}", HERE),
    ):
        with pytest.raises(Unavailable):
            await verb


async def test_the_pages_say_so_and_hold_no_code(guard: Guarded) -> None:
    finger, number = Finger(), await guard.ask()
    code = (await guard.hub.approvals.propose(OWNER, [number])).code
    async with site(guard.world) as open_, open_.browser() as visitor:
        here = Origin(open_.url, "127.0.0.1")
        assert "localhost" in text((await visitor.get("/approvals/passkeys")).text)
        invited = await guard.hub.passkeys.invite(OWNER, "operator")
        wrong = await open_.post(visitor, "/approvals/passkeys/begin", code="x" * 43)
        assert (wrong.status_code, wrong.json()["error"]) == (409, "not_approved")
        begun = (await open_.post(visitor, "/approvals/passkeys/begin", code=invited.code)).json()
        fields = {"challenge": begun["challenge"], "answer": finger.answers(begun["challenge"], here)}
        assert (await open_.post(visitor, "/approvals/passkeys/add", **fields)).status_code == 303
        again = await open_.post(visitor, "/approvals/passkeys/add", **fields)
        assert again.status_code == 409
        page = await visitor.get(f"/approvals/{number}")
        assert "Approve with a passkey" in page.text
        asked = await open_.post(visitor, "/approvals/challenge", id=number)
        for answer in (page, wrong, again, asked):
            assert code not in answer.text
        for headers in ({"origin": "https://evil.example"}, {"origin": open_.url, "sec-fetch-site": "cross-site"}, {}):
            assert (await visitor.post("/approvals/challenge", data={"id": number}, headers=headers)).status_code == 403
        challenge_ = asked.json()["challenge"]
        bad = await open_.post(visitor, "/approvals/approve", id=number, challenge=challenge_, answer="{}")
        assert bad.status_code == 409
        challenge_ = (await open_.post(visitor, "/approvals/challenge", id=number)).json()["challenge"]
        good = {"challenge": challenge_, "answer": finger.answers(challenge_, here)}
        assert (await open_.post(visitor, "/approvals/approve", id=number, **good)).status_code == 303
    assert not await pending(guard, number)
