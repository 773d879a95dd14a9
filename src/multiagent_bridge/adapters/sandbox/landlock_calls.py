"""A second system-call filter, for where no namespace hides the machine: what Landlock leaves open between programs of one user.

It stands beside the filter of `seccomp`; of two filters the stricter answer holds. Without a network namespace no socket is
made at all, and without one of processes nothing may reach another program by its number: not its limits, not its place in the
scheduler, nor (before Landlock could scope them) by a signal. Numbers: linux/arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping

from multiagent_bridge.adapters.sandbox.seccomp import MACHINES
from multiagent_bridge.errors import Unavailable

TRUNCATE, SCOPES = 3, 6
"""Versions of Landlock's interface from which truncation is a right, and signals can be kept inside."""

_LOAD, _JEQ, _JSET, _AND, _RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARGUMENTS = 0, 16

_SINCE_5 = {"pidfd_send_signal": 424, "fchmodat2": 452, "setxattrat": 463, "removexattrat": 466, "file_setattr": 469}

_X86_64 = _SINCE_5 | {
    "open": 2, "ioctl": 16, "shmget": 29, "shmat": 30, "shmctl": 31, "socket": 41, "connect": 42, "accept": 43,
    "bind": 49, "listen": 50, "socketpair": 53, "kill": 62, "semget": 64, "semop": 65, "semctl": 66, "msgget": 68,
    "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "fcntl": 72, "truncate": 76, "chmod": 90, "fchmod": 91, "chown": 92,
    "fchown": 93, "lchown": 94, "rt_sigqueueinfo": 129, "utime": 132, "setpriority": 141, "sched_setparam": 142,
    "sched_setscheduler": 144, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197,
    "lremovexattr": 198, "fremovexattr": 199, "tkill": 200, "sched_setaffinity": 203, "semtimedop": 220,
    "tgkill": 234, "utimes": 235, "mq_open": 240, "mq_unlink": 241, "ioprio_set": 251, "inotify_add_watch": 254,
    "openat": 257, "fchownat": 260, "futimesat": 261, "fchmodat": 268, "utimensat": 280, "accept4": 288,
    "rt_tgsigqueueinfo": 297, "fanotify_mark": 301, "prlimit64": 302, "sched_setattr": 314,
}  # fmt: skip
_AARCH64 = _SINCE_5 | {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16,
    "fcntl": 25, "inotify_add_watch": 27, "ioctl": 29, "ioprio_set": 30, "truncate": 45, "fchmod": 52, "fchmodat": 53,
    "fchownat": 54, "fchown": 55, "openat": 56, "utimensat": 88, "sched_setparam": 118, "sched_setscheduler": 119,
    "sched_setaffinity": 122, "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138, "setpriority": 140,
    "mq_open": 180, "mq_unlink": 181, "msgget": 186, "msgctl": 187, "msgrcv": 188, "msgsnd": 189, "semget": 190,
    "semctl": 191, "semtimedop": 192, "semop": 193, "shmget": 194, "shmctl": 195, "shmat": 196, "socket": 198,
    "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203, "rt_tgsigqueueinfo": 240,
    "accept4": 242, "prlimit64": 261, "fanotify_mark": 263, "sched_setattr": 274,
}  # fmt: skip
NUMBERS: Mapping[str, Mapping[str, int]] = {"x86_64": _X86_64, "aarch64": _AARCH64}

_ALWAYS = (
    *("socket", "connect", "bind", "listen", "accept", "accept4", "inotify_add_watch", "fanotify_mark"),
    *("shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd", "msgrcv", "msgctl"),
    *("mq_open", "mq_unlink"),
)
"""Ways to other programs, and a watch on folders, which Landlock does not judge."""
_METADATA = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "file_setattr"),
    *("utime", "utimes", "futimesat", "utimensat", "setxattr", "lsetxattr", "fsetxattr", "setxattrat"),
    *("removexattr", "lremovexattr", "fremovexattr", "removexattrat"),
)
"""Changes that Landlock does not judge; who only reads needs none of them."""
_SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")
_OWN = ("prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr")
"""Their first argument is a process, 0 for the caller."""

