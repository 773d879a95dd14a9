from __future__ import annotations

from pathlib import Path

import pytest

from multiagent_bridge import config, wiring
from multiagent_bridge.errors import BridgeError, Invalid


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's bridge.toml, in a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    path = config.user_file()
    path.parent.mkdir(parents=True)
    return path


def test_words_and_regular_expressions_of_the_settings_are_redacted(settings_file: Path) -> None:
    settings_file.write_text(
        """
[[redaction.patterns]]
name = "code-name"
kind = "PROJECT"
words = ["bluebird-nine"]

[[redaction.patterns]]
name = "ticket"
kind = "TICKET"
regex = "ACME-[0-9]{6}"
matches = ["see ACME-123456"]
ignores = ["see ACME-12"]
"""
    )
    redactor = wiring.redactor_of(config.load())
    found = redactor.redact("bluebird-nine is in ACME-654321")
    assert found.text == "PROJECT_REDACTED is in TICKET_REDACTED"
    assert found.kinds == ("PROJECT", "TICKET")


@pytest.mark.parametrize(
    "pattern",
    [
        'name = "bad"\nregex = "(a+)+$("\nmatches = ["a"]',
        'name = "bad"\nregex = "(?=a)b"\nmatches = ["b"]',
        'name = "bad"\nregex = "abc"\nmatches = ["xyz"]',
        'name = "bad"\nregex = "abc"\nmatches = ["abc"]\nignores = ["abcd"]',
        'name = "bad"',
        'name = "bad"\nwords = ["a"]\nshape = "b"',
        'name = "bad"\nwords = ["abcdef"]\ncolour = "red"',
    ],
)
def test_a_bad_pattern_is_named_at_the_start(settings_file: Path, pattern: str) -> None:
    settings_file.write_text(f"[[redaction.patterns]]\n{pattern}\n")
    with pytest.raises(Invalid):
        wiring.redactor_of(config.load())


def test_the_second_scanner_that_is_not_installed_says_how_to_get_it(settings_file: Path) -> None:
    settings_file.write_text("[redaction]\nscanner = true\n")
    with pytest.raises(BridgeError, match=r"scanner\]"):
        wiring.redactor_of(config.load())
