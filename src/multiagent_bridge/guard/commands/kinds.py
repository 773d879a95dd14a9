"""What the value of an option or an operand may be, by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.paths import argument_inside, inside
from multiagent_bridge.guard.commands.verdict import Denied

Judge = Callable[[str, str], None]
"""Judges one value under a workspace; raises Denied."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value. A pattern of `*` and `?` in a `path` is expanded inside the workspace."""

    name: str
    judge: Judge
    path: bool = False


Flags = dict[str, tuple[bool, Kind | None]]
"""Options by name: whether the value is optional, and its kind (None: the option takes no value)."""

_PIP_VERSION = r"(?:[=<>!~]=?=?[A-Za-z0-9.*+!_-]{1,40})"
_PIP = re.compile(
    rf"[A-Za-z0-9](?:[A-Za-z0-9._-]{{0,98}}[A-Za-z0-9])?(?:\[[A-Za-z0-9_,.-]{{1,100}}\])?(?: ?{_PIP_VERSION}(?:, "
    rf"?{_PIP_VERSION})*)?"
)
_ARCHIVE = (".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".egg")
_NPM = re.compile(r"(?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*(?:@[A-Za-z0-9.^~*<>= _+-]{1,60})?", re.IGNORECASE)
_BRANCH = re.compile(r"[A-Za-z0-9_][\w./+#@-]{0,200}")
_START = re.compile(
    r"[A-Za-z0-9_@][\w./+#-]{0,200}(?:@\{[a-z0-9-]{0,10}\})?(?:[~^][0-9]{0,6}){0,8}|@\{[a-z0-9-]{0,10}\}"
)
_WARNING = re.compile(r"(?:error|ignore|default|always|module|once)(?:::(?:[A-Z][A-Za-z]+Warning)?)?")


class Kinds:
    """The kinds by name: those of the rule files, given by a regular expression, and those whose reading is code."""

    def __init__(self, forms: Sequence[Entry]) -> None:
        self._known = dict(_CODED)
        self.flags: dict[tuple[tuple[str, ...], bool], Flags] = {}
        for entry in forms:
            self._known[entry.name] = Kind(entry.name, _form(entry))

    def named(self, name: str) -> Kind | None:
        """The kind of a name, or of a choice written `a|b|c`; None when there is none of it."""
        if name not in self._known and "|" in name:
            self._known[name] = Kind(name, _choice(frozenset(name.split("|"))))
        return self._known.get(name)


def _no_response_file(text: str, workspace: str) -> None:
    """A path; `@file` would be read as further arguments (argparse, binutils)."""
    if text.startswith("@"):
        raise Denied("path.arguments", "@file stands for arguments that nobody sees")
    inside(text, workspace)


def _test(text: str, workspace: str) -> None:
    """`tests/test_a.py::TestB::test_c[x]`: the part before `::` is the path."""
    _no_response_file(text.partition("::")[0], workspace)


def _git(text: str, workspace: str) -> None:
    """A revision, a range, `revision:path` or a path of the working tree."""
    if text.startswith(("/", "~")) or "://" in text:
        inside(text, workspace)
    if ".." in text.split("/"):
        raise Denied("path.outside", f"{text} leads out of the workspace")
    if "/" in text or text.startswith("."):
        inside(text.rpartition(":")[2] or ".", workspace)


def _script(*endings: str) -> Judge:
    def judge(text: str, workspace: str) -> None:
        inside(text, workspace)
        if not text.endswith(endings):
            raise Denied("interpreter.script", f"{text} is not a script file ({', '.join(endings)})")

    return judge


def _report(text: str, workspace: str) -> None:
    """A report file that a test run writes: .xml inside the workspace, in no hidden folder."""
    inside(text, workspace)
    if not text.endswith(".xml") or any(part.startswith(".") and part != "." for part in text.split("/")):
        raise Denied("path.report", "a report is an .xml file outside hidden folders")


def _local_package(text: str, workspace: str) -> None:
    """`.`, `./folder` or `folder`, with extras behind it."""
    path = re.sub(r"\[[A-Za-z0-9_,.-]+\]$", "", text)
    inside(path, workspace)
    if "+" in path or ":" in path or "@" in path:
        raise Denied("pip.source", f"{text} is not a folder of the workspace")


def _path_list(text: str, workspace: str) -> None:
    for part in text.split(":"):
        inside(part, workspace)


def _form(entry: Entry) -> Judge:
    form, rule, wanted = entry.pattern("form"), entry.text("rule"), entry.text("wanted")
    if form is None or not rule or not wanted:
        raise entry.wrong("needs form, rule and wanted")

    def judge(text: str, workspace: str) -> None:
        if not form.fullmatch(text):
            raise Denied(rule, f"{text!r} is not {wanted}")

    return judge


def _any(text: str, workspace: str) -> None:
    """A word that somebody else judges."""


ANY = Kind("any", _any, path=True)


def _choice(choices: frozenset[str]) -> Judge:
    def judge(text: str, workspace: str) -> None:
        if text not in choices:
            raise Denied("value.choice", f"{text!r} is none of {', '.join(sorted(choices))}")

    return judge


def _text(text: str, workspace: str) -> None:
    """Any text: it is only data to the program."""


def _git_format(text: str, workspace: str) -> None:
    """A format of git; `%G` and `%(signature)` run the configured signing program."""
    if re.search(r"%[-+ ]?G|signature", text):
        raise Denied("git.format", "a format that verifies signatures runs a configured program")


def _pip_package(text: str, workspace: str) -> None:
    """A name with extras and versions (PEP 508 without URL and markers), or `.` with extras."""
    if text in (".", "./") or re.fullmatch(r"\./?\[[A-Za-z0-9_,.-]+\]", text):
        return
    if not _PIP.fullmatch(text) or text.lower().endswith(_ARCHIVE):
        raise Denied("pip.source", f"{text!r} is not a package name with a version; no URL, path, VCS or archive")


def _npm_package(text: str, workspace: str) -> None:
    """A registry name with a version or tag; no URL, path, alias, `owner/name` or archive."""
    if not _NPM.fullmatch(text) or text.lower().endswith((".tgz", ".tar", ".tar.gz")):
        raise Denied("npm.source", f"{text!r} is not a package name of the registry with a version")


def _branch(text: str, workspace: str) -> None:
    """A plain branch or tag name (git check-ref-format)."""
    if (
        not _BRANCH.fullmatch(text)
        or ".." in text
        or "//" in text
        or "@{" in text
        or text.endswith(("/", ".", ".lock"))
    ):
        raise Denied("git.name", f"{text!r} is not a plain branch or tag name")


def start(text: str, workspace: str = "") -> None:
    """A branch, tag or commit, also counted back from: main, HEAD~2, v1^, @{u}, stash@{0}."""
    if not _START.fullmatch(text) or ".." in text:
        raise Denied("git.name", f"{text!r} is not a branch, a tag or a commit")


def _refspec(text: str, workspace: str) -> None:
    """`source` or `source:destination`, both there, without the `+` that forces."""
    source, colon, target = text.partition(":")
    if text.startswith("+") or (colon and not target) or not source:
        raise Denied("git.destroy", f"{text!r} forces or deletes on the other side")
    for name in (source, target) if colon else (source,):
        _branch(name, workspace)


def _warning(text: str, workspace: str) -> None:
    """A warning filter without a dotted class: naming one imports its module."""
    if not _WARNING.fullmatch(text):
        raise Denied("pytest.plugin", f"the filter {text!r} may import a module")


_CODED = {
    name: Kind(name, judge, path)
    for name, judge, path in (
        ("text", _text, False), ("path", inside, True), ("operand", _no_response_file, True), ("test", _test, True),
        ("inside", argument_inside, True), ("git", _git, True), ("format", _git_format, False),
        ("python", _script(".py"), False), ("node", _script(".js", ".mjs", ".cjs"), False),
        ("report", _report, False), ("folder", _local_package, False), ("pip", _pip_package, False),
        ("npm", _npm_package, False), ("branch", _branch, False), ("start", start, False),
        ("refspec", _refspec, False), ("paths", _path_list, False), ("warning", _warning, False),
    )
}  # fmt: skip
