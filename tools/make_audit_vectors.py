"""Write the test vectors of the audit journal's format, the same bytes every time: make_audit_vectors.py [DIRECTORY].

Every key, instant and text is fixed here. The bad vectors are made by doing to a good journal what their name says.
"""

from __future__ import annotations

import hmac
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from multiagent_bridge.model.checkpoints import Checkpoint, sign, verifier_key
from multiagent_bridge.model.journal import Draft, Head, Value, append, parse

DIRECTORY = Path(__file__).parent.parent / "docs" / "security" / "audit-vectors"
ORIGIN = "bridge.example/journal"
SIGNING_SEED = bytes(range(32))
OTHER_SEED = bytes(range(32, 64))
AUDIT_KEY = bytes(range(64, 96))
BODY = "the parser is done, tests are green"
START = 1_767_323_045_678_901  # 2026-01-02T03:04:05.678901Z
A, B = "session conv_7f3a/a", "session conv_7f3a/b"


@dataclass(frozen=True, slots=True)
class Case:
    """One journal with the checkpoints it is held against, and the verdict: `ok`, or which entry is wrong and why."""

    name: str
    says: str
    lines: bytes
    checkpoints: tuple[str, ...] = ()
    wrong: str = "nothing"
    entry: int | None = None
    why: str = ""


def drafts() -> list[Draft]:
    """Thirteen acts: every field filled and empty once, every kind of fact, every escape."""
    digest = hmac.digest(AUDIT_KEY, BODY.encode(), "sha256").hex()
    mixed: dict[str, Value] = {"zeta": None, "alpha": True, "mid": False, "low": -(2**53) + 1, "high": 2**53 - 1}
    controls: dict[str, Value] = {"controls": "".join(map(chr, range(32))) + "\x7f", "quoted": '"\\/'}
    rows: list[tuple[str, str, dict[str, object]]] = [
        ("hub", "hub.start", {"facts": {"version": "0.1.0"}}),
        (
            "agent claude",
            "conversation.create",
            {"target": "conv_7f3a", "facts": {"sessions": 2, "ttl_seconds": 10800}},
        ),
        (A, "message.send", {"target": "message 1", "facts": {"message_id": 1, "bytes": len(BODY)}, "digest": digest}),
        (B, "message.deliver", {"facts": {"count": 1}, "latency_us": 0}),
        (B, "message.send", {"outcome": "refused", "code": "too_fast", "facts": {"retry_after": 6}}),
        (A, "status.update", {"facts": {"status": "waiting", "note": "caf\u00e9 \u2014 \u6771\u4eac \U0001f6a6"}}),
        ("operator uid:1000", "command.approve", {"target": "command 1", "facts": {"mode": "safe"}, "digest": digest}),
        ("hub", "command.run", {"target": "command 1", "facts": mixed, "latency_us": 2**53 - 1}),
        ("agent gemini \u00fc", "conversation.join", {"outcome": "refused", "code": "not_allowed"}),
        ("hub", "text.escape", {"facts": controls}),
        ("operator uid:1000", "token.rotate", {"target": "b", "facts": {"generation": 2}}),
        ("hub", "hub.stop", {}),
        ("hub", "hub.start", {"facts": {"version": "0.1.1"}}),
    ]
    return [
        Draft(
            at=START + place * 1_500_000_001,
            conversation="conv_7f3a" if actor.startswith("session") else "",
            session=actor[-1] if actor.startswith("session") else "",
            actor=actor,
            action=action,
            **{"latency_us": 400 + place, **more},  # type: ignore[arg-type]
        )
        for place, (actor, action, more) in enumerate(rows)
    ]


def chain(acts: Sequence[Draft]) -> tuple[list[str], list[Head]]:
    """The lines of these acts, and the head before the first and after each."""
    head, lines, heads = Head.EMPTY, [], [Head.EMPTY]
    for act in acts:
        entry, head = append(head, act)
        lines.append(entry.line)
        heads.append(head)
    return lines, heads


