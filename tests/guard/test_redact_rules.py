"""The rule table: data that is checked when it is loaded."""

from __future__ import annotations

import re

import pytest

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.guard.redaction.formats import rule_table
from multiagent_bridge.guard.redaction.rules import Rule, RuleTable, checksum_holds
from multiagent_bridge.guard.redaction.shapes import Runs, Shape

REDACTOR = Redactor()
RULES = rule_table().rules


def example(rule: Rule) -> str:
    return f"{rule.before}{rule.parsed.anchor}{rule.hit}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_example_is_redacted_whole_in_a_sentence_and_its_counter_example_is_not_a_token(rule: Rule) -> None:
    token = example(rule)
    redacted = REDACTOR.redact(f'He sent "{token}" to me').text
    assert re.fullmatch(r'He sent "(?:[^"]{0,40}/)?[A-Z0-9_]+_REDACTED" to me', redacted), redacted
    counter = f"{rule.before}{rule.parsed.anchor}{rule.miss}"
    assert rule.match(Runs(counter), len(rule.before)) is None


def test_the_table_covers_the_kinds_of_provider_a_developer_meets() -> None:
    kinds = {rule.kind for rule in RULES}
    wanted = """
        AWS_KEY GOOGLE_KEY AZURE_KEY
        GITHUB_TOKEN GITLAB_TOKEN NPM_TOKEN PYPI_TOKEN OPENAI_KEY ANTHROPIC_KEY STRIPE_KEY SLACK_TOKEN
        DISCORD_WEBHOOK CIRCLECI_TOKEN SUPABASE_KEY GRAFANA_KEY SENDGRID_KEY CLOUDFLARE_TOKEN JWT VAULT_TOKEN
    """
    assert set(re.findall(r"\w+", wanted)) <= kinds


def test_no_complete_token_stands_in_the_source_of_the_table() -> None:
    for rule in RULES:
        assert REDACTOR.redact(rule.hit).text.count("_REDACTED") == 0 or rule.parsed.lead or len(rule.hit) > 40


@pytest.mark.parametrize(
    "row",
    [
        ("bad-shape", "KIND", "abc_{?4}", "x", "y"),
        ("no-anchor", "KIND", "{b20}", "x", "y"),
        ("unclosed", "KIND", "abc_{b20", "x", "y"),
        ("backwards", "KIND", "abc_{b20-10}", "x", "y"),
        ("endless", "KIND", "abc_{b99999}", "x", "y"),
        ("small-kind", "kind", "abc_{b4}", "a1b2", "a1"),
        ("placeholder-kind", "KIND_REDACTED", "abc_{b4}", "a1b2", "a1"),
        ("misses-own-example", "KIND", "abc_{b8}", "a1b2", "a1"),
        ("matches-counter-example", "KIND", "abc_{b4+}", "a1b2", "a1b2c3"),
        ("unknown-need", "KIND", "abc_{b4}", "a1b2", "a1", "luck"),
    ],
    ids=lambda row: row[0],
)
def test_a_bad_rule_is_refused_by_name_when_the_table_is_loaded(row: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as refused:
        Rule(*row)  # type: ignore[arg-type]
    assert row[0] in refused.value.sentence


def test_two_rules_of_one_name_are_refused() -> None:
    rule = Rule("one", "KIND", "abc_{b4}", "a1b2", "a1")
    with pytest.raises(Invalid):
        RuleTable([rule, rule])


@pytest.mark.parametrize(
    ("shape", "text", "found"),
    [
        ("ab_{d3}", "ab_123", (0, 6)),
        ("ab_{d3}", "ab_1234", None),
        ("ab_{d3}", "ab_12", None),
        ("ab_{d3+}", "ab_12345x", (0, 8)),
        ("ab_{d2-4}", "ab_123", (0, 6)),
        ("ab_{t4+}END{d2}", "ab_x-y-END42", (0, 12)),
        ("ab_{d2}.{d2}", "ab_12.34", (0, 8)),
        ("ab_{d2}[.{d2}]", "ab_12.34", (0, 8)),
        ("ab_{d2}[.{d2}]", "ab_12.x", (0, 5)),
    ],
)
def test_shapes_match_as_their_grammar_says(shape: str, text: str, found: tuple[int, int] | None) -> None:
    assert Shape.parse(shape).match(Runs(text), 0) == found


def test_a_led_shape_reaches_leftwards_and_no_further_than_it_may() -> None:
    shape = Shape.parse("{b4-6}Q~{d2}")
    assert shape.match(Runs("abcdQ~12"), 4) == (0, 8)
    assert shape.match(Runs("abcQ~12"), 3) is None
    assert shape.match(Runs("abcdefghQ~12"), 8) == (2, 12)


def test_a_token_with_a_valid_checksum_is_cut_where_it_ends() -> None:
    body = "0" * 26 + "1a2B"
    token = next(f"ghp_{body}{tail}" for tail in (_crc_tail(body),))
    assert checksum_holds(token)
    assert REDACTOR.redact(f"{token}andmore text").text == "GITHUB_TOKEN_REDACTEDandmore text"


def _crc_tail(body: str) -> str:
    import zlib

    order = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = order[rest] + digits
    return digits
