"""What a person reads is what runs: characters that hide, turn or imitate are refused in every mode."""

from __future__ import annotations

import unicodedata

import pytest

from multiagent_bridge.guard.policy import MODES, judge

HIDDEN = [
    chr(n)
    for n in range(0x110000)
    if unicodedata.category(chr(n)) in ("Cc", "Cf", "Zl", "Zp", "Zs") and chr(n) not in " \n\t"
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("line", ["git{0} status", "git status{0}", "echo 'a{0}b'", "{0}git status"])
def test_no_invisible_or_turning_character_passes(mode: str, line: str) -> None:
    for c in [*HIDDEN, "\u3164", "\uffa0", "\u2800", "\u115f", "\ue000", "\ud800", "\U000e0041", "\ufe00"]:
        assert not judge(line.replace("{0}", c), mode).allowed, f"U+{ord(c):04X}"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "line", [
        "gi\u0442 status", "\u0441at a", "git st\u0430tus", "cat p\u0430th.txt", "ls \u2013la", "rm \u2212rf x",
        "ca\uff54 a", "git \u2014version",
    ],
)  # fmt: skip
def test_no_look_alike_passes(mode: str, line: str) -> None:
    assert not judge(line, mode).allowed, line


@pytest.mark.parametrize("mode", MODES)
def test_a_tail_out_of_sight_is_refused(mode: str) -> None:
    assert judge("echo ok" + " " * 40 + "; pwd", mode).rule == "spoof.gap"


@pytest.mark.parametrize("mode", ["safe", "restricted"])
@pytest.mark.parametrize("c", ["\t", "\n", "\r", "\x00", "\x7f", "\x1b", "\x08", "\x85"])
def test_safe_and_restricted_take_no_control_character_at_all(mode: str, c: str) -> None:
    for line in (f"echo a{c}b", f"echo '{c}'", f"echo a{c}"):
        assert judge(line, mode).rule.startswith("spoof."), line


@pytest.mark.parametrize("mode", ["restricted", "yolo"])
@pytest.mark.parametrize(
    "text", [
        "a\u00f1o", "\u0434\u043b\u044f Linux", "\u4fee\u6b63 bug", "\u2728 feat", "\u267b\ufe0f tidy",
        "na\u00efve \u2014 really", "\u03bb calculus",
    ],
)  # fmt: skip
def test_other_languages_and_symbols_are_text(mode: str, text: str) -> None:
    assert judge(f'git commit -m "{text}"', mode).allowed


def test_stacked_marks_are_refused() -> None:
    assert not judge("echo e" + "\u0301" * 5, "safe").allowed
