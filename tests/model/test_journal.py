"""The format of entries, the chain and the tree: every rule, and what an attacker does to lines."""

from __future__ import annotations

import hashlib
import json
import string
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from multiagent_bridge.errors import Invalid, Tampered
from multiagent_bridge.model.checkpoints import Checkpoint
from multiagent_bridge.model.journal import GENESIS, Draft, Entry, Head, Verifier, append, parse

LARGEST = 2**53 - 1
words = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
values = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | texts


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    refused = draw(st.booleans())
    return Draft(
        at=draw(st.integers(0, 253_402_300_799_999_999)),
        conversation=draw(texts),
        session=draw(texts),
        actor=draw(texts.filter(bool)),
        action=f"{draw(words)}.{draw(words)}",
        outcome="refused" if refused else "done",
        code=draw(words) if refused else "",
        target=draw(texts),
        latency_us=draw(st.integers(0, LARGEST)),
        facts=draw(st.dictionaries(words, values, max_size=4)),
        digest=draw(st.just("") | hexes),
    )


def draft(**more: Any) -> Draft:
    return Draft(**{"at": 1_767_323_045_678_901, "conversation": "conv_x", "session": "a", "actor": "session conv_x/a",
                    "action": "message.send", **more})  # fmt: skip


def chain(*acts: Draft) -> tuple[list[str], list[Head]]:
    lines, heads = [], [Head.EMPTY]
    for act in acts:
        entry, head = append(heads[-1], act)
        lines.append(entry.line)
        heads.append(head)
    return lines, heads


TEN, HEADS = chain(*(draft(facts={"n": n, "word": "abc"}, latency_us=n) for n in range(10)))


def checkpoint(size: int) -> Checkpoint:
    return Checkpoint("example.org/journal", size, HEADS[size].root())


def verified(lines: list[str], *sizes: int, head: Head | None = None) -> Head:
    verifier = Verifier(checkpoints=[checkpoint(size) for size in sizes])
    for line in lines:
        verifier.feed(line)
    return verifier.finish(head)


def wrong(lines: list[str], *sizes: int, head: Head | None = None) -> tuple[object, object]:
    with pytest.raises(Tampered) as caught:
        verified(lines, *sizes, head=head)
    assert f"entry {caught.value.facts['seq']} " in caught.value.sentence
    return caught.value.facts["seq"], caught.value.facts["why"]


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1 as it is written there."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


@given(drafts())
@example(draft(facts={"text": "".join(map(chr, range(256))) + "\u2028\U0001f6a6"}))
def test_a_line_is_what_the_json_library_makes_of_sorted_fields_in_ascii(act: Draft) -> None:
    entry, _ = append(Head.EMPTY, act)
    fields = json.loads(entry.line)
    assert json.dumps(fields, sort_keys=True, separators=(",", ":")) == entry.line
    assert fields["facts"] == act.facts
    assert all(fields[name] == getattr(act, name) for name in ("actor", "target", "code", "digest", "latency_us"))


@given(drafts(), drafts())
def test_parsing_a_line_gives_the_entry_that_was_appended(first: Draft, second: Draft) -> None:
    one, head = append(Head.EMPTY, first)
    two, _ = append(head, second)
    assert (parse(one.line), parse(two.line)) == (one, two)
    assert (one.prev, two.prev, two.seq) == (GENESIS, one.hash, 2)
    assert one.hash == hashlib.sha256(b"\0" + one.line.encode()).hexdigest()


@pytest.mark.parametrize("size", [*range(34), 63, 64, 65, 127, 128, 199])
def test_the_root_of_a_head_is_the_root_that_rfc_6962_defines(size: int) -> None:
    leaves = [hashlib.sha256(bytes([n])).digest() for n in range(size)]
    head = Head.empty()
    for leaf in leaves:
        head = head.grown(leaf)
    assert head.root() == root(leaves)
    assert Head.from_text(head.to_text()) == head
    assert len(head.frontier) == size.bit_count()


