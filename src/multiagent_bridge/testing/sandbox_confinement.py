"""Laws of what a sandbox keeps a plan from. An unconfined runner breaks each of them."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds
from multiagent_bridge.testing.laws import agree
from multiagent_bridge.testing.sandbox_site import Site

SECRET = "law-secret-7f3a"  # noqa: S105 - what must not be seen


async def nobody_is_root(site: Site) -> None:
    outcome = await site.shell("id -u; grep -c . /etc/shadow; grep CapEff /proc/self/status")
    said = outcome.stdout.head.decode().split()
    agree(said[0] != "0", True, "a command does not run as root")
    agree(said[-1], "0" * 16, "and has no capability")


async def a_workspace_can_be_read_only(site: Site) -> None:
    (site.folder / "kept").write_text("kept")
    line = "cat kept; echo x > kept; echo x > new; rm kept; mkdir sub; chmod 777 kept; mv kept gone; true"
    outcome = await site.shell(line, writable=False)
    agree((outcome.exit_code, outcome.stdout.head), (0, b"kept"), "it can be read")
    agree([path.name for path in site.folder.iterdir()], ["kept"], "nothing is made, moved or removed")
    agree((site.folder / "kept").read_text(), "kept", "nothing is changed")


async def what_lies_beside_the_workspace_is_out_of_reach(site: Site) -> None:
    with tempfile.TemporaryDirectory(dir=site.folder.parent) as beside:
        target = Path(beside, "key")
        target.write_text(SECRET)
        Path(beside).chmod(0o777)
        target.chmod(0o666)
        (site.folder / "link").symlink_to(target)
        (site.folder / "folder").symlink_to(beside)
        line = (
            f"cat {target} ../*/key link folder/key /proc/self/root{target}; ls .. {beside};"
            f" echo x > {target}; echo x > link; echo x > {beside}/new; rm {target}; ln {target} hard && cat hard; true"
        )
        outcome = await site.shell(line)
        agree(SECRET.encode() in outcome.stdout.head, False, "it cannot be read by any path")
        agree(target.read_text(), SECRET, "nor changed")
        agree([path.name for path in Path(beside).iterdir()], ["key"], "nor anything be put there")


async def the_system_cannot_be_changed(site: Site) -> None:
    places = "/usr/mab-law /etc/mab-law /mab-law /usr/bin/mab-law /dev/mab-law /proc/sys/kernel/core_pattern"
    outcome = await site.shell(f"for place in {places}; do (: > $place) 2>/dev/null && echo $place; done; true")
    agree(outcome.stdout.head, b"", "no place outside takes a file")


async def files_with_secrets_are_empty(site: Site) -> None:
    for name in (".env", ".env.local", "sub/.env", "id_rsa", ".netrc"):
        (site.folder / name).parent.mkdir(exist_ok=True)
        (site.folder / name).write_text(f"TOKEN={SECRET}\n")
    (site.folder / ".env.example").write_text("TOKEN=\n")
    for writable in (True, False):
        outcome = await site.shell(
            "cat .env .env.local sub/.env id_rsa .netrc .env.example; grep -rs law-sec .", writable=writable
        )
        agree(outcome.stdout.head, b"TOKEN=\n", "of all of them only the example says something")
    await site.shell("rm -f .env; mv .env gone; echo x > .env; true")
    agree((site.folder / ".env").read_text(), f"TOKEN={SECRET}\n", "they stay as they were")


async def what_runs_by_itself_cannot_be_changed(site: Site) -> None:
    git = site.folder / ".git"
    for name in ("objects", "refs", "hooks", "info"):
        (git / name).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text("[core]\n\tbare = false\n")
    (git / "hooks" / "pre-commit").write_text("#!/bin/sh\n")
    (site.folder / ".mcp.json").write_text("{}")
    (site.folder / ".vscode").mkdir()
    before = _state(site.folder)
    line = (
        "echo x > .git/hooks/pre-commit; echo x > .git/hooks/post-commit; echo x >> .git/config; echo .. > .git/commondir;"
        " echo x > .mcp.json; echo x > .vscode/tasks.json; rm -rf .git/hooks .mcp.json .vscode; mv .git moved; mv .vscode v;"
        " mkdir .git/modules/x; echo x > .git/config.worktree; ln -sf /tmp .git/hooks; rm -f .git/commondir; true"
    )
    await site.shell(line)
    agree(_state(site.folder), before, "hooks, configuration and what stands for them stay as they were")


async def the_machine_cannot_be_reached_by_network(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        line = f"(exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}) && echo connected; true"
        outcome = await site.run(Step(("bash", "-c", line)))
        agree((outcome.exit_code, outcome.stdout.head), (0, b""), "a server on loopback")
        try:
            server.accept()
            agree("a connection", "none", "nobody came")
        except BlockingIOError:
            return


async def other_programs_cannot_be_reached(site: Site) -> None:
    other = await asyncio.create_subprocess_exec("sleep", "300", env={"LAW": SECRET})
    try:
        line = (
            f"kill -9 {other.pid} {os.getpid()}; kill -0 {other.pid} && echo seen; cat /proc/{other.pid}/environ;"
            f" cat /proc/[0-9]*/environ; cat /proc/{other.pid}/cmdline; true"
        )
        outcome = await site.shell(line)
        agree(SECRET.encode() in outcome.stdout.head, False, "their environment cannot be read")
        agree(b"seen" in outcome.stdout.head, False, "they cannot be signalled")
        agree(other.returncode, None, "and they live")
    finally:
        other.kill()
        await other.wait()


async def the_number_of_programs_is_bounded(site: Site) -> None:
    line = "n=0; while [ $n -lt 200 ]; do sleep 300 & n=$((n+1)); echo $n; done"
    outcome = await site.shell(line, bounds=Bounds(seconds=3, processes=20))
    most = int(outcome.stdout.head.split()[-1])
    agree(0 < most <= 20, True, f"with a limit of 20, {most} were started")


async def memory_is_bounded(site: Site) -> None:
    # awk doubles a string until it is far larger than the limit
    line = "awk 'BEGIN { s = \"x\"; while (length(s) < 1500000000) s = s s; print length(s) }'; echo after"
    outcome = await site.shell(line, bounds=Bounds(seconds=20, memory=64 << 20))
    survived = outcome.exit_code == 0 and b"after" in outcome.stdout.head and outcome.stdout.head[:1].isdigit()
    agree(survived, False, "a program that takes far more than the limit does not get it")


def _state(folder: Path) -> dict[str, str | None]:
    """Every path below a folder with its content."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_text() if path.is_file() else None for path in found}


CONFINEMENT_LAWS: tuple[Callable[[Site], Awaitable[None]], ...] = (
    nobody_is_root,
    a_workspace_can_be_read_only,
    what_lies_beside_the_workspace_is_out_of_reach,
    the_system_cannot_be_changed,
    files_with_secrets_are_empty,
    what_runs_by_itself_cannot_be_changed,
    the_machine_cannot_be_reached_by_network,
    other_programs_cannot_be_reached,
    the_number_of_programs_is_bounded,
    memory_is_bounded,
)
