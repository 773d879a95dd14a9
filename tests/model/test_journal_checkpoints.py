"""Signed checkpoints: interoperable with C2SP signed notes, and closed to everything else."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from multiagent_bridge.errors import BridgeError, Invalid, Tampered
from multiagent_bridge.model.checkpoints import (
    Checkpoint,
    key_hash,
    parse_verifier_key,
    sign,
    verifier_key,
    verify,
)

ORIGIN = "example.org/journal"
ROOT = hashlib.sha256(b"some root").digest()


def pair(seed: int) -> tuple[Ed25519PrivateKey, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return key, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def check(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


KEY, PUBLIC = pair(1)
OTHER, OTHER_PUBLIC = pair(2)
VKEY = verifier_key(ORIGIN, PUBLIC)
GOOD = Checkpoint(ORIGIN, 20_852_163, ROOT)
NOTE = sign(GOOD, ORIGIN, PUBLIC, KEY.sign)


def test_a_signed_checkpoint_has_the_published_form_and_verifies() -> None:
    text, signature = NOTE.split("\n\n")
    assert text.split("\n") == [ORIGIN, "20852163", base64.b64encode(ROOT).decode()]
    assert signature.startswith(f"\u2014 {ORIGIN} ")
    assert signature.endswith("=\n")
    raw = base64.b64decode(signature.split(" ")[2])
    assert (raw[:4], len(raw)) == (key_hash(ORIGIN, PUBLIC), 68)
    assert raw[:4] == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + PUBLIC).digest()[:4]
    assert verify(NOTE, VKEY, check) == Checkpoint.parse(NOTE) == GOOD


@pytest.mark.parametrize(
    "published",
    [
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_published_verifier_keys_of_other_programs_are_read_and_written_alike(published: str) -> None:
    assert verifier_key(*parse_verifier_key(published)) == published


def test_the_example_of_the_published_specification_is_read() -> None:
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGz"
        "Gku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    read = Checkpoint.parse(note)
    assert (read.origin, read.size, read.root[:2]) == ("example.com/behind-the-sofa", 20_852_163, b"\x0a\xc5")


@settings(max_examples=300)
@given(st.integers(0, len(NOTE) - 1), st.characters(max_codepoint=0x2020))
def test_no_changed_character_of_a_note_verifies(at: int, other: str) -> None:
    changed = NOTE[:at] + other + NOTE[at + 1 :]
    if changed == NOTE:
        assert verify(changed, VKEY, check) == GOOD
        return
    with pytest.raises((Invalid, Tampered)):
        verify(changed, VKEY, check)


@given(st.integers(0, len(NOTE) - 1))
def test_no_part_of_a_note_verifies(length: int) -> None:
    with pytest.raises((Invalid, Tampered)):
        verify(NOTE[:length], VKEY, check)


@given(st.text(max_size=200))
def test_any_text_is_no_checkpoint_and_says_so(text: str) -> None:
    for read in (Checkpoint.parse, lambda note: verify(note, VKEY, check)):
        with pytest.raises(Invalid):
            read(text)


def test_a_note_cosigned_by_unknown_keys_verifies() -> None:
    stranger = f"\u2014 witness.example {base64.b64encode(bytes(4 + 72)).decode()}\n"
    namesake = sign(GOOD, ORIGIN, OTHER_PUBLIC, OTHER.sign).rpartition("\n\n")[2]
    assert verify(NOTE + stranger + namesake, VKEY, check) == GOOD


def test_a_note_of_another_key_of_the_same_name_is_not_ours() -> None:
    with pytest.raises(Tampered):
        verify(sign(GOOD, ORIGIN, OTHER_PUBLIC, OTHER.sign), VKEY, check)


def test_a_key_of_another_name_is_another_key() -> None:
    with pytest.raises(Tampered):
        verify(sign(GOOD, "example.org/other", PUBLIC, KEY.sign), VKEY, check)


def test_a_wrong_signature_beside_a_right_one_of_the_same_key_refuses_the_note() -> None:
    wrong = f"\u2014 {ORIGIN} {base64.b64encode(key_hash(ORIGIN, PUBLIC) + bytes(64)).decode()}\n"
    with pytest.raises(Tampered):
        verify(NOTE + wrong, VKEY, check)


def test_a_signature_has_one_way_to_be_written() -> None:
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = NOTE[-3]
    stray = NOTE[:-3] + digits[digits.index(last) + 1] + NOTE[-2:]
    assert base64.b64decode(stray.split(" ")[2]) == base64.b64decode(NOTE.split(" ")[2])
    with pytest.raises(Invalid):
        verify(stray, VKEY, check)


def test_a_forged_text_before_the_signed_one_is_not_read_in_its_place() -> None:
    forged = Checkpoint(ORIGIN, 5, ROOT).body().decode() + "\n" + NOTE
    with pytest.raises(Invalid):
        verify(forged, VKEY, check)


@pytest.mark.parametrize("line", ["an extension", "an\r", "tab\there"])
def test_lines_beyond_the_three_are_refused_even_signed(line: str) -> None:
    body = GOOD.body().decode() + line + "\n"
    raw = base64.b64encode(key_hash(ORIGIN, PUBLIC) + KEY.sign(body.encode())).decode()
    with pytest.raises(Invalid):
        verify(f"{body}\n\u2014 {ORIGIN} {raw}\n", VKEY, check)


@pytest.mark.parametrize("size", ["", "01", "-1", "+1", " 1", "1_0", "1.0", "\u0661", "1" * 17, "0x1"])
def test_a_size_has_one_way_to_be_written(size: str) -> None:
    with pytest.raises(Invalid):
        Checkpoint.parse(NOTE.replace("20852163", size))


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, ROOT),
        ("two\nlines", 1, ROOT),
        ("bell\x07", 1, ROOT),
        (ORIGIN, -1, ROOT),
        (ORIGIN, 2**53, ROOT),
        (ORIGIN, 1, ROOT[:31]),
        (ORIGIN, 0, ROOT),
    ],
)
def test_a_checkpoint_that_could_not_be_read_again_is_never_made(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(Invalid):
        Checkpoint(origin, size, root)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "name",
        VKEY[:-1],
        VKEY.replace("+", "-"),
        VKEY.replace(ORIGIN, "example.org/other"),
        VKEY.replace(ORIGIN, ""),
        VKEY.upper(),
        f" {VKEY}",
        f"{VKEY}\n",
        verifier_key(ORIGIN, OTHER_PUBLIC).rpartition("+")[0] + "+" + VKEY.split("+", 2)[2],
        f"{ORIGIN}+{key_hash(ORIGIN, PUBLIC).hex()}+{base64.b64encode(bytes([2]) + PUBLIC).decode()}",
    ],
)
def test_a_verifier_key_whose_parts_do_not_agree_is_refused(key: str) -> None:
    with pytest.raises(Invalid):
        parse_verifier_key(key)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak", "wide\u3000space", "bell\x07"])
def test_a_name_that_would_not_survive_a_note_signs_nothing(name: str) -> None:
    with pytest.raises(Invalid):
        sign(GOOD, name, PUBLIC, KEY.sign)


def test_keys_and_signatures_of_a_wrong_length_are_refused() -> None:
    with pytest.raises(Invalid):
        sign(GOOD, ORIGIN, PUBLIC[:31], KEY.sign)
    with pytest.raises(Invalid):
        sign(GOOD, ORIGIN, PUBLIC, lambda _: bytes(63))
    short = base64.b64encode(key_hash(ORIGIN, PUBLIC) + bytes(63)).decode()
    with pytest.raises(Tampered):
        verify(f"{GOOD.body().decode()}\n\u2014 {ORIGIN} {short}\n", VKEY, lambda *_: True)


def test_a_note_of_any_length_is_refused_before_it_is_read() -> None:
    with pytest.raises(Invalid):
        verify(NOTE + NOTE[NOTE.index("\u2014") :] * 1000, VKEY, check)


def test_every_refusal_is_one_of_ours() -> None:
    for note in ("\n\n", "\n\n\n", "a\n\n\u2014", f"{ORIGIN}\n1\n\n\n\u2014 a b\n", "\ud800\n\n\u2014 a AAAA\n"):
        with pytest.raises(BridgeError):
            verify(note, VKEY, check)
