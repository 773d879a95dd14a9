"""Reads deploy/ as its tests need it: compose.yaml with its merges done, the Kubernetes objects, units, commands of `mab`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OTHERS = ("grafana", "prometheus")
COMPOSE: Mapping[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "bridge.yaml").read_text("utf-8")))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
UNITS = sorted(DEPLOY.glob("systemd/*/mab*"))
SERVICES: Mapping[str, dict[str, Any]] = COMPOSE["services"]
HUBS = ("hub-1", "hub-2")
_VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]*)?\}")


def files() -> list[Path]:
    """Every file of deploy/ but the dashboards and alert rules, which have tests of their own."""
    return [path for path in sorted(DEPLOY.rglob("*")) if path.is_file() and not set(path.parts) & set(OTHERS)]


def interpolated(text: str, **variables: str) -> str:
    """`text` as compose reads it: ${NAME} and ${NAME:?message} replaced, $$ a dollar. Raises KeyError."""
    return _VARIABLE.sub(lambda found: variables[found[1]], text).replace("$$", "$")


def workloads() -> list[dict[str, Any]]:
    return [one for one in OBJECTS if one["kind"] == "Deployment"]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (one for one in OBJECTS if one["kind"] == kind and one["metadata"]["name"] == name)
    return found


def unit(path: Path) -> list[tuple[str, str]]:
    """The assignments of a unit, in order."""
    lines = [line for line in path.read_text("utf-8").splitlines() if "=" in line and not line.startswith("#")]
    return [(line.partition("=")[0], line.partition("=")[2]) for line in lines]


def commands() -> Iterator[tuple[str, list[str]]]:
    """(where, words after `mab`) of every command that something here starts."""
    started = json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])
    yield "Dockerfile", started
    for name in HUBS:
        yield f"compose.yaml {name}", SERVICES[name]["command"]
    for workload in workloads():
        for container in workload["spec"]["template"]["spec"]["containers"]:
            yield f"kubernetes {workload['metadata']['name']}", container["args"]
    for path in UNITS:
        for key, value in unit(path):
            if key.startswith("ExecStart"):
                program, *words = shlex.split(value)
                assert program.endswith("/bin/mab"), value
                yield path.name, words
