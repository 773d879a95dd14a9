"""Ways into the dashboard that are none: forged requests, cookies where they do not belong, links used twice, planted cookies."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.errors import NotAllowed
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.ports import Tx
from multiagent_bridge.services import browsers
from multiagent_bridge.testing.hubs import OWNER, memory_hub
from multiagent_bridge.web.cookies import LINES
from tests.faces.browsing import OURS, Site, site

pytestmark = pytest.mark.anyio

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
AUDITOR = Caller("bearer:oidc_2", "eve", "ip:192.0.2.8", roles=frozenset({"auditor"}), identity="oidc_2")
AGENT = Caller("bearer:oidc_1", "coder", "ip:192.0.2.7", roles=frozenset({"agent"}), identity="oidc_1")


async def signed_in(here: Site, held: dict[str, str]) -> bool:
    async with here.stranger() as browser:
        browser.cookies.update(held)
        return (await browser.get("/")).status_code == 200


@pytest.mark.parametrize("path", ["/sign-out", "/sign-in"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://127.0.0.1"},
        {"origin": "https://127.0.0.1:{port}"},
        {"origin": "http://127.0.0.1:{port}.evil.example"},
        {"origin": "http://localhost:{port}"},
        {"origin": ""},
        {},
        {"origin": "http://127.0.0.1:{port}", "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:{port}", "sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:{port}", "sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:{port}", "sec-fetch-site": ""},
    ],
)
async def test_what_no_page_of_ours_sent_changes_nothing(path: str, headers: dict[str, str]) -> None:
    async with site() as here, here.browser() as browser:
        made = await here.world.hub.browsers.link(OWNER)
        lines = {name: value.replace("{port}", str(here.port)) for name, value in headers.items()}
        answer = await browser.post(path, data={"code": made.code}, headers=lines)
        assert answer.status_code in (400, 403)
        assert "set-cookie" not in answer.headers
        assert (await browser.get("/")).status_code == 200
        assert await here.world.hub.browsers.sign_in(made.code, "ip:::1"), "the link was not used up"


async def test_a_request_without_sec_fetch_site_changes_nothing() -> None:
    async with site() as here, here.browser() as browser:
        del browser.headers["sec-fetch-site"]
        assert (await here.post(browser, "/sign-out")).status_code == 403
        assert (await browser.get("/")).status_code == 200


async def test_an_origin_that_may_use_mcp_may_not_use_the_dashboard() -> None:
    friend = "https://tool.example"
    async with site(origins=(friend,)) as here, here.browser() as browser:
        browser.headers["origin"] = friend
        for answer in (
            await browser.get("/"),
            await browser.post("/sign-out"),
            await browser.request("OPTIONS", "/sign-out"),
        ):
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        assert (await browser.request("OPTIONS", "/mcp")).status_code == 204


@pytest.mark.parametrize("where", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/", "/events", "/live/timeline"])
async def test_another_page_fetches_nothing(where: str, path: str) -> None:
    async with site() as here, here.browser() as browser:
        for mode, dest in (("no-cors", "script"), ("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")):
            lines = {"sec-fetch-site": where, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
            assert (await browser.get(path, headers=lines)).status_code == 403


@pytest.mark.parametrize("path", ["/mcp", "/metrics", "/sign-in-links", "/nothing", "/.well-known/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_cookie_opens_nothing_but_the_dashboard(path: str, method: str) -> None:
    async with site() as here, here.browser() as browser:
        answer = await browser.request(method, path, headers={"origin": here.url})
        assert answer.status_code == 401
        (_, held), *_ = browser.cookies.items()
        bearer = {"authorization": f"Bearer {held}"}
        assert (await browser.request(method, path, headers=bearer)).status_code == 401


async def test_a_bearer_credential_opens_no_page() -> None:
    async with site() as here, here.stranger() as browser:
        key = await here.world.hub.identities.create(OWNER, "laptop", ["admin"])
        assert (await browser.get("/", headers={"authorization": f"Bearer {key.secret}"})).status_code == 401


async def test_of_many_who_use_a_link_at_once_one_is_signed_in() -> None:
    async with site() as here:
        made = await here.world.hub.browsers.link(OWNER)

        async def tried() -> int:
            async with here.stranger() as browser:
                return (await here.post(browser, "/sign-in", code=made.code)).status_code

        answers = await asyncio.gather(*(tried() for _ in range(8)))
        assert sorted(answers) == [303] + [403] * 7


async def test_a_code_in_an_address_signs_nobody_in() -> None:
    async with site() as here, here.stranger() as browser:
        made = await here.world.hub.browsers.link(OWNER)
        for path in (f"/sign-in?code={made.code}", f"/?code={made.code}", f"/sign-in/{made.code}"):
            assert "set-cookie" not in (await browser.get(path)).headers
        assert (await browser.get(f"/sign-in?token={made.code}")).status_code == 400
        assert await here.world.hub.browsers.sign_in(made.code, "ip:::1")


async def test_guessing_is_slowed_down_and_written_down_and_keeps_nobody_out() -> None:
    async with site(memory_hub()) as here, here.stranger() as browser:
        answers = [await here.post(browser, "/sign-in", code=f"{n:043d}") for n in range(40)]
        assert {one.status_code for one in answers} == {403, 429}
        assert int(answers[-1].headers["retry-after"]) > 0
        refused = [one for one in await here.world.hub.journal.entries(0, 1000) if one.action == "browser.sign_in"]
        assert 0 < len(refused) < 40
        made = await here.world.hub.browsers.link(OWNER)
        assert (await here.post(browser, "/sign-in", code=made.code)).status_code == 303


async def test_a_cookie_that_was_there_before_the_sign_in_is_not_the_one_after() -> None:
    async with site() as here, here.stranger() as browser:
        name, planted = f"mab_browser_{here.port}", "A" * 43
        browser.cookies.set(name, planted, domain="127.0.0.1", path="/")
        made = await here.world.hub.browsers.link(OWNER)
        answer = await here.post(browser, "/sign-in", code=made.code)
        assert planted not in answer.headers["set-cookie"]
        assert not await signed_in(here, {name: planted})


async def test_two_cookies_of_our_name_open_nothing() -> None:
    async with site() as here, here.browser() as browser:
        ((name, held),) = browser.cookies.items()
        async with here.stranger() as other:
            for line in (f"{name}=x; {name}={held}", f"{name}={held}; {name}={held}"):
                assert (await other.get("/", headers={"cookie": line})).status_code == 401
            assert (await other.get("/", headers={"cookie": f"a=b; {name}={held}"})).status_code == 200


async def test_signing_in_again_ends_the_sign_in_before() -> None:
    async with site() as here, here.browser() as browser:
        before = dict(browser.cookies)
        made = await here.world.hub.browsers.link(OWNER)
        assert (await here.post(browser, "/sign-in", code=made.code)).status_code == 303
        assert not await signed_in(here, before)
        assert len(await here.world.hub.browsers.list(OWNER)) == 1


async def test_a_cookie_of_another_hub_opens_nothing() -> None:
    async with site() as here, site() as there, there.browser() as browser:
        ((_, held),) = browser.cookies.items()
        assert await signed_in(there, {f"mab_browser_{there.port}": held})
        assert not await signed_in(here, {f"mab_browser_{here.port}": held})
        assert not await signed_in(here, {f"mab_browser_{there.port}": held})


async def test_a_row_copied_from_another_hub_opens_nothing() -> None:
    async with site() as here, site() as there, there.browser() as browser:
        ((_, held),) = browser.cookies.items()
        (row,) = await there.world.hub.browsers.list(OWNER)
        elsewhere = MasterKeys(bytes(32))
        forged = replace(row, digest=elsewhere.api_key_digest(f"browser cookie {held}"), seal="")
        forged = replace(forged, seal=elsewhere.digest(forged.bound()))
        await here.world.store.write(lambda tx: tx.browsers.add(forged))
        assert not await signed_in(here, {f"mab_browser_{here.port}": held})


async def test_an_agent_gets_no_link() -> None:
    async with site() as here, here.stranger() as browser:
        with pytest.raises(NotAllowed):
            await here.world.hub.browsers.link(AGENT)
        key = await here.world.hub.identities.create(OWNER, "coder", ["agent"])
        answer = await browser.post("/sign-in-links", headers={"authorization": f"Bearer {key.secret}"})
        assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed")


async def test_who_is_not_signed_in_is_not_listened_to_for_long() -> None:
    async with site() as here, here.stranger() as browser:
        answer = await here.post(browser, "/sign-in", code="x" * 5_000)
        assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
async def test_a_body_that_is_no_plain_form_signs_nobody_in(kind: str) -> None:
    async with site() as here, here.stranger() as browser:
        made = await here.world.hub.browsers.link(OWNER)
        lines = {"origin": here.url, "content-type": kind}
        answer = await browser.post("/sign-in", content=f"code={made.code}".encode(), headers=lines)
        assert answer.status_code == 422
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("body", [b"code=\xff\xfe", b"code=%ff", b"&" * 3_000, b"code=a\r\nset-cookie: x=y", b"code"])
async def test_a_form_that_cannot_be_read_is_refused_in_a_sentence(body: bytes) -> None:
    async with site() as here, here.stranger() as browser:
        lines = {"origin": here.url, "content-type": "application/x-www-form-urlencoded"}
        answer = await browser.post("/sign-in", content=body, headers=lines)
        assert answer.status_code in (403, 422)
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/live/%0d%0aset-cookie:x=y", "/?kind=%0d%0aset-cookie:x=y", "/live/\u202e<b>"])
async def test_nothing_in_an_address_becomes_a_header_line_or_markup(path: str) -> None:
    async with site() as here, here.browser() as browser:
        answer = await browser.get(path)
        assert "set-cookie" not in answer.headers
        assert "<b>" not in answer.text


async def test_every_answer_of_the_dashboard_has_the_policy_and_is_not_kept(tmp_path: Path) -> None:
    async with site() as here, here.browser() as browser, here.stranger() as stranger:
        answers = [
            await browser.get("/"),
            await browser.get("/live/nothing"),
            await browser.get("/events", params={"after": "x"}),
            await browser.post("/sign-out"),
            await browser.get("/", headers={"origin": "https://evil.example"}),
            await browser.get("/", headers={"host": "evil.example"}),
            await browser.request("PUT", "/sign-in", headers={"origin": here.url}),
            await stranger.get("/"),
            await stranger.get("/sign-in"),
            await stranger.get("/static/x/y"),
            await here.post(stranger, "/sign-in", code="x"),
        ]
        for answer in answers:
            for name, value in LINES:
                assert answer.headers[name.decode()] == value.decode(), (answer.url, name)
            assert answer.headers["content-security-policy"] == POLICY
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_somebody_on_another_port_of_this_machine_is_another_page() -> None:
    async with site() as here, site() as there, here.browser() as browser:
        lines = {**OURS, "origin": there.url, "sec-fetch-site": "same-site"}
        assert (await browser.post("/sign-out", headers=lines)).status_code == 403
        assert (await browser.get("/")).status_code == 200


async def test_a_crowd_that_signs_in_takes_no_page_the_name_under_which_it_keeps_what_is_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page without that name keeps nothing, and says nothing of it: a long message is lost when the sign-in ends."""
    async with site() as here, here.browser() as mine, here.browser(AUDITOR) as other:
        journal = here.world.hub.journal
        (held,) = other.cookies.values()
        head = journal.head

        async def meanwhile() -> object:
            assert await here.world.hub.browsers.authenticate(held)
            return await head()

        async def named(browser: httpx2.AsyncClient) -> str:
            found = re.search(r'<meta name="owner" content="([0-9a-f]*)">', (await browser.get("/")).text)
            assert found is not None
            return found[1]

        before = await named(mine)
        monkeypatch.setattr(browsers, "REMEMBERED", 1)
        monkeypatch.setattr(journal, "head", meanwhile)
        assert await named(mine) == before != await named(other)
        assert before


