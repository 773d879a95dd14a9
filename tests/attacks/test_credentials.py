"""Credentials in a git repository: whoever writes there, reads there, or once could, gets nothing taken that was not sent."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.parcels import age
from multiagent_bridge.errors import BridgeError, Refused, Tampered, Unavailable
from multiagent_bridge.guard import parcels as guard
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.parcels import Signed, path_of
from multiagent_bridge.testing.clock import START
from tests.attacks.mailings import Mailing, Worker, refused

pytestmark = pytest.mark.anyio

FILE = path_of("builder-1")


@pytest.fixture
def mailing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailing:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Mailing(tmp_path)


async def test_what_was_sent_is_taken_once(anyio_backend: str, mailing: Mailing) -> None:
    mailing.sent()
    assert (await mailing.worker.pull(mailing.publisher)).fresh
    assert not (await mailing.worker.pull()).fresh
    assert mailing.worker.box.parcel("builder-1") == mailing.parcel()


# --- for somebody else ---------------------------------------------------------------------------------------------------


async def test_a_file_encrypted_to_another_key_is_refused(anyio_backend: str, mailing: Mailing) -> None:
    other = Worker(mailing.root / "other", mailing.repository)
    mailing.put({FILE: mailing.sealed(mailing.parcel(), other.box.recipient)})
    await refused(mailing, Refused)


async def test_another_workers_file_under_this_workers_name_is_refused(anyio_backend: str, mailing: Mailing) -> None:
    """One machine, two workers, one age key: the name is signed too."""
    mailing.put({FILE: mailing.sealed(replace(mailing.parcel(), worker="builder-2"))})
    await refused(mailing, Refused)


async def test_a_worker_that_opened_its_file_cannot_pass_it_on(anyio_backend: str, mailing: Mailing) -> None:
    """Decrypted by who may, encrypted again to somebody else: the recipient is signed too."""
    thief = Worker(mailing.root / "thief", mailing.repository)
    stolen = pyrage.decrypt(mailing.sealed(mailing.parcel(thief)), [age.identity(thief.home)])
    mailing.put({FILE: age.sealed(stolen, mailing.worker.box.recipient)})
    await refused(mailing, Refused)


# --- cut short, changed, forged ------------------------------------------------------------------------------------------


async def test_a_file_cut_short_anywhere_is_refused(anyio_backend: str, mailing: Mailing) -> None:
    whole = mailing.sealed(mailing.parcel())
    chance = random.Random(5)
    for length in [0, 1, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(200))]:
        with pytest.raises((Tampered, Refused)):
            guard.unwrapped(mailing.worker.box.open(whole[:length]))
    mailing.put({FILE: whole[:-1]})
    await refused(mailing, Tampered)


async def test_a_file_with_any_bit_changed_is_refused(anyio_backend: str, mailing: Mailing) -> None:
    whole = mailing.sealed(mailing.parcel())
    chance = random.Random(6)
    for _ in range(300):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        try:
            content = mailing.worker.box.open(bytes(changed))
        except (Tampered, Refused):
            continue
        # the one part that age does not vouch for is a stanza of no recipient
        assert content == mailing.content(mailing.parcel())
    changed = bytearray(whole)
    changed[-1] ^= 1
    mailing.put({FILE: bytes(changed)})
    await refused(mailing, Tampered)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b'{"token": "x"}', b"age-encryption.org/v1\n", b"[" * 60_000, b"\xff" * 1000],
    ids=["nothing", "zeros", "plain text", "a header alone", "deep", "no text"],
)
async def test_what_is_no_age_file_is_refused(anyio_backend: str, mailing: Mailing, content: bytes) -> None:
    mailing.put({FILE: content})
    await refused(mailing, Tampered)


async def test_the_signed_text_itself_unencrypted_is_refused(anyio_backend: str, mailing: Mailing) -> None:
    mailing.put({FILE: mailing.content(mailing.parcel())})
    await refused(mailing, Tampered)


async def test_a_file_under_a_passphrase_is_refused(anyio_backend: str, mailing: Mailing) -> None:
    mailing.put({FILE: pyrage.passphrase.encrypt(mailing.content(mailing.parcel()), "x")})
    await refused(mailing, BridgeError)


CONTENTS: dict[str, Callable[[Mailing], bytes]] = {
    "nothing": lambda m: b"",
    "no JSON": lambda m: b"{",
    "a list": lambda m: b"[]",
    "no signature": lambda m: json.dumps({"body": guard.body_of(m.parcel()), "publisher": m.publisher}).encode(),
    "a signature that is a number": lambda m: changed(m, signature=7),
    "a signature in no base64": lambda m: changed(m, signature="*"),
    "an empty signature": lambda m: changed(m, signature=""),
    "a body with half a letter": lambda m: changed(m, body="\ud800"),
    "a body with another token": lambda m: changed(m, body=guard.body_of(m.parcel(token="f" * 64))),
    "a body with another date": lambda m: changed(m, body=guard.body_of(m.parcel(expires_at=START * 2))),
    "deep": lambda m: b"[" * 60_000,
    "a very long number": lambda m: b'{"body": ' + b"9" * 10_000 + b"}",
}


def changed(mailing: Mailing, **other: object) -> bytes:
    return json.dumps(json.loads(mailing.content(mailing.parcel())) | other).encode()


@pytest.mark.parametrize("name", CONTENTS)
async def test_whatever_else_is_encrypted_to_the_worker_is_refused(
    anyio_backend: str, mailing: Mailing, name: str
) -> None:
    mailing.put({FILE: age.sealed(CONTENTS[name](mailing), mailing.worker.box.recipient)})
    await refused(mailing, Tampered)


async def test_a_file_signed_by_another_publisher_is_refused(anyio_backend: str, mailing: Mailing) -> None:
    mailing.put({FILE: mailing.sealed(mailing.parcel(), keys=MasterKeys(bytes(32)))})
    await refused(mailing, Refused)


async def test_another_publishers_signature_under_the_right_name_is_refused(
    anyio_backend: str, mailing: Mailing
) -> None:
    body, forger = guard.body_of(mailing.parcel()), MasterKeys(bytes(32))
    content = guard.wrapped(Signed(body, mailing.keys.publisher_key, forger.publish(guard.message(body))))
    mailing.put({FILE: age.sealed(content, mailing.worker.box.recipient)})
    await refused(mailing, Tampered)


async def test_a_signature_that_the_hub_made_for_something_else_is_refused(
    anyio_backend: str, mailing: Mailing
) -> None:
    """Neither the audit key over the same text, nor the publisher's own over the text without its context."""
    body = guard.body_of(mailing.parcel())
    for signature in (mailing.keys.sign(guard.message(body)), mailing.keys.publish(body.encode())):
        content = guard.wrapped(Signed(body, mailing.keys.publisher_key, signature))
        mailing.put({FILE: age.sealed(content, mailing.worker.box.recipient)})
        await refused(mailing, Tampered)
    assert mailing.keys.publisher_key != mailing.keys.public_key


