"""Attacks by way of what is seen from outside: metrics and spans."""

from __future__ import annotations

import re
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from multiagent_bridge.adapters.metrics import outcomes
from multiagent_bridge.mcp.server import TOOLS
from multiagent_bridge.model.identities import KEY, Identity
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.testing.hubs import memory_hub
from tests.faces.http_yard import ALICE, BOB, Yard, fields, identity, posted, yard
from tests.faces.spans import everything, exporter

__all__ = ["exporter"]

pytestmark = pytest.mark.anyio

AUDITOR = "auditor-secret-" + "c" * 40
PLANTED = "planted-words-of-a-client"
LABELS = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


async def scraped(here: Yard) -> str:
    here.table.known[AUDITOR] = identity("prometheus", "auditor")
    here.world.clock.advance(60)
    async with here.http(AUDITOR) as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200
    return answer.text


async def hostile(here: Yard) -> list[str]:
    """Calls that bring their own words everywhere a call can. Returns the secrets that were at hand."""
    async with here.client(ALICE, **{"mab-agent": PLANTED}) as alice, here.client(BOB) as bob:
        made = await fields(alice, "create_conversation", my_role=f"role {PLANTED}", partner_role="frontend")
        await fields(bob, "join_conversation", invite=made["sessions"][1]["invite"])
        await fields(alice, "send_to_partner", message=PLANTED, idempotency_key=PLANTED)
        await fields(bob, "check_messages", query=PLANTED)
        for name in (PLANTED, f'"}} {PLANTED}', f"{PLANTED}\nmab_calls_total 9", "a" * 5_000, "\u202e", ""):
            await alice.call_tool(name, {PLANTED: PLANTED})
        await alice.call_tool("send_to_partner", {"message": {PLANTED: PLANTED}, PLANTED: 1})
        await alice.call_tool("check_messages", {"wait_seconds": PLANTED})
    async with here.http() as http:
        for number, method in enumerate((PLANTED, f"tools/{PLANTED}", "tools/call", "initialize", "resources/read")):
            body, lines = posted("list_conversations")
            body |= {"method": method, "id": f"{PLANTED}-{number}", "params": _meta(method)}
            await http.post("/mcp", json=body, headers=lines | {"mcp-method": method, "mcp-name": PLANTED})
            await http.post("/mcp", json=body, headers={"accept": lines["accept"], "mcp-protocol-version": PLANTED})
            await http.post("/mcp", json=body, headers={"accept": lines["accept"]})
    tokens = [str(one["token"]) for one in made["sessions"] if one.get("token")]
    return [PLANTED, ALICE, BOB, AUDITOR, made["conversation_id"], made["sessions"][1]["invite"], *tokens]


def _meta(method: str) -> dict[str, Any]:
    meta = posted("list_conversations")[0]["params"]["_meta"]
    told = {
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        "tracestate": f"vendor={PLANTED}",
        "baggage": f"{PLANTED}={PLANTED}",
    }
    return {"name": PLANTED, "uri": f"bridge://{PLANTED}", "arguments": {PLANTED: PLANTED}, "_meta": meta | told}


async def test_no_client_makes_a_series_and_no_word_of_one_stands_in_the_metrics() -> None:
    async with yard() as here:
        before = await scraped(here)
        secrets = await hostile(here)
        after = await scraped(here)
    names = [re.sub(r" [^ ]+$", "", line) for line in before.splitlines()]
    assert [re.sub(r" [^ ]+$", "", line) for line in after.splitlines()] == names
    allowed = {tool.name for tool in TOOLS} | {"unknown", "0", *outcomes()}
    for name, value in LABELS.findall(after):
        assert name == "le" or value in allowed, (name, value)
    for secret in secrets:
        assert secret not in after
    found = re.search(r'^mab_calls_total{outcome="invalid",tool="unknown"} (\d+)', after, re.MULTILINE)
    assert found is not None
    assert int(found[1]) >= 6


async def test_no_span_holds_a_word_that_a_client_chose(exporter: InMemorySpanExporter) -> None:
    async with yard() as here:
        secrets = await hostile(here)
    spans = exporter.get_finished_spans()
    assert len(spans) > 15
    sent = everything(exporter)
    for secret in secrets:
        assert secret not in sent
    words = {str(value) for span in spans for value in (span.attributes or {}).values()}
    assert "unknown" in words
    assert all(re.fullmatch(r"-?[A-Za-z_/0-9]{1,40}", word) for word in words), words
    assert all(not span.events and span.status.description is None for span in spans)


@pytest.mark.parametrize(
    "parent",
    [PLANTED, "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-xyz", "", 7, None, ["00"], {"a": 1}, "0" * 100_000],
)
async def test_no_made_up_parent_breaks_a_call(exporter: InMemorySpanExporter, parent: object) -> None:
    async with yard() as here, here.http() as http:
        body, lines = posted("list_conversations")
        body["params"]["_meta"] = body["params"]["_meta"] | {"traceparent": parent}
        answer = await http.post("/mcp", json=body, headers=lines)
    assert answer.status_code == 200, answer.text
    assert PLANTED not in everything(exporter)
    [span] = exporter.get_finished_spans()
    assert span.parent is None


async def test_metrics_tell_nothing_to_strangers_to_agents_or_to_who_is_confined() -> None:
    async with yard() as here:
        confined = Identity("key_c", "c", KEY, frozenset({"admin"}), frozenset({"conv_000000000000"}), None)
        here.table.known["confined"] = confined
        for token, status in ((None, 401), ("wrong", 401), (ALICE, 403), ("confined", 403)):
            async with here.http(token) as http:
                for verb in ("GET", "HEAD"):
                    answer = await http.request(verb, "/metrics")
                    assert answer.status_code == status, (token, verb)
                    assert "mab_" not in answer.text


async def test_a_key_in_the_address_of_the_metrics_is_refused() -> None:
    async with yard() as here, here.http(None) as http:
        here.table.known[AUDITOR] = identity("prometheus", "auditor")
        answer = await http.get(f"/metrics?access_token={AUDITOR}")
        assert answer.status_code in (400, 401)
        assert AUDITOR not in answer.text


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE", "PATCH"])
async def test_metrics_take_nothing_in(verb: str) -> None:
    async with yard() as here:
        await scraped(here)
        async with here.http(AUDITOR) as http:
            assert (await http.request(verb, "/metrics")).status_code == 405


async def test_who_scrapes_without_end_is_slowed_and_the_store_is_asked_once() -> None:
    world = memory_hub(Limits(reads=(Window(20, 60),)))
    looks, read = 0, world.store.read

    async def counted(work: Any) -> Any:
        nonlocal looks
        looks += 1
        return await read(work)

    async with yard(world=world) as here:
        await scraped(here)
        world.store.read = counted  # type: ignore[method-assign]
        async with here.http(AUDITOR) as http:
            answers = [await http.get("/metrics") for _ in range(40)]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert [answer.status_code for answer in answers].count(200) <= 20
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert looks == 0
