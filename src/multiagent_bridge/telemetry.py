"""Logs of the program: JSON lines to a file or a readable line to a terminal, the redactor last before output.

The journal says what actors did; the log says what the program did. Neither replaces the other.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import structlog

from multiagent_bridge import __version__
from multiagent_bridge.errors import BridgeError
from multiagent_bridge.guard.redact import Redacted

LOG_BYTES = 5_000_000
LOG_FILES = 3

REPEATING = ("httpx2", "httpcore2")
"""They say each address they ask, and addresses of webhooks are secrets."""

log = logging.getLogger(__name__)


class PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating log whose every file, the ones after a rotation too, is 0600 and no link."""

    def _open(self) -> TextIOWrapper:
        handle = os.open(
            self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        return open(handle, "a", encoding=self.encoding)  # noqa: PTH123 (a path cannot open a handle)


def start(path: Path | None, level: str, redact: Callable[[str], Redacted]) -> None:
    """Send the logs of the program and its libraries to `path` (0600, rotated), or to stderr when there is none.

    `level` below info counts for the program alone: what libraries say there repeats all that passes through them.
    """
    handler: logging.Handler
    if path is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = PrivateFile(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    readable = path is None and sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redacted(redact), renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    ours = logging.getLogger(__package__)
    ours.setLevel(level.upper())
    root.setLevel(max(ours.level, logging.INFO))
    for name in REPEATING:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _redacted(redact: Callable[[str], Redacted]) -> structlog.typing.Processor:
    def last(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {name: _clean(redact, value) for name, value in event.items()}

    return last


def _clean(redact: Callable[[str], Redacted], value: Any) -> Any:
    """Numbers as they are; everything else as redacted text, whatever it holds inside."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _safe(redact, value if isinstance(value, str) else repr(value))


def _safe(redact: Callable[[str], Redacted], text: str) -> str:
    try:
        return str(redact(text).text)
    except BridgeError:
        return "withheld: it could not be checked for secrets"


def trace(environment: Mapping[str, str]) -> bool:
    """Have spans sent where the environment says (OTEL_*), if the extra [otel] is installed. Returns whether.

    Before any server is built. Often these variables stand there for every program of a machine, so that what is missing
    is said in the log and stops nothing.
    """
    names = _exporters(environment)
    if not names:
        return False
    if find_spec("opentelemetry.sdk") is None:
        log.warning("no spans are sent: they need the extra [otel]")
        return False
    exporters = [exporter for name in names if (exporter := _exporter(name)) is not None]
    if not exporters:
        return False
    from opentelemetry import trace as api
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    ours = {"service.version": __version__, **({} if named else {"service.name": "mab"})}
    provider = TracerProvider(resource=Resource.create(ours))
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    api.set_tracer_provider(provider)
    return True


def _exporters(environment: Mapping[str, str]) -> list[str]:
    """The exporters that the environment names, as they are registered; otlp when it only says where."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    places = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    wished = environment.get("OTEL_TRACES_EXPORTER") or ("otlp" if any(map(environment.get, places)) else "none")
    protocols = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((environment[name] for name in protocols if environment.get(name)), "http/protobuf")
    otlp = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    names = [otlp if name.strip() == "otlp" else name.strip() for name in wished.split(",")]
    return [name for name in names if name not in ("", "none")]


def _exporter(name: str) -> Any:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        # standard output belongs to the protocol
        return ConsoleSpanExporter(out=sys.stderr)
    found = [point for point in entry_points(group="opentelemetry_traces_exporter") if point.name == name]
    if not found:
        log.warning("no spans are sent to %s: that exporter is not installed; [otel] has otlp", name)
        return None
    return found[0].load()()
