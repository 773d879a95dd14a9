"""The strict reader of safe and restricted: a line becomes words and a few operators, or is refused with a reason.

Nothing is expanded and no shell ever sees the line. What a shell would interpret is refused, except quotes, a backslash
before punctuation, `|`, `&&`, `||`, `;`, output to /dev/null, joining of the two outputs, and `*` and `?` in paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from multiagent_bridge.guard.commands.verdict import Denied


@dataclass(frozen=True, slots=True)
class Word:
    """One argument. `bare` has no quote and no backslash; `glob` holds `*` or `?` that a shell would expand."""

    text: str
    bare: bool = True
    glob: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    text: str


@dataclass(frozen=True, slots=True)
class Stream:
    """An accepted redirection: "1>/dev/null", "2>/dev/null", "1>&2" or "2>&1"."""

    text: str


Piece = Word | Operator | Stream

_PLAIN = re.compile(r"[^\s\\'\"$`<>&|;(){}*?#~!\[\]]+")
_ESCAPABLE = frozenset(" *?()[]{}'\"\\.|!#$&;<>^+")
_STREAM = re.compile(r"(?P<both>&)?> ?(?:(?P<null>/dev/null)|&(?P<to>[12]))(?=[\s|;&]|$)")
_REVISION_BRACES = re.compile(r"(?<=@)\{(?:-?[0-9]{1,6}|u|upstream|push)\}|(?<=\^)\{[a-z]{0,10}\}")
_EXPANDS = re.compile(r"\$[A-Za-z0-9_({\[@*#?$!-]")
_SUBSTITUTES = ("$(", "${", "`")


def read(command: str) -> list[Piece]:
    """The pieces of a line. Raises Denied for everything that a shell would interpret in another way."""
    return _Reader(command).pieces()


class _Reader:
    def __init__(self, command: str) -> None:
        self.line = command
        self.at = 0
        self.found: list[Piece] = []
        self._begin()

    def _begin(self) -> None:
        self.parts: list[str] = []
        self.open = self.quoted = self.glob = self.quoted_glob = False

    def pieces(self) -> list[Piece]:
        while self.at < len(self.line):
            c = self.line[self.at]
            if plain := _PLAIN.match(self.line, self.at):
                self._add(plain[0])
                self.at = plain.end()
            elif c == " ":
                self._end()
                self.at += 1
            elif c in "\"'":
                self._quotes(c)
            else:
                self._special(c)
        self._end()
        return self.found

    def _add(self, text: str) -> None:
        self.parts.append(text)
        self.open = True

    def _end(self) -> None:
        if not self.open:
            return
        text = "".join(self.parts)
        if ("$" in text or "`" in text) and any(mark in text for mark in _SUBSTITUTES):
            raise Denied("shell.substitution", "the line holds a substitution; what a person reads must be what runs")
        if self.glob and self.quoted_glob:
            raise Denied("shell.glob", "a pattern is partly quoted; quote all of it or nothing")
        self.found.append(Word(text, not self.quoted, self.glob))
        self._begin()

    def _special(self, c: str) -> None:
        if c == "\\":
            self._escape()
        elif c in "*?":
            self.glob = True
            self._add(c)
            self.at += 1
        elif c in "[]!" or (c in "#~" and self.open and not self._home_follows(c)):
            self._add(c)
            self.at += 1
        elif c in "<>&|;":
            self._operator(c)
        elif c == "{":
            self._brace()
        elif c in "$`":
            raise Denied("shell.expansion", "the line holds an expansion or substitution; write the value out")
        elif c == "~":
            raise Denied("path.home", "~ stands for a home here; only paths inside the workspace are allowed")
        elif c == "#":
            raise Denied("shell.comment", "a word begins with #; quote it")
        elif c in "()}":
            raise Denied("shell.group", "groups, functions and subshells need a shell; quote what is meant as text")
        else:
            raise Denied("spoof.control", "white space other than a plain space")

    def _home_follows(self, c: str) -> bool:
        """bash expands ~ behind the = and : of a word that looks like an assignment, wherever it stands."""
        return c == "~" and self.line[self.at - 1] in "=:"

    def _brace(self) -> None:
        if found := _REVISION_BRACES.match(self.line, self.at):
            self._add(found[0])
            self.at = found.end()
        elif self.line.startswith("{}", self.at):
            self._add("{}")
            self.at += 2
        else:
            raise Denied("shell.brace", "braces are expanded by a shell; quote them or write the words out")

    def _escape(self) -> None:
        follower = self.line[self.at + 1 : self.at + 2]
        if follower not in _ESCAPABLE or not follower:
            raise Denied("shell.escape", "a backslash may stand only before punctuation that needs it")
        self.quoted = True
        self.quoted_glob |= follower in "*?"
        self._add(follower)
        self.at += 2

    def _quotes(self, quote: str) -> None:
        self.at += 1
        self.quoted = self.open = True
        while True:
            if self.at >= len(self.line):
                raise Denied("shell.quote", "a quote is not closed")
            c = self.line[self.at]
            if c == quote:
                self.at += 1
                return
            if quote == '"':
                if c == "\\" and self.line[self.at + 1 : self.at + 2] in ('"', "\\", "$", "`"):
                    self.at += 1
                    c = self.line[self.at]
                elif c == "`" or (c == "$" and _EXPANDS.match(self.line, self.at)):
                    raise Denied("shell.expansion", "the line holds an expansion or substitution; write the value out")
            self.quoted_glob |= c in "*?"
            self.parts.append(c)
            self.at += 1

    def _operator(self, c: str) -> None:
        if c in "&>" and (found := _STREAM.match(self.line, self.at)):
            self._stream(found)
            return
        self._end()
        two = self.line[self.at : self.at + 2]
        if two in ("&&", "||"):
            self.at += 2
            self.found.append(Operator(two))
        elif c in "|;" and two not in ("|&", ";;"):
            self.at += 1
            self.found.append(Operator(c))
        elif c in "<>":
            raise Denied("shell.redirect", "files are not redirected; only output to /dev/null and 2>&1 are read")
        else:
            raise Denied("shell.background", "a job in the background outlives its approval")

    def _stream(self, found: re.Match[str]) -> None:
        number = "1"
        if self.open and not self.quoted and "".join(self.parts).isdigit():
            number = "".join(self.parts)
            self._begin()
        self._end()
        if number not in ("1", "2") or found["to"] == number or (found["both"] and found["to"]):
            raise Denied("shell.redirect", "only the standard output and the standard error are redirected")
        target = "/dev/null" if found["null"] else f"&{found['to']}"
        self.found.append(Stream(f"{number}>{target}"))
        if found["both"]:
            self.found.append(Stream("2>&1"))
        self.at = found.end()
