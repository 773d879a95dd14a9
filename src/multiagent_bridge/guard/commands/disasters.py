"""Yolo: what is obviously disastrous, hidden, or aimed at the guard; the rest is allowed in the sandbox (SPEC section 5).

The line is read as a shell would read it, substitutions and inner command strings included. A rule of this file stops what a
line shows; what an interpreter or a file does is for the sandbox to stop.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.guard.commands import feeds, finding
from multiagent_bridge.guard.commands.bans import Bans
from multiagent_bridge.guard.commands.bombs import functions_of, refuse_bombs
from multiagent_bridge.guard.commands.code import inline_code, refuse_fed_interpreter, shell_code
from multiagent_bridge.guard.commands.known import Known
from multiagent_bridge.guard.commands.names import Names
from multiagent_bridge.guard.commands.places import HERE, Places
from multiagent_bridge.guard.commands.shell import commands_of
from multiagent_bridge.guard.commands.spoofing import refuse_spoofing
from multiagent_bridge.guard.commands.strings import Strings
from multiagent_bridge.guard.commands.touched import Touches
from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Command, Text, refuse_evaluated
from multiagent_bridge.guard.commands.wrappers import Wrappers

_MOST_JUDGED = 300
_MOST_WRAPPERS = 12
_PROMPTS = frozenset(["PS0", "PS1", "PS2", "PS3", "PS4"])
_OTHER_LANGUAGE = re.compile(r"#!.*\b(?:python|node|perl|ruby|php|lua|deno|bun)")


@dataclass(frozen=True, slots=True)
class Yolo:
    """The rules of yolo. `groups` are sets of programs by name; `inline` says with which options an interpreter is given code."""

    bans: Bans
    places: Places
    touches: Touches
    wrappers: Wrappers
    strings: Strings
    groups: Mapping[str, frozenset[str]]
    inline: Mapping[str, tuple[str, ...]]
    names: Names


def refuse_disasters(command: str, rules: Yolo, workspace: str) -> None:
    """Raise Denied naming the first disaster that the line shows."""
    refuse_spoofing(command, "\n\t")
    rules.bans.denials.refuse_line(command)
    refuse_bombs(command)
    known = Known(workspace)
    if "{" in command or "(" in command:
        known.functions |= functions_of(command).keys()
    _Judgement(rules, known).line(command, 0)


def refuse_argv(argv: Sequence[str], rules: Yolo, workspace: str) -> None:
    """Raise Denied when running `argv` as it stands, without a shell, is a disaster."""
    words = [Text(word, bare=False) for word in argv]
    _Judgement(rules, Known(workspace)).words(Command(words=words), words, 0)


class _Judgement:
    """One walk over a line and the lines in it."""

    def __init__(self, rules: Yolo, known: Known) -> None:
        self.rules = rules
        self.known = known

    def line(self, line: str, depth: int) -> None:
        for command in commands_of(line, depth):
            self._count()
            self._command(command, depth)

    def _count(self) -> None:
        self.known.judged += 1
        if self.known.judged > _MOST_JUDGED:
            raise Denied("limit.steps", "the line holds too many commands to be read")

    def inner(self, line: str, depth: int) -> None:
        """A line that another shell reads."""
        with self.known.inside():
            self.line(line, depth + 1)

    def _command(self, command: Command, depth: int) -> None:
        self.known.begin(command)
        for operator, target in command.redirects:
            for text in self.known.expanded(target):
                self._redirection(operator, text.text, command)
        for name, value in command.assigned:
            self._assignment(name, value, command, depth)
        words = [made for text in command.words for made in self.known.expanded(text)]
        if not words:
            return
        self.known.set(command, words)
        feeds.remember_downloads(command, words, self.known.downloads, self.rules.groups["downloaders"])
        feeds.remember_written(command, words, self.known.written)
        self.words(command, words, depth)

    def _assignment(self, name: str, value: Text, command: Command, depth: int) -> None:
        self.rules.bans.refuse_assignment(name)
        refuse_evaluated(value.text)
        self._variable(name, value.text, depth)
        if not command.words:
            for text in self.known.expanded(value):
                self.known.assign(name, "$()" if text.substituted else text.text)

    def _variable(self, name: str, value: str, depth: int) -> None:
        """A variable that some program runs as a line, and a prompt, which bash expands like a text in double quotes."""
        if name in _PROMPTS:
            self.inner('true "' + value.replace('"', '\\"') + '"', depth)
        elif name in self.rules.strings.variables and value.strip():
            self.inner(value.lstrip("|! "), depth)

    def _redirection(self, operator: str, text: str, command: Command) -> None:
        if operator == "<<<" or (operator in (">&", "<&") and (text.isdigit() or text == "-")):
            return
        for folder in self.known.folders:
            self.rules.places.refuse_device(text, folder, self.known.workspace)
            if "<" in operator:
                self.rules.places.refuse_keys(text, folder, self.known.workspace)
            if ">" in operator:
                self.rules.places.refuse_writing(text, folder, self.known.workspace)

    def words(self, command: Command, words: list[Text], depth: int, fed: str | None = None) -> None:
        """One program with its arguments; a program that runs another is taken off first."""
        for _ in range(_MOST_WRAPPERS):
            head = words[0]
            _refuse_dynamic(head, fed)
            name = self.rules.names.plain(self.known.renamed.get(head.text.removeprefix("./"), head.text))
            self._program(command, name, words, depth, fed)
            if name not in self.rules.wrappers.names:
                return
            inner, skipped = self.rules.wrappers.inner_words(name, words)
            for other in skipped:
                # an option may take no value in this version of the program
                if self.rules.names.knows(other[0].text):
                    self._count()
                    self.words(command, other, depth, fed)
            if name == "xargs":
                fed = feeds.what_feeds(command)
                inner = feeds.with_placeholder(words, inner)
            if self.rules.wrappers.takes_line(name) and self._lines(name, inner, depth):
                return
            if name == "parallel":
                inner = [text for text in inner if text.text not in (":::", "::::", "{}")]
            if name == "env" and (folder := feeds.value_of(words, "-C", "--chdir")):
                self.known.move_to(folder)
            if not inner:
                return
            words = inner
        raise Denied("limit.depth", "too many programs that run programs")

    def _lines(self, name: str, inner: list[Text], depth: int) -> bool:
        """Judge the words with blanks as lines of a shell; True when the program itself is one."""
        values = [word.text for word in inner[1:]]
        for word in inner:
            if " " in word.text:
                line = word.text if "{}" in word.text or name != "parallel" else f"{word.text} {{}}"
                self.inner(_filled(line, values), depth)
        return bool(inner) and " " in inner[0].text

    def _program(self, command: Command, name: str, words: list[Text], depth: int, fed: str | None) -> None:
        rules, known = self.rules, self.known
        texts = [word.text for word in words]
        rules.bans.refuse_program(name, command, words)
        self._named(name, texts)
        feeds.refuse_finding_guard(words)
        if name in ("kill", "pkill", "killall"):
            feeds.refuse_killing_guard(command, words)
        if name in rules.groups["shells"] or name in rules.inline:
            self._interpreter(command, name, words, depth, fed)
        feeds.refuse_downloaded(command, words, known.downloads, rules.groups["runners"])
        self._written_script(name, texts, depth)
        if name in known.functions and command.piped and feeds.downloads(command, rules.groups["downloaders"]):
            raise Denied("yolo.pipe-to-shell", f"the function {name} is fed by a download")
        feeds.refuse_exfiltration(command, name, words, rules.groups)
        feeds.refuse_endless(command, name, words, rules.groups["endless"])
        self._strings(command, name, texts, depth)
        feeds.remember_names(name, texts, known.renamed)
        if name in ("cd", "pushd", "popd"):
            known.moved(command, texts)
            return
        if name in ("exit", "return"):
            known.ended(command)
        self._files(command, name, words, depth, fed)

    def _named(self, name: str, texts: list[str]) -> None:
        """What the words of a program name: devices, keys, the guard's own files."""
        rules, known = self.rules, self.known
        if name == "git":
            rules.bans.refuse_git(texts)
        searches = name in rules.groups["searchers"]
        looked = [] if name in rules.groups["text"] else texts
        if searches:
            looked = [text for text in texts[1:] if not text.startswith("-")][1:]
        # letters and digits alone name nothing outside the folder
        looked = [text for text in looked if known.folders != (HERE,) or not text.lstrip("-").isalnum()]
        for folder in known.folders if looked else ():
            for text in looked:
                if not searches:
                    rules.places.refuse_device(text, folder, known.workspace)
                    rules.places.refuse_guard(text, folder, known.workspace)
                rules.places.refuse_keys(text, folder, known.workspace)

    def _interpreter(self, command: Command, name: str, words: list[Text], depth: int, fed: str | None) -> None:
        shell = name in self.rules.groups["shells"]
        code = shell_code(words) if shell else inline_code(words, self.rules.inline[name])
        if code is None:
            if fed is None or feeds.downloads(command, self.rules.groups["downloaders"]):
                refuse_fed_interpreter(command, name, words, shell=shell)
            if shell and command.fed is not None:
                self.inner(command.fed, depth)
            elif command.fed is not None:
                self.rules.bans.refuse_code(command.fed)
            return
        if code.substituted or (shell and code.text.startswith("$")):
            raise Denied("yolo.dynamic", f"what {name} runs is made while it runs")
        if shell:
            self.inner(code.text if fed is None else _filled(code.text, [fed or "$STDIN"]), depth)
        else:
            self.rules.bans.refuse_code(code.text)

    def _written_script(self, name: str, texts: list[str], depth: int) -> None:
        """A file that the line itself has written, and runs."""
        if not self.known.written:
            return
        runs = texts[0] if "/" in texts[0] else ""
        if name in self.rules.groups["runners"]:
            runs = next((text for text in texts[1:] if not text.startswith("-")), "")
        script = self.known.written.pop(runs.removeprefix("./"), None)
        # what a program in another language does is not to be told from what it only says
        if script is not None and name not in self.rules.inline and not _OTHER_LANGUAGE.match(script):
            self.inner(script, depth)

    def _strings(self, command: Command, name: str, texts: list[str], depth: int) -> None:
        """Arguments that are command lines themselves."""
        for line in self.rules.strings.lines(name, texts):
            self.inner(line, depth)
        if name == "trap":
            self.inner(next((text for text in texts[1:-1] if not text.startswith("-")), "true") or "true", depth)
        if name in ("alias", "env", "export", "declare", "typeset"):
            for text in texts[1:]:
                variable, has_value, value = text.partition("=")
                if has_value and name == "alias":
                    self.inner(value or "true", depth)
                elif has_value:
                    self._variable(variable, value, depth)
        if name == "ssh":
            place = next((at for at, text in enumerate(texts[1:], 1) if feeds.is_this_machine(text)), 0)
            if place and texts[place + 1 :]:
                self.inner(("true | " if command.piped else "") + " ".join(texts[place + 1 :]), depth)
        if name == "git":
            for line in feeds.lines_of_git(texts):
                self.inner(line, depth)
        if name in ("sed", "gsed"):
            for text in texts[1:]:
                self.rules.bans.refuse_code(text)

    def _files(self, command: Command, name: str, words: list[Text], depth: int, fed: str | None) -> None:
        """What the program removes and writes, in each folder that it may run in."""
        texts = [word.text for word in words]
        if name == "find":
            self._find(command, words, depth)
        touches, places, known = self.rules.touches, self.rules.places, self.known
        removed, written = list(touches.removed(name, texts)), list(touches.written(name, texts))
        if fed is not None and touches.removes(name, texts):
            removed += fed.split() or ["$STDIN"]
        elif fed is not None and name in ("rm", "unlink", "mv"):
            removed += [text for text in fed.split() if text.startswith(("/", "~"))]
        for folder in known.folders:
            for text in removed:
                places.refuse_removal(text, folder, known.workspace, unknown=name != "mv")
            for text in written:
                places.refuse_writing(text, folder, known.workspace)
            if name in ("rm", "unlink"):
                for text in written:
                    places.refuse_emptying(text, folder, known.workspace)

    def _find(self, command: Command, words: list[Text], depth: int) -> None:
        texts = [word.text for word in words]
        for begin, end in finding.runs(texts):
            inner = words[begin:end]
            self.words(command, [one for one in inner if one.text != "{}"] or inner, depth)
        if not finding.removes(texts):
            return
        everything = finding.removes_all(texts)
        for folder in self.known.folders:
            for start in finding.starts(texts):
                if everything or not self.rules.places.is_below(start, folder, self.known.workspace):
                    self.rules.places.refuse_removal(start, folder, self.known.workspace)


def _refuse_dynamic(head: Text, fed: str | None) -> None:
    text = head.text
    if (
        head.substituted
        or head.variable
        or "$()" in text
        or (head.braces and head.bare)
        or any(c in text for c in "*?")
        or "[" in text[1:]
        or (fed is not None and "{}" in text)
    ):
        raise Denied("yolo.dynamic", f"the name of the program is made while it runs: {text}")
    if not text.strip() or " " in text or "\n" in text:
        raise Denied("yolo.dynamic", f"{text!r} is no name of a program")


def _filled(line: str, values: Sequence[str]) -> str:
    """A line of xargs or parallel with what stands for `{}`: the words behind `:::`, else what nobody knows."""
    if "{}" not in line:
        return line
    known = [value for value in values if value not in (":::", "::::")]
    return "\n".join(line.replace("{}", value) for value in known[:8]) or line.replace("{}", "$STDIN")
