"""Laws of the redactor over any text."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from multiagent_bridge.guard.redact import Redactor, SeenSecrets
from multiagent_bridge.guard.redaction.spans import PLACEHOLDER
from tests.guard.redaction_samples import PEM_BODY, key

REDACTOR = Redactor()
SECRETS = (
    "ghp_" + key(36),
    "sk-ant-api03-" + key(80),
    "xoxb-" + key(12, "0123456789") + "-" + key(24),
    "AKIA" + key(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "glpat-" + key(20),
    "npm_" + key(36),
)
FRAGMENTS = st.sampled_from(
    [
        "password", "passwd: ", "token=", "Bearer ", "Basic ", "secret", "key", " = ", ": ", '"', "'", "`", "\\",
        "\n", " ", "://", "@", "u:p@h", "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----",
        PEM_BODY[:70], "{", "}", "[", "]", "<", ">", "&", "?a=b", "%41", "\\u0041", "\u200b", "\x1b[31m", "\ud800",
        "\u0301", "é", "hunter2", "PASSWORD_REDACTED", "API_KEY", "eyJ", "sk-", "ghp_", "_REDACTED", "cookie: a=",
        "a b c d e f ", "curl -u x:y ", "kind: Secret\ndata:\n  a: ", key(24), key(32, "0123456789abcdef"),
        '{"name": "TOKEN", "value": "', "passwords:\n  - ", '["', "-----END PRIVATE KEY-----", "Cookie File\n", "\t",
        '"kty": "RSA", "d": "', "AKIA", "\\n", '\\"', "GITHUB_TOKEN_REDACTED[0123abcd]", *SECRETS,
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=300), st.lists(FRAGMENTS, max_size=24).map("".join))


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_no_text_makes_it_fail_and_a_second_pass_finds_nothing_that_the_first_wrote(text: str) -> None:
    once = REDACTOR.redact(text)
    for finding in REDACTOR.explain(once.text):
        # Whatever a second pass still finds, it is never (part of) a placeholder.
        assert not PLACEHOLDER.fullmatch(once.text[finding.start : finding.end])


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_findings_lie_in_the_text_in_order_and_apart(text: str) -> None:
    at = 0
    for finding in REDACTOR.explain(text):
        assert at <= finding.start < finding.end <= len(text)
        at = finding.end


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet=" \n\t.,;:()[]{}<>\"'`=|/?!abcXYZ\u200b\u00e9", max_size=60),
    st.sampled_from(SECRETS),
    st.text(alphabet=" \n\t.,;:()\"'`<>|!", max_size=60),
)
def test_a_recognisable_key_never_survives_its_surroundings(before: str, secret: str, after: str) -> None:
    assert secret not in REDACTOR.redact(f"{before} {secret}{after}").text


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS, st.sampled_from(SECRETS))
NAMES = st.one_of(st.sampled_from(["password", "api_key", "token", "note", "id"]), st.text(max_size=12))
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def _same_form(a: object, b: object) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and len(b) <= len(a) and all(_same_form(x, b.get(k, x)) for k, x in a.items())
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(_same_form, a, b))
    return isinstance(b, str) if isinstance(a, str) else a == b or isinstance(b, str)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.lists(DOCUMENTS, max_size=4), st.dictionaries(NAMES, DOCUMENTS, max_size=4)),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_json_stays_json_of_the_same_form(document: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    after = json.loads(REDACTOR.redact(text).text)
    assert _same_form(document, after)
    assert not any(json.dumps(secret) in json.dumps(after) for secret in SECRETS)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_a_memory_never_makes_a_text_fail_nor_shows_what_it_holds(texts: list[str]) -> None:
    memory = SeenSecrets()
    for text in texts:
        REDACTOR.redact(text, memory)
    assert repr(memory) == f"SeenSecrets({len(memory)})"
