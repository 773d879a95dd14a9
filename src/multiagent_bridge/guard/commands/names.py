"""Yolo: the plain name of a program: without its folder, version and variant, and in small letters where a rule has them."""

from __future__ import annotations

import re

_VERSION = re.compile(r"[-.]?[0-9][0-9.]*[a-z]?$")
_VARIANT = re.compile(
    r"[.-](?:basic|tiny|nox|gtk3|openbsd|traditional|real|distrib|original|orig|static|exe|dbg|debug)$"
)
_LOADER = re.compile(r"ld(?:-linux|-musl)?[\w.-]*\.so(?:\.[0-9]+)*$")


class Names:
    """The names that the rules know."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known

    def knows(self, text: str) -> bool:
        return self.plain(text) in self._known

    def plain(self, text: str) -> str:
        """The name that the rules have for a program: `/usr/bin/python3.12` is `python`, `SUDO` (macOS finds it) is `sudo`."""
        name = text.rsplit("/", 1)[-1]
        if name in self._known:
            return name
        if _LOADER.fullmatch(name):
            return "ld.so"
        lower = name.lower()
        for shorter in (lower, _VARIANT.sub("", lower), _VERSION.sub("", lower)):
            if shorter in self._known:
                return shorter
        return name