_ACCESS, _NEITHER, _TRUNC = 0o3, 0o3, 0o1000
_TYPE = 0xF
_STREAM, _SEQPACKET = 1, 5
_SENDS = (8, 15, 10)
"""F_SETOWN, F_SETOWN_EX, F_SETSIG: any signal to anybody, when a descriptor becomes ready."""
_OWNS = (0x8901, 0x8902)
"""FIOSETOWN and SIOCSPGRP: the same by ioctl."""
_FLAGS = (0x40086602, 0x40046602, 0x401C5820, 0x40806685)
"""FS_IOC_SETFLAGS, its 32-bit twin, FS_IOC_FSSETXATTR, FS_IOC_ENABLE_VERITY: attributes of a file that is open for reading."""

Instruction = tuple[int, int, int, int]


def program(abi: int, writable: bool, machine: str = "") -> bytes:
    """The filter for a kernel of that Landlock version. Raises Unavailable for a machine whose numbers are not known."""
    name = machine or platform.machine()
    numbers = NUMBERS.get(name)
    if numbers is None:
        raise Unavailable(f"the system calls of {name} machines are not known here", "use a Docker sandbox")
    made: list[Instruction] = [
        (_LOAD, 0, 0, 4),
        (_JEQ, 1, 0, MACHINES[name].audit),
        _refusal(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for call in (*_ALWAYS, *(() if writable else _METADATA), *(() if abi >= SCOPES else _SIGNALS)):
        if call in numbers:
            made += [(_JEQ, 0, 1, numbers[call]), _refusal()]
    if abi < TRUNCATE and "truncate" in numbers:
        made += [(_JEQ, 0, 1, numbers["truncate"]), _refusal()]
    for call, block in _blocks(abi, writable).items():
        if call in numbers:
            # a block ends with a return, so that the number is still loaded for the next one
            made += [(_JEQ, 0, len(block), numbers[call]), *block]
    return b"".join(struct.pack("=HBBI", *one) for one in [*made, (_RETURN, 0, 0, _ALLOW)])


def _blocks(abi: int, writable: bool) -> dict[str, list[Instruction]]:
    """What is done for each call of which it depends on an argument."""
    requests = (() if writable else _FLAGS) + (() if abi >= SCOPES else _OWNS)
    blocks = {
        "open": _opening(1, abi),
        "openat": _opening(2, abi),
        "socketpair": [_argument(1), (_AND, 0, 0, _TYPE), *_only((_STREAM, _SEQPACKET))],
        "setpriority": [_argument(0), (_JEQ, 1, 0, 0), _refusal(), _argument(1), *_only((0,))],
        "ioprio_set": [_argument(0), (_JEQ, 1, 0, 1), _refusal(), _argument(1), *_only((0,))],
        **{call: [_argument(0), *_only((0,))] for call in _OWN},
    }
    if requests:
        blocks["ioctl"] = [_argument(1), *_none_of(requests)]
    if abi < SCOPES:
        blocks["fcntl"] = [_argument(1), *_none_of(_SENDS)]
    return blocks


def _opening(flags: int, abi: int) -> list[Instruction]:
    """An access mode of 3 asks Landlock for nothing, and gives a descriptor that takes ioctls and changes of metadata.

    Before truncation was a right, it and opening to read could empty a file.
    """
    block = [_argument(flags), (_AND, 0, 0, _ACCESS), (_JEQ, 0, 1, _NEITHER), _refusal()]
    if abi < TRUNCATE:
        block += [(_JEQ, 0, 3, 0), _argument(flags), (_JSET, 0, 1, _TRUNC), _refusal()]
    return [*block, (_RETURN, 0, 0, _ALLOW)]


def _argument(place: int) -> Instruction:
    """Load the low half of an argument: flags, types and process numbers are 32 bits wide in the kernel too."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * place)


def _refusal(error: int = errno.EPERM) -> Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)


def _only(values: tuple[int, ...]) -> list[Instruction]:
    """Allow what is one of `values`."""
    last = len(values)
    return [
        *((_JEQ, last - place, 0, value) for place, value in enumerate(values)),
        _refusal(),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _none_of(values: tuple[int, ...]) -> list[Instruction]:
    """Allow what is none of `values`."""
    last = len(values)
    return [
        *((_JEQ, last - place, 0, value) for place, value in enumerate(values)),
        (_RETURN, 0, 0, _ALLOW),
        _refusal(),
    ]
