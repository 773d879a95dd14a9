"""Scripts that are not what was approved, and what a command plants to run later, outside every sandbox."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from multiagent_bridge.adapters import surveys
from multiagent_bridge.errors import Refused
from multiagent_bridge.model.commands import Step
from tests.attacks import yards
from tests.attacks.yards import USERS, Bridge, Yard

BY_ITSELF = (
    ".mcp.json",
    ".envrc",
    ".husky/pre-commit",
    ".vscode/tasks.json",
    ".idea/runConfigurations/x.xml",
    ".claude/settings.json",
    ".codex/config.toml",
    ".gemini/settings.json",
    ".cursor/mcp.json",
    ".gitmodules",
    ".gitconfig",
    ".npmrc",
    ".yarnrc.yml",
    ".cargo/config.toml",
    ".github/workflows/ci.yml",
    ".devcontainer/devcontainer.json",
    ".pre-commit-config.yaml",
    "sitecustomize.py",
    "AGENTS.md",
    "venv/lib/python3.11/site-packages/evil.pth",
    "venv/lib/python3.11/site-packages/sitecustomize.py",
    "deep/er/.envrc",
    ".claude/skills/x/run.sh",
    "packages/app/.vscode/settings.json",
)
"""Files that somebody's program runs or obeys without being asked."""


@pytest.fixture(params=USERS)
def yard(request: pytest.FixtureRequest) -> Iterator[Yard]:
    with yards.made(request.param) as found:
        yield found


@pytest.fixture
def own() -> Iterator[Yard]:
    """For what does not depend on who runs the bridge: an ordinary user does."""
    with yards.made(USERS[-1]) as found:
        yield found


def scripts(yard: Yard, *words: str, globs: tuple[int, ...] = ()) -> dict[str, str]:
    async def looked(bridge: Bridge) -> dict[str, str]:
        return dict(await bridge.workspaces.scripts(bridge.workspace, [Step(words, globs=globs)]))

    return yard.does(looked)


def survey(yard: Yard) -> dict[str, str]:
    async def looked(bridge: Bridge) -> dict[str, str]:
        return dict(await bridge.workspaces.survey(bridge.workspace))

    return yard.does(looked)


def planted(yard: Yard, script: str) -> set[str]:
    """What a survey finds that was not there, or not so, before a script ran."""
    before = survey(yard)
    yard.run(script)
    return {path for path, digest in survey(yard).items() if before.get(path) != digest}


def test_a_script_that_leads_out_of_the_workspace_is_refused(yard: Yard) -> None:
    (yard.outside / "evil.py").write_text("print(1)")
    yard.run('ln -s "$OUTSIDE/evil.py" link.py; ln -s "$OUTSIDE" folder; ln -s /etc/passwd conftest.py')
    for words in (
        ("python", "link.py"),
        ("python", "folder/evil.py"),
        ("python", "../outside/evil.py"),
        ("python", str(yard.outside / "evil.py")),
        ("pytest", "-q"),
        ("pip", "install", "-r", "link.py"),
        ("bash", "link.py"),
        ("./link.py",),
    ):
        with pytest.raises(Refused) as caught:
            scripts(yard, *words)
        assert "leads out of the workspace" in caught.value.sentence, words


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "endless"])
def test_a_script_that_is_no_plain_file_is_refused_at_once(yard: Yard, kind: str) -> None:
    path = yard.shop / "run.py"
    if kind == "pipe":
        yard.run("mkfifo run.py")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    else:
        path.symlink_to("/dev/zero" if kind == "endless" else "/dev/null")
    before = time.monotonic()
    with pytest.raises(Refused):
        scripts(yard, "python", "run.py")
    assert time.monotonic() - before < 20


def test_a_script_beyond_all_measure_is_refused_and_a_large_one_is_hashed(own: Yard) -> None:
    path = own.plant("run.py")
    os.truncate(path, 2 << 30)
    with pytest.raises(Refused, match="larger than"):
        scripts(own, "python", "run.py")
    os.truncate(path, 100 << 20)
    one = scripts(own, "python", "run.py")
    with path.open("r+b") as file:
        file.seek(90 << 20)
        file.write(b"x")
    assert scripts(own, "python", "run.py") != one


