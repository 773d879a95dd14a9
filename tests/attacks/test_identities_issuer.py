"""The issuer as an attacker makes it: gone, wrong, slow, huge, elsewhere, or asked too often."""

from __future__ import annotations

import gzip
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from multiagent_bridge.adapters.oidc.fetching import Fetching
from multiagent_bridge.adapters.oidc.issuer import OidcIssuer
from multiagent_bridge.adapters.oidc.keyset import ALGORITHMS, Times, usable
from multiagent_bridge.errors import Invalid, NotAllowed, TooFast, Unavailable
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import TestHub
from tests.oidc_issuer import (
    AUDIENCE,
    DISCOVERY,
    KEYS,
    PEER,
    Issuer,
    b64,
    issuing,
    public,
    refused,
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


BAD_SETS: dict[str, bytes] = {
    "not JSON": b"<html>",
    "a list": b"[]",
    "no keys": b"{}",
    "empty": b'{"keys": []}',
    "keys of another type": b'{"keys": "first"}',
    "too many": json.dumps({"keys": [public("RS256", "first"), *[{}] * 100]}).encode(),
    "deep": b'{"keys":' + b"[" * 50_000,
    "of others": json.dumps({"keys": [public("RS256", "first") | {"alg": "RS512"}]}).encode(),
    "too long": json.dumps({"keys": [public("RS256", "first")]}).encode() + b" " * 300_000,
    "cut": json.dumps({"keys": [{"kty": "RSA", "kid": "first"}]}).encode()[:-4],
    "a shared secret": json.dumps({"keys": [{"kty": "oct", "kid": "first", "k": b64(b"secret" * 8)}]}).encode(),
    "nonsense": json.dumps({"keys": [1, None, "x", [], {"kty": ["RSA"]}, {"kty": "RSA", "n": 7, "e": {}}]}).encode(),
}


async def test_made_up_key_names_make_the_hub_fetch_no_faster(world: TestHub, issuer: Issuer) -> None:
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    for number in range(100):
        with pytest.raises((NotAllowed, TooFast)):
            await world.hub.identities.authenticate(issuer.token(world.clock, f"made up {number}"), PEER)
    assert issuer.asked[KEYS] == 1
    for number in range(100):
        world.clock.advance(1)
        with pytest.raises((NotAllowed, TooFast)):
            await world.hub.identities.authenticate(issuer.token(world.clock, f"made up {number}"), PEER)
    assert issuer.asked[KEYS] <= 11


@pytest.mark.parametrize("name", BAD_SETS)
async def test_an_issuer_gone_wrong_makes_its_tokens_unavailable(issuer: Issuer, name: str) -> None:
    world = trusting(issuer)
    issuer.answers[KEYS] = (200, {}, BAD_SETS[name])
    with pytest.raises(Unavailable) as away:
        await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    assert "html" not in str(away.value)
    # and the keys that were good go on
    issuer.come_back()
    world.clock.advance(10)
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    issuer.answers[KEYS] = (200, {}, BAD_SETS[name])
    world.clock.advance(400)
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"alg": "HS256"},
        {"alg": "RS512"},
        {"kid": 7},
        {"d": "AQAB"},
        {"e": "AQ"},
        {"e": "AA"},
        {"e": b64(b"\x01" + bytes(40) + b"\x01")},
        {"n": b64((1 << 1023 | 1).to_bytes(128))},
        {"n": b64((1 << 16_383 | 1).to_bytes(2048))},
        {"n": "!!"},
    ],
    ids=str,
)
async def test_a_key_of_another_use_or_strength_verifies_nothing(issuer: Issuer, changed: dict[str, object]) -> None:
    issuer.keys = [{**public("RS256", "first"), **changed}, public("ES256", "good")]
    assert [key.name for key in usable({"keys": issuer.keys}, ALGORITHMS.values())] == ["good"]
    world = trusting(issuer)
    await refused(world, issuer.token(world.clock))
    await world.hub.identities.authenticate(issuer.token(world.clock, "good", "ES256"), PEER)


async def test_two_keys_of_one_name_are_neither(issuer: Issuer) -> None:
    issuer.keys = [public("RS256", "first"), public("RS256", "first", 1), public("ES256", "good")]
    world = trusting(issuer)
    await refused(world, issuer.token(world.clock))
    await refused(world, issuer.token(world.clock, number=1))


async def test_a_redirect_of_the_issuer_is_not_followed(issuer: Issuer) -> None:
    with issuing() as evil:
        for status in (301, 302, 307, 308):
            world = trusting(issuer)
            issuer.answers[KEYS] = (status, {"Location": evil.url + KEYS}, b"")
            with pytest.raises(Unavailable):
                await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
        assert evil.asked == {}


