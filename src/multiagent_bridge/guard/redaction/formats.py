"""The whole rule table, loaded and checked once."""

from __future__ import annotations

from functools import cache
from typing import Any

from multiagent_bridge.guard.redaction import (
    formats_clouds,
    formats_commerce,
    formats_forges,
    formats_messaging,
    formats_models,
    formats_operations,
)
from multiagent_bridge.guard.redaction.rules import Rule, RuleTable

_TABLES = (
    formats_clouds.ROWS,
    formats_forges.ROWS,
    formats_models.ROWS,
    formats_commerce.ROWS,
    formats_messaging.ROWS,
    formats_operations.ROWS,
)


@cache
def rule_table() -> RuleTable:
    """Every rule, checked against its two examples. Raises `Invalid` that names the rule when one is wrong."""
    rows: list[Any] = [row for rows in _TABLES for row in rows]
    return RuleTable(Rule(*row) for row in rows)