def test_a_link_inside_the_workspace_counts_with_what_it_leads_to(own: Yard) -> None:
    own.plant("real.py", "print(1)")
    own.run("ln -s real.py run.py")
    one = scripts(own, "python", "run.py")
    assert set(one) == {"run.py"}
    own.plant("real.py", "print(2)")
    two = scripts(own, "python", "run.py")
    own.plant("other.py", "print(1)")
    own.run("ln -sf other.py run.py")
    assert two != one
    assert scripts(own, "python", "run.py") == one


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("npm test", ".npmrc"),
        ("npm run build", "package-lock.json"),
        ("npx tool", "node_modules/.bin/tool"),
        ("python -m pytest tests/test_a.py", "tests/conftest.py"),
        ("python -m pytest tests/test_a.py::TestB", "tests/test_a.py"),
        ("python -m tools.run", "tools/run.py"),
        ("python tools", "tools/__main__.py"),
        ("node app", "app.js"),
        ("node -r ./hook.js app.js", "hook.js"),
        ("node --import=./hook.mjs app.js", "hook.mjs"),
        ("cargo test", ".cargo/config.toml"),
        ("cargo build", "rust-toolchain"),
        ("make -f build/x.mk all", "build/x.mk"),
        ("make -C sub", "sub/Makefile"),
        ("pip install -e ./pkg[dev]", "pkg/setup.py"),
        ("pip install -rreq.txt", "req.txt"),
        ("git commit -m x", ".git/hooks/pre-commit"),
        ("git status", ".git/config"),
        ("git status", ".git/commondir"),
        ("bash --noprofile --norc -c ./run", "run"),
        ("bash -c npm\ttest", "package.json"),
        ("bash -c true", ".git/hooks/post-checkout"),
    ],
)
def test_what_appears_after_the_approval_changes_what_was_approved(own: Yard, line: str, name: str) -> None:
    words = tuple(line.split(" "))
    before = scripts(own, *words)
    own.plant(name, "#!/bin/sh\ntouch /tmp/x", 0o755)
    after = scripts(own, *words)
    assert after != before
    assert after[name] != "absent"
    own.plant(name, "#!/bin/sh\ntouch /tmp/y", 0o755)
    assert scripts(own, *words) != after


def test_requirements_that_name_each_other_end(own: Yard) -> None:
    own.plant("a.txt", "-r b.txt\n-c c/d.txt\n--requirement=gone.txt\n")
    own.plant("b.txt", "-r a.txt\n")
    own.plant("c/d.txt", "-r ../b.txt\n")
    found = scripts(own, "pip", "install", "-r", "a.txt")
    assert set(found) == {"a.txt", "b.txt", "c/d.txt", "gone.txt"}
    assert found["gone.txt"] == "absent"
    own.plant("b.txt", "-r ../outside/x\n")
    (own.outside / "x").write_text("evil")
    with pytest.raises(Refused):
        scripts(own, "pip", "install", "-r", "a.txt")


def test_a_pattern_of_many_scripts_counts_each_and_too_many_are_refused(own: Yard) -> None:
    own.run("mkdir t; for i in $(seq 30); do echo $i > t/x$i.py; done; touch t/.hidden.py t/-n.py")
    assert len(scripts(own, "pytest", "t/*.py", globs=(1,))) == 31
    own.run("cd t; for i in $(seq 2100); do : > y$i.py; done")
    with pytest.raises(Refused, match="more than"):
        scripts(own, "bash", "t/*.py", globs=(1,))


def test_names_that_are_no_unicode_are_told_apart(own: Yard) -> None:
    own.run("printf 1 > $'caf\\xe9.py'; printf 2 > $'caf\\xe8.py'")
    one, two = (scripts(own, "python", os.fsdecode(name)) for name in (b"caf\xe9.py", b"caf\xe8.py"))
    assert list(one) != list(two)
    assert "absent" not in (*one.values(), *two.values())


