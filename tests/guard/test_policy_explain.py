"""`mab yolo explain`: the verdict, the rule and the plan, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faces.terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


def test_a_verdict_names_the_mode_the_rule_the_reason_and_the_words(terminal: Terminal) -> None:
    shown = terminal.mab("yolo", "explain", "git log --oneline | head -3", "--mode", "safe").out.splitlines()
    assert shown[0] == "safe: allowed by safe.plan"
    assert shown[2:] == ['  ["git", "log", "--oneline"]', '  | ["head", "-3"]']
    refused = terminal.mab("yolo", "explain", "git push --force", "--mode", "restricted").out
    assert refused.startswith("restricted: refused by git.option\n")
    assert "--force" in refused


def test_without_a_mode_all_three_answer(terminal: Terminal) -> None:
    shown = json.loads(terminal.mab("yolo", "explain", "npm test", "--json").out)
    assert [(one["mode"], one["allowed"]) for one in shown] == [("safe", False), ("restricted", True), ("yolo", True)]
    assert shown[1]["argv"] == ["npm", "test"]
    assert set(shown[0]) == {"command", "mode", "allowed", "rule", "reason", "argv", "steps", "advice"}
    assert shown[0]["advice"] == []


def test_an_allowed_line_of_yolo_comes_with_advice_and_a_refused_one_without(terminal: Terminal) -> None:
    line = "bash -c 'rm -rf build' &"
    shown = terminal.mab("yolo", "explain", line, "--mode", "yolo").out
    assert "  advice: runs code that stands in the line with bash\n" in shown
    said = json.loads(terminal.mab("yolo", "explain", line, "--mode", "yolo", "--json").out)["advice"]
    assert said[0] == "runs code that stands in the line with bash"
    assert "advice" not in terminal.mab("yolo", "explain", "rm -rf /", "--mode", "yolo").out


def test_a_line_that_the_second_reader_cannot_read_is_refused(terminal: Terminal) -> None:
    asked = ("yolo", "explain", "cat <<A; cat <<B\n1\nA\n2\nB", "--mode", "yolo", "--json")
    assert json.loads(terminal.mab(*asked).out)["rule"] == "yolo.unreadable"


OWN = "[[deny]]\nname = 'no-make'\nprograms = 'make'\nmatch = ['make x']\nnot_match = ['cmake x']\n"


def own_rules(folder: Path, text: str = OWN) -> str:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def test_rules_of_ones_own_decide_beside_the_built_in_ones(terminal: Terminal) -> None:
    own = own_rules(terminal.project)
    shown = terminal.mab("yolo", "explain", "make all", "--mode", "yolo", "--policy", own).out
    assert shown.startswith("yolo: refused by user.no-make\n")
    assert "own.toml" in shown
    asked = json.dumps({"id": 1, "command": "env make", "mode": "yolo"}).encode()
    answered = terminal.mab("yolo", "explain", "--jsonl", "--policy", own, given=asked).json
    assert answered == {"id": 1, "allowed": False, "rule": "user.no-make"}


def test_the_rules_that_the_settings_name_decide_without_being_named(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAB_YOLO__POLICY", own_rules(terminal.project))
    assert terminal.mab("yolo", "explain", "make all", "--mode", "yolo", "--json").json["rule"] == "user.no-make"


def test_a_file_of_rules_that_is_wrong_or_not_safe_is_named(terminal: Terminal) -> None:
    own = own_rules(terminal.project, OWN.replace("make x", "mike x", 1))
    refused = terminal.mab("yolo", "explain", "ls", "--policy", own, status=2)
    assert refused.code == "invalid"
    assert "own.toml" in refused.err
    assert "mike x" in refused.err
    Path(own).chmod(0o666)
    assert terminal.mab("yolo", "explain", "ls", "--policy", own, status=9).code == "unavailable"


def test_the_workspace_decides_about_absolute_paths(terminal: Terminal) -> None:
    line = f"cat {terminal.project}/a.txt"
    asked = ("yolo", "explain", line, "--mode", "safe", "--json")
    assert json.loads(terminal.mab(*asked).out)["rule"] == "path.outside"
    assert json.loads(terminal.mab(*asked, "--workspace", str(terminal.project)).out)["allowed"] is True


def test_lines_are_answered_one_by_one_and_nothing_else_is_written(terminal: Terminal) -> None:
    asked = [
        {"id": 1, "command": "ls", "mode": "safe"},
        {"id": "two", "command": "rm -rf /\nls", "mode": "yolo"},
        {"id": None, "command": "ls \u202e", "mode": "restricted"},
    ]
    answered = terminal.mab("yolo", "explain", "--jsonl", given="\n".join(map(json.dumps, asked)).encode()).out
    assert [json.loads(line) for line in answered.splitlines()] == [
        {"id": 1, "allowed": True, "rule": "safe.ls"},
        {"id": "two", "allowed": False, "rule": "yolo.removal"},
        {"id": None, "allowed": False, "rule": "spoof.invisible"},
    ]


@pytest.mark.parametrize(
    "line", [
        "no json", "[]", '{"id": 1, "mode": "safe"}', '{"command": "ls", "mode": "safe"}',
        '{"id": 1, "command": "ls", "mode": "root"}',
    ],
)  # fmt: skip
def test_a_line_of_another_form_is_invalid(terminal: Terminal, line: str) -> None:
    assert terminal.mab("yolo", "explain", "--jsonl", given=line.encode(), status=2).code == "invalid"


def test_an_unknown_mode_a_missing_command_and_both_ways_at_once_are_invalid(terminal: Terminal) -> None:
    assert terminal.mab("yolo", "explain", "ls", "--mode", "root", status=2).code == "invalid"
    assert terminal.mab("yolo", "explain", status=2).code == "invalid"
    assert terminal.mab("yolo", "explain", "ls", "--jsonl", given=b"", status=2).code == "invalid"


def test_what_is_shown_of_a_line_moves_no_cursor(terminal: Terminal) -> None:
    shown = terminal.mab("yolo", "explain", "ls \x1b[2J\u202e", "--json").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
