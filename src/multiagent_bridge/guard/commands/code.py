"""Yolo: the code that a line gives to a shell or another interpreter, and what is fed to one that has none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Command, Text

_NO_SCRIPT = frozenset(["--version", "-V", "-v", "--help", "-h"])
_SHELL_VALUES = frozenset(["--rcfile", "--init-file"])
_SHELL_WORDS = frozenset(["--command", "--init-command", "-Command", "-command"])
_STANDARD_INPUT = re.compile(r"/dev/(?:stdin|fd/0)|/proc/(?:self|\$\$|thread-self)/fd/0|/dev/fd/[0-9]+")


def shell_code(words: Sequence[Text]) -> Text | None:
    """The command string of `sh -c` (POSIX sh, bash's options): the first operand when an option holds c. None without one.

    Raises Denied when the string is missing: whoever completes the arguments gives the code.
    """
    coded = False
    at = 1
    while at < len(words):
        text = words[at].text
        if text in _SHELL_WORDS:
            coded, at = True, at + 1
            break
        if text.startswith("--command="):
            return Text(text.partition("=")[2], words[at].inner, words[at].substituted)
        if text in ("--", "-") and words[at].bare:
            at += 1
            break
        if text[:1] not in ("-", "+") or len(text) < 2:
            break
        coded |= text[0] == "-" and text[1] != "-" and "c" in text[1:]
        takes = text in _SHELL_VALUES or (text[1] != "-" and text[-1] in "oO")
        at += 2 if takes else 1
    if not coded:
        return None
    if at >= len(words):
        raise Denied("yolo.dynamic", "the code of a shell is given from elsewhere")
    return words[at]


def inline_code(words: Sequence[Text], options: Sequence[str]) -> Text | None:
    """The code that an interpreter is given on the line, or None."""
    if not options:
        return next((word for word in words[1:] if not word.text.startswith("-")), None)
    for place, word in enumerate(words[1:], 1):
        text = word.text
        following = words[place + 1] if place + 1 < len(words) else None
        if text in options:
            return following
        for option in options:
            if option.startswith("--") and text.startswith(option + "="):
                return Text(text.partition("=")[2], word.inner, word.substituted)
            if len(option) == 2 and not text.startswith("--"):
                if re.fullmatch(rf"-[a-zA-Z0-9]*{option[1]}", text):
                    return following
                if text.startswith(option) and len(text) > 2:
                    return Text(text[2:], word.inner, word.substituted)
        if not text.startswith("-"):
            return None
    return None


def refuse_fed_interpreter(command: Command, name: str, words: Sequence[Text], *, shell: bool) -> None:
    """Raise Denied when an interpreter without a script is fed by a pipe, a process, or a download."""
    operands = [word for word in words[1:] if not word.text.startswith("-") or word.text == "-"]
    for word in operands[:1]:
        if word.process or (word.substituted and not word.text.replace("$()", "")):
            raise Denied("yolo.pipe-to-shell", f"{name} runs what another command makes")
        if is_standard_input(word.text) and command.piped:
            raise Denied("yolo.pipe-to-shell", f"{name} runs what comes out of a pipe")
    reads = not operands or operands[0].text == "-" or any(word.text == "-s" for word in words[1:] if shell)
    if any(word.text in _NO_SCRIPT or word.text == "-m" for word in words[1:]):
        reads = False
    if reads and command.piped:
        raise Denied("yolo.pipe-to-shell", f"{name} runs what comes out of a pipe")
    for operator, target in command.redirects:
        if reads and (
            (operator == "<" and target.process) or (operator == "<<<" and (target.substituted or target.variable))
        ):
            raise Denied("yolo.pipe-to-shell", f"{name} runs what another command makes")


def is_standard_input(text: str) -> bool:
    return _STANDARD_INPUT.fullmatch(text) is not None
