"""Logs of the program: JSON lines to a file or a readable line to a terminal, the redactor last before output.

The journal says what actors did; the log says what the program did. Neither replaces the other.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import structlog

from multiagent_bridge.errors import BridgeError
from multiagent_bridge.guard.redact import Redacted

LOG_BYTES = 5_000_000
LOG_FILES = 3


class PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating log whose every file, the ones after a rotation too, is 0600 and no link."""

    def _open(self) -> TextIOWrapper:
        handle = os.open(
            self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        return open(handle, "a", encoding=self.encoding)  # noqa: PTH123 (a path cannot open a handle)


def start(path: Path | None, level: str, redact: Callable[[str], Redacted]) -> None:
    """Send the logs of the program and its libraries to `path` (0600, rotated), or to stderr when there is none."""
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
    root.setLevel(level.upper())
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
