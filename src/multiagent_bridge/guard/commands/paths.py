"""Where a path leads, by its text alone.

Only the text is judged: a symbolic link inside the workspace may lead out of it. Whoever runs the command resolves every path
again (and the sandbox mounts nothing else).
"""

from __future__ import annotations

import re

from multiagent_bridge.guard.commands.verdict import Denied

SECRET_PARTS = frozenset(
    [
        ".ssh",
        ".aws",
        ".gnupg",
        ".azure",
        ".kube",
        ".netrc",
        "_netrc",
        ".pgpass",
        ".git-credentials",
        ".pypirc",
        ".yolo_tokens.json",
        ".password-store",
        ".docker",
        ".gcloud",
        ".credentials.json",
    ]
)
"""Folders and files of keys, wherever they lie."""
_ENVIRONMENT_FILE = re.compile(r"\.env(?:\.(?!example$|sample$|template$|dist$|test$)[\w.-]+)?")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(?:file|git|data|https?|ssh|ftp):", re.IGNORECASE)


def inside(text: str, workspace: str = "", *, secrets: bool = True) -> None:
    """Raise Denied unless `text` names something inside the workspace: relative, or absolute below `workspace`."""
    if not text:
        raise Denied("path.empty", "an empty path")
    if text.startswith("~"):
        raise Denied("path.home", "a path begins with ~; only paths inside the workspace are allowed")
    if _URL.match(text):
        raise Denied("path.url", "a URL stands where a file is wanted")
    parts = _parts(text, workspace)
    depth = 0
    for part in parts:
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            raise Denied("path.outside", f"{text} leads out of the workspace")
        if secrets and (part.lower() in SECRET_PARTS or _ENVIRONMENT_FILE.fullmatch(part.lower())):
            raise Denied("path.secret", f"{text} names a place of keys")


def _parts(text: str, workspace: str) -> list[str]:
    parts = text.split("/")
    if not text.startswith("/"):
        return parts
    base = [part for part in workspace.split("/") if part]
    given = [part for part in parts if part not in ("", ".")]
    if not base or ".." in base or given[: len(base)] != base:
        raise Denied("path.outside", f"{text} is not inside the workspace")
    return given[len(base) :]


def pattern_inside(text: str) -> None:
    """Raise Denied when a part of a pattern could match the parent folder (`.*` does in many shells)."""
    for part in text.split("/"):
        if part.startswith("."):
            rest = part[1:]
            if rest[:1] in ("*", "?") or (rest[:1] == "." and len(rest) > 1):
                raise Denied("path.outside", f"the pattern {text} could match the parent folder")


def argument_inside(text: str, workspace: str = "") -> None:
    """Raise Denied when an argument of a program of the workspace looks like a path that leads out of it.

    An option is judged by its value: `--out=/x`, and `-o/x` with the value glued on.
    """
    value = text
    if text.startswith("--"):
        value = text.partition("=")[2]
    elif text.startswith("-"):
        value = text.partition("=")[2] or text[2:]
    if value.startswith(("/", "~")) or ".." in value.split("/") or value.lower().startswith("file:"):
        inside(value, workspace, secrets=False)
