"""One program's accepted options as a line of data, and the walk over an argument list that accepts nothing else.

`options` is a list of words: `-abc` three flags, `--long` a flag, `-n=number` and `--long=number` options with a value of
that kind, `-M?=number` and `--color?=auto|never` options whose value is optional and
glued on. Names match whole: getopt, argparse and git accept abbreviations, this table does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.kinds import Flags, Kind, Kinds
from multiagent_bridge.guard.commands.paths import pattern_inside
from multiagent_bridge.guard.commands.reading import Word
from multiagent_bridge.guard.commands.verdict import Denied

_NUMBER = re.compile(r"-[0-9]{1,9}")
_LOOKS_LIKE_OPTION = re.compile(r"-[A-Za-z-]")


@dataclass(slots=True)
class Given:
    """What a walk found: options with their values, operands, and how many operands stood before `--` (-1: no `--`)."""

    options: dict[str, list[str]] = field(default_factory=dict)
    operands: list[Word] = field(default_factory=list)
    dashed: int = -1

    def has(self, *names: str) -> bool:
        return any(name in self.options for name in names)

    def texts(self) -> list[str]:
        return [word.text for word in self.operands]


Check = Callable[[Given], None]


@dataclass(frozen=True, slots=True)
class Program:
    """What one program (or sub-command) may be given.

    `leading` are the kinds of the first operands, `rest` that of all others (None: no others); `least` operands must be there.
    `pattern` are options that stand for the first operand. `number`: `-20` is accepted. `raw`: everything is an operand.
    `bundled` false: `-ab` is one name. `stop`: the first operand ends the walk. `after` judges what follows `--`.
    `check` has the last word.
    """

    name: str
    flags: Flags
    leading: tuple[Kind, ...] = ()
    rest: Kind | None = None
    pattern: tuple[str, ...] = ()
    number: bool = False
    raw: bool = False
    bundled: bool = True
    stop: bool = False
    least: int = 0
    after: Program | None = None
    check: Check | None = None

    def judge(self, words: Sequence[Word], workspace: str, area: str = "") -> Given:
        """Walk the arguments (the name not among them). Raises Denied at the first that is not accepted."""
        area = area or self.name
        given = Walk(self, workspace, area).over(words)
        self._operands(given, workspace, area)
        if self.check:
            self.check(given)
        return given

    def _operands(self, given: Given, workspace: str, area: str) -> None:
        kinds = self.leading[1:] if self.pattern and given.has(*self.pattern) else self.leading
        if len(given.operands) < self.least:
            raise Denied(f"{area}.operand", f"{area} needs a further argument here")
        for place, word in enumerate(given.operands):
            kind = kinds[place] if place < len(kinds) else self.rest
            if kind is None:
                raise Denied(f"{area}.operand", f"{area} takes no further argument here: {word.text}")
            if word.glob:
                if not kind.path:
                    raise Denied("shell.glob", "a pattern stands where no path is wanted; quote it")
                pattern_inside(word.text)
            kind.judge(word.text, workspace)


def program(
    entry: Entry, kinds: Kinds, checks: Mapping[str, Check], parts: Mapping[str, Program], name: str = ""
) -> Program:
    """The program of an entry. Raises Invalid when it names a kind, a check or a part that is not there."""
    bundled = entry.flag("bundled", True)
    operands = entry.words("operands")
    rest = operands.pop()[:-1] if operands and operands[-1].endswith("*") else ""
    after, check = entry.text("after"), entry.text("check")
    if after and after not in parts:
        raise entry.wrong(f"names the part {after!r}, which is not there")
    if check and check not in checks:
        raise entry.wrong(f"names the check {check!r}, which is not there")
    return Program(
        name=name or entry.name,
        flags=flags_of(entry, "options", kinds, bundled=bundled),
        leading=tuple(_kind(entry, kind, kinds) for kind in operands),
        rest=_kind(entry, rest, kinds) if rest else None,
        pattern=tuple(entry.words("pattern")),
        number=entry.flag("number"),
        raw=entry.flag("raw"),
        bundled=bundled,
        stop=entry.flag("stop"),
        least=entry.number("least"),
        after=parts[after] if after else None,
        check=checks[check] if check else None,
    )


def flags_of(entry: Entry, key: str, kinds: Kinds, *, bundled: bool) -> Flags:
    """The options of a text of words. Raises Invalid for a kind that is not there."""
    words = tuple(entry.words(key))
    if (known := kinds.flags.get((words, bundled))) is not None:
        return known
    found: Flags = {}
    for word in words:
        name, has_kind, kind = word.partition("=")
        if has_kind:
            found[name.rstrip("?")] = (name.endswith("?"), _kind(entry, kind, kinds))
        elif name.startswith("--") or not bundled:
            found[name] = (False, None)
        else:
            found.update({f"-{letter}": (False, None) for letter in name[1:]})
    kinds.flags[words, bundled] = found
    return found


def _kind(entry: Entry, name: str, kinds: Kinds) -> Kind:
    found = kinds.named(name)
    if found is None:
        raise entry.wrong(f"names the kind {name!r}, which is not there")
    return found


class Walk:
    def __init__(self, program: Program, workspace: str, area: str) -> None:
        self.program = program
        self.workspace = workspace
        self.area = area
        self.given = Given()

    def over(self, words: Sequence[Word]) -> Given:
        queue = list(reversed(words))
        while queue:
            word = queue.pop()
            text = word.text
            if self.program.raw or text == "-" or not text.startswith("-"):
                self.given.operands.append(word)
                if self.program.stop:
                    self.given.operands += reversed(queue)
                    break
            elif text == "--":
                self._dashes(list(reversed(queue)))
                break
            elif word.glob and not (text.startswith("--") and "=" in text):
                raise Denied("shell.glob", "a pattern stands in an option; quote it")
            elif text.startswith("--") or not self.program.bundled:
                self._long(text, queue)
            elif self.program.number and _NUMBER.fullmatch(text):
                continue
            else:
                self._letters(text, queue)
        return self.given

    def _dashes(self, rest: list[Word]) -> None:
        self.given.dashed = len(self.given.operands)
        if self.program.after:
            self.program.after.judge(rest, self.workspace, self.area)
        else:
            self.given.operands += rest

    def _long(self, text: str, queue: list[Word]) -> None:
        name, glued, value = text.partition("=")
        optional, kind = self._listed(name)
        if kind is None:
            if glued:
                raise Denied(f"{self.area}.option", f"{name} takes no value")
        elif glued:
            self._value(name, value, kind)
            return
        elif not optional:
            self._next(name, queue, kind)
            return
        self.given.options.setdefault(name, []).append("")

    def _letters(self, text: str, queue: list[Word]) -> None:
        for place in range(1, len(text)):
            name = f"-{text[place]}"
            optional, kind = self._listed(name)
            tail = text[place + 1 :]
            if kind is None:
                self.given.options.setdefault(name, []).append("")
            elif tail:
                self._value(name, tail, kind)
                return
            elif optional:
                self.given.options.setdefault(name, []).append("")
            else:
                self._next(name, queue, kind)
                return

    def _next(self, name: str, queue: list[Word], kind: Kind) -> None:
        if not queue:
            raise Denied(f"{self.area}.option", f"{name} needs a value")
        word = queue.pop()
        if word.glob:
            raise Denied("shell.glob", "a pattern stands in the value of an option; quote it")
        if _LOOKS_LIKE_OPTION.match(word.text) and name not in self.program.pattern:
            # should this version of the program take no separate value here, the word would be an option nobody judged
            raise Denied(f"{self.area}.option", f"the value of {name} begins with a hyphen; write {name}=VALUE")
        self._value(name, word.text, kind)
        if kind.name == "pair":
            if not queue:
                raise Denied(f"{self.area}.option", f"{name} needs a name and a value")
            queue.pop()

    def _value(self, name: str, value: str, kind: Kind) -> None:
        try:
            kind.judge(value, self.workspace)
        except Denied as denied:
            raise Denied(denied.rule, f"{self.area} {name}: {denied.reason}") from None
        self.given.options.setdefault(name, []).append(value)

    def _listed(self, name: str) -> tuple[bool, Kind | None]:
        found = self.program.flags.get(name)
        if found is None:
            raise Denied(
                f"{self.area}.option", f"{name} is not among the options of {self.area} that this mode accepts"
            )
        return found
