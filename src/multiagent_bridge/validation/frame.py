"""What a test of the protocol leaves: what was done, what was to be reached, what was measured, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Relation = Literal["exactly", "at least", "at most", "under"]
Verdict = Literal["passed", "failed", "not run"]
Fields = dict[str, object]
Number = int | float

NUMBERS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "S")
"""The tests of the protocol, in their order."""

MISSED = "missed: "
"""Begins the reason of a test that came to its end and missed a target."""

DIGITS = 3
"""Decimals that a measured figure keeps."""


class NotHere(Exception):
    """This machine lacks what the test needs. The text says what."""


def reached(measured: Number | None, relation: str, bound: Number) -> bool:
    """Whether a measured figure keeps to its bound; what was not measured keeps to nothing."""
    if measured is None:
        return False
    match relation:
        case "exactly":
            return measured == bound
        case "at least":
            return measured >= bound
        case "at most":
            return measured <= bound
        case "under":
            return measured < bound
    return False


@dataclass(frozen=True, slots=True)
class Target:
    """One pass mark. `measured` is None when the test ended before it was."""

    what: str
    relation: Relation
    bound: Number
    measured: Number | None
    unit: str = ""

    @property
    def met(self) -> bool:
        return reached(self.measured, self.relation, self.bound)

    def fields(self) -> Fields:
        return {
            "what": self.what,
            "relation": self.relation,
            "bound": self.bound,
            "measured": self.measured,
            "unit": self.unit,
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """What a list of measurements comes to, in their unit: nearest ranks, and the mean that the protocol speaks of."""

    unit: str
    count: int
    mean: Number | None
    least: Number | None
    median: Number | None
    p95: Number | None
    most: Number | None

    @classmethod
    def of(cls, values: Sequence[Number], unit: str) -> Measured:
        if not values:
            return cls(unit, 0, None, None, None, None, None)
        ordered = sorted(values)
        number = len(ordered)
        middle, high = -(-number // 2) - 1, -(-95 * number // 100) - 1
        found = (sum(ordered) / number, ordered[0], ordered[middle], ordered[high], ordered[-1])
        return cls(unit, number, *(round(value, DIGITS) for value in found))

    def fields(self) -> Fields:
        return {
            "unit": self.unit,
            "count": self.count,
            "mean": self.mean,
            "min": self.least,
            "median": self.median,
            "p95": self.p95,
            "max": self.most,
        }


@dataclass(slots=True)
class Sheet:
    """What one test writes down while it runs, so that one that breaks off still says what it had measured."""

    done: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    figures: dict[str, Measured] = field(default_factory=dict)
    lacks: str = ""
    first: int = 0
    """First entry of its range where that is not the first one written since it began."""

    def did(self, what: str) -> None:
        self.done.append(what)

    def target(self, what: str, relation: Relation, bound: Number, measured: Number | None, unit: str = "") -> None:
        found = measured if measured is None or isinstance(measured, int) else round(measured, DIGITS)
        limit = bound if isinstance(bound, int) else round(bound, DIGITS)
        self.targets.append(Target(what, relation, limit, found, unit))

    def holds(self, what: str, true: bool) -> None:
        """A pass mark that is yes or no: 1 is yes."""
        self.target(what, "exactly", 1, int(true), "yes")

    def measure(self, name: str, values: Sequence[Number], unit: str) -> Measured:
        self.figures[name] = Measured.of(values, unit)
        return self.figures[name]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A test that has ended. `evidence` is its range of the journal and what vouches for it; `seconds` is how long it took."""

    number: str
    name: str
    verdict: Verdict
    reason: str
    seconds: float
    sheet: Sheet
    evidence: Mapping[str, object]

    def fields(self) -> Fields:
        return {
            "number": self.number,
            "name": self.name,
            "done": list(self.sheet.done),
            "targets": [target.fields() for target in self.sheet.targets],
            "figures": {name: figure.fields() for name, figure in self.sheet.figures.items()},
            "verdict": self.verdict,
            "reason": self.reason,
            "seconds": round(self.seconds, DIGITS),
            "evidence": dict(self.evidence),
        }


def judged(targets: Sequence[Mapping[str, object]], reason: str, lacks: str) -> Verdict:
    """The verdict that the targets of a test allow: failed when one was missed or it broke off, not run when it could not be
    done here, passed when there are targets and all were met.
    """
    if reason and not lacks:
        return "failed"
    if any(not target["met"] for target in targets):
        return "failed"
    if lacks:
        return "not run"
    return "passed" if targets else "failed"


def missing(targets: Sequence[str]) -> str:
    """The reason of a test that missed these."""
    return MISSED + ", ".join(targets) if targets else ""


def confidence(verdicts: Sequence[str], every: int) -> str:
    """What may be concluded, from what passed; `every` is how many tests the protocol has."""
    passed = sum(verdict == "passed" for verdict in verdicts)
    failed = sum(verdict == "failed" for verdict in verdicts)
    if passed == every == len(verdicts):
        return f"high: {passed} of {every} tests passed"
    if failed:
        return f"none: {failed} of {len(verdicts)} tests failed"
    return f"partial: {passed} of {every} tests passed, the others were not run"
