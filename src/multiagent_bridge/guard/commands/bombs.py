"""Yolo: fork bombs, read from the text of a line: functions that start themselves, loops without end and without a pause."""

from __future__ import annotations

import re

from multiagent_bridge.guard.commands.verdict import Denied

_FUNCTION = re.compile(
    r"(?:^|[;&|\s(])(?:function\s+)?([^\s(){};&|<>$'\"]+)\s*(?:\(\s*\))?\s*(?:\{([^}]*)\}|\(([^()]*(?:\([^()]*\)[^()]*)*)\))"
)
_LOOP = re.compile(
    r"\bwhile\s+(?:true|:|\[\[? 1 \]?\]|\(\( ?1 ?\)\)|let 1|test 1)\s*[;\n]"
    r"|\buntil\s+(?:false|! (?:true|:))\s*[;\n]|\bfor\s*\(\(\s*;\s*;\s*\)\)"
)
_MAY_BE = re.compile(r"[({]|\b(?:while|until|for)\b")
_PAUSES = re.compile(r"\b(?:sleep|break|exit|wait|read|return|inotifywait)\b")
_BEGINS = r"(?:^|[|&;(){\n]|\b(?:then|do|else|elif|if|while|until|time|command|exec|nohup|env)\s|!\s)\s*"
_FORKS = re.compile(r"(?<!\|)\|(?!\|)|(?<!&)&(?!&)")
_MOST_FUNCTIONS = 40


def functions_of(command: str) -> dict[str, str]:
    """The functions that a line defines, by name, with the text between their braces or brackets."""
    found: dict[str, str] = {}
    for name, braces, brackets in _FUNCTION.findall(command):
        found[name] = found.get(name, "") + (braces or brackets)
    return found


def refuse_bombs(command: str) -> None:
    """Raise Denied when a function starts itself, also by way of others, more than once or in the background."""
    if not _MAY_BE.search(command):
        return
    functions = functions_of(command)
    if len(functions) > _MOST_FUNCTIONS:
        raise Denied("limit.steps", "the line holds too many functions to be read")
    calls = {name: _called(body, functions) for name, body in functions.items()}
    for name in functions:
        circle = _reached(name, calls)
        if name not in circle:
            continue
        if any(_FORKS.search(functions[one]) for one in circle if name in _reached(one, calls)):
            raise Denied("yolo.bomb", f"{name} starts itself beside itself")
    if _LOOP.search(command) and not _PAUSES.search(command):
        raise Denied("yolo.bomb", "a loop without end and without a pause")


def _called(body: str, functions: dict[str, str]) -> set[str]:
    """The functions whose name stands where a command begins."""
    return {name for name in functions if re.search(rf"{_BEGINS}[\\\"']?{re.escape(name)}(?![\w.-])", body)}


def _reached(start: str, calls: dict[str, set[str]]) -> set[str]:
    """The functions that one starts, by way of others as well; itself only when it comes back to itself."""
    found: set[str] = set()
    queue = list(calls.get(start, ()))
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += calls.get(name, ())
    return found
