"""Authenticators: what makes and proves passkeys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Authenticators(Protocol):
    """Judges what a person's authenticator answers (W3C Web Authentication, level 2). Options and answers are JSON texts."""

    def creation(self, rp: str, challenge: str, name: str, known: Sequence[bytes]) -> str:
        """What navigator.credentials.create is asked for: a discoverable key, by a verified user, none of `known`."""
        ...

    def request(self, rp: str, challenge: str, known: Sequence[bytes]) -> str:
        """What navigator.credentials.get is asked for: a verified user, with one of `known`."""
        ...

    def created(self, answer: str, challenge: str, rp: str, origin: str) -> tuple[bytes, bytes, int]:
        """Credential id, public key and count of a new key. Raises NotApproved."""
        ...

    def credential(self, answer: str) -> bytes:
        """The credential that answers, not yet believed. Raises NotApproved."""
        ...

    def asserted(self, answer: str, challenge: str, rp: str, origin: str, public_key: bytes, count: int) -> int:
        """The new count of the key that signed exactly this challenge, at that origin, with its user verified.

        Raises NotApproved, also for a count that did not rise.
        """
        ...
