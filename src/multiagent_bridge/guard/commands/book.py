"""The rule book: entries of all files become what judges a line in each mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.guard.commands.bans import Bans
from multiagent_bridge.guard.commands.checks import CHECKS
from multiagent_bridge.guard.commands.deny import Denials, Deny, LinePattern
from multiagent_bridge.guard.commands.disasters import Yolo
from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.families import Expression, Family, Interpreter, Row
from multiagent_bridge.guard.commands.kinds import ANY, Kind, Kinds
from multiagent_bridge.guard.commands.names import Names
from multiagent_bridge.guard.commands.options import Program, flags_of, program
from multiagent_bridge.guard.commands.places import Places
from multiagent_bridge.guard.commands.strict import Strict
from multiagent_bridge.guard.commands.strings import Strings
from multiagent_bridge.guard.commands.touched import Touches
from multiagent_bridge.guard.commands.wrappers import Wrappers

_GROUPS = (
    "shells", "text", "searchers", "downloaders", "network", "resolvers", "environments", "runners", "endless",
)  # fmt: skip
_CODED = frozenset(["rm", "find", "git", "cd", "pushd", "popd", "kill", "ssh", "trap", "alias", "exit", "source"])
"""Programs whose arguments are read by code."""
_PLACES = ("system", "homes", "sinks", "kernel", "keys", "account", "governing", "guard")


@dataclass(frozen=True, slots=True)
class Book:
    """What judges a line: the rules of safe, of restricted and of yolo, and the kinds of values that they name."""

    strict: Mapping[str, Strict]
    yolo: Yolo
    kinds: Kinds


class Shelf:
    """Entries by kind, in the order of their files."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._by_kind: dict[str, list[Entry]] = {}
        for entry in self.entries:
            self._by_kind.setdefault(entry.kind, []).append(entry)

    def of(self, kind: str, mode: str = "") -> list[Entry]:
        return [entry for entry in self._by_kind.get(kind, ()) if not mode or mode in entry.modes]

    def named(self, kind: str, names: Sequence[str]) -> dict[str, Entry]:
        """The entries of these names. Raises LookupError when one is missing."""
        found = {entry.name: entry for entry in self.of(kind)}
        return {name: found[name] for name in names}


def book_of(built_in: Shelf) -> Book:
    """The book of the built-in files. Raises Invalid naming the file and the rule that is wrong."""
    kinds = Kinds(built_in.of("kind"))
    made: dict[int, Program] = {}
    strict = {mode: _strict(built_in, mode, kinds, made) for mode in ("safe", "restricted")}
    return Book(strict, _yolo(built_in), kinds)


def denials_of(shelf: Shelf, mode: str) -> Denials:
    lines = [
        LinePattern(entry.text("rule"), entry.text("reason"), pattern)
        for entry in shelf.of("line", mode)
        if (pattern := entry.pattern("pattern"))
    ]
    return Denials([Deny(entry) for entry in shelf.of("deny", mode)], lines)


def _strict(shelf: Shelf, mode: str, kinds: Kinds, made: dict[int, Program]) -> Strict:
    variables: dict[str, Kind] = {}
    for entry in shelf.of("variable", mode):
        kind = kinds.named(entry.text("kind"))
        if kind is None:
            raise entry.wrong(f"names the kind {entry.text('kind')!r}, which is not there")
        variables |= dict.fromkeys(entry.words("names"), kind)
    return Strict(mode, rows_of(shelf, mode, kinds, made), variables, denials_of(shelf, mode))


