"""What `mab status` tells, as lines: all of them, or those that a terminal has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from multiagent_bridge.cli import output
from multiagent_bridge.cli.status.seen import span

Line = tuple[str, tuple[str, ...]]
"""A text, and its styles as `output.COLOURS` names them."""


@dataclass(frozen=True, slots=True)
class Page:
    """A block a conversation; `more` conversations have none."""

    warnings: Sequence[Line]
    facts: Sequence[Line]
    blocks: Sequence[Sequence[Line]]
    more: int
    end: Sequence[Line]

    def lines(self) -> Sequence[Line]:
        """Everything."""
        return [*self.warnings, *self.facts, *(line for block in self.blocks for line in block), *self._rest(0)]

    def fitted(self, columns: int, rows: int) -> Sequence[Line]:
        """At most `rows` lines of at most `columns` columns: whole conversations, and how many are left out."""
        most = max(2, rows // 3)
        warnings = list(self.warnings)
        if len(warnings) > most:
            warnings[most - 1 :] = [(f"and {len(warnings) - most + 1:,} more warnings", ("yellow",))]
        room = rows - len(warnings) - len(self.facts) - len(self.end)
        shown: list[Line] = []
        count = 0
        for block in self.blocks:
            left = self.more + len(self.blocks) - count - 1
            if shown and len(shown) + len(block) + bool(left) > room:
                break
            shown += block
            count += 1
        # of a single conversation that is too long: as far as it goes
        shown = shown[: max(0, room - bool(self.more + len(self.blocks) - count))]
        count = count if shown else 0
        found = [*warnings, *self.facts, *shown, *self._rest(len(self.blocks) - count)]
        return [(_clipped(output.visible(text), columns), style) for text, style in found[: max(1, rows)]]

    def _rest(self, hidden: int) -> Sequence[Line]:
        left = self.more + hidden
        return [*([(f"and {left:,} more: mab list", ("dim",))] if left else ()), *self.end]


def page(seen: dict[str, Any], shared: bool) -> Page:
    """The lines of one look. `shared`: hubs of other machines may be on the same store, so the hub is this machine's."""
    hub = seen["hub"]
    told = {
        "answers": f"running, process {hub['pid']}, version {hub['version']}",
        "none": "not running; mab mcp starts it",
    }
    whose = "hub of this machine" if shared else "hub"
    connected = "" if hub["connections"] is None else f", {hub['connections']} connected"
    facts = [
        f"{whose}: {told.get(hub['state'], hub['state'])}{connected}",
        f"state directory: {seen['state_directory']}",
    ]
    if shared:
        facts.append("store: on a PostgreSQL server, where hubs of other machines may be at work too")
    end = [] if seen["conversations"] or seen["more"] or seen["store_away"] else ["no conversations"]
    if newest := seen["newest_entry"]:
        outcome = f" {newest['code']}" if newest["code"] else ""
        what = f"{newest['actor']} {newest['action']} {newest['target']}{outcome}"
        end.append(f"newest entry: {newest['seq']} {newest['at']} {what}")
    warnings: list[Line] = [(f"warning: {warning}", ("yellow",)) for warning in seen["warnings"]]
    if (away := seen["store_away"]) and away["hint"]:
        warnings.insert(1, (f"  {away['hint']}", ("yellow",)))
    return Page(
        warnings, _plain(facts), [_plain(_block(row)) for row in seen["conversations"]], seen["more"], _plain(end)
    )


def _plain(texts: Sequence[str]) -> Sequence[Line]:
    return [(text, ()) for text in texts]


def _block(row: dict[str, Any]) -> Sequence[str]:
    mark = "expired" if row["expired"] else "until"
    cells = [
        (
            f"  {s['session_id']}",
            output.visible(s["role"]),
            "revoked" if s["revoked"] else s["status"],
            _life(s),
            f"{s['unread']} unread",
        )
        for s in row["sessions"]
    ]
    first = f"{row['conversation_id']}: {row['messages']} messages, {mark} {row['expires_at']}"
    return [first, *_aligned(cells)]


def _aligned(cells: Sequence[Sequence[str]]) -> Sequence[str]:
    widths = [max(map(output.width, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell + " " * (wide - output.width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _life(session: dict[str, Any]) -> str:
    if session["alive"]:
        return "alive"
    return "never seen" if session["age_seconds"] is None else f"silent for {span(session['age_seconds'])}"


def _clipped(text: str, columns: int) -> str:
    """`text` cut to so many columns, the cut marked."""
    if output.width(text) <= columns:
        return text
    kept = text[: max(0, columns - 1)]
    while output.width(kept) >= columns > 0:
        kept = kept[:-1]
    return kept + "~" * (columns > 0)
