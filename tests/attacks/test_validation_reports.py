"""Reports of a validation as their forger: figures bettered, verdicts turned, evidence borrowed, files that are traps."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.errors import BridgeError, Invalid, Tampered
from multiagent_bridge.model.callers import Credentials
from multiagent_bridge.model.checkpoints import Checkpoint, sign
from multiagent_bridge.model.checkpoints import verify as signed_checkpoint
from multiagent_bridge.testing.hubs import OWNER
from multiagent_bridge.validation import report
from multiagent_bridge.validation.frame import Sheet
from multiagent_bridge.validation.signature import canonical, right, signed, text
from multiagent_bridge.validation.verify import verified
from tests.faces.terminal import Terminal
from tests.validation.reports import Made, made

pytestmark = pytest.mark.anyio

Edit = Callable[[dict[str, Any]], object]
OTHER = MasterKeys(bytes(32))


@pytest.fixture
async def sound(tmp_path: Path) -> Made:
    return await made(tmp_path / "run")


@pytest.fixture
async def failed(tmp_path: Path) -> Made:
    """A report in which test 5 has failed and test 10 was not run."""
    sheet = Sheet()
    sheet.target("messages", "exactly", 80, 79)
    return await made(tmp_path / "failed", sheets={"5": sheet, "10": Sheet(lacks="no git")})


def refused(found: Made) -> Tampered:
    with pytest.raises(Tampered) as wrong:
        verified(found.file)
    return wrong.value


def target(at: int, which: int = 0) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda r: r["tests"][at]["targets"][which]


BETTER: list[Edit] = [
    lambda r: target(4)(r).update(measured=80),
    lambda r: target(4)(r).update(measured=80, met=True),
    lambda r: target(4)(r).update(bound=79),
    lambda r: target(4)(r).update(relation="at most", met=True),
    lambda r: r["tests"][4].update(verdict="passed"),
    lambda r: r["tests"][4].update(verdict="passed", reason=""),
    lambda r: r["tests"][4].update(verdict="not run"),
    lambda r: r["tests"][4].update(targets=[], verdict="passed", reason=""),
    lambda r: r["tests"][9].update(verdict="passed"),
    lambda r: r["tests"][9].update(verdict="passed", reason=""),
    lambda r: r.update(passed=True),
    lambda r: r["tests"].pop(4),
    lambda r: (r["tests"].pop(4), r.update(passed=True)),
    lambda r: r["tests"].insert(4, r["tests"][3]),
    lambda r: r["tests"].reverse(),
    lambda r: r["citation"].update(confidence="high: 14 of 14 tests passed"),
    lambda r: r["citation"].update(claim="14 of 14 tests of the protocol passed in profile full"),
    lambda r: r["citation"]["evidence"].pop(4),
]  # fmt: skip


@pytest.mark.parametrize("edit", BETTER)
@pytest.mark.parametrize("sign_again", [False, True])
async def test_no_verdict_is_bettered_even_by_who_holds_the_key(failed: Made, edit: Edit, sign_again: bool) -> None:
    failed.change(edit, sign=sign_again)
    refused(failed)


EVIDENCE: list[Edit] = [
    lambda e: e.update(first=e["first"] + 1),
    lambda e: e.update(first=e["first"] - 1),
    lambda e: e.update(first=0),
    lambda e: e.update(first=10**15, last=10**15),
    lambda e: e.update(last=e["last"] + 1),
    lambda e: e.update(last=e["last"] - 1),
    lambda e: e.update(entries=480),
    lambda e: e["acts"].update({"message.send": 480}),
    lambda e: e["acts"].update({"task.complete": 8}),
    lambda e: e["acts"].clear(),
    lambda e: e["refusals"].clear(),
    lambda e: e["send_latency_us"].update(p50=1),
    lambda e: e["send_latency_us"].update(count=True),
    lambda e: e["checkpoint"].update(size=1),
    lambda e: e["checkpoint"].update(root="0" * 64),
]


@pytest.mark.parametrize("edit", EVIDENCE)
async def test_no_evidence_is_invented_even_by_who_holds_the_key(sound: Made, edit: Edit) -> None:
    sound.change(lambda r: edit(r["tests"][6]["evidence"]), sign=True)
    assert refused(sound).sentence


async def test_evidence_of_another_test_is_not_borrowed(sound: Made) -> None:
    sound.change(lambda r: r["tests"][6].update(evidence=r["tests"][7]["evidence"] | {"first": 99}), sign=True)
    refused(sound)


async def test_a_checkpoint_of_another_key_or_journal_vouches_for_nothing(sound: Made) -> None:
    keys = sound.held.keys
    size = json.loads(sound.file.read_text())["report"]["tests"][6]["evidence"]["last"]
    for name, key, signer in (
        (OTHER.signer, OTHER.public_key, OTHER.sign),
        (keys.signer, keys.public_key, OTHER.sign),
        (keys.signer, keys.public_key, keys.sign),
    ):
        forged = Checkpoint("another.example/journal" if signer == keys.sign else name, size, bytes(32))
        note = sign(forged, name, key, signer)
        sound.change(
            lambda r, note=note: r["tests"][6]["evidence"].update(  # type: ignore[misc]
                checkpoint={"size": size, "root": "00" * 32, "note": note}
            ),
            sign=True,
        )
        with pytest.raises(BridgeError) as wrong:
            verified(sound.file)
        assert wrong.value.code == "tampered"


async def test_a_journal_that_went_on_is_not_the_one_that_was_signed(sound: Made) -> None:
    opened = await sound.held.hub.conversations.create(OWNER, "backend", "frontend")
    await sound.held.hub.messages.send(OWNER, Credentials(opened.conversation.id, "a"), "later")
    lines = [line + "\n" async for line in sound.held.hub.journal.lines()]
    assert lines[: len(sound.lines())] == sound.lines()
    sound.journal.write_text("".join(lines))
    assert "entries" in refused(sound).sentence


@pytest.mark.parametrize("keep", [0, 1, 10, -1])
async def test_a_journal_that_was_cut_is_refused(sound: Made, keep: int) -> None:
    sound.journal.write_text("".join(sound.lines()[:keep]))
    refused(sound)


async def test_a_journal_cut_inside_its_last_line_is_refused(sound: Made) -> None:
    sound.journal.write_bytes(sound.journal.read_bytes()[:-1])
    refused(sound)


async def test_a_journal_of_another_run_is_refused(sound: Made, tmp_path: Path) -> None:
    other = await made(tmp_path / "other")
    sound.journal.write_bytes(other.journal.read_bytes())
    refused(sound)


async def test_a_whole_report_by_another_key_is_not_the_one_that_was_asked_for(sound: Made, tmp_path: Path) -> None:
    with pytest.raises(Tampered, match="another key"):
        verified(sound.file, OTHER.verifier_key)
    assert verified(sound.file, sound.held.keys.verifier_key).tests == 14


async def test_naming_another_key_does_not_make_it_its_signature(sound: Made) -> None:
    sound.change(lambda r: r.update(verifier_key=OTHER.verifier_key))
    refused(sound)


async def test_a_signature_of_a_checkpoint_is_none_of_a_report_nor_the_reverse(sound: Made) -> None:
    said = json.loads(sound.file.read_text())
    with pytest.raises(Invalid):
        Checkpoint.parse(said["signature"])
    with pytest.raises(Invalid):
        signed_checkpoint(said["signature"], said["report"]["verifier_key"], right)
    said["signature"] = said["report"]["journal"]["checkpoint"]
    sound.file.write_text(report.written(said))
    sound.page.unlink()
    refused(sound)


async def test_a_signature_has_one_form(sound: Made) -> None:
    said = json.loads(sound.file.read_text())
    note, key = said["signature"], said["report"]["verifier_key"]
    body, line = note.split("\n\n")
    name, encoded = line.rstrip("\n").split(" ")[1:]
    raw = base64.b64decode(encoded)
    other = signed(said["report"], key, OTHER.sign)
    forged = [
        "", note + note, note + line, body, note.rstrip("\n"), note.replace("\u2014", "-"), other,
        f"{body}\n\n\u2014 {name} {base64.b64encode(raw[:-1]).decode()}\n",
        f"{body}\n\n\u2014 {name} {base64.b64encode(raw + b'0').decode()}\n",
        f"{body}\n\n\u2014 {name} {encoded} \n", f"{body}\n\n\u2014 {name} {encoded}=\n",
        f"{body}\n\n\u2014 {OTHER.signer} {encoded}\n", f"{body}\nmore\n\n{line}", "\n" + note,
    ]  # fmt: skip
    sound.page.unlink()
    for signature in forged:
        sound.file.write_text(report.written(said | {"signature": signature}))
        refused(sound)


def test_two_reports_that_mean_the_same_have_one_text_and_two_that_differ_have_two() -> None:
    assert text({"a": 1, "b": [1.5, True]}) == text({"b": [1.5, True], "a": 1})
    assert len({text({"a": value}) for value in (1, 1.0, True, "1", None, [1])}) == 6
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"a": float("nan")})


@pytest.mark.parametrize(
    "edit",
    [
        lambda raw: raw.replace('"passed": true', '"passed": true,\n  "passed": true', 1),
        lambda raw: raw.replace('"mab_validation": 1', '"mab_validation": 1, "mab_validation": 1', 1),
        lambda raw: raw.replace('"factor": 30', '"factor": NaN', 1),
        lambda raw: raw.replace('"factor": 30', '"factor": Infinity', 1),
        lambda raw: raw.replace('"factor": 30', '"factor": 1e999', 1),
        lambda raw: raw.replace('"cores": 2', '"cores": -1e999', 1),
        lambda raw: raw.replace('"factor": 30', '"factor": ' + "9" * 5000, 1),
        lambda raw: raw.replace('"factor": 30', '"factor": 3e1', 1),
        lambda raw: raw.replace('"factor": 30', '"factor":  30', 1),
        lambda raw: raw.replace('"factor": 30', '"factor": 30.0', 1),
        lambda raw: raw + " ",
        lambda raw: raw + "{}",
        lambda raw: "\ufeff" + raw,
        lambda raw: raw.replace('"quick"', '"q\\u0075ick"', 1),
        lambda raw: raw.replace("\n", "\r\n"),
    ],
)
async def test_a_report_has_one_form_of_its_bytes(sound: Made, edit: Callable[[str], str]) -> None:
    before = sound.file.read_text()
    after = edit(before)
    assert after != before
    sound.file.write_bytes(after.encode())
    with pytest.raises(BridgeError) as wrong:
        verified(sound.file)
    assert wrong.value.code in ("tampered", "invalid")


@pytest.mark.parametrize(
    "edit",
    [
        lambda r: r["journal"].update(file="../../etc/passwd"),
        lambda r: r["journal"].update(file="/etc/passwd"),
        lambda r: r["journal"].update(file="report.json"),
        lambda r: r["journal"].update(file=None),
        lambda r: r.update(tests={}),
        lambda r: r.update(tests=[[]]),
        lambda r: r.update(extra=1),
        lambda r: r.pop("command"),
        lambda r: r["tests"][0].update(evidence=[]),
        lambda r: r["tests"][0]["evidence"].update(first=True),
        lambda r: r["tests"][0]["evidence"].update(first=-1),
        lambda r: r["tests"][0]["evidence"].update(first=1.0),
        lambda r: r["tests"][0]["targets"][0].update(met="yes"),
        lambda r: r["tests"][0]["targets"][0].update(measured="1"),
        lambda r: r["tests"][0]["figures"]["send"].pop("max"),
        lambda r: r["tests"][0]["evidence"]["checkpoint"].update(note=1),
        lambda r: r.update(verifier_key="nobody"),
        lambda r: r["versions"].update(commit=None),
        lambda r: r.update(profile={}),
    ],
)
async def test_a_report_of_another_shape_is_refused_and_opens_no_other_file(sound: Made, edit: Edit) -> None:
    sound.change(edit)
    assert "the report was edited: " in refused(sound).sentence


@pytest.mark.parametrize(
    "edit",
    [
        lambda r: r.update(mab_validation=2),
        lambda r: r.pop("mab_validation"),
    ],
)
async def test_what_does_not_call_itself_a_report_of_this_version_is_no_report(sound: Made, edit: Edit) -> None:
    sound.change(edit)
    with pytest.raises(Invalid):
        verified(sound.file)


@pytest.mark.parametrize("key", ["", "nobody", "a+b+c", OTHER.verifier_key + "x"])
async def test_a_key_that_is_none_is_the_persons_mistake(sound: Made, key: str) -> None:
    with pytest.raises(Invalid):
        verified(sound.file, key)


@pytest.mark.parametrize("name", [report.REPORT, report.JOURNAL, report.PAGE])
async def test_a_pipe_or_a_folder_in_a_files_place_keeps_nobody_waiting(sound: Made, name: str) -> None:
    place = sound.folder / name
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(Invalid):
        verified(sound.file)
    place.unlink()
    place.mkdir()
    with pytest.raises(Invalid):
        verified(sound.file)


async def test_a_file_larger_than_any_report_is_not_read(sound: Made) -> None:
    os.truncate(sound.file, 1 << 40)
    with pytest.raises(Invalid):
        verified(sound.file)
    os.truncate(sound.file, 0)
    with pytest.raises(Invalid):
        verified(sound.file)


@pytest.mark.parametrize("depth", [100, 400, 800, 990, 5_000, 200_000])
async def test_a_report_nested_without_end_is_refused_in_a_sentence(sound: Made, depth: int) -> None:
    raw = sound.file.read_text()
    deep = raw.replace('"cores": 2', '"cores": ' + "[" * depth + "]" * depth, 1)
    assert deep != raw
    sound.file.write_text(deep)
    with pytest.raises(BridgeError) as wrong:
        verified(sound.file)
    assert wrong.value.code in ("tampered", "invalid")


async def test_a_journal_line_without_an_end_is_refused_within_bounds(sound: Made) -> None:
    sound.journal.write_bytes(b"x" * 5_000_000)
    assert len(refused(sound).sentence) < 1_000


async def test_at_the_command_line_a_forgery_leaves_with_10_and_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = await made(tmp_path / "run")
    terminal = Terminal(tmp_path / "desk", monkeypatch, capsys)
    done = terminal.mab("report", "verify", str(sound.file))
    assert done.out.startswith("verified: 14 tests, 14 passed; ")
    assert sound.held.keys.verifier_key in done.err
    assert terminal.mab("report", "verify", str(sound.file), "--json").json["verified"] is True
    assert terminal.mab("report", "verify", str(sound.file), "--key", OTHER.verifier_key, status=10).code == "tampered"
    sound.change(lambda r: r["tests"][2]["evidence"].update(entries=9))
    told = terminal.mab("report", "verify", str(sound.file), status=10)
    assert told.code == "tampered"
    assert "test 3 says entries 9, and the journal says 2" in told.err
    assert terminal.mab("report", "verify", str(sound.file), "--json", status=10).json["verified"] is False
    sound.change(lambda r: r["tests"][2].update(name="\x1b[2J\nmab: error: nothing"))
    assert "\x1b" not in terminal.mab("report", "verify", str(sound.file), status=10).err
    assert not terminal.home.exists()


async def test_what_does_not_belong_to_verify_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(tmp_path / "desk", monkeypatch, capsys)
    for words in (("verify",), ("verify", "x", "--output", "y"), ("conv_x", "report.json"), ("--key", "k")):
        assert terminal.mab("report", *words, status=2).code == "invalid"
    assert terminal.mab("report", "verify", "missing.json", status=7).code == "not_found"
