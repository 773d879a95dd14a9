"""The system-call filter: a classic BPF program that refuses what no command needs, without libseccomp.

`program` returns the raw instructions that bubblewrap reads from a descriptor; prctl(PR_SET_SECCOMP) wants the same bytes
behind a `sock_fprog`. Refused are ways to look into other programs, kernel interfaces with a history of holes, mounts and new
namespaces, typing into a terminal, socket families beyond the ordinary ones (a network namespace does not hold AF_VSOCK),
set-user-id bits, which would outlive the sandbox, and having the machine's handler of crashes started. Offsets and constants:
linux/seccomp.h, linux/audit.h, linux/filter.h.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from multiagent_bridge.errors import Unavailable

FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: test suites start loopback servers, forkserver needs Unix sockets."""

_LOAD, _JEQ, _JGE, _JSET, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
_SET_USER_ID = 0o4000
_CREATES = 0o100 | 0o20000000
"""O_CREAT, and the bit that O_TMPFILE adds to O_DIRECTORY."""
_NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_CORE = 4
"""RLIMIT_CORE. At 1 the kernel starts no handler for a crash, which would be root's, outside; 0 does not stop it (core(5))."""
_TERMINAL = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: both put words into somebody's terminal."""


class Machine(NamedTuple):
    """`audit` is the AUDIT_ARCH_ constant; `x32`: a second numbering lies above _X32. `numbers` are those of the system calls."""

    audit: int
    x32: bool
    numbers: Mapping[str, int]


_SINCE_5 = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "openat2": 437,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
    "fchmodat2": 452,
    "open_tree_attr": 467,
}
"""The same on every machine."""

MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        True,
        _SINCE_5
        | {
            "open": 2,
            "ioctl": 16,
            "socket": 41,
            "socketpair": 53,
            "clone": 56,
            "creat": 85,
            "chmod": 90,
            "fchmod": 91,
            "ptrace": 101,
            "syslog": 103,
            "mknod": 133,
            "uselib": 134,
            "vhangup": 153,
            "modify_ldt": 154,
            "pivot_root": 155,
            "chroot": 161,
            "acct": 163,
            "settimeofday": 164,
            "mount": 165,
            "umount2": 166,
            "swapon": 167,
            "swapoff": 168,
            "reboot": 169,
            "iopl": 172,
            "ioperm": 173,
            "init_module": 175,
            "delete_module": 176,
            "quotactl": 179,
            "nfsservctl": 180,
            "lookup_dcookie": 212,
            "setrlimit": 160,
            "clock_settime": 227,
            "kexec_load": 246,
            "add_key": 248,
            "request_key": 249,
            "keyctl": 250,
            "openat": 257,
            "mknodat": 259,
            "fchmodat": 268,
            "unshare": 272,
            "move_pages": 279,
            "perf_event_open": 298,
            "fanotify_init": 300,
            "name_to_handle_at": 303,
            "open_by_handle_at": 304,
            "clock_adjtime": 305,
            "prlimit64": 302,
            "setns": 308,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "kcmp": 312,
            "finit_module": 313,
            "kexec_file_load": 320,
            "bpf": 321,
            "userfaultfd": 323,
        },
    ),
    "aarch64": Machine(
        0xC00000B7,
        False,
        _SINCE_5
        | {
            "lookup_dcookie": 18,
            "ioctl": 29,
            "mknodat": 33,
            "umount2": 39,
            "mount": 40,
            "pivot_root": 41,
            "nfsservctl": 42,
            "chroot": 51,
            "fchmod": 52,
            "fchmodat": 53,
            "openat": 56,
            "vhangup": 58,
            "quotactl": 60,
            "acct": 89,
            "unshare": 97,
            "kexec_load": 104,
            "init_module": 105,
            "delete_module": 106,
            "clock_settime": 112,
            "syslog": 116,
            "ptrace": 117,
            "reboot": 142,
            "setrlimit": 164,
            "settimeofday": 170,
            "socket": 198,
            "socketpair": 199,
            "add_key": 217,
            "request_key": 218,
            "keyctl": 219,
            "clone": 220,
            "swapon": 224,
            "swapoff": 225,
            "move_pages": 239,
            "perf_event_open": 241,
            "fanotify_init": 262,
            "name_to_handle_at": 264,
            "prlimit64": 261,
            "open_by_handle_at": 265,
            "clock_adjtime": 266,
            "setns": 268,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "kcmp": 272,
            "finit_module": 273,
            "bpf": 280,
            "userfaultfd": 282,
            "kexec_file_load": 294,
        },
    ),
}

