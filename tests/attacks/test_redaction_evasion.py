"""A sender who tries to get a key past the redactor: encodings, hiding, splitting, repeating."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable

import pytest

from multiagent_bridge.guard.redact import Redactor, SeenSecrets
from tests.guard.redaction_samples import PEM_BODY, key

REDACTOR = Redactor()
SECRET = "ghp_" + key(36)
SLACK = "xoxb-" + key(12, "0123456789") + "-" + key(24)


def _fullwidth(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


DISGUISES: dict[str, Callable[[str], str]] = {
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 in a sentence": lambda s: base64.b64encode(f"export KEY={s}\n".encode()).decode(),
    "urlsafe base64 unpadded": lambda s: base64.urlsafe_b64encode(f"the key is {s}??".encode()).decode().rstrip("="),
    "base64 twice": lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
    "base64 of UTF-16": lambda s: base64.b64encode(s.encode("utf-16-le")).decode(),
    "base64 in lines": lambda s: base64.encodebytes(f"{'x' * 60} export KEY={s} {'y' * 60}".encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "capital hex": lambda s: s.encode().hex().upper(),
    "percent": lambda s: "".join(f"%{ord(c):02X}" for c in s),
    "percent twice": lambda s: "".join(f"%25{ord(c):02X}" for c in s),
    "unicode escapes": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "doubled unicode escapes": lambda s: "".join(f"\\\\u{ord(c):04x}" for c in s),
    "hex escapes": lambda s: "".join(f"\\x{ord(c):02x}" for c in s),
    "character references": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "fullwidth": _fullwidth,
    "zero width": lambda s: "\u200b".join(s),
    "word joiners": lambda s: "\u2060".join(s),
    "soft hyphens": lambda s: s[:9] + "\u00ad" + s[9:],
    "variation selectors": lambda s: "\ufe0f".join(s),
    "tag characters": lambda s: s[:12] + "\U000e0041" + s[12:],
    "combining marks": lambda s: "\u0336".join(s),
    "NUL between": lambda s: "\x00".join(s),
    "colours": lambda s: f"{s[:10]}\x1b[0m\x1b[31m{s[10:]}",
    "terminal title": lambda s: f"{s[:10]}\x1b]0;x\x07{s[10:]}",
    "spaced": " ".join,
    "one a line": "\n".join,
    "reversed": lambda s: s[::-1],
    "wrapped": lambda s: f"{s[:20]}\n{s[20:]}",
    "wrapped and quoted": lambda s: f"> {s[:20]}\n> {s[20:]}",
    "continued": lambda s: f"{s[:20]}\\\n{s[20:]}",
    "concatenated": lambda s: f'"{s[:18]}" + "{s[18:]}"',
    "adjacent strings": lambda s: f'"{s[:18]}"\n    "{s[18:]}"',
    "single quotes with a dot": lambda s: f"'{s[:18]}' . '{s[18:]}'",
    "after a newline escape": lambda s: f"a\\n{s}",
    "after a percent escape": lambda s: f"https://h/?u=a%3D{s}%26b",
    "glued to a word": lambda s: f"mytoken{s}",
}


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguised_key_does_not_pass(name: str) -> None:
    disguised = DISGUISES[name](SECRET)
    found = REDACTOR.redact(f"look: {disguised} ok?")
    assert found.kinds, name
    assert found.text.startswith("look: ")
    assert found.text.endswith(" ok?")
    assert disguised not in found.text
    assert len(found.text) < 8 + len(disguised) or "_REDACTED" in found.text


@pytest.mark.parametrize(
    "text",
    [
        f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}",
        "-----BEGIN EC PRIVATE KEY-----\\n" + PEM_BODY.replace("\n", "\\n") + "\\n-----END EC PRIVATE KEY-----",
        "tls.key: |\n    -----BEGIN PRIVATE KEY-----\n    "
        + PEM_BODY.replace("\n", "\n    ")
        + "\n    -----END PRIVATE KEY-----",
        "> -----BEGIN OPENSSH PRIVATE KEY-----\n> "
        + PEM_BODY.replace("\n", "\n> ")
        + "\n> -----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\r\n" + PEM_BODY.replace("\n", "\r\n") + "\r\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n{PEM_BODY}\n-----END PGP PRIVATE KEY BLOCK-----",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"
        f"{PEM_BODY}\n-----END RSA PRIVATE KEY-----",
        '"-----BEGIN PRIVATE KEY-----\\n" +\n  "'
        + PEM_BODY.replace("\n", '\\n" +\n  "')
        + '\\n-----END PRIVATE KEY-----"',
        f"the rest of it:\n{PEM_BODY}\nQx7=\n-----END RSA PRIVATE KEY-----\nthanks",
        PEM_BODY.replace("\n", "\\n") + "\\n-----END EC PRIVATE KEY-----",
        "> " + PEM_BODY.replace("\n", "\n> ") + "\n> -----END OPENSSH PRIVATE KEY-----",
    ],
    ids=[
        "truncated",
        "escaped",
        "indented",
        "quoted",
        "crlf",
        "pgp",
        "encrypted",
        "joined",
        "beheaded",
        "beheaded and escaped",
        "beheaded and quoted",
    ],
)
def test_a_private_key_leaves_no_line_in_any_shape(text: str) -> None:
    found = REDACTOR.redact(text)
    assert "PRIVATE_KEY" in found.kinds
    assert not any(line[:24] in found.text for line in PEM_BODY.split("\n"))


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguised_key_does_not_pass_in_json_nor_in_json_in_json(name: str) -> None:
    disguised = DISGUISES[name](SECRET)
    for text in (
        json.dumps({"m": f"look: {disguised} ok?"}),
        json.dumps({"n": json.dumps({"m": f"look: {disguised} ok?"})}),
    ):
        found = REDACTOR.redact(text)
        assert found.kinds, name
        document = json.loads(found.text)
        inner = document["m"] if "m" in document else json.loads(document["n"])["m"]
        assert inner.startswith("look: ")
        assert inner.endswith(" ok?")
        assert disguised not in inner


def test_a_private_key_as_a_list_of_lines_leaves_none_and_the_list_keeps_its_members() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", *PEM_BODY.split("\n"), "-----END PRIVATE KEY-----"]
    after = json.loads(REDACTOR.redact(json.dumps({"lines": lines, "n": 1})).text)
    assert len(after["lines"]) == len(lines)
    assert after["n"] == 1
    assert not any(line[:24] in str(after) for line in PEM_BODY.split("\n"))


class TestMemory:
    def test_a_password_seen_once_is_caught_where_nothing_names_it(self) -> None:
        memory = SeenSecrets()
        REDACTOR.redact("DB_PASSWORD=correct-Horse7", memory)
        assert (
            REDACTOR.redact("try correct-Horse7 on the other host", memory).text
            == "try PASSWORD_REDACTED on the other host"
        )
        assert REDACTOR.redact("try correct-Horse7 on the other host").kinds == ()

    @pytest.mark.parametrize("shift", ["", "a", "ab"])
    def test_a_seen_password_is_caught_in_base64_at_every_alignment(self, shift: str) -> None:
        memory = SeenSecrets()
        REDACTOR.redact("password: correct-Horse7!battery", memory)
        coded = base64.b64encode(f"{shift}correct-Horse7!battery zz".encode()).decode()
        assert (
            "SECRET" in REDACTOR.redact(f"x {coded} y", memory).kinds
            or "PASSWORD" in REDACTOR.redact(f"x {coded} y", memory).kinds
        )

    @pytest.mark.parametrize("form", [lambda s: s.encode().hex(), lambda s: s[::-1], lambda s: s.replace("!", "%21")])
    def test_a_seen_password_is_caught_in_other_clothes(self, form: object) -> None:
        memory = SeenSecrets()
        REDACTOR.redact("password: correct-Horse7!battery", memory)
        assert REDACTOR.redact(f"x {form('correct-Horse7!battery')} y", memory).kinds == ("PASSWORD",)  # type: ignore[operator]

    @pytest.mark.parametrize(
        "form", [json.dumps, html.escape, lambda s: s.encode().hex(), lambda s: json.dumps({"x": s})], ids=range(4)
    )
    def test_a_seen_password_of_odd_characters_is_caught_in_the_escapes_of_other_languages(self, form: object) -> None:
        memory = SeenSecrets()
        REDACTOR.redact("password: 'correct\"Horse<7>&bat\\tery'", memory)
        text = f"x {form('correct' + chr(34) + 'Horse<7>&bat' + chr(92) + 'tery')} y"  # type: ignore[operator]
        assert "Horse" not in REDACTOR.redact(text, memory).text
        assert "486f727365" not in REDACTOR.redact(text, memory).text

    def test_half_of_a_seen_key_is_caught(self) -> None:
        memory = SeenSecrets()
        REDACTOR.redact(f"use {SECRET}", memory)
        assert SECRET[8:32] not in REDACTOR.redact(f"the middle is {SECRET[8:32]} then", memory).text

    def test_the_second_half_of_a_key_split_over_two_messages_is_caught(self) -> None:
        memory = SeenSecrets()
        REDACTOR.redact(f"first part: {SECRET[:22]}", memory)
        second = REDACTOR.redact(f"{SECRET[22:]} is the rest", memory)
        assert SECRET[22:] not in second.text
        assert second.kinds == ("GITHUB_TOKEN",)

    def test_ordinary_words_and_short_values_are_not_remembered(self) -> None:
        memory = SeenSecrets()
        REDACTOR.redact("password: 'abc1!'", memory)
        assert REDACTOR.redact("abc1! is a label", memory).kinds == ()

    def test_the_registry_is_bounded_and_forgets_the_oldest(self) -> None:
        memory = SeenSecrets(capacity=3)
        values = [f"{key(9, seed=number)}!" for number in range(8)]
        for value in values:
            REDACTOR.redact(f"password: {value}", memory)
        assert len(memory) == 3
        assert REDACTOR.redact(f"x {values[7]} y", memory).kinds == ("PASSWORD",)
        assert REDACTOR.redact(f"x {values[0]} y", memory).kinds == ()

    def test_one_conversation_knows_nothing_of_another(self) -> None:
        one, other = SeenSecrets(), SeenSecrets()
        REDACTOR.redact("password: correct-Horse7!", one)
        assert REDACTOR.redact("x correct-Horse7! y", other).kinds == ()
