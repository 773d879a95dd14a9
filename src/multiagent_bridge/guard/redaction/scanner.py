"""What an optional second scanner must offer. Adapters outside this floor implement it; nothing here imports one."""

from __future__ import annotations

from typing import Protocol

from multiagent_bridge.guard.redaction.spans import Span


class Scanner(Protocol):
    """A scanner of another make whose findings are merged with ours.

    Laws: `find` never sends anything anywhere, never validates a secret with its issuer, ignores allow-marks in the text,
    and returns spans of `text` (characters). A scanner that is not ready yet returns no findings.
    Anything it raises withholds the text.
    """

    def find(self, text: str) -> list[Span]: ...
