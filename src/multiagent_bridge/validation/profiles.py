"""The clock of a run: the protocol's own times, or all of them divided by one factor."""

from __future__ import annotations

import json
from dataclasses import dataclass

from multiagent_bridge.errors import Invalid
from multiagent_bridge.model.limits import Limits, Window

FACTORS = {"quick": 30, "full": 1}


@dataclass(frozen=True, slots=True)
class Profile:
    """`factor` divides every time of the protocol, and of the settings that are times; latencies are never scaled.

    All times in seconds.
    """

    name: str
    factor: int

    @classmethod
    def of(cls, name: str) -> Profile:
        """Raises Invalid for a profile that is not there."""
        if name not in FACTORS:
            raise Invalid(f"there is no profile {name}", f"use one of {', '.join(FACTORS)}")
        return cls(name, FACTORS[name])

    def scaled(self, seconds: float) -> float:
        return seconds / self.factor

    @property
    def threshold(self) -> float:
        return self.scaled(300)

    @property
    def check(self) -> float:
        return self.scaled(60)

    @property
    def keepalive(self) -> float:
        return self.scaled(30)

    @property
    def poll(self) -> float:
        """Between two looks of a worker for its credentials."""
        return self.scaled(60)

    @property
    def cut(self) -> float:
        """How long a worker is cut off."""
        return self.scaled(60)

    @property
    def mail(self) -> float:
        """Between two messages to a worker whose client sleeps."""
        return self.scaled(60)

    @property
    def push(self) -> float:
        """Between two messages to watchers; half a second at least, so that each is heard by itself."""
        return max(0.5, self.scaled(2))

    @property
    def refill(self) -> float:
        """Until a session's budget of writes for a minute is whole again."""
        return self.scaled(60)

    @property
    def wait(self) -> float:
        """How long one waiting call of an agent lasts."""
        return max(1.0, self.scaled(20))

    def settings(self) -> dict[str, str]:
        """What the hub is started with: the product's limits, their times divided."""
        limits = Limits()

        def rates(windows: tuple[Window, ...]) -> str:
            return json.dumps([[w.limit, max(1, w.seconds // self.factor)] for w in windows])

        return {
            "MAB_STORE": "",
            "MAB_LIMITS__WRITES": rates(limits.writes),
            "MAB_LIMITS__READS": rates(limits.reads),
            "MAB_LIMITS__ALIVE_SECONDS": str(limits.alive_seconds // self.factor),
            "MAB_HUB__IDLE_SECONDS": "120",
        }

    def facts(self) -> dict[str, object]:
        """What a report says of it."""
        return {
            "name": self.name,
            "factor": self.factor,
            "threshold_seconds": self.threshold,
            "check_seconds": self.check,
            "keepalive_seconds": self.keepalive,
            "credentials_poll_seconds": self.poll,
            "settings": self.settings(),
        }


RAISED = {
    f"MAB_LIMITS__{name}": json.dumps([[1_000_000, 60]])
    for name in ("WRITES", "READS", "CREATIONS", "FAILURES", "INVITES")
}
"""What the last part of the stress test raises."""
