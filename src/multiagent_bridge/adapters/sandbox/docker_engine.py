"""Questions to a container engine, docker or podman, by its command-line client. No socket of an engine is opened here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from multiagent_bridge.adapters.blocking import Watch, in_thread
from multiagent_bridge.errors import Unavailable

CLIENTS = ("docker", "podman")
FOLDERS = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
"""Where clients are looked for: never along PATH, which an agent may have changed."""
SECONDS = 20.0
"""Time for one answer of an engine."""
FORGOTTEN = "24h"
"""Longer than any run."""
PINNED = re.compile(r"[a-z0-9][a-zA-Z0-9._/:-]*@sha256:[0-9a-f]{64}")
_PASSED_ON = (
    *("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "CONTAINER_HOST"),
)
"""What a client finds its engine by."""
_NEVER = re.compile(r"^0001-01-01")
_GONE = re.compile(r"no such (container|object)|no container with name", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Engine:
    """`client` is the path of the program that speaks to it."""

    client: str

    @property
    def podman(self) -> bool:
        return os.path.basename(self.client) == "podman"  # noqa: PTH119

    async def version(self) -> str:
        """Raises Unavailable when no engine answers."""
        asked = await self.asked("version", "--format", "{{.Server.Version}}")
        if asked.returncode or not asked.stdout.strip():
            raise Unavailable(
                f"no engine answers {self.client}: {_last(asked.stderr)}",
                "start it: systemctl start docker, or the like",
            )
        return asked.stdout.decode(errors="replace").strip()

    async def path_of(self, image: str) -> str:
        """PATH in the image; empty when it says none. Raises Unavailable when the image is not there."""
        asked = await self.asked("image", "inspect", "--format", "{{json .Config.Env}}", image)
        if asked.returncode:
            raise Unavailable(
                f"the image of [yolo] docker_image is not here: {_last(asked.stderr)}", f"{self.client} pull {image}"
            )
        try:
            named = dict(one.partition("=")[::2] for one in json.loads(asked.stdout) or ())
        except (ValueError, AttributeError) as error:
            raise Unavailable(f"{self.client} says nothing sensible of its image", "mab doctor") from error
        return str(named.get("PATH", ""))

    async def ever_started(self, name: str) -> bool:
        """Whether the container came to run its program. Raises Unavailable."""
        asked = await self.asked("inspect", "--type", "container", "--format", "{{.State.StartedAt}}", name)
        return not asked.returncode and not _NEVER.match(asked.stdout.decode(errors="replace").strip())

    async def remove(self, name: str) -> None:
        """Kill and remove a container; one that is gone is no trouble. Raises Unavailable."""
        # podman's rm would first ask it to end, and wait ten seconds; one that does not run is none to kill
        await self.asked("kill", name)
        asked = await self.asked("rm", "-f", "-v", name)
        if asked.returncode and not _GONE.search(asked.stderr.decode(errors="replace")):
            raise Unavailable(
                f"the container {name} cannot be removed: {_last(asked.stderr)}", f"{self.client} rm -f {name}"
            )

    async def tidied(self, label: str) -> None:
        """Remove containers with that label that ended long ago, and whose keepers died with the machine. Raises Unavailable."""
        asked = await self.asked(
            *("container", "prune", "--force", "--filter", f"label={label}", "--filter", f"until={FORGOTTEN}")
        )
        if asked.returncode:
            raise Unavailable(f"{self.client} does not remove old containers: {_last(asked.stderr)}", "mab doctor")

    async def asked(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """One command of the client. Raises Unavailable when it cannot be run, or takes too long."""

        def ask(watch: Watch) -> subprocess.CompletedProcess[bytes]:
            null, pipe = subprocess.DEVNULL, subprocess.PIPE
            client = subprocess.Popen(
                [self.client, *words], env=environment(), stdin=null, stdout=pipe, stderr=pipe, start_new_session=True
            )
            with watch.over(client):
                out, err = client.communicate()
            watch.check()
            return subprocess.CompletedProcess(words, client.returncode, out, err)

        try:
            return await in_thread(ask, SECONDS, f"{self.client} {words[0]}")
        except OSError as error:
            raise Unavailable(f"{self.client} cannot be run: {error.strerror}", "mab doctor") from error


def found(folders: str = FOLDERS) -> Engine:
    """The engine whose client is installed. Raises Unavailable."""
    for name in CLIENTS:
        client = shutil.which(name, path=folders)
        if client:
            return Engine(client)
    raise Unavailable("neither docker nor podman is installed", "install one, or take [yolo] docker_image out")


def environment() -> Mapping[str, str]:
    """All that a client gets of our environment."""
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"PATH": FOLDERS, "LANG": "C.UTF-8"} | known


def pinned(image: str) -> str:
    """The image, if its digest says which. Raises Unavailable."""
    if not PINNED.fullmatch(image):
        raise Unavailable(
            "the setting yolo.docker_image does not name an image by its digest",
            "write NAME@sha256: and 64 hex characters",
        )
    return image


def _last(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it says nothing"