@pytest.mark.parametrize(
    ("asks", "under_way", "before"),
    [("authenticate", "read", 0), ("authenticate", "write", 0), ("still", "read", 1), ("seen", "write", 0)],
)
async def test_a_sign_in_that_is_ended_while_the_hub_looks_it_up_stays_ended(
    asks: str, under_way: str, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the transaction of that kind that comes after so many others."""
    world = memory_hub()
    known, store = world.hub.browsers, world.store
    made = await known.sign_in((await known.link(OWNER)).code, AGENT.peer)
    identity = await known.authenticate(made.cookie)
    assert identity is not None
    world.clock.advance(browsers.SEEN_SECONDS)
    if asks == "seen":
        assert await known.still(identity)
    done, ended, others = getattr(store, under_way), [], [None] * before

    async def meanwhile(work: Callable[[Tx], Awaitable[object]], **how: bool) -> object:
        found = await done(work, **how)
        if others:
            others.pop()
            return found
        monkeypatch.undo()
        ended.append(await known.revoke(OWNER, identity.id))
        return found

    monkeypatch.setattr(store, under_way, meanwhile)
    await getattr(known, asks)(made.cookie if asks == "authenticate" else identity)
    assert len(ended) == 1
    assert not await known.still(identity)
    assert await known.authenticate(made.cookie) is None
