"""The door of ./dev: makes the project's own virtual environment and runs what a person asks for; standard library.

Everything is installed by the hashes of uv.lock, so two machines run the same bytes. The environment is stamped with
what it was made from; a run that finds its stamp starts at once. Usage: see `./dev help`.
"""

# ruff: noqa: T201 - a program for terminals prints

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "dev-stamp.json"
# Present while packages are being written: an environment that has it was left half-made.
UNFINISHED = VENV / "dev-unfinished"
LOG = VENV / "dev-install.log"

# Debian's bare python3 comes without ensurepip: pip itself is fetched, by hash.
PIP_URL = "https://files.pythonhosted.org/packages/07/25/ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"

FAST = "not clients and not browser and not servers and not slow and not machines and not sandbox"
UNREACHABLE = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Max retries exceeded",
    "Temporary failure in name resolution",
    "Connection refused",
    "SSLError",
)
HELP = """\
usage: ./dev COMMAND [ARGUMENTS]

  demo              two agents, one message, one refused token, the journal verified; in a temporary folder
  test [ARGS]       the fast tests, some five minutes on two cores; ARGS go to pytest
  test --all        every tier that this machine can run: machines, slow, agent programs
  check             ruff, formatting, mypy --strict, the floor plan, the documents
  bench [ARGS]      the figures of benchmarks/ as a table; --quick for a short run
  pictures          draws the pictures of the documents from the program; --check says which no longer match
  lock [GROUP...]   the locked requirements with their hashes, for pip --require-hashes
  python [ARGS]     the project's own interpreter
  mab [ARGS]        the program from this checkout
  help              this text

Python 3.11 or later is all it needs: it makes .venv from uv.lock on its first run and keeps it in step.
PYTHON=/path/to/python3 chooses the interpreter.
"""


def fail(sentence: str, status: int = 1) -> NoReturn:
    """End with one sentence on stderr."""
    print(f"dev: {sentence}", file=sys.stderr)
    raise SystemExit(status)


def say(sentence: str) -> None:
    """Talk goes to stderr; stdout belongs to the program that is run."""
    print(f"dev: {sentence}", file=sys.stderr, flush=True)


# --- what the lock asks for ---------------------------------------------------------------------------------------


def locked_requirements(lock: dict[str, Any], groups: tuple[str, ...]) -> list[str]:
    """The requirement lines, with hashes and markers, of the project and the dependency `groups`.

    A package is wanted under the disjunction of the marker conjunctions on all paths that lead to it; the walk ends
    because a conjunction that contains another one is dropped. Raises KeyError when the lock lacks a group.
    """
    packages: dict[str, list[dict[str, Any]]] = {}
    for package in lock["package"]:
        packages.setdefault(package["name"], []).append(package)
    (project,) = (p for p in lock["package"] if "editable" in p["source"] or "virtual" in p["source"])
    edges = list(project.get("dependencies", []))
    for group in groups:
        edges += project["dev-dependencies"][group]
    wanted: dict[str, set[frozenset[str]]] = {}
    open_paths = [(edge, frozenset[str]()) for edge in edges]
    while open_paths:
        edge, above = open_paths.pop()
        path = above | ({edge["marker"]} if "marker" in edge else set())
        known = wanted.setdefault(edge["name"], set())
        if any(other <= path for other in known):
            continue
        wanted[edge["name"]] = {other for other in known if not path <= other} | {path}
        for package in packages[edge["name"]]:
            below = list(package.get("dependencies", []))
            for extra in edge.get("extra", []):
                below += package.get("optional-dependencies", {}).get(extra, [])
            open_paths += [(child, path) for child in below]
    return [
        requirement_line(package, wanted[name], forked=len(packages[name]) > 1)
        for name in sorted(wanted)
        for package in packages[name]
        if package is not project
    ]


def requirement_line(package: dict[str, Any], paths: set[frozenset[str]], *, forked: bool) -> str:
    """One line of a requirements file: the exact version, its marker and the hash of every file of the release."""
    ways = sorted(f"({' and '.join(map(bracket, sorted(path)))})" for path in paths)
    condition = "" if frozenset() in paths else " or ".join(ways)
    if forked:
        fork = " or ".join(map(bracket, package["resolution-markers"]))
        condition = f"({condition}) and ({fork})" if condition else fork
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    parts = [f"{package['name']}=={package['version']}" + (f" ; {condition}" if condition else "")]
    return " ".join(parts + [f"--hash={file['hash']}" for file in files])


def bracket(marker: str) -> str:
    """The marker in parentheses, so that it can stand in a larger one."""
    return f"({marker})"


# --- the environment ----------------------------------------------------------------------------------------------


def fingerprint() -> str:
    """What the environment is made from: the two files, its interpreter and its place (scripts hold absolute paths)."""
    digest = hashlib.sha256(str(VENV).encode())
    for path in (ROOT / "pyproject.toml", ROOT / "uv.lock", VENV / "pyvenv.cfg"):
        digest.update(b"\0" + (path.read_bytes() if path.exists() else b""))
    return digest.hexdigest()


