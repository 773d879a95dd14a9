"""The proof that who answers at an address is the process that said so: what it signs, and whether it fits."""

from __future__ import annotations

import hmac
import re

SECRET_BYTES = 32
NONCE_BYTES = 32
NONCE = re.compile("[0-9a-f]{64}")
"""`NONCE_BYTES` random bytes of whoever asks."""

_LABEL = "multiagent-bridge/1/served here"
"""What the secret signs begins so; it is made for nothing else, by the process that it stands for."""


def proof(secret: bytes, url: str, host: str, port: int, nonce: str) -> str:
    """Hex HMAC-SHA256 over the question, what is served, and the address (as the kernel knows it) at which it was asked.

    Who passes the question on to the true process gets a proof of that one's address, not of its own.
    """
    said = "\n".join((_LABEL, url, host, str(port), nonce))
    return hmac.digest(secret, said.encode("utf-8", "surrogatepass"), "sha256").hex()


def proves(answer: str, secret: bytes, url: str, host: str, port: int, nonce: str) -> bool:
    """Whether `answer` is the proof."""
    expected = proof(secret, url, host, port, nonce)
    return hmac.compare_digest(answer.encode("utf-8", "surrogatepass"), expected.encode())
