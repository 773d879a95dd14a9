"""The words that an engine gets: a container that may touch one workspace, and of that not what is protected (notes/guard 8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from multiagent_bridge.adapters.sandbox.environment import HOME
from multiagent_bridge.adapters.sandbox.protection import EMPTY_FILE, EMPTY_FOLDER, WRITABLE, Mount
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.model.sandboxes import Bounds

LABEL = "multiagent-bridge"
"""What all containers of the bridge carry."""
FILE_BYTES = 256 << 20
PROXIES = {
    name: ""
    for one in ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
    for name in (one, one.upper())
}
"""A client would put its own configured proxies into a container, with the passwords in them, unless they are set."""
_UNSPEAKABLE = ",\"'\n\\"
"""Characters that engines read differently in the words of a mount."""


@dataclass(frozen=True, slots=True)
class Container:
    """What all containers of a room have in common. `user` is never root; `kept_id` has an engine that runs as its user give
    the same numbers inside as outside. `workspace` `/` stands for none. `empty` is a file without content.
    """

    image: str
    runtime: str
    user: tuple[int, int]
    kept_id: bool
    workspace: str
    writable: bool
    network: bool
    mounts: Sequence[Mount]
    empty: str
    bounds: Bounds


def run(container: Container, name: str, environment: Mapping[str, str], cwd: str, argv: Sequence[str]) -> list[str]:
    """`run ...`, without the client. The program stands as entry point, so that the image's own does not come before it."""
    uid, gid = container.user
    bounds = container.bounds
    memory = f"{bounds.memory}b"
    return [
        *("run", "--interactive", "--init", "--no-healthcheck", "--pull=never", "--name", name, "--label", LABEL),
        *((f"--runtime={container.runtime}",) if container.runtime else ()),
        *(("--userns=keep-id",) if container.kept_id else ()),
        *("--network=bridge" if container.network else "--network=none", "--read-only", "--cap-drop=ALL"),
        *("--security-opt=no-new-privileges", f"--pids-limit={bounds.processes}"),
        *(f"--memory={memory}", f"--memory-swap={memory}", "--cpus=1"),
        *("--ulimit", "nofile=1024:1024", "--ulimit", "core=0:0", "--ulimit", f"fsize={FILE_BYTES}:{FILE_BYTES}"),
        *("--ipc=private", "--shm-size=64m", "--cgroupns=private", "--hostname=sandbox", "--log-driver=none"),
        *("--tmpfs", "/tmp:rw,exec,nosuid,nodev,size=256m,mode=1777"),  # noqa: S108 (inside)
        *("--tmpfs", f"{HOME}:rw,exec,nosuid,nodev,size=64m,mode=0777"),
        *(f"--user={uid}:{gid}", f"--workdir={cwd}"),
        *_mounted(container),
        *(word for pair in {**PROXIES, **environment}.items() for word in ("--env", "=".join(pair))),
        *("--entrypoint", argv[0], container.image, *argv[1:]),
    ]


def _mounted(container: Container) -> Iterable[str]:
    """The workspace under its own name, and over it what is to be hidden or kept; an engine mounts by depth."""
    if container.workspace == "/":
        return
    yield from ("--mount", _bind(container.workspace, container.workspace, container.writable))
    for path, kind in {mount.path: mount.kind for mount in container.mounts}.items():
        if kind == EMPTY_FILE:
            mount = _bind(container.empty, path, False)
        elif kind == EMPTY_FOLDER:
            mount = f"type=tmpfs,dst={_spoken(path)},tmpfs-size=4096,tmpfs-mode=0555"
        else:
            mount = _bind(path, path, kind == WRITABLE)
        yield from ("--mount", mount)


def _bind(source: str, target: str, writable: bool) -> str:
    return f"type=bind,src={_spoken(source)},dst={_spoken(target)}{'' if writable else ',readonly'}"


def _spoken(path: str) -> str:
    """Raises Unavailable for a path that cannot be said without doubt."""
    if any(character in _UNSPEAKABLE for character in path):
        raise Unavailable(
            "a container cannot be given a path with commas, quotes or line breaks", "rename the folder or file"
        )
    return path
