"""`/metrics`: what it counts, who may read it, and that page, dashboard and alerts name nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from multiagent_bridge import config
from multiagent_bridge.adapters.metrics import BOUNDS, Metrics, outcomes
from multiagent_bridge.cli import serve
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.mcp.server import TOOLS
from multiagent_bridge.model.callers import ROLES
from multiagent_bridge.model.gauges import Reading
from multiagent_bridge.testing.hubs import OWNER, memory_hub
from tests.faces.http_yard import ALICE, BOB, Yard, fields, identity, yard

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "deploy/grafana/bridge.json"
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
PAGE = ROOT / "docs/guide/metrics.md"

AUDITOR = "auditor-secret-" + "c" * 40
NAME = re.compile(r"\b(?:mab|process)_[a-z_]+\b")
SCRAPED = frozenset({"job", "instance"})
"""Labels that Prometheus adds itself."""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(here: Yard) -> Samples:
    here.table.known[AUDITOR] = identity("prometheus", "auditor")
    here.world.clock.advance(60)
    async with here.http(AUDITOR) as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parsed(answer.text)


def parsed(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def registered() -> dict[str, str]:
    """Every family's name as it is scraped, with its type."""
    rendered = Metrics([tool.name for tool in TOOLS], "0").rendered(Reading()).decode()
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", rendered, re.MULTILINE))


def series() -> set[str]:
    """Every name that a sample may have."""
    suffixes = {"histogram": ("_bucket", "_count", "_sum")}
    return {name + suffix for name, kind in registered().items() for suffix in suffixes.get(kind, ("",))}


@pytest.mark.anyio
@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_each_call_counts_once_by_tool_and_outcome_with_its_time(era: str) -> None:
    async with yard() as here:
        await here.pair(era)
        async with here.client(ALICE, era) as alice:
            for _ in range(3):
                await fields(alice, "send_to_partner", message="hello")
            assert (await alice.call_tool("send_to_partner", {})).is_error
        found = await scraped(here)
    assert value(found, "mab_calls_total", tool="send_to_partner", outcome="done") == 3
    assert value(found, "mab_calls_total", tool="send_to_partner", outcome="invalid") == 1
    assert value(found, "mab_calls_total", tool="create_conversation", outcome="done") == 1
    assert value(found, "mab_call_seconds_count", tool="send_to_partner") == 4
    assert value(found, "mab_call_seconds_bucket", tool="send_to_partner", le="60.0") == 4
    assert 0 < value(found, "mab_call_seconds_sum", tool="send_to_partner") < 60
    assert value(found, "mab_calls_in_flight", tool="send_to_partner") == 0
    assert value(found, "mab_conversations") == 1
    assert value(found, "mab_journal_entries_total") == (await here.world.hub.journal.head()).size
    assert value(found, "mab_http_connections") >= 1


@pytest.mark.anyio
async def test_who_waits_for_mail_is_seen_waiting_and_then_no_longer() -> None:
    async with yard() as here:
        await here.pair()
        async with here.client(BOB) as bob, here.client(ALICE) as alice:
            with anyio.fail_after(90):
                async with anyio.create_task_group() as group:
                    group.start_soon(fields_of_waiting, bob)
                    while value(await scraped(here), "mab_calls_waiting") < 1:
                        await anyio.lowlevel.checkpoint()
                    found = await scraped(here)
                    assert value(found, "mab_calls_in_flight", tool="check_messages") == 1
                    assert value(found, "mab_agents_connected") >= 1
                    await fields(alice, "send_to_partner", message="wake up")
        found = await scraped(here)
        assert value(found, "mab_calls_waiting") == 0
        assert value(found, "mab_calls_in_flight", tool="check_messages") == 0


async def fields_of_waiting(client: Any) -> None:
    assert len((await fields(client, "check_messages", wait_seconds=25))["messages"]) == 1


@pytest.mark.anyio
async def test_a_call_that_is_given_up_counts_as_cancelled_and_is_no_longer_in_flight() -> None:
    async with yard() as here:
        await here.pair()
        with anyio.fail_after(90):
            async with anyio.create_task_group() as group:
                group.start_soon(waiting_alone, here)
                while value(await scraped(here), "mab_calls_waiting") < 1:
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
        with anyio.fail_after(90):
            while value(found := await scraped(here), "mab_calls_waiting"):
                await anyio.lowlevel.checkpoint()
        assert value(found, "mab_calls_total", tool="check_messages", outcome="cancelled") == 1
        assert value(found, "mab_calls_in_flight", tool="check_messages") == 0


