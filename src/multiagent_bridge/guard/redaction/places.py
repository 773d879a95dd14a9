"""Places that hold a credential without naming one: `curl -u`, credential constructors, Kubernetes Secret manifests."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence

from multiagent_bridge.guard.redaction.budget import Budget
from multiagent_bridge.guard.redaction.judge import is_random, is_reference, is_secret_value
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
_FLAGS = frozenset((b"p", b"a", b"w"))
_PROGRAM = re.compile(
    r"\b(?:(?P<spaced>sshpass|(?:docker|podman|oc|az|buildah|helm registry|nerdctl) +login|redis-cli"
    r"|ldap(?:search|modify|add|delete|whoami|passwd))|(?P<glued>mysql\w*|mariadb\w*|7z|sshpass|redis-cli))\b"
)
_KEY_IDS = frozenset(("aws-access-key", "aws-temporary-key"))
_SECRET_REACH = 100
_AWS_SECRET = re.compile(r"(?:[^A-Za-z0-9/+=]|(?<=\\)[nt])([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_KIND_REACH = 9  # characters of `kind` and what may stand between it and its value
_MANIFEST = re.compile(r"kind[\"']?\s?:\s?[\"']?secret\b", re.I)
_DATA = re.compile(r"^([ \t]*)[\"']?(?:data|stringData)[\"']?[ \t]*:[ \t]*\r?$", re.M)
_ENTRY = re.compile(r"([ \t]+)[\"']?[\w.\-/]{1,253}[\"']?[ \t]*:[ \t]*[\"']?([^\s\"'|>&*{\[#][^\r\n\"'#]{2,8192})")

_MARKERS = ((b"identified", _IDENTIFIED), (b"securestring", _SECURE))
# Those that hold the stem of a name are found where it was.
_STEM_MARKERS = (
    (b"credential", b"cred", _CONSTRUCTED),
    (b"basicauth", b"auth", _CONSTRUCTED),
    (b"userpwd", b"pw", _USERPWD),
)


def find_places(text: str, lower: bytes, stems: Mapping[bytes, Sequence[int]], budget: Budget) -> list[Span]:
    """Credentials told by the place they stand in. `stems` are those of `assignments.keyed`, `lower` is as there."""
    out: list[Span] = []
    if lower.find(b" -") >= 0:
        out += _flags(text, lower, budget)
        if lower.find(b"curl") >= 0:
            out += _curl(text, lower, budget)
    for at, pattern in _marked(lower, stems):
        budget.spend()
        found = pattern.search(text, max(0, at - 24), min(len(text), at + 600))
        if found and found.start() <= at:
            group = next(number for number, value in enumerate(found.groups(), 1) if value)
            if not is_reference(found[group]) and is_secret_value(found[group], PASSWORD, True, True):
                out.append(Span(*found.span(group), "PASSWORD", "credential-call", 1))
    if any(_MANIFEST.search(text, max(0, at - _KIND_REACH), at + 7) for at in stems.get(b"secret", ())):
        out += _manifest(text, budget)
    return out


def find_aws_secrets(text: str, spans: list[Span], budget: Budget) -> list[Span]:
    """The 40 characters that stand right behind an AWS key id, as in the file that the console hands out."""
    out: list[Span] = []
    for span in spans:
        if span.kind == "AWS_KEY" and span.rule in _KEY_IDS:
            budget.spend()
            found = _AWS_SECRET.search(text, span.end, span.end + _SECRET_REACH)
            if found and is_random(found[1], 40) and not _SHA1.fullmatch(found[1]):
                out.append(Span(*found.span(1), "AWS_KEY", "aws-secret-key"))
    return out


def _marked(lower: bytes, stems: Mapping[bytes, Sequence[int]]) -> Iterator[tuple[int, re.Pattern[str]]]:
    for marker, pattern in _MARKERS:
        at = lower.find(marker)
        while at >= 0:
            yield at, pattern
            at = lower.find(marker, at + len(marker))
    for marker, stem, pattern in _STEM_MARKERS:
        offset = marker.index(stem)
        for hit in stems.get(stem, ()):
            if hit >= offset and lower.startswith(marker, hit - offset):
                yield hit - offset, pattern


def _curl(text: str, lower: bytes, budget: Budget) -> list[Span]:
    out: list[Span] = []
    for flag in (b" -u", b"--user", b"--proxy-user"):
        at = lower.find(flag)
        while at >= 0:
            budget.spend()
            found = _CURL_USER.match(text, at + (flag == b" -u"))
            if found:
                part = "password" if found["password"] else "user"
                value = found[part].rstrip("\\")
                if is_secret_value(value, PASSWORD, True, True) and "$" not in text[found.start() : found.end()]:
                    out.append(Span(*found.span(part), "PASSWORD", "curl-user", 1))
            at = lower.find(flag, at + len(flag))
    return out


def _flags(text: str, lower: bytes, budget: Budget) -> list[Span]:
    out: list[Span] = []
    after = at = lower.find(b" -")
    while at >= 0:
        if at >= after and lower[at + 2 : at + 3] in _FLAGS:
            budget.spend()
            found = _FLAG.match(text, at)
            if found and (program := _PROGRAM.search(text, max(0, text.rfind("\n", max(0, at - 200), at)), at)):
                wanted = "spaced" if found["gap"] else "glued"
                value = found["value"].rstrip("\\")
                if (program[wanted] or program[0] in ("sshpass", "redis-cli")) and is_secret_value(
                    value, PASSWORD, True, True
                ):
                    out.append(Span(*found.span("value"), "PASSWORD", "password-flag", 1))
                    after = found.end()
        at = lower.find(b" -", at + 2)
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
