"""Rule files: TOML text becomes entries whose keys are known, whose values have their type and which carry examples."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from multiagent_bridge.errors import Invalid

MODES = ("safe", "restricted", "yolo")
_ROW = "options operands pattern after check number! raw! stop! bundled! least#"
_FORMS = {
    "allow": "program aliases modes " + _ROW,
    "part": "name " + _ROW,
    "family": "program aliases modes before alone skip",
    "interpreter": "program aliases modes before alone script modules% first%",
    "expression": "program modes before tests",
    "kind": "name rule form wanted",
    "variable": "names modes kind",
    "line": "name modes rule reason pattern",
    "deny": "name modes rule reason programs options subcommand words verb unless_verb at# first unless_first word "
    "unless_word line unless_line piped!",
    "code": "rule pattern",
    "environment": "rule names",
    "setting": "rule pattern unless",
    "place": "name rule names pattern samples",
    "group": "name rule programs",
    "inline": "rule programs options",
    "wrapper": "rule programs values operands# run line!",
    "string": "name rule programs options variables within",
    "touch": "rule programs removes writes values targets prefix when",
    "reserved": "name programs subcommand options",
}
"""The keys of each kind of rule in the built-in files: text, `!` true or false, `#` a number, `%` a table of texts."""
_USERS_FORMS = {
    "allow": "name modes program options operands number! bundled! least# reason",
    "deny": "name modes programs subcommand options words reason",
}
_TYPES: dict[str, type] = {"!": bool, "#": int, "%": dict}
_MOST_EXAMPLES = 200
_LONGEST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule of a file. `match` and `not_match` are its examples."""

    file: str
    kind: str
    name: str
    values: Mapping[str, object]
    sets: Mapping[str, str]
    match: tuple[str, ...]
    not_match: tuple[str, ...]

    def text(self, key: str, default: str = "") -> str:
        found = self.values.get(key, default)
        return found if isinstance(found, str) else default

    def flag(self, key: str, default: bool = False) -> bool:
        return self.values.get(key, default) is True

    def number(self, key: str, default: int = 0) -> int:
        found = self.values.get(key, default)
        return found if isinstance(found, int) else default

    def table(self, key: str) -> dict[str, str]:
        found = self.values.get(key, {})
        return dict(found) if isinstance(found, dict) else {}

    def words(self, key: str) -> list[str]:
        """The words of a text, `@name` replaced by the set of that name."""
        found: list[str] = []
        for word in self.text(key).split():
            if word.startswith("@") and len(word) > 1:
                if word[1:] not in self.sets:
                    raise self.wrong(f"names the set {word}, which is not there")
                found += self._unfolded(word[1:])
            else:
                found.append(word)
        return found

    def _unfolded(self, name: str, depth: int = 0) -> list[str]:
        found: list[str] = []
        for word in self.sets[name].split():
            if word.startswith("@") and word[1:] in self.sets and depth < 3:
                found += self._unfolded(word[1:], depth + 1)
            else:
                found.append(word)
        return found

    def pattern(self, key: str) -> re.Pattern[str] | None:
        """The regular expression of a key, None without one; its line breaks and indents are layout."""
        if not (text := self.text(key)):
            return None
        try:
            return re.compile(re.sub(r"\n\s*", "", text))
        except (re.error, RecursionError) as error:
            raise self.wrong(f"has a {key} that is no regular expression: {error}") from error

    @property
    def modes(self) -> tuple[str, ...]:
        return tuple(self.text("modes").split())

    def wrong(self, what: str) -> Invalid:
        """The error that names the file and the rule. `what` completes "the rule X of the file Y ..."."""
        return Invalid(
            f"the rule {self.name!r} of {self.file} {what}",
            "docs/security/command-policy.md says what a rule may hold",
            file=self.file,
            rule=self.name,
        )


def read(file: str, text: str, sets: dict[str, str], *, users: bool = False) -> list[Entry]:
    """The entries of one file, whose sets are added to `sets`. Raises Invalid naming the file, and the rule if there is one."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Invalid(f"{file} is not TOML: {error}", "correct the file", file=file) from error
    default = document.pop("modes", "")
    own = document.pop("sets", {})
    if not isinstance(default, str) or not _texts(own) or not sets.keys().isdisjoint(own):
        raise Invalid(
            f"modes of {file} must be a text and sets a table of texts with names of their own",
            "correct the file",
            file=file,
        )
    sets |= own
    forms = _USERS_FORMS if users else _FORMS
    found: list[Entry] = []
    for kind, tables in document.items():
        if kind not in forms:
            raise Invalid(f"{file} has the unknown table {kind!r}", f"use {', '.join(forms)}", file=file)
        if not isinstance(tables, list):
            raise Invalid(f"{kind} of {file} is no list of tables", f"write [[{kind}]]", file=file)
        for place, table in enumerate(tables, 1):
            modes = default or ("restricted" if users and kind == "allow" else " ".join(MODES))
            found.append(_entry(file, kind, place, table, forms[kind], modes, sets))
    return found


def _texts(table: object) -> bool:
    return isinstance(table, dict) and all(isinstance(value, str) for value in table.values())


def _entry(file: str, kind: str, place: int, table: object, form: str, modes: str, sets: dict[str, str]) -> Entry:
    values = dict(table) if isinstance(table, dict) else {}
    name = next((values[key] for key in ("name", "program", "rule") if isinstance(values.get(key), str)), "")
    match, not_match = values.pop("match", []), values.pop("not_match", [])
    values.setdefault("modes", modes)
    entry = Entry(file, kind, name or f"{kind} {place}", values, sets, _lines(match), _lines(not_match))
    types = _types(form)
    for key, value in values.items():
        if key not in types:
            raise entry.wrong(f"has the unknown key {key!r}")
        wanted = types[key]
        if type(value) is not wanted or (wanted is dict and not _texts(value)):
            raise entry.wrong(f"has a {key} that is no {wanted.__name__.replace('str', 'text')}")
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            raise entry.wrong(f"has a {key} that is too long")
    for key, examples in (("match", entry.match), ("not_match", entry.not_match)):
        if not examples:
            raise entry.wrong(f"has no example in {key}: give a list of lines")
        if len(examples) > _MOST_EXAMPLES:
            raise entry.wrong(f"has more than {_MOST_EXAMPLES} examples in {key}")
    if not entry.modes or not set(entry.modes) <= set(MODES):
        raise entry.wrong(f"has unknown modes: use {', '.join(MODES)}")
    return entry


@cache
def _types(form: str) -> dict[str, type]:
    return {word.rstrip("!#%"): _TYPES.get(word[-1], str) for word in form.split()} | {"name": str, "modes": str}


def _lines(examples: object) -> tuple[str, ...]:
    """The examples; none when they are no list of texts."""
    if not isinstance(examples, list) or not all(isinstance(line, str) for line in examples):
        return ()
    return tuple(examples)
