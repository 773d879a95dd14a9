"""A journal whose master key was rotated, read by the two independent verifiers with any of its keys."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from multiagent_bridge.adapters.keys import Derived
from multiagent_bridge.model.checkpoints import Checkpoint, sign
from multiagent_bridge.model.journal import Draft, Entry, Head, append, parse
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.master_keys import HAND_OVER, signature, statement
from multiagent_bridge.testing.hubs import OWNER
from tests.services.rotations import FOREIGN, NEW, NEWER, OLD, Site, opened, send

pytestmark = pytest.mark.anyio
REPOSITORY = Path(__file__).parents[2]
JOURNAL, SIGNERS = (REPOSITORY / "tools" / f"verify_{name}.py" for name in ("journal", "signers"))
KEYS = (OLD, NEW, NEWER)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def said(program: Path, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-I", program, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == (1 if done.stderr else 0)
    return (done.stdout or done.stderr).strip()


def handed(head: Head, to: str, before: bytes, accepts: bytes, seq: int | None = None) -> Entry:
    """The entry after `head` by which the thief of `before` hands over to the verifier key `to`, whose key `accepts`."""
    old, new = Derived(before), Derived(accepts)
    text = statement(old.verifier_key, to, head.size + 1 if seq is None else seq, head.last)
    facts = {"follows": to, "signed": signature(old.signing.sign(text)), "accepted": signature(new.signing.sign(text))}
    return append(head, Draft(1, "", "", "operator uid:1000", HAND_OVER, facts=facts))[0]


def named(name: str, algorithm: bytes = b"\1") -> str:
    """A verifier key whose parts agree, whatever its name is."""
    key = algorithm + Derived(FOREIGN).public_key
    hint = hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8]
    return f"{name}+{hint}+{base64.b64encode(key).decode()}"


def grown(lines: list[str]) -> Head:
    head = Head.EMPTY
    for line in lines:
        head = head.grown(bytes.fromhex(parse(line).hash))
    return head


def noted(key: bytes, head: Head, origin: str = "") -> str:
    by = Derived(key)
    return sign(Checkpoint(origin or by.signer, head.size, head.root()), by.signer, by.public_key, by.signing.sign)


@dataclass
class Rotated:
    """The lines of a journal that two rotations went through, and every checkpoint that was ever signed."""

    folder: Path
    lines: list[str]
    notes: list[str]

    def files(self, key: bytes, notes: list[str], lines: list[str] | None = None) -> list[Path]:
        """The arguments of the journal, the trusted key and the checkpoints."""
        journal, vkey = self.folder / "journal.jsonl", self.folder / "bridge.vkey"
        journal.write_text("".join(f"{line}\n" for line in (self.lines if lines is None else lines)))
        vkey.write_text(Derived(key).verifier_key + "\n")
        files = [self.folder / f"{n}.txt" for n in range(len(notes))]
        for file, note in zip(files, notes, strict=True):
            file.write_text(note)
        return [journal, vkey, *files]

    def signers(self, key: bytes, notes: list[str], lines: list[str] | None = None) -> str:
        journal, vkey, *files = self.files(key, notes, lines)
        return said(SIGNERS, journal, vkey, "--checkpoints", *files)

    def alone(self, key: bytes, notes: list[str]) -> str:
        """What the verifier that knows one key says, which hears nothing of signers."""
        return said(JOURNAL, *self.files(key, notes))

    def verdict(self, key: bytes, notes: list[str], lines: list[str] | None = None) -> str:
        """What the two say, one after the other as section 10 has it: the first that is not `ok:`, or the last."""
        text = self.signers(key, notes, lines)
        if not text[:1].isdigit():
            return text
        reign = self.folder / "reign.vkey"
        for line in text.splitlines():
            _, _, vkey, *files = line.split(" ")
            reign.write_text(vkey)
            text = said(JOURNAL, self.folder / "journal.jsonl", reign, *files)
            if not text.startswith("ok:"):
                break
        return text

    def by(self, key: bytes) -> list[str]:
        return [note for note in self.notes if note.startswith(Derived(key).signer + "\n")]


@pytest.fixture
async def rotated(tmp_path: Path, anyio_backend: str) -> Rotated:
    site = Site(limits=Limits(checkpoint_entries=3))
    running = await site.hub()
    await opened(running)
    for to in (NEW, NEWER):
        await send(running, "hello")
        hub = await site.rotated(to)
        await site.retired(hub)
    await send(running, "hello")
    notes = [note for _, note in await site.store.read(lambda tx: tx.journal.checkpoints())]
    notes.append(await running.hub.journal.checkpoint())
    assert (await running.hub.audit.verify(OWNER)).entries
    return Rotated(tmp_path, [line async for line in running.hub.journal.lines()], notes)


async def test_whoever_has_the_first_key_checks_every_checkpoint_that_came_after(rotated: Rotated) -> None:
    assert all(rotated.by(key) for key in KEYS)
    assert rotated.verdict(OLD, rotated.notes).startswith("ok:")


async def test_each_key_in_force_has_a_line_with_its_sizes_and_checkpoints(rotated: Rotated) -> None:
    turns = [entry.seq for entry in map(parse, rotated.lines) if entry.action == HAND_OVER]
    names = {note: str(rotated.folder / f"{n}.txt") for n, note in enumerate(rotated.notes)}
    lines = [
        " ".join([since, until, Derived(key).verifier_key, *(names[note] for note in rotated.by(key))])
        for since, until, key in zip(["0", *map(str, turns)], [*map(str, turns), "-"], KEYS, strict=True)
    ]
    assert rotated.signers(OLD, rotated.notes).splitlines() == lines
    for place, key in enumerate(KEYS):
        keys = [line.split(" ")[:3] for line in lines[place:]]
        assert [line.split(" ") for line in rotated.signers(key, []).splitlines()] == keys


async def test_the_commands_of_the_specification_check_a_journal_that_was_handed_over(rotated: Rotated) -> None:
    text = (REPOSITORY / "docs" / "security" / "audit-format.md").read_text()
    commands = text[text.index("    python tools/verify_signers.py") :].split("\n\n")[0]
    commands = commands.replace(
        "python tools/", f"{shlex.quote(sys.executable)} -I {shlex.quote(str(REPOSITORY))}/tools/"
    )
    for notes, verdicts in ((rotated.notes, ["ok"] * 3), ([noted(FOREIGN, Head.EMPTY)], [])):
        rotated.files(OLD, notes)
        for n, _ in enumerate(notes):
            (rotated.folder / f"{n}.txt").replace(rotated.folder / f"kept-{n}.txt")
        done = subprocess.run(
            ["/bin/sh", "-c", commands], cwd=rotated.folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert [line.split(":")[0] for line in done.stdout.splitlines()] == verdicts
        assert (done.returncode == 0) == bool(verdicts) == (not done.stderr)
        for kept in rotated.folder.glob("kept-*"):
            kept.unlink()


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_each_key_checks_its_own_checkpoints_and_those_after(rotated: Rotated, place: int) -> None:
    later = [note for key in KEYS[place:] for note in rotated.by(key)]
    assert rotated.verdict(KEYS[place], later).startswith("ok:")
    assert rotated.alone(KEYS[place], rotated.by(KEYS[place])).startswith("ok:")
    if place:
        assert rotated.verdict(KEYS[place], rotated.by(KEYS[place - 1])).startswith("checkpoint: not valid")
        assert rotated.alone(KEYS[place], rotated.by(KEYS[place - 1])).startswith("checkpoint: not valid")


async def test_a_key_that_never_signed_here_verifies_nothing(rotated: Rotated) -> None:
    turns = [entry.seq for entry in map(parse, rotated.lines) if entry.action == HAND_OVER]
    assert rotated.verdict(FOREIGN, []).startswith(f"entry {turns[0]}: signer")


@pytest.mark.parametrize("fact", ["signed", "accepted", "follows"])
@pytest.mark.parametrize("wrong", ["another", "text", "gone", "a number"])
async def test_a_hand_over_whose_signature_or_key_was_changed_is_named(rotated: Rotated, fact: str, wrong: str) -> None:
    place = next(n for n, line in enumerate(rotated.lines) if f'"action":"{HAND_OVER}"' in line)
    entry = json.loads(rotated.lines[place])
    another = Derived(FOREIGN).verifier_key if fact == "follows" else signature(b"\0" * 64)
    entry["facts"][fact] = {"another": another, "text": "no base64", "a number": 1}.get(wrong)
    if wrong == "gone":
        del entry["facts"][fact]
    lines = [*rotated.lines]
    lines[place] = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    assert rotated.verdict(OLD, [], lines).startswith(f"entry {place + 1}: signer")


async def test_a_hand_over_that_was_refused_hands_over_nothing(rotated: Rotated) -> None:
    head = grown(rotated.lines)
    draft = Draft(1, "", "", "operator uid:1000", HAND_OVER, outcome="refused", code="conflict")
    lines = [*rotated.lines, append(head, draft)[0].line]
    assert rotated.signers(OLD, [], lines) == rotated.signers(OLD, [])
    assert rotated.verdict(OLD, rotated.notes, lines).startswith("ok:")


async def test_a_retired_key_signs_nothing_beyond_its_end(rotated: Rotated) -> None:
    note = noted(OLD, grown(rotated.lines))
    assert rotated.verdict(OLD, [note]).startswith("checkpoint: not in force")


async def test_a_key_signs_nothing_from_before_its_time(rotated: Rotated) -> None:
    assert rotated.verdict(OLD, [noted(NEW, grown(rotated.lines[:1]))]).startswith("checkpoint: not in force")


@pytest.mark.parametrize("key", [OLD, NEW])
async def test_both_keys_may_sign_the_entry_between_them(rotated: Rotated, key: bytes) -> None:
    place = next(n for n, line in enumerate(rotated.lines, 1) if f'"action":"{HAND_OVER}"' in line)
    assert rotated.verdict(OLD, [noted(key, grown(rotated.lines[:place]))]).startswith("ok:")
    assert rotated.verdict(OLD, [noted(key, grown(rotated.lines[1 : place + 1]))]).startswith("entry 1: rewritten")


async def test_a_checkpoint_belongs_to_the_key_that_signed_it_and_not_to_the_one_it_names(rotated: Rotated) -> None:
    head = grown(rotated.lines)
    claimed = noted(OLD, head, Derived(NEWER).signer)
    assert rotated.verdict(OLD, [claimed]).startswith("checkpoint: not valid")
    renamed = noted(OLD, head).replace(Derived(OLD).signer, Derived(NEWER).signer)
    assert rotated.verdict(OLD, [renamed]).startswith("checkpoint: not valid")
    true = noted(NEWER, head)
    for wrong in (true.replace(f"\n{head.size}\n", f"\n{head.size - 1}\n"), true.rstrip(), true.split("\n\n")[0], ""):
        assert rotated.signers(OLD, [wrong]).startswith("checkpoint: not valid")


async def test_a_line_of_another_key_with_the_same_name_is_ignored(rotated: Rotated) -> None:
    name, note = Derived(NEWER).signer, noted(NEWER, grown(rotated.lines))
    cosigned = f"{note}\u2014 {name} {base64.b64encode(bytes(68)).decode()}\n"
    assert rotated.verdict(OLD, [cosigned]).startswith("ok:")
    assert rotated.signers(OLD, [cosigned.replace(note.splitlines()[-1] + "\n", "")]).startswith(
        "checkpoint: not valid"
    )


async def test_a_trusted_key_of_another_algorithm_or_with_another_hash_is_refused(rotated: Rotated) -> None:
    journal, vkey = rotated.files(OLD, [])
    good = vkey.read_text().strip()
    name, hint, _ = good.split("+", 2)
    for wrong in (named(name, b"\2"), good.replace(f"+{hint}+", "+00000000+"), good[:-1], f"{name}+{hint}", ""):
        vkey.write_text(wrong)
        assert said(SIGNERS, journal, vkey).startswith("verifier key: not valid")


async def test_an_option_that_is_none_is_answered_with_how_it_is_used(rotated: Rotated) -> None:
    assert "JOURNAL" in said(SIGNERS, *rotated.files(OLD, rotated.notes))


async def test_a_hand_over_has_one_text_alone(rotated: Rotated) -> None:
    """Its number is a number, and its signatures have no second encoding."""
    entry = handed(grown(rotated.lines), Derived(FOREIGN).verifier_key, NEWER, FOREIGN)
    assert entry.line.count('=="') == 2
    place = entry.line.index('=="') - 1
    loose = ALPHABET[ALPHABET.index(entry.line[place]) + 1]
    for line in (
        entry.line.replace(f'"seq":{entry.seq},', f'"seq":"{entry.seq}",'),
        entry.line[:place] + loose + entry.line[place + 1 :],
    ):
        assert line != entry.line
        assert rotated.signers(OLD, [], [*rotated.lines, line]).startswith(f"entry {entry.seq}: signer")
    assert len(rotated.signers(OLD, [], [*rotated.lines, entry.line]).splitlines()) == 4


async def test_a_hand_over_back_to_the_trusted_key_does_not_begin_the_chain_anew(rotated: Rotated) -> None:
    """Whoever has the retired first key appends an entry that makes it follow the current one, whose key they lack."""
    head = grown(rotated.lines)
    entry = handed(head, Derived(OLD).verifier_key, OLD, OLD)
    lines = [*rotated.lines, entry.line]
    note = noted(OLD, grown(lines))
    for key in KEYS:
        assert rotated.verdict(key, [note], lines).startswith(f"entry {entry.seq}: signer")


async def test_a_key_that_was_followed_never_comes_back_even_if_both_keys_signed(rotated: Rotated) -> None:
    entry = handed(grown(rotated.lines), Derived(NEW).verifier_key, NEWER, NEW)
    for key in KEYS:
        assert rotated.verdict(key, [], [*rotated.lines, entry.line]).startswith(f"entry {entry.seq}: signer")


@pytest.mark.parametrize("name", ["a b", "a\n0 - b", "\x1b[2Ka", "", "a+b"])
async def test_a_key_that_is_no_printable_word_follows_nobody(rotated: Rotated, name: str) -> None:
    """The thief of the current key would write lines of their own into what is printed."""
    entry = handed(grown(rotated.lines), named(name), NEWER, FOREIGN)
    assert rotated.verdict(OLD, [], [*rotated.lines, entry.line]).startswith(f"entry {entry.seq}: signer")
    fine = handed(grown(rotated.lines), named("a"), NEWER, FOREIGN)
    assert rotated.verdict(OLD, [], [*rotated.lines, fine.line]).startswith("ok:")


async def test_a_hand_over_cut_out_of_another_place_is_named(rotated: Rotated) -> None:
    head = grown(rotated.lines)
    entry = handed(head, Derived(FOREIGN).verifier_key, NEWER, FOREIGN, seq=head.size)
    assert rotated.verdict(OLD, [], [*rotated.lines, entry.line]).startswith(f"entry {entry.seq}: signer")


async def test_an_entry_taken_out_of_a_journal_that_was_handed_over_is_named(rotated: Rotated) -> None:
    lines = [*rotated.lines[:1], *rotated.lines[2:]]
    assert rotated.verdict(OLD, rotated.notes, lines).startswith("entry 2: missing")


async def test_a_journal_that_a_retired_key_went_on_with_is_not_the_one_that_a_later_key_knows(
    rotated: Rotated,
) -> None:
    """The thief of the first key cuts the journal before the first rotation and hands over to a key of their own."""
    place = next(n for n, line in enumerate(rotated.lines) if f'"action":"{HAND_OVER}"' in line)
    lines = rotated.lines[:place]
    forked = [*lines, handed(grown(lines), Derived(FOREIGN).verifier_key, OLD, FOREIGN).line]
    # with the first key alone it cannot be told apart; a checkpoint of the true second key tells
    assert rotated.verdict(OLD, [], forked).startswith("ok:")
    assert not rotated.verdict(OLD, rotated.by(NEW), forked).startswith("ok:")
    assert not rotated.verdict(NEW, [], forked).startswith("ok:")