class Notes:
    """Signs with the keys of fixed seeds."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier_key = verifier_key(ORIGIN, self._public)

    def of(self, head: Head) -> str:
        """The signed checkpoint of a head."""
        return sign(Checkpoint(ORIGIN, head.size, head.root()), ORIGIN, self._public, self._key.sign)

    def raw(self, text: str) -> str:
        """A signed note over any three lines, canonical or not."""
        head = Checkpoint(ORIGIN, 1, bytes(32))
        note = sign(head, ORIGIN, self._public, lambda _: self._key.sign(text.encode()))
        return text + note[len(head.body().decode()) :]


def joined(lines: Sequence[str]) -> bytes:
    """A file of these lines."""
    return "".join(line + "\n" for line in lines).encode()


def edited(lines: Sequence[str], seq: int, old: str, new: str) -> bytes:
    """The file with `old` replaced in one line; it must be there exactly once."""
    if lines[seq - 1].count(old) != 1:
        raise ValueError(f"{old!r} stands {lines[seq - 1].count(old)} times in entry {seq}")
    return joined([*lines[: seq - 1], lines[seq - 1].replace(old, new), *lines[seq:]])


def relinked(lines: Sequence[str], first: int, change: Callable[[str], str]) -> tuple[bytes, list[Head]]:
    """One entry changed and every later link, number and hash made to fit: what an attacker with the file can do."""
    fields = [parse(line) for line in lines]
    changed = parse(change(lines[first - 1]))
    fields[first - 1] = changed
    names = list(Draft.__dataclass_fields__)
    again, heads = chain([Draft(**{name: getattr(entry, name) for name in names}) for entry in fields])
    return joined(again), heads


def good_cases(lines: list[str], every: tuple[str, ...]) -> list[Case]:
    ok = ("checkpoint-04.txt", "checkpoint-08.txt", "checkpoint-13.txt")
    return [
        Case("good-empty", "No entries, and the checkpoint of size 0.", b"", ("checkpoint-00.txt",)),
        Case("good-one", "One entry.", joined(lines[:1]), ("checkpoint-01.txt",)),
        Case("good-thirteen", "All fields, facts and escapes; a checkpoint of every size.", joined(lines), every),
        Case("good-cosigned", "A checkpoint that another key signed too.", joined(lines), ("checkpoint-cosigned.txt",)),
        Case("limit-truncated", "Cut after entry 8, no later checkpoint: NOT detected.", joined(lines[:8]), ok[:2]),
        Case(
            "limit-last-entry",
            "Entry 13 edited, nothing vouches for it yet: NOT detected.",
            edited(lines, 13, "0.1.1", "0.1.9"),
            ok[:2],
        ),
    ]


def chain_cases(lines: list[str]) -> list[Case]:
    """What the chain and the checkpoints find."""
    to4, to8, to13 = "checkpoint-04.txt", "checkpoint-08.txt", "checkpoint-13.txt"
    rewritten, _ = relinked(lines, 6, lambda line: line.replace("waiting", "working"))
    last = edited(lines, 13, "0.1.1", "0.1.9")
    copied = joined([*lines[:5], _renumbered(lines[4], 1)])
    renumbered = [*lines[:4], *(_renumbered(line, -1) for line in lines[5:])]

    def bad(name: str, says: str, content: bytes, entry: int, why: str, notes: tuple[str, ...] = ()) -> Case:
        return Case(f"bad-{name}", says, content, notes, "entry", entry, why)

    return [
        bad("edited", "A word of entry 6 changed.", edited(lines, 6, "waiting", "working"), 6, "edited"),
        bad("edited-last", "A word of entry 13 changed.", last, 9, "rewritten", (to8, to13)),
        bad("edited-instant", "Entry 2 dated otherwise.", edited(lines, 2, "2026-01", "2025-01"), 2, "edited"),
        bad("rewritten", "Entry 6 changed and all after it linked anew.", rewritten, 5, "rewritten", (to4, to8, to13)),
        bad("missing", "Entry 5 removed.", joined([*lines[:4], *lines[5:]]), 5, "missing"),
        bad("missing-first", "Entry 1 removed.", joined(lines[1:]), 1, "missing"),
        bad("missing-renumbered", "Entry 5 removed, later ones renumbered.", joined(renumbered), 4, "edited"),
        bad("swapped", "Entries 5 and 6 swapped.", joined([*lines[:4], lines[5], lines[4], *lines[6:]]), 5, "missing"),
        bad("out-of-order", "Entry 2 stands where 7 belongs.", joined([*lines[:6], lines[1]]), 7, "out of order"),
        bad("doubled", "Entry 5 stands twice.", joined([*lines[:5], *lines[4:]]), 6, "doubled"),
        bad("doubled-renumbered", "Entry 5 twice, the copy renumbered.", copied, 5, "edited"),
        bad("truncated", "Cut after entry 11.", joined(lines[:11]), 12, "truncated", (to8, to13)),
        bad("first-link", "Entry 1 links to something.", edited(lines, 1, "0" * 64, "1" * 64), 1, "edited"),
    ]


def form_cases(lines: list[str]) -> list[Case]:
    """Lines that are not the one canonical form, each at entry 6, or at the end."""
    changes = {
        "space": ("A space after a colon.", '"v":1', '"v": 1'),
        "key-order": ("v before target.", '"target":"","v":1', '"v":1,"target":""'),
        "raw-utf8": ("A letter not escaped.", "\\u00e9", "\u00e9"),
        "needless-escape": ("A letter escaped that need not be.", "waiting", "w\\u0061iting"),
        "upper-case-escape": ("Hex digits of an escape in upper case.", "\\u00e9", "\\u00E9"),
        "lone-surrogate": ("Half a surrogate pair.", "\\ud83d\\udea6", "\\ud83d"),
        "double-key": ("A field twice.", '"v":1', '"v":1,"v":1'),
        "unknown-field": ("A field too many.", '"v":1', '"v":1,"w":1'),
        "missing-field": ("A field too few.", '"target":"",', ""),
        "version": ("Another version.", '"v":1', '"v":2'),
        "float": ("A fraction.", '"latency_us":405', '"latency_us":405.0'),
        "boolean-number": ("true for 1.", '"v":1', '"v":true'),
        "leading-zero": ("A number with a leading zero.", '"latency_us":405', '"latency_us":0405'),
        "negative": ("A negative duration.", '"latency_us":405', '"latency_us":-405'),
        "large-number": ("A number of 2 to the 53.", '"latency_us":405', f'"latency_us":{2**53}'),
        "nested": ("A fact that is an object.", '"waiting"', '{"a":1}'),
        "fact-name": ("A fact name in upper case.", '"note"', '"Note"'),
        "outcome": ("An outcome that does not exist.", '"done"', '"perhaps"'),
        "code-of-done": ("An act done, with a code.", '"code":""', '"code":"invalid"'),
        "action": ("An action without a verb.", "status.update", "status"),
        "no-actor": ("Nobody did it.", f'"actor":"{A}"', '"actor":""'),
        "date": ("The thirtieth of February.", "2026-01-02", "2026-02-30"),
        "zone": ("An instant with another zone.", 'Z","code"', '+00:00","code"'),
        "digest": ("A digest of 63 digits.", '"digest":""', f'"digest":"{"a" * 63}"'),
        "carriage-return": ("A carriage return before the newline.", '"v":1}', '"v":1}\r'),
        "byte-order-mark": ("A byte order mark.", '{"action"', '\ufeff{"action"'),
        "blank-line": ("An empty line before it.", '{"action"', '\n{"action"'),
    }
    cases = [
        Case(f"bad-form-{name}", says, edited(lines, 6, old, new), (), "entry", 6, "not canonical")
        for name, (says, old, new) in changes.items()
    ]
    whole, long = joined(lines), edited(lines, 6, "waiting", "w" * 65_536)

    def bad(name: str, says: str, content: bytes, entry: int) -> Case:
        return Case(f"bad-form-{name}", says, content, (), "entry", entry, "not canonical")

    return [
        *cases,
        bad("no-newline", "The last newline is gone.", whole[:-1], 13),
        bad("cut-off", "The last line is half there.", whole[:-200], 13),
        bad("long", "A line of more than 65,536 bytes.", long, 6),
    ]


def note_cases(lines: list[str], names: Sequence[str]) -> list[Case]:
    """A good journal and a checkpoint that is not."""
    says = {
        "other-key": "Signed by another key only.",
        "signature": "One bit of the signature flipped.",
        "root": "The root changed after signing.",
        "size": "The size changed after signing.",
        "leading-zero": "A size with a leading zero, signed.",
        "hyphen": "A hyphen for the em dash.",
        "no-signature": "No signature line.",
        "truncated-root": "A root of 31 bytes, signed.",
        "base64": "A root with stray bits in its last digit, signed.",
    }

    def bad(name: str, says: str, *notes: str, entry: int | None = None, why: str = "not valid") -> Case:
        return Case(f"bad-checkpoint-{name}", says, joined(lines), notes, "checkpoint", entry, why)

    both = ("checkpoint-08.txt", "checkpoint-08-fork.txt")
    return [
        *(bad(name, says[name], f"bad-checkpoint-{name}.txt") for name in names),
        bad("forked", "Two checkpoints of size 8, both signed, that differ.", *both, entry=8, why="forked"),
    ]


def bad_notes(notes: Notes, other: Notes, head: Head) -> dict[str, str]:
    good = notes.of(head)
    origin, size, root = good.split("\n")[:3]
    before, _, code = good.rstrip("\n").rpartition(" ")
    flipped = code[:40] + ("A" if code[40] != "A" else "B") + code[41:]
    # 32 bytes leave two bits of the 43rd digit unused; RFC 4648 section 3.5 wants them zero.
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stray = root[:42] + digits[digits.index(root[42]) + 1] + "="
    return {
        "other-key": other.of(head),
        "signature": f"{before} {flipped}\n",
        "root": good.replace(root, "A" * 43 + "="),
        "size": good.replace(f"\n{size}\n", "\n7\n"),
        "leading-zero": notes.raw(f"{origin}\n0{size}\n{root}\n"),
        "hyphen": good.replace("\u2014", "-"),
        "no-signature": f"{origin}\n{size}\n{root}\n\n",
        "truncated-root": notes.raw(f"{origin}\n{size}\n{'A' * 42}==\n"),
        "base64": notes.raw(f"{origin}\n{size}\n{stray}\n"),
    }


def _renumbered(line: str, by: int) -> str:
    seq = parse(line).seq
    return line.replace(f'"seq":{seq},', f'"seq":{seq + by},')


def build() -> dict[str, bytes]:
    """Every file of the directory, by name."""
    lines, heads = chain(drafts())
    notes, other = Notes(SIGNING_SEED), Notes(OTHER_SEED)
    _, fork = relinked(lines, 6, lambda line: line.replace("waiting", "working"))
    bad = bad_notes(notes, other, heads[8])
    texts = {f"checkpoint-{head.size:02}.txt": notes.of(head) for head in heads}
    every = tuple(texts)
    texts |= {f"bad-checkpoint-{name}.txt": note for name, note in bad.items()}
    texts["checkpoint-08-fork.txt"] = notes.of(fork[8])
    texts["checkpoint-cosigned.txt"] = notes.of(heads[8]) + other.of(heads[8]).rpartition("\n\n")[2]
    texts["bridge.vkey"] = notes.verifier_key + "\n"
    cases = [*good_cases(lines, every), *chain_cases(lines), *form_cases(lines), *note_cases(lines, list(bad))]
    texts["index.json"] = json.dumps([_listed(case) for case in cases], indent=1) + "\n"
    texts["README.md"] = readme(cases)
    files = {name: text.encode() for name, text in texts.items()}
    return files | {f"{case.name}.jsonl": case.lines for case in cases}


def _listed(case: Case) -> dict[str, object]:
    return {
        "journal": f"{case.name}.jsonl",
        "checkpoints": list(case.checkpoints),
        "wrong": case.wrong,
        "entry": case.entry,
        "why": case.why,
        "says": case.says,
    }


def verdict(case: Case) -> str:
    """As the independent verifier prints it."""
    if case.wrong == "nothing":
        return "ok"
    return f"checkpoint: {case.why}" if case.wrong == "checkpoint" else f"entry {case.entry}: {case.why}"


def readme(cases: Sequence[Case]) -> str:
    rows = [f"| `{case.name}.jsonl` | {case.says} | {_against(case)} | {verdict(case)} |" for case in cases]
    return "\n".join(
        [
            "# Vectors of the audit journal's format",
            "",
            "Made by `tools/make_audit_vectors.py` from fixed seeds; the format is `../audit-format.md`. `index.json`",
            "lists the same cases for programs. Verifier key: `bridge.vkey`; signing seed (RFC 8032) `000102...1f`;",
            f"audit key of the digests `404142...5f`; the digest of entry 3 is that of the body `{BODY}`.",
            "",
            "Try one: `python ../../../tools/verify_journal.py good-thirteen.jsonl bridge.vkey checkpoint-13.txt`.",
            "",
            "| journal | what it is | held against | verdict |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _against(case: Case) -> str:
    if len(case.checkpoints) > 3:
        return "`checkpoint-00.txt` to `checkpoint-13.txt`"
    return ", ".join(f"`{name}`" for name in case.checkpoints) or "nothing"


def main(directory: Path) -> None:
    """Write every file; what is no longer made is left for a person to remove."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in build().items():
        (directory / name).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY)
