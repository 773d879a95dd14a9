"""What a path means to a shell in yolo: the root, the system, a home, the workspace, a device, a place of keys."""

from __future__ import annotations

import re
from dataclasses import dataclass

from multiagent_bridge.guard.commands.verdict import Denied

_SYSTEM = frozenset(
    [
        "bin",
        "boot",
        "dev",
        "etc",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "proc",
        "run",
        "sbin",
        "sys",
        "usr",
        "var",
        "System",
        "Library",
        "Applications",
        "Windows",
        "nix",
        "snap",
    ]
)
_HOMES = frozenset({"home", "Users", "root"})
_SINKS = re.compile(r"/dev/(?:null|zero|full|random|urandom|stdin|stdout|stderr|tty|fd/[0-9]+|ptmx|shm(?:/.*)?)")
_KEYS = re.compile(
    r"(?:^|[/=@:~,])\.(?:ssh|aws|gnupg|azure|kube|password-store)(?:/|$)|/etc/(?:g?shadow|sudoers)|(?:^|[/~=@])\.(?:netrc|pgpass|git-credentials|pypirc|bash_history|zsh_history)\b"
    r"|\.docker/config\.json|\.config/(?:gh|gcloud)/|\.claude/\.?credentials|\.codex/auth|\.cargo/credentials|(?:^|/)id_(?:rsa|ed25519|ecdsa|dsa)$"
    r"|/proc/[^/]*/(?:environ|mem|fd|root|cwd)|/proc/kcore|docker\.sock|login\.keychain|(?:~|/home/[^/]+|/root)/\.npmrc"
)
_PERSISTENT = re.compile(
    r"\.(?:bash|zsh|profile|login|kshrc|inputrc|vimrc|pam_environment|xinitrc|xprofile|xsession|ssh|gnupg|netrc|npmrc|pypirc|gitconfig|cargo/config|pip|git-credentials|aws|kube|docker)"
    r"|\.config/(?:autostart|systemd|git|fish|pip|environment)|\.local/(?:bin|share/(?:applications|systemd|autostart))|bin(?:/|$)|Library/Launch|\.claude|\.codex|\.gemini|\.cursor|\.vscode|\.local/lib"
)
_GOVERNING = re.compile(
    r"(?:^|/)(?:\.git/(?:hooks|config|info/attributes|modules)|\.husky|\.claude|\.codex|\.gemini|\.cursor|\.mcp\.json|\.envrc)(?:/|$)"
)
_VARIABLE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]|\(\))")


@dataclass(frozen=True, slots=True)
class Place:
    """A path by its text: `root` is "/", "~" or "." (the workspace); `parts` are normalised."""

    root: str
    parts: tuple[str, ...]
    unknown: bool = False

    @property
    def system(self) -> bool:
        """The root, a folder of the system, or something in one; a pattern at the root counts."""
        if self.root != "/":
            return self.root == "~" and self.parts[:1] == ("..",)
        first = self.parts[0] if self.parts else ""
        if not first or first in _SYSTEM or any(c in first for c in "*?["):
            return self.parts[:2] not in (("var", "tmp"), ("run", "user"), ("dev", "shm"))
        return False

    @property
    def home(self) -> bool:
        """A whole home, or everything in it."""
        if self.root == "~":
            return not self.parts or _everything(self.parts)
        if self.root != "/" or not self.parts or self.parts[0] not in _HOMES:
            return False
        inner = self.parts[1:] if self.parts[0] == "root" else self.parts[2:]
        return not inner or _everything(inner)

    @property
    def whole(self) -> bool:
        """The whole workspace or more: `.`, `*`, `..`."""
        return self.root == "." and (not self.parts or self.parts[0] == ".." or _everything(self.parts))

    @property
    def top(self) -> bool:
        """A folder that stands directly at the root."""
        return self.root == "/" and len(self.parts) == 1 and self.parts[0] != "tmp"

    def text(self) -> str:
        return f"{'' if self.root == '.' else self.root.rstrip('/') + '/'}{'/'.join(self.parts)}"


def _everything(parts: tuple[str, ...]) -> bool:
    return len(parts) == 1 and (set(parts[0]) <= set("*.?") or parts[0] in (".[!.]*", ".[^.]*"))


