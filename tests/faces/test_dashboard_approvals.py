"""The page Approvals: what a person reads, what a form does, and what is said when somebody else was faster."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from multiagent_bridge.cli import codes
from multiagent_bridge.errors import NotFound
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.passkeys import Passkey
from multiagent_bridge.model.sandboxes import Profile
from multiagent_bridge.services.approvals import BATCH, SHOWN, Proposal, Scope
from multiagent_bridge.services.passkeys import Passkeys
from multiagent_bridge.testing.hubs import OWNER
from multiagent_bridge.web.approvals import program
from tests.faces.browsing import Site, events, site, text
from tests.faces.desk import CODE, Desk
from tests.faces.terminal import Terminal
from tests.services.guarded import WORKSPACE, Guarded, guarded

pytestmark = pytest.mark.anyio


@pytest.fixture
async def guard() -> AsyncIterator[Guarded]:
    made = await guarded()
    await made.enable()
    yield made
    await made.background.close()


@asynccontextmanager
async def person(guard: Guarded, caller: Caller = OWNER) -> AsyncIterator[tuple[Site, httpx2.AsyncClient]]:
    async with site(guard.world) as open_, open_.browser(caller) as browser:
        yield open_, browser


async def code(guard: Guarded, *ids: str, scope: Scope | None = None) -> str:
    """What the terminal shows."""
    return (await guard.hub.approvals.propose(OWNER, ids, scope)).code


async def state(guard: Guarded, number: str) -> str:
    return (await guard.hub.approvals.look(OWNER, [number]))[0].request.command.state


def words(page: str) -> list[str]:
    """Each word of the command as the page shows it, in order."""
    argv = page[page.index('class="argv"') : page.index('<dl class="facts">')]
    return [html.unescape(found) for found in re.findall(r'<code class="word">(.*?)</code>', argv, re.S)]


async def test_the_page_shows_all_that_a_yes_is_bound_to(guard: Guarded) -> None:
    guard.sandbox.seen = Profile("staged", "f" * 64, ("safe", "restricted"), ("it does not hide other users",))
    guard.workspaces.plant(WORKSPACE, "test_a.py", b"")
    await guard.enable(network=True)
    number = await guard.ask("pytest test_a.py 2>&1 | tail -n 5")
    [request] = await guard.hub.approvals.waiting(OWNER)
    async with person(guard) as (_, browser):
        for path in ("/approvals", f"/approvals/{number}", "/approvals/board"):
            page = (await browser.get(path)).text
            assert words(page) == ['"pytest"', '"test_a.py"', "2>&1", '"tail"', '"-n"', '"5"']
            for what in (
                number, guard.conversation, "session a", "backend", WORKSPACE, "read and write", "/usr/bin/pytest",
                "test_a.py", "YES", "lacks it does not hide other users", "restricted", request.order.rule,
                request.command.digest, "3600 s left",
            ):  # fmt: skip
                assert what in text(page), what


async def test_every_word_stands_apart(guard: Guarded) -> None:
    await guard.ask("git log 'a  b' '' '\\\\u202e' '<b>&amp;'")
    async with person(guard) as (_, browser):
        shown = words((await browser.get("/approvals")).text)
    assert shown == ['"git"', '"log"', '"a  b"', '""', '"\\\\\\\\u202e"', '"<b>&amp;"']


def test_nothing_hides_in_a_word_and_no_word_looks_like_another() -> None:
    step = Step(("x\u202ey", "\\u202e", "ad\u043cin", "a\nb", "\u200b"), (("A", "1 B=2"),), "&&", ("2>&1",))
    shown = program(step)
    assert shown.words == ['"x\\u202ey"', '"\\\\u202e"', '"ad\\u043cin"', '"a\\nb"', '"\\u200b"']
    assert (shown.environment, shown.join, shown.streams) == (['A="1 B=2"'], "&&", ("2>&1",))


async def test_what_waits_is_listed_oldest_first_and_of_one_conversation_if_asked(guard: Guarded) -> None:
    numbers = [await guard.ask(f"git log -n {n}") for n in range(3)]
    async with person(guard) as (_, browser):
        page = (await browser.get("/approvals")).text
        assert re.findall(r'id="(cmd_\w+)"', page) == numbers
        here = (await browser.get("/approvals", params={"conversation": guard.conversation})).text
        assert re.findall(r'id="(cmd_\w+)"', here) == numbers
        assert f"conversation={guard.conversation}" in here
        assert (await browser.get("/approvals", params={"conversation": "conv_000000000000"})).status_code == 404


async def test_a_code_of_the_terminal_approves_once_on_the_page(guard: Guarded) -> None:
    number = await guard.ask()
    async with person(guard) as (open_, browser):
        done = await open_.post(browser, "/approvals/approve", id=number, code=await code(guard, number))
        assert (done.status_code, done.headers["location"]) == (303, "/approvals?done=1+approved")
        assert "1 approved" in text((await browser.get(done.headers["location"])).text)
    assert (await guard.run(number)).state == "done"
    entry = next(one for one in await guard.hub.journal.newest(9) if one.action == "command.approve")
    assert entry.actor.startswith("identity browser_")


async def test_several_are_approved_with_one_code_or_not_at_all(guard: Guarded) -> None:
    one, two, three = [await guard.ask(f"git log -n {n}") for n in range(3)]
    both = await code(guard, one, two)
    async with person(guard) as (open_, browser):
        page = (await browser.get("/approvals/chosen", params={"id": [one, two]})).text
        assert f"mab yolo code {one} {two}" in text(page)
        headers = {"origin": open_.url}
        for wrong in ([one, two, three], [one], [two, three]):
            refused = await browser.post("/approvals/approve", data={"id": wrong, "code": both}, headers=headers)
            assert refused.status_code == 409
        done = await browser.post("/approvals/approve", data={"id": [two, one, two], "code": both}, headers=headers)
        assert done.headers["location"] == "/approvals?done=2+approved"
    assert [await state(guard, number) for number in (one, two, three)] == ["approved", "approved", "pending"]


async def test_a_batch_is_at_most_so_many_and_at_least_one(guard: Guarded) -> None:
    async with person(guard) as (open_, browser):
        many = [f"cmd_{n}" for n in range(BATCH + 1)]
        assert (await browser.get("/approvals/chosen", params={"id": many})).status_code == 422
        assert (await browser.get("/approvals/chosen")).status_code == 422
        assert (await open_.post(browser, "/approvals/approve", code="abcdef")).status_code == 422
        assert (await browser.get("/approvals/cmd_nothing")).status_code == 404
        assert (await open_.post(browser, "/approvals/deny", id="cmd_nothing")).status_code == 404


async def test_a_scope_is_read_as_a_sentence_before_its_code_is_typed(guard: Guarded) -> None:
    number = await guard.ask("pytest -q")
    words_ = {"words": "1", "minutes": "15", "runs": "2"}
    sentence = f"`pytest` with any arguments in {WORKSPACE}, without network, for 15 minutes, at most 2 runs"
    async with person(guard) as (open_, browser):
        assert sentence not in (await browser.get(f"/approvals/{number}")).text
        page = text((await browser.get(f"/approvals/{number}", params=words_)).text)
        assert sentence in page
        assert f"mab yolo code {number} --words 1 --minutes 15 --runs 2" in page
        typed = await code(guard, number, scope=Scope(1, 15, 2))
        done = await open_.post(browser, "/approvals/approve", id=number, code=typed, **words_)
        assert done.status_code == 303, text(done.text)
    await guard.run(number)
    again = await guard.execute("pytest -q tests", dry_run=False)
    assert again.state != "pending"


async def test_a_scope_that_cannot_be_is_said_beside_the_form_with_what_was_typed(guard: Guarded) -> None:
    number = await guard.ask("pytest -q")
    async with person(guard) as (open_, browser):
        for bad in ({"words": "9"}, {"minutes": "99999"}, {"runs": "0"}, {"runs": "many"}, {"words": ""}):
            asked = {"words": "1", "minutes": "30", "runs": "7", **bad}
            page = await browser.get(f"/approvals/{number}", params=asked)
            assert page.status_code == 422
            assert 'role="alert"' in page.text
            posted = await open_.post(browser, "/approvals/approve", id=number, code="abcdef", **asked)
            assert posted.status_code == 422
            if "runs" not in bad:
                assert 'value="7"' in posted.text
    assert await state(guard, number) == "pending"


async def test_a_denial_tells_the_agent_the_reason(guard: Guarded) -> None:
    number = await guard.ask()
    async with person(guard) as (open_, browser):
        done = await open_.post(browser, "/approvals/deny", id=number, reason="use the other <branch>")
        assert done.headers["location"] == "/approvals?done=1+denied"
        page = (await browser.get("/approvals")).text
        assert "a person denied it: use the other &lt;branch&gt;" in page
    assert "use the other <branch>" in (await guard.mail(guard.alice)).letters[-1].text


async def test_of_two_who_decide_at_once_one_is_told_and_keeps_what_was_typed(guard: Guarded) -> None:
    number = await guard.ask()
    typed = await code(guard, number)
    async with person(guard) as (open_, one), open_.browser() as two:
        assert (await open_.post(one, "/approvals/approve", id=number, code=typed)).status_code == 303
        late = await open_.post(two, "/approvals/deny", id=number, reason="not on <Friday>")
        assert late.status_code == 409
        assert "is approved: it does not wait for anybody" in text(late.text)
        assert "not on &lt;Friday&gt;" in late.text
        later = await open_.post(two, "/approvals/approve", id=number, code=typed)
        assert later.status_code == 409
        assert typed not in later.text
    assert await state(guard, number) == "approved"


async def test_of_a_batch_that_was_decided_in_part_the_rest_can_be_decided(guard: Guarded) -> None:
    one, two, three = [await guard.ask(f"git log -n {n}") for n in range(3)]
    typed = await code(guard, one, two, three)
    await guard.hub.approvals.deny(OWNER, [two], "")
    async with person(guard) as (open_, browser):
        fields = {"id": [one, two, three], "code": typed}
        late = await browser.post("/approvals/approve", data=fields, headers={"origin": open_.url})
        assert late.status_code == 409
        assert f'href="/approvals/chosen?id={one}&amp;id={three}"' in late.text
    assert [await state(guard, number) for number in (one, three)] == ["pending", "pending"]


async def test_who_looks_while_it_expires_is_told(guard: Guarded) -> None:
    number = await guard.ask()
    typed = await code(guard, number)
    async with person(guard) as (open_, browser):
        assert "waiting" in text((await browser.get("/approvals/standing", params={"id": number})).text)
        guard.clock.advance(3_500)
        assert "100 s left" in text((await browser.get("/approvals/standing", params={"id": number})).text)
        guard.clock.advance(100)
        told = text((await browser.get("/approvals/standing", params={"id": number})).text)
        assert "expired" in told
        assert "waiting" not in told
        late = await open_.post(browser, "/approvals/approve", id=number, code=typed)
        assert late.status_code == 409
        assert "is expired" in text(late.text)
        assert "Waiting for you: 0" in text((await browser.get("/approvals/board")).text)


async def test_the_newest_decided_say_how_they_ended(guard: Guarded) -> None:
    ran, failed, denied = [await guard.ask(f"git log -n {n}") for n in range(3)]
    await guard.approve(ran, failed)
    await guard.run(ran)
    await guard.hub.approvals.deny(OWNER, [denied], "no")
    async with person(guard) as (_, browser):
        page = (await browser.get("/approvals")).text
        assert re.findall(r'id="(cmd_\w+)"', page[page.index("others-title") :]) == [denied, failed, ran]
        shown = text(page)
        for what in ("exit status 0; after 1.5 s", "approved; the agent has not run it yet", "a person denied it: no"):
            assert what in shown
        # what a command printed is shown elsewhere, with an entry
        assert "hello" not in shown


async def test_more_than_a_board_holds_is_counted(guard: Guarded) -> None:
    number = await guard.ask()
    command = await guard.world.store.read(lambda tx: tx.commands.get(number))
    board = await guard.hub.approvals.board(OWNER)
    assert command is not None
    assert (len(board.waiting), board.more, list(board.others)) == (1, 0, [])
    assert SHOWN >= BATCH


async def test_what_time_has_ended_is_shown_so_before_anybody_writes_it_down(guard: Guarded) -> None:
    number = await guard.ask()
    size = (await guard.hub.journal.head()).size
    guard.clock.advance(3_600)
    board = await guard.hub.approvals.board(OWNER)
    assert [one.request.command.state for one in board.others] == ["expired"]
    assert await state(guard, number) == "expired"
    assert (await guard.hub.journal.head()).size == size


async def test_ids_that_are_none_are_not_found(guard: Guarded) -> None:
    with pytest.raises(NotFound):
        await guard.hub.approvals.look(OWNER, ["cmd_nothing"])


async def test_an_auditor_sees_nothing_of_it_and_an_operator_of_one_conversation_only_that(guard: Guarded) -> None:
    number = await guard.ask()

    def somebody(role: str, conversations: frozenset[str] | None = None) -> Caller:
        return Caller(
            "b", "eve", "ip:192.0.2.7", roles=frozenset({role}), conversations=conversations, identity="oidc_x"
        )

    async with person(guard, somebody("auditor")) as (open_, browser):
        for path in ("/approvals", f"/approvals/{number}", "/approvals/board"):
            assert (await browser.get(path)).status_code == 403
        typed = await code(guard, number)
        assert (await open_.post(browser, "/approvals/approve", id=number, code=typed)).status_code == 403
        assert (await open_.post(browser, "/approvals/deny", id=number)).status_code == 403
        elsewhere = somebody("operator", frozenset({"conv_000000000000"}))
        async with open_.browser(elsewhere) as other:
            assert number not in (await other.get("/approvals")).text
            assert (await other.get(f"/approvals/{number}")).status_code == 404
            assert (await open_.post(other, "/approvals/approve", id=number, code=typed)).status_code == 404
    assert await state(guard, number) == "pending"


async def test_a_request_moves_the_page_by_its_topic(guard: Guarded) -> None:
    async with person(guard) as (_, browser):
        page = (await browser.get("/approvals")).text
        assert "topics=approvals" in page
        seq = (await guard.hub.journal.head()).size
        async with events(browser, after=seq, topics="approvals") as stream:
            await guard.ask()
            assert (await stream.next())[0] == "mab-approvals"


def test_the_terminal_shows_a_code_beside_argv_and_digest_and_approves_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(terminal, monkeypatch)
    desk.enables()
    one, two = desk.asks("git log -n 1"), desk.asks("git log -n 2")
    rows = {row["command_id"]: row for row in desk.terminal.mab("yolo", "list", "--json").json}
    single = desk.types("yolo", "code", one)
    assert single.status == 0
    for what in (one, '["git", "log", "-n", "1"]', rows[one]["digest"]):
        assert what in single.out[: CODE.search(single.out).start()]  # type: ignore[union-attr]
    both = desk.types("yolo", "code", two, one)
    advance = desk.types("yolo", "code", one, "--words", "2")
    assert "AND IN ADVANCE" in advance.out
    assert "`git log` with any arguments" in advance.out
    every = desk.types("yolo", "code")
    singles = CODE.findall(every.out)
    assert len(singles) == 2
    assert singles[0] == CODE.findall(single.out)[0]
    codes = [CODE.findall(done.out)[0] for done in (single, both, advance)]
    assert len(set(codes)) == 3
    assert {row["state"] for row in desk.terminal.mab("yolo", "list", "--json").json} == {"pending"}


async def test_codes_appear_at_the_terminal_as_commands_are_asked_for_each_once(
    guard: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: asyncio.Queue[Proposal] = asyncio.Queue()
    monkeypatch.setattr(codes, "tell", told.put_nowait)
    first = await guard.ask("git log")
    following = asyncio.create_task(codes.follow(guard.hub, OWNER))
    try:
        async with asyncio.timeout(90):
            assert [one.command.id for one in (await told.get()).requests] == [first]
            for n in range(3):
                number = await guard.ask(f"git log -n {n}")
                proposal = await told.get()
                assert [one.command.id for one in proposal.requests] == [number]
                assert proposal.code == await code(guard, number)
        assert told.empty()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def test_a_code_is_shown_to_a_person_at_a_terminal_alone(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(terminal, monkeypatch)
    desk.enables()
    number = desk.asks()
    done = desk.terminal.mab("yolo", "code", number, status=3)
    assert (done.out, done.code) == ("", "refused")
    for away in ("stdin", "stdout"):
        hidden = desk.types("yolo", "code", number, away=away)
        assert hidden.status == 3
        assert not CODE.search(hidden.out)


@pytest.mark.parametrize(
    "wrong", [("--watch", "ID"), ("--words", "1"), ("ID", "--minutes", "3"), ("ID", "ID2", "--words", "1")]
)
def test_words_that_do_not_go_together_are_invalid(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, ...]
) -> None:
    desk = Desk(terminal, monkeypatch)
    desk.enables()
    ids = {"ID": desk.asks("git log"), "ID2": desk.asks("git diff")}
    done = desk.types("yolo", "code", *(ids.get(word, word) for word in wrong))
    assert done.status == 2
    assert not CODE.search(done.out)


def test_passkeys_are_added_listed_and_removed_at_the_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(terminal, monkeypatch)
    assert desk.terminal.mab("passkey", "list", "--json").json == []
    assert desk.terminal.mab("passkey", "list").err == "no passkey is registered\n"
    assert desk.terminal.mab("passkey", "remove", "passkey_x", status=7).code == "not_found"
    piped = desk.terminal.mab("passkey", "add", status=3)
    assert (piped.out, piped.code) == ("", "refused")
    row = Passkey("passkey_1", b"1", "operator", "localhost", b"2", 3, 1_790_000_000_000_000, "seal")

    async def listed(service: Passkeys, caller: Caller) -> list[Passkey]:
        return [row]

    monkeypatch.setattr(Passkeys, "list", listed)
    assert desk.terminal.mab("passkey", "list", "--json").json == [
        {
            "passkey_id": "passkey_1", "name": "operator", "host": "localhost",
            "added_at": "2026-09-21T14:13:20.000000Z", "used_at": None,
        }
    ]  # fmt: skip
    assert "passkey_1  operator  localhost" in desk.terminal.mab("passkey", "list").out
