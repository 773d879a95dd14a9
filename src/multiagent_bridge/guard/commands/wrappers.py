"""Programs that run another program: how to find the inner one in their arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from multiagent_bridge.guard.commands.words import Text

_VALUE_OPTIONS: dict[str, frozenset[str]] = {
    name: frozenset(options.split())
    for name, options in {
        "env": "-u --unset -C --chdir",
        "nohup": "",
        "nice": "-n --adjustment",
        "ionice": "-c -n --class --classdata",
        "chrt": "-T -P -D",
        "taskset": "",
        "timeout": "-k -s --kill-after --signal",
        "gtimeout": "-k -s --kill-after --signal",
        "time": "-f -o --format --output",
        "command": "",
        "builtin": "",
        "exec": "-a",
        "stdbuf": "-i -o -e --input --output --error",
        "setsid": "",
        "xargs": "-n -L -I -P -s -d -E -a --max-args --max-lines --replace --max-procs --max-chars --delimiter "
        "--arg-file -R -J",
        "watch": "-n -d --interval",
        "busybox": "",
        "toybox": "",
        "unbuffer": "",
        "catchsegv": "",
        "caffeinate": "-t -w",
        "strace": "-e -o -p -s -u -a",
        "ltrace": "-e -o -p -s -u",
        "flock": "-w -E --timeout --conflict-exit-code",
        "parallel": "-j --jobs -S --sshlogin -a --arg-file --colsep --delay",
        "prlimit": "",
        "cgexec": "-g",
        "firejail": "",
        "proxychains": "-f",
        "torsocks": "",
        "dbus-run-session": "",
        "xvfb-run": "-s -n",
        "rlwrap": "",
        "uv": "--with --python -p --directory --project --extra --group",
        "poetry": "-C -P",
        "pipenv": "",
        "pdm": "-p",
        "hatch": "-e -p",
    }.items()
}
_POSITIONAL = {"timeout": 1, "gtimeout": 1, "flock": 1, "taskset": 1, "chrt": 1}
"""Operands of the wrapper itself before the program's name."""
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
WRAPPERS = frozenset(_VALUE_OPTIONS)
_WITH_RUN = frozenset({"uv", "poetry", "pipenv", "pdm", "hatch"})
"""Tools that run another program only as `TOOL run PROGRAM`."""


def inner_words(name: str, words: Sequence[Text]) -> list[Text]:
    """The words of the program that `name` runs, or none when it runs none."""
    options = _VALUE_OPTIONS[name]
    at, operands = 1, _POSITIONAL.get(name, 0)
    if name in _WITH_RUN:
        at = next((place + 1 for place, word in enumerate(words) if word.text == "run"), len(words))
    while at < len(words):
        text = words[at].text
        if name == "command" and text in ("-v", "-V"):
            return []
        if text == "--":
            at += 1
            continue
        if text.startswith("-") and len(text) > 1:
            at += 2 if text in options else 1
        elif name == "env" and _ASSIGNMENT.match(text):
            at += 1
        elif operands:
            operands -= 1
            at += 1
        else:
            break
    return list(words[at:])
