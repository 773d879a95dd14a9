"""What a person is told of a store that lies on a PostgreSQL server, which other machines may share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faces.terminal import Terminal
from tests.postgres_server import PASSWORD, Server, served

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


def test_status_tells_what_it_knows_of_this_machine_alone(terminal: Terminal, server: Server) -> None:
    store = server.create_now()
    terminal.mab("create", "orchestrator", "backend", MAB_STORE=store)
    told = terminal.mab("status", MAB_STORE=store).out
    assert "hub of this machine: not running" in told
    assert "on a PostgreSQL server, where hubs of other machines may be at work too" in told
    assert "backend" in told
    assert PASSWORD not in told
    seen = terminal.mab("status", "--json", MAB_STORE=store).json
    assert seen.keys() == terminal.mab("status", "--json").json.keys()
    assert len(seen["conversations"]) == 1


def test_status_of_a_file_speaks_of_no_other_machine(terminal: Terminal) -> None:
    told = terminal.mab("status").out
    assert "hub: not running" in told
    assert "PostgreSQL" not in told


def test_the_doctor_sends_nobody_to_the_doctor(terminal: Terminal, server: Server) -> None:
    gone = server.url("no_such_database").replace(str(server.folder).replace("/", "%2F"), "%2Fnowhere")
    told = terminal.mab("doctor", "--json", status=None, MAB_STORE=gone).json
    (found,) = [check for check in told["checks"] if check["check"] == "database"]
    assert found["verdict"] == "fail"
    assert "cannot be reached" in found["found"]
    assert "PostgreSQL" in found["mend"]
    assert "mab doctor" not in found["mend"]
    assert PASSWORD not in str(told)
