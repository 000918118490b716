"""A journal that went back in time is noticed before anything leaves, and a person's word goes on.

The servers are the test's own: they are killed, promoted and put back.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.support.gateway import Reply
from tests.support.postgres import DRIVER, LEASE, Database, database_of
from tests.support.project import FAST, Held, Project
from tests.support.requirements import require
from tests.support.waiting import wait_until

TOTAL = 120
USER = "postgres"  # a server does not run as root
# They are killed, not their machine: what they wrote is there without waiting for a disk.
SETTINGS = """
fsync = off
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = '16MB'
min_wal_size = '2MB'
wal_keep_size = '16MB'
"""

# A run with a short lease, but for how long it waits at its end.
IMPATIENT = DRIVER.replace("main()", "dispatcher.journal._RETRY_FOR = 2.0\nmain()")


def programs() -> Path | None:
    """The folder of the newest server that is installed here."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[-3])
    )
    return found[-1].parent if found else None


class Server:
    """A server of the tests' own, which can be killed, copied, promoted and put back."""

    def __init__(self, folder: Path, base: Server | None = None) -> None:
        self.data = folder / uuid.uuid4().hex[:8]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        if base is None:
            small = ("-N", "--wal-segsize=1", "--no-locale")
            self._do("initdb", "-D", self.data, "-A", "trust", "-U", USER, "-E", "UTF8", *small)
        else:
            self._do(
                "pg_basebackup", "-d", base.url("postgres"), "-D", self.data, "-R", "-N", "-cfast"
            )
        self.configure(f"{SETTINGS}port = {self.port}")

    def configure(self, settings: str) -> None:
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"\n{settings}\n")

    def url(self, name: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def database(self, name: str = "postgres") -> Database:
        return Database(self.url(name))

    def start(self) -> Server:
        self._do("pg_ctl", "-D", self.data, "-w", "-l", self.data / "log", "start")
        return self

    def dumped(self, name: str) -> str:
        """The journal of a database, as pg_dump keeps it."""
        return self._do("pg_dump", "--schema=dispatcher", self.url(name))

    def restore(self, name: str, dump: str) -> None:
        self._do("psql", "-q", "-v", "ON_ERROR_STOP=1", self.url(name), given=dump)

    def set(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        self.database().ask(f"ALTER SYSTEM SET {name} = {value}")
        self.database().ask("SELECT pg_reload_conf()")

    def promote(self) -> None:
        self._do("pg_ctl", "-D", self.data, "-w", "promote")

    def stop(self, mode: str = "immediate") -> None:
        if (self.data / "postmaster.pid").exists():
            self._do("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def _do(self, program: str, *arguments: object, given: str = "") -> str:
        path = programs()
        assert path is not None
        as_user = ("runuser", "-u", USER, "--") if os.geteuid() == 0 else ()
        # Not pipes: a server that is started has them open for as long as it runs.
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as input_:
            input_.write(given)
            input_.seek(0)
            done = subprocess.run(
                [*as_user, str(path / program), *map(str, arguments)],
                cwd="/",
                stdin=input_,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=90,
                check=False,
            )
            output.seek(0)
            written = output.read()
        assert done.returncode == 0, written
        return written


NewReplica: TypeAlias = Callable[[], tuple[Server, Server]]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder for servers' files, theirs alone."""
    require(programs(), "the programs of a PostgreSQL server, in /usr/lib/postgresql")
    users = {each.pw_name for each in pwd.getpwall()}
    require(
        os.geteuid() != 0 or USER in users, f"the user {USER}, as a server does not run as root"
    )
    made = Path(tempfile.mkdtemp(prefix="servers-"))
    if os.geteuid() == 0:
        shutil.chown(made, USER, USER)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def primary(folder: Path) -> Iterator[Server]:
    """A server from which the tests of this module make replicas; it is not to be spoilt."""
    made = Server(folder).start()
    yield made
    made.stop()


@pytest.fixture
def servers(folder: Path) -> Iterator[ExitStack]:
    """Has the servers of one test stopped in the end: `servers.callback(server.stop)`."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def shared(primary: Server) -> Database:
    """A database for one test on the module's server."""
    name = f"journal_{uuid.uuid4().hex[:8]}"
    primary.database().ask(f"CREATE DATABASE {name}")
    return primary.database(name)


@pytest.fixture
def new_replica(primary: Server, folder: Path, servers: ExitStack) -> NewReplica:
    """Make a primary and its replica out of the module's server, to be killed and promoted."""

    def new_replica() -> tuple[Server, Server]:
        first = Server(folder, primary)
        (first.data / "standby.signal").unlink()
        servers.callback(first.stop)
        second = Server(folder, first.start())
        servers.callback(second.stop)
        second.configure(f"primary_conninfo = 'host=127.0.0.1 port={first.port} user={USER}'")
        return first, second.start()

    return new_replica


def on(*servers: Server, name: str) -> str:
    """The address of the journal on whichever of several servers can be written to."""
    hosts = "&".join(f"host=127.0.0.1:{each.port}" for each in servers)
    return f"postgresql://{USER}@/{name}?{hosts}&target_session_attrs=read-write"


def accept_loss(project: Project) -> None:
    """A person's word, after which the next run goes on."""
    assert project.call("journal", "check", "--accept-loss", "--yes").code == 0


# another server


@pytest.mark.parametrize("synchronous", [False, True], ids=["asynchronous", "synchronous"])
def test_fail_over_under_load(
    held: Held,
    shared: Database,
    new_replica: NewReplica,
    synchronous: bool,
) -> None:
    """The primary dies in the middle of a run; one that waits for no replica does so after the
    replica was out of reach, and had something that it alone knew."""
    first, second = new_replica()
    held.journal_at(on(first, second, name=database_of(shared.url)))
    if synchronous:
        first.set("synchronous_standby_names", "'*'")
    held.texts_to_many(TOTAL)
    held.config(FAST)
    replica = held.call("send", "--journal", second.url(database_of(shared.url)))
    replica.refused("is on a replica, which can only be read")

    with held.under_way("send", "--json", request=TOTAL // 3) as run:
        if not synchronous:
            second.stop("fast")
        release = held.gateway.hold(TOTAL * 2 // 3)
    held.gateway.wait_for(TOTAL * 2 // 3)
    first.stop()
    if not synchronous:
        second.start()
    second.promote()
    release.set()
    result = held.finish(run)
    asked = len(held.gateway.requests)
    held.gateway.reply = lambda asked: Reply()

    again = held.call("send", "--json")
    plan = held.call("plan")
    assert ("synchronous_standby_names is empty" in result.stderr) != synchronous
    again.refused("a fail-over", "timeline 2 instead of 1", "--accept-loss")
    assert "timeline 2 instead of 1" in plan.stderr
    assert len(held.gateway.requests) == asked, "nothing has left"

    accept_loss(held)
    last = held.call("send", "--json")
    copies = Counter(held.gateway.texts)
    told = {id for id, status in result.statuses.items() if status == "sent"}
    forgotten = {f"m{each}" for each in range(TOTAL)} - set(copies)
    assert {last.statuses[id] for id in forgotten} <= {"unknown"}
    if synchronous:
        assert max(copies.values()) == 1, "nothing was lost"
        assert {last.statuses[id] for id in told} == {"skipped"}
    else:
        assert max(copies.values()) == 2, "what was lost is sent again by a person's word alone"


def test_run_whose_server_waits_for_its_replica_ends(held: Held, new_replica: NewReplica) -> None:
    """It is at its last message, and has nothing more to do than to record what became of it."""
    first, second = new_replica()
    first.set("synchronous_standby_names", "'*'")
    held.journal_at(first.url("postgres"))
    held.texts("a", "b")
    with held.under_way("send", "--json", program=("-c", IMPATIENT), request=2) as run:
        second.stop("fast")
    result = held.finish(run)
    assert (result.code, result.statuses) == (5, {"a": "sent", "b": "unknown"})
    second.start()
    time.sleep(LEASE)
    assert held.call("send", "--json").statuses == {"a": "skipped", "b": "skipped"}


def test_replica_that_lags_is_not_one_put_back(project: Project, new_replica: NewReplica) -> None:
    first, second = new_replica()
    project.journal_at(first.url("postgres"))
    project.send_texts("a")
    log = "SELECT pg_current_wal_lsn()::text"
    sent = first.database().ask(log)[0][0]
    got = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    wait_until(lambda: second.database().ask(got, sent) == [(True,)])
    second.database().ask("SELECT pg_wal_replay_pause()")
    project.send_texts("a", "b")

    plan = project.call("plan", "--json", "--journal", second.url("postgres"))

    assert [line["status"] for line in plan.planned] == ["sent", "new"]
    assert "2 of the 4 changes that this machine has seen are missing: this replica" in plan.stderr


def test_base_backup_that_is_put_back(
    project: Project, primary: Server, shared: Database, folder: Path, servers: ExitStack
) -> None:
    """It is the same server on the same timeline; only who has seen it later can tell."""
    project.journal_at(shared.url)
    project.send_texts("a")
    earlier = Server(folder, primary)
    (earlier.data / "standby.signal").unlink()
    project.send_texts("a", "b")
    servers.callback(earlier.stop)
    project.journal_at(earlier.start().url(database_of(shared.url)))

    project.call("send").refused("2 of the 4 changes that this machine has seen", "--accept-loss")
    assert "may not be whole: 2 of the 4 changes" in project.call("plan").stderr
    assert project.inbox.stats()["accepted"] == 2
    accept_loss(project)
    assert project.call("send", "--json").statuses == {"a": "skipped", "b": "sent"}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in its place", "in another database"])
def test_dump_that_was_restored(
    project: Project, primary: Server, shared: Database, elsewhere: bool
) -> None:
    why = "in another database or table than before: it was restored from a dump"
    project.journal_at(shared.url)
    project.send_texts("a")
    name = database_of(shared.url)
    dump = primary.dumped(name)
    if elsewhere:
        name = f"{name}_restored"
        primary.database().ask(f"CREATE DATABASE {name}")
    else:
        shared.emptied()
    primary.restore(name, dump)
    project.journal_at(primary.url(name))

    project.call("send").refused(why, "--accept-loss")
    check = project.call("journal", "check")
    assert (check.code, why in check.stderr) == (1, True)
    assert check.stdout.startswith("not whole, schema ")
    project.call("journal", "check", "--accept-loss").refused("agree with --yes")
    accept_loss(project)
    assert project.call("send", "--json").statuses == {"a": "skipped"}
    assert project.inbox.stats()["accepted"] == 1


def test_server_that_may_lose_what_it_wrote_is_warned_of(
    project: Project, primary: Server, shared: Database
) -> None:
    def set_(name: str, value: str) -> None:
        primary.set(name, value)
        wait_until(lambda: shared.ask(f"SHOW {name}") == [(value,)])

    project.texts("a")
    project.journal_at(shared.url)
    set_("full_page_writes", "off")
    both = project.call("send")
    set_("full_page_writes", "on")
    set_("fsync", "on")
    none = project.call("send")
    set_("fsync", "off")
    for name in ("fsync", "full_page_writes"):
        assert both.stderr.count(f"warning: {name} is off on the journal's server: a crash") == 1
    assert (both.code, none.code, none.told) == (0, 0, "1 skipped\n")


def test_server_without_an_identity(project: Project, primary: Server, shared: Database) -> None:
    role = f"plain_{uuid.uuid4().hex[:8]}"
    shared.ask(f"CREATE ROLE {role} LOGIN")
    shared.ask(f"GRANT CREATE ON DATABASE {database_of(shared.url)} TO {role}")
    project.journal_at(shared.url.replace(f"{USER}@", f"{role}@"))
    project.texts("a")
    shared.ask("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    warned = project.call("send")
    shared.ask(f"GRANT EXECUTE ON FUNCTION pg_control_system() TO {role}")
    told = project.call("send")

    assert "a fail-over would not be noticed" in warned.stderr
    assert "GRANT EXECUTE ON FUNCTION pg_control_system()" in warned.stderr
    assert (warned.code, told.code) == (0, 0)
    assert "would not be noticed" not in told.stderr
    ((known,),) = shared.ask("SELECT server::jsonb FROM dispatcher.origin")
    assert all(known.values()), known


# during a run


def test_run_whose_server_becomes_another_one_ends_before_its_next_message(
    held: Held, database: Database
) -> None:
    held.texts("a", "b")
    server = "jsonb_set(server::jsonb, '{timeline}', '7')::text"
    held.journal_at(database.url)
    with held.under_way("send", "--json", program=("-c", DRIVER)) as run:
        database.ask(f"UPDATE dispatcher.origin SET server = {server}")
        time.sleep(LEASE / 2)
    result = held.finish(run)

    assert "a fail-over" in result.stderr
    assert (result.code, result.statuses) == (4, {"a": "sent"})
    assert held.gateway.texts == ["I am a"]
