"""Attacks on signing in at the issuer (RFC 9700): codes and states of others, used twice or made up; answers of others."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.testing.hubs import OWNER
from multiagent_bridge.web.code_flow import DONE, START
from tests.faces.browsing import Site
from tests.faces.code_flows import FROM_THERE, back, begun, signed_in, stage, word
from tests.oidc_issuer import AUTHORIZE, DISCOVERY, TOKEN, Issuer, issuing

pytestmark = pytest.mark.anyio


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


async def nobody(here: Site) -> None:
    assert await here.world.hub.browsers.list(OWNER) == []


async def test_a_victim_is_not_signed_in_as_the_attacker_by_an_answer_of_theirs(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as attacker, here.stranger() as victim:
        theirs = issuer.agreed(await begun(attacker))
        # a browser that began nothing, and one that is about to sign in itself
        assert word(await back(victim, theirs)) == "elsewhere"
        mine = issuer.agreed(await begun(victim))
        answer = await back(victim, theirs)
        assert word(answer) == "elsewhere"
        # and what was under way goes on
        assert "set-cookie" not in answer.headers
        assert issuer.asked[TOKEN] == 0
        await nobody(here)
        assert (await back(victim, mine)).headers["location"] == DONE


async def test_a_stolen_code_opens_nothing_without_its_verifier(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as attacker, here.stranger() as victim:
        stolen = issuer.agreed(await begun(victim))["code"]
        own = issuer.agreed(await begun(attacker))
        assert word(await back(attacker, own | {"code": stolen})) == "answer"
        (entry,) = await here.world.hub.journal.newest(1)
        assert "invalid_grant" in entry.line
        await nobody(here)


async def test_a_stolen_code_opens_nothing_where_the_issuer_forgets_to_check_the_verifier(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as attacker, here.stranger() as victim:
        asked = parse_qs(urlsplit(await begun(victim)).query)
        own = issuer.agreed(await begun(attacker))
        injected = {"token_type": "Bearer", "id_token": issuer.id_token(asked["nonce"][0])}
        issuer.answers[TOKEN] = (200, {}, json.dumps(injected).encode())
        assert word(await back(attacker, own)) == "answer"
        (entry,) = await here.world.hub.journal.newest(1)
        assert "nonce" in entry.line
        await nobody(here)


async def test_an_answer_opens_once_however_often_and_fast_it_comes(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        (name, held), *_ = browser.cookies.items()

        async def tried() -> httpx2.Response:
            async with here.stranger(cookie=f"{name}={held}") as again:
                return await back(again, answer)

        found = await asyncio.gather(*(tried() for _ in range(8)))
        assert sorted(one.headers["location"] for one in found) == [DONE] + ["/sign-in?failed=elsewhere"] * 7
        assert word(await tried()) == "elsewhere"
        assert issuer.asked[TOKEN] == 1
        assert len(await here.world.hub.browsers.list(OWNER)) == 1


async def test_a_state_is_used_up_by_an_answer_that_failed(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        cookies = dict(browser.cookies)
        assert word(await back(browser, answer | {"code": "guessed"})) == "answer"
        browser.cookies.update(cookies)
        assert word(await back(browser, answer)) == "elsewhere"
        await nobody(here)


@pytest.mark.parametrize("where", ["https://evil.example", "{url}/", "{url}/realms/other", "", None])
async def test_an_answer_of_another_issuer_is_not_exchanged(issuer: Issuer, where: str | None) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        del answer["iss"]
        named = {} if where is None else {"iss": where.replace("{url}", issuer.url)}
        assert word(await back(browser, answer | named)) == "answer"
        assert issuer.asked[TOKEN] == 0
        await nobody(here)


async def test_an_error_of_another_issuer_is_not_believed_and_its_words_are_not_repeated(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        state = issuer.agreed(await begun(browser))["state"]
        told = {
            "error": "access_denied",
            "error_description": "call +1 555 0100",
            "state": state,
            "iss": "https://evil",
        }
        answer = await back(browser, told)
        assert word(answer) == "answer"
        state = issuer.agreed(await begun(browser))["state"]
        answer = await back(browser, told | {"error": "call +1 555 0100", "state": state, "iss": issuer.url})
        assert word(answer) == "denied"
        page = await browser.get(answer.headers["location"])
        lines = "".join(entry.line for entry in await here.world.hub.journal.entries(0, 1_000))
        assert not [said for said in ("+1 555", "555 0100", "5550100") if said in page.text + lines]


async def test_an_issuer_that_names_itself_in_no_answer_signs_in_all_the_same(issuer: Issuer) -> None:
    issuer.metadata["authorization_response_iss_parameter_supported"] = False
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        del answer["iss"]
        assert (await back(browser, answer)).headers["location"] == DONE


@pytest.mark.parametrize(
    "more",
    [
        {"redirect_uri": "https://evil.example"},
        {"next": "https://evil.example"},
        {"failed": "//evil.example"},
        {"state": "https://evil.example"},
        {"code": "x\r\nlocation: https://evil.example"},
        {"error": "//evil.example"},
    ],
    ids=str,
)
async def test_no_parameter_leads_to_another_host(issuer: Issuer, more: dict[str, str]) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        for path in (START, DONE, "/sign-in"):
            answer = await browser.get(path, params=more)
            where = answer.headers.get("location", "/")
            assert where.startswith(("/", f"{issuer.url}{AUTHORIZE}?"))
            assert "evil" not in where
            assert "evil" not in answer.text
        answer = await back(browser, issuer.agreed(await begun(browser)) | more)
        assert answer.headers["location"].startswith("/sign-in")
        assert "evil" not in answer.headers["location"]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1:1@evil.example"},
        {"x-forwarded-host": "evil.example"},
        {"forwarded": "host=evil.example;proto=https"},
        {"x-forwarded-proto": "https"},
    ],
    ids=str,
)
async def test_no_header_line_moves_the_redirect_uri(issuer: Issuer, headers: dict[str, str]) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = await browser.get(START, headers=headers)
        if "host" in headers:
            assert answer.status_code in (400, 421)
            assert "location" not in answer.headers
        else:
            asked = parse_qs(urlsplit(answer.headers["location"]).query)
            assert asked["redirect_uri"] == [f"{here.url}/sign-in/return"]


async def test_what_was_begun_at_one_name_of_the_hub_does_not_end_at_another(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        (name, held), *_ = browser.cookies.items()
        lines = {**FROM_THERE, "host": f"localhost:{here.port}", "cookie": f"{name}={held}"}
        assert word(await browser.get("/sign-in/return", params=answer, headers=lines)) == "elsewhere"
        assert issuer.asked[TOKEN] == 0


@pytest.mark.parametrize("where", ["cross-site", "same-site", "none", ""])
async def test_another_page_makes_nobody_begin_a_sign_in(issuer: Issuer, where: str) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        lines = {"sec-fetch-site": where, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
        answer = await browser.get(START, headers=lines)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{here.url}/sign-in")
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("dest", ["iframe", "image", "script", "empty"])
async def test_another_page_fetches_no_return(issuer: Issuer, dest: str) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        mode = "navigate" if dest == "iframe" else "no-cors"
        lines = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode, "sec-fetch-dest": dest}
        assert (await browser.get("/sign-in/return", params=answer, headers=lines)).status_code == 403
        posted = {"origin": issuer.url, "sec-fetch-site": "cross-site"}
        assert (await browser.post("/sign-in/return", data=answer, headers=posted)).status_code == 403
        await nobody(here)


@pytest.mark.parametrize("name", ["code", "state", "iss", "error"])
async def test_what_is_said_twice_is_nobodys(issuer: Issuer, name: str) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        twice = [*answer.items(), (name, answer.get(name, "x")), (name, "x")]
        found = await browser.get("/sign-in/return", params=twice, headers=FROM_THERE)
        assert word(found) == "elsewhere"
        assert issuer.asked[TOKEN] == 0


@pytest.mark.parametrize(
    "held",
    [
        "",
        "x",
        f"{'A' * 43}.",
        f"{'A' * 43}.1",
        f"{'A' * 43}.99999999999999999",
        f"{'A' * 43}.1790000000000000",
        "é.1",
        "{0}; {0}",
    ],
)
async def test_a_cookie_that_is_made_up_or_doubled_begins_nothing(issuer: Issuer, held: str) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        (name, good), *_ = browser.cookies.items()
        browser.cookies.clear()
        line = held.replace("{0}", f"{name}={good}") if "{0}" in held else f"{name}={held}"
        found = await browser.get(
            "/sign-in/return", params=answer, headers=[*FROM_THERE.items(), ("cookie", line.encode())]
        )
        assert word(found) == "elsewhere"
        assert issuer.asked[TOKEN] == 0


async def test_a_younger_instant_in_the_cookie_makes_an_old_sign_in_no_younger(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        (name, held), *_ = browser.cookies.items()
        here.world.clock.advance(3_600)
        browser.cookies.clear()
        browser.cookies.set(name, f"{held.partition('.')[0]}.{here.world.clock.now()}", domain="127.0.0.1", path="/")
        assert word(await back(browser, answer)) == "elsewhere"


async def test_the_cookie_for_the_way_back_opens_no_page_and_that_of_a_sign_in_no_way_back(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        (_, held), *_ = browser.cookies.items()
        for value in (held, held.partition(".")[0], parse_qs(urlsplit(await begun(browser)).query)["state"][0]):
            async with here.stranger(cookie=f"mab_browser_{here.port}={value}") as other:
                assert (await other.get("/")).status_code == 401
                assert (await here.post(other, "/sign-in", code=value)).status_code == 403
        async with here.browser() as signed:
            (_, cookie), *_ = signed.cookies.items()
        async with here.stranger(cookie=f"mab_sign_in_{here.port}={cookie}") as other:
            assert word(await back(other, answer)) == "elsewhere"


@pytest.mark.parametrize(
    "metadata",
    [
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://login.example.org/authorize"},
        {"authorization_endpoint": "https://login.example.org/\r\nset-cookie: x=y"},
        {"authorization_endpoint": "https://login.example.org/authorize?state=fixed"},
        {"authorization_endpoint": None},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": "S256"},
        {"issuer": "https://evil.example"},
    ],
    ids=str,
)
async def test_a_browser_is_not_sent_to_an_issuer_that_describes_itself_wrongly(
    issuer: Issuer, metadata: dict[str, object]
) -> None:
    issuer.metadata |= metadata
    async with stage(issuer) as here, here.stranger() as browser:
        answer = await browser.get(START)
        assert word(answer) == "unavailable"
        assert "set-cookie" not in answer.headers


async def test_guessing_is_slowed_down_and_written_down_and_asks_the_issuer_nothing(issuer: Issuer) -> None:
    async with stage(issuer, limits=Limits()) as here, here.stranger() as browser:
        words = [word(await back(browser, {"code": "x", "state": f"{n:064x}", "iss": issuer.url})) for n in range(40)]
        assert set(words) == {"elsewhere", "too_fast"}
        refused = [one for one in await here.world.hub.journal.entries(0, 1_000) if one.action == "browser.sign_in"]
        assert 0 < len(refused) < 40
        assert issuer.asked == {}
        # the terminal's link opens all the same
        made = await here.world.hub.browsers.link(OWNER)
        assert (await here.post(browser, "/sign-in", code=made.code)).status_code == 303


async def test_codes_made_up_by_who_began_make_the_hub_ask_no_more_than_the_limit(issuer: Issuer) -> None:
    async with stage(issuer, limits=Limits(failures=(Window(5, 60),))) as here, here.stranger() as browser:
        words = []
        for number in range(20):
            answer = issuer.agreed(await begun(browser))
            words.append(word(await back(browser, answer | {"code": f"made-up-{number}"})))
        assert words == ["answer"] * 5 + ["too_fast"] * 15
        assert issuer.asked[TOKEN] == 6
        assert issuer.asked[DISCOVERY] == 1


async def test_one_person_signs_in_no_more_often_than_they_may_ask_for_anything_else(issuer: Issuer) -> None:
    """Each sign-in is an entry for good and a row for hours, and an issuer that knows somebody gives codes without end."""
    limits = Limits(reads=(Window(5, 60),))
    async with stage(issuer, limits=limits) as here:

        async def again() -> httpx2.Response:
            async with here.stranger() as browser:
                return await back(browser, issuer.agreed(await begun(browser)))

        answers = [await again() for _ in range(8)]
        assert [one.headers["location"] for one in answers[:5]] == [DONE] * 5
        assert [word(one) for one in answers[5:]] == ["too_fast"] * 3
        assert len(await here.world.hub.browsers.list(OWNER)) == 5
        (entry,) = await here.world.hub.journal.newest(1)
        assert (entry.action, entry.outcome, entry.code) == ("browser.sign_in", "refused", "too_fast")
        # and nobody else is kept out
        issuer.identity["sub"] = "user-8"
        assert (await again()).headers["location"] == DONE
        here.world.clock.advance(60)
        issuer.identity["sub"] = "user-7"
        assert (await again()).headers["location"] == DONE


async def test_neither_a_code_nor_a_token_nor_a_secret_stands_anywhere(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issuer.secret, issuer.access = "s3cret-of-the-client", {"roles": ["mab-operator"]}
    async with stage(issuer, {"secret": issuer.secret}) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        (_, held), *_ = browser.cookies.items()
        sent = await back(browser, answer)
        ((_, form),) = issuer.posted
        pages = [await browser.get(path) for path in (DONE, "/", "/journal", "/sign-in")]
        said = "".join(page.text + str(page.headers) for page in pages) + str(sent.headers)
        lines = "".join(entry.line for entry in await here.world.hub.journal.entries(0, 1_000))
        ours = "".join(
            str(one.msg) + str(one.args) for one in caplog.records if one.name.startswith("multiagent_bridge")
        )
        assert len(issuer.issued) == 2
        # whole parts: three letters of a token are in one of some thousand cookies by chance
        parts = [part for token in issuer.issued for part in token.split(".")]
        for secret in (answer["code"], answer["state"], form["code_verifier"], issuer.secret, held, *parts):
            for place in (said, lines, ours):
                assert secret not in place


async def test_signing_in_again_gives_another_cookie_and_none_that_was_planted(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        planted = "A" * 43
        browser.cookies.set(f"mab_browser_{here.port}", planted, domain="127.0.0.1", path="/")
        answer = await signed_in(issuer, browser)
        assert planted not in str(answer.headers.get_list("set-cookie"))


@pytest.mark.parametrize("roles", [["mab-agent"], [], "mab-operator"], ids=str)
async def test_an_agent_and_who_has_no_role_get_no_browser(issuer: Issuer, roles: object) -> None:
    issuer.identity["roles"] = roles
    async with stage(issuer) as here, here.stranger() as browser:
        assert word(await back(browser, issuer.agreed(await begun(browser)))) == "role"
        await nobody(here)
