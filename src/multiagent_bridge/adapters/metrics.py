"""Metrics for Prometheus: plain counts while the hub works, families of samples when somebody reads them.

Every label is one of our own words, so that no client can make a series, and none can learn what another one sent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from multiagent_bridge.errors import BridgeError
from multiagent_bridge.model.gauges import Reading
from multiagent_bridge.model.health import Counts

UNKNOWN = "unknown"
"""Stands for every tool that is not there, whatever it was called."""

FAILED = "failed"
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0)
"""Seconds. The longest wait is 50."""


def outcomes() -> tuple[str, ...]:
    """Everything that a call may come to: done, cancelled, and the code of each error."""
    found, left = {BridgeError.code}, [BridgeError]
    while left:
        below = left.pop().__subclasses__()
        found.update(kind.code for kind in below)
        left += below
    return ("done", "cancelled", *sorted(found))


class Metrics(Collector):
    """`ports.Observer`, and what it saw as metrics. `connections` says how many there are by HTTP, `backed_up` whether the
    newest backup that the hub made by itself is as young as it was asked for.
    """

    def __init__(self, tools: Iterable[str], version: str, connections: Callable[[], int] = lambda: 0) -> None:
        self._tools = (*sorted(tools), UNKNOWN)
        self._calls = {(tool, outcome): 0 for tool in self._tools for outcome in outcomes()}
        self._within = {tool: [0] * (len(BOUNDS) + 1) for tool in self._tools}
        self._seconds = dict.fromkeys(self._tools, 0.0)
        self._under_way = dict.fromkeys(self._tools, 0)
        self._quick = [0] * (len(BOUNDS) + 1)
        self._waiting = 0
        self._version = version
        self._reading = Reading()
        self.connections = connections
        self.backed_up = False
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def begun(self, tool: str, waits: bool) -> None:
        self._under_way[tool if tool in self._under_way else UNKNOWN] += 1
        self._waiting += waits

    def done(self, tool: str, waits: bool, outcome: str, seconds: float) -> None:
        if (tool, outcome) not in self._calls:
            tool = tool if tool in self._under_way else UNKNOWN
            outcome = outcome if (tool, outcome) in self._calls else FAILED
        self._calls[tool, outcome] += 1
        place = bisect_left(BOUNDS, seconds)
        self._within[tool][place] += 1
        self._quick[place] += not waits
        self._seconds[tool] += seconds
        self._under_way[tool] -= 1
        self._waiting -= waits

    def counts(self) -> Counts:
        """What the calls so far add up to, of those pairs of tool and outcome that there were."""
        calls = {named: count for named, count in self._calls.items() if count}
        return Counts(calls, self._waiting, BOUNDS, tuple(self._quick))

    def rendered(self, reading: Reading) -> bytes:
        """Everything in the text format of Prometheus, with what was read from the store."""
        self._reading = reading
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """The families; `registry` asks for them."""
        yield from self._of_calls()
        read = self._reading
        for name, meaning, value in (
            ("mab_calls_waiting", "calls whose agent waits: for mail, or for a person", self._waiting),
            ("mab_http_connections", "connections by HTTP, half-open ones included", self.connections()),
            ("mab_agents_connected", "agents that this hub serves now", read.agents),
            ("mab_store_transactions", "transactions under way or waiting for their turn", read.transactions),
            ("mab_conversations", "conversations that have not expired", read.conversations),
            ("mab_tasks_open", "tasks that are not finished, of those conversations", read.tasks),
            ("mab_approvals_pending", "commands that wait for a person, of the oldest 1,000 open", read.approvals),
            ("mab_approvals_oldest_seconds", "how long the oldest of them has waited", read.longest),
            ("mab_sessions_silent", "sessions that the watchdog reported and that are not back", read.silences),
            ("mab_journal_lag_entries", "entries behind the last signed checkpoint", read.unsigned),
            ("mab_backup_current", "1 while a backup of the hub's own is as young as asked for", self.backed_up),
        ):
            yield GaugeMetricFamily(name, meaning, value=float(value))
        yield CounterMetricFamily("mab_journal_entries", "entries of the journal", value=read.entries)
        build = GaugeMetricFamily("mab_build_info", "the version that runs; always 1", labels=("version",))
        build.add_metric((self._version,), 1.0)
        yield build

    def _of_calls(self) -> Iterator[Metric]:
        calls = CounterMetricFamily("mab_calls", "calls that ended, by tool and outcome", labels=("tool", "outcome"))
        for named, count in self._calls.items():
            calls.add_metric(named, count)
        yield calls
        under_way = GaugeMetricFamily("mab_calls_in_flight", "calls that have not ended", labels=("tool",))
        lasted = HistogramMetricFamily("mab_call_seconds", "how long calls took, waits included", labels=("tool",))
        for tool in self._tools:
            under_way.add_metric((tool,), self._under_way[tool])
            upto = [*map(str, BOUNDS), "+Inf"]
            counts = [float(count) for count in accumulate(self._within[tool])]
            lasted.add_metric((tool,), list(zip(upto, counts, strict=True)), self._seconds[tool])
        yield under_way
        yield lasted
