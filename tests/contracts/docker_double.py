"""Stands in for the client of a container engine: does what the words say, but confines nothing.

As with a real engine, a container lives on when its client is killed, ends with its first program, and is known by its name. What
is called is written to `calls`, one JSON line each; files in the folder `says` change the answers: `silent` (no engine
answers), `missing` (no image), `open` (the self-test is run for real, and fails), `other` (what it makes belongs to
somebody else), `broken` (no container can be started), `hangs`.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).resolve().parent
MARK = "MAB_DOUBLE"
VALUED = {"--name", "--label", "--ulimit", "--tmpfs", "--mount", "--env", "--entrypoint"}


def says(name: str) -> bool:
    return (HERE / "says" / name).exists()


def note(words: list[str]) -> None:
    with open(HERE / "calls", "a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.write(json.dumps({"words": words, "environment": dict(os.environ)}) + "\n")


def fail(sentence: str, status: int = 1) -> int:
    print(f"docker: {sentence}", file=sys.stderr)
    return status


def parsed(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Options, and the image with the program's words."""
    options: dict[str, list[str]] = {}
    left = list(words)
    while left and left[0].startswith("-"):
        name, glued, value = left.pop(0).partition("=")
        options.setdefault(name, []).append(left.pop(0) if name in VALUED and not glued else value)
    return options, left


def run(words: list[str]) -> int:
    options, (_, *rest) = parsed(words)
    name = options["--name"][0]
    if says("broken"):
        return fail("Error response from daemon: no such runtime", 125)
    argv = [*options["--entrypoint"], *rest]
    if "mab-probe" in " ".join(argv) and not says("open"):
        return probed(options)
    (HERE / "containers" / name).touch()
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **dict(one.split("=", 1) for one in options["--env"])}
    uid, gid = map(int, options["--user"][0].split(":"))
    other = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
    environment = environment | {MARK: name, "HOME": "/nonexistent", "TMPDIR": "/tmp"}
    with subprocess.Popen(
        argv,
        cwd=options["--workdir"][0],
        env=environment,
        start_new_session=True,
        **other,  # type: ignore[call-overload]
    ) as child:
        status = child.wait()
    end(name)
    return int(status) if status >= 0 else 128 - int(status)


def probed(options: dict[str, list[str]]) -> int:
    (HERE / "containers" / options["--name"][0]).touch()
    made = Path(options["--workdir"][0], "made")
    made.touch()
    uid, gid = map(int, options["--user"][0].split(":"))
    if says("other"):
        made.unlink()
    elif os.geteuid() == 0:
        os.chown(made, uid, gid)
    print("done")
    return 0


def end(name: str) -> None:
    while found := [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if member(pid, name)]:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def member(pid: int, name: str) -> bool:
    try:
        return f"{MARK}={name}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def main(words: list[str]) -> int:
    note(words)
    verb, name = words[0], words[-1]
    known = HERE / "containers" / name
    if says("hangs"):
        time.sleep(300)
    if verb == "run":
        return run(words[1:])
    if verb == "version":
        if says("silent"):
            return fail("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
        print("28.2.2")
    elif verb == "image":
        if says("missing"):
            return fail("Error: No such image")
        print(json.dumps(["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C"]))
    elif verb == "inspect":
        if not known.exists():
            return fail("Error: No such container: " + name)
        print("2026-01-01T00:00:00Z")
    elif verb == "kill":
        end(name)
    elif verb == "rm":
        if not known.exists():
            return fail("Error response from daemon: No such container: " + name)
        known.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
