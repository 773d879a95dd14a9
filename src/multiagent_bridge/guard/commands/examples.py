"""The examples that every rule carries are judged when rules are loaded: a rule that does not do what it says is not taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from multiagent_bridge.errors import Invalid
from multiagent_bridge.guard.commands.book import Book
from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.users import Reserved
from multiagent_bridge.guard.commands.verdict import Denied, Verdict

Judge = Callable[[str, str], Verdict]
"""A line and a mode in, the answer out."""

_ALLOWING = frozenset({"allow", "part", "family", "interpreter", "expression", "variable"})


def check_examples(entries: Iterable[Entry], judge: Judge, book: Book) -> None:
    """Raise Invalid naming the file, the rule and the first example that does not hold.

    `match` of an allowing rule are lines that its mode allows, `not_match` lines that it refuses. `match` of a refusing rule are
    lines that are refused by it, `not_match` lines that are not. A rule of several modes is asked in the first of them.
    """
    for entry in entries:
        if entry.kind == "kind":
            _values(entry, book)
        elif entry.kind in _ALLOWING:
            _allowing(entry, entry.modes[0], judge)
        elif entry.kind == "reserved":
            _reserving(entry)
        else:
            _refusing(entry, judge)


def check_users_examples(entries: Iterable[Entry], judge: Judge) -> None:
    """The same for a person's rules, each asked in all its modes.

    `match` of a refusing rule are refused in all of them, and by this rule in one at least: in the others a built-in rule
    may come first.
    """
    for entry in entries:
        if entry.kind == "allow":
            for mode in entry.modes:
                _allowing(entry, mode, judge)
            continue
        rule = f"user.{entry.name}"
        for line in entry.match:
            said = [judge(line, mode) for mode in entry.modes]
            if any(verdict.allowed for verdict in said) or all(verdict.rule != rule for verdict in said):
                raise _broken(entry, line, f"is answered by {', '.join(verdict.rule for verdict in said)}")
        for line in entry.not_match:
            if any(judge(line, mode).rule == rule for mode in entry.modes):
                raise _broken(entry, line, "is refused by it")


def _allowing(entry: Entry, mode: str, judge: Judge) -> None:
    for line in entry.match:
        if not (said := judge(line, mode)).allowed:
            raise _broken(entry, line, f"is refused by {said.rule}")
    for line in entry.not_match:
        if judge(line, mode).allowed:
            raise _broken(entry, line, "is allowed")


def _refusing(entry: Entry, judge: Judge) -> None:
    mode, rule = entry.modes[0], entry.text("rule")
    for line in entry.match:
        if (said := judge(line, mode)).rule != rule:
            raise _broken(entry, line, f"is answered by {said.rule} and not by {rule}")
    for line in entry.not_match:
        if judge(line, mode).rule == rule:
            raise _broken(entry, line, f"is refused by {rule}")


def _values(entry: Entry, book: Book) -> None:
    kind = book.kinds.named(entry.name)
    if kind is None:
        raise entry.wrong("is not there")
    for value in (*entry.match, *entry.not_match):
        try:
            kind.judge(value, "")
        except Denied as denied:
            if value in entry.match:
                raise _broken(entry, value, f"is refused by {denied.rule}") from None
        else:
            if value in entry.not_match:
                raise _broken(entry, value, "is accepted")


def _reserving(entry: Entry) -> None:
    reserved = Reserved([entry])
    for line in entry.match:
        if not reserved.refuses(*_asked(line)):
            raise _broken(entry, line, "could be allowed")
    for line in entry.not_match:
        if reserved.refuses(*_asked(line)):
            raise _broken(entry, line, "could not be allowed")


def _asked(line: str) -> tuple[str, list[str]]:
    words = line.split()
    return " ".join(word for word in words if not word.startswith("-")), [
        word for word in words if word.startswith("-")
    ]


def _broken(entry: Entry, line: str, what: str) -> Invalid:
    return entry.wrong(f"does not hold: its example {line!r} {what}")
