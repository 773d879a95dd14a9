"""Files that hold secrets, known by name and, where a name is not enough, by content. Commands find them empty.

Hidden by name: environment files (`.env`, `.env.*`, `*.env`, `.envrc`, but not examples and templates), private keys of SSH,
key stores, password files of clients (netrc, pgpass, pypirc, git-credentials, ...), credential files of clouds and registries.
Hidden by content: `.npmrc`, `.yarnrc.yml`, `pip.conf` and the like when they hold a token; `*.pem` and `*.key` when they hold
a private key that nobody but its owner may read (one that everybody may read is a fixture of tests, or no secret any more).
"""

from __future__ import annotations

import os
import re
import stat

_EXAMPLES = re.compile(
    r".*\.(example|sample|template|tmpl|dist|defaults?|schema)|(example|sample|template|defaults?)\.env", re.IGNORECASE
)
_SECRET = re.compile(
    r"""\.env | \.env\..+ | .+\.env | \.envrc(\..+)?
    | id_(rsa|dsa|ecdsa|ed25519|xmss)(_sk)? | .+\.(ppk|p12|pfx|jks|keystore|kdbx?|ovpn)
    | [._]netrc | \.pgpass | pgpass\.conf | \.my\.cnf | \.mylogin\.cnf | \.htpasswd | \.pypirc | \.git-credentials | \.dockercfg
    | \.vault-token | \.boto | \.s3cfg | \.terraformrc | terraform\.rc | \.rclone\.conf | rclone\.conf
    | kubeconfig | .+\.kubeconfig | .+\.tfstate(\.backup)?
    | credentials(\.(json|toml|db|ya?ml|ini|csv))? | client_secret.*\.json | .*service[-_]?account.*\.json
    | master\.key | local\.settings\.json
    | \.?secrets?(\.(json|ya?ml|toml|ini|env|properties))?""",
    re.VERBOSE | re.IGNORECASE,
)
_LOOKED_INTO = re.compile(
    r"\.npmrc | \.yarnrc(\.yml)? | pip\.conf | \.pip\.conf | nuget\.config | settings\.xml | bunfig\.toml | \.condarc"
    r"| \.?docker-?config\.json | auth\.json | .+\.(pem|key)",
    re.VERBOSE | re.IGNORECASE,
)
_TOKEN = re.compile(
    rb"""_auth(Token)? | _password | npmAuth(Token|Ident) | ://[^\s/@:]+:[^\s/@]+@ | ClearTextPassword"""
    rb"""| "auth"\s*: | <password> | ^\s*token\s*= | "(http-basic|github-oauth|gitlab-token|bearer)"\s*:""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----")
_LOOKED_AT = 64 << 10

FOLDERS = (".gnupg", ".ssh")
"""Folders hidden as a whole."""
RULES = (
    _EXAMPLES.pattern,
    _SECRET.pattern,
    _LOOKED_INTO.pattern,
    _TOKEN.pattern.decode(),
    _KEY.pattern.decode(),
    FOLDERS,
)
"""All of it, for the fingerprint of a profile."""


def may_be_secret(path: str, name: str) -> bool:
    """Whether a regular file of that name can be one to hide."""
    return bool(_SECRET.fullmatch(name) and not _EXAMPLES.fullmatch(name)) or _is_looked_into(path, name)


def is_secret(path: str, name: str) -> bool:
    """Whether the regular file at `path`, known as `name`, is one to hide. Reads it only where the name does not decide."""
    if _SECRET.fullmatch(name):
        return not _EXAMPLES.fullmatch(name)
    return _is_looked_into(path, name) and _holds_secret(path, name)


def _is_looked_into(path: str, name: str) -> bool:
    # what docker calls config.json is one only in its own folder
    return bool(_LOOKED_INTO.fullmatch(name)) or path.endswith("/.docker/config.json")


def _holds_secret(path: str, name: str) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # what cannot be looked into is hidden; inside, its mode could be changed
        return True
    try:
        content = os.read(handle, _LOOKED_AT)
        private = not stat.S_IMODE(os.fstat(handle).st_mode) & 0o077
    finally:
        os.close(handle)
    if name.lower().endswith((".pem", ".key")):
        return private and bool(_KEY.search(content))
    return bool(_TOKEN.search(content))
