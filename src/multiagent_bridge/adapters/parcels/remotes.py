"""Where a repository may lie: over HTTPS or ssh, or on this machine. Nothing that runs a program of the address's choice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from multiagent_bridge.errors import Invalid

HINT = "https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, or a path on this machine"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SCP = re.compile(r"(?:[A-Za-z0-9_][\w.+-]*@)?[A-Za-z0-9][\w.-]*:(?![:/]{2}).+")
_USER = re.compile(r"(?<=://)[^/\s]*@")
_BRANCH = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]|/(?=[A-Za-z0-9])){0,99}")


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository's address as git gets it, as people are shown it, and the transports that git may use for it."""

    url: str
    shown: str
    protocols: str

    def without(self, text: str) -> str:
        """`text` with the address as it is shown in the place of the address as it is, whole or as git shortens it."""
        shown = text.replace(self.url, self.shown)
        return _USER.sub("", shown) if self.shown != self.url else shown


def remote(given: str) -> Remote:
    """Raises Invalid for an address that git could take for something else, or that holds a password."""
    plain = given and given.isprintable() and len(given) <= 1000 and not given.startswith("-")
    if not plain or "::" in given.partition("/")[0]:
        raise Invalid("that is no address of a repository", HINT)
    try:
        parts = urlsplit(given)
        secret, user, host = parts.password, parts.username, parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise Invalid("that is no address of a repository", HINT) from error
    if "://" not in given:
        return _local(given) if Path(given).exists() or not _SCP.fullmatch(given) else Remote(given, given, "ssh")
    if secret is not None:
        raise Invalid(
            "the address of the repository holds a password", "give it to git's credential helper, or use ssh"
        )
    if parts.query or parts.fragment:
        raise Invalid("that is no address of a repository", HINT)
    if parts.scheme == "file" and not host:
        return _local(parts.path)
    if parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK):
        # a user name alone may be a token
        shown = given.replace(f"{parts.netloc}", parts.netloc.rpartition("@")[2], 1) if user else given
        return _elsewhere(given, shown, parts.scheme, host)
    if parts.scheme == "ssh":
        return _elsewhere(given, given, "ssh", host)
    raise Invalid("the repository is not reached over HTTPS, ssh or a path", HINT)


def _elsewhere(given: str, shown: str, protocol: str, host: str) -> Remote:
    if not host or host.startswith("-") or not given.isascii():
        raise Invalid("that is no address of a repository", HINT)
    return Remote(given, shown, protocol)


def _local(path: str) -> Remote:
    whole = str(Path(path).expanduser().absolute())
    return Remote(whole, whole, "file")


def branch(name: str) -> str:
    """`name` if a branch may have it. Raises Invalid."""
    if not _BRANCH.fullmatch(name) or ".." in name or name.endswith((".lock", ".")) or ".lock/" in name or "./" in name:
        raise Invalid("that is no name of a branch", "letters, digits, dots and dashes, such as main")
    return name