def test_an_empty_journal_has_the_root_of_nothing_and_verifies() -> None:
    assert Head.EMPTY.root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert verified([], 0, head=Head.EMPTY) == Head.EMPTY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "x " + GENESIS,
        "1 " + GENESIS,
        f"0 {GENESIS} {GENESIS}",
        f"0  {GENESIS}",
        f"00 {GENESIS}",
        f"0 {'1' * 64}",
        "-1 " + GENESIS,
        HEADS[7].to_text() + " ",
        HEADS[7].to_text().upper(),
        HEADS[7].to_text()[:-1],
        HEADS[7].to_text().replace("7", "8", 1),
        HEADS[7].to_text().replace(HEADS[7].last, HEADS[6].last, 1),
        "\u0661 " + GENESIS + " " + GENESIS,
        "1" * 5000 + " " + GENESIS,
    ],
)
def test_a_stored_head_that_cannot_have_been_written_is_tampered(text: str) -> None:
    with pytest.raises(Tampered):
        Head.from_text(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at", -1), ("at", 253_402_300_800_000_000), ("actor", ""), ("actor", "a\ud800"), ("target", None),
        ("action", "send"), ("action", "Message.send"), ("action", "message."), ("action", "message.send\n"),
        ("outcome", "failed"), ("outcome", "refused"), ("code", "too_fast"), ("latency_us", -1), ("latency_us", True),
        ("latency_us", 1.5), ("latency_us", LARGEST + 1), ("digest", "ab"), ("digest", "AB" * 32), ("session", b"a"),
        ("facts", {"n": 1.5}), ("facts", {"N": 1}), ("facts", {"": 1}), ("facts", {"n": [1]}), ("facts", {"n": {}}),
        ("facts", {"n": LARGEST + 1}),
        ("facts", {"n": -LARGEST - 1}), ("facts", {"n": "\udfff"}), ("facts", {1: 1}), ("facts", {"n": "x" * 70_000}),
    ],
)  # fmt: skip
def test_a_draft_that_breaks_the_format_is_never_written(field: str, value: object) -> None:
    with pytest.raises(Invalid):
        append(Head.EMPTY, draft(**{field: value}))


def test_what_can_be_written_can_be_read_up_to_the_longest_line() -> None:
    room = 65_536 - len(append(Head.EMPTY, draft(target=""))[0].line)
    entry, _ = append(Head.EMPTY, draft(target="x" * room))
    assert parse(entry.line) == entry
    with pytest.raises(Invalid):
        append(Head.EMPTY, draft(target="x" * (room + 1)))
    with pytest.raises(Invalid):
        parse(entry.line.replace('"target":"x', '"target":"xx'))


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", "null", "1", "[" * 60_000, '{"v":' * 9_000, "9" * 60_000, "NaN", "\x00"]
)
def test_a_line_that_is_no_entry_is_refused_whatever_it_holds(line: str) -> None:
    with pytest.raises(Invalid):
        parse(line)


@given(st.text(st.characters(max_codepoint=127), max_size=200) | st.text(max_size=50))
def test_any_text_is_an_entry_or_invalid(line: str) -> None:
    with pytest.raises(Invalid):
        parse(line)


def forged(place: int, data: st.DataObject, *put: str) -> tuple[list[str], bool]:
    """One byte of one line changed, removed or doubled; and whether it lies in the link."""
    line = TEN[place]
    at = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.sampled_from([*put, line[at] * 2]).filter(lambda letter: letter != line[at]))
    link = line.index('"prev":"') + 8
    return [*TEN[:place], line[:at] + other + line[at + 1 :], *TEN[place + 1 :]], link <= at < link + 64


@settings(max_examples=400)
@given(st.integers(0, 9), st.data())
def test_one_forged_byte_is_named_exactly_where_every_size_has_a_checkpoint(place: int, data: st.DataObject) -> None:
    lines, _ = forged(place, data, "", *string.printable)
    seq, why = wrong(lines, *range(11))
    assert seq == place + 1
    assert why in {"not canonical", "missing", "doubled", "out of order", "edited", "rewritten"}


@settings(max_examples=400)
@given(st.integers(0, 9), st.data())
def test_one_forged_byte_is_named_by_the_chain_up_to_the_side_of_the_broken_link(
    place: int, data: st.DataObject
) -> None:
    lines, in_link = forged(place, data, "", *string.printable)
    seq, why = wrong(lines, 10)
    if why == "rewritten":
        # Nothing follows the last entry: the checkpoint knows only that one of the ten differs.
        assert (place, seq) == (9, 1)
    elif why == "edited" and in_link and place > 0:
        assert seq == place
    else:
        assert seq == place + 1


@given(st.integers(0, 8))
def test_a_removed_entry_is_missing(place: int) -> None:
    assert wrong([*TEN[:place], *TEN[place + 1 :]]) == (place + 1, "missing")


@given(st.integers(0, 9), st.integers(0, 9))
def test_a_cut_end_is_found_by_any_later_checkpoint_or_head(size: int, before: int) -> None:
    assert wrong(TEN[:size], *range(before), 10) == (size + 1, "truncated")
    assert wrong(TEN[:size], head=HEADS[10]) == (size + 1, "truncated")


@given(st.integers(0, 9), st.integers(0, 9))
def test_swapped_entries_are_found_at_the_first_of_them(one: int, other: int) -> None:
    first, second = sorted((one, other))
    lines = list(TEN)
    lines[first], lines[second] = lines[second], lines[first]
    if first == second:
        assert verified(lines, 10) == HEADS[10]
    else:
        assert wrong(lines) == (first + 1, "missing")


@given(st.integers(0, 9), st.integers(0, 10))
def test_a_copied_entry_is_found_where_it_stands(copied: int, place: int) -> None:
    seq, why = wrong([*TEN[:place], TEN[copied], *TEN[place:]], 10)
    if copied == place:
        assert (seq, why) == (place + 2, "doubled")
    else:
        assert seq == place + 1
        assert why == ("missing" if copied > place else "doubled" if copied == place - 1 else "out of order")


