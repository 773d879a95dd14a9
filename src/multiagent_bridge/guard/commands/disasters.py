"""Yolo: what is obviously disastrous, hidden, or aimed at the guard; the rest is allowed in the sandbox (SPEC section 5).

The line is read as a shell would read it, substitutions and inner command strings included. A rule of this file stops what a
line shows; what an interpreter or a file does is for the sandbox to stop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from multiagent_bridge.guard.commands import bans, feeds, touched
from multiagent_bridge.guard.commands.own import refuse_guard
from multiagent_bridge.guard.commands.places import (
    Place,
    place_of,
    refuse_device,
    refuse_keys,
    refuse_removal,
    refuse_writing,
)
from multiagent_bridge.guard.commands.shell import commands_of
from multiagent_bridge.guard.commands.spoofing import refuse_spoofing
from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Command, Text
from multiagent_bridge.guard.commands.wrappers import WRAPPERS, inner_words

_FUNCTION = re.compile(r"(?:^|[;&|\s])(?:function\s+)?([^\s(){};&|<>$'\"]+)\s*(?:\(\s*\))?\s*\{([^}]*)\}")
_LOOP = re.compile(
    r"\bwhile\s+(?:true|:|\[ 1 \]|\(\( ?1 ?\)\))\s*[;\n]|\buntil\s+false\s*[;\n]|\bfor\s*\(\(\s*;\s*;\s*\)\)"
)
_MOST_JUDGED = 200
TEXTUAL = frozenset(["echo", "printf", "grep", "egrep", "fgrep", "rg", "git", "gh", "commit"])
"""Programs whose arguments are text: a path in them is not opened as one."""
_SHELLS = frozenset(["sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "csh", "tcsh", "mksh", "rbash", "pwsh"])
_CODE = {
    "python": "-c",
    "python2": "-c",
    "python3": "-c",
    "pypy": "-c",
    "pypy3": "-c",
    "perl": "-e -E",
    "ruby": "-e",
    "node": "-e --eval -p --print",
    "nodejs": "-e",
    "php": "-r",
    "lua": "-e",
    "deno": "eval",
    "bun": "-e",
    "osascript": "-e",
    "awk": "",
    "gawk": "",
    "mawk": "",
    "tclsh": "",
    "Rscript": "-e",
    "julia": "-e",
    "gdb": "-ex",
    "vim": "-c",
    "emacs": "--eval",
}


@dataclass(slots=True)
class Reading:
    """What is known while a line is judged from left to right."""

    workspace: str
    folder: Place = field(default_factory=lambda: Place(".", ()))
    values: dict[str, str] = field(default_factory=dict)
    downloads: set[str] = field(default_factory=set)
    judged: int = 0


def refuse_disasters(command: str, workspace: str) -> None:
    """Raise Denied naming the first disaster that the line shows."""
    refuse_spoofing(command, "\n\t")
    refuse_guard(command)
    if re.search(r"I UNDERSTAND THE RISKS", command):
        raise Denied("guard.self", "the phrase of the approval stands in the line")
    _refuse_bombs(command)
    _judge_line(command, Reading(workspace), 0)


def _refuse_bombs(command: str) -> None:
    for name, body in _FUNCTION.findall(command):
        inner = re.findall(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", body)
        if len(inner) >= 2 and re.search(r"[|&]", body):
            raise Denied("yolo.bomb", f"{name} starts itself more than once")
        if inner and "&" in body.replace("&&", ""):
            raise Denied("yolo.bomb", f"{name} starts itself in the background")
    if _LOOP.search(command) and not re.search(r"\b(?:sleep|break|exit|wait|read|return|inotifywait)\b", command):
        raise Denied("yolo.bomb", "a loop without end and without a pause")


def _judge_line(line: str, reading: Reading, depth: int) -> None:
    found = commands_of(line, depth)
    for command in found:
        reading.judged += 1
        if reading.judged > _MOST_JUDGED:
            raise Denied("limit.steps", "the line holds too many commands to be read")
        _judge(command, reading, depth)


def _judge(command: Command, reading: Reading, depth: int) -> None:
    for operator, target in command.redirects:
        _redirection(operator, target, reading)
    for name, value in command.assigned:
        bans.refuse_assignment(name)
        if not command.words:
            reading.values[name] = value.text if not value.substituted else "$()"
    words = [made for text in command.words for made in _expanded(text, reading)]
    if not words:
        return
    feeds.remember_downloads(command, words, reading.downloads)
    _judge_words(command, words, reading, depth)


def _redirection(operator: str, target: Text, reading: Reading) -> None:
    text = _valued(target.text, reading)
    if operator == "<<<" or (operator in (">&", "<&") and (text.isdigit() or text == "-")):
        return
    refuse_device(text)
    if "<" in operator:
        refuse_keys(text)
    if ">" in operator:
        refuse_writing(text, reading.folder, reading.workspace)


def _expanded(text: Text, reading: Reading) -> list[Text]:
    value = _valued(text.text, reading)
    if text.bare and re.search(r"\$IFS", text.text):
        raise Denied("yolo.hidden", "IFS stands for white space: the words are hidden")
    made = [value]
    if text.braces:
        made = _braces(value)
    return [
        Text(one, text.inner, text.substituted, text.process, text.braces, text.bare, text.variable) for one in made
    ]


def _braces(text: str) -> list[str]:
    """`a{b,c}d` written out, one group after the other."""
    found = [text]
    for _ in range(6):
        nxt: list[str] = []
        for one in found:
            group = re.search(r"\{([^{}]*,[^{}]*)\}", one)
            nxt += (
                [one[: group.start()] + part + one[group.end() :] for part in group[1].split(",")] if group else [one]
            )
        if nxt == found:
            return found
        found = nxt[:64]
    return found


def _valued(text: str, reading: Reading) -> str:
    def value(found: re.Match[str]) -> str:
        return reading.values.get(found[1], found[0])

    return re.sub(r"\$([A-Za-z_][A-Za-z0-9_]*)(?::)?", lambda found: value(found), text)


def _judge_words(command: Command, words: list[Text], reading: Reading, depth: int, fed: str | None = None) -> None:
    """One program with its arguments; a program that runs another is taken off first."""
    for _ in range(12):
        head = words[0]
        _refuse_dynamic(head, command)
        name = head.text.rsplit("/", 1)[-1]
        _program(command, name, words, reading, depth, fed)
        if name not in WRAPPERS:
            return
        inner = inner_words(name, words)
        if name == "xargs":
            fed = feeds.what_feeds(command)
        if name == "parallel" and inner:
            inner = [text for text in inner if text.text not in (":::", "::::", "{}")]
        if not inner or (name == "watch" and " " in inner[0].text):
            return
        words = inner
    raise Denied("limit.depth", "too many programs that run programs")


def _refuse_dynamic(head: Text, command: Command) -> None:
    text = head.text
    if (
        head.substituted
        or head.variable
        or "$()" in text
        or (head.braces and head.bare)
        or any(c in text for c in "*?")
        or "[" in text[1:]
    ):
        raise Denied("yolo.dynamic", f"the name of the program is made while it runs: {text}")
    if not text.strip() or " " in text or "\n" in text:
        raise Denied("yolo.dynamic", f"{text!r} is no name of a program")


def _program(command: Command, name: str, words: list[Text], reading: Reading, depth: int, fed: str | None) -> None:
    texts = [word.text for word in words]
    bans.refuse_program(name, texts, words)
    if name not in TEXTUAL:
        for text in texts:
            refuse_device(text)
            refuse_keys(text)
            bans.refuse_state(text)
    elif name == "git":
        bans.refuse_git(texts)
    elif name in ("grep", "egrep", "fgrep", "rg"):
        for text in [text for text in texts[1:] if not text.startswith("-")][1:]:
            refuse_keys(text)
    if name in ("kill", "pkill", "killall"):
        feeds.refuse_killing_guard(command, words)
    if name in _SHELLS or name in _CODE:
        _interpreter(command, name, words, reading, depth)
    feeds.refuse_downloaded(command, words, reading.downloads)
    feeds.refuse_exfiltration(command, name, words)
    feeds.refuse_endless(command, name, words)
    _strings(name, words, reading, depth)
    if name in ("cd", "pushd"):
        target = next((text for text in texts[1:] if not text.startswith("-")), "~")
        reading.folder = place_of(target, reading.folder, reading.workspace)
        return
    _files(command, name, words, reading, depth, fed)


def _interpreter(command: Command, name: str, words: list[Text], reading: Reading, depth: int) -> None:
    options = "-c" if name in _SHELLS else _CODE[name]
    code = feeds.inline_code(words, options.split(), bundled=name in _SHELLS)
    if code is None:
        feeds.refuse_fed_interpreter(command, name, words, shell=name in _SHELLS)
        if name in _SHELLS and command.fed is not None:
            _judge_line(command.fed, reading, depth + 1)
        return
    if code.substituted or (name in _SHELLS and code.text.startswith("$")):
        raise Denied("yolo.dynamic", f"what {name} runs is made while it runs")
    if name in _SHELLS:
        _judge_line(code.text, reading, depth + 1)
    else:
        bans.refuse_code(code.text)


def _strings(name: str, words: list[Text], reading: Reading, depth: int) -> None:
    """Arguments that are command lines themselves."""
    texts = [word.text for word in words]
    if name == "trap" and len(texts) > 2:
        _judge_line(texts[1] or "true", reading, depth + 1)
    if name in ("watch", "tmux") and len(texts) > 1 and " " in texts[-1]:
        _judge_line(texts[-1], reading, depth + 1)
    if name == "alias":
        for text in texts[1:]:
            if "=" in text:
                _judge_line(text.partition("=")[2] or "true", reading, depth + 1)
    if name in ("script", "flock", "su", "env") and any(option in texts for option in ("-c", "-qc", "-S")):
        at = next(place for place, text in enumerate(texts) if text in ("-c", "-qc", "-S"))
        if at + 1 < len(texts):
            _judge_line(texts[at + 1], reading, depth + 1)
    if name == "env":
        for text in texts[1:]:
            if text.startswith(("-S", "--split-string=")) and len(text) > 2:
                _judge_line(text[2:] if text[1] == "S" else text.partition("=")[2], reading, depth + 1)


def _files(command: Command, name: str, words: list[Text], reading: Reading, depth: int, fed: str | None) -> None:
    """What the program removes and writes."""
    texts = [word.text for word in words]
    if name == "find":
        _find(command, words, reading, depth)
    for text in touched.removed(name, texts):
        refuse_removal(text, reading.folder, reading.workspace)
    if fed is not None and touched.removes(name, texts):
        for text in fed.split() or ["$STDIN"]:
            refuse_removal(text, reading.folder, reading.workspace)
    for text in touched.written(name, texts):
        refuse_writing(text, reading.folder, reading.workspace)


_FIND_RUNS = ("-exec", "-execdir", "-ok", "-okdir")


def _find(command: Command, words: list[Text], reading: Reading, depth: int) -> None:
    texts = [word.text for word in words]
    end = next((place for place, text in enumerate(texts[1:], 1) if text.startswith(("-", "(", "!"))), len(texts))
    starts = texts[1:end] or ["."]
    tested = any(
        text in ("-name", "-iname", "-path", "-mtime", "-newer", "-size", "-regex", "-empty", "-mmin", "-type")
        for text in texts
    )
    narrow = any(
        text not in ("-type", "-depth", "-maxdepth", "-mindepth") and text.startswith("-")
        for text in texts[end:]
        if text != "-delete"
    )
    removes = "-delete" in texts
    for place, text in enumerate(texts):
        if text in _FIND_RUNS and place + 1 < len(words):
            stop = next((at for at in range(place + 1, len(words)) if texts[at] in (";", "+")), len(words))
            inner = words[place + 1 : stop]
            _judge_words(command, [one for one in inner if one.text != "{}"] or inner, reading, depth)
            removes |= touched.removes(inner[0].text.rsplit("/", 1)[-1], [one.text for one in inner]) or inner[
                0
            ].text in (
                "rm",
                "shred",
                "unlink",
            )
    if removes:
        for start in starts:
            where = place_of(start, reading.folder, reading.workspace)
            if where.root != "." or not (tested and narrow) or where.unknown or where.parts[:1] == ("..",):
                refuse_removal(start, reading.folder, reading.workspace)
