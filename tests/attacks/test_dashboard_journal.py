"""Attacks on the pages Journal and Health: markup in entries, another's conversations, floods, forged forms, cut exports."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from multiagent_bridge.adapters.memory.journal import Journal as StoredJournal
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.errors import BridgeError
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.journal import Draft
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.verifications import Verification
from multiagent_bridge.testing.hubs import OWNER, TestHub, memory_hub
from multiagent_bridge.web.journal import LINE_CHARACTERS
from tests.faces.browsing import site
from tests.faces.http_yard import UNLIMITED

pytestmark = pytest.mark.anyio

MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
UNSEEN = "left\u202eright\u200bzero"
HERE, THERE = "conv_000000000001", "conv_000000000002"


async def filled(world: TestHub, drafts: Sequence[Draft]) -> None:
    async def written(tx: Tx) -> None:
        for draft in drafts:
            await world.hub.journal.append(tx, draft)

    await world.store.write(written)


def draft(world: TestHub, **more: Any) -> Draft:
    return Draft(
        **(
            {"at": world.clock.now(), "conversation": HERE, "session": "a", "actor": "tester", "action": "test.note"}
            | more
        )
    )


def confined() -> Caller:
    return Caller(
        "test:confined",
        "confined",
        "ip:192.0.2.7",
        roles=frozenset({"operator", "auditor"}),
        conversations=frozenset({HERE}),
    )


async def size(world: TestHub) -> int:
    return (await world.hub.journal.head()).size


async def test_markup_in_every_field_of_an_entry_stays_text() -> None:
    world = memory_hub(UNLIMITED)
    words = {"actor": MARKUP, "target": MARKUP, "conversation": MARKUP, "session": MARKUP}
    reason = {"reason": MARKUP, "note": MARKUP}
    await filled(world, [draft(world, **words, outcome="refused", code="invalid", facts=reason)])
    async with site(world) as place, place.browser() as browser:
        for path in ("/journal", "/journal/list", "/journal/entries/1"):
            page = (await browser.get(path)).text
            assert "alert(1)" in page, path
            assert "<script>alert" not in page, path
            assert "<img" not in page, path
            # no address of ours carries it as it is
            assert 'href="/journal?conversation=%22%3E%3Cscript' in page, path


async def test_markup_in_the_address_stays_text() -> None:
    async with site() as place, place.browser() as browser:
        for name in ("actor", "action", "outcome", "target", "conversation", "since", "until", "before"):
            page = await browser.get("/journal", params={name: MARKUP})
            assert "<script>alert" not in page.text, name
            assert "<img" not in page.text, name
        assert "<script>alert" not in (await browser.get(f"/journal/entries/{MARKUP}")).text


async def test_text_that_turns_around_or_shows_nothing_is_spelled_out() -> None:
    world = memory_hub(UNLIMITED)
    await filled(world, [draft(world, target=UNSEEN, actor=UNSEEN)])
    async with site(world) as place, place.browser() as browser:
        page = (await browser.get("/journal")).text
        assert "\u202e" not in page
        assert "\u200b" not in page
        assert "\\u202e" in page


async def test_entries_as_long_as_they_may_be_make_no_endless_page() -> None:
    world = memory_hub(UNLIMITED)
    await filled(world, [draft(world, target='"' * 30_000) for _ in range(60)])
    async with site(world) as place, place.browser() as browser:
        page = (await browser.get("/journal")).text
        assert len(page) < 50 * LINE_CHARACTERS * 8
        # and the page of the entry has it whole
        assert len((await browser.get("/journal/entries/60")).text) > 60_000


async def test_whoever_is_confined_sees_no_entry_of_another_conversation_and_acts_on_none() -> None:
    world = memory_hub(UNLIMITED)
    hidden = draft(world, conversation=THERE, target="hidden words")
    await filled(
        world, [hidden, draft(world, target="own words"), hidden, draft(world, conversation="", target="hidden")]
    )
    async with site(world) as place, place.browser(confined()) as browser:
        for path in (
            "/journal",
            "/journal?target=words",
            f"/journal?conversation={THERE}",
            "/journal?until=2099-01-01T00:00",
            "/journal?before=4",
            "/journal/list",
        ):
            page = await browser.get(path)
            assert page.status_code == 200, page.text
            assert "hidden words" not in page.text, path
        assert "own words" in (await browser.get("/journal?until=2099-01-01T00:00")).text
        assert (await browser.get("/journal/entries/2")).status_code == 200
        for number in (1, 3, 4):
            assert (await browser.get(f"/journal/entries/{number}")).status_code == 404, number
        for path in (
            "/journal/verification",
            "/journal/verification/progress",
            "/journal/checkpoint",
            "/health",
            "/health/now",
        ):
            assert (await browser.get(path)).status_code == 403, path
        for path in ("/journal/verification", "/journal/verification/stop", "/journal/checkpoint", "/journal/export"):
            assert (await place.post(browser, path, note="")).status_code == 403, path
        assert world.hub.verifications.last is None


async def test_searches_of_one_who_is_signed_in_are_limited_and_the_plain_page_goes_on() -> None:
    world = memory_hub(Limits(reads=(Window(3, 60),)))
    async with site(world) as place, place.browser() as browser, place.browser() as other:
        answers = [(await browser.get("/journal?target=x")).status_code for _ in range(5)]
        assert answers == [200, 200, 200, 429, 429]
        assert (await browser.get("/journal")).status_code == 200
        assert (await other.get("/journal?target=x")).status_code == 200


async def test_a_word_too_long_to_look_for_is_refused() -> None:
    async with site() as place, place.browser() as browser:
        for name in ("actor", "action", "outcome", "target", "conversation"):
            assert (await browser.get("/journal", params={name: "x" * 201})).status_code == 422, name
        for number in ("9" * 400, "-1", "1e9", "0x10", "١"):
            assert (await browser.get("/journal", params={"before": number})).status_code == 422, number


async def test_looking_writes_no_entry_so_that_no_page_moves_itself() -> None:
    world = memory_hub(UNLIMITED)
    async with site(world) as place, place.browser() as browser:
        before = await size(world)
        for path in (
            "/journal",
            "/journal?target=x",
            "/journal/list?actor=x",
            "/journal/verification",
            "/journal/checkpoint",
            "/health",
            "/health/now",
        ):
            assert (await browser.get(path)).status_code == 200, path
        assert await size(world) == before


@pytest.mark.parametrize(
    "path", ["/journal/verification", "/journal/verification/stop", "/journal/checkpoint", "/journal/export"]
)
async def test_a_form_of_another_page_does_nothing(path: str) -> None:
    world = memory_hub(UNLIMITED)
    async with site(world) as place, place.browser() as browser:
        for headers in (
            {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site"},
            {},
        ):
            answer = await browser.post(path, data={"note": ""}, headers=headers)
            assert answer.status_code in (400, 403), headers
        assert {entry.action for entry in await world.hub.journal.newest(99)}.isdisjoint(
            {"journal.export", "journal.checkpoint"}
        )
        assert world.hub.verifications.last is None


async def test_a_link_exports_nothing() -> None:
    world = memory_hub(UNLIMITED)
    async with site(world) as place, place.browser() as browser:
        before = await size(world)
        assert (await browser.get("/journal/export")).status_code in (404, 405)
        assert await size(world) == before


async def test_a_note_without_an_end_is_refused_before_anything_is_read() -> None:
    async with site() as place, place.browser() as browser:
        assert (await place.post(browser, "/journal/verification", note="x" * 4_001)).status_code == 422
        assert place.world.hub.verifications.last is None


LARGE = 1_200
"""Entries of 20,000 characters: more than the buffers of a connection hold."""


async def large() -> TestHub:
    world = memory_hub(UNLIMITED)
    await filled(world, [draft(world, target="x" * 20_000) for _ in range(LARGE)])
    return world


async def test_an_export_ends_without_an_end_when_its_sign_in_does() -> None:
    world = await large()
    got: list[int] = []

    async def exported(browser: httpx2.AsyncClient, url: str) -> None:
        headers = {"origin": url}
        async with browser.stream("POST", "/journal/export", data={"x": ""}, headers=headers) as answer:
            assert answer.status_code == 200
            async for part in answer.aiter_bytes():
                if not got:
                    [found] = [one for one in await world.hub.browsers.list(OWNER) if one.ended_at is None]
                    await world.hub.browsers.revoke(OWNER, found.id)
                got.append(len(part))

    async with site(world) as place, place.browser() as browser:
        with pytest.raises(httpx2.HTTPError):
            await exported(browser, place.url)
    assert 0 < sum(got) < LARGE * 20_000


async def test_exports_of_one_sign_in_go_one_after_another_and_a_cut_one_makes_room() -> None:
    world = await large()
    async with site(world) as place, place.browser() as browser:
        words: dict[str, Any] = {"data": {"x": ""}, "headers": {"origin": place.url}}
        async with browser.stream("POST", "/journal/export", **words) as answer:
            assert answer.status_code == 200
            second = await browser.post("/journal/export", **words)
            assert second.status_code == 409
        async with asyncio.timeout(90):
            while (again := await cut(browser, words)) == 409:
                await asyncio.sleep(0)
        assert again == 200


async def cut(browser: httpx2.AsyncClient, words: dict[str, Any]) -> int:
    """Begin an export and leave. Returns its status."""
    async with browser.stream("POST", "/journal/export", **words) as answer:
        return answer.status_code


async def test_an_export_and_a_verification_hold_few_lines_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    lines = StoredJournal.lines

    async def counted(self: StoredJournal, after: int, limit: int) -> Sequence[tuple[int, str]]:
        asked.append(limit)
        return await lines(self, after, limit)

    monkeypatch.setattr(StoredJournal, "lines", counted)
    world = memory_hub(UNLIMITED)
    await filled(world, [draft(world) for _ in range(600)])
    async with site(world) as place, place.browser() as browser:
        await place.post(browser, "/journal/export", note="")
        await place.post(browser, "/journal/verification", note="")
        await over(world)
        assert len(asked) > 8
        assert max(asked) <= 250


async def test_a_damaged_entry_is_said_to_be_one_and_hides_no_other_page(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "bridge.db")
    await store.open()
    try:
        world = memory_hub(UNLIMITED, store=store)
        await filled(world, [draft(world) for _ in range(9)])
        with closing(sqlite3.connect(tmp_path / "bridge.db")) as file:
            file.execute("UPDATE journal SET line = '{}' WHERE seq = 5")
            file.commit()
        async with site(world) as place, place.browser() as browser:
            page = await browser.get("/journal")
            assert (page.status_code, "entry 5 of the journal cannot be read" in page.text) == (500, True)
            assert (await browser.get("/journal/entries/6")).status_code == 200
            assert (await browser.get("/health")).status_code == 200
            await place.post(browser, "/journal/verification", note="")
            last = await over(world)
            assert (last.state, last.seq) == ("wrong", 5)
    finally:
        await store.close()


async def over(world: TestHub) -> Verification:
    """The verification, when it is over."""
    async with asyncio.timeout(90):
        while (last := world.hub.verifications.last) is None or last.state == "running":
            await asyncio.sleep(0)
    return last


async def test_a_verification_that_breaks_down_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_hub(UNLIMITED)
    hub = world.hub

    async def broken(*words: Any) -> None:
        raise BridgeError("the disk is gone", "look at it")

    async with site(world) as place, place.browser() as browser:
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr(hub.evidence, "verify", broken)
                assert (await place.post(browser, "/journal/verification", note="")).status_code == 303
                assert (await over(world)).state == "failed"
        assert "the disk is gone" in (await browser.get("/journal/verification")).text
