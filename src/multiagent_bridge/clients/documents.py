"""One entry in one configuration text: read it, put it in, bring it up to date, take it out.

Every edit is checked by reading the result back: what was meant to change changed, and nothing else did.
"""

from __future__ import annotations

from types import ModuleType
from typing import Literal

from multiagent_bridge.clients import jsonc
from multiagent_bridge.errors import Conflict, Invalid

Syntax = Literal["json", "toml"]
Path = tuple[str, ...]
Entry = dict[str, object]


def read(syntax: Syntax, text: str, path: Path) -> object | None:
    """What stands at `path`, or None. Raises Invalid when the text does not parse or a container is something else."""
    here: object = _module(syntax).loads(text)
    for key in path:
        if not isinstance(here, dict):
            raise Invalid(f'the container of "{key}" in the file is not an object', "mend it by hand first")
        if key not in here:
            return None
        here = here[key]
    return here


def put(syntax: Syntax, text: str, path: Path, value: object) -> str:
    """`text` with `value` at `path` in place of whatever stands there. Raises Invalid, Conflict."""
    module, present = _module(syntax), read(syntax, text, path)
    stripped = module.remove(text, path) if syntax == "toml" and present is not None else text
    return _checked(syntax, text, path, value, module.put(stripped, path, value))


def update(syntax: Syntax, text: str, path: Path, entry: Entry) -> str:
    """`text` with the entry at `path` made equal to `entry` by the fewest edits: what is equal is not touched."""
    present = read(syntax, text, path)
    if not isinstance(present, dict):
        return put(syntax, text, path, entry)
    return _checked(syntax, text, path, entry, _changed(_module(syntax), text, path, present, entry))


def remove(syntax: Syntax, text: str, path: Path, prune: int = 0) -> str:
    """`text` without the entry at `path`, and without the last `prune` containers above it if they are left empty."""
    text = _checked(syntax, text, path, None, _module(syntax).remove(text, path))
    for length in range(len(path) - 1, len(path) - 1 - prune, -1):
        if length < 1 or read(syntax, text, path[:length]) != {}:
            break
        text = _checked(syntax, text, path[:length], None, _module(syntax).remove(text, path[:length]))
    return text


def containers_missing(syntax: Syntax, text: str, path: Path) -> int:
    """How many containers above the entry `path` names do not exist yet."""
    return sum(read(syntax, text, path[:length]) is None for length in range(1, len(path)))


def _changed(module: ModuleType, text: str, path: Path, present: Entry, entry: Entry) -> str:
    for key in [key for key in present if key not in entry]:
        text = module.remove(text, (*path, key))
    for key, value in entry.items():
        old = present.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            text = _changed(module, text, (*path, key), old, value)
        elif old != value or type(old) is not type(value):
            text = module.put(text, (*path, key), value)
    return text


def _checked(syntax: Syntax, before: str, path: Path, value: object | None, after: str) -> str:
    """`after`, if it holds what `before` held but for `path`. Raises Conflict."""
    module = _module(syntax)
    want = here = dict(module.loads(before))
    for key in path[:-1]:
        here[key] = dict(here.get(key, {}))
        here = here[key]
    here.pop(path[-1], None)
    if value is not None:
        here[path[-1]] = value
    try:
        have = module.loads(after)
    except Invalid:
        have = None
    # TOML has no way to keep a table that only its sub-tables declared.
    if have is not None and value is None:
        want, have = _pruned(want, path), _pruned(have, path)
    if have != want:
        raise Conflict("the file cannot be edited without disturbing it", "edit it by hand: --print shows the entry")
    return str(after)


def _pruned(value: dict[str, object], path: Path) -> dict[str, object]:
    """`value` without the containers of `path` that hold nothing."""
    if len(path) < 2:
        return value
    inner = value.get(path[0])
    if not isinstance(inner, dict):
        return value
    inner = _pruned(inner, path[1:])
    return {key: part for key, part in value.items() if key != path[0]} | ({path[0]: inner} if inner else {})


def _module(syntax: Syntax) -> ModuleType:
    if syntax == "json":
        return jsonc
    from multiagent_bridge.clients import toml  # tomlkit is loaded only where a client needs it

    return toml