async def waiting_alone(here: Yard) -> None:
    async with here.client(BOB) as bob:
        await bob.call_tool("check_messages", {"wait_seconds": 25})


@pytest.mark.anyio
@pytest.mark.parametrize("role", ["", *ROLES])
async def test_metrics_are_for_operators_auditors_and_admins(role: str) -> None:
    async with yard() as here:
        here.table.known["token"] = identity("somebody", role) if role else identity("nobody", "none")
        async with here.http("token") as http:
            answer = await http.get("/metrics")
        if role in ("operator", "auditor", "admin"):
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed")
            (entry,) = await here.world.hub.journal.newest(1)
            assert (entry.action, entry.outcome) == ("metrics.read", "refused")


@pytest.mark.anyio
async def test_while_the_store_is_down_the_answer_is_unavailable_and_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def down(*_: Any) -> Reading:
        raise Unavailable("the store does not answer", "mab doctor")

    async with yard() as here:
        await scraped(here)
        monkeypatch.setattr(type(here.world.hub.gauges), "read", down)
        async with here.http(AUDITOR) as http:
            answer = await http.get("/metrics")
    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (503, "unavailable", "5")


def test_a_call_of_no_tool_and_an_outcome_of_no_name_still_count_somewhere() -> None:
    metrics = Metrics(["send"], "0")
    metrics.begun("made up", True)
    metrics.done("made up", True, "made up", 1e9)
    metrics.begun("made up", False)
    metrics.done("made up", False, "done", 0.0)
    found = parsed(metrics.rendered(Reading()).decode())
    assert value(found, "mab_calls_total", tool="unknown", outcome="failed") == 1
    assert value(found, "mab_calls_total", tool="unknown", outcome="done") == 1
    assert value(found, "mab_call_seconds_bucket", tool="unknown", le="+Inf") == 2
    assert value(found, "mab_call_seconds_bucket", tool="unknown", le="60.0") == 1
    assert value(found, "mab_calls_waiting") == 0


def test_a_time_on_a_bound_lies_within_it() -> None:
    metrics = Metrics(["send"], "0")
    metrics.begun("send", False)
    metrics.done("send", False, "done", BOUNDS[2])
    found = parsed(metrics.rendered(Reading()).decode())
    assert value(found, "mab_call_seconds_bucket", tool="send", le=str(BOUNDS[1])) == 0
    assert value(found, "mab_call_seconds_bucket", tool="send", le=str(BOUNDS[2])) == 1


def test_every_count_of_a_reading_is_shown() -> None:
    metrics = Metrics(["send"], "1.2.3", lambda: 9)
    metrics.backed_up = True
    found = parsed(metrics.rendered(Reading(1, 2, 3, 4.5, 5, 6, 7, 8, 10)).decode())
    shown = {name: count for (name, labels), count in found.items() if not labels and name.startswith("mab_")}
    assert shown == {
        "mab_conversations": 1,
        "mab_tasks_open": 2,
        "mab_approvals_pending": 3,
        "mab_approvals_oldest_seconds": 4.5,
        "mab_sessions_silent": 5,
        "mab_journal_entries_total": 6,
        "mab_journal_lag_entries": 7,
        "mab_store_transactions": 8,
        "mab_agents_connected": 10,
        "mab_http_connections": 9,
        "mab_calls_waiting": 0,
        "mab_backup_current": 1,
    }
    assert value(found, "mab_build_info", version="1.2.3") == 1


@pytest.mark.anyio
async def test_a_backup_that_could_not_be_made_is_no_longer_current(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics, settings = Metrics(["send"], "0"), config.Settings(home=tmp_path, backup={"folder": str(tmp_path)})
    metrics.backed_up = True
    # a store in memory cannot be backed up
    await serve._backed_up(memory_hub().hub, OWNER, settings, metrics)
    assert "no backup was made" in caplog.text
    assert value(parsed(metrics.rendered(Reading()).decode()), "mab_backup_current") == 0


def test_every_error_code_of_the_bridge_is_an_outcome() -> None:
    from multiagent_bridge import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BridgeError)]
    assert {kind.code for kind in kinds} | {"done", "cancelled"} == set(outcomes())


