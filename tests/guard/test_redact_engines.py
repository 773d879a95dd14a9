"""The optional engines behind their protocols, with stand-ins for the packages."""

from __future__ import annotations

import re
import sys
import threading
import types
from typing import Any

import pytest

from multiagent_bridge.adapters.redaction.kingfisher import KingfisherScanner
from multiagent_bridge.adapters.redaction.re2_engine import Re2Engine
from multiagent_bridge.errors import Invalid, Refused, Unavailable
from multiagent_bridge.guard.redact import CustomPattern, Redactor
from tests.guard.redaction_samples import key


@pytest.fixture
def re2(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module with re2's interface that refuses what RE2 refuses."""
    module = types.ModuleType("re2")

    class Options:
        max_mem = 0
        log_errors = True

    def compile_(regex: str, options: Options) -> re.Pattern[str]:
        assert 0 < options.max_mem <= 64 * 1024 * 1024
        if "(?=" in regex or "\\1" in regex:
            raise ValueError("invalid perl operator")
        return re.compile(regex)

    module.Options, module.compile = Options, compile_  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "re2", module)
    return module


def test_an_expression_finds_its_values_and_keeps_places_beside_lone_surrogates(re2: types.ModuleType) -> None:
    redactor = Redactor(
        [CustomPattern("ticket", "TICKET", regex=r"TCK-[0-9]{6}", matches=("TCK-123456",), ignores=("TCK-12",))],
        engine=Re2Engine(),
    )
    assert redactor.redact("\ud800\u00e9 TCK-654321 \U0001f600 x").text == "\ud800\u00e9 TICKET_REDACTED \U0001f600 x"


@pytest.mark.parametrize("regex", [r"a(?=b)", r"(a)\1", r"x*"])
def test_an_expression_outside_re2_or_matching_nothing_is_refused(re2: types.ModuleType, regex: str) -> None:
    with pytest.raises(Invalid):
        Redactor([CustomPattern("bad", regex=regex, matches=("ab",))], engine=Re2Engine())


def test_without_the_package_the_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(Unavailable) as missing:
        Re2Engine()
    assert "[re2]" in missing.value.hint


class _Finding:
    def __init__(self, start: int, end: int, secret: str) -> None:
        self.location = {"start_offset": start, "end_offset": end}
        self.secret = secret
        self.rule_id = "example.1"


class _Scanner:
    def __init__(self, word: str) -> None:
        self._word = word

    def scan(self, data: bytes, *, timeout: float) -> list[_Finding]:
        at = data.find(self._word.encode())
        return [_Finding(at - 3, at + len(self._word), self._word)] if at >= 0 else []


def test_findings_of_the_scanner_are_merged_at_the_right_characters() -> None:
    scanner = KingfisherScanner(lambda: _Scanner("oddvalue"))
    assert scanner.ready(5)
    assert (
        Redactor(scanner=scanner).redact("\u00e9\u00e9\u00e9 is oddvalue \u00e9").text
        == "\u00e9\u00e9\u00e9 is SECRET_REDACTED \u00e9"
    )


def test_our_own_rules_stand_alone_until_the_scanner_is_compiled() -> None:
    gate = threading.Event()

    def slow() -> Any:
        gate.wait(10)
        return _Scanner("oddvalue")

    scanner = KingfisherScanner(slow)
    redactor = Redactor(scanner=scanner)
    assert redactor.redact(f"it is oddvalue and ghp_{key(36)}").text == "it is oddvalue and GITHUB_TOKEN_REDACTED"
    gate.set()
    assert scanner.ready(5)
    assert redactor.redact("it is oddvalue").text == "it is SECRET_REDACTED"


def test_a_scanner_that_failed_to_compile_or_to_scan_withholds_the_text() -> None:
    def broken() -> Any:
        raise OSError("no rules")

    scanner = KingfisherScanner(broken)
    assert scanner.ready(5)
    with pytest.raises(Unavailable):
        Redactor(scanner=scanner).redact("hello there")

    class Late:
        def scan(self, data: bytes, *, timeout: float) -> list[_Finding]:
            raise TimeoutError

    late = KingfisherScanner(Late)
    assert late.ready(5)
    with pytest.raises(Refused):
        Redactor(scanner=late).redact("hello there")
