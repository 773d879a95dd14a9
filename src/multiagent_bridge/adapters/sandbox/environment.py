"""The environment inside: an allow-list, nothing of the user's own (notes/guard section 13)."""

from __future__ import annotations

from multiagent_bridge.model.sandboxes import Confinement

HOME = "/home/sandbox"

_ALWAYS = {
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "CI": "1",
    "TMPDIR": "/tmp",  # noqa: S108 - a tmpfs of its own
    "USER": "sandbox",
    "LOGNAME": "sandbox",
    "PAGER": "cat",
    "EDITOR": "true",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "npm_config_update_notifier": "false",
}
_OFFLINE = {
    "npm_config_fetch_retries": "0",
    "npm_config_offline": "true",
    "PIP_RETRIES": "0",
    "PIP_DEFAULT_TIMEOUT": "3",
    "CARGO_NET_OFFLINE": "true",
    "CARGO_NET_RETRY": "0",
    "UV_OFFLINE": "1",
    "GOPROXY": "off",
    "GOTOOLCHAIN": "local",
}
"""Without them package tools try again and again until the command's time is over."""

_GIT = {
    # the workspace may belong to another user than the one commands run as
    "safe.directory": "*",
    # what they would start in the background dies with the sandbox, in the middle of its work
    "gc.auto": "0",
    "maintenance.auto": "false",
    "core.fsmonitor": "false",
}


def inside(confinement: Confinement, path: str, home: str = HOME) -> dict[str, str]:
    """Everything but what a step adds: `path` is PATH, `home` a folder that dies with the sandbox."""
    name, mail = confinement.identity
    made = _ALWAYS | {"PATH": path, "HOME": home}
    made |= {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", name), ("EMAIL", mail))
    }
    made["GIT_CONFIG_COUNT"] = str(len(_GIT))
    for number, (key, value) in enumerate(_GIT.items()):
        made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    if not confinement.network:
        made |= _OFFLINE
    if not confinement.writable:
        made |= {"GIT_OPTIONAL_LOCKS": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    return made
