"""Checks a report of `mab validate`: its signature, and everything in it that its journal can answer.

What the file says is not trusted before the end: it is read strictly, and what is wrong is named.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from multiagent_bridge.errors import Invalid, NotFound, Tampered
from multiagent_bridge.model.checkpoints import Checkpoint, parse_verifier_key
from multiagent_bridge.model.checkpoints import verify as signed_checkpoint
from multiagent_bridge.model.journal import LONGEST_LINE, Entry, Verifier
from multiagent_bridge.validation import report as written
from multiagent_bridge.validation.counts import counted
from multiagent_bridge.validation.frame import MISSED, NUMBERS, missing, reached
from multiagent_bridge.validation.signature import canonical, check, right

REPORT_BYTES = 16_000_000
JOURNAL_BYTES = 512_000_000
NONE = "this is no report of mab validate: "
AGAIN = "ask for the report again, with its journal"

MARK = b'"mab_validation": 1,'
"""What every report of this version holds, whatever was done to the rest of it."""

TOP = {"report", "signature"}
REPORT_FIELDS = {
    "mab_validation", "profile", "began", "ended", "passed", "complete", "machine", "versions", "tests", "journal",
    "verifier_key", "command", "citation", "page",
}  # fmt: skip
TEST_FIELDS = {"number", "name", "done", "targets", "figures", "verdict", "reason", "seconds", "evidence"}
TARGET_FIELDS = {"what", "relation", "bound", "measured", "unit", "met"}
FIGURE_FIELDS = {"unit", "count", "mean", "min", "median", "p95", "max"}
EVIDENCE_FIELDS = {"first", "last", "entries", "acts", "refusals", "send_latency_us", "checkpoint"}
PROFILE_FIELDS = {
    "name", "factor", "threshold_seconds", "check_seconds", "keepalive_seconds", "credentials_poll_seconds", "settings",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checked:
    """A report that is what its key signed, and what its journal says."""

    tests: int
    passed: int
    complete: bool
    entries: int
    checkpoints: int
    verifier_key: str

    def fields(self) -> dict[str, object]:
        return {
            "verified": True,
            "tests": self.tests,
            "passed": self.passed,
            "complete": self.complete,
            "entries": self.entries,
            "checkpoints": self.checkpoints,
            "verifier_key": self.verifier_key,
        }


def verified(file: Path, key: str | None = None) -> Checked:
    """Check the report at `file` with what lies beside it; `key` is the verifier key it must be signed by.

    Raises Invalid for what is no report, NotFound when the journal is not there, Tampered naming the first thing wrong.
    """
    raw = _bytes(file, REPORT_BYTES)
    found = _parsed(raw)
    wanted = parse_verifier_key(key) if key is not None else None
    try:
        return _verified(file, raw, found, wanted)
    except NotAFile:
        raise
    except (Invalid, RecursionError) as error:
        # a reader of JSON may go deeper than its writer
        what = error.sentence if isinstance(error, Invalid) else "it is nested too deeply"
        if not _claimed(found):
            raise _wrong(what) from error
        raise Tampered(f"the report was edited: {what.removeprefix(NONE)}", AGAIN) from error


class NotAFile(Invalid):
    """What lies in a file's place is none that could be read."""


def _claimed(found: Mapping[str, Any]) -> bool:
    """Whether it calls itself a report of this version: then what is wrong in it was changed."""
    report = found["report"]
    return isinstance(report, dict) and report.get("mab_validation") == written.FORMAT


def _verified(file: Path, raw: bytes, found: dict[str, Any], key: tuple[str, bytes] | None) -> Checked:
    """The report, which is an object with a signature. Raises as `verified` does, and Invalid for whatever has no meaning."""
    report, note = _shaped(found)
    signer = report["verifier_key"]
    if key is not None and key != parse_verifier_key(signer):
        raise Tampered("the report is signed by another key than the one that was given", "ask where it came from")
    if written.written(found).encode() != raw:
        raise Tampered("the report is not written as mab validate writes it: it was edited", AGAIN)
    checkpoints = [_vouched(report["journal"]["checkpoint"], signer)]
    checkpoints += [_vouched(test["evidence"]["checkpoint"]["note"], signer) for test in report["tests"]]
    entries = _journal(file.with_name(report["journal"]["file"]), checkpoints)
    _ends(report["journal"], checkpoints[0], len(entries))
    for test, checkpoint in zip(report["tests"], checkpoints[1:], strict=True):
        _evidence(test, checkpoint, entries)
        _verdict(test)
    _whole(report)
    _page(file.with_name(written.PAGE), report["page"])
    check(report, note, signer)
    passed = sum(test["verdict"] == "passed" for test in report["tests"])
    return Checked(len(report["tests"]), passed, report["complete"], len(entries), len(checkpoints), signer)


