"""A person's own rules: they refuse more in every mode, and allow further programs in safe and restricted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.commands.rules import texts
from multiagent_bridge.guard.policy import Policy, built_in, load

OWN = """
[[deny]]
name = 'shared-state'
programs = 'terraform tofu'
subcommand = 'destroy apply'
reason = 'the state is shared'
match = ['terraform destroy', 'tofu -chdir=infra apply', 'terraform -chdir infra apply']
not_match = ['terraform plan', 'terraform fmt apply']

[[deny]]
name = 'reviewed-pushes'
modes = 'restricted yolo'
words = 'git push **'
match = ['git push', 'git push origin main']
not_match = ['git pull', 'git stash push']

[[deny]]
name = 'no-force'
programs = '*'
options = '--force -f'
match = ['npm install --force', 'git fetch -pf', 'cp --forc a b']
not_match = ['npm install', 'cp -r a b']

[[deny]]
name = 'production'
modes = 'yolo'
words = 'kubectl --context prod* **'
match = ['kubectl --context prod-eu get pods']
not_match = ['kubectl --context dev get pods']

[[allow]]
name = 'ruff'
modes = 'safe restricted'
program = 'ruff check'
options = '-q --quiet --select=list --no-fix'
operands = 'path*'
match = ['ruff check -q src', 'ruff check --select=E,F']
not_match = ['ruff check --fix', 'ruff check /etc', 'ruff format', 'ruff check --config=x']

