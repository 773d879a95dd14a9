"""From inside a sandbox: files of the person, of the bridge, of the system, and the secrets of the workspace itself."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.sandboxes import Bounds, Confinement
from multiagent_bridge.testing.sandboxes import Site, sh
from tests.attacks.confined import SECRET, USERS, ground

pytestmark = pytest.mark.parametrize("user", USERS)

REACH = r"""
places = {'home': home + '/.ssh/id_ed25519', 'beside': beside + '/notes', 'link': 'link', 'folder': 'folder/notes',
          'above': '../beside/notes', 'proc': '/proc/self/root' + beside + '/notes', 'cwd': '/proc/self/cwd/../beside/notes',
          'init': '/proc/1/root' + beside + '/notes', 'init cwd': '/proc/1/cwd' + beside + '/notes'}
for name, place in places.items():
    attempt('read ' + name, lambda: read(place))
attempt('write beside', lambda: write(beside + '/notes'))
attempt('make beside', lambda: write(beside + '/new'))
attempt('make in home', lambda: write(home + '/.bashrc'))
attempt('mode', lambda: os.chmod(beside + '/notes', 0o777))
attempt('list home', lambda: os.listdir(home))
attempt('list above', lambda: 'beside' in os.listdir('..') or False)
attempt('remove', lambda: os.unlink(beside + '/notes'))
"""


def test_what_lies_outside_the_workspace_can_neither_be_read_nor_changed(user: str) -> None:
    with ground(user) as here:
        (here.workspace / "link").symlink_to(here.beside / "notes")
        (here.workspace / "folder").symlink_to(here.beside)
        for path in ("link", "folder"):
            here.give(here.workspace / path)
        places = {"home": here.home, "beside": here.beside}
        assert here.gained(REACH, **places) == []
        assert (here.beside / "notes").read_text() == SECRET
        assert os.listdir(here.beside) == ["notes"]
        assert len(here.without(REACH, **places)) >= 11


def test_a_hard_link_cannot_be_made_to_what_lies_outside(user: str) -> None:
    script = r"""
attempt('link', lambda: os.link(beside + '/notes', 'hard'))
attempt('link by descriptor', lambda: os.link('/proc/self/fd/1', 'other', follow_symlinks=True))
attempt('link a hidden file', lambda: os.link('.env', 'copy'))
attempt('move a hidden file', lambda: os.rename('.env', 'copy'))
attempt('move something over it', lambda: (write('bait'), os.rename('bait', '.env')))
attempt('remove a hidden file', lambda: os.unlink('.env'))
attempt('unmount', lambda: shell('umount .env').returncode == 0)
"""
    with ground(user) as here:
        here.put(".env")
        assert here.gained(script, beside=here.beside) == []
        assert (here.workspace / ".env").read_text() == SECRET
        assert "link" in here.without(script, beside=here.beside)


def test_the_state_of_the_bridge_and_the_systems_secrets_are_not_there(user: str) -> None:
    script = r"""
for place in (state, state + '/bridge.db', state + '/master.key', state + '/sandbox', '/etc/shadow', '/etc/sudoers', '/root',
              '/var', '/run', '/sys', '/boot', '/srv', '/opt', '/mnt', '/media', '/etc/ssh', '/etc/ssl/private', '/home/../root'):
    attempt(place, lambda: os.stat(place))
attempt('home', lambda: [name for name in os.listdir('/home') if name != 'sandbox'] or False)
attempt('tmp', lambda: [name for name in os.listdir('/tmp') if not workspace.startswith('/tmp/' + name)] or False)
attempt('root', lambda: set(os.listdir('/')) - set('bin dev etc home lib lib32 lib64 libx32 proc sbin tmp usr'.split())
        - {workspace.split('/')[1]} or False)
"""
    with ground(user) as here:
        assert here.gained(script, state=here.state, workspace=here.workspace) == []
        assert "/etc/shadow" in here.without(script, state=here.state, workspace=here.workspace)


def test_descriptors_of_the_bridge_are_not_inherited(user: str) -> None:
    script = r"""
for number in set(range(3, 100)):
    attempt(f'descriptor {number}', lambda: os.fstat(number))
for number in (0, 1, 2):
    attempt(f'terminal {number}', lambda: os.isatty(number))
attempt('input', lambda: os.read(0, 1) != b'' )
"""
    with ground(user) as here:
        assert here.gained(script) == []


@pytest.mark.parametrize("writable", [True, False])
def test_files_with_secrets_read_as_empty_wherever_they_lie(user: str, writable: bool) -> None:
    hidden = [
        ".env", ".env.production", "deploy/prod.env", "a/b/c/.env.local", ".envrc", "id_rsa", "keys/id_ed25519", ".netrc",
        ".pypirc", ".git-credentials", "cloud/credentials.json", "service-account-7.json", "store.p12", ".pgpass",
        "web/.npmrc", ".docker/config.json", "config/master.key", "secrets.yaml", "server.key", "node_modules/x/.env", "other",
    ]  # fmt: skip
    content = {
        "web/.npmrc": f"//registry.example/:_authToken={SECRET}\n",
        ".docker/config.json": f'{{"auths": {{"x": {{"auth": "{SECRET}"}}}}}}',
        "server.key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n",
    }
    shown = {
        ".env.example": "A=\n", "web/.yarnrc.yml": "nodeLinker: node-modules\n", "id_rsa.pub": "ssh-rsa AAAA\n",
        "fixture.key": "-----BEGIN PRIVATE KEY-----\nfor tests\n", "secrets.py": "import secrets\n", "environment": "x",
    }  # fmt: skip
    script = r"""
