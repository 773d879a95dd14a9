"""The filter itself, instruction by instruction: for machines that nobody has here as well."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiagent_bridge.adapters.sandbox import seccomp
from multiagent_bridge.errors import Unavailable

ALLOWED = 0x7FFF0000
MACHINES = sorted(seccomp.MACHINES)
NEVER = 1 << 40


def answer(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """What the kernel answers to a system call: the BPF machine of linux/filter.h, as far as the filter uses it."""
    audit = seccomp.MACHINES[machine].audit if arch is None else arch
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    call = struct.pack("<iIQ6Q", number, audit, 0, *(word % (1 << 64) for word in words))
    instructions = list(struct.iter_unpack("<HBBI", seccomp.program(machine=machine)))
    place, loaded = 0, 0
    for _ in range(len(instructions)):
        code, yes, no, value = instructions[place]
        place += 1
        if code == 0x20:
            loaded = int.from_bytes(call[value : value + 4], "little")
        elif code == 0x06:
            return int(value)
        else:
            met = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            place += yes if met else no
    raise AssertionError("the program has no end")


def error(machine: str, name: str, *arguments: int) -> str:
    """Empty when the call is allowed, `done` when it is answered as if it were."""
    found = answer(machine, seccomp.MACHINES[machine].numbers[name], *arguments)
    return "" if found == ALLOWED else errno.errorcode[found & 0xFFFF] if found & 0xFFFF else "done"


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_refused_is_refused_whatever_its_arguments(machine: str) -> None:
    judged = seccomp._blocks([])
    names = [name for name in seccomp.MACHINES[machine].numbers if name not in judged]
    assert len(names) > 40
    for name in names:
        for argument in (0, 1, 0xFFFFFFFF, NEVER):
            assert error(machine, name, *[argument] * 6) == ("ENOSYS" if name in ("clone3", "openat2") else "EPERM")


@pytest.mark.parametrize("machine", MACHINES)
@given(number=st.integers(0, 600))
def test_what_is_not_named_is_allowed(machine: str, number: int) -> None:
    if number not in seccomp.MACHINES[machine].numbers.values():
        assert answer(machine, number, 1, 2, 3, 4, 5, 6) == ALLOWED


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_ends_the_program(machine: str) -> None:
    for arch in (0x40000003, 0xC00000B7, 0xC000003E, 0x40000028):
        if arch != seccomp.MACHINES[machine].audit:
            assert answer(machine, 39, arch=arch) == 0x80000000
    if machine == "x86_64":
        assert answer(machine, 0x40000000 | 39) & 0xFFFF == errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_sockets_are_of_ordinary_families_by_the_half_that_the_kernel_looks_at(machine: str) -> None:
    for family in range(60):
        wanted = "" if family in (1, 2, 10, 16) else "EPERM"
        for call in ("socket", "socketpair"):
            assert error(machine, call, family, 1) == wanted
            assert error(machine, call, family | NEVER, 1) == wanted


@pytest.mark.parametrize("machine", MACHINES)
def test_a_terminal_is_not_typed_into(machine: str) -> None:
    for request, wanted in ((0x5412, "EPERM"), (0x541C, "EPERM"), (0x5401, ""), (0x5413, "")):
        assert error(machine, "ioctl", 0, request) == wanted
        assert error(machine, "ioctl", 0, request | NEVER) == wanted


@pytest.mark.parametrize("machine", MACHINES)
@given(flags=st.integers(0, 2**32 - 1))
def test_clone_makes_threads_and_programs_but_no_namespaces(machine: str, flags: int) -> None:
    new = 0x00020000 | 0x7E000000
    assert error(machine, "clone", flags) == ("EPERM" if flags & new else "")


@pytest.mark.parametrize("machine", MACHINES)
def test_a_set_user_id_bit_is_refused_only_where_a_mode_is_one(machine: str) -> None:
    numbers = seccomp.MACHINES[machine].numbers
    creates, looks, temporary = 0o1101, 0o2, 0o20200002
    for mode, wanted in ((0o4755, "EPERM"), (0o4000 | NEVER, "EPERM"), (0o755, ""), (0o2755, ""), (0o1777, "")):
        assert error(machine, "openat", 0, 0, creates, mode) == wanted
        assert error(machine, "openat", 0, 0, temporary, mode) == wanted
        assert error(machine, "openat", 0, 0, looks, mode) == ""
        assert error(machine, "fchmod", 3, mode) == wanted
        assert error(machine, "fchmodat", 0, 0, mode) == wanted
        assert error(machine, "mknodat", 0, 0, mode) == wanted
        if "open" in numbers:
            assert error(machine, "open", 0, creates, mode) == wanted
            assert error(machine, "open", 0, looks, mode) == ""
            assert error(machine, "creat", 0, mode) == wanted
            assert error(machine, "chmod", 0, mode) == wanted


@pytest.mark.parametrize("machine", MACHINES)
def test_the_limit_on_core_files_can_be_asked_for_and_only_seems_to_be_set(machine: str) -> None:
    assert error(machine, "setrlimit", 4, 1) == "done"
    assert error(machine, "setrlimit", 7, 1) == ""
    assert error(machine, "prlimit64", 0, 4, 0, 1) == ""
    for pointer in (1, 0xFFFFFFFF, NEVER, NEVER | 1):
        assert error(machine, "prlimit64", 0, 4, pointer, 0) == "done"
        assert error(machine, "prlimit64", 0, 7, pointer, 0) == ""


def test_a_filter_may_be_stricter_about_families() -> None:
    assert seccomp.program((1,)) != seccomp.program()
    assert seccomp.program((10, 2, 1, 16)) == seccomp.program()


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(Unavailable):
        seccomp.program(machine="riscv128")
