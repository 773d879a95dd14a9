"""Ids and secrets that are made up here."""

from __future__ import annotations

from typing import Protocol


class Ids(Protocol):
    def conversation(self) -> str:
        """A new conversation id: `conv_` and 12 characters; not a secret, never repeated."""
        ...

    def invite(self) -> str:
        """A new invite code of 50 random bits, in an alphabet that survives being read aloud."""
        ...

    def claim(self) -> str:
        """A new claim id that begins with this process's owner name and a colon."""
        ...

    def named(self, prefix: str) -> str:
        """A new id: `prefix`, an underscore and 12 characters; not a secret, never repeated."""
        ...

    def owner(self) -> str:
        """The name under which this process claims and runs."""
        ...

    def api_key(self) -> str:
        """A new key of this hub: 256 random bits in the form of `guard.identities`, with its checksum."""
        ...

    def secret(self) -> str:
        """A new secret of 256 random bits as `model.browsers.SECRET_CHARACTERS` letters and digits."""
        ...
