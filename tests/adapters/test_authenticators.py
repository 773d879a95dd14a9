"""What authenticators answer: a key made in this test signs all that is right, and then each thing that is not."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from multiagent_bridge.adapters.authenticators import WebAuthn, here
from multiagent_bridge.errors import NotApproved

RP, ORIGIN, CHALLENGE = "hub.example", "https://hub.example:8443", "x" * 43
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class Key:
    """A passkey in software (W3C Web Authentication, level 2, 6.1 and 6.5)."""

    id: bytes = b"\x07" * 16
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def cose(self) -> bytes:
        numbers = self.private.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def client(self, kind: str, **more: Any) -> bytes:
        said = {"type": kind, "challenge": b64(CHALLENGE.encode()), "origin": ORIGIN, "crossOrigin": False}
        return json.dumps({**said, **more}).encode()

    def creates(self, flags: int = PRESENT | VERIFIED, rp: str = RP, **more: Any) -> str:
        data = hashlib.sha256(rp.encode()).digest() + bytes([flags | ATTESTED]) + bytes(4)
        data += bytes(16) + len(self.id).to_bytes(2, "big") + self.id + self.cose()
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self.client("webauthn.create", **more)
        return self.answer({"clientDataJSON": b64(client), "attestationObject": b64(attested)})

    def signs(self, flags: int = PRESENT | VERIFIED, rp: str = RP, count: int = 5, **more: Any) -> str:
        data = hashlib.sha256(rp.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")
        client = self.client(more.pop("kind", "webauthn.get"), **more)
        signature = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        parts = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
        return self.answer(parts)

    def answer(self, response: dict[str, str]) -> str:
        return json.dumps({"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": response})


WRONG: list[dict[str, Any]] = [
    {"challenge": b64(b"y" * 43)}, {"origin": "https://evil.example"}, {"origin": "http://hub.example:8443"},
    {"origin": "https://hub.example"}, {"rp": "example"}, {"rp": "evil.example"}, {"flags": PRESENT}, {"flags": VERIFIED},
    {"crossOrigin": True}, {"crossOrigin": "no"}, {"topOrigin": "https://evil.example"},
]  # fmt: skip


def test_a_key_is_created_and_signs() -> None:
    judge, key = WebAuthn(), Key()
    assert judge.created(key.creates(), CHALLENGE, RP, ORIGIN) == (key.id, key.cose(), 0)
    assert judge.credential(key.signs()) == key.id
    assert judge.asserted(key.signs(), CHALLENGE, RP, ORIGIN, key.cose(), 4) == 5
    # those that are synced between devices do not count
    assert judge.asserted(key.signs(count=0), CHALLENGE, RP, ORIGIN, key.cose(), 0) == 0


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_whatever_is_not_as_it_was_asked_is_refused(wrong: dict[str, Any]) -> None:
    judge, key = WebAuthn(), Key()
    with pytest.raises(NotApproved):
        judge.created(key.creates(**wrong), CHALLENGE, RP, ORIGIN)
    with pytest.raises(NotApproved):
        judge.asserted(key.signs(**wrong), CHALLENGE, RP, ORIGIN, key.cose(), 0)


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_a_count_that_did_not_rise_is_a_clone(count: int) -> None:
    key = Key()
    with pytest.raises(NotApproved):
        WebAuthn().asserted(key.signs(count=count), CHALLENGE, RP, ORIGIN, key.cose(), 5)


def test_another_key_another_kind_and_a_changed_answer_sign_nothing() -> None:
    judge, key, other = WebAuthn(), Key(), Key()
    for answer in (other.signs(), key.signs(kind="webauthn.create"), key.creates()):
        with pytest.raises(NotApproved):
            judge.asserted(answer, CHALLENGE, RP, ORIGIN, key.cose(), 0)
    changed = json.loads(key.signs())
    changed["response"]["authenticatorData"] = json.loads(key.signs(count=9))["response"]["authenticatorData"]
    with pytest.raises(NotApproved):
        judge.asserted(json.dumps(changed), CHALLENGE, RP, ORIGIN, key.cose(), 0)
    with pytest.raises(NotApproved):
        judge.created(key.signs(), CHALLENGE, RP, ORIGIN)


@pytest.mark.parametrize("said", ["", "null", "[]", "{}", "5", '{"id":"AA","rawId":"AA"}', "[" * 5_000, "\x00"])
def test_what_is_no_answer_is_refused_and_nothing_else_happens(said: str) -> None:
    judge, key = WebAuthn(), Key()
    for verb in (
        lambda: judge.credential(said),
        lambda: judge.created(said, CHALLENGE, RP, ORIGIN),
        lambda: judge.asserted(said, CHALLENGE, RP, ORIGIN, key.cose(), 0),
    ):
        with pytest.raises(NotApproved):
            verb()


def test_the_options_ask_for_a_verified_user_and_these_keys() -> None:
    judge = WebAuthn()
    creation = json.loads(judge.creation(RP, CHALLENGE, "Zoë", [b"\x01"]))
    assert (creation["rp"]["id"], creation["user"]["name"]) == (RP, "Zoë")
    assert creation["authenticatorSelection"]["userVerification"] == "required"
    assert [one["id"] for one in creation["excludeCredentials"]] == [b64(b"\x01")]
    request = json.loads(judge.request(RP, CHALLENGE, [b"\x01", b"\x02"]))
    assert (request["rpId"], request["userVerification"]) == (RP, "required")
    assert [one["id"] for one in request["allowCredentials"]] == [b64(b"\x01"), b64(b"\x02")]
    assert request["challenge"] == b64(CHALLENGE.encode())


def test_the_extra_is_found_where_it_is_installed() -> None:
    assert isinstance(here(), WebAuthn)
