"""The page *Journal* over the wire: what it shows, how little it reads, and what verification, checkpoint and export answer."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import pytest

from multiagent_bridge.adapters.memory.journal import Journal as StoredJournal
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.ports import Tx
from multiagent_bridge.services import extracts
from multiagent_bridge.testing.hubs import TestHub, memory_hub
from multiagent_bridge.web.journal import instant
from tests.faces.browsing import Site, events, site, text
from tests.faces.http_yard import UNLIMITED

pytestmark = pytest.mark.anyio

HERE, THERE = "conv_000000000001", "conv_000000000002"


def role(*roles: str, conversations: frozenset[str] | None = None) -> Caller:
    name = "+".join(roles)
    return Caller(f"test:{name}", name, "ip:192.0.2.7", roles=frozenset(roles), conversations=conversations)


async def filled(world: TestHub, drafts: Sequence[Draft]) -> None:
    async def written(tx: Tx) -> None:
        for draft in drafts:
            await world.hub.journal.append(tx, draft)

    await world.store.write(written)


def draft(number: int, at: int, **more: Any) -> Draft:
    return Draft(
        **({"at": at, "conversation": HERE, "session": "a", "actor": "agent tester", "action": "message.send"} | more)
    )


async def numbered(world: TestHub, count: int, **more: Any) -> None:
    now = world.clock.now()
    await filled(world, [draft(n, now + n * SECOND, target=f"message {n}", **more) for n in range(1, count + 1)])


def seqs(page: httpx2.Response) -> list[int]:
    """The entries of a page, in its order."""
    assert page.status_code == 200, page.text
    return [int(found) for found in re.findall(r'id="entry-(\d+)"', page.text)]


async def until(found: Callable[[], Any]) -> None:
    async with asyncio.timeout(90):
        while not found():
            await asyncio.sleep(0)


async def ended(place: Site, browser: httpx2.AsyncClient) -> str:
    """The page of a verification that is over."""
    await until(lambda: (last := place.world.hub.verifications.last) and last.state != "running")
    return (await browser.get("/journal/verification")).text


async def test_entries_stand_newest_first_and_pages_go_by_number() -> None:
    world = memory_hub(UNLIMITED)
    await numbered(world, 120)
    async with site(world) as place, place.browser() as browser:
        size = (await world.hub.journal.head()).size
        first = await browser.get("/journal")
        assert seqs(first) == list(range(size, size - 50, -1))
        link = re.search(r'href="(/journal\?before=\d+)" rel="next"', first.text)
        assert link
        second = await browser.get(link[1])
        assert seqs(second) == list(range(size - 50, size - 100, -1))
        assert 'hx-get="/journal/list' not in second.text
        last = await browser.get("/journal?before=2")
        assert seqs(last) == [1]
        assert "There is nothing older" in last.text


async def test_an_entry_stands_whole_with_its_line_its_hash_and_the_one_before() -> None:
    world = memory_hub(UNLIMITED)
    await numbered(world, 3)
    second = (await world.hub.journal.entries(1, 1))[0]
    async with site(world) as place, place.browser() as browser:
        for path in ("/journal", "/journal/entries/2"):
            page = (await browser.get(path)).text
            assert second.hash in page
            assert second.prev in page
            assert "&#34;seq&#34;:2" in page
        for wrong, status in (("0", 422), ("x", 422), ("9" * 15, 404), ("9" * 16, 422), ("%D9%A1", 422)):
            assert (await browser.get(f"/journal/entries/{wrong}")).status_code == status, wrong


async def test_each_filter_is_part_of_the_address_and_leaves_the_others_out() -> None:
    world = memory_hub(UNLIMITED)
    now = world.clock.now()
    await filled(
        world,
        [
            draft(1, now, actor="agent Anna"),
            draft(2, now, conversation=THERE),
            draft(3, now, action="task.assign", target="Task of Anna"),
            draft(4, now, outcome="refused", code="too_fast"),
            draft(5, now, outcome="refused", code="not_allowed", action="status.update"),
        ],
    )
    async with site(world) as place, place.browser() as browser:
        for query, wanted in (
            ("actor=ANNA", [1]),
            (f"conversation={THERE}", [2]),
            ("action=task", [3]),
            ("action=task.assign", [3]),
            ("action=tas", []),
            ("target=of+anna", [3]),
            (f"outcome=refused&conversation={HERE}", [5, 4]),
            ("outcome=too_fast", [4]),
            (f"conversation={HERE}&outcome=done&actor=anna", [1]),
        ):
            page = await browser.get(f"/journal?{query}")
            assert seqs(page) == wanted, query
            part = await browser.get(f"/journal/list?{query}", headers={"hx-request": "true"})
            assert seqs(part) == wanted, query
        page = (await browser.get("/journal?actor=ANNA")).text
        assert 'value="ANNA"' in page
        assert 'hx-get="/journal/list?actor=ANNA"' in page


async def test_times_narrow_the_journal_without_reading_what_lies_after_them() -> None:
    world = memory_hub(UNLIMITED)
    start = 1_767_322_800 * SECOND  # 2026-01-02T03:00:00Z
    await filled(world, [draft(n, start + n * 60 * SECOND) for n in range(60)])
    async with site(world) as place, place.browser() as browser:
        page = await browser.get("/journal?since=2026-01-02T03:10&until=2026-01-02T03:12")
        assert seqs(page) == [13, 12, 11]
        assert seqs(await browser.get("/journal?until=2026-01-02T03:01:00Z")) == [2, 1]
        assert seqs(await browser.get("/journal?until=2026-01-02T02:00")) == []
        for wrong in ("yesterday", "2026-02-30T03:00", "2026-01-02T25:00", "٢٠٢٦-01-02T03:00"):
            assert (await browser.get("/journal", params={"since": wrong})).status_code == 422, wrong


def test_the_end_of_a_time_is_the_end_of_its_minute_or_second() -> None:
    start = instant("2026-01-02T03:04")
    assert start is not None
    assert instant("2026-01-02T03:04", end=True) == start + 60 * SECOND - 1
    assert instant("2026-01-02T03:04:00", end=True) == start + SECOND - 1
    assert instant("2026-01-02T03:04:00.5", end=True) == start + SECOND // 2
    assert instant("", end=True) is None


async def test_a_search_reads_so_much_says_how_far_it_came_and_offers_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracts, "SCAN", 60)
    monkeypatch.setattr(extracts, "STEP", 20)
    world = memory_hub(UNLIMITED)
    now = world.clock.now()
    await filled(world, [draft(n, now, target="needle" if n == 1 else "hay") for n in range(1, 200)])
    async with site(world) as place, place.browser() as browser:
        page = await browser.get("/journal?target=needle")
        asked = 0
        while not seqs(page):
            assert "Read 60 entries, down to number" in text(page.text)
            link = re.search(r'href="(/journal\?[^"]+)" rel="next">Go on looking', page.text)
            assert link, page.text
            page = await browser.get(link[1].replace("&amp;", "&"))
            asked += 1
        assert seqs(page) == [1]
        assert asked == 3


async def test_a_page_of_the_newest_entries_reads_no_more_however_long_the_journal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []
    older = StoredJournal.older

    async def counted(self: StoredJournal, *words: Any) -> Any:
        found = await older(self, *words)
        read.append(len(found))
        return found

    monkeypatch.setattr(StoredJournal, "older", counted)
    world = memory_hub(UNLIMITED)
    await numbered(world, 2_000)
    async with site(world) as place, place.browser() as browser:
        assert len(seqs(await browser.get("/journal"))) == 50
        assert read == [extracts.STEP]
        read.clear()
        assert len(seqs(await browser.get("/journal?target=nothing+like+it"))) == 0
        assert sum(read) <= extracts.SCAN


async def test_a_new_entry_moves_the_first_page() -> None:
    async with site() as place, place.browser() as browser:
        page = await browser.get("/journal")
        assert 'hx-trigger="mab-journal from:body"' in page.text
        after = (await place.world.hub.journal.head()).size
        async with events(browser, after=after, topics="journal") as stream:
            await numbered(place.world, 1)
            assert (await stream.next())[0] == "mab-journal"
        assert seqs(await browser.get("/journal/list"))[0] == after + 1


async def test_a_verification_goes_on_in_the_background_and_says_what_it_found() -> None:
    world = memory_hub(UNLIMITED)
    await numbered(world, 250)
    async with site(world) as place, place.browser() as browser:
        assert "None since this hub began" in (await browser.get("/journal/verification")).text
        begun = await place.post(browser, "/journal/verification", note="")
        assert (begun.status_code, begun.headers.get("location")) == (303, "/journal/verification")
        done = text(await ended(place, browser))
        size = (await world.hub.journal.head()).size
        assert re.search(rf"verified {size} entries, 0 messages, 2 checkpoints \(last at 200\)", done), done
        part = await browser.get("/journal/verification/progress", headers={"hx-request": "true"})
        assert part.headers["hx-refresh"] == "true"


async def test_the_first_wrong_entry_is_named_and_linked() -> None:
    world = memory_hub(UNLIMITED)
    await numbered(world, 30)

    async def edited(tx: Any) -> None:
        lines = tx.journal._tables.changing().lines
        lines[17] = (lines[17][0], lines[17][1].replace("message 17", "message 71"))

    await world.store.write(edited)
    async with site(world) as place, place.browser() as browser:
        await place.post(browser, "/journal/verification", note="")
        done = await ended(place, browser)
        assert "entry 17 was edited" in text(done)
        assert 'href="/journal?before=18"' in done
        assert seqs(await browser.get("/journal?before=18"))[0] == 17
        assert "entry 17 was edited" in text((await browser.get("/health")).text)


async def test_a_verification_compares_with_a_checkpoint_from_elsewhere() -> None:
    world = memory_hub(UNLIMITED)
    await numbered(world, 30)
    other = memory_hub(UNLIMITED)
    await numbered(other, 10, actor="agent somebody else")
    ours, theirs = await world.hub.journal.checkpoint(), await other.hub.journal.checkpoint()
    async with site(world) as place, place.browser() as browser:
        # as a browser sends it
        await place.post(browser, "/journal/verification", note=ours.replace("\n", "\r\n"))
        assert "also against a checkpoint" in text(done := await ended(place, browser))
        assert ">verified<" in done
        await place.post(browser, "/journal/verification", note=theirs)
        assert ">wrong<" in await ended(place, browser)
        await place.post(browser, "/journal/verification", note="no checkpoint at all")
        assert ">not begun<" in await ended(place, browser)


class Turns:
    """Holds the background until a test says so."""

    def __init__(self) -> None:
        self.work: list[Callable[[], Any]] = []

    def start(self, work: Callable[[], Any]) -> None:
        self.work.append(work)


def held(world: TestHub, monkeypatch: pytest.MonkeyPatch) -> Turns:
    turns = Turns()
    monkeypatch.setattr(world.hub.verifications, "_background", turns)
    return turns


async def test_one_verification_at_a_time_and_the_second_who_asks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_hub(UNLIMITED)
    turns = held(world, monkeypatch)
    async with site(world) as place, place.browser() as one, place.browser() as other:
        asked = await asyncio.gather(
            place.post(one, "/journal/verification", note=""), place.post(other, "/journal/verification", note="")
        )
        assert sorted(answer.status_code for answer in asked) == [303, 409]
        page = (await one.get("/journal/verification")).text
        assert "<progress" in page
        assert 'hx-trigger="every 1s"' in page
        part = await one.get("/journal/verification/progress")
        assert "hx-refresh" not in part.headers
        assert len(turns.work) == 1
        await turns.work[0]()
        assert ">verified<" in (await other.get("/journal/verification")).text


async def test_a_verification_that_nobody_looks_at_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_hub(UNLIMITED)
    await numbered(world, 30)
    turns = held(world, monkeypatch)
    async with site(world) as place, place.browser() as browser:
        await place.post(browser, "/journal/verification", note="")
        world.clock.advance(61)
        await turns.work[0]()
        assert ">stopped<" in (await browser.get("/journal/verification")).text
        # and the next may begin; while somebody looks it goes on however long it takes
        await place.post(browser, "/journal/verification", note="")
        world.clock.advance(50)
        await browser.get("/journal/verification/progress")
        world.clock.advance(50)
        await turns.work[1]()
        assert ">verified<" in (await browser.get("/journal/verification")).text


async def test_a_verification_is_stopped_by_a_button(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_hub(UNLIMITED)
    await numbered(world, 30)
    turns = held(world, monkeypatch)
    async with site(world) as place, place.browser() as browser:
        await place.post(browser, "/journal/verification", note="")
        assert (await place.post(browser, "/journal/verification/stop")).status_code == 303
        await turns.work[0]()
        assert ">stopped<" in (await browser.get("/journal/verification")).text
        # nothing is under way: the page says how it ended
        assert (await place.post(browser, "/journal/verification/stop")).status_code == 303


async def test_a_checkpoint_is_made_shown_and_saved_and_verifies() -> None:
    world = memory_hub(UNLIMITED)
    await numbered(world, 5)
    async with site(world) as place, place.browser() as browser:
        assert "None was made yet" in (await browser.get("/journal/checkpoint")).text
        assert (await browser.get("/journal/checkpoint/note")).status_code == 404
        made = await place.post(browser, "/journal/checkpoint")
        assert (made.status_code, made.headers["location"]) == (303, "/journal/checkpoint")
        page = await browser.get("/journal/checkpoint")
        saved = await browser.get("/journal/checkpoint/note")
        size = (await world.hub.journal.head()).size
        assert saved.headers["content-disposition"] == f'attachment; filename="checkpoint-{size}.txt"'
        assert saved.text.splitlines()[1] == str(size)
        assert world.hub.journal.verifier_key in page.text
        await world.hub.evidence.verify([saved.text])
        [entry] = await world.hub.journal.newest(1)
        assert (entry.action, entry.outcome) == ("journal.checkpoint", "done")


async def test_an_export_is_a_file_of_every_line_as_it_lies_in_the_store() -> None:
    world = memory_hub(UNLIMITED)
    await numbered(world, 700)
    async with site(world) as place, place.browser() as browser:
        answer = await place.post(browser, "/journal/export")
        assert answer.status_code == 200
        assert re.fullmatch(
            r'attachment; filename="journal-\d{8}T\d{6}Z\.jsonl"', answer.headers["content-disposition"]
        )
        assert answer.headers["content-type"] == "application/jsonl"
        lines = answer.text.splitlines()
        stored = [line async for line in world.hub.journal.lines()]
        assert lines == stored[: len(lines)]
        assert json.loads(lines[-1])["action"] == "journal.export"
        assert len(lines) > 700
        again = await place.post(browser, "/journal/export")
        assert again.status_code == 200


async def test_an_empty_journal_has_a_page_too() -> None:
    async with site(memory_hub(Limits())) as place, place.browser() as browser:
        page = await browser.get("/journal?target=nothing")
        assert "No entry like that" in text(page.text)


@pytest.mark.parametrize(
    ("roles", "export"), [(("operator",), 403), (("auditor",), 200), (("operator", "auditor"), 200)]
)
async def test_a_page_offers_what_a_role_may_do_and_refuses_the_rest(roles: tuple[str, ...], export: int) -> None:
    async with site() as place, place.browser(role(*roles)) as browser:
        page = (await browser.get("/journal")).text
        assert ('action="/journal/export"' in page) is (export == 200)
        assert (await place.post(browser, "/journal/export")).status_code == export
        assert (await place.post(browser, "/journal/verification", note="")).status_code == 303
        assert (await place.post(browser, "/journal/checkpoint")).status_code == 303
