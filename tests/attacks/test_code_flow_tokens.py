"""Attacks on what the issuer answers when a browser signs in there: ID tokens for others, and a token endpoint gone wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from multiagent_bridge.errors import BridgeError
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.services.code_flow import Begun
from multiagent_bridge.testing.hubs import OWNER, TestHub
from tests.faces.http_yard import UNLIMITED
from tests.oidc_issuer import CLIENT, PEER, TOKEN, Issuer, b64, issuing, private, trusting

pytestmark = pytest.mark.anyio

BASE = "https://bridge.example.org"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@pytest.fixture
def world(issuer: Issuer) -> TestHub:
    return signing_in(issuer)


def signing_in(issuer: Issuer) -> TestHub:
    """A hub where people sign in at the issuer, as operators."""
    issuer.identity["roles"] = ["mab-operator"]
    return trusting(issuer, limits=UNLIMITED, signs_in={})


async def ended(world: TestHub, begun: Begun, answer: Mapping[str, str]) -> str:
    """How the sign-in ended: `done`, or the kind of refusal, and then nobody is signed in."""
    try:
        await world.hub.browsers.finish(begun.cookie, answer, BASE, PEER)
    except BridgeError as error:
        assert await world.hub.browsers.list(OWNER) == []
        return str(error.facts["said"])
    return "done"


def altered(issuer: Issuer, nonce: str, change: Mapping[str, Any]) -> str:
    """An ID token with one thing wrong with it."""
    header = {"typ": "JWT", **change.get("header", {})}
    claims = issuer.claims(
        issuer.clock, **{"aud": CLIENT, "nonce": nonce, "roles": ["mab-operator"], **change.get("claims", {})}
    )
    if change.get("none"):
        return f"{b64({'alg': 'none', **header})}.{b64(claims)}."
    if change.get("shared"):
        return jwt.encode(claims, "a" * 64, "HS256", headers={"kid": "first", **header})
    return jwt.encode(claims, private("RS256", change.get("key", 0)), "RS256", headers={"kid": "first", **header})


@pytest.mark.parametrize(
    "change",
    [
        {"claims": {"aud": "another-client"}},
        {"claims": {"aud": []}},
        {"claims": {"aud": [CLIENT, "another-client"]}},
        {"claims": {"aud": [CLIENT, "another-client"], "azp": "another-client"}},
        {"claims": {"azp": "another-client"}},
        {"claims": {"azp": [CLIENT]}},
        {"claims": {"iss": "https://evil.example"}},
        {"claims": {"nonce": None}},
        {"claims": {"nonce": ""}},
        {"claims": {"nonce": ["{nonce}"]}},
        {"claims": {"nonce": 7}},
        {"claims": {"iat": None}},
        {"claims": {"iat": True}},
        {"claims": {"iat": "{now}"}},
        {"claims": {"iat": 1}},
        {"claims": {"exp": None}},
        {"claims": {"exp": 1}},
        {"claims": {"exp": True}},
        {"claims": {"sub": None}},
        {"header": {"typ": "at+jwt"}},
        {"header": {"typ": "logout+jwt"}},
        {"header": {"kid": "other"}},
        {"header": {"crit": ["exp"]}},
        {"none": True},
        {"shared": True},
        {"key": 1},
    ],
    ids=str,
)
async def test_an_id_token_that_is_not_for_this_very_request_signs_nobody_in(
    world: TestHub, issuer: Issuer, change: dict[str, Any]
) -> None:
    begun = await world.hub.browsers.begin(BASE)
    nonce = parse_qs(urlsplit(begun.address).query)["nonce"][0]
    words = json.dumps(change).replace("{nonce}", nonce).replace("{now}", str(world.clock.now() // SECOND))
    given = {"token_type": "Bearer", "id_token": altered(issuer, nonce, json.loads(words))}
    issuer.answers[TOKEN] = (200, {}, json.dumps(given).encode())
    assert await ended(world, begun, issuer.agreed(begun.address)) == "answer"


async def test_an_id_token_that_is_good_is_the_only_difference(world: TestHub, issuer: Issuer) -> None:
    begun = await world.hub.browsers.begin(BASE)
    nonce = parse_qs(urlsplit(begun.address).query)["nonce"][0]
    given = {"token_type": "Bearer", "id_token": altered(issuer, nonce, {})}
    issuer.answers[TOKEN] = (200, {}, json.dumps(given).encode())
    assert await ended(world, begun, issuer.agreed(begun.address)) == "done"


async def test_an_access_token_in_the_place_of_the_id_token_signs_nobody_in(world: TestHub, issuer: Issuer) -> None:
    begun = await world.hub.browsers.begin(BASE)
    given = {"token_type": "Bearer", "id_token": issuer.token(issuer.clock, roles=["mab-admin"])}
    issuer.answers[TOKEN] = (200, {}, json.dumps(given).encode())
    assert await ended(world, begun, issuer.agreed(begun.address)) == "answer"


WRONG: dict[str, tuple[int, dict[str, str], bytes]] = {
    "gone": (503, {}, b"away"),
    "not JSON": (200, {}, b"<html>"),
    "a list": (200, {}, b"[]"),
    "deep": (200, {}, b'{"id_token":' + b"[" * 50_000),
    "too long": (200, {}, b'{"id_token": "x"}' + b" " * 300_000),
    "cut": (200, {"Content-Length": "1000"}, b'{"id_token": "'),
    "compressed": (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(50_000_000))),
    "an error of its own": (400, {}, b'{"error": "mab_key_0123456789"}'),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_token_endpoint_gone_wrong_is_an_issuer_that_is_away(world: TestHub, issuer: Issuer, name: str) -> None:
    begun = await world.hub.browsers.begin(BASE)
    issuer.answers[TOKEN] = WRONG[name]
    assert await ended(world, begun, issuer.agreed(begun.address)) == "unavailable"
    (entry,) = [one for one in await world.hub.journal.entries(0, 100) if one.action == "browser.sign_in"]
    assert (entry.outcome, entry.code) == ("refused", "unavailable")
    assert "mab_key" not in "".join(one.line for one in await world.hub.journal.entries(0, 100))


@pytest.mark.parametrize("given", [{}, {"id_token": None}, {"id_token": ["x"]}, {"id_token": "x" * 100_000}], ids=str)
async def test_an_answer_without_an_id_token_signs_nobody_in(
    world: TestHub, issuer: Issuer, given: dict[str, object]
) -> None:
    begun = await world.hub.browsers.begin(BASE)
    access = issuer.token(issuer.clock, roles=["mab-admin"])
    said = {"token_type": "Bearer", "access_token": access, **given}
    issuer.answers[TOKEN] = (200, {}, json.dumps(said).encode())
    assert await ended(world, begun, issuer.agreed(begun.address)) == "answer"


async def test_a_code_is_never_posted_to_where_the_issuer_redirects_or_points(issuer: Issuer) -> None:
    with issuing() as evil:
        world = signing_in(issuer)
        for status in (301, 302, 307, 308):
            begun = await world.hub.browsers.begin(BASE)
            issuer.answers[TOKEN] = (status, {"Location": evil.url + TOKEN}, b"")
            assert await ended(world, begun, issuer.agreed(begun.address)) == "unavailable"
        issuer.come_back()
        for endpoint in (
            evil.url + TOKEN,
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            issuer.url.replace("http://", "http://user:pw@") + TOKEN,
            None,
            7,
        ):
            issuer.metadata["token_endpoint"] = endpoint
            world = signing_in(issuer)
            begun = await world.hub.browsers.begin(BASE)
            assert await ended(world, begun, issuer.agreed(begun.address)) == "unavailable"
        assert evil.asked == {}
        assert issuer.asked[TOKEN] == 4
