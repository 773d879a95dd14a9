"""Keys as an attacker sends them: guessed, cut, of another hub, with an altered row, or wider than they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from multiagent_bridge.errors import BridgeError, NotAllowed, NotFound, TooFast
from multiagent_bridge.guard import access
from multiagent_bridge.guard import identities as guard
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.testing.hubs import OWNER, TestHub, memory_hub
from tests.oidc_issuer import (
    PEER,
    Issuer,
    b64,
    issuing,
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


@pytest.mark.parametrize(
    "bearer",
    [
        "",
        " ",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "\u00e9" * 57,
        "\ud800",
        "mab_key_",
        "mab_key_" + "0" * 49,
        "mab_key_" + "0" * 1_000_000,
        "MAB_KEY_" + "0" * 49,
        "A" * 10_000_000,
        "A" * 4000 + "." + "B" * 4000 + "." + "C" * 4000,
        "eyJhbGciOiJSUzI1NiJ9." + "W" * 4000 + ".AA",
        b64(b"[" * 3000) + "." + b64(b"[" * 3000) + ".AA",
        b64(b'{"alg":"RS256","kid":' + b"9" * 3000 + b"}") + ".e30.AA",
        b64(b"\xff\xfe{}") + ".e30.AA",
        "x\r\nAuthorization: Bearer y",
    ],
    ids=lambda one: f"{one[:12]!r} of {len(one)}",
)
async def test_what_is_no_credential_is_told_the_same_as_a_wrong_one(
    world: TestHub, issuer: Issuer, bearer: str
) -> None:
    wrong = await refused(world, guard.written("0" * guard.BODY))
    assert await refused(world, bearer) == wrong


async def test_a_key_of_another_hub_opens_nothing_here(issuer: Issuer) -> None:
    here, there = trusting(issuer), trusting(issuer, master=bytes(32))
    made = await there.hub.identities.create(OWNER, "laptop", ["admin"])
    await there.hub.identities.authenticate(made.secret, PEER)
    await refused(here, made.secret)
    # not even when its row was copied into our store
    await here.store.write(lambda tx: tx.api_keys.add(made.key))
    await refused(here, made.secret)


@pytest.mark.parametrize(
    "altered",
    [
        {"roles": ("admin",)},
        {"roles": ("agent", "owner")},
        {"expires_at": None},
        {"conversations": None},
        {"name": "somebody else"},
        {"id": "key_000000000000"},
        {"created_at": 0},
        {"seal": ""},
        {"seal": "\u00e9" * 64},
    ],
    ids=str,
)
async def test_a_row_that_was_altered_in_the_database_opens_nothing(altered: dict[str, Any]) -> None:
    world = memory_hub()
    made = await world.hub.conversations.create(OWNER, "backend", "frontend")
    key = await world.hub.identities.create(OWNER, "laptop", ["agent"], [made.conversation.id], 3600)
    identity = await world.hub.identities.authenticate(key.secret, PEER)
    other = memory_hub()
    await other.store.write(lambda tx: tx.api_keys.add(replace(key.key, **altered)))
    await refused(other, key.secret)
    # what an open stream was let in with is compared, too; its seal was looked at when it came
    shows = {"roles", "expires_at", "conversations", "name", "id"} & set(altered)
    assert await other.hub.identities.still(identity) is not bool(shows)


async def test_rows_that_swapped_their_digests_open_nothing() -> None:
    world = memory_hub()
    weak = await world.hub.identities.create(OWNER, "weak", ["agent"])
    strong = await world.hub.identities.create(OWNER, "strong", ["admin"])
    other = memory_hub()
    await other.store.write(lambda tx: tx.api_keys.add(replace(strong.key, digest=weak.key.digest)))
    await refused(other, weak.secret)


async def test_a_key_with_one_character_changed_or_cut_opens_nothing() -> None:
    world = memory_hub()
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"])
    secret = made.secret
    for place in (0, 5, 8, 30, 50, len(secret) - 1):
        other = "0" if secret[place] != "0" else "1"
        await refused(world, secret[:place] + other + secret[place + 1 :])
    for wrong in (secret[:-1], secret + "0", secret + "\n", secret.swapcase(), " " + secret, secret * 2):
        await refused(world, wrong)


async def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_hub()
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"])
    seen: list[tuple[str, str]] = []
    real = access.same

    def noting(given: str, wanted: str) -> bool:
        seen.append((given, wanted))
        return real(given, wanted)

    monkeypatch.setattr(access, "same", noting)
    await world.hub.identities.authenticate(made.secret, PEER)
    assert (made.key.digest.hex(),) * 2 in seen
    assert (made.key.seal,) * 2 in seen
    # what is looked up is a keyed digest, of which nobody without the master key can choose a single byte
    assert made.key.digest != hashlib.sha256(made.secret.encode()).digest()


async def test_guessing_is_limited_a_peer_and_soon_writes_no_more(issuer: Issuer) -> None:
    world = trusting(issuer, limits=Limits(failures=(Window(5, 60),)))
    errors = []
    for number in range(200):
        with pytest.raises(BridgeError) as found:
            await world.hub.identities.authenticate(guard.written(str(number).rjust(guard.BODY, "0")), PEER)
        errors.append(type(found.value))
    assert errors == [NotAllowed] * 5 + [TooFast] * 195
    assert (await world.hub.journal.head()).size == 6
    await refused(world, "wrong", "ip:192.0.2.8")
    (entry,) = await world.hub.journal.newest(1)
    assert entry.facts["unwritten"] == 194
    world.clock.advance(60)
    await refused(world, "wrong")


async def test_who_guesses_shuts_out_nobody_who_knows(issuer: Issuer) -> None:
    world = trusting(issuer, limits=Limits(failures=(Window(1, 60),)))
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"])
    for number in range(9):
        with pytest.raises(BridgeError):
            await world.hub.identities.authenticate(f"guess {number}", PEER)
    assert (await world.hub.identities.authenticate(made.secret, PEER)).id == made.key.id
    assert (await world.hub.identities.authenticate(issuer.token(world.clock), PEER)).kind == "oidc"


async def test_a_crowd_of_guessers_fills_no_journal() -> None:
    world = memory_hub(Limits(failures=(Window(2, 60),)))
    errors = []
    for number in range(400):
        with pytest.raises(BridgeError) as found:
            await world.hub.identities.authenticate("guess", f"ip:198.51.{number % 250}.{number // 250}")
        errors.append(type(found.value))
    assert errors == [NotAllowed] * 40 + [TooFast] * 360
    assert (await world.hub.journal.head()).size == 41
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"])
    assert (await world.hub.identities.authenticate(made.secret, "ip:198.51.7.7")).id == made.key.id
    world.clock.advance(60)
    await refused(world, "wrong")


async def test_one_machine_with_many_addresses_is_one_peer() -> None:
    world = memory_hub(Limits(failures=(Window(5, 60),)))
    errors = []
    for number in range(20):
        with pytest.raises(BridgeError) as found:
            await world.hub.identities.authenticate("guess", f"ip:2001:db8::{number:x}:7")
        errors.append(type(found.value))
    assert errors == [NotAllowed] * 5 + [TooFast] * 15
    assert guard.origin("ip:::ffff:192.0.2.7") == guard.origin("ip:192.0.2.7")
    assert guard.origin("ip:2001:db8::1%eth0") == guard.origin("ip:2001:db8::2")
    assert guard.origin("ip:2001:db8:0:1::1") != guard.origin("ip:2001:db8::1")
    assert guard.origin("x" * 5000) == "x" * 100


async def test_a_confined_key_cannot_make_itself_a_wider_one() -> None:
    world = memory_hub()
    made = await world.hub.conversations.create(OWNER, "backend", "frontend")
    for roles in (["admin"], ["operator"], ["agent"], ["auditor"]):
        key = await world.hub.identities.create(OWNER, "confined", roles, [made.conversation.id])
        caller = (await world.hub.identities.authenticate(key.secret, PEER)).caller(PEER)
        with pytest.raises(NotAllowed):
            await world.hub.identities.create(caller, "wider", ["admin"])
        with pytest.raises(NotAllowed):
            await world.hub.identities.list(caller)


async def test_a_revoked_key_ends_what_it_holds_open(issuer: Issuer) -> None:
    world = memory_hub()
    made = await world.hub.identities.create(OWNER, "laptop", ["agent"])
    identity = await world.hub.identities.authenticate(made.secret, PEER)
    await world.hub.identities.revoke(OWNER, made.key.id)
    assert not await world.hub.identities.still(identity)
    with pytest.raises(NotFound):
        await world.hub.identities.revoke(OWNER, "key_' OR 1=1 --")
