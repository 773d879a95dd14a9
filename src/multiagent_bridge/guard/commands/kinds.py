"""What the value of an option or an operand may be, by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from multiagent_bridge.guard.commands.paths import argument_inside, inside
from multiagent_bridge.guard.commands.verdict import Denied

Kind = Callable[[str, str], None]
"""Judges one value under a workspace; raises Denied."""


def _form(pattern: str, rule: str, wanted: str) -> Kind:
    form = re.compile(pattern)

    def judge(text: str, workspace: str) -> None:
        if not form.fullmatch(text):
            raise Denied(rule, f"{text!r} is not {wanted}")

    return judge


def _text(text: str, workspace: str) -> None:
    """Any text: it is only data to the program."""


def _path(text: str, workspace: str) -> None:
    inside(text, workspace)


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


def _git_format(text: str, workspace: str) -> None:
    """A format of git; `%G` and `%(signature)` run the configured signing program."""
    if re.search(r"%[-+ ]?G|signature", text):
        raise Denied("git.format", "a format that verifies signatures runs a configured program")


def _script(*endings: str) -> Kind:
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


_PIP_VERSION = r"(?:[=<>!~]=?=?[A-Za-z0-9.*+!_-]{1,40})"
_PIP = re.compile(
    rf"[A-Za-z0-9](?:[A-Za-z0-9._-]{{0,98}}[A-Za-z0-9])?(?:\[[A-Za-z0-9_,.-]{{1,100}}\])?(?: ?{_PIP_VERSION}(?:, "
    rf"?{_PIP_VERSION})*)?"
)
_ARCHIVE = (".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".egg")


def _pip_package(text: str, workspace: str) -> None:
    """A name with extras and versions (PEP 508 without URL and markers), or `.` with extras."""
    if text in (".", "./") or re.fullmatch(r"\./?\[[A-Za-z0-9_,.-]+\]", text):
        return
    if not _PIP.fullmatch(text) or text.lower().endswith(_ARCHIVE):
        raise Denied("pip.source", f"{text!r} is not a package name with a version; no URL, path, VCS or archive")


_NPM = re.compile(r"(?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*(?:@[A-Za-z0-9.^~*<>= _+-]{1,60})?", re.IGNORECASE)


def _npm_package(text: str, workspace: str) -> None:
    """A registry name with a version or tag; no URL, path, alias, `owner/name` or archive."""
    if not _NPM.fullmatch(text) or text.lower().endswith((".tgz", ".tar", ".tar.gz")):
        raise Denied("npm.source", f"{text!r} is not a package name of the registry with a version")


_BRANCH = re.compile(r"[A-Za-z0-9_][\w./+#@-]{0,200}")


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


def _start(text: str, workspace: str) -> None:
    """A branch, tag or commit, also counted back from: main, HEAD~2, v1^, @{u}, stash@{0}."""
    if (
        not re.fullmatch(
            r"[A-Za-z0-9_@][\w./+#-]{0,200}(?:@\{[a-z0-9-]{0,10}\})?(?:[~^][0-9]{0,6}){0,8}|@\{[a-z0-9-]{0,10}\}", text
        )
        or ".." in text
    ):
        raise Denied("git.name", f"{text!r} is not a branch, a tag or a commit")


def _refspec(text: str, workspace: str) -> None:
    """`source` or `source:destination`, both there, without the `+` that forces."""
    source, colon, target = text.partition(":")
    if text.startswith("+") or (colon and not target) or not source:
        raise Denied("git.destroy", f"{text!r} forces or deletes on the other side")
    for name in (source, target) if colon else (source,):
        _branch(name, workspace)


def _path_list(text: str, workspace: str) -> None:
    for part in text.split(":"):
        inside(part, workspace)


def _warning(text: str, workspace: str) -> None:
    """A warning filter without a dotted class: naming one imports its module."""
    if not re.fullmatch(r"(?:error|ignore|default|always|module|once)(?:::(?:[A-Z][A-Za-z]+Warning)?)?", text):
        raise Denied("pytest.plugin", f"the filter {text!r} may import a module")


KINDS: dict[str, Kind] = {
    "text": _text,
    "path": _path,
    "operand": _no_response_file,
    "test": _test,
    "inside": argument_inside,
    "git": _git,
    "format": _git_format,
    "python": _script(".py"),
    "node": _script(".js", ".mjs", ".cjs"),
    "report": _report,
    "folder": _local_package,
    "pip": _pip_package,
    "npm": _npm_package,
    "branch": _branch,
    "start": _start,
    "refspec": _refspec,
    "paths": _path_list,
    "warning": _warning,
    "pair": _form(r"[A-Za-z_]\w*", "value.word", "a name, with a value behind it"),
    "number": _form(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,9})?[A-Za-z%]{0,3}", "value.number", "a number"),
    "word": _form(r"[A-Za-z0-9_%][A-Za-z0-9_.,:+@%-]*", "value.word", "a plain word"),
    "list": _form(r"[A-Za-z0-9_%@*-][A-Za-z0-9_.,:+@%*= -]*", "value.word", "a plain list"),
    "name": _form(r"[A-Za-z0-9_@][\w.:@/-]*", "value.word", "a plain name"),
    "script": _form(r"[A-Za-z0-9_][\w.:@-]*(?:/[\w.:@-]+)*", "value.word", "the name of a script"),
    "remote": _form(r"[A-Za-z0-9_][\w.-]{0,60}", "git.remote", "the name of a configured remote"),
    "minus": _form(r"-", "value.minus", "-"),
    "plus": _form(r"\+.*", "date.set", "a format that begins with +"),
    "noplugin": _form(r"no:[\w.-]+", "pytest.plugin", "no:NAME; loading a plug-in runs its code"),
    "lint": _form(r"[a-z][a-z0-9_:-]*", "value.word", "the name of a lint"),
    "triple": _form(r"[a-z0-9_]+(?:-[a-z0-9_.]+){1,3}", "cargo.target", "a target triple"),
    "zone": _form(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", "environment.value", "a time zone"),
    "locale": _form(r"[A-Za-z][\w@.-]{0,30}", "environment.value", "a locale"),
    "setting": _form(r"[\w.,:=*+-]{0,100}", "environment.value", "a plain value"),
}
PATH_KINDS = frozenset({"path", "operand", "test", "git", "inside"})
"""Kinds whose pattern of `*` and `?` is expanded inside the workspace."""


@cache
def kind_named(name: str) -> Kind:
    """The judge of a kind, or of a choice written `a|b|c`. Raises KeyError for a name that a table misspelt."""
    if "|" not in name:
        return KINDS[name]
    choices = frozenset(name.split("|"))

    def judge(text: str, workspace: str) -> None:
        if text not in choices:
            raise Denied("value.choice", f"{text!r} is none of {', '.join(sorted(choices))}")

    return judge
