"""What the redactor replaces and what it leaves, seen from outside. Keys are put together here and were never issued."""

from __future__ import annotations

import json

import pytest

from multiagent_bridge.errors import Invalid, Refused
from multiagent_bridge.guard.redact import CustomPattern, Redactor
from tests.guard.redaction_samples import BASE62, PEM_BODY, key

REDACTOR = Redactor()

GITHUB = "ghp_" + key(36)
AWS = "AKIA" + key(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
OPENAI = "sk-proj-" + key(80)


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        (f"id {AWS} here", "id AWS_KEY_REDACTED here", "AWS_KEY"),
        (f"run with {GITHUB}.", "run with GITHUB_TOKEN_REDACTED.", "GITHUB_TOKEN"),
        (f"OPENAI_API_KEY={OPENAI}", "OPENAI_API_KEY=OPENAI_KEY_REDACTED", "OPENAI_KEY"),
        (f"Authorization: Bearer {key(40)}", "Authorization: Bearer BEARER_TOKEN_REDACTED", "BEARER_TOKEN"),
        ("DB_PASSWORD=hunter2!x", "DB_PASSWORD=PASSWORD_REDACTED", "PASSWORD"),
        (f'api_key = "{key(32)}"', 'api_key = "API_KEY_REDACTED"', "API_KEY"),
        (f'client_secret: "{key(32)}"', 'client_secret: "SECRET_REDACTED"', "SECRET"),
        (
            f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}\n-----END RSA PRIVATE KEY-----\nnext",
            "PRIVATE_KEY_REDACTED\nnext",
            "PRIVATE_KEY",
        ),
    ],
)
def test_each_placeholder_of_the_contract_replaces_only_the_value(text: str, expected: str, kind: str) -> None:
    found = REDACTOR.redact(text)
    assert found.text == expected
    assert found.kinds == (kind,)


@pytest.mark.parametrize(
    "text",
    [
        "password: hunter2",
        "the password is hunter2!",
        "mysql --password Sne3sd8AZjq -u root",
        "postgres://app:s3cretPw@db/app",
        "redis://:mango_zs77x@cache:6379/0",
        "machine api.example.com login bob password Tr0ub4dor",
        '{\\"password\\": \\"hunter2xyz\\"}',
        "<password>hunter2xyz</password>",
        '<add key="SmtpPassword" value="hunter2xyz"/>',
        "| password | hunter2xyz |",
        "CREATE ROLE app LOGIN PASSWORD 'hunter2xyz';",
        "Server=db;User Id=app;Password=hunter2xyz;",
        "curl -u admin:hunter2xyz https://db.example.com",
        "login ok\\npassword: hunter2xyz\\nbye",
        'os.environ["DB_PASSWORD"] = "hunter2xyz"',
        "spring.datasource.password=hunter2xyz",
        "пароль: hunter2xyz",
    ],
)
def test_a_password_does_not_survive_in_any_common_place(text: str) -> None:
    found = REDACTOR.redact(text)
    assert "PASSWORD" in found.kinds
    assert all(value not in found.text for value in ("hunter2", "Sne3sd8AZjq", "s3cretPw", "mango_zs77x", "Tr0ub4dor"))


