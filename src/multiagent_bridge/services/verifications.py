"""Verifications that go on in the background: one at a time, followed by whoever looks, given up when nobody does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multiagent_bridge.errors import BridgeError, Conflict, Invalid, NotFound, Tampered
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Background, Clock, Tx
from multiagent_bridge.services.evidence import Evidence, Verified
from multiagent_bridge.services.gate import Gate, Ticket

PATIENCE_SECONDS = 60
"""A verification that nobody looks at for so long is given up."""

STEP = 100
"""Entries read and checked in one go: whatever else the hub does has its turn between two."""

NOTE_CHARACTERS = 4_000
"""Longest checkpoint note that is looked at."""


@dataclass(slots=True)
class Verification:
    """One verification. `state` is `running`, `verified`, `wrong`, `refused` (a note that is none), `failed` or `stopped`.

    `by` is who asked for it, as the journal would name them. `entries` of `total` and `messages` were looked at so far. What is
    wrong stands in `sentence` and `hint`, and `seq` is the first wrong entry where one is known, else 0. `kept`: it was compared
    with a checkpoint from elsewhere, too. Instants are microseconds since 1970.
    """

    by: str
    started_at: int
    total: int
    kept: bool
    state: str = "running"
    entries: int = 0
    messages: int = 0
    ended_at: int = 0
    verified: Verified | None = None
    sentence: str = ""
    hint: str = ""
    seq: int = 0


class GivenUp(Exception):
    """Nobody looks any more, or somebody asked for the end."""


class Verifications:
    def __init__(self, gate: Gate, evidence: Evidence, background: Background, clock: Clock) -> None:
        self._gate = gate
        self._evidence = evidence
        self._background = background
        self._clock = clock
        self._last: Verification | None = None
        self._seen = 0
        self._ending = False

    async def begin(self, caller: Caller, note: str = "") -> None:
        """Begin to verify everything, also against the checkpoint `note` from elsewhere if there is one.

        Raises NotAllowed, TooFast, Conflict while one is under way in this hub, Invalid for a note that is too long.
        """
        if len(note) > NOTE_CHARACTERS:
            raise Invalid(f"the checkpoint is longer than {NOTE_CHARACTERS:,} characters", "paste one note alone")

        async def counted(tx: Tx, now: int, ticket: Ticket) -> int:
            return (await tx.journal.head()).size

        total = await self._gate.own(caller, "journal.verify", counted)
        # from here on nothing is awaited: of two who ask at once the second is told
        if self._last is not None and self._last.state == "running":
            raise Conflict("a verification is under way", "look at it, or stop it first")
        mine = Verification(caller.label, self._clock.now(), total, bool(note))
        self._last, self._seen, self._ending = mine, self._clock.monotonic(), False
        self._background.start(lambda: self._work(mine, [note] if note else []))

    async def look(self, caller: Caller) -> Verification | None:
        """The one that is under way, else the last one; None when there was none. Raises NotAllowed."""
        await self._gate.look(caller, "journal.verify", _nothing)
        self._seen = self._clock.monotonic()
        return None if self._last is None else replace(self._last)

    async def end(self, caller: Caller) -> None:
        """Stop the one that is under way. Raises NotAllowed, TooFast, NotFound when there is none."""

        async def nothing(tx: Tx, now: int, ticket: Ticket) -> None:
            return None

        await self._gate.own(caller, "journal.verify", nothing)
        if self._last is None or self._last.state != "running":
            raise NotFound("no verification is under way", "look at the last one")
        self._ending = True

    @property
    def last(self) -> Verification | None:
        """The last one, for other services."""
        return self._last

    async def _work(self, mine: Verification, kept: Sequence[str]) -> None:
        def told(entries: int, messages: int) -> None:
            mine.entries, mine.messages, mine.total = entries, messages, max(mine.total, entries)
            if self._ending or self._clock.monotonic() - self._seen > PATIENCE_SECONDS * SECOND:
                raise GivenUp

        outcome = "failed"
        try:
            mine.verified = await self._evidence.verify(kept, told, STEP)
            outcome = "verified"
        except GivenUp:
            outcome = "stopped"
        except Tampered as wrong:
            outcome, seq = "wrong", wrong.facts.get("seq")
            mine.sentence, mine.hint, mine.seq = wrong.sentence, wrong.hint, seq if isinstance(seq, int) else 0
        except Invalid as refused:
            outcome = "refused"
            mine.sentence, mine.hint = refused.sentence, refused.hint
        except BridgeError as failed:
            mine.sentence, mine.hint = failed.sentence, failed.hint
        finally:
            # also when it broke down, or the hub leaves: the next one may begin
            mine.state, mine.ended_at = outcome, self._clock.now()


async def _nothing(tx: Tx, now: int) -> None:
    """Only whether it is allowed."""
