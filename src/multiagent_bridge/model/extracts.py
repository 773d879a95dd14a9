"""Extracts of the journal: what is wanted of it, and one page of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multiagent_bridge.model.journal import Entry


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an entry must say to be shown; whatever is empty or None asks for nothing.

    `actor` and `target` are parts of those texts, in any case of letters. `action` is a whole one, or the noun before its
    dot. `outcome` is `done`, `refused`, or the code of a refusal. `since` and `until` are instants in microseconds, both
    included.
    """

    conversation: str = ""
    actor: str = ""
    action: str = ""
    outcome: str = ""
    target: str = ""
    since: int | None = None
    until: int | None = None

    @property
    def searches(self) -> bool:
        """Whether entries must be read to be left out: no index knows these words."""
        return bool(self.actor or self.action or self.outcome or self.target)

    def fits(self, entry: Entry) -> bool:
        """Whether the words fit; `conversation` and the instants are for whoever looks it up."""
        return (
            self.actor.casefold() in entry.actor.casefold()
            and self.target.casefold() in entry.target.casefold()
            and (not self.action or self.action in (entry.action, entry.action.partition(".")[0]))
            and (not self.outcome or self.outcome in (entry.outcome, entry.code))
        )


@dataclass(frozen=True, slots=True)
class Extract:
    """Entries, newest first. `looked` were read for them, down to number `through` (0 where none was).

    `before` is where to go on, 0 when there is nothing older. `full`: the page ended because it has enough entries, and not
    because enough were read.
    """

    entries: Sequence[Entry]
    looked: int
    through: int
    before: int
    full: bool
