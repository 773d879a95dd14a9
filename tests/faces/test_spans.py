"""OpenTelemetry: one span a message, named by verb; sent only where the environment says."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from multiagent_bridge import __version__, telemetry
from multiagent_bridge.mcp import observing
from multiagent_bridge.mcp.server import build
from multiagent_bridge.testing.hubs import TestHub
from tests.faces.http_yard import ALICE, fields, yard

from .conftest import connected
from .spans import exporter, named

__all__ = ["exporter"]


@pytest.mark.anyio
async def test_a_call_is_one_span_named_by_its_tool(world: TestHub, era: str, exporter: InMemorySpanExporter) -> None:
    async with connected(world, "alice", era) as alice:
        await alice.fields("create_conversation", my_role="backend", partner_role="frontend")
        await alice.fields("send_to_partner", message="hello")
    [span] = named(exporter, "tools/call send_to_partner")
    assert dict(span.attributes or {}) == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "send_to_partner",
    }
    assert span.kind is trace.SpanKind.SERVER
    assert span.status.is_unset
    assert span.instrumentation_scope is not None
    assert (span.instrumentation_scope.name, span.instrumentation_scope.version) == ("multiagent-bridge", __version__)


@pytest.mark.anyio
async def test_a_refused_call_says_the_code_and_no_sentence(world: TestHub, exporter: InMemorySpanExporter) -> None:
    async with connected(world, "alice", "auto") as alice:
        await alice.error("send_to_partner", message="hello")
    [span] = named(exporter, "tools/call send_to_partner")
    assert span.attributes is not None
    assert span.attributes["error.type"] == "not_allowed"
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, None)
    assert span.events == ()


@pytest.mark.anyio
async def test_a_call_that_fails_unexpectedly_says_so_and_not_why(
    world: TestHub, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the words of the call")

    monkeypatch.setattr(type(world.hub.messages), "send", broken)
    async with connected(world, "alice", "auto") as alice:
        await alice.error("send_to_partner", message="hello")
    [span] = named(exporter, "tools/call send_to_partner")
    assert (span.attributes or {})["error.type"] == "failed"
    assert span.events == ()


@pytest.mark.anyio
async def test_a_client_finds_its_call_in_its_own_trace(world: TestHub, exporter: InMemorySpanExporter) -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    async with connected(world, "alice", "auto") as alice:
        await alice.client.call_tool("list_conversations", {}, meta={"traceparent": parent})
    [span] = named(exporter, "tools/call list_conversations")
    assert span.context is not None
    assert format(span.context.trace_id, "032x") == "a" * 32
    assert span.parent is not None
    assert format(span.parent.span_id, "016x") == "b" * 16


@pytest.mark.anyio
async def test_calls_by_http_have_spans_too(exporter: InMemorySpanExporter) -> None:
    async with yard() as here, here.client(ALICE) as alice:
        await fields(alice, "list_conversations")
    assert len(named(exporter, "tools/call list_conversations")) == 1


def test_without_anybody_to_take_spans_none_are_made(world: TestHub) -> None:
    assert build(world.hub).middleware == []


def test_what_came_to_an_error_outside_of_any_span_is_no_error_of_its_own() -> None:
    observing.failed("invalid")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "x"}, []),
        ({"OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, ["otlp_proto_http"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318"}, ["otlp_proto_http"]),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ["otlp_proto_grpc"]),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ["console", "otlp_proto_http"]),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "True"}, []),
    ],
)
def test_the_usual_variables_say_where_spans_go(environment: dict[str, str], expected: list[str]) -> None:
    assert telemetry._exporters(environment) == expected


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[TracerProvider]:
    """The providers that were set for the process, which none is here."""
    found: list[TracerProvider] = []
    monkeypatch.setattr(trace, "set_tracer_provider", found.append)
    return found


def test_spans_go_to_standard_error_and_never_to_standard_output(
    given: list[TracerProvider], capfd: pytest.CaptureFixture[str]
) -> None:
    assert telemetry.trace({"OTEL_TRACES_EXPORTER": "console"})
    [provider] = given
    with provider.get_tracer("test").start_as_current_span("tools/call x"):
        pass
    provider.shutdown()
    said = capfd.readouterr()
    assert (said.out, "tools/call x" in said.err) == ("", True)
    assert provider.resource.attributes["service.name"] == "mab"
    assert provider.resource.attributes["service.version"] == __version__


@pytest.mark.parametrize("name", ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"])
def test_a_name_that_the_environment_gives_the_service_counts(
    given: list[TracerProvider], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value = "ours" if name == "OTEL_SERVICE_NAME" else "service.name=ours"
    monkeypatch.setenv(name, value)
    assert telemetry.trace({"OTEL_TRACES_EXPORTER": "console", name: value})
    assert given[0].resource.attributes["service.name"] == "ours"
    given[0].shutdown()


def test_an_exporter_that_is_not_installed_is_said_in_the_log_and_stops_nothing(
    given: list[TracerProvider], caplog: pytest.LogCaptureFixture
) -> None:
    assert not telemetry.trace({"OTEL_TRACES_EXPORTER": "zipkin_of_nobody"})
    assert given == []
    [record] = caplog.records
    assert (record.levelno, "not installed" in record.getMessage()) == (logging.WARNING, True)


def test_without_the_sdk_no_spans_are_made_and_the_log_says_what_is_missing(
    given: list[TracerProvider], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in [one for one in sys.modules if one.startswith("opentelemetry.sdk")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(telemetry, "find_spec", lambda name: None)
    assert not telemetry.trace({"OTEL_TRACES_EXPORTER": "console"})
    assert given == []
    assert "[otel]" in caplog.text
    assert not any(name.startswith("opentelemetry.sdk") for name in sys.modules)
