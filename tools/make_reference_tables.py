"""Write docs/reference/errors.md and config.md from the program: make_reference_tables.py [DIRECTORY]."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from multiagent_bridge import config, errors
from multiagent_bridge.cli.exits import EXITS

DIRECTORY = Path(__file__).parent.parent / "docs" / "reference"

ERRORS_HEAD = """\
# Errors

Every refusal and failure is one of these, wherever it is met: an agent reads `CODE: SENTENCE (WHAT TO DO)` in a tool's
result with `isError`, a person reads `mab: error: CODE: SENTENCE` and `mab: hint: WHAT TO DO` on standard error, and a
script reads the exit status. The code, the status and the HTTP status are stable; the sentence may be worded better any time.
Made from `errors.py` by `tools/make_reference_tables.py`.

| code | exit status | HTTP | kind of | meaning |
|---|---|---|---|---|
"""

ERRORS_FOOT = """
`too_fast` says when to try again, in seconds (`retry_after`). A refusal is an entry of the audit journal, with its code.
Two exit statuses belong to no error: 0 when all went well, 130 when Ctrl-C ended the command.
"""

CONFIG_HEAD = """\
# Settings

A flag is stronger than an environment variable, that is stronger than `bridge.toml` of the directory a command is started in,
that is stronger than `bridge.toml` of your configuration directory, and that is stronger than the default. `mab config show`
prints what holds now, with secrets masked; `mab config validate` names the first thing that is wrong. A key that is not on
this page is refused. A rate is a list of `[count, seconds]`, all of which hold; in a variable lists are written as JSON.
Made from `config/sections.py` by `tools/make_reference_tables.py`.

The hub that `mab mcp` starts runs in the state directory: the `bridge.toml` of a project steers the commands you type there,
never the hub that other projects use too. It may not say `home`, `store`, `master_key` or anything of `[yolo]`, `[watchdog]`,
`[postgres]`, `[redis]`, `[backup]`, `[retention]`, `[tokens]`, `[http]` and `[oidc]`: a repository that you cloned does not
choose where your conversations and keys lie, how long they are kept, what may run, nor who is let in.

```toml
[limits]
conversation_seconds = 86400
writes = [[30, 60], [600, 3600]]

[hub]
log_level = "warning"
```
"""


SECTIONS = {
    "limits": "What one session, one conversation, one connection or one user may do. A refusal names the limit.",
    "hub": "The process that serves.",
    "redaction": "Patterns beside the built-in ones.",
    "postgres": "A PostgreSQL store: [PostgreSQL](../guide/postgresql.md). Never in a project's file.",
    "redis": "Redis or Valkey beside it: [PostgreSQL](../guide/postgresql.md). Never in a project's file.",
    "backup": "Backups that the hub makes by itself: [backups](../guide/backups.md). Never in a project's file.",
    "retention": "How long what has expired is kept: [retention](../guide/retention.md). Never in a project's file.",
    "tokens": "Session tokens that are renewed as they age: [keys](../guide/keys.md). Never in a project's file.",
    "http": "The hub on the network: [HTTPS](../guide/https.md). Never in a project's file.",
    "oidc": "Whose tokens are believed: [access](../guide/access.md). Never in a project's file.",
    "watchdog": "Who is silent, and where that is said: [liveness](../guide/liveness.md). Never in a project's file.",
    "yolo": "Commands and what confines them: [commands](../guide/commands.md). Never in a project's file.",
}


def errors_page() -> str:
    """The whole page of errors."""
    return ERRORS_HEAD + "".join(f"{row}\n" for row in _errors(errors.BridgeError, "")) + ERRORS_FOOT


def _errors(kind: type[errors.BridgeError], parent: str) -> Iterator[str]:
    meaning = next(text for status, code, text in EXITS if code == kind.code)
    above = f"`{parent}`" if parent else ""
    yield f"| `{kind.code}` | {kind.exit_status} | {kind.http_status} | {above} | {meaning} |"
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _errors(child, kind.code)


def config_page() -> str:
    """The whole page of settings."""
    return "\n".join([CONFIG_HEAD, *_sections(config.Settings, "", "MAB_")])


def _sections(model: type[BaseModel], section: str, variable: str) -> Iterator[str]:
    inner: dict[str, type[BaseModel]] = {}
    yield f"## `[{section}]`\n" if section else "## At the top\n"
    if section:
        yield SECTIONS[section] + "\n"
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner[name] = field.annotation
            continue
        yield from _setting(f"{section}.{name}" if section else name, field, f"{variable}{name.upper()}")
    for name, nested in inner.items():
        yield from _sections(nested, name, f"{variable}{name.upper()}__")


def _setting(name: str, field: FieldInfo, variable: str) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield f"{(field.description or '').strip()}\n"
    facts = {"variable": f"`{variable}`", "default": _default(name, field), "allowed": _allowed(field)}
    yield from (f"- {label}: {text}" for label, text in facts.items() if text)
    element = _element(field)
    if element is not None:
        yield "\nEach has:\n"
        for inner, one in element.model_fields.items():
            need = "needed" if one.is_required() else f"default {_shown(one.default)}"
            yield f"- `{inner}`: {one.description} ({need})"
    yield ""


def _default(name: str, field: FieldInfo) -> str:
    if name == "home":
        return "`multiagent-bridge` in the platform's user data directory"
    if field.default is None or field.default == "":
        return "empty"
    return _shown(field.default)


def _shown(value: object) -> str:
    return f"`{_plain(value)}`".replace("'", '"') if value not in ("", ()) else "empty"


def _plain(value: object) -> object:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _allowed(field: FieldInfo) -> str:
    bounds: Mapping[type, str] = {
        Ge: "at least {.ge}",
        Gt: "more than {.gt}",
        Le: "at most {.le}",
        Lt: "less than {.lt}",
    }
    told = [form.format(rule) for rule in field.metadata for kind, form in bounds.items() if isinstance(rule, kind)]
    for rule in field.metadata:
        if isinstance(rule, MinLen):
            told.append(f"at least {rule.min_length} of them")
        if isinstance(rule, MaxLen):
            told.append(f"at most {rule.max_length} of them")
        pattern: Any = getattr(rule, "pattern", None)
        if pattern:
            told.append(", ".join(f"`{word}`" for word in str(pattern).strip("^$()").split("|")))
    return ", ".join(told)


def _element(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a list's elements, if they are tables of their own."""
    if get_origin(field.annotation) is not tuple:
        return None
    first = get_args(field.annotation)[0]
    return first if isinstance(first, type) and issubclass(first, BaseModel) else None


PAGES = {"errors.md": errors_page, "config.md": config_page}

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY
    folder.mkdir(parents=True, exist_ok=True)
    for file, page in PAGES.items():
        (folder / file).write_text(page(), encoding="utf-8")
