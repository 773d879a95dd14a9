"""The answers of the command policy, and the plan that an executor is given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.policy import LONGEST, MODES, SHELL, judge
from tests.guard.judged_lines import judged

PIECES = st.sampled_from(
    [
        "git log",
        "rm -rf",
        "/",
        "~",
        "..",
        "$",
        "(",
        ")",
        "{",
        "}",
        "`",
        "'",
        '"',
        "\\",
        ";",
        "&",
        "|",
        "<",
        ">",
        "*",
        "?",
        "#",
        "!",
        "=",
        "$(",
        "${",
        "<< EOF",
        "\n",
        "\t",
        "sed",
        "find",
        "-exec",
        "bash -c",
        "python3",
        "@",
        ":",
        ",",
        "-",
        "--",
        "EOF",
        "case x in",
        "do",
    ]
)


@pytest.mark.parametrize("mode", MODES)
def test_everyday_lines_are_allowed(mode: str) -> None:
    refused = {line: judge(line, mode).rule for line in judged(mode, "allowed") if not judge(line, mode).allowed}
    assert refused == {}


@pytest.mark.parametrize("mode", MODES)
def test_neighbours_of_attacks_are_refused_with_a_rule_and_a_reason(mode: str) -> None:
    for line in judged(mode, "refused"):
        verdict = judge(line, mode)
        assert not verdict.allowed, line
        assert "." in verdict.rule
        assert verdict.reason
        assert verdict.argv is None
        assert verdict.steps == ()


def test_there_are_enough_lines_of_both_answers() -> None:
    for answer in ("allowed", "refused"):
        assert sum(len(judged(mode, answer)) for mode in MODES) >= 150


def test_what_safe_allows_restricted_allows() -> None:
    assert [line for line in judged("safe", "allowed") if not judge(line, "restricted").allowed] == []


def test_safe_changes_nothing_that_restricted_may_change() -> None:
    changing = (
        "git commit -m a|git push|git add .|npm ci|pip install x|pytest|cargo build|git stash|git switch main|node a.js"
    )
    for line in changing.split("|"):
        assert judge(line, "restricted").allowed, line
        assert not judge(line, "safe").allowed, line


def test_one_plain_program_is_given_as_argv() -> None:
    verdict = judge("git commit -m 'two words' -- \"a b.txt\" c\\ d", "restricted")
    assert verdict.argv == ("git", "commit", "-m", "two words", "--", "a b.txt", "c d")
    assert [step.argv for step in verdict.steps] == [verdict.argv]


def test_a_pipeline_is_a_plan_and_no_argv() -> None:
    verdict = judge("cat a.txt | sort -u && echo done; pwd", "safe")
    assert verdict.argv is None
    assert [(step.join, step.argv[0]) for step in verdict.steps] == [
        ("", "cat"),
        ("|", "sort"),
        ("&&", "echo"),
        (";", "pwd"),
    ]


def test_streams_environment_and_patterns_are_parts_of_the_plan_and_not_of_the_arguments() -> None:
    (step,) = judge("CI=1 PYTHONPATH=src pytest tests/*.py 'tests/[a]*.py' 2>&1 > /dev/null", "restricted").steps
    assert step.environment == (("CI", "1"), ("PYTHONPATH", "src"))
    assert step.argv == ("pytest", "tests/*.py", "tests/[a]*.py")
    assert step.globs == (1,)
    assert step.streams == ("2>&1", "1>/dev/null")


def test_both_streams_to_nowhere_are_two_steps_in_order() -> None:
    (step,) = judge("grep -r x . &>/dev/null", "safe").steps
    assert step.streams == ("1>/dev/null", "2>&1")


def test_yolo_gives_the_whole_line_to_one_shell() -> None:
    line = "make -j4 && ./run.sh > out.txt"
    assert judge(line, "yolo").argv == (*SHELL, line)


def test_absolute_paths_are_allowed_only_below_the_workspace() -> None:
    assert judge("cat /work/app/src/a.py", "safe", "/work/app").allowed
    assert judge("cat //work/./app//a.py", "safe", "/work/app").allowed
    for line in (
        "cat /work/application/x",
        "cat /work/app/../x",
        "cat /work",
        "cat /work/app/.ssh/x",
        "cat /etc/passwd",
    ):
        assert not judge(line, "safe", "/work/app").allowed, line
    assert not judge("cat /etc/passwd", "safe", "/").allowed
    assert not judge("cat /work/app/a", "safe", "").allowed


def test_yolo_may_remove_below_the_workspace_and_never_the_workspace() -> None:
    assert judge("rm -rf /var/www/app/dist", "yolo", "/var/www/app").allowed
    assert not judge("rm -rf /var/www/app/dist", "yolo").allowed
    for line in ("rm -rf /var/www/app", "rm -rf /var/www", "rm -rf /var/www/app/../x", "rm -rf /var/www/app/.git"):
        assert not judge(line, "yolo", "/var/www/app").allowed, line


def test_a_shell_inside_yolo_may_speak_several_lines() -> None:
    message = "git commit -m \"$(cat <<'EOF'\nfix: don't (ever) rm -rf /\n\nbody\nEOF\n)\""
    assert judge(message, "yolo").allowed
    assert judge("cat > a.py <<EOF\nprint('rm -rf /')\nEOF\npython3 a.py", "yolo").allowed
    assert not judge("cat > a.py <<EOF\n$(rm -rf /)\nEOF", "yolo").allowed
    assert not judge("bash <<'EOF'\ncd src\nrm -rf ~\nEOF", "yolo").allowed
    assert not judge("cat <<EOF\nx\nEOF\nrm -rf /", "yolo").allowed


@pytest.mark.parametrize("mode", MODES)
def test_a_line_over_the_limit_is_refused_unread(mode: str) -> None:
    line = "echo " + "a" * (LONGEST - 5)
    assert judge(line, mode).allowed
    assert judge(line + "a", mode).rule == "limit.length"


@pytest.mark.parametrize("line", ["", " ", "\n", "\t \n"])
@pytest.mark.parametrize("mode", MODES)
def test_an_empty_line_is_refused(mode: str, line: str) -> None:
    assert not judge(line, mode).allowed


def test_more_than_sixteen_commands_are_refused() -> None:
    assert judge("; ".join(["pwd"] * 16), "safe").allowed
    assert judge("; ".join(["pwd"] * 17), "safe").rule == "limit.steps"


def test_an_unknown_mode_and_what_is_no_text_are_invalid() -> None:
    with pytest.raises(Invalid):
        judge("ls", "SAFE")
    with pytest.raises(Invalid):
        judge(["ls"], "safe")  # type: ignore[arg-type]


@given(st.lists(PIECES | st.text(max_size=4), max_size=60), st.sampled_from(MODES), st.sampled_from(["", " "]))
def test_any_text_gets_an_answer(pieces: list[str], mode: str, between: str) -> None:
    verdict = judge(between.join(pieces), mode)
    assert verdict.allowed == bool(verdict.steps)
    assert all(all(step.argv) or step.argv[0] for step in verdict.steps)


@given(st.text(max_size=60))
def test_no_text_behind_a_reader_ever_leads_out_of_the_workspace(text: str) -> None:
    verdict = judge(f"cat {text}", "safe")
    if verdict.allowed:
        for step in verdict.steps:
            words = step.argv[1:] if step.argv[0] == "cat" else ()
            assert not any(word.startswith(("/", "~")) or ".." in word.split("/")[:1] for word in words)