[[allow]]
name = 'make'
program = 'make'
options = '-k -s -j=number'
operands = 'word*'
match = ['make test', 'make -j4 all']
not_match = ['make', 'make -f x', 'make SHELL=x', 'make -C ..']
least = 1
"""


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(texts(), OWN, users_file="own.toml")


def rule(policy: Policy, line: str, mode: str) -> str:
    verdict = policy.judge(line, mode)
    return "" if verdict.allowed else verdict.rule


def test_a_refusal_names_the_rule_the_file_and_the_reason(policy: Policy) -> None:
    verdict = policy.judge("terraform destroy", "yolo")
    assert verdict.rule == "user.shared-state"
    assert "own.toml" in verdict.reason
    assert "the state is shared" in verdict.reason


@pytest.mark.parametrize(
    "form", ["{}", "env X=1 {}", "bash -c '{}'", "cd infra && {}", "x=$({})", "find . -exec {} \\;", "nohup {} &",
             "/usr/local/bin/{}", "echo a | xargs {}"],
)  # fmt: skip
def test_a_refused_program_is_refused_wherever_a_line_runs_it(policy: Policy, form: str) -> None:
    assert rule(policy, form.replace("{}", "terraform destroy"), "yolo") == "user.shared-state"
    assert rule(policy, form.replace("{}", "terraform plan"), "yolo") == ""


def test_a_refusal_holds_only_in_its_modes_and_the_built_in_rules_stand_beside_it(policy: Policy) -> None:
    assert rule(policy, "git push origin main", "restricted") == "user.reviewed-pushes"
    assert rule(policy, "git push origin main", "safe") == "git.subcommand"
    assert rule(policy, "sudo id", "yolo") == "yolo.privilege"
    assert rule(policy, "git push --force", "restricted") == "user.reviewed-pushes"
    assert rule(policy, "cat /etc/passwd", "safe") == "path.outside"


def test_options_are_found_whole_abbreviated_bundled_and_with_a_value(policy: Policy) -> None:
    for line in ("tool --force", "tool --force=yes", "tool --forc", "tool -xf", "tool -f", "tool a -- b -f"):
        assert rule(policy, line, "yolo") == "user.no-force", line
    for line in ("tool --x", "tool force", "tool --no-force", "tool -x"):
        assert rule(policy, line, "yolo") == "", line


def test_a_program_that_is_allowed_runs_with_what_its_rule_accepts_and_nothing_else(policy: Policy) -> None:
    assert policy.judge("ruff check -q src && git diff", "safe").allowed
    assert policy.judge("ruff check src", "safe").steps[0].argv == ("ruff", "check", "src")
    for line in ("ruff check --fix", "ruff", "ruff --version", "ruff check ../x", "ruff check `id`", "./ruff check a"):
        assert not policy.judge(line, "safe").allowed, line
    assert rule(policy, "make test", "safe") == "program.unlisted"
    assert policy.judge("make -j4 test", "restricted").allowed
    assert not built_in().judge("make -j4 test", "restricted").allowed


def test_the_version_is_that_of_the_built_in_rules_and_of_the_own_ones(policy: Policy) -> None:
    assert policy.version.startswith(built_in().version + "+")
    assert load(texts(), OWN + "# a word\n").version != policy.version
    assert load(texts(), OWN).version == policy.version


def test_an_empty_file_changes_no_answer() -> None:
    empty = load(texts(), "")
    for line in ("git status", "rm -rf /", "make test"):
        for mode in ("safe", "restricted", "yolo"):
            assert empty.judge(line, mode) == built_in().judge(line, mode)


ROW = "match = ['xyz']\nnot_match = ['xyz x']"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"[[allow]]\nname = 'a'\nprogram = 'xyz'\nmodes = 'yolo'\n{ROW}", "allows in yolo"),
        (f"[[allow]]\nname = 'A B'\nprogram = 'xyz'\n{ROW}", "needs a name"),
        (f"[[allow]]\nprogram = 'xyz'\n{ROW}", "needs a name"),
        (f"[[allow]]\nname = 'a'\nprogram = '/bin/xyz'\n{ROW}", "needs a program"),
        (f"[[allow]]\nname = 'a'\nprogram = 'xyz'\ncheck = 'git lists'\n{ROW}", "unknown key 'check'"),
        (f"[[allow]]\nname = 'a'\nprogram = 'xyz'\nraw = true\n{ROW}", "unknown key 'raw'"),
        (f"[[deny]]\nname = 'a'\n{ROW}", "needs programs or words"),
        (f"[[deny]]\nname = 'a'\nprograms = 'a/b'\n{ROW}", "bare names"),
        (f"[[deny]]\nname = 'a'\nprograms = 'xyz'\noptions = 'force'\n{ROW}", "no option"),
        (f"[[deny]]\nname = 'a'\nprograms = 'xyz'\nline = '.*'\n{ROW}", "unknown key 'line'"),
        (f"[[deny]]\nname = 'a'\nprograms = 'xyz'\nrule = 'yolo.allowed'\n{ROW}", "unknown key 'rule'"),
        (f"[[deny]]\nname = 'a'\nwords = '** ** ** x'\n{ROW}", "more than"),
        (f"[[deny]]\nname = 'a'\nwords = 'a*b*c*d*e*f*g*h'\n{ROW}", "more than"),
        (f"[[deny]]\nname = 'a'\nprograms = 'xyz'\nreason = \"a\\u001b[2J\"\n{ROW}", "printed"),
        (f"[[kind]]\nname = 'a'\n{ROW}", "table 'kind'"),
        ("[[deny]]\nname = 'a'\nprograms = 'xyz'\nmatch = ['xyy']\nnot_match = ['a']", "example 'xyy'"),
        ("[[deny]]\nname = 'a'\nprograms = 'xyz'\nmatch = ['xyz']\nnot_match = ['env xyz']", "example 'env xyz'"),
        ("[[allow]]\nname = 'a'\nprogram = 'xyz'\nmatch = ['xyz -x']\nnot_match = ['a']", "example 'xyz -x'"),
        ("[[allow]]\nname = 'a'\nprogram = 'xyz'\nmatch = ['xyz']\nnot_match = ['xyz']", "example 'xyz'"),
        (f"[[deny]]\nname = 'a'\nprograms = 'xyz'\n{ROW}\n".replace("xyz x'", "abc'") * 2, "another rule"),
        ("name = 'a'", "table 'name'"),
    ],
)  # fmt: skip
def test_a_rule_that_is_wrong_is_invalid_and_names_its_file(text: str, named: str) -> None:
    with pytest.raises(Invalid) as raised:
        load(texts(), text, users_file="own.toml")
    assert named in raised.value.sentence, raised.value.sentence
    assert "own.toml" in raised.value.sentence


def test_more_rules_than_a_person_can_mean_are_invalid() -> None:
    many = "".join(
        f"[[deny]]\nname = 'r{n}'\nprograms = 'p{n}'\nmatch = ['p{n}']\nnot_match = ['q']\n" for n in range(501)
    )
    with pytest.raises(Invalid):
        load(texts(), many)


def test_the_rules_of_the_page_hold() -> None:
    page = Path(__file__).parents[2] / "docs" / "security" / "command-policy.md"
    (block,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    documented = load(texts(), block)
    assert documented.judge("terraform apply", "yolo").rule == "user.shared-state"
    assert documented.judge("ruff check -q src", "safe").allowed
