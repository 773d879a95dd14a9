"""The command policy: what one judgement costs, what loading the rules costs, and how its answers compare with labels.

Judged are the open half of the labelled commands where it lies beside the repository, and the project's own judged lines. Times
are processor time, the least of some rounds for each line, so that a busy machine is not measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, milliseconds, p50, percentile
from multiagent_bridge.adapters.policies import read_policy
from multiagent_bridge.guard.policy import Policy

ROOT = Path(__file__).parent.parent
CORPUS = ROOT.parent / "shared" / "corpora" / "commands-open.jsonl"
LINES = ROOT / "tests" / "guard" / "policy_lines"
LOADING = (
    "import time,re,json,dataclasses,typing,enum,hashlib,importlib.resources\n"
    "from multiagent_bridge.adapters.policies import read_policy\n"
    "t=time.process_time();read_policy();print(time.process_time()-t)"
)


@dataclass(frozen=True)
class Row:
    command: str
    mode: str
    allow: bool
    labelled: bool = False
    sandbox: bool = False


def judging(quick: bool) -> list[Figure]:
    """Time and answers of the policy that a hub judges by, the second reader of shell lines included."""
    policy = read_policy()
    rows = _rows()
    seconds = _timed(policy, rows, 3 if quick else 9)
    took = [seconds[place] for place, row in enumerate(rows) if row.labelled] or seconds
    return [_speed(took, seconds), *_answers(policy, rows), _loading(3 if quick else 7)]


def _rows() -> list[Row]:
    rows: list[Row] = []
    if CORPUS.exists():
        for line in CORPUS.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            sandbox = row["layer"] == "sandbox"
            rows.append(Row(row["command"], row["mode"], row["expect"] == "allow", True, sandbox))
    for file in sorted(LINES.glob("*.txt")):
        mode, _, answer = file.stem.partition("_")
        rows += [Row(line, mode, answer == "allowed") for line in file.read_text(encoding="utf-8").splitlines()]
    return rows


def _timed(policy: Policy, rows: Sequence[Row], rounds: int) -> list[float]:
    least = [float("inf")] * len(rows)
    for _ in range(rounds):
        for place, row in enumerate(rows):
            began = time.thread_time_ns()
            policy.judge(row.command, row.mode)
            least[place] = min(least[place], (time.thread_time_ns() - began) / 1e9)
    return least


def _speed(took: Sequence[float], every: Sequence[float]) -> Figure:
    p99 = percentile(took, 0.99)
    facts = {"p50_us": p50(took) * 1e6, "p99_us": p99 * 1e6, "worst_us": max(took) * 1e6, "judged": len(took)}
    facts["own_p99_us"] = percentile(every, 0.99) * 1e6
    measured = (
        f"p50 {milliseconds(p50(took))}, p99 {milliseconds(p99)}, worst {milliseconds(max(took))} ({len(took)} lines)"
    )
    return Figure("policy", "judging one command", "p99 under 1 ms", measured, p99 < 1e-3, facts)


def _answers(policy: Policy, rows: Sequence[Row]) -> list[Figure]:
    found = []
    for labelled in (True, False):
        judged = [row for row in rows if row.labelled is labelled and not row.sandbox]
        if not judged:
            continue
        said = [policy.judge(row.command, row.mode).allowed for row in judged]
        passed = sum(answer and not row.allow for row, answer in zip(judged, said, strict=True))
        blocked = sum(row.allow and not answer for row, answer in zip(judged, said, strict=True))
        block, allow = sum(not row.allow for row in judged), sum(row.allow for row in judged)
        measured = f"false allow {passed} of {block}, false block {blocked} of {allow} = {100 * blocked / allow:.2f} %"
        facts = {"errors": passed, "false_block": blocked, "block": block, "allow": allow}
        what = "answers to the open half of the labelled commands" if labelled else "answers to the project's own lines"
        bar = "no false allow; false block at most 2 %"
        found.append(Figure("policy", what, bar, measured, passed == 0 and blocked <= 0.02 * allow, facts))
    return found


def _loading(rounds: int) -> Figure:
    """All rules read and every example judged, in processes of their own."""
    times = [
        float(subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True).stdout)
        for _ in range(rounds)
    ]
    measured = f"{milliseconds(min(times))} of processor time"
    return Figure(
        "policy", "loading every rule with its examples", "under 150 ms", measured, min(times) < 0.15, {"s": min(times)}
    )
