"""Laws of `ports.Workspaces`, and `exercise_workspaces` for whoever writes an adapter.

@asynccontextmanager
async def opened():
    yield MyWorkspaces(...), MyGround(...)

await exercise_workspaces(opened)
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress

import anyio
import anyio.lowlevel

from multiagent_bridge.errors import Conflict, Invalid
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.workspaces import Workspace
from multiagent_bridge.ports import Workspaces
from multiagent_bridge.testing.grounds import Ground
from multiagent_bridge.testing.laws import Broken, agree, refused

WorkspaceLaw = Callable[[Workspaces, Ground], Awaitable[None]]

NEVER = (
    "",
    "relative",
    "/",
    "//",
    "/etc",
    "/usr/bin",
    "/proc",
    "/home",
    "/srv/../etc",
    "/srv\n/work",
    "/srv/wo\x1b[2Jrk",
)
"""Paths that are no workspace anywhere."""


def plan(*lines: str) -> list[Step]:
    """A plan of the words of each line."""
    return [Step(tuple(line.split()), join="" if index == 0 else "&&") for index, line in enumerate(lines)]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def placed(workspaces: Workspaces, ground: Ground) -> Workspace:
    return await workspaces.identify(ground.folder())


async def a_folder_is_known_by_what_it_is(workspaces: Workspaces, ground: Ground) -> None:
    path = ground.folder()
    one = await workspaces.identify(path)
    agree(await workspaces.identify(path + "/"), one, "the same folder is the same workspace, however it is written")
    agree(await workspaces.identify(f"{path}/../{path.rpartition('/')[2]}"), one, "also by a detour")
    agree((await placed(workspaces, ground)) == one, False, "another folder is another workspace")
    await workspaces.verify(one)
    ground.swap(path)
    await refused(workspaces.verify(one), Conflict, "another folder in its place is found out")
    agree((await workspaces.identify(path)) == one, False, "and is a workspace of its own")
    ground.lose(path)
    await refused(workspaces.verify(one), Conflict, "so is none at all")
    await refused(workspaces.identify(path), Invalid, "what is not there cannot be named")


async def what_may_never_be_one_is_refused(workspaces: Workspaces, ground: Ground) -> None:
    for path in NEVER:
        error = await refused(workspaces.identify(path), Invalid, f"{path!r} is no workspace")
        agree(bool(error.hint), True, "and it says what to do")


async def a_script_is_known_by_its_content(workspaces: Workspaces, ground: Ground) -> None:
    one = await placed(workspaces, ground)
    ground.plant(one.path, "tools/run.py", b"print(1)")
    ground.plant(one.path, "notes.txt", b"for people")
    found = await workspaces.scripts(one, plan("python3 -B tools/run.py --fast notes.txt"))
    agree(list(found), [("tools/run.py", digest(b"print(1)"))], "the script counts, what it reads does not")
    ground.plant(one.path, "tools/run.py", b"print(2)")
    found = await workspaces.scripts(one, plan("python3 tools/run.py"))
    agree(list(found), [("tools/run.py", digest(b"print(2)"))], "it changes with its content")
    ground.drop(one.path, "tools/run.py")
    absent = await workspaces.scripts(one, plan("python3 tools/run.py"))
    agree(list(absent), [("tools/run.py", "absent")], "one that is named but not there counts as absent")
    agree(list(await workspaces.scripts(one, plan("cat notes.txt"))), [], "what executes nothing of it has none")


async def what_steers_a_program_counts(workspaces: Workspaces, ground: Ground) -> None:
    one = await placed(workspaces, ground)
    for name in ("package.json", "conftest.py", "Makefile", "Cargo.toml", "build.rs", "req/dev.txt", "setup.py"):
        ground.plant(one.path, name, name.encode())
    for line, wanted in (
        ("npm test", ["package.json"]),
        ("node --test", ["package.json"]),
        ("python -m pytest -q", ["conftest.py", "setup.py"]),
        ("pytest", ["conftest.py", "setup.py"]),
        ("make all", ["Makefile"]),
        ("cargo build", ["Cargo.toml", "build.rs"]),
        ("pip install -r req/dev.txt", ["req/dev.txt", "setup.py"]),
        ("pip install --requirement=req/dev.txt", ["req/dev.txt", "setup.py"]),
        ("git status", []),
        ("ls -la", []),
    ):
        found = [path for path, _ in await workspaces.scripts(one, plan(line))]
        agree(found, sorted(wanted), f"what steers {line!r}")


async def a_plan_is_followed_into_folders(workspaces: Workspaces, ground: Ground) -> None:
    one = await placed(workspaces, ground)
    ground.plant(one.path, "sub/run.sh", b"1")
    ground.plant(one.path, "sub/package.json", b"{}")
    ground.plant(one.path, "package.json", b"{}")
    found = dict(await workspaces.scripts(one, plan("cd sub", "bash run.sh")))
    agree(found.get("sub/run.sh"), digest(b"1"), "a script is looked for where the plan has gone")
    found = dict(await workspaces.scripts(one, plan("cd sub", "npm test")))
    agree(sorted(found), ["package.json", "sub/package.json"], "what lies above steers too")


async def patterns_mean_files(workspaces: Workspaces, ground: Ground) -> None:
    one = await placed(workspaces, ground)
    for name in ("tests/test_a.py", "tests/test_b.py", "tests/.test_c.py", "tests/test_[x].txt"):
        ground.plant(one.path, name, b"1")
    step = Step(("pytest", "tests/test_?.py"), globs=(1,))
    found = [path for path, _ in await workspaces.scripts(one, [step])]
    agree(found, ["tests/test_a.py", "tests/test_b.py"], "a pattern means what it matches, hidden names left out")


async def a_shell_line_counts_what_it_may_run(workspaces: Workspaces, ground: Ground) -> None:
    one = await placed(workspaces, ground)
    ground.plant(one.path, "deploy.sh", b"1")
    ground.plant(one.path, "tool", b"#!/bin/sh\n")
    ground.plant(one.path, "sub/x.py", b"1")
    ground.plant(one.path, "data.csv", b"1")
    ground.plant(one.path, "Makefile", b"all:")
    line = "cd sub && python x.py; cat ../data.csv|sh deploy.sh>out;./tool"
    step = Step(("bash", "--noprofile", "--norc", "-c", line))
    found = [path for path, _ in await workspaces.scripts(one, [step])]
    agree(found, ["Makefile", "deploy.sh", "sub/x.py", "tool"], "programs of the workspace, and what usually steers")


async def a_survey_tells_what_runs_by_itself(workspaces: Workspaces, ground: Ground) -> None:
    one = await placed(workspaces, ground)
    ground.plant(one.path, "src/main.py", b"1")
    ground.plant(one.path, ".git/config", b"[core]")
    before = dict(await workspaces.survey(one))
    agree(dict(await workspaces.survey(one)), before, "the same as long as nothing changes")
    planted = (".mcp.json", ".envrc", ".vscode/tasks.json", "sub/.git/config", "sub/.git/hooks/pre-commit", ".husky/x")
    for name in planted:
        ground.plant(one.path, name, b"1")
    ground.plant(one.path, "src/main.py", b"2")
    ground.plant(one.path, "README.md", b"2")
    after = dict(await workspaces.survey(one))
    agree({path for path in after if path not in before}, {*planted, "sub/.git"}, "what was planted, and nothing else")
    ground.plant(one.path, ".git/config", b"[core] fsmonitor = x")
    again = dict(await workspaces.survey(one))
    agree({path for path in again if again[path] != after.get(path)}, {".git/config"}, "a change is found as well")


async def one_at_a_time_in_one_workspace(workspaces: Workspaces, ground: Ground) -> None:
    one, other = await placed(workspaces, ground), await placed(workspaces, ground)
    inside, most = 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with workspaces.lock(one):
            inside += 1
            most = max(most, inside)
            await anyio.lowlevel.checkpoint()
            inside -= 1

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(work)
        agree((most, inside), (1, 0), "eight who race work one after the other")
        async with workspaces.lock(one), workspaces.lock(other):
            agree(True, True, "another workspace is free meanwhile")


async def whoever_leaves_lets_go(workspaces: Workspaces, ground: Ground) -> None:
    one = await placed(workspaces, ground)
    with anyio.fail_after(20):
        with suppress(Broken):
            async with workspaces.lock(one):
                raise Broken("on purpose")
        async with workspaces.lock(one):
            with anyio.move_on_after(0.05) as waited:
                async with workspaces.lock(one):
                    agree("two at once", "one at a time", "what is held is held")
            agree(waited.cancelled_caught, True, "a wait can be given up")
        async with workspaces.lock(one):
            agree(True, True, "an error and a given up wait leave it free")


async def what_is_gone_cannot_be_looked_at(workspaces: Workspaces, ground: Ground) -> None:
    one = await placed(workspaces, ground)
    ground.swap(one.path)
    await refused(workspaces.scripts(one, plan("python x.py")), Conflict, "scripts of another folder")
    await refused(workspaces.survey(one), Conflict, "a survey of another folder")


WORKSPACE_LAWS: tuple[WorkspaceLaw, ...] = (
    a_folder_is_known_by_what_it_is,
    what_may_never_be_one_is_refused,
    a_script_is_known_by_its_content,
    what_steers_a_program_counts,
    a_plan_is_followed_into_folders,
    patterns_mean_files,
    a_shell_line_counts_what_it_may_run,
    a_survey_tells_what_runs_by_itself,
    one_at_a_time_in_one_workspace,
    whoever_leaves_lets_go,
    what_is_gone_cannot_be_looked_at,
)


async def exercise_workspaces(opened: Callable[[], AbstractAsyncContextManager[tuple[Workspaces, Ground]]]) -> None:
    """Hold an adapter to every law. Raises `laws.Broken` for the first that does not hold."""
    for law in WORKSPACE_LAWS:
        async with opened() as (workspaces, ground):
            await law(workspaces, ground)
