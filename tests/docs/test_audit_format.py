"""The audit journal's specification: vectors, independent verifier and worked example agree with our code."""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from multiagent_bridge.errors import BridgeError, Invalid, Tampered
from multiagent_bridge.model.checkpoints import Checkpoint, verify
from multiagent_bridge.model.journal import Verifier, parse

REPOSITORY = Path(__file__).parent.parent.parent
SPECIFICATION = REPOSITORY / "docs" / "security" / "audit-format.md"
VECTORS = REPOSITORY / "docs" / "security" / "audit-vectors"
INDEPENDENT = REPOSITORY / "tools" / "verify_journal.py"
SIGNERS = REPOSITORY / "tools" / "verify_signers.py"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_text())
KEY = (VECTORS / "bridge.vkey").read_text().strip()
NAMES = [case["journal"].removesuffix(".jsonl") for case in CASES]


def check(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def expected(case: dict[str, Any]) -> str:
    if case["wrong"] == "nothing":
        return "ok"
    return f"checkpoint: {case['why']}" if case["wrong"] == "checkpoint" else f"entry {case['entry']}: {case['why']}"


def ours(case: dict[str, Any]) -> str:
    """The verdict of our own code, in the words of the independent verifier."""
    try:
        checkpoints = [verify((VECTORS / name).read_bytes().decode(), KEY, check) for name in case["checkpoints"]]
    except BridgeError:
        return "checkpoint: not valid"
    try:
        verifier = Verifier(checkpoints=checkpoints)
        for raw in (VECTORS / case["journal"]).read_bytes().splitlines(keepends=True):
            verifier.feed_raw(raw)
        verifier.finish()
    except Tampered as wrong:
        named = "checkpoint" if wrong.facts["why"] == "forked" else f"entry {wrong.facts['seq']}"
        return f"{named}: {wrong.facts['why']}"
    return "ok"


def independent(*arguments: str | Path, program: Path = INDEPENDENT) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", program, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def made() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_audit_vectors", REPOSITORY / "tools" / "make_audit_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_our_verdict_on_a_vector_is_the_written_one(case: dict[str, Any]) -> None:
    assert ours(case) == expected(case)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_independent_verdict_on_a_vector_is_the_written_one(case: dict[str, Any]) -> None:
    notes = [VECTORS / name for name in case["checkpoints"]]
    status, said = independent(VECTORS / case["journal"], VECTORS / "bridge.vkey", *notes)
    assert said.startswith(expected(case))
    assert said.removeprefix(expected(case))[:1] in {"", ":", " ", "\n"}
    assert status == (0 if case["wrong"] == "nothing" else 1)


def test_there_are_vectors_of_every_verdict() -> None:
    verdicts = {case["why"] for case in CASES}
    assert verdicts == {
        "",
        "not canonical",
        "missing",
        "doubled",
        "out of order",
        "edited",
        "rewritten",
        "truncated",
    } | {
        "forked",
        "not valid",
    }
    text = SPECIFICATION.read_text()
    assert all(f"`{why}`" in text for why in verdicts - {"", "not valid"})


def test_the_vectors_are_what_their_program_makes_and_nothing_else() -> None:
    built = made().build()
    assert {path.name for path in VECTORS.iterdir()} == set(built)
    stale = [name for name, content in built.items() if (VECTORS / name).read_bytes() != content]
    assert stale == []


def test_every_vector_has_its_line_in_the_readme() -> None:
    rows = (VECTORS / "README.md").read_text().splitlines()
    for case in CASES:
        row = next(row for row in rows if row.startswith(f"| `{case['journal']}` |"))
        assert case["says"] in row
        assert row.endswith(f"| {expected(case)} |")


@pytest.mark.parametrize("program", [INDEPENDENT, SIGNERS], ids=lambda program: program.stem)
def test_the_independent_verifier_is_short_and_imports_nothing_of_ours(program: Path) -> None:
    source = program.read_text()
    assert len(source.splitlines()) < 60
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").split(".")[0])
    assert imported - sys.stdlib_module_names == {"cryptography"}
    assert "__import__" not in source
    assert "importlib" not in source


@pytest.mark.parametrize("program", [INDEPENDENT, SIGNERS], ids=lambda program: program.stem)
def test_the_independent_verifier_says_how_it_is_used(program: Path) -> None:
    status, said = independent(program=program)
    assert status == 1
    assert f"{program.name} JOURNAL" in said


@pytest.mark.parametrize("program", [INDEPENDENT, SIGNERS], ids=lambda program: program.stem)
def test_the_independent_verifier_refuses_a_file_that_is_not_there(program: Path) -> None:
    key = [VECTORS / "bridge.vkey"] if program == SIGNERS else []
    status, said = independent(VECTORS / "nowhere.jsonl", *key, program=program)
    assert status == 1
    assert "FileNotFoundError" in said


def test_the_signer_of_a_journal_that_was_never_handed_over_may_sign_every_size() -> None:
    note = VECTORS / "checkpoint-13.txt"
    said = independent(VECTORS / "good-thirteen.jsonl", VECTORS / "bridge.vkey", "--checkpoints", note, program=SIGNERS)
    assert said == (0, f"0 - {KEY} {note}\n")


def test_the_independent_verifier_finds_every_forged_byte_of_a_journal(tmp_path: Path) -> None:
    """In one process, so that each byte of two entries can be tried; verdicts are held against ours."""
    good = (VECTORS / "good-thirteen.jsonl").read_bytes().splitlines(keepends=True)[:5]
    program = compile(INDEPENDENT.read_text(), str(INDEPENDENT), "exec")
    journal, argv = tmp_path / "forged.jsonl", sys.argv
    notes = ["checkpoint-04.txt", "checkpoint-05.txt"]
    checkpoints = [verify((VECTORS / name).read_text(), KEY, check) for name in notes]
    for place in (1, 4):
        for at in range(0, len(good[place]), 3):
            line = good[place]
            forged = [*good[:place], line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :], *good[place + 1 :]]
            journal.write_bytes(b"".join(forged))
            sys.argv = ["verify", str(journal), str(VECTORS / "bridge.vkey"), *(str(VECTORS / name) for name in notes)]
            try:
                with pytest.raises(SystemExit) as stopped:
                    exec(program, {"__name__": "verifier", "__doc__": ""})
            finally:
                sys.argv = argv
            with pytest.raises(Tampered) as found:
                _fed(b"".join(forged), checkpoints)
            assert str(stopped.value).startswith(f"entry {found.value.facts['seq']}: {found.value.facts['why']}")


