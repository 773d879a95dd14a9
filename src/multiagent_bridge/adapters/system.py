"""The machine's clock and randomness."""

from __future__ import annotations

import itertools
import os
import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u, so that a code survives being read aloud."""


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> int:
        return time.monotonic_ns() // 1000


class RandomIds:
    """Ids from the operating system's generator. `owner` names this process in the claims it makes."""

    def __init__(self, owner: str | None = None) -> None:
        self.owner = owner or f"p{os.getpid()}x{secrets.token_hex(4)}"
        self._claims = itertools.count(1)
        self._start = secrets.token_hex(4)

    def conversation(self) -> str:
        return "conv_" + _characters(12)

    def invite(self) -> str:
        code = _characters(10)
        return f"{code[:5]}-{code[5:]}"

    def claim(self) -> str:
        return f"{self.owner}:{self._start}.{next(self._claims)}"


def _characters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
