"""The report of a run: figures, evidence and citation as one document, signed with the key of the run's hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multiagent_bridge.model.checkpoints import Checkpoint
from multiagent_bridge.validation.frame import NUMBERS, Fields, confidence
from multiagent_bridge.validation.machine import Here
from multiagent_bridge.validation.signature import canonical, signed

if TYPE_CHECKING:
    from multiagent_bridge.validation.run import Ran

FORMAT = 1
REPORT, PAGE, JOURNAL = "report.json", "report.md", "journal.jsonl"
CHECKPOINT = JOURNAL + ".checkpoint"
PROJECT = "mcp-multiagent-bridge"
PROTOCOL = "S2 protocol: 13 tests and a stress test of one orchestrator and eight workers"


def document(ran: Ran, here: Here, began: str, ended: str, entries: int, command: str) -> dict[str, Any]:
    """The whole report, signed. `entries` is how many lines the exported journal has; `command` makes another such run."""
    checkpoint = Checkpoint.parse(ran.checkpoint)
    report: Fields = {
        "mab_validation": FORMAT,
        "profile": ran.profile.facts(),
        "began": began,
        "ended": ended,
        "passed": all(one.verdict == "passed" for one in ran.outcomes),
        "complete": [one.number for one in ran.outcomes] == list(NUMBERS),
        "machine": here.machine,
        "versions": here.versions,
        "tests": [one.fields() for one in ran.outcomes],
        "journal": {
            "file": JOURNAL,
            "entries": entries,
            "root": checkpoint.root.hex(),
            "checkpoint": ran.checkpoint,
        },
        "verifier_key": ran.verifier_key,
        "command": command,
    }
    # as it will be read again: tuples become lists, numbers what JSON makes of them
    plain: Fields = json.loads(canonical(report))
    plain["citation"] = citation(plain)
    plain["page"] = hashlib.sha256(markdown(plain).encode()).hexdigest()
    return {"report": plain, "signature": signed(plain, ran.verifier_key, ran.sign)}


def written(found: Mapping[str, Any]) -> str:
    """The one form in which a report stands in its file."""
    return json.dumps(found, indent=2, allow_nan=False) + "\n"


def citation(report: Mapping[str, Any]) -> Fields:
    """The IF.TTT block, every word of it from the rest of the report."""
    tests: Sequence[Mapping[str, Any]] = report["tests"]
    verdicts = [str(test["verdict"]) for test in tests]
    date, profile = str(report["ended"]), report["profile"]
    passed = sum(verdict == "passed" for verdict in verdicts)
    return {
        "id": f"IF.TTT.{date[:4]}.{report['journal']['entries']:03d}.S2-VALIDATION",
        "type": "validation report",
        "project": PROJECT,
        "version": report["versions"]["multiagent_bridge"],
        "commit": report["versions"]["commit"],
        "date": date,
        "protocol": PROTOCOL,
        "claim": f"{passed} of {len(NUMBERS)} tests of the protocol passed in profile {profile['name']}",
        "method": f"real processes over MCP against one hub; times of the protocol divided by {profile['factor']}",
        "evidence": [_evidence(test) for test in tests],
        "data": [REPORT, PAGE, JOURNAL, CHECKPOINT],
        "confidence": confidence(verdicts, len(NUMBERS)),
        "reproducible": True,
        "command": report["command"],
        "verify": f"mab report verify {REPORT}",
    }


def _evidence(test: Mapping[str, Any]) -> str:
    found = test["evidence"]
    where = f"entries {found['first']}-{found['last']}" if found["entries"] else "no entry"
    checkpoint = found["checkpoint"]
    return (
        f"{test['number']} {test['name']}: {test['verdict']}, {where}, "
        f"checkpoint at {checkpoint['size']}, root {checkpoint['root']}"
    )


def markdown(report: Mapping[str, Any]) -> str:
    """The report as a page for people; its digest is a part of what is signed."""
    profile = report["profile"]
    verdict = "not passed" if not report["passed"] else "passed" if report["complete"] else "passed in part"
    lines = [
        f"# Validation: {verdict}",
        "",
        f"Profile {profile['name']}: every time of the protocol divided by {profile['factor']}, latencies as they are. "
        f"{report['began']} to {report['ended']}.",
        "",
        "| # | test | verdict | seconds | entries | |",
        "|---|---|---|---|---|---|",
        *(_row(test) for test in report["tests"]),
        "",
    ]
    for test in report["tests"]:
        lines += _test(test)
    lines += ["## Machine and versions", "", *_pairs(report["machine"]), *_pairs(report["versions"]), ""]
    lines += ["## Settings", "", *_pairs(profile["settings"]), ""]
    lines += ["## Journal", "", f"{report['journal']['entries']} entries in {report['journal']['file']}.", ""]
    lines += ["```", *str(report["journal"]["checkpoint"]).rstrip("\n").split("\n"), "```", ""]
    lines += [f"Verifier key: `{report['verifier_key']}`", "", "## Citation", "", "```yaml", *_yaml(report["citation"])]
    lines += ["```"]
    return "\n".join(lines) + "\n"


def _row(test: Mapping[str, Any]) -> str:
    cells = (test["number"], test["name"], test["verdict"], test["seconds"], _span(test["evidence"]), test["reason"])
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _span(found: Mapping[str, Any]) -> str:
    return f"{found['first']}-{found['last']}" if found["entries"] else "none"


def _test(test: Mapping[str, Any]) -> list[str]:
    lines = [f"## {test['number']}. {_cell(test['name'])}: {test['verdict']}", ""]
    lines += [f"- {_cell(done)}" for done in test["done"]]
    if test["targets"]:
        lines += ["", "| target | | measured | |", "|---|---|---|---|"]
        lines += [
            f"| {_cell(t['what'])} | {t['relation']} {t['bound']} {_cell(t['unit'])} | {t['measured']} "
            f"| {'met' if t['met'] else '**missed**'} |"
            for t in test["targets"]
        ]
    if test["figures"]:
        lines += [
            "",
            "| measured | unit | count | mean | min | median | p95 | max |",
            "|---|---|---|---|---|---|---|---|",
        ]
        names = ("unit", "count", "mean", "min", "median", "p95", "max")
        lines += [
            f"| {_cell(name)} | {' | '.join(_cell(figure[one]) for one in names)} |"
            for name, figure in test["figures"].items()
        ]
    found = test["evidence"]
    lines += [
        "",
        f"Evidence: entries {_span(found)} of the journal, checkpoint at {found['checkpoint']['size']}, "
        f"root `{found['checkpoint']['root']}`.",
        "",
    ]
    return lines


def _cell(value: object) -> str:
    """A value that cannot end its cell, nor begin a line."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    return text.replace("|", "\\|").replace("<", "&lt;")


def _pairs(fields: Mapping[str, object]) -> list[str]:
    return [f"- {_cell(name)}: {_cell(value)}" for name, value in fields.items()]


def _yaml(fields: Mapping[str, object]) -> list[str]:
    lines = []
    for name, value in fields.items():
        if isinstance(value, list):
            lines += [f"{name}:", *(f"  - {json.dumps(item)}" for item in value)]
        else:
            lines.append(f"{name}: {json.dumps(value)}")
    return lines
