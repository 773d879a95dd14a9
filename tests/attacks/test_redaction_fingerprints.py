"""An agent that uses fingerprints to test guesses, to tell passwords apart, or to claim a key it has not got."""

from __future__ import annotations

import base64
import re

import pytest

from multiagent_bridge.guard.redact import CustomPattern, Fingerprints, Redactor, SeenSecrets
from multiagent_bridge.guard.redaction.fingerprints import ISSUED_AT_MOST
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.services.redaction import OF_ONE, REMEMBERED, Redaction
from multiagent_bridge.testing.hubs import agent, memory_hub
from tests.guard.redaction_samples import HEX, PEM_BODY, key

MARKED = Redactor(fingerprints=True)
MARK = re.compile(r"_REDACTED\[")
GITHUB = "ghp_" + key(36)


def conversation() -> SeenSecrets:
    return SeenSecrets(fingerprints=Fingerprints("conv_a", str.encode, {}))


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


GUESSABLE = {
    "password": "DB_PASSWORD=hunter2xyz",
    "password in quotes": 'password = "correct-Horse7!battery"',
    "long password": f"password: {key(40)}",
    "password in prose": "the password is hunter2xyz!",
    "password of a URL": "postgres://bob:hunter2xyz@db/app",
    "password for curl": "curl -u bob:hunter2xyz https://h",
    "secret by its name": f"client_secret: {key(40)}",
    "key by its name": f"api_key = '{key(32)}'",
    "hash of a password under a name": f"secret_key: {key(64, HEX)}",
    "secret in prose": f"the secret is {key(32)}",
    "secret beside a service": f"okta token {key(40)}",
    "basic authorization": "Authorization: Basic " + coded("bob:hunter2xyz"),
    "bearer": f"Authorization: Bearer {key(40)}",
    "cookie": f"Cookie: sessionid={key(32)}",
    "manifest": "kind: Secret\ndata:\n  a: " + coded("hunter2xyz and more of it"),
    "encoded key": coded(f"export K={GITHUB}"),
    "key in hex": GITHUB.encode().hex(),
    "key backwards": GITHUB[::-1],
    "key in pieces": f"{GITHUB[:20]}\n{GITHUB[20:]}",
    "key in two strings": f'"{GITHUB[:20]}" + "{GITHUB[20:]}"',
    "key of a pattern": "ghp_" + "ab12" * 9,
    "key of few characters": "ghp_" + "aaB1" * 9,
    "key of words": "sk-" + "CorrectHorseBatteryStapleAgain1234567890"[:48],
    "beginning of a private key": f"-----BEGIN PRIVATE KEY-----\n{PEM_BODY}",
    "end of a private key": f"{PEM_BODY}\n-----END PRIVATE KEY-----",
    "private key of nothing": f"-----BEGIN PRIVATE KEY-----\n{'A' * 64}\n-----END PRIVATE KEY-----",
}


@pytest.mark.parametrize("name", GUESSABLE)
def test_what_can_be_guessed_or_is_not_whole_has_no_fingerprint(name: str) -> None:
    found = MARKED.redact(f"look: {GUESSABLE[name]}\n", conversation())
    assert found.kinds, "it was not redacted at all"
    assert not MARK.search(found.text)


def test_the_rest_of_a_key_begun_in_an_earlier_message_has_no_fingerprint() -> None:
    memory = conversation()
    MARKED.redact(f"first part: {GITHUB[:22]}", memory)
    second = MARKED.redact(f"{GITHUB[22:]} is the rest", memory)
    assert second.kinds == ("GITHUB_TOKEN",)
    assert not MARK.search(second.text)


def test_a_seen_password_that_turns_up_again_has_no_fingerprint() -> None:
    memory = conversation()
    MARKED.redact("DB_PASSWORD=correct-Horse7!battery", memory)
    for text in ("try correct-Horse7!battery", "try " + b"correct-Horse7!battery".hex()):
        found = MARKED.redact(text, memory)
        assert found.kinds == ("PASSWORD",)
        assert not MARK.search(found.text)