def rows_of(shelf: Shelf, mode: str, kinds: Kinds, made: dict[int, Program]) -> dict[str, Row]:
    """The programs of a mode by name; `made` keeps those that two modes share. Raises Invalid when two rules name one program."""
    parts: dict[str, Program] = {}
    for entry in shelf.of("part"):
        parts[entry.name] = _program(entry, kinds, parts, entry.name.partition(" ")[0], made)
    found: dict[str, Row] = {}
    below: dict[str, dict[str, Program]] = {}
    for entry in shelf.of("allow", mode):
        name, _, sub = entry.text("program").partition(" ")
        row = _program(entry, kinds, parts, sub or name, made)
        table: dict[str, Program] = below.setdefault(name, {}) if sub else {}
        for alias in (sub or name, *entry.words("aliases")):
            if alias in table or (not sub and alias in found):
                raise entry.wrong("names a program that another rule names")
            table[alias] = row
        if not sub:
            found |= table
    for entry in shelf.of("family", mode):
        family = _family(entry, kinds, below.pop(entry.name, {}))
        found |= dict.fromkeys((entry.name, *entry.words("aliases")), family)
    for entry in shelf.of("expression", mode):
        tests = flags_of(entry, "tests", kinds, bundled=False)
        found[entry.name] = Expression(entry.name, frozenset(entry.words("before")), tests)
    for entry in shelf.of("interpreter", mode):
        for name in (entry.name, *entry.words("aliases")):
            found[name] = _interpreter(entry, name, kinds, parts, found)
    for name, rows in below.items():
        found[name] = Family(name, Program(name, {}, rest=ANY, stop=True), rows, frozenset())
    return found


def _program(entry: Entry, kinds: Kinds, parts: Mapping[str, Program], name: str, made: dict[int, Program]) -> Program:
    if id(entry) not in made:
        made[id(entry)] = program(entry, kinds, CHECKS, parts, name)
    return made[id(entry)]


def _family(entry: Entry, kinds: Kinds, rows: Mapping[str, Program]) -> Family:
    flags = flags_of(entry, "before", kinds, bundled=False)
    before = Program(entry.name, flags, rest=ANY, bundled=False, stop=True)
    return Family(entry.name, before, rows, frozenset(entry.words("alone")), entry.pattern("skip"))


def _interpreter(
    entry: Entry, name: str, kinds: Kinds, parts: Mapping[str, Program], rows: Mapping[str, Row]
) -> Interpreter:
    known: dict[str, Row] = {**rows, **parts}
    named = entry.table("modules") | entry.table("first")
    script = kinds.named(entry.text("script"))
    if script is None or "arguments" not in parts or not set(named.values()) <= set(known):
        raise entry.wrong("names a script kind, a module or a part that is not there")
    bundled = not any(len(word.partition("=")[0]) > 2 for word in entry.words("before") if word.startswith("--"))
    return Interpreter(
        language=entry.name,
        before=Program(
            name,
            flags_of(entry, "before", kinds, bundled=bundled),
            rest=ANY,
            bundled=bundled,
            stop=True,
        ),
        script=Program(entry.name, {}, leading=(script,)),
        arguments=parts["arguments"],
        alone=frozenset(entry.words("alone")),
        modules={module: known[row] for module, row in entry.table("modules").items()},
        first={option: known[row] for option, row in entry.table("first").items()},
    )


def _yolo(shelf: Shelf) -> Yolo:
    groups = {name: frozenset(entry.words("programs")) for name, entry in shelf.named("group", _GROUPS).items()}
    inline = {name: tuple(entry.words("options")) for entry in shelf.of("inline") for name in entry.words("programs")}
    denials, touches = denials_of(shelf, "yolo"), Touches(shelf.of("touch"))
    wrappers, strings = Wrappers(shelf.of("wrapper")), Strings(shelf.of("string"))
    known = denials.names | touches.names | wrappers.names | strings.names | _CODED | inline.keys()
    return Yolo(
        bans=Bans(denials, shelf.of("environment"), shelf.of("setting"), shelf.of("code")),
        places=Places(shelf.named("place", _PLACES)),
        touches=touches,
        wrappers=wrappers,
        strings=strings,
        groups=groups,
        inline=inline,
        names=Names(known.union(*groups.values())),
    )
