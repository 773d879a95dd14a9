"""`/metrics` of a hub as a process, read as Prometheus reads it; its spans on standard error."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.machines.places import UNLIMITED, made, until
from tests.machines.test_http_hub import url_of

pytestmark = [pytest.mark.machines, pytest.mark.timeout(120)]


def scraped(url: str, bearer: str) -> dict[str, float]:
    with httpx2.Client(trust_env=False, timeout=30) as http:
        answer = http.get(url.replace("/mcp", "/metrics"), headers={"authorization": f"Bearer {bearer}"})
    assert answer.status_code == 200, answer.text
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_a_key_in_a_file_reads_what_local_agents_did_and_the_hub_itself(tmp_path: Path) -> None:
    with made(**UNLIMITED) as place:
        url = url_of(place.serve("--http", "127.0.0.1:0"))
        file = tmp_path / "bridge.key"
        file.write_text(place.mab("key", "create", "prometheus", "--role", "auditor").stdout)
        near = place.agent()
        near.good("create_conversation", my_role="backend", partner_role="frontend")
        for _ in range(5):
            near.good("send_to_partner", message="hello")
        found = scraped(url, file.read_text().strip())
        assert found["mab_calls_total{outcome=done,tool=send_to_partner}"] == 5
        assert found["mab_call_seconds_count{tool=send_to_partner}"] == 5
        assert found["mab_conversations{}"] == 1
        assert found["mab_agents_connected{}"] >= 1
        assert found["mab_http_connections{}"] >= 1
        assert found["mab_journal_lag_entries{}"] > 5
        assert found["mab_backup_current{}"] == 0
        assert found["process_resident_memory_bytes{}"] > 1 << 20


def test_a_backup_that_the_hub_made_counts_as_current(tmp_path: Path) -> None:
    with made(**UNLIMITED, MAB_BACKUP__FOLDER=str(tmp_path / "backups")) as place:
        url = url_of(place.serve("--http", "127.0.0.1:0"))
        bearer = place.mab("key", "create", "prometheus", "--role", "auditor").stdout.strip()
        until(lambda: scraped(url, bearer)["mab_backup_current{}"], "a backup was made")
        assert len(list((tmp_path / "backups").iterdir())) == 1


def test_spans_go_where_the_environment_says_without_a_word_of_the_agents() -> None:
    with made(**UNLIMITED, OTEL_TRACES_EXPORTER="console") as place:
        hub = place.serve()
        near = place.agent()
        near.good("create_conversation", my_role="backend", partner_role="frontend")
        near.good("send_to_partner", message="the plan for thursday")
        near.close()
        place.mab("serve", "--stop")
        hub.wait(timeout=60)
        assert hub.stderr is not None
        said = hub.stderr.read().decode()
        assert '"name": "tools/call send_to_partner"' in said
        assert "thursday" not in said
