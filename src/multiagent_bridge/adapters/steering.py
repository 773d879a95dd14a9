"""Which files of a workspace a plan would execute or be steered by, by the words of its steps alone.

What a program imports, compiles or includes beyond these is not listed: nobody can know it without running it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from multiagent_bridge.model.commands import Step

MOST_PLACES = 16
"""Folders that a plan may be in at one time (`cd a || cd b` leaves that open) before more are left out."""

PYTHON = ("pyproject.toml", "setup.cfg", "setup.py")
PYTEST = (*PYTHON, "pytest.ini", ".pytest.ini", "tox.ini", "conftest.py")
MAKE = ("GNUmakefile", "makefile", "Makefile")
HOOKS = (".git/hooks", ".husky")

_LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb")
_PACKAGE = (
    "package.json",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".pnpmfile.cjs",
    "pnpm-workspace.yaml",
    "bunfig.toml",
    *_LOCKS,
)
_TOOLCHAIN = ("rust-toolchain", "rust-toolchain.toml", ".cargo/config", ".cargo/config.toml")
_ROWS = (
    ("npm npx pnpm pnpx yarn yarnpkg bun bunx corepack node", _PACKAGE),
    ("pytest py.test", PYTEST),
    ("pip pip3 uv poetry pdm hatch", (*PYTHON, "uv.toml", "uv.lock", "poetry.lock")),
    ("tox nox", (*PYTEST, "noxfile.py")),
    ("make gmake", MAKE),
    ("go", ("go.mod", "go.sum", "go.work")),
    ("just rake", ("justfile", "Justfile", ".justfile", "Rakefile")),
    ("cargo", ("Cargo.toml", "Cargo.lock", "build.rs", *_TOOLCHAIN)),
    ("git", (".git/config", ".git/config.worktree", ".git/commondir", ".git/info/attributes", ".gitmodules")),
)
USUAL: Mapping[str, Sequence[str]] = {program: names for programs, names in _ROWS for program in programs.split()}
"""What steers each program when it lies in its folder, or in one above it."""

EVERYTHING = tuple(dict.fromkeys(name for names in USUAL.values() for name in names))

Listing = Callable[[str], Sequence[str]]
"""From a folder below the workspace to the names in it."""

_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_SHELLS = frozenset(("bash", "sh", "dash", "zsh", "ksh", "ash"))
_INTERPRETERS = frozenset((*_SHELLS, "ruby", "perl", "php", "lua", "deno", "tsx", "ts-node", "Rscript", "julia"))
_TAKES = {"python": ("-W", "-X"), "node": ("-r", "--require", "--import", "--loader", "--experimental-loader")}
_BREAKS = re.compile(r"[\s;|&()<>'\"`$=,{}]+")


@dataclass(slots=True)
class Wanted:
    """Paths below the workspace. `named` are asked for by their name, there or not; `usual` count when they are there;
    `words` of a shell's line count when they look like programs; `patterns` are to be expanded; of `folders` every
    file counts; `requirements` name further files in turn.
    """

    named: set[str] = field(default_factory=set)
    usual: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    requirements: set[str] = field(default_factory=set)


def wanted(steps: Sequence[Step], workspace: str) -> Wanted:
    """All that the steps point to. Paths that lead out of the workspace are kept as they are, for their reader to refuse."""
    found = Wanted()
    places = [""]
    for step in steps:
        if step.argv[0] == "cd":
            deeper = [_joined(place, word, workspace) for word in step.argv[1:] for place in places]
            places = list(dict.fromkeys([*places, *deeper]))[:MOST_PLACES]
            continue
        for place in places:
            _Looking(found, step, place, workspace).look()
    return found


class _Looking:
    """One step in one folder."""

    def __init__(self, found: Wanted, step: Step, place: str, workspace: str) -> None:
        self._found = found
        self._step = step
        self._place = place
        self._workspace = workspace

    def look(self) -> None:
        first = self._step.argv[0]
        if "/" in first and not self._at(first).startswith(("..", "/")):
            self._script(first, 0)
        self._program(posixpath.basename(first), 1)

    def _program(self, name: str, start: int) -> None:
        argv = self._step.argv
        self._usual(name, self._place)
        if _PYTHON.fullmatch(name):
            self._python(start)
        elif name == "node":
            self._node(start)
        elif name in _INTERPRETERS:
            self._interpreter(name, start)
        elif name in ("pip", "pip3", "uv"):
            self._pip(start)
        elif name in ("npx", "pnpx", "bunx", "npm", "pnpm", "yarn", "bun"):
            self._found.usual |= {self._at(f"node_modules/.bin/{word}") for word in argv[start:] if "/" not in word}
        elif name in ("make", "gmake", "just"):
            self._make(start)
        elif name in ("pytest", "py.test"):
            self._pytest(start)
        elif name == "go":
            self._found.usual |= {self._at(word) for word in argv[start:] if word.endswith(".go")}
        elif name == "git":
            self._found.folders |= {self._at(folder) for folder in HOOKS}

    def _python(self, start: int) -> None:
        argv = self._step.argv
        for index in self._operands(start, _TAKES["python"], stop="m"):
            word = argv[index]
            if word != "-m":
                self._script(word, index)
                self._found.usual.add(self._at(word + "/__main__.py"))
            elif index + 1 < len(argv):
                module = argv[index + 1]
                path = module.replace(".", "/")
                self._found.usual |= {self._at(path + end) for end in (".py", "/__main__.py", "/__init__.py")}
                self._program(module, index + 2)
            return

    def _node(self, start: int) -> None:
        argv = self._step.argv
        for option, value in zip(argv[start:], argv[start + 1 :], strict=False):
            if option in _TAKES["node"]:
                self._found.usual.add(self._at(value))
        for word in argv[start:]:
            name, _, value = word.partition("=")
            if value and name in _TAKES["node"]:
                self._found.usual.add(self._at(value))
        for index in self._operands(start, _TAKES["node"]):
            self._script(argv[index], index)
            ends = (".js", ".cjs", ".mjs", ".json", "/index.js", "/package.json")
            self._found.usual |= {self._at(argv[index] + end) for end in ends}
            return

    def _interpreter(self, name: str, start: int) -> None:
        argv = self._step.argv
        if name in _SHELLS and "-c" in argv[start:]:
            lines = argv[start:]
            words = _BREAKS.split(lines[lines.index("-c") + 1] if lines[-1] != "-c" else "")
            folders = ["", *(word for before, word in pairwise(words) if before in ("cd", "pushd", "-C"))]
            paths = {posixpath.join(folder, word) for folder in folders[:MOST_PLACES] for word in words if word}
            self._found.words |= {self._at(path) for path in paths}
            self._found.usual |= {self._at(usual) for usual in EVERYTHING}
            self._found.folders |= {self._at(folder) for folder in HOOKS}
            return
        skipped = ("run",) if name == "deno" else ()
        for index in self._operands(start, ()):
            if argv[index] not in skipped:
                self._script(argv[index], index)
                return

    def _pip(self, start: int) -> None:
        argv = self._step.argv
        for index, word in enumerate(argv[start:], start):
            name, _, value = word.partition("=")
            option = name in ("-r", "--requirement", "-c", "--constraint", "-e", "--editable")
            if option and not value and index + 1 < len(argv):
                value = argv[index + 1]
            elif word[:2] in ("-r", "-c") and word[2:3] not in ("", "-") and not word.startswith("--"):
                option, value = True, word[2:]
            if not option or not value:
                continue
            if name in ("-e", "--editable"):
                self._found.usual |= {self._at(f"{value.partition('[')[0]}/{usual}") for usual in PYTHON}
            else:
                self._found.named.add(self._at(value))
                self._found.requirements.add(self._at(value))

    def _make(self, start: int) -> None:
        argv = self._step.argv
        for option, value in zip(argv[start:], argv[start + 1 :], strict=False):
            if option in ("-f", "--file", "--makefile", "--justfile"):
                self._found.named.add(self._at(value))
            if option in ("-C", "--directory"):
                self._found.usual |= {self._at(f"{value}/{usual}") for usual in MAKE}

    def _pytest(self, start: int) -> None:
        for index in self._operands(start, ()):
            word = self._step.argv[index].partition("::")[0]
            if index in self._step.globs:
                self._found.patterns.add(self._at(word))
            self._found.usual.add(self._at(word))
            self._usual("pytest", self._at(word))

    def _usual(self, program: str, place: str) -> None:
        """What steers `program` in the folder `place` and in those above it."""
        names = USUAL.get(program, ())
        while not place.startswith(".."):
            self._found.usual |= {posixpath.join(place, name) for name in names}
            if not place:
                return
            place = posixpath.dirname(place)

    def _operands(self, start: int, takes: Sequence[str], stop: str = "") -> Iterator[int]:
        """Places in argv that hold no option and no option's value; `-m` is one where `stop` says so."""
        skip = False
        for index, word in enumerate(self._step.argv[start:], start):
            if skip:
                skip = False
            elif not word.startswith("-") or (stop and word == f"-{stop}"):
                yield index
            skip = word in takes

    def _script(self, word: str, index: int) -> None:
        (self._found.patterns if index in self._step.globs else self._found.named).add(self._at(word))

    def _at(self, word: str) -> str:
        return _joined(self._place, word, self._workspace)


