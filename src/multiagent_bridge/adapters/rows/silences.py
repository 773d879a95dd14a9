"""Silences and watches as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from multiagent_bridge.model.silences import Silence, Watch


def seen(row: Silence | Watch) -> Mapping[str, Any]:
    """What a row must still hold to be changed, under names of its own."""
    return {f"was_{name}": value for name, value in asdict(row).items()}
