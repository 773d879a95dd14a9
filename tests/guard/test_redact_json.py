"""JSON is redacted as it is meant, leaves and keys, and stays the same JSON."""

from __future__ import annotations

import json

import pytest

from multiagent_bridge.guard.redact import Redactor
from tests.guard.redaction_samples import PEM_BODY, key

REDACTOR = Redactor()
GITHUB = "ghp_" + key(36)
SAID = (
    "DB_PASSWORD=hunter2xyz\nnext line",
    'password = "hunter2xyz"',
    "the password is hunter2!x",
    "login ok\npassword:\thunter2xyz\nbye",
    'curl -u "bob:hunter2xyz" https://h/',
    "postgres://bob:s3kr/t9x@db:5432/app",
    f"first\n{GITHUB}\nlast",
    f"a\\b {GITHUB} c",
    "\n".join(("-----BEGIN PRIVATE KEY-----", PEM_BODY, "-----END PRIVATE KEY-----")),
    "<password>\n  hunter2xyz\n</password>",
    "kind: Secret\ndata:\n  extra: YWRtaW46cGFzc3dvcmQ=",
    "".join(chr(ord(c) + 0xFEE0) for c in GITHUB),
    f"{GITHUB[:12]}\u200b{GITHUB[12:]}",
    '{"password": "hunter2xyz", "note": "a \\"quoted\\" word"}',
    "nothing secret \\ in \"here\" / at all\n\u2713",
)  # fmt: skip


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_leaf_is_redacted_as_the_text_it_means(said: str, ascii_only: bool) -> None:
    plain = REDACTOR.redact(said).text
    once = json.dumps({"id": 7, "message": said}, ensure_ascii=ascii_only)
    assert json.loads(REDACTOR.redact(once).text) == {"id": 7, "message": plain}


@pytest.mark.parametrize("said", SAID)
def test_a_leaf_of_json_in_a_leaf_of_json_is_redacted_as_the_text_it_means(said: str) -> None:
    plain = REDACTOR.redact(said).text
    twice = json.dumps({"outer": json.dumps({"inner": said})})
    assert json.loads(json.loads(REDACTOR.redact(twice).text)["outer"]) == {"inner": plain}


def test_solidus_escapes_hide_no_password_of_a_url() -> None:
    text = '{"url":"postgres:\\/\\/bob:hunter2xyz@db\\/app"}'
    assert json.loads(REDACTOR.redact(text).text) == {"url": "postgres://bob:PASSWORD_REDACTED@db/app"}


@pytest.mark.parametrize("name", ["pass\\u0077ord", "\\u0070assword", "db\\u005fpassword"])
def test_a_name_written_with_escapes_is_read(name: str) -> None:
    after = json.loads(REDACTOR.redact(f'{{"{name}": "hunter2xyz", "port": 80}}').text)
    assert "hunter2xyz" not in after.values()
    assert after["port"] == 80


def test_a_key_with_escapes_in_it_is_redacted_and_its_value_stays() -> None:
    text = json.dumps({f'say "{GITHUB}"': [1.5, None, True]})
    assert json.loads(REDACTOR.redact(text).text) == {'say "GITHUB_TOKEN_REDACTED"': [1.5, None, True]}


def test_json_lines_and_json_among_other_text_are_read_as_well() -> None:
    line = json.dumps({"out": f'password: "hunter2xyz"\n{GITHUB}'})
    text = f"it's {line}\n{line} \"\n{line}"
    found = REDACTOR.redact(text).text
    assert "hunter2xyz" not in found
    assert GITHUB not in found
    assert json.loads(found.splitlines()[2]) == {"out": 'password: "PASSWORD_REDACTED"\nGITHUB_TOKEN_REDACTED'}


def test_numbers_order_and_white_space_of_a_document_stay() -> None:
    text = '{ "z": 1.0,\n\t"a": [1e3 ,  -0],"password":\t"hunter2xyz" , "t": "x\\/y\\u00e9" }'
    assert REDACTOR.redact(text).text == text.replace("hunter2xyz", "PASSWORD_REDACTED")
