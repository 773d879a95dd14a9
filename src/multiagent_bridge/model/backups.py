"""Backups: what one holds, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

FORMAT = 1
"""Version of a backup file."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself, under its own encryption. Sizes in bytes, instants in microseconds, digests in hex."""

    format: int
    made_at: int
    program: str
    signer: str
    entries: int
    head: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that was written: how long it is, its SHA-256 in hex, and what it holds."""

    path: str
    size: int
    digest: str
    manifest: Manifest

    def fields(self) -> dict[str, object]:
        """As a person or a program is told."""
        return {
            "file": self.path,
            "bytes": self.size,
            "sha256": self.digest,
            "entries": self.manifest.entries,
            "head": self.manifest.head,
        }
