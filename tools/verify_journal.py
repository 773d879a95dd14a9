"""Independent verifier of an audit journal: verify_journal.py JOURNAL [VERIFIER_KEY_FILE CHECKPOINT_FILE...]"""

# ruff: noqa: E401, E731, I001, T201
# fmt: off
import base64, datetime, hashlib, json, re, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WORD, HEX, TEXT = "[a-z][a-z0-9_]*", "[0-9a-f]{64}", "(?s:.*)"
FORMS = {"at": TEXT, "conversation": TEXT, "session": TEXT, "actor": "(?s:.+)", "target": TEXT, "prev": HEX,
         "action": rf"{WORD}(\.{WORD})+", "outcome": "done|refused", "code": f"({WORD})?", "digest": f"({HEX})?"}
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
whole = lambda value, least: type(value) is int and least <= value < 2**53
require = lambda *good, verdict=None: all(good) or sys.exit(verdict or refusal)

def canonical(raw):  # sections 1 and 2: the entry of a line with its newline
    entry = json.loads(raw)
    require(entry.keys() == FORMS.keys() | {"v", "seq", "latency_us", "facts"}, len(raw) <= 65537)
    require(whole(entry["v"], 1), entry["v"] == 1, whole(entry["seq"], 1), whole(entry["latency_us"], 0))
    require(*(re.fullmatch(form, entry[name]) for name, form in FORMS.items()))
    require((entry["code"] == "") == (entry["outcome"] == "done"), entry["at"] >= "1970")
    require(datetime.datetime.fromisoformat(entry["at"][:-1]).isoformat(timespec="microseconds") + "Z" == entry["at"])
    for name, value in entry["facts"].items():
        require(re.fullmatch(WORD, name), value is None or type(value) in (bool, str) or whole(value, 1 - 2**53))
    json.dumps(entry, ensure_ascii=False).encode()  # raises for a lone surrogate
    require(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n" == raw)
    return entry

def root(leaves):  # section 4
    k = 1 << (len(leaves) - 1).bit_length() - 1 if len(leaves) > 1 else 0
    return sha(b"\1", root(leaves[:k]), root(leaves[k:])) if k else (leaves or [sha()])[0]

def signed(note, vkey):  # section 6: (size, root) of a checkpoint that this key signed
    (name, hint, key), (body, _, tail) = vkey.strip().split("+", 2), note.rpartition("\n\n")
    lines = [re.fullmatch("\u2014 ([^\\s+]+) ([0-9a-zA-Z+/]+=*)", line).groups() for line in tail[:-1].split("\n")]
    ours = [raw[4:] for who, code in lines if (raw := base64.b64decode(code))[:4].hex() == hint and who == name]
    require(ours, tail.endswith("\n"), sha(name.encode(), b"\n", (key := base64.b64decode(key)))[:4].hex() == hint)
    any(Ed25519PublicKey.from_public_bytes(key.removeprefix(b"\1")).verify(raw, f"{body}\n".encode()) for raw in ours)
    origin, size, digest = body.split("\n")[0], int(body.split("\n")[1]), base64.b64decode(body.split("\n")[2])
    require(origin, size >= 0, len(digest) == 32, body == f"{origin}\n{size}\n{base64.b64encode(digest).decode()}")
    return size, digest

try:
    refusal, leaves, vouched, argv = "checkpoint: not valid" if sys.argv[1:] else __doc__, [], 0, sys.argv[1:]
    notes = {signed(Path(note).read_bytes().decode(), Path(argv[1]).read_text()) for note in argv[2:]}
    require(len(points := dict(notes)) == len(notes), points.get(0, sha()) == sha(), verdict="checkpoint: forked")
    for place, raw in enumerate(Path(argv[0]).read_bytes().splitlines(keepends=True), 1):
        refusal = f"entry {place}: not canonical"
        seq, prev = map(canonical(raw).get, ("seq", "prev"))
        why = "missing" if seq > place else "doubled" if seq == place - 1 else "out of order"
        require(seq == place, verdict=f"entry {place}: {why}")
        require(prev == (leaves or [bytes(32)])[-1].hex(), verdict=f"entry {max(place - 1, vouched + 1)}: edited")
        leaves.append(sha(b"\0", raw[:-1]))
        require(place not in points or root(leaves) == points[place], verdict=f"entry {vouched + 1}: rewritten")
        vouched = place if place in points else vouched
    require(max([0, *points]) <= len(leaves), verdict=f"entry {len(leaves) + 1}: truncated")
except Exception as wrong:
    sys.exit(f"{refusal} ({wrong!r})")
print(f"ok: {len(leaves)} entries, {len(points)} checkpoints, root {root(leaves).hex()}")
