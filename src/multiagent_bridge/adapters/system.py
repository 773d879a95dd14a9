"""The machine's clock and randomness."""

from __future__ import annotations

import itertools
import os
import secrets
import time
from pathlib import Path

from multiagent_bridge.guard import identities

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u, so that a code survives being read aloud."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> int:
        return time.monotonic_ns() // 1000

    def boot(self) -> str:
        try:
            return BOOT_ID.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def boottime(self) -> int:
        """Falls back to the monotonic clock where the system has no other."""
        return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1000


class RandomIds:
    """Ids from the operating system's generator. `owner` names this process in the claims it makes."""

    def __init__(self, owner: str | None = None) -> None:
        self._owner = owner or f"p{os.getpid()}x{secrets.token_hex(4)}"
        self._claims = itertools.count(1)
        self._start = secrets.token_hex(4)

    def conversation(self) -> str:
        return "conv_" + _characters(12)

    def invite(self) -> str:
        code = _characters(10)
        return f"{code[:5]}-{code[5:]}"

    def owner(self) -> str:
        return self._owner

    def named(self, prefix: str) -> str:
        return f"{prefix}_{_characters(12)}"

    def api_key(self) -> str:
        return identities.written(self.secret())

    def secret(self) -> str:
        return "".join(secrets.choice(identities.ALPHABET) for _ in range(identities.BODY))

    def claim(self) -> str:
        return f"{self._owner}:{self._start}.{next(self._claims)}"


def _characters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
