"""Signing in at the issuer: what its tokens give, how long that lasts, and what the hub asks it for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from multiagent_bridge.errors import BridgeError, Invalid, NotAllowed, Unavailable
from multiagent_bridge.guard.identities import Claiming
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.services.browsers import SIGNED_IN_SECONDS
from multiagent_bridge.services.code_flow import FLOW_SECONDS
from multiagent_bridge.testing.hubs import OWNER, TestHub
from tests.oidc_issuer import AUDIENCE, DISCOVERY, PEER, ROLES, TOKEN, Issuer, b64, issuing, trusting

pytestmark = pytest.mark.anyio

BASE = "https://bridge.example.org"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        found.identity["roles"] = ["mab-operator"]
        yield found


async def sign_in(world: TestHub, issuer: Issuer, **changed: str) -> Any:
    begun = await world.hub.browsers.begin(BASE)
    answer = issuer.agreed(begun.address) | changed
    return await world.hub.browsers.finish(begun.cookie, answer, BASE, PEER)


async def refused(world: TestHub, issuer: Issuer) -> tuple[str, object]:
    """Code and kind of the refusal; the entry has neither the code nor a token."""
    with pytest.raises(BridgeError) as found:
        await sign_in(world, issuer)
    (entry,) = await world.hub.journal.newest(1)
    assert (entry.action, entry.outcome) == ("browser.sign_in", "refused")
    assert entry.code == found.value.code
    return found.value.code, found.value.facts.get("said")


async def test_the_id_token_says_who_it_is_and_what_they_may_do(issuer: Issuer) -> None:
    world = trusting(issuer, signs_in={})
    signed = await sign_in(world, issuer)
    found = await world.hub.browsers.authenticate(signed.cookie)
    assert found is not None
    assert (found.name, found.roles, found.conversations) == ("zoe", {"operator"}, None)
    (entry,) = await world.hub.journal.newest(1)
    assert (entry.action, entry.outcome) == ("browser.sign_in", "done")
    known = await world.hub.identities.authenticate(issuer.token(world.clock, roles=["mab-operator"]), PEER)
    # the same person as by a bearer token, and the journal says so
    assert known.id in entry.line


async def test_roles_that_only_the_access_token_has_count(issuer: Issuer) -> None:
    issuer.identity["roles"] = None
    issuer.access = {"roles": ["mab-auditor"]}
    world = trusting(issuer, signs_in={})
    found = await world.hub.browsers.authenticate((await sign_in(world, issuer)).cookie)
    assert found is not None
    assert found.roles == {"auditor"}


@pytest.mark.parametrize(
    "access",
    [{"sub": "somebody-else"}, {"aud": "another"}, {"iss": "https://evil.example"}, {"exp": 1}, {"roles": ["x"]}],
    ids=str,
)
async def test_an_access_token_that_is_not_theirs_or_not_for_this_hub_gives_no_role(
    issuer: Issuer, access: dict[str, object]
) -> None:
    issuer.identity["roles"] = None
    issuer.access = {"roles": ["mab-admin"], **access}
    assert await refused(trusting(issuer, signs_in={}), issuer) == ("not_allowed", "role")


async def test_where_the_issuer_confines_people_their_browsers_are_confined(issuer: Issuer) -> None:
    mine = "conv_0123456789ab"
    claiming = Claiming(roles=ROLES, conversations_claim="conversations")
    world = trusting(issuer, claiming, signs_in={})
    assert await refused(world, issuer) == ("not_allowed", "role")
    issuer.identity["conversations"] = [mine]
    found = await world.hub.browsers.authenticate((await sign_in(world, issuer)).cookie)
    assert found is not None
    assert found.conversations == {mine}


async def test_a_sign_in_lasts_as_that_of_a_link_and_not_as_the_token(issuer: Issuer) -> None:
    world = trusting(issuer, signs_in={})
    signed = await sign_in(world, issuer)
    for _ in range(SIGNED_IN_SECONDS // 1800 - 1):
        world.clock.advance(1800)
        assert await world.hub.browsers.authenticate(signed.cookie)
    world.clock.advance(1800)
    assert await world.hub.browsers.authenticate(signed.cookie) is None


async def test_the_verifier_is_told_with_the_code_and_never_before(issuer: Issuer) -> None:
    world = trusting(issuer, signs_in={})
    begun = await world.hub.browsers.begin(BASE)
    answer = issuer.agreed(begun.address)
    await world.hub.browsers.finish(begun.cookie, answer, BASE, PEER)
    ((_, form),) = issuer.posted
    verifier = form["code_verifier"]
    assert 43 <= len(verifier) <= 128
    assert b64(hashlib.sha256(verifier.encode()).digest()) in begun.address
    assert verifier not in begun.address + begun.cookie
    assert form["redirect_uri"] == f"{BASE}/sign-in/return"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", None])
async def test_a_client_with_a_secret_says_it_as_the_issuer_wants_it(issuer: Issuer, method: str | None) -> None:
    if method != "client_secret_post":
        issuer.secret = "s3cret-of-the-client"
    if method:
        issuer.metadata["token_endpoint_auth_methods_supported"] = [method]
    world = trusting(issuer, signs_in={"secret": "s3cret-of-the-client"})
    await sign_in(world, issuer)
    ((header, form),) = issuer.posted
    assert header.startswith("Basic ") == (method != "client_secret_post")
    assert form.get("client_secret") == ("s3cret-of-the-client" if method == "client_secret_post" else None)


async def test_a_person_has_ten_minutes_at_the_issuer(issuer: Issuer) -> None:
    world = trusting(issuer, signs_in={})
    for seconds, opens in ((FLOW_SECONDS - 1, True), (FLOW_SECONDS, False), (-2, False)):
        begun = await world.hub.browsers.begin(BASE)
        world.clock.advance(seconds) if seconds > 0 else world.clock.jump(seconds)
        answer = issuer.agreed(begun.address)
        if opens:
            await world.hub.browsers.finish(begun.cookie, answer, BASE, PEER)
        else:
            with pytest.raises(NotAllowed) as late:
                await world.hub.browsers.finish(begun.cookie, answer, BASE, PEER)
            assert late.value.facts["said"] == "elsewhere"


async def test_a_hub_of_the_same_store_and_key_finishes_what_another_began(issuer: Issuer) -> None:
    one = trusting(issuer, signs_in={})
    other = trusting(issuer, signs_in={}, store=one.store, clock=one.clock)
    begun = await one.hub.browsers.begin(BASE)
    signed = await other.hub.browsers.finish(begun.cookie, issuer.agreed(begun.address), BASE, PEER)
    assert await one.hub.browsers.authenticate(signed.cookie)


async def test_an_issuer_that_is_away_is_asked_once_in_ten_seconds(issuer: Issuer) -> None:
    world = trusting(issuer, signs_in={})
    issuer.answers[DISCOVERY] = (503, {}, b"away")
    for _ in range(20):
        with pytest.raises(Unavailable):
            await world.hub.browsers.begin(BASE)
    assert issuer.asked[DISCOVERY] == 1
    issuer.come_back()
    world.clock.advance(10)
    await world.hub.browsers.begin(BASE)


async def test_what_is_known_of_the_issuer_serves_for_an_hour_while_it_is_away(issuer: Issuer) -> None:
    world = trusting(issuer, signs_in={})
    await world.hub.browsers.begin(BASE)
    issuer.answers[DISCOVERY] = (503, {}, b"away")
    world.clock.advance(3_599)
    await world.hub.browsers.begin(BASE)
    world.clock.advance(1)
    with pytest.raises(Unavailable):
        await world.hub.browsers.begin(BASE)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [("invalid_grant", "not_allowed", "answer"), ("invalid_client", "unavailable", "unavailable")],
)
async def test_what_the_token_endpoint_refuses_is_told_apart(issuer: Issuer, error: str, code: str, said: str) -> None:
    issuer.answers[TOKEN] = (400, {}, f'{{"error": "{error}"}}'.encode())
    world = trusting(issuer, signs_in={})
    assert await refused(world, issuer) == (code, said)
    (entry,) = await world.hub.journal.newest(1)
    assert error in entry.line


async def test_what_a_browser_keeps_belongs_to_the_person_and_not_to_the_sign_in(issuer: Issuer) -> None:
    world = trusting(issuer, signs_in={})
    browsers = world.hub.browsers

    async def owner(cookie: str) -> str:
        found = await browsers.authenticate(cookie)
        assert found is not None
        return browsers.owner(found)

    one, again = [await owner((await sign_in(world, issuer)).cookie) for _ in range(2)]
    assert one == again != ""
    bearer = issuer.token(world.clock, roles=["mab-operator"])
    identity = await world.hub.identities.authenticate(bearer, PEER)
    made = await browsers.link(identity.caller(PEER), world.clock.now() + 300 * SECOND)
    assert await owner((await browsers.sign_in(made.code, PEER)).cookie) == one
    # a namesake is somebody else, and so is whoever comes from the terminal
    issuer.identity["sub"] = "user-8"
    other = await owner((await sign_in(world, issuer)).cookie)
    made = await browsers.link(OWNER)
    terminal = await owner((await browsers.sign_in(made.code, PEER)).cookie)
    assert len({one, other, terminal}) == 3


async def test_a_link_of_an_issuers_token_still_opens_and_ends_with_it(issuer: Issuer) -> None:
    world = trusting(issuer)
    person = Caller("bearer:oidc_1", "zoe", PEER, roles=frozenset({"auditor"}), identity="oidc_1")
    made = await world.hub.browsers.link(person, world.clock.now() + 60 * SECOND)
    signed = await world.hub.browsers.sign_in(made.code, PEER)
    assert await world.hub.browsers.authenticate(signed.cookie)
    world.clock.advance(60)
    assert await world.hub.browsers.authenticate(signed.cookie) is None


@pytest.mark.parametrize(
    "settings", [{"scopes": ("profile",)}, {"scopes": ("openid", "a b")}, {"token_url": "http://login.example.org/t"}]
)
def test_settings_that_sign_nobody_in_are_refused_at_the_start(issuer: Issuer, settings: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        trusting(issuer, signs_in=settings)


async def test_the_audience_of_an_id_token_is_the_client_and_it_opens_nothing_as_a_bearer(issuer: Issuer) -> None:
    world = trusting(issuer, signs_in={})
    with pytest.raises(NotAllowed):
        await world.hub.identities.authenticate(issuer.id_token("nonce"), PEER)
    issuer.identity["aud"] = AUDIENCE
    assert await refused(world, issuer) == ("not_allowed", "answer")