def missing_groups(groups: tuple[str, ...]) -> tuple[str, ...] | None:
    """The groups that still have to be installed; None when nothing of this environment can be relied on."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if stamp.get("key") != fingerprint() or UNFINISHED.exists() or not os.access(PYTHON, os.X_OK) or other_wanted():
        return None
    return tuple(group for group in groups if group not in stamp["groups"])


def other_wanted() -> bool:
    """Whether PYTHON names another version than the environment has."""
    major, minor = sys.version_info[:2]
    return bool(os.environ.get("PYTHON")) and not (VENV / "lib" / f"python{major}.{minor}").is_dir()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One run at a time changes the environment; the lock is the kernel's and ends with its owner."""
    with (ROOT / "dev").open("rb") as door:
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is preparing .venv, waiting for it")
            fcntl.flock(door, fcntl.LOCK_EX)
        yield


def prepare(*groups: str) -> None:
    """Bring .venv in step with uv.lock: the project (editable), its dependencies and the dependency `groups`."""
    if missing_groups(groups) == ():
        return
    with alone():
        missing = missing_groups(groups)
        if missing == ():
            return
        started = time.monotonic()
        say("preparing .venv from uv.lock" if missing is None else f"adding {', '.join(missing)} to .venv")
        had: list[str] = [] if missing is None else json.loads(STAMP.read_text("utf-8"))["groups"]
        whole = tuple(sorted({*had, *groups}))
        if missing is None and (UNFINISHED.exists() or not usable()):
            create()
        UNFINISHED.touch()
        install_locked(whole)
        if missing is None:
            pip("install", "--no-deps", "--editable", str(ROOT))
        passing = STAMP.with_suffix(".new")
        passing.write_text(json.dumps({"key": fingerprint(), "groups": whole}), "utf-8")
        passing.replace(STAMP)
        UNFINISHED.unlink()
        say(f"ready in {time.monotonic() - started:.1f} s")


def usable() -> bool:
    """Whether .venv holds a working interpreter that is new enough, with pip."""
    question = f"import sys, pip; sys.exit(sys.version_info < (3, 11) or sys.prefix != {str(VENV)!r})"
    try:
        found = subprocess.run([PYTHON, "-I", "-c", question], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
    return found and not other_wanted()


def create() -> None:
    """A new .venv with pip in it, in place of whatever lies there; ends with one sentence when it cannot."""
    try:
        if VENV.is_symlink() or VENV.is_file():
            VENV.unlink()
        elif VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
        UNFINISHED.touch()
    except OSError as error:
        fail(f"cannot make {VENV} ({error.strerror}); make the folder writable for this user")
    try:
        venv.create(VENV, with_pip=False, symlinks=True)
    except (OSError, subprocess.SubprocessError) as error:
        fail(f"this Python cannot make a virtual environment ({error}); try another: PYTHON=/path/to/python3 ./dev")
    obstacle = fetch_pip()
    if obstacle and subprocess.run([PYTHON, "-I", "-m", "ensurepip"], capture_output=True, check=False).returncode != 0:
        fail(
            f"pip could not be fetched ({obstacle}) and this Python comes without ensurepip; "
            "check the network and run the same command again"
        )


def fetch_pip() -> str:
    """Unpack the pinned pip, a pure wheel, into .venv: no ensurepip is needed, and seconds are saved beside it.

    Returns what stood in the way, empty when nothing did.
    """
    try:
        content = fetched()
        if hashlib.sha256(content).hexdigest() != PIP_SHA256:
            return "what arrived has the wrong hash"
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            wheel.extractall(next(VENV.glob("lib/python3*/site-packages")))
    except (OSError, zipfile.BadZipFile) as error:
        return str(getattr(error, "reason", error))
    return ""


def fetched() -> bytes:
    """The pinned pip, asked for up to three times. Raises OSError."""
    for turn in (1, 2, 3):
        try:
            with urllib.request.urlopen(PIP_URL, timeout=20) as answer:
                return bytes(answer.read())
        except OSError:
            if turn == 3:
                raise
            time.sleep(turn)
    raise AssertionError


def install_locked(groups: tuple[str, ...]) -> None:
    """Install the exact, hashed closure of the project and `groups`."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    try:
        lines = locked_requirements(lock, groups)
    except KeyError as error:
        fail(f"uv.lock does not know {error}; run `uv lock` after changing pyproject.toml")
    requirements = VENV / "dev-requirements.txt"
    requirements.write_text("\n".join(lines) + "\n", "utf-8")
    pip("install", "--no-deps", "--require-hashes", "--requirement", str(requirements))


def pip(*arguments: str) -> None:
    """Run the environment's pip with its talk kept in a file, and turn a failure into a sentence."""
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_INPUT": "1"}
    elsewhere = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_CONSTRAINT")
    env = {name: value for name, value in environment().items() if name not in elsewhere} | quiet
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - Path.expanduser raises: no HOME and no passwd entry
        env["HOME"] = str(VENV)
    # Importing compiles what is used; compiling everything is only worth its seconds where importing may not write.
    compiled = [] if "PYTHONDONTWRITEBYTECODE" in os.environ else ["--no-compile"]
    command: list[str | Path] = [PYTHON, "-I", "-m", "pip", *arguments, *compiled, "--retries", "3", "--timeout", "30"]
    with LOG.open("w", encoding="utf-8") as log:
        status = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, check=False
        ).returncode
    if status == 0:
        return
    talk = LOG.read_text("utf-8", errors="replace")
    if any(sign in talk for sign in UNREACHABLE):
        index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple")
        fail(f"cannot reach the package registry {index}; check the network and run the same command again")
    print("\n".join(talk.splitlines()[-15:]), file=sys.stderr)
    fail(f"pip could not install what uv.lock names; the whole of its output is in {LOG}")


