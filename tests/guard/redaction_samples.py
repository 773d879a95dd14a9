"""Invented keys, put together at run time so that no complete one stands in the repository."""

from __future__ import annotations

import random
import string

BASE62 = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def key(length: int, alphabet: str = BASE62, seed: int = 11) -> str:
    """`length` characters of `alphabet` that hold a digit, a capital and a small letter where the alphabet has them."""
    rng = random.Random(f"{length} {alphabet} {seed}")
    while True:
        made = "".join(rng.choice(alphabet) for _ in range(length))
        wanted = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
        if length < 8 or all(set(made) & set(some) for some in wanted if set(alphabet) & set(some)):
            return made


PEM_BODY = "\n".join(key(64, BASE62 + "+/", seed) for seed in range(6))