def test_planted_files_that_run_by_themselves_are_found(own: Yard) -> None:
    def each(line: str) -> str:
        return "; ".join(line.format(name=name, folder=os.path.dirname(name) or ".") for name in BY_ITSELF)

    wanted = set(BY_ITSELF)
    assert planted(own, each("mkdir -p '{folder}'; echo evil > '{name}'")) == wanted
    assert planted(own, each("echo worse > '{name}'")) == wanted
    assert planted(own, each("rm '{name}'; ln -s /etc/passwd '{name}'")) == wanted
    assert planted(own, "echo usual > main.py; mkdir -p src; echo usual > src/conftest.py") == set()


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("git init -q docs", "docs/.git"),
        ("git init -q --bare lib/cache", "lib/cache"),
        ("mkdir -p lib/cache/objects lib/cache/refs; echo ref: x > lib/cache/HEAD", "lib/cache"),
        ("mkdir x; echo 'gitdir: ../elsewhere' > x/.git", "x/.git"),
        ("mkdir x; ln -s ../elsewhere x/.git", "x/.git"),
        ("mkdir -p x/.GIT", "x/.GIT"),
        ("mkdir -p node_modules/left-pad/.git", "node_modules/left-pad/.git"),
        ("mkdir -p node_modules/@scope/pkg/.git", "node_modules/@scope/pkg/.git"),
        ("mkdir -p .claude/worktrees/a/b/c/d/.git", ".claude/worktrees/a/b/c/d/.git"),
        ("git init -q .; echo '[core] fsmonitor = x' >> .git/config", ".git/config"),
        ("git init -q .; echo ../evil > .git/commondir", ".git/commondir"),
        ("git init -q .; mkdir -p .git/hooks; echo x > .git/hooks/post-checkout", ".git/hooks/post-checkout"),
        ("mkdir -p .git evil; rm -rf .git/hooks; ln -s ../evil .git/hooks", ".git/hooks"),
        (
            "mkdir -p .git/modules/m/hooks; echo x > .git/modules/m/hooks/post-checkout",
            ".git/modules/m/hooks/post-checkout",
        ),
        (
            "mkdir -p .git/rebase-merge; echo exec evil > .git/rebase-merge/git-rebase-todo",
            ".git/rebase-merge/git-rebase-todo",
        ),
        ('echo \'{"scripts":{"postinstall":"evil"}}\' > package.json', "package.json"),
        ("printf '{broken' > package.json", "package.json"),
        ("mkdir sub; mkfifo sub/.envrc", "sub/.envrc"),
        ("ln -s ../outside .vscode", ".vscode"),
    ],
)
def test_a_planted_repository_or_hook_is_found(own: Yard, script: str, wanted: str) -> None:
    assert wanted in planted(own, script)


def test_the_surveyed_repository_would_indeed_have_run_what_was_planted(own: Yard) -> None:
    own.run("git init -q docs; git -C docs config core.fsmonitor 'touch $PROOF; false'; git -C docs status")
    assert own.proof.exists()


@pytest.mark.parametrize(
    "setting", ["core.hooksPath tools/hooks", "include.path ../tools/hooks/extra", "core.fsmonitor tools/hooks/x"]
)
def test_what_the_configuration_points_to_inside_the_workspace_counts(own: Yard, setting: str) -> None:
    own.plant("tools/hooks/pre-commit", "usual", 0o755)
    own.plant("tools/hooks/extra", "usual")
    own.plant("tools/hooks/x", "usual")
    own.run(f"git init -q .; git config {setting}")
    name = {"core.hooksPath": "pre-commit", "include.path": "extra", "core.fsmonitor": "x"}[setting.split()[0]]
    assert planted(own, f"echo evil > tools/hooks/{name}") == {f"tools/hooks/{name}"}


def test_ordinary_edits_of_a_package_are_not_reported(own: Yard) -> None:
    own.plant("package.json", '{"scripts": {"test": "x", "prepare": "husky"}, "dependencies": {}}')
    assert planted(own, """echo '{"scripts": {"test": "y", "prepare": "husky"}}' > package.json""") == set()
    assert planted(own, """echo '{"scripts": {"test": "y", "prepare": "evil"}}' > package.json""") == {"package.json"}


def test_a_survey_is_not_held_up_and_says_when_it_is_not_whole(own: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "MOST", 300)
    own.run("mkdir -p a/b; for i in $(seq 400); do : > a/b/$i; done; mkdir z; git init -q z/deep")
    one, two = survey(own), survey(own)
    marks = [path for path in two if one.get(path) != two[path]]
    assert [mark for mark in marks if "not everything" in mark]


def test_a_folder_too_deep_for_a_path_is_not_passed_over_in_silence(own: Yard) -> None:
    made = os.open(own.shop, os.O_DIRECTORY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=made)
        deeper = os.open("d" * 200, os.O_DIRECTORY, dir_fd=made)
        os.close(made)
        made = deeper
    os.mkdir(".git", dir_fd=made)
    os.close(made)
    one, two = survey(own), survey(own)
    assert [path for path in two if one.get(path) != two[path]]


def test_a_configuration_made_to_be_slow_to_read_is_not(own: Yard) -> None:
    own.plant(".git/config", b"\n" * 500_000 + b" path =" * 60_000)
    before = time.process_time()
    assert ".git/config" in survey(own)
    assert time.process_time() - before < 20


def test_root_looks_at_the_workspace_of_another_with_that_ones_eyes(yard: Yard) -> None:
    secret = yard.shop / "secret.py"
    secret.write_text("of whoever runs the bridge")
    secret.chmod(0o600)
    if yard.user == "nobody":
        os.chown(secret, 0, 0)
    elif yard.user == "own":
        secret.chmod(0)

    def readable() -> bool:
        try:
            return scripts(yard, "python", "secret.py")["secret.py"] != "absent"
        except Refused:
            return False

    assert readable() is (yard.user == "own" and os.geteuid() == 0)