def environment() -> dict[str, str]:
    """The caller's environment with this .venv in front and nothing that would let other packages in."""
    dropped = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    path = env.get("PATH", os.defpath)
    return env | {"VIRTUAL_ENV": str(VENV), "PATH": f"{VENV / 'bin'}{os.pathsep}{path}", "PYTHONNOUSERSITE": "1"}


# --- what a person asks for ---------------------------------------------------------------------------------------


def become(*command: str | Path) -> NoReturn:
    """Go on as `command`: its exit status, its terminal and its signals are this one's."""
    sys.stdout.flush()
    os.execve(command[0], [str(part) for part in command], environment())  # noqa: S606 - no shell on purpose


def demo(arguments: list[str]) -> NoReturn:
    """`mab demo`."""
    mab(["demo", *arguments])


def mab(arguments: list[str]) -> NoReturn:
    """The program of this checkout: the run-time dependencies are enough."""
    prepare()
    become(PYTHON, VENV / "bin" / "mab", *arguments)


def pictures(arguments: list[str]) -> NoReturn:
    """tools/pictures.py: it needs a Chromium."""
    prepare("test")
    os.chdir(ROOT)
    become(PYTHON, ROOT / "tools" / "pictures.py", *arguments)


def python(arguments: list[str]) -> NoReturn:
    """The interpreter with everything the tests need."""
    prepare("test")
    become(PYTHON, *arguments)


def test(arguments: list[str]) -> NoReturn:
    """pytest: the fast tier, or with --all every tier."""
    prepare("test")
    os.chdir(ROOT)
    every = "--all" in arguments
    chosen = [argument for argument in arguments if argument != "--all"]
    fast = ["-m", FAST, *([] if "-n" in chosen else ["-n", "auto", "--dist", "worksteal"])]
    become(PYTHON, "-m", "pytest", *([] if every else fast), *chosen)


def check(arguments: list[str]) -> NoReturn:
    """Lint, formatting, types, floor plan and documents; runs all, fails when one fails."""
    if arguments:
        fail("check takes no arguments", 2)
    prepare("test", "check")
    os.chdir(ROOT)
    folders = [name for name in ("src", "tests", "benchmarks", "tools") if (ROOT / name).is_dir()]
    floors = "import sys; from importlinter.cli import lint_imports_command as run; sys.argv[0] = 'lint-imports'; run()"
    steps: list[tuple[str, list[str | Path]]] = [
        ("ruff", [PYTHON, "-m", "ruff", "check", *folders]),
        ("format", [PYTHON, "-m", "ruff", "format", "--check", *folders]),
        ("mypy", [PYTHON, "-m", "mypy"]),
        ("floor plan", [PYTHON, "-c", floors]),
        ("documents", [PYTHON, "-m", "pytest", "-q", "tests/docs", "--ignore=tests/docs/test_readme.py"]),
    ]
    failed = []
    for name, command in steps:
        started = time.monotonic()
        print(f"== {name}", flush=True)
        if subprocess.run(command, env=environment(), check=False).returncode != 0:
            failed.append(name)
        print(
            f"== {name}: {'FAILED' if name in failed else 'passed'} in {time.monotonic() - started:.1f} s", flush=True
        )
    named = f" ({', '.join(failed)})" if failed else ""
    print(f"check: {len(steps) - len(failed)} passed, {len(failed)} failed{named}")
    raise SystemExit(1 if failed else 0)


def bench(arguments: list[str]) -> NoReturn:
    """The figures: `python -m benchmarks`."""
    if not (ROOT / "benchmarks").is_dir():
        fail("this checkout has no benchmarks/ folder")
    prepare("test")
    os.chdir(ROOT)
    become(PYTHON, "-m", "benchmarks", *arguments)


def locked(arguments: list[str]) -> None:
    """Print the hashed requirement lines of the program and of the dependency groups named."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    print("\n".join(locked_requirements(lock, tuple(arguments))))


COMMANDS = {
    "demo": demo,
    "test": test,
    "check": check,
    "bench": bench,
    "pictures": pictures,
    "lock": locked,
    "python": python,
    "mab": mab,
}


def main() -> None:
    """Read the command and run it."""
    name, *arguments = sys.argv[1:] or ["help"]
    if name in ("help", "-h", "--help"):
        print(HELP, end="")
    elif name in COMMANDS:
        COMMANDS[name](arguments)
    else:
        fail(f"there is no command {name!r}; ./dev help names them all", 2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
