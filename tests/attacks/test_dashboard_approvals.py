"""A program that can fetch the page, or has its cookie, tries to approve; and the code is tried, replayed and guessed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from multiagent_bridge.errors import Conflict, Invalid, NotAllowed, NotApproved, TooFast
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.services.approvals import COMMAND_TRIES, TRIES, Scope
from multiagent_bridge.testing.hubs import OWNER
from tests.faces.browsing import site
from tests.services.guarded import Guarded, guarded

pytestmark = pytest.mark.anyio

ENDLESS = (Window(1_000_000, 60),)


@pytest.fixture
async def guard() -> AsyncIterator[Guarded]:
    made = await guarded(Limits(reads=ENDLESS, writes=ENDLESS, failures=ENDLESS))
    await made.enable()
    yield made
    await made.background.close()


def browser_of(number: str, *roles: str) -> Caller:
    return Caller("", "eve", "ip:192.0.2.7", roles=frozenset(roles or ("operator",)), identity=f"browser_{number}")


async def code(guard: Guarded, *ids: str, scope: Scope | None = None) -> str:
    return (await guard.hub.approvals.propose(OWNER, ids, scope)).code


async def pending(guard: Guarded, *ids: str) -> bool:
    seen = await guard.hub.approvals.look(OWNER, ids)
    return {one.request.command.state for one in seen} == {"pending"}


async def test_no_answer_to_a_signed_in_browser_ever_holds_a_code(guard: Guarded) -> None:
    one, two = await guard.ask("pytest -q"), await guard.ask("git log")
    scope = Scope(1, 30, 20)
    codes = [
        await code(guard, one),
        await code(guard, two),
        await code(guard, one, two),
        await code(guard, one, scope=scope),
    ]
    asked = [
        "/", "/live/approvals", "/live/timeline", "/live/conversations", "/approvals", "/approvals/board",
        f"/approvals/{one}", f"/approvals/{two}", f"/approvals/{one}?words=1&minutes=30&runs=20",
        f"/approvals/chosen?id={one}&id={two}", f"/approvals/standing?id={one}&id={two}", f"/conversations/{guard.conversation}",
    ]  # fmt: skip
    async with site(guard.world) as open_, open_.browser() as browser:
        answers = [await browser.get(path) for path in asked]
        answers += [await browser.get(path, headers={"hx-request": "true"}) for path in asked]
        for fields in (
            {"id": one, "code": "aaaaaa"}, {"id": one, "code": codes[1]}, {"id": one, "code": codes[3]},
            {"id": one, "code": codes[0], "words": "1", "minutes": "30", "runs": "20"}, {"id": one},
        ):  # fmt: skip
            answers.append(await open_.post(browser, "/approvals/approve", **fields))
        for answer in answers:
            whole = answer.text + repr(answer.headers)
            assert not [found for found in codes if found in whole], answer.url
    assert await pending(guard, one, two)
    assert not [e for e in await guard.hub.journal.entries(0, 1000) if any(found in e.line for found in codes)]


@pytest.mark.parametrize("roles", [("operator",), ("admin",), ("operator", "auditor")])
async def test_a_stolen_cookie_is_told_no_code_by_any_verb(guard: Guarded, roles: tuple[str, ...]) -> None:
    number = await guard.ask()
    thief = browser_of("abc", *roles)
    with pytest.raises(NotAllowed):
        await guard.hub.approvals.propose(thief, [number])
    entry = (await guard.hub.journal.newest(1))[0]
    assert (entry.action, entry.outcome) == ("command.propose", "refused")
    wanted = await code(guard, number)
    assert wanted not in repr(await guard.hub.approvals.board(thief))
    assert wanted not in repr(await guard.hub.approvals.look(thief, [number]))
    assert wanted not in repr(await guard.hub.approvals.waiting(thief))
    assert wanted not in await guard.hub.approvals.proposed_scope(thief, number, Scope())
    assert wanted not in repr(await guard.hub.approvals.propose(OWNER, [number]))


async def test_a_code_typed_for_one_yes_gives_nothing_in_advance_and_the_reverse(guard: Guarded) -> None:
    number = await guard.ask("pytest -q")
    once, wide, narrow = [
        await code(guard, number, scope=scope) for scope in (None, Scope(1, 480, 1000), Scope(2, 30, 20))
    ]
    async with site(guard.world) as open_, open_.browser() as browser:
        for typed, words in (
            (once, ("1", "480", "1000")), (once, ("2", "30", "20")), (narrow, ("1", "30", "20")), (narrow, ("2", "31", "20")),
            (narrow, ("2", "30", "21")), (wide, ("2", "30", "20")), (wide, None), (narrow, None),
        ):  # fmt: skip
            fields = dict(zip(("words", "minutes", "runs"), words, strict=True)) if words else {}
            refused = await open_.post(browser, "/approvals/approve", id=number, code=typed, **fields)
            assert refused.status_code == 409
    assert await pending(guard, number)
    with pytest.raises(Invalid):
        await guard.hub.approvals.approve(OWNER, [number, await guard.ask()], once, Scope())


async def test_a_page_that_lies_about_what_the_code_is_for_gets_nothing(guard: Guarded) -> None:
    seen, hidden = await guard.ask("git log"), await guard.ask("git status")
    typed = await code(guard, seen)
    async with site(guard.world) as open_, open_.browser() as browser:
        for ids in ([hidden], [seen, hidden], [hidden, seen]):
            refused = await browser.post(
                "/approvals/approve", data={"id": ids, "code": typed}, headers={"origin": open_.url}
            )
            assert refused.status_code == 409
    assert await pending(guard, seen, hidden)


async def test_a_code_serves_once_and_no_later_request_of_the_same_words(guard: Guarded) -> None:
    number = await guard.ask()
    typed = await code(guard, number)
    eve = browser_of("abc")
    await guard.hub.approvals.approve(eve, [number], typed)
    with pytest.raises(Conflict):
        await guard.hub.approvals.approve(eve, [number], typed)
    await guard.run(number)
    again = await guard.ask()
    with pytest.raises(NotApproved):
        await guard.hub.approvals.approve(eve, [again], typed)
    assert await pending(guard, again)


async def test_guesses_of_one_browser_are_counted_and_end_even_with_the_right_code(guard: Guarded) -> None:
    numbers = [await guard.ask(f"git log -n {n}") for n in range(TRIES[0].limit + 1)]
    eve = browser_of("abc")
    for number in numbers[:-1]:
        with pytest.raises(NotApproved):
            await guard.hub.approvals.approve(eve, [number], "aaaaaa")
    with pytest.raises(TooFast):
        await guard.hub.approvals.approve(eve, [numbers[-1]], await code(guard, numbers[-1]))
    assert await pending(guard, *numbers)
    entries = [e for e in await guard.hub.journal.entries(0, 1000) if e.action == "command.approve"]
    assert [e.code for e in entries] == ["not_approved"] * (len(numbers) - 1) + ["too_fast"]
    assert all((e.actor, e.conversation) == (eve.label, guard.conversation) for e in entries)
    # another browser, and the person at the terminal, go on
    await guard.hub.approvals.approve(browser_of("xyz"), [numbers[0]], await code(guard, numbers[0]))
    await guard.approve(numbers[1])
    guard.clock.advance(60)
    await guard.hub.approvals.approve(eve, [numbers[2]], await code(guard, numbers[2]))


async def test_guesses_at_one_command_are_counted_over_all_browsers_and_batches(guard: Guarded) -> None:
    number, other = await guard.ask(), await guard.ask("git log")
    tried = 0
    for n in range(COMMAND_TRIES[0].limit):
        ids = [number] if n % 2 else [number, other]
        with pytest.raises(NotApproved):
            await guard.hub.approvals.approve(browser_of(str(n)), ids, "aaaaaa")
        tried += 1
    with pytest.raises(TooFast):
        await guard.hub.approvals.approve(browser_of("last"), [number], await code(guard, number))
    assert tried == COMMAND_TRIES[0].limit
    assert await pending(guard, number)
    # nobody locks the person at the terminal out
    await guard.approve(number)


async def test_a_wrong_code_is_counted_although_it_is_refused(guard: Guarded) -> None:
    number = await guard.ask()
    async with site(guard.world) as open_, open_.browser() as browser:
        answers = [
            await open_.post(browser, "/approvals/approve", id=number, code="aaaaaa") for _ in range(TRIES[0].limit + 1)
        ]
    assert [one.status_code for one in answers] == [409] * TRIES[0].limit + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "too_fast" not in answers[0].text


async def test_another_page_a_bearer_key_or_a_stranger_approves_nothing(guard: Guarded) -> None:
    number = await guard.ask()
    typed = await code(guard, number)
    fields = {"id": number, "code": typed}
    async with site(guard.world) as open_, open_.browser() as browser:
        cross: list[dict[str, str]] = [
            {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": open_.url, "sec-fetch-site": "cross-site"},
            {"origin": open_.url, "sec-fetch-site": "same-site"}, {},
        ]  # fmt: skip
        for headers in cross:
            refused = await browser.post("/approvals/approve", data=fields, headers=headers)
            assert refused.status_code == 403, headers
        for path in ("/approvals/approve", "/approvals/deny"):
            assert (await browser.get(path, params=fields)).status_code in (404, 405)
        assert (await browser.put("/approvals/approve", headers={"origin": open_.url})).status_code == 405
        made = await guard.hub.identities.create(OWNER, "robot", ["operator"], None, None)
        bearer = {"authorization": f"Bearer {made.secret}", "origin": open_.url}
        async with open_.stranger() as stranger:
            for more in ({"origin": open_.url}, bearer):
                assert (await stranger.post("/approvals/approve", data=fields, headers=more)).status_code == 401
                assert (await stranger.get("/approvals", headers=more)).status_code == 401
    assert await pending(guard, number)


async def test_the_pages_of_a_decision_may_stand_in_no_frame_and_no_cache(guard: Guarded) -> None:
    number = await guard.ask()
    async with site(guard.world) as open_, open_.browser() as browser:
        for path in ("/approvals", f"/approvals/{number}", f"/approvals/chosen?id={number}"):
            answer = await browser.get(path)
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "form-action 'self'" in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"] == "no-store"


async def test_what_agents_chose_stays_text_in_every_field(guard: Guarded) -> None:
    planted = "<script>alert(1)</script>"
    number = await guard.ask(f"git log '{planted}' '--format=\"><img src=x onerror=alert(1)>'")
    await guard.hub.approvals.deny(OWNER, [await guard.ask("git status")], f"{planted} {{{{ 1337*7331 }}}}")
    async with site(guard.world) as open_, open_.browser() as browser:
        pages = [await browser.get(path) for path in ("/approvals", f"/approvals/{number}")]
        pages.append(await open_.post(browser, "/approvals/approve", id=number, code=planted, words=planted))
        pages.append(await open_.post(browser, "/approvals/deny", id=number, reason=planted * 40))
        pages.append(await browser.get(f"/approvals/{number}", params={"words": planted, "reason": f'"{planted}'}))
        pages.append(await browser.get("/approvals", params={"done": planted}))
        pages.append(await browser.get(f"/approvals/{planted}"))
    for page in pages:
        assert planted not in page.text, page.url
        assert "<img" not in page.text
        assert "9801547" not in page.text


async def test_a_link_cannot_make_the_page_say_that_something_was_approved(guard: Guarded) -> None:
    async with site(guard.world) as open_, open_.browser() as browser:
        for said in (
            "all approved",
            "1000 approved",
            "1 approved by your bank",
            "１ approved",
            "-1 approved",
            " approved",
        ):
            assert 'role="status">' + said not in (await browser.get("/approvals", params={"done": said})).text


async def test_an_identity_that_is_also_an_agent_approves_nothing_from_a_browser(guard: Guarded) -> None:
    number = await guard.ask()
    both = Caller("b", "eve", "ip:192.0.2.7", roles=frozenset({"agent", "operator"}), identity="oidc_x")
    async with site(guard.world) as open_, open_.browser(both) as browser:
        page: httpx2.Response = await browser.get(f"/approvals/{number}")
        assert 'id="approve"' not in page.text
        assert (
            await open_.post(browser, "/approvals/approve", id=number, code=await code(guard, number))
        ).status_code == 403
    assert await pending(guard, number)
