"""Generations of a conversation's data key: the newest seals, those before it open what they sealed until they are destroyed.

Each rotation of the master key puts a new one on top. What lies wrapped in the row of a conversation (docs/guide/keys.md):

generation 1, alone:    64 bytes, the key alone, bound to the conversation
the one that seals:     68 bytes, its number and the key, bound to the conversation and to sealing
then the ones before:   68 bytes each, bound to the conversation and to opening: none of them can ever seal again

A sealed field begins with four bytes that name its generation: the number, or, of the first, the id of a master key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from multiagent_bridge.errors import Tampered

NAME_BYTES = 4

LINK = 68
"""Bytes of a data key that is wrapped with its number; one of the first generation that stands alone has fewer."""

Link = Callable[[bytes, str], bytes]
"""Wraps or unwraps one of them: its bytes, and the place that they are bound to."""

Held = Sequence[tuple[int, bytes]]
"""Number and key of each generation, the newest first."""


class Ciphers:
    """The data keys of one conversation. `newest` seals, under `name`; what begins with another name, an older one opens."""

    __slots__ = ("_numbered", "_unnumbered", "bound", "name", "names", "newest")

    def __init__(self, wrapped: bytes, held: Held) -> None:
        self.names = [wrapped[:NAME_BYTES] if number == 1 else named(number) for number, _ in held]
        self.name = self.names[0]
        self.bound = _bound(held[0][0])
        self.newest = AESGCM(held[0][1])
        self._numbered = {named(number): (AESGCM(key), _bound(number)) for number, key in held if number > 1}
        self._unnumbered = next(((AESGCM(key), "") for number, key in held if number == 1), None)

    def of(self, sealed: bytes) -> tuple[AESGCM, str] | None:
        """What opens the field, and what it is bound to beside its place; None when that data key is not there."""
        return self._numbered.get(sealed[:NAME_BYTES], self._unnumbered)


def first(conversation_id: str) -> str:
    """The place of a data key of the first generation that stands alone."""
    return f"conversations/key/{conversation_id}"


def held(wrapped: bytes, conversation_id: str, unwrap: Link) -> Held:
    """The data keys in the row of a conversation. Raises Tampered, and what `unwrap` raises."""
    if len(wrapped) < LINK:
        return [(1, unwrap(wrapped, first(conversation_id)))]
    links = [wrapped[at : at + LINK] for at in range(0, len(wrapped), LINK)]
    if any(link[:NAME_BYTES] != wrapped[:NAME_BYTES] for link in links):
        raise Tampered("the data keys of a conversation are of several master keys: they were put together")
    found = [unwrap(link, _place(conversation_id, seals=not at)) for at, link in enumerate(links)]
    return [(int.from_bytes(one[:NAME_BYTES], "big"), one[NAME_BYTES:]) for one in found]


def renewed(before: Held, fresh: bytes, conversation_id: str, masters: Collection[str], wrap: Link) -> bytes:
    """The row of a conversation with the data key `fresh` on top of those `before`.

    `masters`: ids of all master keys there ever were. No generation is named like one, as fields of the first are.
    """
    number = before[0][0] + 1
    while named(number).hex() in masters:
        number += 1
    links = [(number, fresh), *before]
    return b"".join(wrap(named(one) + key, _place(conversation_id, seals=one == number)) for one, key in links)


def named(number: int) -> bytes:
    """What a field begins with that the data key of that generation sealed."""
    return number.to_bytes(NAME_BYTES, "big")


def _place(conversation_id: str, *, seals: bool) -> str:
    return f"{first(conversation_id)}/{'sealing' if seals else 'opening'}"


def _bound(number: int) -> str:
    """What a text is bound to beside its place: nothing in the first generation, which had no number."""
    return f"/{number}" if number > 1 else ""
