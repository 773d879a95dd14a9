"""A publisher, a real bare repository, a worker with its own state directory: everything of a delivery but the hub."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.parcels import age, carriers
from multiagent_bridge.adapters.parcels.box import HomeLetterbox
from multiagent_bridge.errors import BridgeError
from multiagent_bridge.guard import parcels as guard
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.parcels import Parcel, Signed, path_of
from multiagent_bridge.services.parcels import Arrivals, Pulled
from multiagent_bridge.testing.clock import START, FakeClock

QUIET = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
PERSON = {
    "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@x", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@x",
}  # fmt: skip
TOKEN = "0123456789abcdef" * 4


class Worker:
    def __init__(self, home: Path, repository: Path, name: str = "builder-1") -> None:
        self.home = home
        self.name = name
        self.clock = FakeClock()
        age.identity(home, make=True)
        self.box = HomeLetterbox(home)
        source = carriers.GitSource(carriers.repository(home, str(repository), "main", name))
        self.arrivals = Arrivals(name, source, self.box, self.clock)

    async def pull(self, publisher: str | None = None) -> Pulled:
        return await self.arrivals.pull(publisher)


class Mailing:
    """What an honest publisher sends; an attacker has the repository and every file that ever lay in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository = root / "repository.git"
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.repository), at=root)
        self.keys = MasterKeys(bytes(range(1, 33)))
        self.publisher = guard.publisher_text(self.keys.publisher_key)
        self.worker = Worker(root / "worker", self.repository)

    def parcel(self, worker: Worker | None = None, **other: object) -> Parcel:
        to = worker or self.worker
        parcel = Parcel(
            worker=to.name, recipient=to.box.recipient, conversation_id="conv_000000000001", session_id="b", role="builder",
            generation=1, token=TOKEN, hub="", hub_key="", sequence=7, issued_at=START, expires_at=START + 3600 * SECOND,
        )  # fmt: skip
        return replace(parcel, **other)  # type: ignore[arg-type]

    def content(self, parcel: Parcel, keys: MasterKeys | None = None) -> bytes:
        """Signed by the publisher, or by whoever has these keys."""
        by, body = keys or self.keys, guard.body_of(parcel)
        return guard.wrapped(Signed(body, by.publisher_key, by.publish(guard.message(body))))

    def sealed(self, parcel: Parcel, recipient: str = "", keys: MasterKeys | None = None) -> bytes:
        return age.sealed(self.content(parcel, keys), recipient or parcel.recipient)

    def sent(self, parcel: Parcel | None = None) -> bytes:
        """An honest delivery. Returns the file."""
        whole = parcel or self.parcel()
        sealed = self.sealed(whole)
        self.put({path_of(whole.worker): sealed})
        return sealed

    def put(self, files: Mapping[str, bytes], mode: str = "100644", force: bool = False) -> str:
        """A commit of whoever may write there; a history of its own with `force`."""
        index = {"GIT_INDEX_FILE": str(self.root / "index")}
        tip = (
            ""
            if force
            else self.git("rev-parse", "--verify", "--quiet", "refs/heads/main", fine=(0, 1)).decode().strip()
        )
        self.git(*(("read-tree", tip) if tip else ("read-tree", "--empty")), env=index)
        for path, content in files.items():
            name = self.git("hash-object", "-w", "--stdin", sent=content).decode().strip()
            self.git("update-index", "--add", "--replace", "--cacheinfo", f"{mode},{name},{path}", env=index)
        tree = self.git("write-tree", env=index).decode().strip()
        parent = ("-p", tip) if tip else ()
        commit = self.git("commit-tree", "-m", "x", *parent, tree, env=PERSON).decode().strip()
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def git(
        self,
        *words: str,
        sent: bytes = b"",
        env: Mapping[str, str] | None = None,
        fine: tuple[int, ...] = (0,),
        at: Path | None = None,
    ) -> bytes:
        done = subprocess.run(
            ["git", *words],
            cwd=at or self.repository,
            env=QUIET | dict(env or {}),
            input=sent,
            capture_output=True,
            timeout=150,
        )
        assert done.returncode in fine, done.stderr.decode()
        return done.stdout


async def refused(mailing: Mailing, kind: type[BridgeError], worker: Worker | None = None) -> BridgeError:
    """The pull is refused, nothing is kept, and what is said tells no secret."""
    to = worker or mailing.worker
    before = to.box.parcel(to.name)
    with pytest.raises(kind) as caught:
        await to.pull(mailing.publisher)
    assert to.box.parcel(to.name) == before
    assert TOKEN not in str(caught.value)
    assert caught.value.hint
    return caught.value
