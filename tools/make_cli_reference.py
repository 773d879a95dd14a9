"""Write docs/reference/cli.md from the command tree, the same bytes every time: make_cli_reference.py [FILE]."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from multiagent_bridge.cli.app import app
from multiagent_bridge.cli.exits import EXITS
from multiagent_bridge.cli.help import ENVIRONMENT
from multiagent_bridge.cli.tree import SECTIONS

FILE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"

_BRACES = re.compile("[{}]")
_TYPE = re.compile(r" (<[^>]+>|TEXT|INTEGER|INTEGER RANGE|FLOAT|FILE|PATH)$")
_TYPES = {
    "str": "TEXT",
    "int": "NUMBER",
    "integer": "NUMBER",
    "float": "NUMBER",
    "int range": "NUMBER",
    "integer range": "NUMBER",
    "list[str]": "TEXT",
}

HEAD = """\
# Commands

`mab`, which is also called `mcp-multiagent-bridge`. This page is written from the program: `mab COMMAND --help` says the
same. Made by `tools/make_cli_reference.py`.

Data goes to standard output, talk to standard error. Off a terminal there is no colour, no heading and no question; on one,
`NO_COLOR` does without colour. `--json` prints one JSON document (`tail --json`, `status --watch --json` and
`redact --jsonl` one a line), whose strings hold only printable characters: what an agent said can move no cursor. What goes
wrong is one sentence on standard error, `mab: error: CODE: SENTENCE`, with `mab: hint: WHAT TO DO` below it. Completion for
the shell: `mab --install-completion`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_contents(), *_commands(), *_exits(), *_environment()])


def _contents() -> Iterator[str]:
    yield "| group | commands |"
    yield "|---|---|"
    for title, rows in SECTIONS.items():
        yield f"| {title} | {', '.join(f'[{name}](#mab-{name})' for name in rows)} |"
    yield ""


def _commands() -> Iterator[str]:
    root: Any = get_command(app)
    for title, rows in SECTIONS.items():
        yield f"## {title}\n"
        for name in rows:
            yield from _command(root.commands[name], f"mab {name}", "###")


def _command(command: Any, path: str, depth: str) -> Iterator[str]:
    yield f"{depth} `{path}`\n"
    yield " ".join((command.help or "").split()) + "\n"
    inner = getattr(command, "commands", {})
    for name, one in inner.items():
        yield from _command(one, f"{path} {name}", depth + "#")
    if inner:
        return
    context = typer.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    yield f"```text\n{_BRACES.sub('', usage).replace('......', '...')}\n```\n"
    records = [parameter.get_help_record(context) for parameter in command.params if not parameter.hidden]
    if any(records):
        yield "| argument or option | meaning |"
        yield "|---|---|"
        for name, meaning in filter(None, records):
            yield f"| `{_cell(_named(name))}` | {_cell(meaning)} |"
        yield ""


def _named(label: str) -> str:
    """`--ttl NUMBER` for `--ttl <int>` or `--ttl INTEGER`, as the releases of the command parser have it; `CONV` alone."""
    if not label.startswith("-"):
        return _TYPE.sub("", label)
    return _TYPE.sub(lambda found: f" {_TYPES.get(found[1].strip('<>').lower(), found[1])}", label)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _exits() -> Iterator[str]:
    yield "## Exit statuses\n"
    yield "Also `mab help exit-codes`; the codes are explained on the page of [errors](errors.md).\n"
    yield "| status | code | meaning |"
    yield "|---|---|---|"
    for status, code, meaning in EXITS:
        yield f"| {status} | `{code}` | {meaning} |"
    yield ""


def _environment() -> Iterator[str]:
    yield "## Environment\n"
    yield "Every setting has a variable as well; the page of [settings](config.md) lists them.\n"
    yield "| variable | meaning |"
    yield "|---|---|"
    for name, meaning in ENVIRONMENT:
        yield f"| `{name}` | {meaning} |"
    yield ""


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(), encoding="utf-8")