def place_of(text: str, folder: Place, workspace: str) -> Place:
    """Where `text` leads from `folder`. A variable of unknown value at its beginning makes it unknown."""
    text = re.sub(r"^\$HOME\b", "~", text)
    text = re.sub(r"^\$PWD\b", ".", text)
    if _VARIABLE.match(text) or (text.startswith("$") and len(text) > 1):
        return Place(".", (), unknown=True)
    if text.startswith("/"):
        root, parts = "/", text.split("/")
    elif text.startswith("~"):
        root, parts = "~", text.split("/")[1:]
    else:
        root, parts = folder.root, [*folder.parts, *text.split("/")]
    kept: list[str] = []
    for part in parts:
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif part == ".." and root == "/":
            continue
        elif part not in ("", "."):
            kept.append(part)
    base = [part for part in workspace.split("/") if part]
    if root == "/" and base and kept[: len(base)] == base:
        return Place(".", tuple(kept[len(base) :]))
    return Place(root, tuple(kept), folder.unknown and root == folder.root and not text.startswith(("/", "~")))


def refuse_removal(text: str, folder: Place, workspace: str) -> None:
    """Raise Denied when removing `text` with all below it is a disaster, or nobody can tell what it is."""
    place = place_of(text, folder, workspace)
    if place.unknown:
        raise Denied("yolo.unknown-target", f"nobody can tell what {text} is; write the path out")
    if place.system or place.home or place.top:
        raise Denied("yolo.removal", f"{text} is the root, a system folder or a home")
    if place.whole:
        raise Denied("yolo.removal", f"{text} is the whole workspace or lies above it")
    if place.root == "." and place.parts[0] == ".git" and len(place.parts) == 1:
        raise Denied("yolo.removal", f"{text} is the history of the repository")
    if (place.root == "~" and len(place.parts) == 1 and not place.parts[0].startswith(".")) or (
        place.root == "/" and place.parts[0] in ("opt", "srv", "mnt", "media", "data")
    ):
        raise Denied("yolo.removal", f"{text} lies outside the workspace")
    if place.root == "~" and _PERSISTENT.match("/".join(place.parts)):
        raise Denied("yolo.removal", f"{text} belongs to the person's account")


def refuse_writing(text: str, folder: Place, workspace: str) -> None:
    """Raise Denied when writing to `text` changes the system, a device, the person's account or what governs the agents."""
    refuse_device(text)
    place = place_of(text, folder, workspace)
    if place.unknown or _SINKS.fullmatch(place.text()):
        return
    if place.system or (place.root == "/" and place.parts[:1] == ("opt",) and len(place.parts) < 3):
        raise Denied("yolo.system", f"{text} is part of the system")
    inner = "/".join(place.parts)
    if place.root == "/" and place.parts[0] in _HOMES:
        inner = "/".join(place.parts[1 if place.parts[0] == "root" else 2 :])
    if place.root in ("~", "/") and _PERSISTENT.match(inner):
        raise Denied("yolo.persistence", f"{text} is read again when the person works: it would persist")
    if _GOVERNING.search("/" + place.text()):
        raise Denied("yolo.persistence", f"{text} decides what runs by itself")


def refuse_device(text: str) -> None:
    """Raise Denied for /dev but its harmless sinks and sources, for writing the kernel's files, for sockets of bash."""
    for found in re.findall(r"/dev/[^\s,;:'\")]*", text):
        if found.startswith(("/dev/tcp/", "/dev/udp/")):
            raise Denied("yolo.reverse-shell", "a socket of the shell stands in the line")
        if not _SINKS.fullmatch(found.rstrip("/")) and found != "/dev/":
            raise Denied("yolo.device", f"{found} is a device")
    if re.search(r"/proc/(?:sysrq-trigger|sys/)|/sys/(?:kernel|power|fs|devices|block|module)", text):
        raise Denied("yolo.system", f"{text} is a switch of the kernel")


def refuse_keys(text: str) -> None:
    """Raise Denied when a word names a place of keys."""
    if _KEYS.search(text.replace("$HOME", "~")):
        raise Denied("yolo.credentials", f"{text} is a place of keys")