@pytest.mark.parametrize(
    "text",
    [
        "password: ${DB_PASSWORD}",
        "password = getpass.getpass()",
        "const password = req.body.password;",
        "password: str = Field(..., min_length=8)",
        "password must not be empty",
        "login failed: invalid password for user bob",
        "compass: north, by-pass: enabled, pass=412 fail=8",
        "headers = {'Authorization': f'Bearer {access_token}'}",
        "token count: 18234",
        "next_page_token: null",
        '"tokens": {"input": 1200, "output": 340}',
        "export GITHUB_TOKEN=$(gh auth token)",
        "--password-file /run/secrets/db_password",
        "secretKeyRef:\n  name: db-creds\n  key: password",
        "commit 3f2a9c1e8b7d6f5a4c3b2a190817263544536271 fixes it",
        "image: ghcr.io/org/app@sha256:b0fc99e1608f2349507a61a2dc2478868df1404e1909c2752d88a5768740ec7c",
        "request_id=7f9c2ba4-e88f-4c2d-9f3a-1b2c3d4e5f60 status=200",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
        "The secret to fast tests is fewer fixtures.",
        "sk-learn is not the package name, task-force-one met at noon",
        "git@github.com:org/repo.git and http://user@host/path",
        "regex: AKIA[0-9A-Z]{16} and r'ghp_[A-Za-z0-9]{36}'",
        "foreign key (user_id) references users(id)",
        "cache_key = f'user:{user_id}:profile'",
        "API_KEY=your-api-key-here",
        "it is a key question whether the token bucket refills",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert REDACTOR.redact(text).text == text


def test_kinds_come_once_each_in_order_of_appearance() -> None:
    found = REDACTOR.redact(f"password: hunter2!x then {GITHUB} then DB_PASSWORD=other9pw")
    assert found.kinds == ("PASSWORD", "GITHUB_TOKEN")


def test_a_second_pass_changes_nothing_and_placeholders_are_no_findings() -> None:
    once = REDACTOR.redact(f'{{"password": "hunter2xyz", "key": "{GITHUB}"}} and Bearer {key(40)}').text
    assert REDACTOR.redact(once).text == once
    assert REDACTOR.explain(once) == []
    for rule in REDACTOR.rules():
        for text in (
            rule.placeholder,
            f"password={rule.placeholder}",
            f"Bearer {rule.placeholder}",
            f"https://u:{rule.placeholder}@h/",
        ):
            assert REDACTOR.redact(text).text == text


@pytest.mark.parametrize(
    "mark", ["gitleaks:allow", "pragma: allowlist secret", "kingfisher:ignore", "betterleaks:allow", "nosec"]
)
def test_a_mark_in_the_text_buys_no_exemption(mark: str) -> None:
    assert GITHUB not in REDACTOR.redact(f"token = '{GITHUB}'  # {mark}").text


def test_json_stays_the_same_json_with_leaves_and_keys_redacted() -> None:
    document = {
        "password": "hunter2xyz",
        "pin_password": 8345621,
        "nested": [{"cmd": f"export T={GITHUB}"}, 1.50, True, None, "caf\u00e9 \u2713"],
        GITHUB: "as a key",
        "text": f"first\n{AWS}",
    }
    text = json.dumps(document, indent=1)
    after = json.loads(REDACTOR.redact(text).text)
    assert after["password"] == "PASSWORD_REDACTED"
    assert after["pin_password"] == "PASSWORD_REDACTED"
    assert after["nested"] == [{"cmd": "export T=GITHUB_TOKEN_REDACTED"}, 1.5, True, None, "caf\u00e9 \u2713"]
    assert after["GITHUB_TOKEN_REDACTED"] == "as a key"
    assert after["text"] == "first\nAWS_KEY_REDACTED"
    assert list(after) == ["password", "pin_password", "nested", "GITHUB_TOKEN_REDACTED", "text"]


def test_a_json_document_ten_thousand_levels_deep_is_still_redacted() -> None:
    text = "[" * 10_000 + f'"{GITHUB}"' + "]" * 10_000
    assert REDACTOR.redact(text).text == "[" * 10_000 + '"GITHUB_TOKEN_REDACTED"' + "]" * 10_000


@pytest.mark.parametrize("odd", ["\ud800", "\x00", "\udfff\ud800", "\u0130", "\U0010ffff", "\r", "\x85", ""])
def test_any_string_is_accepted_and_keeps_its_odd_characters(odd: str) -> None:
    assert REDACTOR.redact(odd).text == odd
    found = REDACTOR.redact(f"a{odd} {GITHUB} {odd}z").text
    assert GITHUB not in found
    assert found.startswith(f"a{odd} ")
    assert found.endswith(f" {odd}z")


def test_explain_gives_rule_and_place_and_never_the_value() -> None:
    text = f"use {GITHUB} now"
    (finding,) = REDACTOR.explain(text)
    assert (finding.rule, finding.kind) == ("github-classic", "GITHUB_TOKEN")
    assert text[finding.start : finding.end] == GITHUB
    assert GITHUB not in repr(finding)


def test_a_spent_budget_withholds_the_text() -> None:
    with pytest.raises(Refused) as refused:
        Redactor(steps=3).redact(f"{GITHUB} " * 10)
    assert refused.value.code == "refused"
    assert "in time" in refused.value.sentence
    assert GITHUB not in str(refused.value)


def test_an_internal_failure_withholds_the_text() -> None:
    class Broken:
        def find(self, text: str) -> list[object]:
            raise RuntimeError(text)

    with pytest.raises(Refused) as refused:
        Redactor(scanner=Broken()).redact(f"hello {GITHUB}")
    assert GITHUB not in str(refused.value)


def test_the_ordinary_budget_covers_a_message_full_of_keys() -> None:
    text = "\n".join("ghp_" + key(36, BASE62, seed) for seed in range(1_200))
    assert REDACTOR.redact(text).text.count("GITHUB_TOKEN_REDACTED") == 1_200


def test_rules_names_every_recogniser_once_with_its_placeholder() -> None:
    rules = Redactor(
        [CustomPattern("acme-token", "ACME_TOKEN", shape="acme_{b32}", matches=("acme_" + key(32),))]
    ).rules()
    names = [rule.name for rule in rules]
    assert len(names) == len(set(names)) > 400
    assert rules[-1].placeholder == "ACME_TOKEN_REDACTED"
    assert all(rule.placeholder.endswith("_REDACTED") for rule in rules)


class TestCustomPatterns:
    def test_a_shape_and_words_are_found_and_named_as_said(self) -> None:
        redactor = Redactor(
            [
                CustomPattern(
                    "acme-token", "ACME_TOKEN", shape="acme_{b32}", matches=("acme_" + key(32),), ignores=("acme_x",)
                ),
                CustomPattern("code-names", "CODE_NAME", words=("Project Falcon",)),
            ]
        )
        found = redactor.redact(f"Project Falcon uses acme_{key(32)}")
        assert found.text == "CODE_NAME_REDACTED uses ACME_TOKEN_REDACTED"

    @pytest.mark.parametrize(
        "pattern",
        [
            CustomPattern("Bad Name", words=("secretword",)),
            CustomPattern("kind", "lower", words=("secretword",)),
            CustomPattern("kind", "A_REDACTED", words=("secretword",)),
            CustomPattern("nothing"),
            CustomPattern("both", words=("secretword",), shape="acme_{b32}"),
            CustomPattern("short-word", words=("abc",)),
            CustomPattern("no-example", shape="acme_{b32}"),
            CustomPattern("bad-shape", shape="acme_{!32}", matches=("acme_x",)),
            CustomPattern("no-anchor", shape="{b32}", matches=("x" * 32,)),
            CustomPattern("misses", shape="acme_{b32}", matches=("acme_short",)),
            CustomPattern("overreaches", shape="acme_{b4+}", matches=("acme_abcd1",), ignores=("acme_abcdef",)),
            CustomPattern("needs-engine", regex="acme_[a-z]+", matches=("acme_x",)),
        ],
        ids=lambda pattern: pattern.name,
    )
    def test_a_bad_pattern_is_refused_when_it_is_loaded(self, pattern: CustomPattern) -> None:
        with pytest.raises(Invalid):
            Redactor([pattern])

    def test_a_name_given_twice_is_refused(self) -> None:
        with pytest.raises(Invalid):
            Redactor([CustomPattern("twice", words=("first word",)), CustomPattern("twice", words=("second word",))])


def test_a_token_on_a_full_line_does_not_swallow_the_name_or_token_of_the_next() -> None:
    first = "sk-ant-api03-" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5dE7f" + "-abcdef"
    second = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    for between in ("GITHUB_TOKEN=", ""):
        found = Redactor().redact(f"key one: {first}\n{between}{second}\nlast")
        assert found.text == f"key one: ANTHROPIC_KEY_REDACTED\n{between}GITHUB_TOKEN_REDACTED\nlast"
