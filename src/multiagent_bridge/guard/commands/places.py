"""What a path means to a shell in yolo: the root, the system, a home, the workspace, a device, a place of keys."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass

from multiagent_bridge.guard.commands.entries import Entry
from multiagent_bridge.guard.commands.verdict import Denied

_LEADS = re.compile(r"/\.{0,2}/|^[~/]")
_SOCKET = re.compile(r"/dev/+(?:tcp|udp)/")
_DEVICE = re.compile(r"(?:^|[\s=:@,'\"(<>|;&`{}\[\]+]|^-[A-Za-z])(/+(?:\.{1,2}/+)*dev(?:/+\.)*/[^\s,;:'\")]*)")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]|\(\))")


@dataclass(frozen=True, slots=True)
class Place:
    """A path by its text: `root` is "/", "~" or "." (the workspace); `parts` are normalised."""

    root: str
    parts: tuple[str, ...]
    unknown: bool = False

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


HERE = Place(".", ())
"""The workspace: where every line begins."""


class Places:
    """The places that the rules name. Raises KeyError when a rule file lacks one of them."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._system = frozenset(entries["system"].words("names"))
        self._homes = frozenset(entries["homes"].words("names"))
        self._samples = tuple(tuple(sample.split("/")) for sample in entries["keys"].words("samples"))
        self._sinks, self._kernel, self._keys, self._account, self._governing, self._guard = (
            _required(entries[name]) for name in ("sinks", "kernel", "keys", "account", "governing", "guard")
        )

    def system(self, place: Place) -> bool:
        """The root, a folder of the system, or something in one; a pattern at the root counts."""
        if place.root != "/":
            return place.root == "~" and place.parts[:1] == ("..",)
        first = place.parts[0] if place.parts else ""
        if not first or first in self._system or any(c in first for c in "*?[{$"):
            return place.parts[:2] not in (("var", "tmp"), ("run", "user"), ("dev", "shm"))
        return False

    def home(self, place: Place) -> bool:
        """A whole home, or everything in it."""
        if place.root == "~":
            return not place.parts or _everything(place.parts)
        if place.root != "/" or not place.parts or place.parts[0] not in self._homes:
            return False
        inner = place.parts[1:] if place.parts[0] == "root" else place.parts[2:]
        return not inner or _everything(inner)

    def refuse_removal(self, text: str, folder: Place, workspace: str, *, unknown: bool = True) -> None:
        """Raise Denied when removing `text` with all below it is a disaster, or (`unknown`) nobody can tell what it is."""
        place = place_of(text, folder, workspace)
        if place.unknown and not unknown:
            return
        if place.unknown:
            raise Denied("yolo.unknown-target", f"nobody can tell what {text} is; write the path out")
        if self.system(place) or self.home(place) or place.top:
            raise Denied("yolo.removal", f"{text} is the root, a system folder or a home")
        if place.whole:
            raise Denied("yolo.removal", f"{text} is the whole workspace or lies above it")
        if place.root == "." and place.parts[0] == ".git" and len(place.parts) == 1:
            raise Denied("yolo.removal", f"{text} is the history of the repository")
        if (place.root == "~" and len(place.parts) == 1 and not place.parts[0].startswith(".")) or (
            place.root == "/" and place.parts[0] in ("opt", "srv", "mnt", "media", "data")
        ):
            raise Denied("yolo.removal", f"{text} lies outside the workspace")
        if place.root == "~" and self._account.match("/".join(place.parts)):
            raise Denied("yolo.removal", f"{text} belongs to the person's account")

    def refuse_writing(self, text: str, folder: Place, workspace: str) -> None:
        """Raise Denied when writing to `text` changes the system, a device, the person's account or what governs the agents."""
        self.refuse_device(text, folder, workspace)
        place = place_of(text, folder, workspace)
        if place.unknown or self._sinks.fullmatch(place.text()):
            return
        if self.system(place) or (place.root == "/" and place.parts[:1] == ("opt",) and len(place.parts) < 3):
            raise Denied("yolo.system", f"{text} is part of the system")
        inner = "/".join(place.parts)
        if place.root == "/" and place.parts[0] in self._homes:
            inner = "/".join(place.parts[1 if place.parts[0] == "root" else 2 :])
        if place.root in ("~", "/") and self._account.match(inner):
            raise Denied("yolo.persistence", f"{text} is read again when the person works: it would persist")
        if self._governing.search("/" + place.text()):
            raise Denied("yolo.persistence", f"{text} decides what runs by itself")

    def refuse_emptying(self, text: str, folder: Place, workspace: str) -> None:
        """Raise Denied when removing the files that a pattern names empties a home or a folder of the system."""
        place = place_of(text, folder, workspace)
        if place.parts and _everything(place.parts[-1:]) and (self.home(place) or self.system(place)):
            raise Denied("yolo.removal", f"{text} is everything in a home or a system folder")

    def is_below(self, text: str, folder: Place, workspace: str) -> bool:
        """Whether a path stands in the workspace and everybody can tell."""
        place = place_of(text, folder, workspace)
        return place.root == "." and not place.unknown and place.parts[:1] != ("..",)

    def refuse_device(self, text: str, folder: Place, workspace: str) -> None:
        """Raise Denied for /dev but its harmless sinks and sources, for the kernel's files, for sockets of bash."""
        if "dev" in text or folder.root == "/":
            if _SOCKET.search(text):
                raise Denied("yolo.reverse-shell", "a socket of the shell stands in the line")
            found = {match[1] for match in _DEVICE.finditer(text)}
            for part in (text, text.partition("=")[2]):
                if part and (folder.root == "/" or "dev/" in part):
                    found.add(place_of(part, folder, workspace).text())
            for path in found:
                plain = re.sub(r"/(?:\./|/)*", "/", path)
                if plain.startswith("/dev/") and plain != "/dev/" and not self._sinks.fullmatch(plain.rstrip("/")):
                    raise Denied("yolo.device", f"{path} is a device")
        if self._kernel.search(text):
            raise Denied("yolo.system", f"{text} is a switch of the kernel")

    def refuse_keys(self, text: str, folder: Place, workspace: str) -> None:
        """Raise Denied when a word names a place of keys, or is a pattern that finds one."""
        for one in self._readings(text, folder, workspace):
            if self._keys.search(one):
                raise Denied("yolo.credentials", f"{text} is a place of keys")
            if any(c in one for c in "*?[") and one[:1] in "/~" and self._finds_keys(one):
                raise Denied("yolo.credentials", f"{text} finds places of keys")

    def _finds_keys(self, pattern: str) -> bool:
        parts = pattern.split("/")
        return any(len(sample) == len(parts) and all(map(_matches, sample, parts)) for sample in self._samples)

    def refuse_guard(self, text: str, folder: Place, workspace: str) -> None:
        """Raise Denied when a word names the guard's own files."""
        if any(self._guard.search(one) for one in self._readings(text, folder, workspace)):
            raise Denied("guard.self", f"{text} belongs to the guard")

    def _readings(self, text: str, folder: Place, workspace: str) -> tuple[str, ...]:
        """A word as it stands, and as the path that it leads to from a folder."""
        plain = text.replace("$HOME", "~")
        if folder is HERE and not _LEADS.search(plain):
            return (plain,)
        return plain, place_of(plain, folder, workspace).text()


def _matches(name: str, pattern: str) -> bool:
    """Whether a shell's pattern finds a name: a leading dot only when it is written."""
    return fnmatch.fnmatchcase(name, pattern) and (not name.startswith(".") or pattern.startswith("."))


def _required(entry: Entry) -> re.Pattern[str]:
    found = entry.pattern("pattern")
    if found is None:
        raise entry.wrong("needs a pattern")
    return found
