"""`mab redact`: the redactor as a filter, with the rules that every message meets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Annotated

import typer

from multiagent_bridge.cli import output
from multiagent_bridge.cli.conversations import Json
from multiagent_bridge.cli.files import unread
from multiagent_bridge.errors import BridgeError, Invalid, Refused, Unavailable

if TYPE_CHECKING:
    from multiagent_bridge.guard.redact import Redactor

WITHHELD = "withheld: it could not be checked for secrets"


def register(app: typer.Typer) -> None:
    app.command()(redact)


def redact(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="Text to read; standard input when left out, or for -.")
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Lines {"id","text"} in, lines {"id","text","kinds"} out, one at a time.')
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show which rule found what kind where, never the value.")
    ] = False,
    rules: Annotated[bool, typer.Option("--rules", help="List every rule.")] = False,
    as_json: Json = False,
) -> None:
    """Replace the secrets in a text, as it would be done to a message."""
    from multiagent_bridge import config, wiring

    if sum((jsonl, explain, rules)) > 1:
        raise Invalid("--jsonl, --explain and --rules exclude each other", "use one of them")
    redactor = wiring.redactor_of(config.load())
    if rules:
        _list_rules(redactor, as_json)
        return
    with _opened(file) as source:
        if jsonl:
            _each_line(redactor, source)
        elif explain:
            _explain(redactor, source.read().decode("utf-8", "surrogateescape"), as_json)
        else:
            _whole(redactor, source.read().decode("utf-8", "surrogateescape"), as_json)


def _whole(redactor: Redactor, text: str, as_json: bool) -> None:
    """The text with its secrets replaced, every other byte as it was."""
    done = redactor.redact(text)
    if as_json:
        output.data({"text": done.text, "kinds": list(done.kinds)})
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(done.text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _each_line(redactor: Redactor, source: IO[bytes]) -> None:
    """One answer a line, written at once. A text that cannot be checked is withheld, and the others still pass.

    Raises Invalid naming the first line that is not of the form, Refused at the end when a text was withheld.
    """
    withheld = 0
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        identity, text = _asked(number, line)
        try:
            done = redactor.redact(text)
        except BridgeError:
            withheld += 1
            output.json_line({"id": identity, "text": WITHHELD, "kinds": ["WITHHELD"]})
        else:
            output.json_line({"id": identity, "text": done.text, "kinds": list(done.kinds)})
    if withheld:
        raise Refused(f"{withheld} texts could not be checked and were withheld", "send them in smaller parts")


def _asked(number: int, line: bytes) -> tuple[object, str]:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"line {number} is not JSON", 'lines look like {"id": 1, "text": "..."}') from error
    if not isinstance(asked, dict) or "id" not in asked or not isinstance(asked.get("text"), str):
        raise Invalid(f"line {number} has no id and text", 'lines look like {"id": 1, "text": "..."}')
    return asked["id"], asked["text"]


def _explain(redactor: Redactor, text: str, as_json: bool) -> None:
    found = redactor.explain(text)
    if as_json:
        output.data([{"rule": f.rule, "kind": f.kind, "start": f.start, "end": f.end} for f in found])
        return
    starts = [0, *(at + 1 for at, c in enumerate(text) if c == "\n")]
    output.table(
        ["line", "column", "characters", "kind", "rule"],
        [(*_place(starts, f.start), f.end - f.start, f.kind, f.rule) for f in found],
    )
    if not found:
        output.say("no secret was found")


def _place(starts: list[int], at: int) -> tuple[int, int]:
    """Line and column, both from 1, of the character at `at`."""
    from bisect import bisect_right

    line = bisect_right(starts, at)
    return line, at - starts[line - 1] + 1


def _list_rules(redactor: Redactor, as_json: bool) -> None:
    rules = redactor.rules()
    if as_json:
        output.data([{"name": r.name, "placeholder": r.placeholder, "shape": r.shape} for r in rules])
    else:
        output.table(["rule", "placeholder", "shape"], [(r.name, r.placeholder, r.shape) for r in rules])


@contextmanager
def _opened(file: str | None) -> Iterator[IO[bytes]]:
    """The bytes to filter. Raises NotFound or Unavailable when the file cannot be read."""
    if file is None or file == "-":
        if sys.stdin is None:
            raise Unavailable("standard input is closed", "name a file")
        yield sys.stdin.buffer
        return
    try:
        source = open(file, "rb")  # noqa: PTH123, SIM115 (a name such as - must not become a path)
    except OSError as error:
        raise unread(file, error, "a text", "name a readable file") from error
    with source:
        yield source