def _bytes(file: Path, most: int) -> bytes:
    """The content of a plain file. Raises Invalid, NotFound."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(f"there is no {file}", "keep report.json and journal.jsonl in one folder") from error
    except OSError as error:
        raise NotAFile(f"{file} cannot be read: {(error.strerror or '').lower()}", "name a report.json") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_size > most:
        os.close(handle)
        raise NotAFile(f"{file} is no plain file of at most {most:,} bytes", "name a report.json")
    with os.fdopen(handle, "rb") as opened:
        return opened.read(most)


def _parsed(raw: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("a name twice")
        return made

    def never(name: str) -> NoReturn:
        raise ValueError(name)

    def finite(text: str) -> float:
        # what is too large to be a number would be read as one that cannot be written again
        return number if math.isfinite(number := float(text)) else never(text)

    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=once, parse_constant=never, parse_float=finite)
        return _object(found, "the report", TOP)
    except (ValueError, RecursionError, Invalid) as error:
        if MARK in raw:
            raise Tampered("the report is not JSON any more, or names something twice: it was edited", AGAIN) from error
        raise Invalid("this is no report of mab validate", "name the report.json of a run") from error


def _shaped(found: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The report and its signature, every part of the type it must have. Raises Invalid."""
    report = _object(found["report"], "the report", REPORT_FIELDS)
    if report["mab_validation"] != written.FORMAT:
        raise Invalid("the report is of another version", "verify it with the version that made it")
    for name in ("began", "ended", "verifier_key", "command", "page"):
        _text(report[name], name)
    for name in ("passed", "complete"):
        if not isinstance(report[name], bool):
            raise _wrong(f"{name} is not true or false")
    for name in ("machine", "versions"):
        _object(report[name], name)
    _text(_object(report["versions"], "versions").get("multiagent_bridge"), "the version")
    _text(report["versions"].get("commit"), "the commit")
    _number(_object(report["profile"], "the profile", PROFILE_FIELDS)["factor"], "the factor")
    _object(report["profile"]["settings"], "the settings")
    journal = _object(report["journal"], "the journal", {"file", "entries", "root", "checkpoint"})
    if journal["file"] != written.JOURNAL:
        raise _wrong("the journal is not the file beside it")
    _count(journal["entries"], "the number of entries")
    _text(journal["checkpoint"], "the checkpoint")
    for test in _list(report["tests"], "the tests"):
        _test(_object(test, "a test", TEST_FIELDS))
    _object(report["citation"], "the citation")
    return report, _text(found["signature"], "the signature")


def _test(test: Mapping[str, Any]) -> None:
    for name in ("number", "name", "verdict", "reason"):
        _text(test[name], name)
    _number(test["seconds"], "the seconds")
    for done in _list(test["done"], "what was done"):
        _text(done, "what was done")
    for target in _list(test["targets"], "the targets"):
        made = _object(target, "a target", TARGET_FIELDS)
        for name in ("what", "relation", "unit"):
            _text(made[name], name)
        _number(made["bound"], "a bound")
        if made["measured"] is not None:
            _number(made["measured"], "a measured figure")
        if not isinstance(made["met"], bool):
            raise _wrong("met is not true or false")
    for figure in _object(test["figures"], "the figures").values():
        _object(figure, "a figure", FIGURE_FIELDS)
    evidence = _object(test["evidence"], "the evidence", EVIDENCE_FIELDS)
    for name in ("first", "last", "entries"):
        _count(evidence[name], name)
    _text(_object(evidence["checkpoint"], "a checkpoint", {"size", "root", "note"})["note"], "a checkpoint")


def _vouched(note: str, signer: str) -> Checkpoint:
    """A checkpoint that the report's own key signed for its own journal. Raises Tampered, Invalid."""
    found = signed_checkpoint(note, signer, right)
    if found.origin != parse_verifier_key(signer)[0]:
        raise Tampered(f"the checkpoint at size {found.size} is of another journal", AGAIN)
    return found


def _journal(file: Path, checkpoints: Sequence[Checkpoint]) -> list[Entry]:
    """Every entry of the journal beside the report, chained and vouched for. Raises Tampered naming the first wrong one."""
    verifier = Verifier(checkpoints=checkpoints)
    entries = [verifier.feed_raw(line) for line in _lines(_bytes(file, JOURNAL_BYTES))]
    verifier.finish()
    return entries


