"""Places that hold a credential without naming one: `curl -u`, credential constructors, Kubernetes Secret manifests."""

from __future__ import annotations

import base64
import binascii
import re

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import is_reference, is_secret_value
from multiagent_bridge.guard.redaction.names import PASSWORD
from multiagent_bridge.guard.redaction.spans import Span

_CURL_USER = re.compile(
    r"(?:-u|--user|--proxy-user)(?:[ \t]+|=)(?P<quote>[\"']?)(?P<user>[^\s:\"']{0,128}):(?P<password>[^\"'\s]{0,256})(?P=quote)"
)
_CONSTRUCTED = re.compile(
    r"(?i:networkcredential|(?:http)?basicauth|usernamepasswordcredentials|pscredential)\(\s{0,4}"
    r"(?:\"[^\"\n]{0,128}\"|'[^'\n]{0,128}'|[\w.$]{1,64})\s{0,4},\s{0,20}(?:\"([^\"\n]{3,256})\"|'([^'\n]{3,256})')"
)
_SECURE = re.compile(
    r"(?i:securestring)\s+(?:-(?i:string|asplaintext|force)\s+){0,3}"
    r"(?:\\?\"([^\"\\\n]{3,256})\\?\"|'([^'\n]{3,256})'|([^\s\"'$()-][^\s\"'()]{4,256}))"
)
_USERPWD = re.compile(r"(?i:userpwd)[\"']?\s{0,4}[,=>]{1,2}\s{0,4}[\"'][^\"':\n]{0,128}:([^\"'\n]{3,256})[\"']")
_IDENTIFIED = re.compile(
    r"(?i:identified\s{1,8}(?:with\s{1,8}\S{1,64}\s{1,8})?by\s{1,8}(?:password\s{1,8})?)(?:'([^'\n]{3,256})'|\"([^\"\n]{3,256})\")"
)
# Flags that carry a password although they do not say so, by the programs that have them.
_FLAG = re.compile(r" -(?:p|a|w|P)(?P<gap>[ \t]{1,4}|=)?(?P<quote>[\"']?)(?P<value>[^\s\"'<>|&;]{3,256})")
_PROGRAM = re.compile(
    r"\b(?:(?P<spaced>sshpass|(?:docker|podman|oc|az|buildah|helm registry|nerdctl) +login|redis-cli"
    r"|ldap(?:search|modify|add|delete|whoami|passwd))|(?P<glued>mysql\w*|mariadb\w*|7z|sshpass|redis-cli))\b"
)
_MANIFEST = re.compile(r"kind[\"']?\s?:\s?[\"']?secret\b", re.I)
_DATA = re.compile(r"^([ \t]*)[\"']?(?:data|stringData)[\"']?[ \t]*:[ \t]*\r?$", re.M)
_ENTRY = re.compile(r"([ \t]+)[\"']?[\w.\-/]{1,253}[\"']?[ \t]*:[ \t]*[\"']?([^\s\"'|>&*{\[#][^\r\n\"'#]{2,8192})")


def find_places(text: str, lower: bytes, budget: Budget) -> list[Span]:
    """Credentials told by the place they stand in."""
    out: list[Span] = []
    if lower.find(b" -") >= 0:
        out += _flags(text, lower, budget)
        if lower.find(b"curl") >= 0:
            out += _curl(text, lower, budget)
    for marker, pattern in (
        (b"identified", _IDENTIFIED),
        (b"credential", _CONSTRUCTED),
        (b"basicauth", _CONSTRUCTED),
        (b"securestring", _SECURE),
        (b"userpwd", _USERPWD),
    ):
        at = lower.find(marker)
        while at >= 0:
            budget.spend()
            found = pattern.search(text, max(0, at - 24), min(len(text), at + 600))
            if found and found.start() <= at:
                group = next(number for number, value in enumerate(found.groups(), 1) if value)
                if not is_reference(found[group]) and is_secret_value(found[group], PASSWORD, True, True):
                    out.append(Span(*found.span(group), "PASSWORD", "credential-call", 1))
            at = lower.find(marker, at + len(marker))
    if lower.find(b"kind") >= 0 and lower.find(b"secret") >= 0 and _MANIFEST.search(text):
        out += _manifest(text, budget)
    return out


def _curl(text: str, lower: bytes, budget: Budget) -> list[Span]:
    out: list[Span] = []
    for flag in (b" -u", b"--user", b"--proxy-user"):
        at = lower.find(flag)
        while at >= 0:
            budget.spend()
            found = _CURL_USER.match(text, at + (flag == b" -u"))
            if found:
                part = "password" if found["password"] else "user"
                value = found[part]
                if is_secret_value(value, PASSWORD, True, True) and "$" not in text[found.start() : found.end()]:
                    out.append(Span(*found.span(part), "PASSWORD", "curl-user", 1))
            at = lower.find(flag, at + len(flag))
    return out


def _flags(text: str, lower: bytes, budget: Budget) -> list[Span]:
    out: list[Span] = []
    for flag in (b" -p", b" -a", b" -w"):
        at = lower.find(flag)
        while at >= 0:
            budget.spend()
            found = _FLAG.match(text, at)
            after = at + len(flag)
            if found and (program := _PROGRAM.search(text, max(0, text.rfind("\n", max(0, at - 200), at)), at)):
                wanted = "spaced" if found["gap"] else "glued"
                value = found["value"]
                if (program[wanted] or program[0] in ("sshpass", "redis-cli")) and is_secret_value(
                    value, PASSWORD, True, True
                ):
                    out.append(Span(*found.span("value"), "PASSWORD", "password-flag", 1))
                    after = found.end()
            at = lower.find(flag, after)
    return out


def _manifest(text: str, budget: Budget) -> list[Span]:
    out: list[Span] = []
    for block in _DATA.finditer(text):
        at = text.find("\n", block.end() - 1) + 1
        while at and at < len(text):
            budget.spend()
            entry = _ENTRY.match(text, at)
            if not entry or len(entry[1]) <= len(block[1]):
                break
            value = entry[2].rstrip()
            if not is_reference(value) and (_is_base64(value) or any(c.isdigit() for c in value)):
                out.append(Span(entry.start(2), entry.start(2) + len(value), "SECRET", "kubernetes-secret", 1))
            at = text.find("\n", entry.end()) + 1
    return out


def _is_base64(value: str) -> bool:
    try:
        return len(value) >= 8 and bool(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        return False