for name in hidden:
    attempt('read ' + name, lambda: read(name) != b'')
    attempt('open ' + name, lambda: write(name))
    attempt('mode of ' + name, lambda: os.chmod(name, 0o777))
for name, content in shown.items():
    if read(name).decode() != content:
        print('hidden ' + name)
attempt('search', lambda: shell('grep -rsq attack-secret . /proc/self/root' + os.getcwd()).returncode == 0)
"""
    with ground(user) as here:
        for name in hidden[:-1]:
            here.put(name, content.get(name, SECRET))
        for name, text in shown.items():
            here.put(name, text, 0o644)
        # another name of the same file
        os.link(here.workspace / ".env", here.workspace / "other")
        outcome = here.inside(script, writable=writable, hidden=hidden, shown=shown)
        assert outcome.stdout.head == b"that was all\n", outcome.stdout.head
        assert all((here.workspace / name).read_text() == content.get(name, SECRET) for name in hidden)


def test_a_secret_cannot_be_uncovered_by_moving_what_is_around_it(user: str) -> None:
    first = r"""
attempt('move', lambda: os.rename('config', 'node_modules'))
attempt('into a repository', lambda: (os.makedirs('x/.git/objects'), os.rename('more', 'x/.git/objects/aa')))
attempt('closed', lambda: os.chmod('closed', 0))
attempt('deep', lambda: [(os.mkdir('d'), os.chdir('d')) for _ in range(40)])
attempt('link', lambda: os.symlink('node_modules/.env', 'plain'))
"""
    second = r"""
attempt('open', lambda: os.chmod('closed', 0o700))
for place in ('node_modules/.env', 'x/.git/objects/aa/.env', 'closed/.env', 'closed/more/.env', 'plain'):
    attempt(place, lambda: b'attack' in read(place) or False)
"""
    with ground(user) as here:
        for name in ("config/.env", "more/.env", "closed/.env", "closed/more/.env"):
            here.put(name)
        assert "move" in here.gained(first)
        assert here.gained(second) == []
        assert here.gained(second) == [], "nor in a third run"
        assert (here.workspace / "node_modules" / ".env").read_text() == SECRET


def test_a_secret_cannot_be_carried_to_where_no_mount_reaches(user: str) -> None:
    """A path longer than the kernel takes can be walked, but not hidden: its beginning is hidden as a whole."""
    first = r"""
os.rename('config', 'x')
for _ in range(30):
    os.mkdir('y' * 200), os.rename('x', 'y' * 200 + '/x'), os.chdir('y' * 200)
attempt('deep', lambda: len(read('x/.env')) or False)
print('down')
"""
    second = r"""
def down():
    while 'x' not in os.listdir('.'):
        os.chdir('y' * 200)
    return b'attack' in read('x/.env') or False
attempt('deep', down)
"""
    with ground(user) as here:
        here.put("config/.env")
        assert here.gained(first) == ["down"]
        assert here.gained(second) == []
        assert here.without(second) == ["deep"]


def test_settings_of_clients_and_editors_are_read_only(user: str) -> None:
    names = [
        ".mcp.json", ".claude/settings.json", ".codex/config.toml", ".gemini/settings.json", ".vscode/tasks.json",
        ".idea/workspace.xml", ".husky/pre-commit", ".cursor/mcp.json", "bridge.toml", "sub/.vscode/tasks.json",
    ]  # fmt: skip
    script = r"""
for name in names:
    attempt('write ' + name, lambda: write(name))
    attempt('remove ' + name, lambda: os.unlink(name))
    attempt('move ' + name, lambda: os.rename(name.split('/')[0], 'moved'))
    if '/' in name:
        attempt('beside ' + name, lambda: write(os.path.dirname(name) + '/more'))
"""
    with ground(user) as here:
        for name in names:
            here.put(name, "{}", 0o644)
        here.put("sub/.git", "gitdir: nowhere\n")
        gained = here.gained(script, names=names)
        # the folder `sub` is not protected, only what is in it
        assert gained == ["move sub/.vscode/tasks.json"]
        found = [path for path in here.workspace.rglob("*") if path.is_file() and path.name != ".git"]
        assert len(found) == len(names)
        assert all(path.read_text() == "{}" for path in found)


def test_a_socket_or_pipe_that_lies_in_the_workspace_leads_nowhere(user: str) -> None:
    script = r"""
attempt('connect', lambda: socket.socket(socket.AF_UNIX).connect('agent.sock'))
attempt('send', lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', 'agent.sock'))
attempt('pipe', lambda: os.write(os.open('pipe', os.O_WRONLY | os.O_NONBLOCK), b'x'))
"""
    with ground(user) as here, socket.socket(socket.AF_UNIX) as server:
        server.bind(str(here.workspace / "agent.sock"))
        server.listen()
        (here.workspace / "agent.sock").chmod(0o777)
        os.mkfifo(here.workspace / "pipe")
        (here.workspace / "pipe").chmod(0o666)
        reader = os.open(here.workspace / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert here.gained(script) == []
            assert here.without(script) == ["connect", "pipe"]
        finally:
            os.close(reader)


def test_a_folder_that_is_swapped_for_a_link_is_refused(user: str) -> None:
    with ground(user) as here:
        workspace = Site(BubblewrapSandbox(here.state), here.workspace).workspace

        async def run() -> None:
            sandbox = BubblewrapSandbox(here.state)
            programs = await sandbox.programs(workspace, ["sh"])
            Path(workspace.path).rename(here.base / "moved")
            Path(workspace.path).symlink_to(here.beside)
            await sandbox.run([sh("ls; : > ran")], programs, Confinement(workspace, True, False, Bounds()))

        here.base.chmod(0o777)
        with pytest.raises(Conflict):
            here.bridge(run)
        assert os.listdir(here.beside) == ["notes"]
