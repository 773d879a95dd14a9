"""Who may sign which checkpoint of an audit journal: verify_signers.py JOURNAL VERIFIER_KEY_FILE [--checkpoints FILE...]"""

# ruff: noqa: E401, E731, I001, T201
# fmt: off
import base64, hashlib, json, re, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

require = lambda *good, verdict=None: all(good) or sys.exit(verdict or refusal)

def plain(text):  # section 6: base64 with padding, its unused bits zero
    require(base64.b64encode(raw := base64.b64decode(text)).decode() == text)
    return raw

def public(vkey):  # section 6: the public key of a verifier key, which is one printable word
    (name, hint, code), printable = vkey.split("+", 2), vkey.isprintable() and " " not in vkey
    key = plain(code)
    require(name, printable, key[0] == 1, hint == hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8])
    return Ed25519PublicKey.from_public_bytes(key[1:])

def hand_over(entry, before, follows):  # section 6: both keys signed it, for this place of this journal
    said = f"multiagent-bridge/hand-over/1\n{before}\n{follows}\n{entry['seq']}\n{entry['prev']}\n".encode()
    public(before).verify(plain(entry["facts"]["signed"]), said)
    public(follows).verify(plain(entry["facts"]["accepted"]), said)

def signed(body, tail, vkey):  # section 6: whether this key signed its checkpoint; raises when a signature is wrong
    name, hint, _ = vkey.split("+", 2)
    ours = [raw[4:] for raw in map(plain, re.findall(rf"(?m)^\u2014 {re.escape(name)} (.*)\n", tail)) if raw[:4].hex() == hint]
    return ours and body.startswith(f"{name}\n") and all(public(vkey).verify(raw, f"{body}\n".encode()) is None for raw in ours)

try:
    refusal, argv, turns = __doc__, sys.argv[1:], {}
    require(len(argv) >= 2, argv[2:3] in ([], ["--checkpoints"]))
    refusal = "verifier key: not valid"
    public(trusted := Path(argv[1]).read_text().strip())
    for place, raw in enumerate(Path(argv[0]).read_bytes().splitlines(keepends=True), 1):
        refusal = f"entry {place}: not canonical"
        if (entry := json.loads(raw))["action"] == "master_key.rotate" and entry["outcome"] == "done":
            refusal = f"entry {place}: signer"
            require(type(entry["seq"]) is int, entry["facts"]["follows"] not in turns)  # no key comes back
            turns[entry["facts"]["follows"]] = place, entry
    keys = [("" if trusted in turns else trusted, 0)]  # "": who signed before the first hand-over is not known
    for follows, (place, entry) in turns.items():
        refusal = f"entry {place}: signer"
        require(not keys[-1][0] or not hand_over(entry, keys[-1][0], follows))  # which raises
        keys.append((follows, entry["seq"]))
    keys = keys[[vkey for vkey, _ in keys].index(trusted):]
    reigns = {vkey: (since, until, []) for (vkey, since), (_, until) in zip(keys, [*keys[1:], ("", 2**53)], strict=True)}
    for note in argv[3:]:
        refusal = f"checkpoint: not valid, {note}"
        body, _, tail = Path(note).read_bytes().decode().rpartition("\n\n")
        require(by := [reigns[vkey] for vkey in reigns if signed(body, tail, vkey)])
        for since, until, notes in by:
            require(since <= int(body.split("\n")[1]) <= until, verdict=f"checkpoint: not in force, {note}")
            notes.append(note)
except Exception as wrong:
    sys.exit(f"{refusal} ({wrong!r})")
for vkey, (since, until, notes) in reigns.items():
    print(since, until if until < 2**53 else "-", vkey, *notes)