async def test_discovery_leads_to_no_other_host(issuer: Issuer) -> None:
    with issuing() as evil:
        for document in (
            {"issuer": issuer.url, "jwks_uri": evil.url + KEYS},
            {"issuer": evil.url, "jwks_uri": issuer.url + KEYS},
            {"issuer": issuer.url, "jwks_uri": "file:///etc/passwd"},
            {"issuer": issuer.url, "jwks_uri": "http://169.254.169.254/latest"},
            {"issuer": issuer.url, "jwks_uri": issuer.url.replace("http://", "http://user:pw@") + KEYS},
            {"issuer": issuer.url, "jwks_uri": [issuer.url + KEYS]},
            {"issuer": issuer.url},
        ):
            world = trusting(issuer)
            issuer.answers[DISCOVERY] = (200, {}, json.dumps(document).encode())
            with pytest.raises(Unavailable):
                await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
        assert evil.asked == {}
        assert issuer.asked[KEYS] == 0


async def test_a_compressed_answer_is_not_unpacked(issuer: Issuer) -> None:
    whole = json.dumps({"keys": issuer.keys}).encode()
    for body in (gzip.compress(whole), gzip.compress(bytes(50_000_000)), whole):
        world = trusting(issuer)
        issuer.answers[KEYS] = (200, {"Content-Encoding": "gzip"}, body)
        with pytest.raises(Unavailable) as away:
            await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
        assert "compressed" in away.value.sentence


async def test_an_issuer_that_never_answers_holds_nobody_up(issuer: Issuer) -> None:
    issuer.answering.clear()
    impatient = trusting(issuer, seconds=0.2)
    with pytest.raises(Unavailable) as late:
        await impatient.hub.identities.authenticate(issuer.token(impatient.clock), PEER)
    assert "no answer within 0.2 s" in late.value.sentence
    issuer.answering.set()
    world = trusting(issuer, seconds=30)
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    # with keys at hand nobody waits for new ones
    issuer.answering.clear()
    world.clock.advance(400)
    with anyio.fail_after(20):
        await world.hub.identities.authenticate(issuer.token(world.clock), PEER)


async def test_an_answer_that_is_cut_short_is_none(issuer: Issuer) -> None:
    world = trusting(issuer)
    issuer.answers[KEYS] = (200, {"Content-Length": "1000"}, b'{"keys": [')
    with pytest.raises(Unavailable):
        await world.hub.identities.authenticate(issuer.token(world.clock), PEER)


async def test_keys_are_not_held_on_to_for_ever(issuer: Issuer) -> None:
    world = trusting(issuer, times=Times(fresh=300, stale=3600, again=10))
    await world.hub.identities.authenticate(issuer.token(world.clock), PEER)
    issuer.vanish()
    world.clock.advance(3600)
    # the wall clock set back makes them no younger
    world.clock.jump(-86_400)
    with pytest.raises(Unavailable):
        await world.hub.identities.authenticate(issuer.token(world.clock), PEER)


def certified(folder: Path, address: str) -> tuple[ssl.SSLContext, str]:
    """What a server at `address` shows, and the file that vouches for it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = folder / "issuer.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, str(file)


async def test_an_issuer_is_who_its_certificate_says(tmp_path: Path) -> None:
    tls, file = certified(tmp_path, "127.0.0.1")
    with issuing(tls) as issuer:
        world = trusting(issuer, authorities=file)
        assert (await world.hub.identities.authenticate(issuer.token(world.clock), PEER)).roles == {"agent"}
        # the usual authorities know nothing of it
        unknown = trusting(issuer)
        with pytest.raises(Unavailable):
            await unknown.hub.identities.authenticate(issuer.token(unknown.clock), PEER)
    tls, file = certified(tmp_path, "192.0.2.7")
    with issuing(tls) as elsewhere:
        world = trusting(elsewhere, authorities=file)
        with pytest.raises(Unavailable):
            await world.hub.identities.authenticate(elsewhere.token(world.clock), PEER)
        assert elsewhere.asked == {}


def test_a_file_of_authorities_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for name in ("missing", "empty", ""):
        with pytest.raises(Invalid):
            Fetching(f"{tmp_path}/{name}")


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.org",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://[::ffff:192.0.2.7]",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://user:pw@login.example.org",
        "https://login.example.org/#fragment",
        "https://login.example.org/?query",
        "https://",
        "https://login.example.org/\u00e9",
        "https://login.example.org\\@evil.example",
        "login.example.org",
        "",
        "https://x/" + "y" * 2000,
    ],
)
def test_an_issuer_is_https_or_this_machine(url: str) -> None:
    with pytest.raises(Invalid):
        OidcIssuer(url, [AUDIENCE], FakeClock())


def test_an_issuer_without_audience_or_with_a_weak_algorithm_is_not_believed() -> None:
    url = "https://login.example.org"
    for audience, algorithms in (
        ([], ["RS256"]),
        ([""], ["RS256"]),
        ([AUDIENCE], []),
        ([AUDIENCE], ["HS256"]),
        ([AUDIENCE], ["none"]),
    ):
        with pytest.raises(Invalid):
            OidcIssuer(url, audience, FakeClock(), algorithms=algorithms)