BODIES: dict[str, dict[str, object]] = {
    "no token": {"token": ""},
    "a token of another form": {"token": "A" * 64},
    "a path as a name": {"worker": "../../x"},
    "a hub without TLS": {"hub": "http://hub.example.org/mcp"},
    "a hub that is an option": {"hub": "--standalone"},
    "a role with half a letter": {"role": "x\ud800"},
    "a role without end": {"role": "x" * 201},
    "a key of two lines": {"hub_key": "x\ny"},
    "a key of another type": {"hub_key": 7},
    "a hub on a file": {"hub": "file:///etc/passwd"},
    "a conversation of another form": {"conversation_id": "x"},
    "a session of another form": {"session_id": "../b"},
    "a number as text": {"sequence": "8"},
    "a number that is true": {"sequence": True},
    "a number below one": {"sequence": 0},
    "a number without bounds": {"sequence": 10**30},
    "a number with a fraction": {"expires_at": 1e30},
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_publisher_that_signs_nonsense_is_refused(anyio_backend: str, mailing: Mailing, name: str) -> None:
    body = json.dumps(json.loads(guard.body_of(mailing.parcel())) | BODIES[name])
    content = guard.wrapped(Signed(body, mailing.keys.publisher_key, mailing.keys.publish(guard.message(body))))
    mailing.put({FILE: age.sealed(content, mailing.worker.box.recipient)})
    await refused(mailing, Tampered)


async def test_a_form_of_a_later_version_is_refused_and_said_so(anyio_backend: str, mailing: Mailing) -> None:
    body = json.dumps(json.loads(guard.body_of(mailing.parcel())) | {"version": 2})
    content = guard.wrapped(Signed(body, mailing.keys.publisher_key, mailing.keys.publish(guard.message(body))))
    mailing.put({FILE: age.sealed(content, mailing.worker.box.recipient)})
    assert "version" in (await refused(mailing, Refused)).sentence


# --- replayed, expired ---------------------------------------------------------------------------------------------------


async def test_an_old_file_put_back_is_refused_also_in_a_history_written_anew(
    anyio_backend: str, mailing: Mailing
) -> None:
    old = mailing.sent(mailing.parcel(sequence=7))
    await mailing.worker.pull(mailing.publisher)
    mailing.sent(mailing.parcel(sequence=8, generation=2))
    assert (await mailing.worker.pull()).parcel.generation == 2
    mailing.put({FILE: old})
    await refused(mailing, Refused)
    mailing.put({FILE: old}, force=True)
    await refused(mailing, Refused)
    again = Worker(mailing.worker.home, mailing.repository)
    assert (await refused(mailing, Refused, again)).code == "refused"


async def test_a_history_written_anew_with_newer_credentials_is_followed(anyio_backend: str, mailing: Mailing) -> None:
    mailing.sent()
    await mailing.worker.pull(mailing.publisher)
    newer = mailing.parcel(sequence=9)
    mailing.put({path_of(newer.worker): mailing.sealed(newer)}, force=True)
    assert (await mailing.worker.pull()).parcel.sequence == 9


async def test_an_old_file_is_refused_through_another_repository_too(
    anyio_backend: str, mailing: Mailing, tmp_path: Path
) -> None:
    mailing.sent(mailing.parcel(sequence=8))
    await mailing.worker.pull(mailing.publisher)
    (tmp_path / "elsewhere").mkdir()
    other = Mailing(tmp_path / "elsewhere")
    other.put({FILE: mailing.sealed(mailing.parcel(sequence=7))})
    moved = Worker(mailing.worker.home, other.repository)
    await refused(mailing, Refused, moved)


async def test_two_files_of_one_number_are_refused(anyio_backend: str, mailing: Mailing) -> None:
    mailing.sent()
    await mailing.worker.pull(mailing.publisher)
    mailing.sent(mailing.parcel(token="f" * 64))
    await refused(mailing, Refused)


async def test_an_expired_file_is_refused_also_one_that_was_taken(anyio_backend: str, mailing: Mailing) -> None:
    mailing.sent()
    mailing.worker.clock.advance(3600)
    await refused(mailing, Refused)
    mailing.worker.clock.jump(-3600)
    await mailing.worker.pull(mailing.publisher)
    mailing.worker.clock.advance(3600)
    await refused(mailing, Refused)


async def test_a_file_dated_in_the_future_is_refused(anyio_backend: str, mailing: Mailing) -> None:
    mailing.sent(mailing.parcel(issued_at=START + 301 * SECOND))
    await refused(mailing, Refused)


# --- whom a worker trusts ------------------------------------------------------------------------------------------------


async def test_nothing_is_taken_before_somebody_said_whom_to_trust(anyio_backend: str, mailing: Mailing) -> None:
    mailing.sent()
    with pytest.raises(Refused):
        await mailing.worker.pull()
    assert mailing.worker.box.seen("builder-1") is None


async def test_another_publisher_later_is_refused_whatever_the_command_line_says(
    anyio_backend: str, mailing: Mailing
) -> None:
    mailing.sent()
    await mailing.worker.pull(mailing.publisher)
    forger = MasterKeys(bytes(32))
    mailing.put({FILE: mailing.sealed(mailing.parcel(sequence=99), keys=forger)})
    with pytest.raises(Refused):
        await mailing.worker.pull(guard.publisher_text(forger.publisher_key))
    await refused(mailing, Refused)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b"\0", b'{"publisher": "zz", "sequence": 1}'])
async def test_a_damaged_memory_trusts_nobody_anew(anyio_backend: str, mailing: Mailing, damage: bytes) -> None:
    mailing.sent()
    await mailing.worker.pull(mailing.publisher)
    mailing.worker.box.file("builder-1").write_bytes(damage)
    with pytest.raises(Unavailable):
        await mailing.worker.pull(mailing.publisher)


async def test_an_identity_made_anew_opens_what_comes_next_and_nothing_from_before(
    anyio_backend: str, mailing: Mailing
) -> None:
    """`mab credentials keygen --force` beside a sync that runs."""
    mailing.sent()
    await mailing.worker.pull(mailing.publisher)
    again = str(age.identity(mailing.worker.home, make=True, again=True).to_public())
    mailing.sent(mailing.parcel(sequence=8))
    await refused(mailing, Refused)
    mailing.sent(mailing.parcel(sequence=9, recipient=again))
    assert (await mailing.worker.pull()).parcel.sequence == 9
