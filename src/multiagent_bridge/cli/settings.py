"""Commands of the configuration: config show, config validate."""

from __future__ import annotations

import json
from typing import Any

import typer

from multiagent_bridge.cli import output
from multiagent_bridge.cli.conversations import Json

HIDDEN = "**********"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Show and check the settings.", no_args_is_help=True)
    group.command()(show)
    group.command()(validate)
    app.add_typer(group, name="config")


def show(as_json: Json = False) -> None:
    """Every setting with its value; secrets are masked."""
    from multiagent_bridge import config

    settings = config.load()
    shown: dict[str, Any] = settings.model_dump(mode="json") | {"store": _masked(settings.store_url)}
    if as_json:
        output.data(shown)
        return
    output.facts(dict(_flat("", shown)))
    for path in config.sources():
        output.say(f"read from {path}")


def validate(as_json: Json = False) -> None:
    """Check every source of settings; the first wrong key is named."""
    from multiagent_bridge import config

    config.load()
    sources = [str(path) for path in config.sources()]
    if as_json:
        output.data({"valid": True, "sources": sources})
    else:
        output.say("settings are valid: " + (", ".join(sources) or "no bridge.toml, defaults"))


def _masked(url: str) -> str:
    """A store URL without the password that may stand in it; one that cannot be read is not shown at all."""
    import re
    from urllib.parse import urlsplit

    try:
        password = urlsplit(url).password
    except ValueError:
        return HIDDEN
    shown = url.replace(f":{password}@", f":{HIDDEN}@", 1) if password else url
    return re.sub(r"(?i)([?&]password=)[^&#]*", rf"\g<1>{HIDDEN}", shown)


def _flat(prefix: str, value: dict[str, Any]) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, inner in value.items():
        if isinstance(inner, dict):
            rows += _flat(f"{prefix}{name}.", inner)
        else:
            rows.append(
                (prefix + name, "" if inner is None else inner if isinstance(inner, str) else json.dumps(inner))
            )
    return rows
