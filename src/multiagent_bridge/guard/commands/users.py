"""A person's own rules: they refuse more, and allow further programs within what no rule may undo."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.commands.book import Book, Shelf, denials_of, rows_of
from multiagent_bridge.guard.commands.deny import Denials
from multiagent_bridge.guard.commands.disasters import Yolo, refuse_argv
from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.families import Row
from multiagent_bridge.guard.commands.reading import Word

MOST_RULES = 500
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}(?: [A-Za-z0-9][A-Za-z0-9._:+-]{0,99})?")
_VERSION = re.compile(r"[-.]?[0-9][0-9.]*$")
_LONGEST_REASON = 200


class Reserved:
    """What no rule of a person may allow, by the built-in `reserved` rules."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._programs = {name.lower(): entry for entry in entries for name in entry.words("programs")}
        self._options = tuple(option for entry in entries for option in entry.words("options"))

    def refuses(self, program: str, options: Sequence[str] = ()) -> str:
        """Why a rule may not allow `program` ("NAME" or "NAME SUB-COMMAND") with these options; "" when it may."""
        name, _, sub = program.lower().partition(" ")
        entry = self._programs.get(name) or self._programs.get(_VERSION.sub("", name))
        if entry is not None:
            subcommands = entry.words("subcommand")
            if not subcommands:
                return f"{name} runs other commands ({entry.name})"
            if not sub:
                return f"{name} runs other commands: name one of its sub-commands"
            if sub in subcommands:
                return f"{program} runs other commands or changes more than the workspace"
        for option in options:
            if any(option.startswith(one[:-1]) if one.endswith("*") else option == one for one in self._options):
                return f"the option {option} may run a command or read further settings"
        return ""


@dataclass(frozen=True, slots=True)
class Added:
    """A program that a person's rule allows: its own row, and whatever yolo would refuse stays refused."""

    name: str
    row: Row
    yolo: Yolo

    def judge(self, words: Sequence[Word], workspace: str) -> None:
        self.row.judge(words, workspace)
        refuse_argv((self.name, *(word.text for word in words)), self.yolo, workspace)


def with_users(book: Book, built_in: Shelf, entries: Sequence[Entry]) -> Book:
    """The book with a person's rules added. Raises Invalid naming the file and the rule that may not be."""
    _refuse_many(entries)
    reserved = Reserved(built_in.of("reserved"))
    for entry in entries:
        if entry.kind == "allow":
            _check_allow(entry, book, reserved)
        else:
            _check_deny(entry)
    shelf = Shelf(entries)
    strict = {}
    for mode, rules in book.strict.items():
        added = rows_of(shelf, mode, book.kinds, {})
        rows = {name: Added(name, row, book.yolo) for name, row in added.items()}
        strict[mode] = replace(rules, rows={**rules.rows, **rows}, denials=_joined(shelf, built_in, mode))
    yolo = replace(book.yolo, bans=book.yolo.bans.with_denials(_joined(shelf, built_in, "yolo")))
    return replace(book, strict=strict, yolo=yolo)


def _joined(users: Shelf, built_in: Shelf, mode: str) -> Denials:
    return denials_of(Shelf((*users.entries, *built_in.entries)), mode)


def _refuse_many(entries: Sequence[Entry]) -> None:
    if len(entries) > MOST_RULES:
        raise Invalid(f"{entries[0].file} has more than {MOST_RULES} rules", "join some of them")
    seen: set[str] = set()
    for entry in entries:
        if not _NAME.fullmatch(entry.text("name")):
            raise entry.wrong("needs a name of small letters, digits and hyphens")
        if entry.name in seen:
            raise entry.wrong("has a name that another rule has")
        seen.add(entry.name)
        reason = entry.text("reason")
        if len(reason) > _LONGEST_REASON or not reason.isprintable():
            raise entry.wrong(f"has a reason over {_LONGEST_REASON} characters or with characters that are not printed")


def _check_allow(entry: Entry, book: Book, reserved: Reserved) -> None:
    program = entry.text("program")
    if not _PROGRAM.fullmatch(program):
        raise entry.wrong("needs a program: its bare name, and a sub-command behind it where it has some")
    if "yolo" in entry.modes:
        raise entry.wrong("allows in yolo, where everything is allowed that no rule refuses: use safe or restricted")
    name = program.partition(" ")[0]
    if any(name in rules.rows for rules in book.strict.values()):
        raise entry.wrong(f"allows {name}, whose rules are built in: a rule may only refuse more of it")
    if book.yolo.bans.denials.always(name):
        raise entry.wrong(f"allows {name}, which no mode allows")
    options = [word.partition("=")[0].rstrip("?") for word in entry.words("options")]
    if why := reserved.refuses(program, options):
        raise entry.wrong(f"cannot be: {why}")


def _check_deny(entry: Entry) -> None:
    if not entry.text("programs") and not entry.text("words"):
        raise entry.wrong("needs programs or words")
    for name in entry.words("programs"):
        if "/" in name or "*" in name[:-1]:
            raise entry.wrong(f"names {name!r}: give bare names, * only at the end")
    for option in entry.words("options"):
        if not option.startswith("-") or option in ("-", "--") or "=" in option:
            raise entry.wrong(f"names {option!r}, which is no option")