LOOK = (
    "import atexit, sys\n"
    "heavy = ('prometheus_client', 'opentelemetry.sdk')\n"
    "atexit.register(lambda: print('loaded:', [n for n in sys.modules if n.startswith(heavy)], file=sys.stderr))\n"
)
HUB = (
    "import multiagent_bridge.wiring, multiagent_bridge.cli.serve, multiagent_bridge.mcp.server\n"
    "import multiagent_bridge.mcp.socket, multiagent_bridge.telemetry\n"
    "assert not multiagent_bridge.telemetry.trace({})"
)


@pytest.mark.parametrize(
    "loaded",
    [
        pytest.param("from multiagent_bridge.cli import main\nsys.argv[1:] = ['--help']\nmain()", id="help"),
        pytest.param("import multiagent_bridge.shim.pump", id="shim"),
        pytest.param(HUB, id="hub"),
    ],
)
def test_who_serves_no_http_loads_neither_prometheus_nor_a_telemetry_sdk(loaded: str) -> None:
    ended = subprocess.run([sys.executable, "-c", LOOK + loaded], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "loaded: []\n")


def expressions(found: Any) -> Iterator[str]:
    """Every query of a dashboard."""
    if isinstance(found, dict):
        for name, one in found.items():
            if name in ("expr", "query") and isinstance(one, str):
                yield one
            else:
                yield from expressions(one)
    elif isinstance(found, list):
        for one in found:
            yield from expressions(one)


def rules() -> list[dict[str, Any]]:
    """The rules, by a reader of just the YAML that the file uses: it refuses all else."""
    found: list[dict[str, Any]] = []
    inner: dict[str, str] = {}
    for number, line in enumerate(ALERTS.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or line in ("groups:", "  - name: bridge", "    rules:"):
            continue
        matched = re.fullmatch(r"(      - |        |          )([a-z]+):(?: (.+))?", line)
        assert matched, f"line {number}: {line}"
        depth, key, given = matched.groups()
        text = json.loads(given) if given and given.startswith('"') else given
        # a plain scalar may hold neither of these
        assert given is None or given.startswith('"') or not re.search(r": | #|^[\[{&*!|>%@`]", given), line
        if depth == "      - ":
            found.append({key: text})
        elif depth == "        ":
            inner = {}
            found[-1][key] = inner if text is None else text
        else:
            inner[key] = text
    return found


def test_the_dashboard_is_one_and_asks_only_for_metrics_that_there_are() -> None:
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    asked = list(expressions(board))
    assert len(asked) > 15
    names = {name for one in asked for name in NAME.findall(one)}
    assert names <= series()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert all(target["expr"] for target in panel["targets"])


def test_the_alerts_are_rules_over_metrics_that_there_are() -> None:
    found = rules()
    assert {rule["alert"] for rule in found} >= {
        "BridgeHubDown",
        "BridgeJournalLag",
        "BridgeApprovalsWait",
        "BridgeSessionsSilent",
        "BridgeRateRefusals",
        "BridgeNoBackup",
    }
    for rule in found:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}
        names = set(NAME.findall(rule["expr"]))
        assert names or rule["expr"].startswith("up{"), rule["alert"]
        assert names <= series()
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_queries_choose_by_labels_and_values_that_there_are() -> None:
    label = {"tool": {tool.name for tool in TOOLS} | {"unknown"}, "outcome": set(outcomes())}
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    for asked in [*expressions(board), *(rule["expr"] for rule in rules())]:
        for name, sign, given in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', asked):
            assert name in label or name in SCRAPED, asked
            if name in label:
                assert set(given.split("|") if "~" in sign else [given]) <= label[name], asked


def test_the_page_has_every_metric_and_no_other() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert told == {name: kind for name, kind in registered().items() if name.startswith("mab_")}
    assert set(NAME.findall(page)) <= series() | set(registered())


def test_the_page_names_every_alert() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"`(Bridge\w+)`", page)) == {rule["alert"] for rule in rules()}