def test_a_custom_pattern_has_no_fingerprint_because_its_values_may_be_few() -> None:
    redactor = Redactor(
        [
            CustomPattern("code-names", "CODE_NAME", words=("Project Falcon",)),
            CustomPattern("acme", "ACME_TOKEN", shape="acme_{b32}", matches=("acme_" + key(32),)),
        ],
        fingerprints=True,
    )
    text = redactor.redact(f"Project Falcon and acme_{key(32)}", conversation()).text
    assert text == "CODE_NAME_REDACTED and ACME_TOKEN_REDACTED"


def guesses(count: int) -> list[str]:
    """The first 32 characters of a key that somebody knows, with endings tried out."""
    return [GITHUB[:36] + key(4, seed=seed) for seed in range(1_000, 1_000 + count)]


def test_a_message_full_of_guesses_buys_no_more_of_them() -> None:
    found = MARKED.redact("\n".join(guesses(1_000)), conversation())
    assert found.text.count("GITHUB_TOKEN_REDACTED") == 1_000
    assert len(set(re.findall(r"\[[0-9a-f]{8}\]", found.text))) == ISSUED_AT_MOST


@pytest.mark.parametrize("way", ["many conversations", "a full memory"])
def test_making_the_hub_forget_a_conversation_does_not_begin_its_count_anew(way: str) -> None:
    redaction = Redaction(MARKED.redact, memory_hub().keys)
    given = sum(bool(MARK.search(redaction.said("conv_a", guess).text)) for guess in guesses(ISSUED_AT_MOST))
    assert given == ISSUED_AT_MOST
    if way == "many conversations":
        for number in range(2 * REMEMBERED):
            redaction.said(f"conv_x{number}", "hello")
    else:
        for number in range(OF_ONE // 20):
            redaction.said("conv_a", f"password: {key(30, seed=number)}!")
    assert not MARK.search(redaction.said("conv_a", "ghp_" + key(36, seed=77)).text)


async def test_two_agents_compare_keys_and_the_sender_is_told_only_the_kind(anyio_backend: str) -> None:
    world = memory_hub(redact=MARKED.redact)
    alice, bob = agent("alice"), agent("bob")
    made = await world.hub.conversations.create(alice, "backend", "frontend", [])
    await world.hub.conversations.join(bob, NO_CREDENTIALS, made.invites[1])
    for text in (f"mine is {GITHUB}", "DB_PASSWORD=hunter2xyz", f"yours was {GITHUB}"):
        sent = await world.hub.messages.send(alice, NO_CREDENTIALS, text)
        assert "[" not in str(sent.fields()["redactions"]).strip("[]")
    mail = await world.hub.messages.check(bob, NO_CREDENTIALS, world.hub.ids.claim())
    rows: list[dict[str, object]] = mail.fields()["messages"]  # type: ignore[assignment]
    one, password, again = (str(row["message"]) for row in rows)
    assert one.removeprefix("mine is ") == again.removeprefix("yours was ")
    assert re.fullmatch(r"mine is GITHUB_TOKEN_REDACTED\[[0-9a-f]{8}\]", one)
    assert password == "DB_PASSWORD=PASSWORD_REDACTED"


async def test_a_search_and_a_role_have_no_fingerprints(anyio_backend: str) -> None:
    world = memory_hub(redact=MARKED.redact)
    assert world.hub.redaction.text(f"find {GITHUB}").text == "find GITHUB_TOKEN_REDACTED"
    made = await world.hub.conversations.create(agent("alice"), f"the {GITHUB}"[:40], "frontend", [])
    assert not MARK.search(str(made))


def test_a_fingerprint_typed_by_hand_is_left_as_text_and_gives_none_out() -> None:
    issued: dict[str, set[str]] = {}
    memory = SeenSecrets(fingerprints=Fingerprints("conv_a", str.encode, issued))
    text = "mine is GITHUB_TOKEN_REDACTED[0123abcd], too"
    assert MARKED.redact(text, memory).text == text
    assert issued == {}
