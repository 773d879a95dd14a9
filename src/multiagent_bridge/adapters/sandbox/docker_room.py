"""A room made of containers: one for each program of a plan, removed by its name when the program has ended."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multiagent_bridge.adapters.sandbox import docker_arguments, docker_engine
from multiagent_bridge.adapters.sandbox.docker_arguments import Container
from multiagent_bridge.adapters.sandbox.docker_engine import Engine
from multiagent_bridge.adapters.sandbox.running import Launch
from multiagent_bridge.errors import Unavailable

SUPERVISOR = Path(__file__).with_name("docker_supervisor.py")


class DockerRoom:
    def __init__(self, engine: Engine, container: Container, environment: Mapping[str, str]) -> None:
        self._engine = engine
        self._container = container
        self._environment = environment
        self._open: set[Watched] = set()

    def launch(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str) -> Launch:
        """As `running.Room`. Raises Unavailable."""
        name = f"mab-{secrets.token_hex(8)}"
        words = docker_arguments.run(self._container, name, {**self._environment, **environment}, cwd, argv)
        try:
            lifeline, ours = os.pipe()
        except OSError as error:
            raise Unavailable(f"a container cannot be started: {error.strerror}", "close other programs") from error
        watched = Watched(self._engine, name, ours)
        self._open.add(watched)
        return Launch(
            argv=(sys.executable, "-I", "-S", "-B", str(SUPERVISOR), str(lifeline), name, self._engine.client, *words),
            environment=docker_engine.environment(),
            cwd="/",
            inherit=(lifeline,),
            kill=watched.removed,
            verdict=watched.verdict,
        )

    def close(self) -> None:
        for watched in self._open:
            watched.close()


@dataclass(slots=True, eq=False)
class Watched:
    """A container by its name, and our end of the line whose cutting removes it."""

    engine: Engine
    name: str
    lifeline: int
    started: bool = False

    async def removed(self) -> None:
        """Ask whether it ever ran its program, then kill and remove it: its client has ended, which ends no container."""
        self.close()
        self.started = await self.engine.ever_started(self.name)
        await self.engine.remove(self.name)

    def verdict(self, status: int, said: bytes) -> int:
        """The program's status. Raises Unavailable when the engine says that it never came to run."""
        if self.started:
            return status
        lines = said.decode(errors="replace").strip().splitlines()
        told = lines[-1][:200] if lines else f"the client ended with {status}"
        raise Unavailable(f"the container could not be started: {told}", "mab doctor")

    def close(self) -> None:
        if self.lifeline >= 0:
            os.close(self.lifeline)
        self.lifeline = -1
