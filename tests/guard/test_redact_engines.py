"""The optional engines behind their protocols, with stand-ins for the packages."""

from __future__ import annotations

import random
import sys
import threading
import time
import types
from typing import Any

import pytest

from multiagent_bridge.adapters.redaction.kingfisher import KingfisherScanner, compiled_scanner
from multiagent_bridge.adapters.redaction.re2_engine import Re2Engine
from multiagent_bridge.errors import Invalid, Refused, Unavailable
from multiagent_bridge.guard.redact import CustomPattern, Redactor
from tests.guard.redaction_samples import key


def find(regex: str, text: str) -> list[tuple[int, int]]:
    return Re2Engine().compile("p", regex)(text)


def test_an_expression_finds_its_values_and_keeps_places_beside_lone_surrogates() -> None:
    redactor = Redactor(
        [CustomPattern("ticket", "TICKET", regex=r"TCK-[0-9]{6}", matches=("TCK-123456",), ignores=("TCK-12",))],
        engine=Re2Engine(),
    )
    assert redactor.redact("\ud800\u00e9 TCK-654321 \U0001f600 x").text == "\ud800\u00e9 TICKET_REDACTED \U0001f600 x"


@pytest.mark.parametrize("regex", [r"a(?=b)", r"(?<!b)a", r"(a)\1", "x*", "[", r"(x{1000}){1000}", r"\pL{900}"])
def test_an_expression_outside_re2_too_large_or_matching_nothing_is_refused(regex: str) -> None:
    with pytest.raises(Invalid) as refused:
        Redactor([CustomPattern("bad", regex=regex, matches=("ab",))], engine=Re2Engine())
    assert refused.value.hint
    assert "b'" not in refused.value.hint


def test_an_expression_that_fails_on_its_own_examples_is_refused() -> None:
    for matches, ignores in ((("TCK-12",), ()), (("TCK-123456",), ("TCK-999999",))):
        with pytest.raises(Invalid):
            Redactor([CustomPattern("t", regex=r"TCK-[0-9]{6}", matches=matches, ignores=ignores)], engine=Re2Engine())


@pytest.mark.parametrize(("regex", "unit"), [(r"(a+)+$", "a"), (r"(.*)*x", "a"), (r"(?:a|b)*a(?:a|b){14}c", "ab")])
def test_an_expression_of_catastrophic_shape_costs_time_in_proportion_to_the_text(regex: str, unit: str) -> None:
    run = Re2Engine().compile("p", regex)

    def cost(text: str) -> float:
        begun = time.thread_time()
        run(text)
        return time.thread_time() - begun

    small = min(cost(unit * 20_000) for _ in range(3))
    large = min(cost(unit * 80_000) for _ in range(3))
    assert large < 9 * small + 0.1


def test_an_automaton_that_outgrows_its_memory_still_finds_everything() -> None:
    noise = "".join(random.Random(1).choice("ab") for _ in range(50_000))
    text = f"{noise}a{'b' * 18}c"
    assert find(r"(?:a|b)*a(?:a|b){18}c", text) == [(0, len(text))]


def test_matches_beyond_counting_withhold_the_text() -> None:
    redactor = Redactor([CustomPattern("each", regex="[xy]", matches=("x",))], engine=Re2Engine())
    with pytest.raises(Unavailable):
        redactor.redact("x" * 20_001)


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
    assert scanner.ready(60)
    assert (
        Redactor(scanner=scanner).redact("\u00e9\u00e9\u00e9 is oddvalue \u00e9").text
        == "\u00e9\u00e9\u00e9 is SECRET_REDACTED \u00e9"
    )


def test_our_own_rules_stand_alone_until_the_scanner_is_compiled() -> None:
    gate = threading.Event()

    def slow() -> Any:
        gate.wait(90)
        return _Scanner("oddvalue")

    scanner = KingfisherScanner(slow)
    redactor = Redactor(scanner=scanner)
    assert redactor.redact(f"it is oddvalue and ghp_{key(36)}").text == "it is oddvalue and GITHUB_TOKEN_REDACTED"
    gate.set()
    assert scanner.ready(60)
    assert redactor.redact("it is oddvalue").text == "it is SECRET_REDACTED"


def test_a_scanner_that_failed_to_compile_or_to_scan_withholds_the_text() -> None:
    def broken() -> Any:
        raise OSError("no rules")

    scanner = KingfisherScanner(broken)
    assert scanner.ready(60)
    with pytest.raises(Unavailable):
        Redactor(scanner=scanner).redact("hello there")

    class Late:
        def scan(self, data: bytes, *, timeout: float) -> list[_Finding]:
            raise TimeoutError

    late = KingfisherScanner(Late)
    assert late.ready(60)
    with pytest.raises(Refused):
        Redactor(scanner=late).redact("hello there")


def test_only_detection_is_asked_of_the_second_scanner_and_marks_are_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, object] = {}

    class Detection(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            assert name in ("Scanner", "DetectionPolicy"), f"{name} is no part of detection"

            def made(**options: object) -> object:
                asked[name] = options
                return options

            return made

    monkeypatch.setitem(sys.modules, "kingfisher_sdk", Detection("kingfisher_sdk"))
    compiled_scanner()
    assert asked["DetectionPolicy"] == {"inline_ignores": False, "ignore_comments": ()}
    assert asked["Scanner"] == {"policy": asked["DetectionPolicy"]}
