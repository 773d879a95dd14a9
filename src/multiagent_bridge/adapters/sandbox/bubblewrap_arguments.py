"""The words that bubblewrap gets: an allow-list root in which nothing of the machine lies but what is named here.

Order matters: a later mount covers an earlier one; `--size` and `--perms` belong to the next `--tmpfs`; `--remount-ro` is not
recursive, so that what is mounted below stays as it was mounted (notes/guard sections 4 and 5).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from multiagent_bridge.adapters.sandbox.environment import HOME
from multiagent_bridge.adapters.sandbox.protection import EMPTY_FOLDER, READ_ONLY, WRITABLE, Mount
from multiagent_bridge.adapters.sandbox.toolchains import Toolchains
from multiagent_bridge.model.sandboxes import Bounds

ISOLATION = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--disable-userns"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"),
)
_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = (
    *("alternatives", "ld.so.cache", "passwd", "group", "nsswitch.conf", "localtime", "mime.types", "magic"),
    *("ssl/certs", "ssl/openssl.cnf", "ca-certificates", "pki/tls/certs", "pki/ca-trust", "crypto-policies"),
)
_ETC_NETWORK = ("resolv.conf", "hosts", "host.conf", "gai.conf", "services", "protocols")
MEMORY_FOLDERS = (("/dev/shm", "1777", 64 << 20), ("/tmp", "1777", 256 << 20), (HOME, "0700", 64 << 20))  # noqa: S108
"""File systems in memory: place, mode, most bytes. Without a size each would take half of the machine's memory."""
LARGEST_FILE = 256 << 20
ADDRESS_SPACE = 64 << 30
"""Bytes that a program may reserve at least. That is no memory: one WebAssembly memory of node's reserves 10 GiB, unused."""
CHOOM = "/usr/bin/choom"


def first_to_go() -> list[str]:
    """The command that makes what it starts the first to die when the machine runs out of memory, which no limit of a program
    prevents: files without name, pipes and the like count as nobody's. Empty where util-linux lacks it.
    """
    return [CHOOM, "--adjust", "1000", "--"] if Path(CHOOM).exists() else []


def root(network: bool, toolchains: Toolchains) -> list[str]:
    """The root, without a workspace in it yet."""
    words = [*ISOLATION, *(() if network else ("--unshare-net",)), "--ro-bind", "/usr", "/usr"]
    for name in _LINKS:
        place = Path("/", name)
        if place.is_symlink():
            words += ["--symlink", str(place.readlink()), f"/{name}"]
        elif place.is_dir():
            words += ["--ro-bind", f"/{name}", f"/{name}"]
    for name in (*_ETC, *(_ETC_NETWORK if network else ())):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    words += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
    for place_name, mode, size in MEMORY_FOLDERS:
        words += ["--perms", mode, "--size", str(size), "--tmpfs", place_name]
    # the file system that holds the devices has no size of its own
    words += ["--remount-ro", "/dev"]
    for folder in toolchains.shown:
        words += ["--ro-bind", folder, folder]
    for below, folder in toolchains.caches:
        words += ["--ro-bind", folder, f"{HOME}/{below}"]
    return words


def protected(mounts: Sequence[Mount], empty: Sequence[int]) -> list[str]:
    """Mounts in a workspace that is mounted already. `empty` are descriptors without content, one for each hidden file."""
    words: list[str] = []
    left = iter(empty)
    for mount in mounts:
        if mount.kind == WRITABLE:
            words += ["--bind", mount.path, mount.path]
        elif mount.kind == READ_ONLY:
            words += ["--ro-bind", mount.path, mount.path]
        elif mount.kind == EMPTY_FOLDER:
            words += ["--perms", "0555", "--size", "4096", "--tmpfs", mount.path, "--remount-ro", mount.path]
        else:
            words += ["--perms", "0444", "--ro-bind-data", str(next(left)), mount.path]
    return words


def entered(cwd: str, environment: Mapping[str, str]) -> list[str]:
    """What follows all mounts."""
    words = ["--remount-ro", "/", "--chdir", cwd]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    return words


def limited(bounds: Bounds) -> list[str]:
    """The command that sets limits, inside: outside, programs of the same user would count as well.

    The limit on core files is not among them: it is inherited, and the filter keeps it.
    """
    limits = {
        "nproc": bounds.processes,
        "cpu": bounds.seconds * (os.cpu_count() or 1) + 1,
        "fsize": LARGEST_FILE,
        "nofile": 1024,
        "as": max(ADDRESS_SPACE, 4 * bounds.memory),
        # a program gets there before anybody looks
        "data": 2 * bounds.memory,
        "memlock": 1 << 20,
        "msgqueue": 0,
        "sigpending": 1024,
    }
    return ["/usr/bin/prlimit", *(f"--{name}={value}" for name, value in limits.items()), "--"]


def assigned(environment: Mapping[str, str]) -> list[str]:
    """The command that adds a step's own variables, after the limits: what a loader reads from them must not come before."""
    return ["/usr/bin/env", "--", *(f"{name}={value}" for name, value in environment.items())] if environment else []
