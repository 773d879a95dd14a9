"""sed scripts: addresses, and commands that print, delete or substitute; under each reading that sed programs differ in."""

from __future__ import annotations

import re

from multiagent_bridge.guard.commands.verdict import Denied

_ADDRESS = re.compile(r"(?:[0-9]{1,9}(?:~[0-9]{1,9})?|\$)")
_COUNT = re.compile(r"[+~][0-9]{1,9}")
_SUBSTITUTE_FLAGS = re.compile(r"[gpiIm0-9]{0,6}")
_PLAIN_COMMANDS = frozenset("pdqQ=hHgGxnNDPlz")


class _Script:
    """A sed script of addresses and commands that print, delete or substitute; anything else raises Denied.

    sed programs differ in whether a delimiter, or a backslash, inside brackets is plain: `brackets` reads them as plain,
    `escapes` lets a backslash escape there.
    """

    def __init__(self, text: str, *, brackets: bool = True, escapes: bool = False) -> None:
        self.text = text
        self.at = 0
        self.brackets = brackets
        self.escapes = escapes

    def judge(self) -> None:
        depth = 0
        while self.at < len(self.text):
            if self.text[self.at] in " ;":
                self.at += 1
                continue
            if self.text[self.at] == "}":
                depth -= 1
                self.at += 1
                continue
            self._addresses()
            depth += self._command()
        if depth:
            raise self._refusal("braces do not match")

    def _refusal(self, why: str, command: str = "") -> Denied:
        rule = "sed.write" if command and command in "wWrRe" else "sed.script"
        return Denied(rule, f"the sed script is refused: {why}; only p, d, q, s, y and their like are accepted")

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _spaces(self) -> None:
        while self._peek() == " ":
            self.at += 1

    def _addresses(self) -> None:
        if self._address():
            self._spaces()
            if self._peek() == ",":
                self.at += 1
                self._spaces()
                if found := _COUNT.match(self.text, self.at):
                    self.at = found.end()
                elif not self._address():
                    raise self._refusal("an address is missing")
        self._spaces()
        while self._peek() in ("!", " "):
            self.at += 1

    def _address(self) -> bool:
        if found := _ADDRESS.match(self.text, self.at):
            self.at = found.end()
            return True
        if self._peek() == "/":
            self.at += 1
            self._until("/")
            while self._peek() in ("I", "M"):
                self.at += 1
            return True
        return False

    def _until(self, delimiter: str, *, pattern: bool = True) -> None:
        """Over the rest of a pattern or a replacement, its closing delimiter included."""
        while self.at < len(self.text):
            c = self.text[self.at]
            if c == "[" and pattern and self.brackets:
                self._bracket()
                continue
            self.at += 2 if c == "\\" else 1
            if c == delimiter:
                return
        raise self._refusal("a pattern is not closed")

    def _bracket(self) -> None:
        """Over a bracket expression (POSIX XBD 9.3.5): a first `]` is plain, classes such as [:alpha:] nest."""
        self.at += 1
        self.at += self._peek() == "^"
        self.at += self._peek() == "]"
        while self.at < len(self.text):
            two = self.text[self.at : self.at + 2]
            if two in ("[:", "[.", "[="):
                end = self.text.find(two[1] + "]", self.at + 2)
                self.at = end + 2 if end > 0 else self.at + 2
                continue
            self.at += 2 if two[0] == "\\" and self.escapes else 1
            if two[0] == "]":
                return
        raise self._refusal("a bracket is not closed")

    def _command(self) -> int:
        c = self._peek()
        self.at += 1
        if c == "{":
            return 1
        if c in _PLAIN_COMMANDS and c:
            pass
        elif c in ("s", "y"):
            delimiter = self._peek()
            if not delimiter or delimiter.isalnum() or delimiter in "\\ ;":
                raise self._refusal("an unusual delimiter")
            self.at += 1
            self._until(delimiter, pattern=c == "s")
            self._until(delimiter, pattern=False)
            if c == "s" and (found := _SUBSTITUTE_FLAGS.match(self.text, self.at)):
                self.at = found.end()
        else:
            raise self._refusal(f"the command {c!r}", c)
        self._spaces()
        if self._peek() not in ("", ";", "}"):
            raise self._refusal(f"{self._peek()!r} after a command", self._peek())
        return 0


def judge_script(script: str) -> None:
    """Raise Denied unless every command of a script prints, deletes or substitutes, however a sed reads it."""
    _Script(script).judge()
    if "[" in script:
        _refuse_other_readings(script)


def _refuse_other_readings(script: str) -> None:
    """Raise Denied when another sed would read a command that writes, reads or executes into the script.

    A reading that ends in an error is harmless: sed reads the whole script before it runs any of it.
    """
    for reading in (_Script(script, brackets=False), _Script(script, escapes=True)):
        try:
            reading.judge()
        except Denied as denied:
            if denied.rule == "sed.write":
                raise
