"""Rules are data: their form and every example are checked when they are loaded, and an error names file, rule and example."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.commands.entries import Entry, read
from multiagent_bridge.guard.commands.examples import check_examples
from multiagent_bridge.guard.commands.rules import texts
from multiagent_bridge.guard.policy import built_in, judge, load

FILES = texts()


def _entries() -> list[Entry]:
    sets: dict[str, str] = {}
    return [entry for file, text in FILES.items() for entry in read(file, text, sets)]


ENTRIES = _entries()


def with_rule(file: str, rule: str) -> dict[str, str]:
    """The built-in files with one more rule."""
    return {**FILES, file: f"{FILES[file]}\n{rule}\n"}


def test_every_rule_has_examples_that_match_and_that_do_not() -> None:
    assert len(ENTRIES) > 300
    for entry in ENTRIES:
        assert entry.match, entry.name
        assert entry.not_match, entry.name


@pytest.mark.parametrize("mode", ["safe", "restricted", "yolo"])
def test_the_examples_hold_in_every_mode_of_their_rule(mode: str) -> None:
    for entry in ENTRIES:
        if mode in entry.modes and entry.kind != "reserved":
            only = Entry(
                entry.file,
                entry.kind,
                entry.name,
                {**entry.values, "modes": mode},
                entry.sets,
                entry.match,
                entry.not_match,
            )
            check_examples([only], judge, built_in().book)


def test_what_a_refusing_rule_of_yolo_does_not_match_is_allowed_there() -> None:
    for entry in ENTRIES:
        if entry.modes == ("yolo",):
            for line in entry.not_match:
                assert judge(line, "yolo").allowed, (entry.name, line, judge(line, "yolo").rule)


def test_every_program_that_is_always_refused_is_refused_by_name_path_and_behind_a_wrapper() -> None:
    conditions = {
        "options",
        "words",
        "verb",
        "first",
        "unless_first",
        "word",
        "line",
        "unless_line",
        "unless_verb",
        "piped",
    }
    seen = 0
    for entry in ENTRIES:
        if entry.kind != "deny" or conditions & entry.values.keys():
            continue
        for name in entry.words("programs"):
            name = name.replace("*", "x")
            for line in (name, f"/usr/sbin/{name} x", f"true && env {name} x", f"bash -c '{name} x'", f"x=$({name} x)"):
                assert judge(line, "yolo").rule in (entry.text("rule"), "guard.self"), line
                seen += 1
    assert seen > 600


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (
            "[[allow]]\nprogram = 'xyz'\nmatch = ['xyz']\nnot_match = ['xyz']",
            ("machine.toml", "'xyz'", "example 'xyz'"),
        ),
        (
            "[[allow]]\nprogram = 'xyz'\nmatch = ['xyz -q']\nnot_match = ['xyz -x']",
            ("machine.toml", "example 'xyz -q'"),
        ),
        (
            "[[allow]]\nprogram = 'xyz'\nmatch = ['xyz']\nnot_match = []",
            ("machine.toml", "'xyz'", "no example in not_match"),
        ),
        ("[[allow]]\nprogram = 'xyz'\nmatch = 'xyz'\nnot_match = ['xyz x']", ("'xyz'", "no example in match")),
        ("[[allow]]\nprogram = 'xyz'\nmatches = ['xyz']\nnot_match = ['x']", ("'xyz'", "unknown key 'matches'")),
        (
            "[[allow]]\nprogram = 'xyz'\nraw = 'yes'\nmatch = ['xyz']\nnot_match = ['x']",
            ("'xyz'", "raw that is no bool"),
        ),
        ("[[allow]]\nprogram = 'xyz'\nmodes = 'every'\nmatch = ['xyz']\nnot_match = ['x']", ("'xyz'", "unknown modes")),
        ("[[allow]]\nprogram = 'xyz'\noperands = 'pth*'\nmatch = ['xyz']\nnot_match = ['x']", ("'xyz'", "kind 'pth'")),
        ("[[allow]]\nprogram = 'xyz'\noptions = '-a=pth'\nmatch = ['xyz']\nnot_match = ['x']", ("'xyz'", "kind 'pth'")),
        ("[[allow]]\nprogram = 'xyz'\noptions = '@none'\nmatch = ['xyz']\nnot_match = ['x']", ("'xyz'", "set @none")),
        ("[[allow]]\nprogram = 'xyz'\ncheck = 'none'\nmatch = ['xyz']\nnot_match = ['x']", ("'xyz'", "check 'none'")),
        ("[[allow]]\nprogram = 'xyz'\nafter = 'none'\nmatch = ['xyz']\nnot_match = ['x']", ("'xyz'", "part 'none'")),
        ("[[allow]]\nprogram = 'cat'\nmatch = ['cat']\nnot_match = ['x']", ("machine.toml", "'cat'", "another rule")),
        ("[[alow]]\nprogram = 'xyz'", ("machine.toml", "table 'alow'")),
        ("[allow]\nprogram = 'xyz'", ("machine.toml",)),
        ("program = ", ("machine.toml", "not TOML")),
        (
            "[[deny]]\nname = 'n'\nrule = 'a.b'\nmodes = 'yolo'\nprograms = 'xyz'\nmatch = ['xyy']\nnot_match = ['x']",
            ("'n'", "example 'xyy'", "yolo.allowed"),
        ),
        (
            "[[deny]]\nname = 'n'\nrule = 'a.b'\nmodes = 'yolo'\nprograms = 'xyz'\nmatch = ['xyz']\nnot_match = ['env xyz']",
            ("'n'", "example 'env xyz'", "refused by a.b"),
        ),
        (
            "[[deny]]\nname = 'n'\nrule = 'a.b'\nprograms = 'xyz'\nline = '('\nmatch = ['xyz']\nnot_match = ['x']",
            ("'n'", "no regular expression"),
        ),
    ],
)
def test_a_rule_that_is_wrong_is_invalid_and_named(rule: str, names: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as raised:
        load(with_rule("machine.toml", rule))
    for name in names:
        assert name in raised.value.sentence, raised.value.sentence


def test_a_list_of_thousands_of_brackets_is_invalid_and_no_crash() -> None:
    with pytest.raises(Invalid):
        load({**FILES, "machine.toml": "x = " + "[" * 50_000})


def test_one_set_of_options_has_one_meaning() -> None:
    with pytest.raises(Invalid):
        load({**FILES, "zzz.toml": "[sets]\nlog = '-x'\n"})


def test_the_version_changes_with_every_text_of_a_rule_and_with_the_second_reader() -> None:
    class Reader:
        name = "another 1.0"

        def unreadable(self, command: str) -> str:
            return ""

    same, again = load(FILES).version, load(FILES).version
    assert same == again == built_in().version
    changed = {**FILES, "machine.toml": FILES["machine.toml"] + "# a word\n"}
    assert len({same, load(changed).version, load(FILES, second=Reader()).version}) == 3


def test_a_line_that_the_second_reader_does_not_understand_is_refused_in_yolo_only() -> None:
    class Reader:
        name = "puzzled 1.0"

        def unreadable(self, command: str) -> str:
            return "puzzled" if "odd" in command else ""

    policy = load(FILES, second=Reader())
    assert policy.judge("echo odd", "yolo").rule == "yolo.unreadable"
    assert policy.judge("echo odd", "yolo").reason == "puzzled"
    assert policy.judge("echo even", "yolo").allowed
    assert policy.judge("echo odd", "safe").allowed
    assert policy.judge("rm -rf / # odd", "yolo").rule == "yolo.removal"


def test_help_loads_no_rules() -> None:
    program = (
        "import sys\n"
        "from multiagent_bridge.cli.app import run\n"
        "run(['yolo', '--help'])\n"
        "print([name for name in sys.modules if name.startswith('multiagent_bridge.guard.commands.rules')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=150, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def several() -> Callable[[int], dict[str, str]]:
    def made(count: int) -> dict[str, str]:
        rows = "".join(f"[[allow]]\nprogram = 'p{n}'\nmatch = ['p{n}']\nnot_match = ['p{n} x']\n" for n in range(count))
        return {**FILES, "many.toml": rows}

    return made


def test_further_files_of_rules_are_read_like_the_others(several: Callable[[int], dict[str, str]]) -> None:
    assert load(several(3)).judge("p2", "safe").allowed
    assert not judge("p2", "safe").allowed
