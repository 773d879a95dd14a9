"""Signing in at the issuer as a browser gets it, and what the sign-in page says of a sign-in that ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from multiagent_bridge.services.browsers import IDLE_SECONDS, SIGNED_IN_SECONDS
from multiagent_bridge.testing.hubs import OWNER
from multiagent_bridge.web.code_flow import DONE, START
from tests.faces.browsing import Site, site, text
from tests.faces.code_flows import back, begun, signed_in, stage, word
from tests.oidc_issuer import AUTHORIZE, CLIENT, DISCOVERY, TOKEN, Issuer, issuing

pytestmark = pytest.mark.anyio


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


async def test_the_sign_in_page_leads_to_the_issuer_and_back_to_the_dashboard(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        for path, status in (("/sign-in", 200), ("/", 401)):
            page = await browser.get(path)
            assert page.status_code == status
            assert f'href="{START}"' in page.text
            assert f"Sign in with {urlsplit(issuer.url).netloc}" in text(page.text)
        await signed_in(issuer, browser)
        page = await browser.get("/")
        assert page.status_code == 200
        assert "zoe (operator)" in text(page.text)


async def test_the_request_is_one_for_a_code_with_pkce_state_and_nonce(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        address = urlsplit(await begun(browser))
        asked = parse_qs(address.query)
        assert f"{address.scheme}://{address.netloc}{address.path}" == issuer.url + AUTHORIZE
        assert asked["redirect_uri"] == [f"{here.url}/sign-in/return"]
        assert (asked["response_type"], asked["scope"]) == (["code"], ["openid profile"])
        assert (asked["client_id"], asked["code_challenge_method"]) == ([CLIENT], ["S256"])
        for name in ("state", "nonce", "code_challenge"):
            assert len(asked[name][0]) >= 43
        assert asked["state"] != asked["nonce"]
        again = parse_qs(urlsplit(await begun(browser)).query)
        assert all(again[name] != asked[name] for name in ("state", "nonce", "code_challenge"))


async def test_the_cookie_for_the_way_back_is_lax_and_short_and_the_one_of_the_sign_in_strict(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        line = (await browser.get(START)).headers["set-cookie"]
        assert re.fullmatch(
            rf"mab_sign_in_{here.port}=[0-9A-Za-z]{{43}}\.\d+; Path=/; HttpOnly; SameSite=Lax; Max-Age=600", line
        )
        answer = await back(browser, issuer.agreed(await begun(browser)))
        gone, kept = answer.headers.get_list("set-cookie")
        assert gone == f"mab_sign_in_{here.port}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        assert re.fullmatch(
            rf"mab_browser_{here.port}=[0-9A-Za-z]{{43}}; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800", kept
        )


async def test_under_tls_both_cookies_are_secure_and_of_this_host_alone(issuer: Issuer, tmp_path: Path) -> None:
    async with stage(issuer, place={"tls": tmp_path}) as here, here.stranger() as browser:
        answer = await back(browser, issuer.agreed(await begun(browser)))
        for line in answer.headers.get_list("set-cookie"):
            assert line.startswith("__Host-mab_")
            assert line.endswith("; Secure")
        assert (await browser.get("/")).status_code == 200


async def test_the_page_after_it_goes_on_by_itself_without_scripts_and_has_no_code_in_its_address(
    issuer: Issuer,
) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        await signed_in(issuer, browser)
        page = await browser.get(DONE)
        assert '<meta http-equiv="refresh" content="0; url=/">' in page.text
        assert '<a href="/">' in page.text


async def test_behind_a_public_address_the_issuer_sends_back_to_that_one_alone(issuer: Issuer) -> None:
    place = {"public_url": "https://bridge.example.org"}
    async with stage(issuer, place=place) as here, here.stranger() as browser:
        port = here.face.listener._sockets[0].getsockname()[1]
        browser.base_url = f"http://127.0.0.1:{port}"
        answer = await browser.get(START)
        assert answer.headers["location"] == "https://bridge.example.org/sign-in"
        assert "set-cookie" not in answer.headers
        answer = await browser.get(START, headers={"host": "bridge.example.org"})
        asked = parse_qs(urlsplit(answer.headers["location"]).query)
        assert asked["redirect_uri"] == ["https://bridge.example.org/sign-in/return"]


async def test_who_says_no_at_the_issuer_reads_one_sentence_and_the_journal_has_an_entry(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        state = issuer.agreed(await begun(browser))["state"]
        answer = await back(browser, {"error": "access_denied", "state": state, "iss": issuer.url})
        assert word(answer) == "denied"
        page = await browser.get(answer.headers["location"])
        assert page.status_code == 200
        assert "the issuer did not sign you in" in text(page.text)
        (entry,) = await here.world.hub.journal.newest(1)
        assert (entry.action, entry.outcome, entry.code) == ("browser.sign_in", "refused", "not_allowed")
        assert "access_denied" in entry.line
        assert issuer.asked[TOKEN] == 0


async def test_an_issuer_that_is_away_is_said_to_be_and_the_terminals_link_opens(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        issuer.answers[DISCOVERY] = (503, {}, b"away")
        assert word(await browser.get(START)) == "unavailable"
        made = await here.world.hub.browsers.link(OWNER)
        assert (await here.post(browser, "/sign-in", code=made.code)).status_code == 303


async def test_an_issuer_that_fails_at_the_last_step_leaves_an_entry(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        answer = issuer.agreed(await begun(browser))
        issuer.answers[TOKEN] = (500, {}, b"oops")
        assert word(await back(browser, answer)) == "unavailable"
        (entry,) = await here.world.hub.journal.newest(1)
        assert (entry.action, entry.outcome, entry.code) == ("browser.sign_in", "refused", "unavailable")
        assert "it answered 500" in entry.line


async def test_who_has_no_role_here_is_told_so(issuer: Issuer) -> None:
    issuer.identity["roles"] = ["something-else"]
    async with stage(issuer) as here, here.stranger() as browser:
        answer = await back(browser, issuer.agreed(await begun(browser)))
        assert word(answer) == "role"
        assert "gives a role here" in text((await browser.get(answer.headers["location"])).text)


async def test_who_is_signed_in_is_not_sent_to_the_issuer(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.browser() as browser:
        answer = await browser.get(START)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_without_an_issuer_there_is_neither_a_button_nor_a_way() -> None:
    async with site() as here, here.stranger() as browser:
        assert START not in (await browser.get("/sign-in")).text
        for path in (START, "/sign-in/return?code=x&state=y"):
            answer = await browser.get(path)
            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers


async def test_a_sentence_that_is_not_ours_does_not_come_from_the_address(issuer: Issuer) -> None:
    async with stage(issuer) as here, here.stranger() as browser:
        page = await browser.get("/sign-in", params={"failed": "<b>your disk is full</b>"})
        assert "your disk" not in page.text
        assert 'role="alert"' not in page.text


async def ended(here: Site, seconds: int) -> None:
    """A sign-in that is over by itself is said to be, once."""
    async with here.browser() as browser:
        here.world.clock.advance(seconds)
        browser.headers["sec-fetch-dest"] = "document"
        for path in ("/", "/sign-in"):
            assert "Your sign-in has ended" in text((await browser.get(path)).text), path
        assert "Your sign-in has ended" not in text((await browser.get("/sign-in")).text)


@pytest.mark.parametrize("seconds", [IDLE_SECONDS, SIGNED_IN_SECONDS, 5 * 86_400])
async def test_a_sign_in_that_ended_by_itself_is_said_to_have_ended(seconds: int) -> None:
    async with site() as here:
        await ended(here, seconds)


async def test_the_cookie_of_a_hub_on_another_port_says_nothing_of_ours() -> None:
    async with site() as here, here.stranger() as browser:
        page = await browser.get("/", headers={"cookie": f"mab_browser_{here.port + 1}=x; mab_browser=y"})
        assert "has ended" not in page.text


@pytest.mark.parametrize("name", ["message", "reason", "note"])
async def test_words_that_came_after_the_end_are_given_back_to_who_has_no_scripts(name: str) -> None:
    async with site() as here, here.stranger() as browser:
        words = "first line\r\n</textarea><script>alert(1)</script>"
        answer = await here.post(browser, "/conversations/conv_000000000000/speak", **{name: words, "key": "said_1"})
        assert answer.status_code == 401
        found = re.search(r"<noscript>(.*?)</noscript>", answer.text, re.DOTALL)
        assert found is not None
        assert "first line" in found[1]
        assert "<script>" not in found[1]
        assert "said_1" not in answer.text


async def test_no_code_and_no_answer_of_an_authenticator_is_given_back() -> None:
    async with site() as here, here.stranger() as browser:
        for path in ("/sign-in", "/approvals/approve"):
            answer = await here.post(browser, path, code="typed-code", answer="typed-answer", message="")
            assert "typed-" not in answer.text
