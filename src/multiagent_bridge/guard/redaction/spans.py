"""What a recogniser reports, and how overlapping reports become one replacement each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# A placeholder as this redactor writes it, with the optional fingerprint; never itself a finding.
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]{0,40}_REDACTED(?:\[[0-9a-f]{8}\])?")
PLACEHOLDER_MARK = "_REDACTED"


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (half open) of a text are a secret of `kind`, found by `rule`.

    `weight` decides the kind when findings overlap: a recognised format (3) knows better than a header (2),
    a named field (1) or a neighbouring word (0). `mark` is the fingerprint behind the placeholder, if any.
    """

    start: int
    end: int
    kind: str
    rule: str
    weight: int = 3
    mark: str = ""

    @property
    def placeholder(self) -> str:
        """What is written in its place."""
        return f"{self.kind}_REDACTED{self.mark}"


def merged(spans: Iterable[Span]) -> list[Span]:
    """Non-overlapping spans in order. Overlapping ones become their union under the kind that knows most."""
    out: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if out and span.start < out[-1].end:
            last = out[-1]
            best = span if span.weight > last.weight else last
            out[-1] = Span(last.start, max(last.end, span.end), best.kind, best.rule, best.weight)
        else:
            out.append(span)
    return out