def rules_of_the_independent_verifier() -> dict[str, Any]:
    """Its functions, without the part that reads the command line."""
    tree = ast.parse(INDEPENDENT.read_text())
    tree.body = [
        node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.FunctionDef)
    ]
    names: dict[str, Any] = {"refusal": "refused"}
    exec(compile(tree, str(INDEPENDENT), "exec"), names)
    return names


RULES = rules_of_the_independent_verifier()
FIELDS = sorted(json.loads((VECTORS / "good-one.jsonl").read_text()))
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.floats()
    | st.text(max_size=8)
    | st.text("\ud800\udc00ab", max_size=3)
    | st.sampled_from(["", "done", "refused", "message.send", "a.b.c", "code_1", "0" * 64, "f" * 64, "F" * 64, 0, 1])
    | st.sampled_from([2**53, 2**53 - 1, -(2**53), 1 - 2**53, -1, 1.0])
    | st.sampled_from(["2024-02-29T23:59:59.999999Z", "2023-02-29T00:00:00.000000Z", "2026-01-02T03:04:05.678901z"])
    | st.sampled_from(["1969-12-31T23:59:59.999999Z", "9999-12-31T24:00:00.000000Z", "2026-W01-1T00:00:00.000000Z"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("abZ_1.", max_size=3), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=1000)
@given(
    st.dictionaries(st.sampled_from([*FIELDS, "w"]), anything, max_size=3),
    st.sampled_from([*FIELDS, ""]),
    st.booleans(),
)
def test_both_readers_take_and_refuse_the_same_lines(changes: dict[str, Any], dropped: str, ascii_only: bool) -> None:
    fields = json.loads((VECTORS / "good-one.jsonl").read_text()) | changes
    if len(changes) > 2:
        fields.pop(dropped, None)
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only)
    raw = text.encode("utf-8", "surrogatepass") + b"\n"
    try:
        RULES["canonical"](raw)
        stranger = True
    except (Exception, SystemExit):
        stranger = False
    try:
        parse(raw[:-1].decode("latin-1"))
        own = True
    except Invalid:
        own = False
    assert own == stranger


def _fed(content: bytes, checkpoints: list[Checkpoint]) -> None:
    verifier = Verifier(checkpoints=checkpoints)
    for raw in content.splitlines(keepends=True):
        verifier.feed_raw(raw)
    verifier.finish()


def test_the_worked_example_is_right() -> None:
    text = SPECIFICATION.read_text()
    lines = (VECTORS / "good-thirteen.jsonl").read_text().splitlines()[:2]
    first, second = (hashlib.sha256(b"\0" + line.encode()).digest() for line in lines)
    root = hashlib.sha256(b"\1" + first + second).digest()
    assert "\n".join(["```", *lines, "```"]) in text
    assert f"Entry 1 has {len(lines[0])} bytes" in text
    assert f"hash(1) = {first.hex()}" in text
    assert f"hash(2) = {second.hex()}" in text
    assert f"= {root.hex()}" in text
    note = (VECTORS / "checkpoint-02.txt").read_text()
    assert f"```\n{note}```" in text
    assert note.split("\n")[2] == base64.b64encode(root).decode()
    assert f"    {KEY}\n" in text
    assert f"`{KEY.split('+')[1]}`" in text


def test_the_fields_of_the_specification_are_the_fields_of_an_entry() -> None:
    text = SPECIFICATION.read_text()
    section = text[text.index("## 2.") : text.index("## 3.")]
    listed = {row.split("`")[1] for row in section.splitlines() if row.startswith("| `")}
    line = (VECTORS / "good-one.jsonl").read_text()
    assert listed == set(json.loads(line))


def test_the_digest_of_a_vector_is_the_keyed_digest_of_the_body_that_the_readme_names() -> None:
    entry = parse((VECTORS / "good-thirteen.jsonl").read_text().splitlines()[2])
    body = (VECTORS / "README.md").read_text().split("that of the body `")[1].split("`")[0]
    assert entry.digest == hmac.digest(bytes(range(64, 96)), body.encode(), "sha256").hex()