@given(st.integers(0, 9), st.sets(st.integers(0, 10)))
def test_a_rewrite_that_links_is_found_between_two_checkpoints(place: int, sizes: set[int]) -> None:
    acts = [draft(facts={"n": n, "word": "xyz" if n == place else "abc"}, latency_us=n) for n in range(10)]
    lines, heads = chain(*acts)
    if all(size <= place for size in sizes):
        assert verified(lines, *sizes) == heads[10]
        assert wrong(lines, *sizes, head=HEADS[10])[1] == "rewritten"
        return
    seq, why = wrong(lines, *sizes)
    assert why == "rewritten"
    assert seq == max((size for size in sizes if size <= place), default=0) + 1


def test_a_renumbered_gap_breaks_the_link_before_it() -> None:
    renumbered = [line.replace(f'"seq":{n},', f'"seq":{n - 1},') for n, line in enumerate(TEN, 1)]
    assert wrong([*TEN[:4], *renumbered[5:]]) == (4, "edited")


def test_an_entry_put_in_without_the_head_breaks_the_chain() -> None:
    forged, _ = append(HEADS[3], draft(action="command.approve"))
    assert wrong([*TEN[:3], forged.line, *TEN[3:]]) == (5, "doubled")
    assert wrong([*TEN[:3], forged.line, *TEN[4:]]) == (4, "edited")


def test_two_checkpoints_of_one_size_that_differ_are_a_fork() -> None:
    fork = Checkpoint("example.org/journal", 8, HEADS[7].root())
    for pair in ([checkpoint(8), fork], [fork, checkpoint(8)]):
        with pytest.raises(Tampered) as caught:
            Verifier(checkpoints=pair)
        assert (caught.value.facts["seq"], caught.value.facts["why"]) == (8, "forked")


def test_the_same_checkpoint_twice_is_no_fork() -> None:
    assert verified(TEN, 8, 8, 10, 10) == HEADS[10]


def test_verifying_from_a_trusted_head_sees_only_what_follows() -> None:
    verifier = Verifier(HEADS[6], [checkpoint(6), checkpoint(10)])
    entries = [verifier.feed(line) for line in TEN[6:]]
    assert [entry.seq for entry in entries] == [7, 8, 9, 10]
    assert verifier.finish(HEADS[10]) == HEADS[10]
    with pytest.raises(Tampered) as caught:
        Verifier(HEADS[6], [Checkpoint("example.org/journal", 6, HEADS[7].root())])
    assert caught.value.facts["why"] == "forked"
    with pytest.raises(Invalid):
        Verifier(HEADS[6], [checkpoint(5)])
    with pytest.raises(Tampered) as caught:
        Verifier(Head(6, "1" * 64, HEADS[6].frontier)).feed(TEN[6])
    assert (caught.value.facts["seq"], caught.value.facts["why"]) == (7, "edited")


def test_entries_that_the_head_does_not_count_are_unknown() -> None:
    assert wrong(TEN, head=HEADS[9]) == (10, "unknown")


def test_a_head_whose_frontier_was_changed_is_found() -> None:
    assert wrong(TEN, head=Head(10, HEADS[10].last, (HEADS[10].frontier[0], bytes(32)))) == (1, "rewritten")


def test_lines_of_a_file_must_end_in_one_newline() -> None:
    verifier = Verifier()
    assert verifier.feed_raw(TEN[0].encode() + b"\n").seq == 1
    for raw in (
        TEN[1].encode(),
        TEN[1].encode() + b"\r\n",
        TEN[1].encode() + b"\n\n",
        b"\n",
        b"\xff\n",
        b"",
        TEN[1].encode() + b" ",
    ):
        with pytest.raises(Tampered) as caught:
            verifier.feed_raw(raw)
        assert (caught.value.facts["seq"], caught.value.facts["why"]) == (2, "not canonical")
    assert verifier.feed_raw(TEN[1].encode() + b"\n").seq == 2


def test_an_entry_carries_all_that_its_draft_said() -> None:
    act = draft(outcome="refused", code="too_fast", target="t", facts={"retry_after": 6}, digest="ab" * 32)
    entry, head = append(HEADS[10], act)
    assert isinstance(entry, Entry)
    assert all(getattr(entry, name) == getattr(act, name) for name in Draft.__dataclass_fields__)
    assert (entry.seq, entry.prev, head.last, head.size) == (11, HEADS[10].last, entry.hash, 11)


def test_changing_the_facts_given_does_not_change_the_entry() -> None:
    facts: dict[str, Any] = {"n": 1}
    entry, _ = append(Head.EMPTY, draft(facts=facts))
    facts["n"] = 2
    assert entry.facts == {"n": 1}
