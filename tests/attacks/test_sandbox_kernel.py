"""From inside a sandbox: other programs, the kernel's doors, devices, namespaces, terminals."""

from __future__ import annotations

import os
import platform
import subprocess

import pytest

from multiagent_bridge.adapters.sandbox import seccomp
from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.model.sandboxes import Bounds, Outcome
from multiagent_bridge.testing.sandboxes import Site, sh
from tests.attacks.confined import NOBODY, SECRET, USERS, ground

pytestmark = pytest.mark.parametrize("user", USERS)

PTRACE_ATTACH = 16


def test_other_programs_of_the_same_user_cannot_be_seen_signalled_or_read(user: str) -> None:
    script = r"""
numbers = {other, parent, -1} | {n for n in range(2, 400) if n not in (os.getpid(), os.getppid())}
for number in (other, parent):
    attempt('signal', lambda: os.kill(number, 0))
    attempt('kill', lambda: os.kill(number, signal.SIGCONT))
    attempt('environment', lambda: b'attack' in read(f'/proc/{number}/environ') or False)
    attempt('memory', lambda: open(f'/proc/{number}/mem', 'rb').read(1))
    attempt('trace', lambda: call('ptrace', 16, number, 0, 0))
    attempt('files', lambda: os.listdir(f'/proc/{number}/fd'))
    attempt('limits', lambda: __import__('resource').prlimit(number, __import__('resource').RLIMIT_CORE))
    attempt('priority', lambda: os.setpriority(os.PRIO_PROCESS, number, 1))
    attempt('handle', lambda: os.pidfd_open(number))
attempt('visible', lambda: len([n for n in os.listdir('/proc') if n.isdigit()]) > 8 or False)
every = [n for n in os.listdir('/proc') if n.isdigit()]
attempt('all', lambda: b'attack-secret' in b''.join(read(f'/proc/{n}/environ') for n in every) or False)
"""
    become = {} if user == "own" else {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
    other = subprocess.Popen(["sleep", "300"], env={"PATH": "/usr/bin", "KEY": SECRET}, **become)  # type: ignore[call-overload]
    try:
        with ground(user) as here:
            places = {"other": other.pid, "parent": os.getpid()}
            assert here.gained(script, **places) == []
            assert other.poll() is None
            # not this one: it would be stopped by its own attack
            gained = here.without(script, other=other.pid, parent=other.pid)
            assert {"signal", "kill", "limits", "priority", "handle", "visible"} <= set(gained)
    finally:
        other.kill()
        other.wait()


def test_everybody_at_once_are_only_those_inside(user: str) -> None:
    script = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nattempt('all', lambda: os.kill(-1, signal.SIGTERM) and False)\n"
    )
    become = {} if user == "own" else {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
    other = subprocess.Popen(["sleep", "300"], **become)  # type: ignore[call-overload]
    try:
        with ground(user) as here:
            here.inside(script)
            assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_settings_of_the_kernel_cannot_be_written(user: str) -> None:
    """As real root this was open: the kernel asks for user 0, whatever capabilities are gone (notes/guard section 5.1)."""
    script = r"""
for folder, _, names in os.walk('/proc/sys'):
    for name in names:
        place = os.path.join(folder, name)
        attempt(place, lambda: os.close(os.open(place, os.O_WRONLY)))
for place in ('/proc/sysrq-trigger', '/proc/self/oom_score_adj', '/proc/self/mem', '/proc/self/setgroups', '/proc/self/uid_map',
              '/proc/self/coredump_filter', '/proc/1/oom_score_adj', '/proc/irq/default_smp_affinity', '/proc/mtrr'):
    attempt(place, lambda: os.close(os.open(place, os.O_WRONLY)))
for place in ('/proc/kcore', '/proc/kmsg', '/proc/kpagecount', '/proc/vmallocinfo', '/proc/slabinfo'):
    attempt(place, lambda: read(place))
attempt('remount', lambda: shell('mount -o remount,rw /proc').returncode == 0 or False)
attempt('another proc', lambda: shell('mkdir -p /tmp/p && mount -t proc none /tmp/p').returncode == 0 or False)
"""
    with ground(user) as here:
        assert here.gained(script) == []


def test_devices_are_the_harmless_ones(user: str) -> None:
    script = r"""
import stat
known = set('null zero full random urandom tty ptmx console pts shm fd stdin stdout stderr core'.split())
attempt('devices', lambda: set(os.listdir('/dev')) - known or False)
attempt('terminal', lambda: os.open('/dev/tty', os.O_RDWR))
for place, kind, number in (('d', stat.S_IFCHR, os.makedev(1, 1)), ('/tmp/d', stat.S_IFBLK, os.makedev(254, 0))):
    attempt('make ' + place, lambda: os.mknod(place, kind | 0o600, number))
attempt('put', lambda: write('/dev/more'))
attempt('mode', lambda: os.chmod('/dev/null', 0o600))
attempt('remove', lambda: os.unlink('/dev/null'))
write('/dev/null'), write('/dev/shm/x'), read('/dev/shm/x'), os.urandom(3)
"""
    with ground(user) as here:
        assert here.gained(script) == []


def test_no_namespace_no_mount_no_privilege(user: str) -> None:
    script = r"""
for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x10020000):
    attempt(f'unshare {flag:x}', lambda: call('unshare', flag))
    attempt(f'clone {flag:x}', lambda: os._exit(0) if call('clone', ctypes.c_long(flag | 17), 0, 0, 0, 0) == 0 else True)
attempt('clone3', lambda: call('clone3', ctypes.byref((ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)), 88))
attempt('setns', lambda: call('setns', os.open('/proc/self/ns/user', os.O_RDONLY), 0))
for line in ('unshare -U true', 'unshare -r id', 'mount -t tmpfs none /tmp', 'mount --bind / .', 'umount /proc', 'chroot / true',
             'umount -l .', 'mount -o remount,rw /', 'mount -o remount,rw /usr', 'su -c true',
             'sudo -n true', 'bwrap --bind / / true'):
    attempt(line, lambda: shell(line).returncode == 0 or False)
attempt('user', lambda: os.setuid(0))
attempt('groups', lambda: os.setgroups([0]))
attempt('capabilities', lambda: b'CapEff:\t0000000000000000' not in read('/proc/self/status') or False)
attempt('privileges', lambda: b'NoNewPrivs:\t1' not in read('/proc/self/status') or False)
"""
    with ground(user) as here:
        assert here.gained(script) == []


def test_every_refused_system_call_is_refused_by_the_filter(user: str) -> None:
    script = r"""
for name, number in sorted(numbers.items()):
    try:
        call(number, 0, 0, 0, 0, 0, 0)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOSYS):
            print(name, error)
    else:
        print(name)
"""
    machine = seccomp.MACHINES[platform.machine()]
    judged = set(seccomp._blocks([]))
    with ground(user) as here:
        numbers = {name: number for name, number in machine.numbers.items() if name not in judged}
        assert len(numbers) > 40
        assert here.gained(script, numbers=numbers) == []


def test_another_numbering_of_system_calls_is_no_way_round(user: str) -> None:
    """x32 numbers find the same calls; the 32-bit entry has numbers of its own and ends the program."""
    script = r"""
import mmap
for number in (0x40000000 | 39, 0x40000000 | 101, 0x40000000 | 41):
    attempt(f'x32 {number:x}', lambda: call(number, 0, 0, 0, 0))
def old():
    # mov eax, 20 (getpid); int 0x80; ret
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b'\xb8\x14\x00\x00\x00\xcd\x80\xc3')
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
child = os.fork()
if child == 0:
    os._exit(0 if old() > 0 else 1)
_, status = os.waitpid(child, 0)
attempt('32 bits', lambda: status == 0)
"""
    with ground(user) as here:
        gained = here.gained(script) if platform.machine() == "x86_64" else []
        assert gained == []


def test_no_set_user_id_file_can_be_left_behind(user: str) -> None:
    script = r"""
write('tool'), write('/tmp/tool')
for mode in (0o4755, 0o4000, 0o6755):
    attempt(f'chmod {mode:o}', lambda: os.chmod('tool', mode))
    attempt(f'fchmod {mode:o}', lambda: os.fchmod(os.open('tool', os.O_RDONLY), mode))
    attempt(f'open {mode:o}', lambda: os.open(f'made{mode}', os.O_CREAT | os.O_WRONLY, mode))
    attempt(f'creat {mode:o}', lambda: call('creat', f'creat{mode}'.encode(), mode))
    attempt(f'mknod {mode:o}', lambda: os.mknod(f'node{mode}', 0o100000 | mode))
    attempt(f'tmpfile {mode:o}', lambda: os.open('.', os.O_TMPFILE | os.O_WRONLY, mode))
    attempt(f'fchmodat2 {mode:o}', lambda: call('fchmodat2', -100, b'tool', mode, 0))
how = (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_WRONLY, 0o4755, 0)
attempt('openat2', lambda: call('openat2', -100, b'o2', ctypes.byref(how), 24))
attempt('cp', lambda: shell('cp --preserve=mode /usr/bin/su . && [ -u su ]').returncode == 0 or False)
"""
    with ground(user) as here:
        assert here.gained(script) == []
        assert not [path for path in here.workspace.iterdir() if path.stat().st_mode & 0o4000]
        assert len(here.without(script)) > 10


def test_nothing_can_be_typed_into_a_terminal(user: str) -> None:
    """The sandbox has none; a terminal that it makes itself shows that the call is refused."""
    script = r"""
ours, theirs = os.openpty()
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(theirs, 0x540e, 0)
    for request in (0x5412, 0x541c, 0x5412 | 1 << 32):
        attempt(f'type {request:x}', lambda: call('ioctl', theirs, ctypes.c_ulong(request), b'x'))
    os._exit(0)
os.waitpid(child, 0)
"""
    with ground(user) as here:
        assert here.gained(script) == []


def test_keys_rings_and_programs_for_the_kernel_are_refused(user: str) -> None:
    script = r"""
attempt('keyctl', lambda: call('keyctl', 0, -3, 0, 0, 0))
attempt('add_key', lambda: call('add_key', b'user', b'mab', b'x', 1, -3))
attempt('request_key', lambda: call('request_key', b'user', b'mab', 0, 0))
attempt('io_uring', lambda: call('io_uring_setup', 4, ctypes.byref((ctypes.c_char * 120)())))
attempt('bpf', lambda: call('bpf', 0, ctypes.byref((ctypes.c_char * 72)()), 72))
attempt('perf', lambda: call('perf_event_open', ctypes.byref((ctypes.c_char * 120)()), 0, -1, -1, 0))
attempt('userfaultfd', lambda: call('userfaultfd', 1))
attempt('by handle', lambda: call('open_by_handle_at', 0, 0, 0))
attempt('trace me', lambda: call('ptrace', 0, 0, 0, 0))
"""
    with ground(user) as here:
        assert here.gained(script) == []
        assert "trace me" in here.without(script)


def test_a_crash_starts_no_handler_of_the_machine(user: str) -> None:
    """One named by core_pattern is started as root, outside; a limit of 1 keeps the kernel from it, 0 does not (core(5))."""
    script = r"""
import resource
before = resource.getrlimit(resource.RLIMIT_CORE)
for wanted in ((0, 0), (0, before[1]), (before[1], before[1])):
    # gpg and others end when they are refused this
    resource.setrlimit(resource.RLIMIT_CORE, wanted)
shell('prlimit --core=0 --pid ' + str(os.getpid()))
print(before[0], resource.getrlimit(resource.RLIMIT_CORE) == before)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
"""
    with ground(user) as here:
        assert here.gained(script) == ["1 True"]


def test_limits_are_set_before_anything_of_the_step_is_read(user: str) -> None:
    """What a loader takes from a step's own variables must not come before the limits."""
    with ground(user) as here:

        async def run() -> Outcome:
            site = Site(BubblewrapSandbox(here.state, home=here.home), here.workspace)
            preload = {"LD_PRELOAD": str(here.workspace / "loader.so"), "LD_AUDIT": str(here.workspace / "audit.so")}
            line = "grep -c 'Max processes  *48 ' /proc/self/limits"
            return await site.run(sh(line, environment=preload), bounds=Bounds(seconds=20, processes=48))

        outcome = here.bridge(run)
        assert outcome.stdout.head == b"1\n"
        # neither what sets the limits nor what sets the variables looked for them
        assert outcome.stderr.head.count(b"loader.so") <= 2, outcome.stderr.head
