"""Tokens as an attacker sends them: forged, confused, for somebody else, too late, or claiming more than they may."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from multiagent_bridge.guard import identities as guard
from multiagent_bridge.testing.hubs import TestHub
from tests.oidc_issuer import (
    AUDIENCE,
    CLAIMING,
    DISCOVERY,
    KEYS,
    PEER,
    Issuer,
    b64,
    issuing,
    private,
    public,
    refused,
    signed,
    trusting,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@pytest.fixture
def world(issuer: Issuer) -> TestHub:
    return trusting(issuer)


def pem() -> bytes:
    found: bytes = private("RS256").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


async def test_an_unsigned_token_opens_nothing_however_it_is_spelled(world: TestHub, issuer: Issuer) -> None:
    claims = b64(issuer.claims(world.clock))
    for name in ("none", "None", "NONE", "nOnE", "", " none", None, ["none"], 0):
        for signature in ("", "AAAA"):
            await refused(world, f"{b64({'alg': name, 'typ': 'JWT', 'kid': 'first'})}.{claims}.{signature}")
    assert issuer.asked == {}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_the_public_key_is_no_shared_secret(world: TestHub, issuer: Issuer, algorithm: str) -> None:
    published = public("RS256", "first")
    secrets = (pem(), pem().strip(), json.dumps(published).encode(), published["n"].encode())
    for secret in secrets:
        first = f"{b64({'alg': algorithm, 'kid': 'first'})}.{b64(issuer.claims(world.clock))}"
        code = hmac.digest(secret, first.encode(), "sha" + algorithm[2:])
        await refused(world, f"{first}.{b64(code)}")


async def test_a_key_is_used_with_its_own_algorithm_alone(issuer: Issuer) -> None:
    issuer.keys = [public("RS256", "first"), public("ES256", "curve"), {**public("RS256", "pss", 2), "alg": "PS256"}]
    world = trusting(issuer)
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    for name, algorithm in (("first", "ES256"), ("curve", "RS256"), ("first", "EdDSA")):
        await refused(world, issuer.token(world.clock, name, algorithm))
    for algorithm in ("RS384", "RS512", "PS256"):
        forged = jwt.encode(issuer.claims(world.clock), private("RS256"), algorithm, headers={"kid": "first"})
        await refused(world, forged)
    await refused(world, issuer.token(world.clock, "pss", number=2))


async def test_only_the_issuers_own_signature_counts(world: TestHub, issuer: Issuer) -> None:
    mine = rsa.generate_private_key(65537, 2048)
    claims = issuer.claims(world.clock, roles=["mab-admin"])
    await refused(world, jwt.encode(claims, mine, "RS256", headers={"kid": "first"}))
    head, body, signature = issuer.token(world.clock).split(".")
    await refused(world, f"{head}.{b64(claims)}.{signature}")
    await refused(world, f"{b64({'alg': 'RS256', 'kid': 'first', 'typ': 'JWT'})}.{body}.{signature}")
    for cut in (signature[:-4], signature + "AAAA", "A" * len(signature), signature[::-1]):
        await refused(world, f"{head}.{body}.{cut}")


async def test_a_token_brings_no_key_and_no_address_of_one(world: TestHub, issuer: Issuer) -> None:
    mine = rsa.generate_private_key(65537, 2048)
    own = jwt.get_algorithm_by_name("RS256").to_jwk(mine.public_key(), as_dict=True)
    for header in (
        {"jwk": own},
        {"jku": f"{issuer.url}/mine", "kid": "mine"},
        {"x5u": f"{issuer.url}/mine", "kid": "mine"},
        {"x5c": ["AAAA"], "kid": "mine"},
        {"kid": f"{issuer.url}/mine"},
    ):
        claims = issuer.claims(world.clock)
        await refused(world, jwt.encode(claims, mine, "RS256", headers={"kid": "first", **header}))
    assert set(issuer.asked) == {KEYS, DISCOVERY}


@pytest.mark.parametrize(
    "name",
    [
        "../../../../dev/null",
        "/etc/passwd",
        "first\u0000",
        "first' OR '1'='1",
        "",
        " first",
        "FIRST",
        "first/",
        "x" * 257,
        7,
        None,
        ["first"],
        {"first": 1},
        True,
    ],
)
async def test_a_key_name_is_compared_and_nothing_else(issuer: Issuer, name: object) -> None:
    # two keys, so that a token without a name means neither
    issuer.keys = [public("RS256", "first"), public("RS256", "second", 1)]
    world = trusting(issuer)
    await world.hub.identities.authenticate(signed({"kid": "first"}, issuer.claims(world.clock)), PEER)
    await refused(world, signed({"kid": name}, issuer.claims(world.clock)))


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": ["ISSUER"]},
        {"aud": "https://another.example/mcp"},
        {"aud": []},
        {"aud": None},
        {"aud": ""},
        {"aud": {AUDIENCE: True}},
        {"aud": [AUDIENCE, 7]},
        {"aud": AUDIENCE + "/"},
        {"aud": AUDIENCE.upper()},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"exp": None},
        {"exp": "2999-01-01"},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 1e300},
        {"exp": -1},
        {"exp": 10**400},
        {"exp": [9_999_999_999]},
        {"nbf": 9_999_999_999},
        {"iat": 9_999_999_999},
        {"nbf": "now"},
        {"iat": True},
    ],
    ids=str,
)
async def test_claims_that_are_not_for_us_or_not_now_open_nothing(
    world: TestHub, issuer: Issuer, changed: dict[str, object]
) -> None:
    if changed.get("iss") == ["ISSUER"]:
        changed = {"iss": [issuer.url]}
    good = issuer.claims(world.clock)
    await world.hub.identities.authenticate(signed({"typ": "JWT", "kid": "first"}, good), PEER)
    claims = {name: one for name, one in {**good, **changed}.items() if one is not None}
    await refused(world, signed({"typ": "JWT", "kid": "first"}, claims))


async def test_a_token_for_somebody_else_beside_us_is_for_us(world: TestHub, issuer: Issuer) -> None:
    token = issuer.token(world.clock, aud=["https://another.example", AUDIENCE])
    assert (await world.hub.identities.authenticate(token, PEER)).roles == {"agent"}


@pytest.mark.parametrize(
    "roles",
    [
        "mab-admin",
        "mab-agent mab-admin",
        {"mab-admin": True},
        [["mab-admin"]],
        ["mab-agent", 7],
        ["mab-agent", None],
        [{"name": "mab-admin"}],
        ["admin"],
        ["MAB-ADMIN"],
        ["mab-admin "],
        ["mab"],
        [""],
        ["*"],
        ["owner"],
        [],
        None,
        True,
        7,
    ],
    ids=str,
)
async def test_a_claim_of_another_type_gives_no_role(world: TestHub, issuer: Issuer, roles: object) -> None:
    await refused(world, issuer.token(world.clock, roles=roles))


async def test_a_role_that_nobody_mapped_is_given_to_nobody(issuer: Issuer) -> None:
    unset = trusting(issuer, guard.Claiming())
    await refused(unset, issuer.token(unset.clock, roles=["admin", "agent", ""]))
    odd = trusting(issuer, replace(CLAIMING, roles={"owner": frozenset({"boss"}), "admin": frozenset()}))
    await refused(odd, issuer.token(odd.clock, roles=["boss"]))


@pytest.mark.parametrize("kind", ["secevent+jwt", "logout+jwt", "dpop+jwt", "JOSE", "", 7, None])
async def test_a_token_of_another_purpose_opens_nothing(world: TestHub, issuer: Issuer, kind: object) -> None:
    for good in ({}, {"typ": "JWT"}, {"typ": "at+JWT"}, {"typ": "application/at+jwt"}):
        await world.hub.identities.authenticate(signed({"kid": "first", **good}, issuer.claims(world.clock)), PEER)
    await refused(world, signed({"typ": kind, "kid": "first"}, issuer.claims(world.clock)))


@pytest.mark.parametrize(
    "extra",
    [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"b64": True, "crit": ["b64"]}],
)
async def test_a_header_that_asks_for_more_than_is_understood_opens_nothing(
    world: TestHub, issuer: Issuer, extra: dict[str, object]
) -> None:
    await refused(world, signed({"kid": "first", **extra}, issuer.claims(world.clock)))


async def test_a_deeply_nested_payload_that_the_issuer_signed_is_refused(world: TestHub, issuer: Issuer) -> None:
    bearer = signed({"kid": "first"}, b"[" * 5000)
    assert len(bearer) < guard.TOKEN_CHARACTERS
    await refused(world, bearer)


async def test_a_name_from_the_issuer_forges_no_actor(world: TestHub, issuer: Issuer) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6" * 3
    for name in ("operator uid:0", "zoe) operator (", "a\nhub", "\u202eevil", secret, "x" * 500):
        found = await world.hub.identities.authenticate(issuer.token(world.clock, preferred_username=name), PEER)
        label = found.caller(PEER).label
        assert label.startswith(f"identity {found.id} (")
        assert label.count("(") == label.count(")") == 1
        assert secret not in label
        assert label.isprintable()
        assert len(label) < 200
    nameless = await world.hub.identities.authenticate(issuer.token(world.clock, preferred_username=["x"]), PEER)
    assert nameless.name == "user-7"
