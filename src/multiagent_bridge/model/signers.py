"""Who could sign which checkpoint of a journal whose master key was rotated (docs/security/audit-format.md, section 6)."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.errors import Tampered
from multiagent_bridge.model.checkpoints import Checkpoint, verify
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.master_keys import HAND_OVER, Check, MasterKey, check_hand_over


class Signers:
    """The chain of signers: each but the first was announced by an entry that both it and the one before signed.

    `keys` is what the store says of them, in order, and nothing is believed of it until `finish`: show every entry to `read`.
    What the store says ended at `size`; a later entry may hand over further by its signatures alone. `anchor` is the verifier
    key that is trusted. Raises Tampered unless it is the last one's.
    """

    def __init__(self, keys: Sequence[MasterKey], size: int, check: Check, anchor: str) -> None:
        if keys[-1].verifier_key != anchor:
            raise Tampered(
                "the store names another signer than its master key makes", "look who can write to the database"
            )
        self._keys = keys
        self._size = size
        self._check = check
        self._met = 0
        self._last = keys[0].verifier_key

    def checked(self, note: str) -> Checkpoint:
        """The checkpoint of a note. Raises Invalid for text that is none, Tampered for one that no signer could sign."""
        origin = Checkpoint.parse(note).origin
        place = next((n for n, key in enumerate(self._keys) if key.signer == origin), len(self._keys) - 1)
        key = self._keys[place]
        checkpoint = verify(note, key.verifier_key, self._check)
        if checkpoint.origin != key.signer:
            raise Tampered(f"the checkpoint at size {checkpoint.size} is of another journal", "look where it came from")
        followed = self._keys[place + 1].since if place + 1 < len(self._keys) else checkpoint.size
        if not key.since <= checkpoint.size <= followed:
            raise Tampered(
                f"the checkpoint at size {checkpoint.size} is signed by a key that was not in force there",
                "a retired master key is in use: look who has it",
            )
        return checkpoint

    def read(self, entry: Entry) -> None:
        """Raises Tampered for an entry that hands over though the store knows nothing of it, or not as it says."""
        if entry.action != HAND_OVER or entry.outcome != "done":
            return
        self._met += 1
        if self._met < len(self._keys) and self._keys[self._met].since == entry.seq:
            follows = self._keys[self._met].verifier_key
        elif entry.seq > self._size:
            follows = str(entry.facts.get("follows"))
        else:
            raise Tampered(
                f"entry {entry.seq} hands over to a signer that the store does not know",
                "look who can write to the database, and compare with a copy kept elsewhere",
            )
        check_hand_over(entry, self._last, follows, self._check)
        self._last = follows

    def finish(self) -> None:
        """Raises Tampered when an entry that hands over is missing."""
        if self._met + 1 < len(self._keys):
            missing = self._keys[self._met + 1]
            raise Tampered(
                f"entry {missing.since} does not say that the signer {missing.signer} follows",
                "look who can write to the database, and compare with a copy kept elsewhere",
            )