def nested(requirements: str, path: str) -> set[str]:
    """The files that a requirements file of pip names in turn (`-r FILE`, `-c FILE`), as paths below the workspace."""
    found = set()
    for line in requirements.splitlines():
        match = re.match(r"\s*(?:-[rc]\s*|--(?:requirement|constraint)[=\s]\s*)([^\s#]+)", line)
        if match:
            found.add(posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1])))
    return found


def expanded(pattern: str, listing: Listing) -> set[str]:
    """The paths that a pattern of `*` and `?` means, hidden names left out; `listing` gives the names in a folder."""
    found = {""}
    for part in pattern.split("/"):
        if not set(part) & set("*?"):
            found = {posixpath.join(place, part) for place in found}
            continue
        shape = re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in part), re.DOTALL)
        found = {
            posixpath.join(place, name)
            for place in found
            for name in listing(place)
            if shape.fullmatch(name) and not name.startswith(".")
        }
    return found


def _joined(place: str, word: str, workspace: str) -> str:
    """`word` as a path below the workspace; one that leads out begins with `..` or `/`."""
    if word == workspace or word.startswith(workspace.rstrip("/") + "/"):
        place, word = "", word[len(workspace) :].lstrip("/")
    joined = posixpath.normpath(posixpath.join(place, word))
    return "" if joined == "." else joined
