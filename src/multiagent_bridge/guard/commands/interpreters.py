"""python and node as restricted accepts them: scripts and a few modules, never a one-liner or standard input."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.guard.commands.builds import PYTEST
from multiagent_bridge.guard.commands.family import ARGUMENTS, Family
from multiagent_bridge.guard.commands.options import Given, Program
from multiagent_bridge.guard.commands.packages import PIP
from multiagent_bridge.guard.commands.reading import Word
from multiagent_bridge.guard.commands.verdict import Denied

_UNITTEST = Program(
    "unittest",
    "-vqfbc --verbose --quiet --failfast --buffer --locals -k=text -s=path -t=path -p=list "
    "--start-directory=path --top-level-directory=path --pattern=list",
    "inside*",
)
_MODULES: dict[str, Program | Family] = {
    "pytest": PYTEST,
    "pip": PIP,
    "unittest": _UNITTEST,
    "json.tool": Program(
        "json.tool",
        "--sort-keys --no-ensure-ascii --compact --json-lines --indent=number --tab --no-indent",
        "path",
        bundled=False,
    ),
    "py_compile": Program("py_compile", "", "python*"),
    "compileall": Program("compileall", "-qfl -j=number", "path*"),
}


class Python:
    """python: a script of the workspace with arguments that stay inside it, or a module of the list."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.before = Program(name, "-BuOEsI", "text*", stop=True)
        self.allow = (
            f"{name} tools/run.py --fast",
            f"{name} -m pytest -q",
            f"{name} --version",
            f"{name} -m unittest -v",
        )
        self.refuse = (
            f"{name} -c 1",
            name,
            f"{name} -",
            f"{name} -m http.server 8080",
            f"{name} -m pip install ./x",
            f"{name} /x.py",
            f"{name} -i a.py",
            f"{name} -X importtime a.py",
            f"{name} -Wignore a.py",
            f"{name} a.py /etc/passwd",
            f"{name} a.sh",
        )

    def judge(self, words: Sequence[Word], workspace: str) -> None:
        texts = [word.text for word in words]
        if texts in (["--version"], ["-V"], ["-VV"]):
            return
        if "-m" in texts and all(text.startswith("-") for text in texts[: texts.index("-m")]):
            at = texts.index("-m")
            self.before.judge(words[:at], workspace)
            module = _MODULES.get(texts[at + 1]) if at + 1 < len(texts) else None
            if module is None:
                raise Denied("python.module", f"of modules only {', '.join(_MODULES)} are accepted")
            module.judge(words[at + 2 :], workspace)
            return
        _script_first(self.before.judge(words, workspace), "python", workspace)


class Node:
    """node: a script of the workspace with arguments that stay inside it, or node --test and --check."""

    name = "node"
    allow = ("node src/app.js --port 3000", "node --test", "node --check a.mjs", "node --version")
    refuse = (
        "node -e 1",
        "node -p 1",
        "node",
        "node -",
        "node --import=./x a.js",
        "node --inspect a.js",
        "node --env-file=.env a.js",
        "node -r ./x a.js",
        "node /x.js",
        "node a.js ../../x",
    )
    before = Program(
        "node",
        "--enable-source-maps --no-warnings --trace-warnings --trace-deprecation --no-deprecation "
        "--max-old-space-size=number --stack-trace-limit=number --unhandled-rejections=strict|warn|none|throw",
        "text*",
        stop=True,
        bundled=False,
    )
    test = Program(
        "node",
        "--test --test-only --test-name-pattern=text --test-reporter=spec|tap|dot --test-concurrency=number "
        "--no-warnings --enable-source-maps",
        "path*",
        bundled=False,
    )
    check = Program("node", "--check -c", "node*", bundled=False)

    def judge(self, words: Sequence[Word], workspace: str) -> None:
        texts = [word.text for word in words]
        if texts in (["--version"], ["-v"]):
            return
        if texts[:1] == ["--test"]:
            self.test.judge(words, workspace)
        elif texts[:1] in (["--check"], ["-c"]) and len(texts) > 1:
            self.check.judge(words, workspace)
        else:
            _script_first(self.before.judge(words, workspace), "node", workspace)


def _script_first(given: Given, language: str, workspace: str) -> None:
    if not given.operands or given.dashed >= 0:
        raise Denied("interpreter.script", "an interpreter without a script runs what it is fed")
    Program(language, "", language).judge(given.operands[:1], workspace)
    ARGUMENTS.judge(given.operands[1:], workspace)
