"""Reports: what the journal proves, with a citation block that another can check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from multiagent_bridge.errors import NotFound
from multiagent_bridge.model.journal import Entry, microseconds_to_iso
from multiagent_bridge.ports import Clock
from multiagent_bridge.services.evidence import Evidence, Verified
from multiagent_bridge.services.journal import PAGE, Journal

Fields = dict[str, object]


@dataclass(slots=True)
class Tally:
    """What the entries of a span add up to."""

    entries: int = 0
    first: Entry | None = None
    last: Entry | None = None
    acts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    redactions: Counter[str] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=list)

    def read(self, entry: Entry) -> None:
        self.entries += 1
        self.first = self.first or entry
        self.last = entry
        if entry.outcome == "refused":
            self.refusals[entry.code] += 1
            return
        self.acts[entry.action] += 1
        kinds = entry.facts.get("redactions")
        if isinstance(kinds, str) and kinds:
            self.redactions.update(kinds.split(","))
        if entry.action == "message.send":
            self.latencies.append(entry.latency_us)


class Reports:
    def __init__(self, journal: Journal, evidence: Evidence, clock: Clock, version: str) -> None:
        self._journal = journal
        self._evidence = evidence
        self._clock = clock
        self._version = version

    async def report(self, conversation_id: str | None = None) -> Fields:
        """Counts, latencies, verification and citation for one conversation or for everything; each figure is from the journal.

        Raises Tampered when the journal does not verify: there is nothing to report on then. NotFound without entries.
        """
        verified = await self._evidence.verify()
        tally, after = Tally(), 0
        while page := await self._journal.entries(after, PAGE, conversation_id):
            after = page[-1].seq
            for entry in page:
                # what came since is verified by nobody yet
                if entry.seq <= verified.entries:
                    tally.read(entry)
            if after >= verified.entries:
                break
        if tally.first is None or tally.last is None:
            raise NotFound("the journal has no entry of that", "mab list shows the conversations")
        note = await self._journal.checkpoint()
        now = self._clock.now()
        return {
            "subject": conversation_id or "all conversations",
            "from": microseconds_to_iso(tally.first.at),
            "to": microseconds_to_iso(tally.last.at),
            "entries": tally.entries,
            "range": f"{tally.first.seq}-{tally.last.seq}",
            "acts": dict(sorted(tally.acts.items())),
            "refusals": dict(sorted(tally.refusals.items())),
            "redactions": dict(sorted(tally.redactions.items())),
            "send_latency_us": quantiles(tally.latencies),
            "verified": verified.fields(),
            "citation": self._citation(conversation_id, tally, verified, now),
            "checkpoint": note,
            "verifier_key": self._journal.verifier_key,
        }

    def _citation(self, conversation_id: str | None, tally: Tally, verified: Verified, now: int) -> Fields:
        assert tally.first is not None
        assert tally.last is not None
        date = microseconds_to_iso(now)
        subject = conversation_id or "every conversation"
        return {
            "id": f"IF.TTT.{date[:4]}.{tally.last.seq:03d}.{(conversation_id or 'JOURNAL').upper()}",
            "type": "audit evidence",
            "project": "mcp-multiagent-bridge",
            "version": self._version,
            "date": date,
            "protocol": "docs/security/audit-format.md, version 1",
            "claim": f"entries {tally.first.seq} to {tally.last.seq} record what was done and refused in {subject}",
            "method": "hash chain and RFC 6962 root recomputed, checkpoints verified, stored messages compared with entries",
            "evidence": [
                f"{verified.entries} entries verify, root {verified.root.hex()}",
                f"{verified.messages} stored messages are the ones that were sent",
                f"{verified.checkpoints} signed checkpoints, the last at {verified.last_checkpoint}",
            ],
            "confidence": "verified; whoever holds the key could have rewritten what no checkpoint kept elsewhere covers",
            "reproducible": True,
            "command": "mab audit --verify",
        }


def quantiles(values: Sequence[int]) -> Fields:
    """Count, median, 95th percentile and largest, in microseconds; None where there is nothing."""
    if not values:
        return {"count": 0, "p50": None, "p95": None, "max": None}
    ordered = sorted(values)
    last = len(ordered) - 1
    return {"count": len(ordered), "p50": ordered[last // 2], "p95": ordered[last * 95 // 100], "max": ordered[-1]}


def markdown(report: Fields) -> str:
    """The report as a page for people, citation block last."""
    lines = [
        f"# Evidence: {report['subject']}",
        "",
        f"{report['entries']} entries ({report['range']}), {report['from']} to {report['to']}.",
        "",
    ]
    for title in ("acts", "refusals", "redactions", "send_latency_us", "verified"):
        lines += [f"## {title.replace('_', ' ')}", "", *_table(report[title]), ""]
    lines += ["## checkpoint", "", "```", *str(report["checkpoint"]).rstrip("\n").split("\n"), "```", ""]
    lines += [
        f"Verifier key: `{report['verifier_key']}`",
        "",
        "## citation",
        "",
        "```yaml",
        *_yaml(report["citation"]),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _table(rows: object) -> list[str]:
    if not isinstance(rows, dict) or not rows:
        return ["none"]
    return ["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]


def _yaml(citation: object) -> list[str]:
    assert isinstance(citation, dict)
    lines = []
    for name, value in citation.items():
        if isinstance(value, list):
            lines += [f"{name}:", *(f"  - {item}" for item in value)]
        else:
            lines.append(f"{name}: {str(value).lower() if isinstance(value, bool) else value}")
    return lines