_MISSING = frozenset({"clone3", "openat2"})
"""Their arguments lie behind a pointer, where a filter cannot look: answered as if the kernel had none; libraries fall back."""


def program(families: Iterable[int] = FAMILIES, machine: str = "") -> bytes:
    """The filter for this machine (or the one named). Sockets of no other family can be made. Raises Unavailable."""
    name = machine or platform.machine()
    if name not in MACHINES:
        raise Unavailable(f"the system calls of {name} machines are not known here", "use a Docker sandbox")
    return _assembled(name, tuple(sorted(set(families))))


@cache
def _assembled(machine: str, families: tuple[int, ...]) -> bytes:
    return b"".join(struct.pack("=HBBI", *one) for one in _instructions(MACHINES[machine], families))


Instruction = tuple[int, int, int, int]


def _instructions(machine: Machine, families: Sequence[int]) -> list[Instruction]:
    made: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine.x32:
        made += [(_JGE, 0, 1, _X32), _refusal(errno.ENOSYS)]
    blocks = _blocks(families)
    for name, number in machine.numbers.items():
        if name not in blocks:
            made += [(_JEQ, 0, 1, number), _refusal(errno.ENOSYS if name in _MISSING else errno.EPERM)]
        else:
            # a block ends with a return whatever happens in it, so that the number is still loaded for what follows
            made += [(_JEQ, 0, len(blocks[name]), number), *blocks[name]]
    return [*made, (_RETURN, 0, 0, _ALLOW)]


def _blocks(families: Sequence[int]) -> dict[str, list[Instruction]]:
    """For each judged call what is done when it is called; jumps are relative and short, as 8 bits demand."""
    return {
        "open": _unless_created_set_user_id(1, 2),
        "openat": _unless_created_set_user_id(2, 3),
        "creat": _unless_bits(1, _SET_USER_ID),
        "chmod": _unless_bits(1, _SET_USER_ID),
        "fchmod": _unless_bits(1, _SET_USER_ID),
        "fchmodat": _unless_bits(2, _SET_USER_ID),
        "fchmodat2": _unless_bits(2, _SET_USER_ID),
        "mknod": _unless_bits(1, _SET_USER_ID),
        "mknodat": _unless_bits(2, _SET_USER_ID),
        "clone": _unless_bits(0, _NEW_NAMESPACES),
        "ioctl": [
            _argument(1),
            (_JEQ, 2, 0, _TERMINAL[0]),
            (_JEQ, 1, 0, _TERMINAL[1]),
            (_RETURN, 0, 0, _ALLOW),
            _refusal(errno.EPERM),
        ],
        # answered as if it were done: some programs end when they cannot switch core files off
        "setrlimit": [_argument(0), (_JEQ, 1, 0, _CORE), (_RETURN, 0, 0, _ALLOW), _refusal(0)],
        "prlimit64": [
            _argument(1),
            (_JEQ, 1, 0, _CORE),
            (_RETURN, 0, 0, _ALLOW),
            # without a new limit it only asks; a pointer has two halves
            _argument(2),
            (_JEQ, 1, 0, 0),
            _refusal(0),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * 2 + 4),
            (_JEQ, 1, 0, 0),
            _refusal(0),
            (_RETURN, 0, 0, _ALLOW),
        ],
        "socket": _only_families(families),
        "socketpair": _only_families(families),
    }


def _argument(place: int) -> Instruction:
    """Load the low half of an argument: flags, modes, requests and families are 32 bits wide in the kernel too."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * place)


def _refusal(error: int) -> Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)


def _unless_bits(place: int, bits: int) -> list[Instruction]:
    return [_argument(place), (_JSET, 1, 0, bits), (_RETURN, 0, 0, _ALLOW), _refusal(errno.EPERM)]


def _unless_created_set_user_id(flags: int, mode: int) -> list[Instruction]:
    """Without O_CREAT the mode is whatever lay in the register."""
    return [_argument(flags), (_JSET, 1, 0, _CREATES), (_RETURN, 0, 0, _ALLOW), *_unless_bits(mode, _SET_USER_ID)]


def _only_families(families: Sequence[int]) -> list[Instruction]:
    count = len(families)
    return [
        _argument(0),
        *((_JEQ, count - place, 0, family) for place, family in enumerate(families)),
        _refusal(errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
