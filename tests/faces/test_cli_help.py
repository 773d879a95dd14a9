from __future__ import annotations

import json
import resource
import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.main import get_group

from multiagent_bridge import errors
from multiagent_bridge.cli.exits import EXITS
from multiagent_bridge.cli.tree import COMMANDS, SECTIONS
from tests.faces.terminal import MAB, SECONDS, Terminal

HEAVY = (
    "mcp",
    "mcp_types",
    "pydantic",
    "pydantic_settings",
    "apsw",
    "cryptography",
    "rich",
    "asyncio",
    "anyio",
    "starlette",
)


def imported_by(*words: str) -> set[str]:
    """Names of the modules in memory after a command was run."""
    program = (
        "import json, sys\nfrom multiagent_bridge.cli.app import run\n"
        f"status = run({list(words)!r})\nprint(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=SECONDS, check=True)
    status, names = json.loads(done.stderr.splitlines()[-1])
    assert status == 0
    return set(names)


@pytest.mark.parametrize("words", [("--help",), ("--version",)], ids=" ".join)
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    assert imported_by(*words).isdisjoint(HEAVY)


def test_listing_the_commands_imports_none_of_them() -> None:
    commands = {f"multiagent_bridge.cli.{row.module}" for row in COMMANDS.values()}
    assert imported_by("--help").isdisjoint(commands)


def test_help_takes_no_more_than_the_interpreter_and_its_parser_need() -> None:
    def milliseconds(*words: str) -> float:
        """Of processor time: how long it waits for a processor says nothing of it."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], capture_output=True, timeout=SECONDS, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000

    milliseconds("-m", "multiagent_bridge", "--help")
    parser, ours = [], []
    for _ in range(7):
        parser.append(milliseconds("-c", "import typer, typer.main, typer.core"))
        ours.append(milliseconds("-m", "multiagent_bridge", "--help"))
    # both measured in turns, so that a loaded machine slows both
    assert min(ours) <= 1.6 * min(parser), (ours, parser)


@pytest.mark.parametrize("module", sorted({row.module for row in COMMANDS.values()}))
def test_the_table_of_commands_says_what_the_modules_register(module: str) -> None:
    shelf = typer.Typer(rich_markup_mode=None)
    import_module(f"multiagent_bridge.cli.{module}").register(shelf)
    registered = get_group(shelf).commands
    assert set(registered) == {name for name, row in COMMANDS.items() if row.module == module}
    for name, command in registered.items():
        first = (command.help or "").split("\n")[0]
        assert first.startswith(COMMANDS[name].about.rstrip(".")), f"{name}: {first}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_of_its_own(terminal: Terminal, name: str) -> None:
    for words in ((name, "--help"), (name, "-h"), ("help", name)):
        out = terminal.mab(*words).out
        assert out.startswith(f"Usage: mab {name}")
        assert "--help" in out


def test_every_option_and_argument_is_explained(terminal: Terminal) -> None:
    from multiagent_bridge.cli.app import app

    def silent(command: object, path: str) -> list[str]:
        inner = [
            told for name, one in getattr(command, "commands", {}).items() for told in silent(one, f"{path} {name}")
        ]
        return inner + [
            f"{path} {parameter.name}"
            for parameter in getattr(command, "params", [])
            if not parameter.hidden and not getattr(parameter, "help", "")
        ]

    assert [told for name, one in get_group(app).commands.items() for told in silent(one, name)] == []


def test_no_words_show_the_help_on_stderr_and_count_as_a_mistake(terminal: Terminal) -> None:
    done = terminal.mab(status=2)
    assert done.out == ""
    for section in SECTIONS:
        assert f"{section}:" in done.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("nonsense",), "mab --help"),
        (("lst",), "list"),
        (("list", "--nonsense"), "mab list --help"),
        (("config", "nonsense"), "mab config --help"),
        (("show",), "mab show --help"),
        (("audit", "-", "many"), "mab audit --help"),
        (("--nonsense",), "mab --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_on_the_command_line_is_one_sentence_with_a_hint(
    terminal: Terminal, words: tuple[str, ...], hint: str
) -> None:
    done = terminal.mab(*words, status=2)
    error, said = done.err.splitlines()
    assert error.startswith("mab: error: invalid: ")
    assert not error.endswith(".")
    assert said.startswith("mab: hint: ")
    assert hint in said


def test_the_table_of_exit_statuses_is_that_of_the_errors(terminal: Terminal) -> None:
    def family(kind: type[errors.BridgeError]) -> set[tuple[int, str]]:
        return {(kind.exit_status, kind.code)}.union(*map(family, kind.__subclasses__()))

    table = {(status, code) for status, code, _ in EXITS}
    assert {pair for pair in family(errors.BridgeError) if pair[1] in {row[1] for row in EXITS}} == family(
        errors.BridgeError
    )
    assert family(errors.BridgeError) <= table
    assert table - family(errors.BridgeError) == {(0, "done"), (130, "interrupted")}
    lines = terminal.mab("help", "exit-codes").out.splitlines()
    assert [(int(line.split()[0]), line.split()[1]) for line in lines] == [(status, code) for status, code, _ in EXITS]


def test_help_on_something_that_is_not_there_is_not_found(terminal: Terminal) -> None:
    assert terminal.mab("help", "nonsense", status=7).code == "not_found"
    assert "MAB_HOME" in terminal.mab("help", "environment").out


def completed(terminal: Terminal, words: str, instruction: str = "complete_bash") -> set[str]:
    """What the shell would offer after these words."""
    done = subprocess.run(
        [*MAB], capture_output=True, timeout=SECONDS, check=False, text=True,
        env=terminal.environment(
            _MAB_COMPLETE=instruction, COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1),
            _TYPER_COMPLETE_ARGS=words,
        ),
    )  # fmt: skip
    assert done.stderr == ""
    return set(done.stdout.split())


def test_the_shell_completes_commands_and_options(terminal: Terminal) -> None:
    assert completed(terminal, "mab re") == {name for name in COMMANDS if name.startswith("re")}
    assert completed(terminal, "mab ") == set(COMMANDS)
    assert "--json" in completed(terminal, "mab list --j")
    assert completed(terminal, "mab config ") == {"show", "validate"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed_for_each_shell(terminal: Terminal, shell: str) -> None:
    # Typer asks its parents else, whatever shell they are: none where nobody's shell started the tests
    out = terminal.process("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1").out
    assert "_MAB_COMPLETE" in out
