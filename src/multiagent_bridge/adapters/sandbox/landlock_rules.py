"""What Landlock is told: the rights each kernel knows of, and those that a confined program keeps (linux/landlock.h).

Landlock cannot take away below what it gave. So nothing is given to a folder that holds something to protect, at any depth: its
clean children are named one by one. Beside a `.git` nothing new can be made then, since the right to make files in a folder
would be one to make `.git/hooks/post-commit` as well.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from multiagent_bridge.adapters.sandbox.protection import Found
from multiagent_bridge.errors import Unavailable

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR = (1 << n for n in range(8))
MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, REFER, TRUNCATE, IOCTL_DEV = (1 << n for n in range(8, 16))

READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""Rights that a rule on a file may carry."""
CHANGE = RUN | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_FIFO | MAKE_SYM | REFER
"""All but devices and sockets."""

_STEERED = re.compile(r"^[ \t]*(path|hookspath)[ \t]*=[ \t]*\"?([^\"\n#;]+)", re.IGNORECASE | re.MULTILINE)
_MOST = 1 << 20

SYSTEM_ROOTS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Where the system's programs lie."""
SYSTEM = (
    *(*SYSTEM_ROOTS, "/etc/alternatives", "/etc/ssl/certs", "/etc/ca-certificates", "/etc/crypto-policies"),
    *("/etc/pki/tls/certs", "/etc/pki/ca-trust", "/sys/devices/system/cpu"),
)
"""Folders that every program may read and execute from."""
SYSTEM_FILES = (
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime"),
    *("/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf", "/etc/mime.types", "/etc/magic", "/etc/inputrc"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/filesystems", "/proc/version", "/proc/loadavg"),
)
"""Files that every program may read. Nothing of a process: a command line may hold a token."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


class Grant(NamedTuple):
    """What stays allowed at `path` and below: rights in a folder, or on a file. A relative path lies in the workspace."""

    path: bytes
    folder: int
    file: int


def version(query: Callable[[], int] | None = None) -> int:
    """The version of Landlock's interface that this kernel speaks. Raises Unavailable saying why it has none."""
    try:
        return (query or _asked)()
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise Unavailable(
                "Landlock is built into this kernel but switched off",
                "boot with lsm=landlock,... or install bubblewrap",
            ) from error
        if error.errno == errno.ENOSYS:
            raise Unavailable(
                "this kernel has no Landlock, which came with Linux 5.13", "install bubblewrap, or a newer kernel"
            ) from error
        raise Unavailable(
            "this system does not let programs use Landlock",
            "allow the calls landlock_* in the container's seccomp profile",
        ) from error


def _asked() -> int:
    """landlock_create_ruleset(2) with LANDLOCK_CREATE_RULESET_VERSION. Raises OSError."""
    kernel = ctypes.CDLL(None, use_errno=True)
    found = int(kernel.syscall(ctypes.c_long(444), None, ctypes.c_size_t(0), ctypes.c_uint32(1)))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def rights(abi: int) -> int:
    """The rights on files that a kernel of that version knows."""
    known = REFER - 1
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        known |= right if abi >= since else 0
    return known


def handled(abi: int) -> bytes:
    """`struct landlock_ruleset_attr`: everything is refused that this kernel can refuse."""
    attributes = [rights(abi)]
    if abi >= 4:
        # LANDLOCK_ACCESS_NET_BIND_TCP and _CONNECT_TCP
        attributes.append(3)
    if abi >= 6:
        # LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and _SIGNAL
        attributes.append(3)
    return struct.pack(f"={len(attributes)}Q", *attributes)


def cut(abi: int, grants: Iterable[Grant]) -> list[tuple[bytes, int, int]]:
    """The grants in the rights that a kernel of that version knows: it refuses a rule with others."""
    known = rights(abi)
    return [(one.path, one.folder & known, one.file & known & FILE) for one in grants]


def machine() -> Iterator[Grant]:
    """What every program may use of the machine."""
    for path in SYSTEM:
        yield Grant(path.encode(), RUN, RUN)
    for path in SYSTEM_FILES:
        yield Grant(path.encode(), 0, READ_FILE)
    for path in DEVICES:
        yield Grant(path.encode(), 0, READ_FILE | WRITE_FILE)


def shown(folders: Iterable[str]) -> Iterator[Grant]:
    """Folders that may be read and executed from."""
    return (Grant(os.fsencode(path), RUN, RUN) for path in folders)


def scratch(folders: Iterable[str]) -> Iterator[Grant]:
    """Folders that may be written in."""
    return (Grant(os.fsencode(path), CHANGE, 0) for path in folders)


def workspace(root: str, found: Found, writable: bool) -> list[Grant]:
    """What a program keeps of the workspace at `root`, in which `found` is to be protected."""
    hidden = {*found.files, *found.folders}
    kept = (
        {*found.steering, *found.repositories, *found.links, *steered(root, found.repositories)} if writable else set()
    )
    broken: set[str] = set()
    for path in (*hidden, *kept):
        broken.update(above for above in map(str, Path(path).parents) if above.startswith(root))
    all_of_it = CHANGE if writable else READ
    if root not in broken:
        return [Grant(b".", all_of_it, 0)]
    # the right to list goes down to everything: names are no secret to a program that may call stat
    made = [Grant(b".", READ_DIR, 0)]
    places = [(root, all_of_it)]
    while places:
        folder, given = places.pop()
        for entry in _plain(folder, hidden):
            allowed = given & RUN if entry.path in kept else given
            if entry.path in broken:
                places.append((entry.path, allowed))
            else:
                name = os.fsencode(os.path.relpath(entry.path, root))
                made.append(Grant(name, allowed, allowed))
    return made


def _plain(folder: str, hidden: set[str]) -> Iterator[os.DirEntry[str]]:
    """The folders and files in `folder` that are not hidden; what a link leads to is judged where it lies."""
    try:
        with os.scandir(folder) as scan:
            entries = list(scan)
    except OSError:
        return
    for entry in entries:
        folder_or_file = entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
        if folder_or_file and entry.path not in hidden:
            yield entry


def steered(root: str, repositories: Iterable[str]) -> Iterator[str]:
    """Configuration files and hooks of the workspace that the configuration of a repository names."""
    for folder in repositories:
        try:
            text = Path(folder, "config").read_bytes()[:_MOST].decode(errors="replace")
        except OSError:
            continue
        for key, value in _STEERED.findall(text):
            base = Path(folder) if key.lower() == "path" else Path(folder).parent
            target = os.path.realpath(base / value.strip())
            if target.startswith(root.rstrip("/") + "/") and os.path.lexists(target):
                yield target