def _lines(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        end = raw.find(b"\n", at, at + LONGEST_LINE + 2)
        end = min(len(raw), at + LONGEST_LINE + 2) if end < 0 else end + 1
        yield raw[at:end]
        at = end


def _ends(journal: Mapping[str, Any], last: Checkpoint, lines: int) -> None:
    if not journal["entries"] == lines == last.size:
        raise Tampered(
            f"the report says {journal['entries']} entries, its checkpoint {last.size}, and the journal has {lines}",
            AGAIN,
        )
    if journal["root"] != last.root.hex():
        raise Tampered("the root of the journal is not the one that its checkpoint vouches for", AGAIN)


def _evidence(test: Mapping[str, Any], checkpoint: Checkpoint, entries: Sequence[Entry]) -> None:
    """The range exists, its checkpoint closes it, and its counts are those of the journal. Raises Tampered."""
    found, which = test["evidence"], f"test {test['number']}"
    first, last = found["first"], found["last"]
    if not 1 <= first <= last + 1 <= len(entries) + 1:
        raise Tampered(f"{which} names entries {first} to {last}, and the journal has {len(entries)}", AGAIN)
    if (found["checkpoint"]["size"], found["checkpoint"]["root"]) != (checkpoint.size, checkpoint.root.hex()):
        raise Tampered(f"{which} names another checkpoint than the one that is signed", AGAIN)
    if checkpoint.size != last:
        raise Tampered(f"{which} ends at entry {last}, and its checkpoint at {checkpoint.size}", AGAIN)
    for name, value in counted(entries[first - 1 : last]).items():
        if canonical(found[name]) != canonical(value):
            raise Tampered(
                f"{which} says {name.replace('_', ' ')} {_short(found[name])}, and the journal says {_short(value)}",
                AGAIN,
            )


def _short(value: object) -> str:
    said = canonical(value)
    return said if len(said) <= 200 else said[:200] + "..."


def _verdict(test: Mapping[str, Any]) -> None:
    """The verdict is one that the targets allow. Raises Tampered."""
    which = f"test {test['number']}"
    for target in test["targets"]:
        if target["met"] is not reached(target["measured"], target["relation"], target["bound"]):
            raise Tampered(
                f"{which}: {target['what']} is {target['measured']} and must be {target['relation']} {target['bound']}, "
                f"which is {'not ' if target['met'] else ''}met",
                AGAIN,
            )
    missed = [target["what"] for target in test["targets"] if not target["met"]]
    passed = bool(test["targets"]) and not missed and not test["reason"]
    if test["verdict"] not in ("passed", "failed", "not run") or (test["verdict"] == "passed") is not passed:
        raise Tampered(f"{which} is called {test['verdict']}, which its targets do not say", AGAIN)
    if test["reason"].startswith(MISSED) and test["reason"] != missing(missed):
        raise Tampered(f"{which} does not say truly which targets it missed", AGAIN)
    if missed and test["verdict"] != "failed":
        raise Tampered(f"{which} missed a target and is called {test['verdict']}", AGAIN)


def _whole(report: Mapping[str, Any]) -> None:
    """What is said of all tests follows from each. Raises Tampered."""
    numbers = [test["number"] for test in report["tests"]]
    if numbers != [number for number in NUMBERS if number in numbers]:
        raise Tampered("the tests are not in order, or one of them is none of the protocol", AGAIN)
    if report["complete"] is not (numbers == list(NUMBERS)):
        raise Tampered("the report does not say truly whether all tests are in it", AGAIN)
    if report["passed"] is not all(test["verdict"] == "passed" for test in report["tests"]):
        raise Tampered("the report does not say truly whether it passed", AGAIN)
    if canonical(report["citation"]) != canonical(written.citation(report)):
        raise Tampered("the citation does not say what the report says", AGAIN)


def _page(file: Path, digest: str) -> None:
    """The page for people, where it is there, is the one that was made of the report. Raises Tampered."""
    if os.path.lexists(file) and hashlib.sha256(_bytes(file, REPORT_BYTES)).hexdigest() != digest:
        raise Tampered(f"{file.name} is not the page that was made of {written.REPORT}: one of them was edited", AGAIN)


def _object(value: object, what: str, fields: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(f"{what} is not an object")
    if fields is not None and value.keys() != fields:
        odd = sorted(set(value) ^ fields)[0]
        raise _wrong(f"{what} has not exactly its fields ({odd[:40]})")
    return cast("dict[str, Any]", value)


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(f"{what} is not a list")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise _wrong(f"{what} is not text")
    return value


def _number(value: object, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(f"{what} is not a number")


def _count(value: object, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(f"{what} is not a count")


def _wrong(what: str) -> Invalid:
    return Invalid(NONE + what.removeprefix(NONE), "name the report.json of a run")
