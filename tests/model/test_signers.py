"""Who could sign which checkpoint: the rules that no store and no hub is needed for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from multiagent_bridge.adapters.keys import Derived, MasterKeys, key_id
from multiagent_bridge.errors import Invalid, Tampered
from multiagent_bridge.model.checkpoints import Checkpoint, sign
from multiagent_bridge.model.journal import Draft, Entry, Head, append
from multiagent_bridge.model.master_keys import ACCEPTED, CURRENT, HAND_OVER, MasterKey
from multiagent_bridge.model.signers import Signers

OLD, NEW, FOREIGN = (bytes([n]) * 32 for n in (1, 2, 9))
KEYS = MasterKeys(NEW, OLD)
check = KEYS.check


def row(master: bytes, state: str = CURRENT, since: int = 0) -> MasterKey:
    return MasterKey(key_id(master), Derived(master).verifier_key, state, since, b"")


def note(master: bytes, size: int) -> str:
    key = Derived(master)
    return sign(Checkpoint(key.signer, size, b"r" * 32), key.signer, key.public_key, key.signing.sign)


def handed_over(head: Head = Head.EMPTY, facts: dict[str, object] | None = None, outcome: str = "done") -> Entry:
    made, signed, accepted = KEYS.hand_over(key_id(NEW), head.size + 1, head.last)
    told = {"follows": made.verifier_key, "signed": signed, "accepted": accepted} | (facts or {})
    code = "" if outcome == "done" else "conflict"
    return append(head, Draft(1, "", "", "owner", HAND_OVER, outcome, code, facts=told))[0]  # type: ignore[arg-type]


def signers(rows: Sequence[MasterKey], size: int = 9, anchor: bytes = NEW) -> Signers:
    return Signers(rows, size, check, Derived(anchor).verifier_key)


BOTH = (row(OLD, ACCEPTED), row(NEW, CURRENT, 1))


@pytest.mark.parametrize("rows", [(row(FOREIGN),), (row(OLD, ACCEPTED), row(FOREIGN, CURRENT, 1)), (*BOTH, row(OLD))])
def test_a_store_that_names_another_signer_last_than_the_trusted_one_is_refused(rows: Sequence[MasterKey]) -> None:
    with pytest.raises(Tampered, match="another signer"):
        signers(rows)


def test_a_hand_over_that_no_entry_tells_of_is_missed() -> None:
    found = signers(BOTH)
    with pytest.raises(Tampered, match="does not say"):
        found.finish()
    found.read(handed_over())
    found.finish()


@pytest.mark.parametrize(("master", "size"), [(OLD, 1), (OLD, 4), (NEW, 4), (NEW, 99)])
def test_each_key_signs_within_its_reign(master: bytes, size: int) -> None:
    rows = (row(OLD, ACCEPTED), row(NEW, CURRENT, 4))
    assert signers(rows).checked(note(master, size)).size == size


@pytest.mark.parametrize(("master", "size"), [(OLD, 5), (OLD, 99), (NEW, 1), (NEW, 3)])
def test_no_key_signs_outside_its_reign(master: bytes, size: int) -> None:
    rows = (row(OLD, ACCEPTED), row(NEW, CURRENT, 4))
    with pytest.raises(Tampered, match="not in force"):
        signers(rows).checked(note(master, size))


def test_a_checkpoint_of_a_stranger_or_no_checkpoint_at_all_is_refused() -> None:
    with pytest.raises(Tampered):
        signers(BOTH).checked(note(FOREIGN, 3))
    with pytest.raises(Invalid):
        signers(BOTH).checked("nothing")


@pytest.mark.parametrize("fact", ["signed", "accepted", "follows"])
@pytest.mark.parametrize("value", ["", "no base64!", "AAAA", 7, None])
def test_a_hand_over_with_a_broken_fact_is_named(fact: str, value: object) -> None:
    with pytest.raises(Tampered, match="entry 1 does not hand over"):
        signers(BOTH).read(handed_over(facts={fact: value}))


def test_a_refused_rotation_hands_over_nothing() -> None:
    found = signers((row(NEW),))
    found.read(handed_over(outcome="refused"))
    found.finish()


def test_a_hand_over_after_the_look_counts_by_its_signatures_and_one_before_it_does_not() -> None:
    alone = (row(OLD),)
    late = Signers(alone, 0, check, Derived(OLD).verifier_key)
    late.read(handed_over())
    late.finish()
    with pytest.raises(Tampered, match="does not hand over"):
        Signers(alone, 0, check, Derived(OLD).verifier_key).read(handed_over(facts={"signed": "AAAA"}))
    with pytest.raises(Tampered, match="does not know"):
        Signers(alone, 1, check, Derived(OLD).verifier_key).read(handed_over())
