"""Fingerprints beside placeholders: the same key is seen to be the same, and nothing else is told."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from multiagent_bridge.guard.redact import Fingerprints, Redactor, SeenSecrets
from multiagent_bridge.guard.redaction.fingerprints import CONVERSATIONS_AT_MOST, ISSUED_AT_MOST
from multiagent_bridge.services.redaction import Redaction
from multiagent_bridge.testing.hubs import memory_hub
from tests.guard.redaction_samples import PEM_BODY, key

MARKED = Redactor(fingerprints=True)
GITHUB = "ghp_" + key(36)
OTHER = "ghp_" + key(36, seed=2)
MARK = re.compile(r"([A-Z_]+_REDACTED)\[([0-9a-f]{8})\]")


def conversation(name: str = "conv_a", issued: dict[str, set[str]] | None = None, secret: bytes = b"k") -> SeenSecrets:
    given = {} if issued is None else issued
    return SeenSecrets(fingerprints=Fingerprints(name, lambda name: secret + name.encode(), given))


def marks(text: str, memory: SeenSecrets) -> list[tuple[str, str]]:
    return MARK.findall(MARKED.redact(text, memory).text)


def test_they_are_off_until_asked_for_and_need_a_conversation() -> None:
    assert Redactor().redact(GITHUB, conversation()).text == "GITHUB_TOKEN_REDACTED"
    assert MARKED.redact(GITHUB).text == "GITHUB_TOKEN_REDACTED"
    assert MARKED.redact(GITHUB, SeenSecrets()).text == "GITHUB_TOKEN_REDACTED"


def test_the_same_key_has_the_same_fingerprint_and_another_key_another() -> None:
    memory = conversation()
    (one,) = marks(f"mine is {GITHUB}", memory)
    (again,) = marks(f"export GITHUB_TOKEN={GITHUB}", memory)
    (other,) = marks(f"mine is {OTHER}", memory)
    assert one == again
    assert one != other
    assert one[0] == "GITHUB_TOKEN_REDACTED"


@pytest.mark.parametrize(
    "text",
    [
        f"token: {GITHUB}", f'{{"token": "{GITHUB}"}}', f"https://bob:{GITHUB}@h/o/r.git", f"Authorization: Bearer {GITHUB}",
        f"{GITHUB[:9]}\u200b{GITHUB[9:]}", f'say "a\\n{GITHUB}"', f"({GITHUB})", f"`{GITHUB}`,",
    ],
)  # fmt: skip
def test_a_key_is_the_same_wherever_it_stands(text: str) -> None:
    memory = conversation()
    assert marks(text, memory)[0][1] == marks(GITHUB, memory)[0][1]


def test_a_private_key_is_the_same_in_every_shape_of_it_that_is_whole() -> None:
    memory = conversation()
    whole = f"-----BEGIN PRIVATE KEY-----\n{PEM_BODY}\n-----END PRIVATE KEY-----"
    (wanted,) = marks(whole, memory)
    for text in (
        whole.replace("\n", "\\n"),
        json.dumps({"k": whole}),
        whole.replace("\n", "\n    "),
        f"> {whole}".replace("\n", "\n> "),
    ):
        assert marks(text, memory) == [wanted]
    assert marks(whole[:200], memory) == []


def test_conversations_kinds_and_masters_tell_nothing_of_each_other() -> None:
    seen = {
        marks(GITHUB, conversation("conv_a"))[0][1],
        marks(GITHUB, conversation("conv_b"))[0][1],
        marks(GITHUB, conversation("conv_a", secret=b"other"))[0][1],
    }
    assert len(seen) == 3


def test_a_second_pass_changes_nothing_wherever_the_placeholder_stands() -> None:
    memory = conversation()
    marked = MARKED.redact(GITHUB, memory).text
    for text in (
        marked, f"password={marked}", f"Bearer {marked}", f"https://u:{marked}@h/", f'{{"token": "{marked}"}}',
        f"api_key: {marked}", f"the password is {marked}.", f"--token {marked}", f"Cookie: a={marked}; b=c",
        f"curl -u bob:{marked} https://h", f"tokens: [\"{marked}\"]", f"- name: TOKEN\n  value: {marked}",
    ):  # fmt: skip
        assert MARKED.redact(text, memory).text == text
        assert Redactor().redact(text).text == text


def test_json_stays_json() -> None:
    memory = conversation()
    text = json.dumps({GITHUB: 1, "list": [GITHUB, {"token": OTHER}], "n": 1.5})
    after = json.loads(MARKED.redact(text, memory).text)
    (first, name) = (marks(GITHUB, memory)[0], f"{after['list'][0]}")
    assert name == f"{first[0]}[{first[1]}]"
    assert after == {name: 1, "list": [name, {"token": after["list"][1]["token"]}], "n": 1.5}


def test_the_kinds_told_to_the_sender_hold_no_fingerprint() -> None:
    assert MARKED.redact(GITHUB, conversation()).kinds == ("GITHUB_TOKEN",)


def test_a_conversation_gives_out_few_and_a_key_that_has_one_keeps_it() -> None:
    memory = conversation()
    first = marks(GITHUB, memory)
    given = [marks("ghp_" + key(36, seed=seed), memory) for seed in range(100, 100 + 2 * ISSUED_AT_MOST)]
    assert sum(map(bool, given)) == ISSUED_AT_MOST - 1
    assert marks(GITHUB, memory) == first


def test_none_is_forgotten_to_make_room_for_others() -> None:
    issued: dict[str, set[str]] = {f"conv_{n}": {"0" * 8} for n in range(CONVERSATIONS_AT_MOST)}
    assert marks(GITHUB, conversation("conv_late", issued)) == []
    assert marks(GITHUB, conversation("conv_7", issued))
    assert len(issued) == CONVERSATIONS_AT_MOST


def test_explaining_a_text_gives_out_none() -> None:
    issued: dict[str, set[str]] = {}
    MARKED.explain(GITHUB, conversation("conv_a", issued))
    assert issued == {}


def test_the_service_gives_each_conversation_its_own_key_and_a_restart_changes_nothing() -> None:
    keys = memory_hub().keys
    one, restarted = Redaction(MARKED.redact, keys), Redaction(MARKED.redact, keys)
    said = one.said("conv_a", GITHUB).text
    assert MARK.fullmatch(said)
    assert restarted.said("conv_a", f"x {GITHUB}").text == f"x {said}"
    assert one.said("conv_b", GITHUB).text != said
    assert one.text(GITHUB).text == "GITHUB_TOKEN_REDACTED"
    one.forget("conv_a")
    assert one.said("conv_a", GITHUB).text == said


def test_the_redactor_needs_no_cryptography_until_one_is_written() -> None:
    program = (
        "import sys; from multiagent_bridge.guard.redact import Redactor; Redactor().redact('password: hunter2xyz');"
        "print('hmac' in sys.modules, '_hashlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "False False\n"
