"""What the pages say of installing: with pip in an environment of its own, with PostgreSQL's
programs in a database, and in an image."""

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pexpect
import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.containers import Docker
from tests.support.gateway import Gateway, Reply
from tests.support.pages import (
    ROOT,
    Page,
    assert_shows,
    commands,
    fenced,
    following,
    read,
    run_script,
)
from tests.support.postgres import Database
from tests.support.project import NO_ACCOUNT, TOKEN, Project
from tests.support.requirements import require

PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir())


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This package, its plugins, and all that they need, so that no other version is installed."""
    folder = tmp_path_factory.mktemp("wheels")
    plugins = (str(ROOT / "plugins" / name) for name in PLUGINS)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation"),
            *("--wheel-dir", str(folder), f"{ROOT}[postgres,sandbox,testing]", *plugins),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    require(done.returncode == 0, f"pip's registry: {done.stderr[-500:]}")
    return folder


class Machine(Project):
    """A project on a machine on which nothing but the pages' commands has installed anything."""

    def __init__(self, folder: Path, wheels: Path, home: Path, url: str = "") -> None:
        super().__init__(folder, url)
        self.programs = home / "dispatcher/bin"
        self.environment |= {
            "HOME": str(home),
            "DISPATCHER_DISABLED_PLUGINS": "",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_INDEX": "1",
            "PIP_NO_COMPILE": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def script(self, script: str) -> str:
        """What a script prints, none of whose commands may fail."""
        return run_script(script, self, path=str(self.programs))

    def do(self, page: Page) -> str:
        """What the scripts of a page print."""
        return "".join(self.script(script) for script in page.scripts())


@pytest.fixture(scope="module")
def home(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of somebody who has installed what the tutorial says."""
    home = tmp_path_factory.mktemp("home")
    machine = Machine(home, wheels, home)
    with following("docs/tutorial.md", "A tutorial of ten minutes") as page:
        machine.do(page)
    return home


@pytest.fixture
def machine(home: Path, wheels: Path, tmp_path: Path, inbox: SandboxProcess) -> Iterator[Machine]:
    """A machine without plugins, whose gateway has heard nothing yet."""
    (folder := tmp_path / "shop").mkdir()
    machine = Machine(folder, wheels, home, inbox.url)
    machine.inbox = inbox
    yield machine
    machine.script(f"pip uninstall --quiet --yes {' '.join(PLUGINS)} dispatcher-footer")


def test_what_is_installed_sends(machine: Machine) -> None:
    machine.texts("a")
    assert "1 sent" in machine.script("dispatcher send")


def test_what_tests_of_plugins_need_is_installed(machine: Machine) -> None:
    with following("docs/testing-plugins.md") as page:
        machine.do(page)
    machine.script("python -c 'import dispatcher.testing, pytest'")


def test_the_first_plugin_is_made_installed_and_tested(machine: Machine) -> None:
    for name in (*NO_ACCOUNT, "PIP_NO_INDEX"):  # it names itself what its tests need
        del machine.environment[name]
    with following("docs/plugins.md", "The first one, in ten minutes") as page:
        for block in page.steps():
            if block.language == "toml":
                machine.write("manifests/hello.toml", block.text)
            elif block.language == "sh":
                machine.script(block.text)
            elif block.language == "console":
                for command, output in commands(block.text):
                    shown = machine.script(command)
                    assert_shows(output, shown)
    [written] = [
        block.text
        for block in fenced(read("docs/plugins.md"))
        if (block.section, block.language) == ("Tests", "python")
    ]
    machine.write("dispatcher-footer/tests/test_footer.py", written)
    machine.script("cd dispatcher-footer && pytest -q")


def test_plugins_are_installed(machine: Machine) -> None:
    with (
        following("plugins/dispatcher-apprise/README.md") as apprise,
        following("plugins/dispatcher-greenapi-instance/README.md") as instance,
        following("plugins/dispatcher-telegram/README.md") as telegram,
        following("plugins/dispatcher-utm/README.md") as utm,
    ):
        for page in (apprise, instance, telegram, utm):
            machine.do(page)
    shown = machine.script("dispatcher plugins")
    for name in ("apprise", "greenapi-instance", "telegram", "utm"):
        assert re.search(rf"dispatcher-{name} \S+ +active", shown)


def test_an_object_is_locked(machine: Machine, gateway: Gateway) -> None:
    content = b"%PDF-1.7 prices"
    gateway.reply = lambda request: Reply(200, content, {"ETag": '"1"'})
    machine.config(f'[plugins.s3]\nupload = true\nendpoint_url = "{gateway.url}"\n')
    machine.environment |= {
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": TOKEN,
        "AWS_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    machine.write("manifests/.gitignore", "")
    with following("plugins/dispatcher-s3/README.md") as page:
        machine.do(page)
    locked = (machine.folder / "manifests/s3.lock").read_text()
    assert "s3://media/2026/prices.pdf" in locked
    assert hashlib.sha256(content).hexdigest() in locked


def test_templates_are_fetched(machine: Machine, gateway: Gateway) -> None:
    template = {
        "name": "order_ready",
        "language": "en_US",
        "status": "APPROVED",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": "It is ready."}],
    }
    gateway.reply = lambda request: Reply(200, json.dumps({"data": [template]}).encode())
    machine.environment |= {
        "WHATSAPP_CLOUD_TOKEN": TOKEN,
        "WHATSAPP_CLOUD_BASE_URL": gateway.url,
    }
    with following("plugins/dispatcher-whatsapp-cloud/README.md") as page:
        tables = (each for each in page.of("toml") if each.startswith("# dispatcher.toml"))
        machine.config("".join(tables))
        machine.do(page)
    assert 'body = "It is ready."' in (machine.folder / "templates/order_ready.toml").read_text()


def test_a_journal_in_postgresql_is_sent_with(machine: Machine, database: Database) -> None:
    machine.texts("a")
    here = {"postgresql://dispatcher@db.example.com/journal": database.url}
    with following("docs/sending.md", "Which journal", languages=("sh",), written=here) as page:
        assert "1 sent" in machine.do(page)
    assert database.statuses() == {"a": "sent"}


class Server:
    """A PostgreSQL server on which there is nothing yet of what the page makes."""

    def __init__(self, url: str, password_file: Path) -> None:
        server = urlsplit(url)
        self.name = f"docs_{uuid.uuid4().hex[:8]}"  # a role is the whole server's
        self.address = f"{server.hostname}:{server.port or 5432}"
        user, password = server.username or "postgres", server.password or "none"
        password_file.write_text(
            f"{self.address}:*:{user}:{password}\n{self.address}:*:{self.name}:{self.name}\n"
        )
        password_file.chmod(0o600)
        self.environment = {
            "PGHOST": server.hostname or "",
            "PGPORT": str(server.port or 5432),
            "PGUSER": user,
            "PGPASSFILE": str(password_file),
        }

    @property
    def written(self) -> dict[str, str]:
        """What stands on the page for the database and the roles of this server."""
        return {
            "-E UTF8 journal": f"-E UTF8 {self.name}",
            "psql journal": f"psql {self.name}",
            "ROLE dispatcher": f"ROLE {self.name}",
            "AUTHORIZATION dispatcher": f"AUTHORIZATION {self.name}",
            "auditor": f"{self.name}_auditor",
            "dispatcher@db.example.com/journal": f"{self.name}@{self.address}/{self.name}",
            "journal.dump journal": f"journal.dump {self.name}",
            "dbname=journal": f"dbname={self.name}",
        }


def test_a_journal_in_postgresql_is_set_up_backed_up_and_put_back(
    machine: Machine, server: Database, tmp_path: Path
) -> None:
    theirs = Server(server.url, tmp_path / "pgpass")
    machine.environment |= theirs.environment
    machine.texts("a")
    try:
        with following(
            "docs/postgresql.md", "Set it up", "Backups", written=theirs.written
        ) as page:
            made, installed, saved = page.scripts()
            ours, readers = page.of("sql")
        ours += f"ALTER ROLE {theirs.name} PASSWORD '{theirs.name}';\n"
        machine.script(f"{{\n{made}}} <<'SQL'\n{ours}SQL")
        assert "1 sent" in machine.script(f"{installed}dispatcher send --yes")
        machine.script(f"{{\n{made.splitlines()[-1]}\n}} <<'SQL'\n{readers}SQL")
        machine.script(saved)
        assert "1 sent" in machine.script(f"{installed}dispatcher history")
        auditor = f"postgresql://{theirs.name}_auditor@{theirs.address}/{theirs.name}"
        assert "1 sent" in machine.script(f"dispatcher history --journal {auditor}")
    finally:
        server.ask(f"DROP DATABASE IF EXISTS {theirs.name} WITH (FORCE)")
        server.ask(f"DROP ROLE IF EXISTS {theirs.name}, {theirs.name}_auditor")


@pytest.fixture
def docker(wheels: Path) -> Iterator[Docker]:
    # podman has sockets below it: where their paths are too long for one, each `run` waits 20 s.
    with tempfile.TemporaryDirectory(prefix="docker-") as folder:
        yield Docker(Path(folder), wheels)


def test_an_image_sends_once_and_writes_nothing_but_the_journal(
    docker: Docker, project: Project
) -> None:
    dockerfile = read("docs/how-to/Dockerfile")
    [image] = re.findall(r"^FROM (\S+)$", dockerfile, re.MULTILINE)
    docker.add_python(image)
    project.write("Dockerfile", dockerfile)
    url = project.inbox.url
    project.config(f'[transports.greenapi]\nbase_url = "{url}"\nmedia_url = "{url}"\n')
    project.texts("a")
    token = secret(docker.folder / "token", owner=10001)
    written = {"/srv/secrets/greenapi:": f"{token}:"}
    with following("docs/how-to/docker.md", written=written) as page:
        begun, job = page.scripts()
        shown = on_a_terminal(docker, begun, project.folder)
        assert "Plan: 1 new." in shown
        assert "1 sent" in shown
        assert "1 skipped" in docker.run(job, project.folder)
    assert project.arrived() == ["I am a"]

    where = "docker volume inspect --format '{{.Mountpoint}}' shop-journal"
    journal = Path(docker.run(where, project.folder).strip())
    kept = [journal, *journal.rglob("*")]
    assert {"journal.db", "state"} <= {file.name for file in kept}
    assert {file.stat().st_uid for file in kept} == {10001}
    assert stat.S_IMODE(journal.stat().st_mode) == 0o700

    program = "for each in . / /usr /journal /tmp; do (: > $each/file) && echo $each; done; true"
    other = job.replace(" shop send --max 500 --strict", f" --entrypoint sh shop -c '{program}'")
    shown = docker.run(other, project.folder)
    assert [line for line in shown.splitlines() if line[0] in "./"] == ["/journal", "/tmp"]


def secret(file: Path, owner: int) -> Path:
    """A file with the token that nobody but its owner may read."""
    file.write_text(TOKEN)
    file.chmod(0o400)
    os.chown(file, owner, owner)
    return file


def on_a_terminal(docker: Docker, script: str, folder: Path) -> str:
    """What a terminal shows of a script."""
    program, *arguments = docker.shell(script)
    shell = pexpect.spawn(
        program, arguments, cwd=folder, env=docker.environment, encoding="utf-8", timeout=600
    )
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0, shell.before
    return str(shell.before)


# Stands for the dispatcher, which may be installed where a service sees nothing: it writes
# wherever it can.
PROGRAM = """#!/bin/sh
echo "as $(id -un): $@"
echo "token $(cat "$GREENAPI_TOKEN_FILE" | sha256sum)"
for each in / /etc /srv /srv/shop /srv/shop/.dispatcher "$XDG_STATE_HOME/message-dispatcher"; do
    if touch "$each/file" 2>/dev/null; then echo "wrote in $each"; fi
done
"""


def test_the_service_runs_where_systemd_does(docker: Docker) -> None:
    """On this machine's files, beneath a layer of their own that is thrown away."""
    require(Path("/lib/systemd/systemd").exists(), "systemd")
    [service, timer] = [
        block.text for block in fenced(read("docs/how-to/cron.md")) if block.language == "ini"
    ]
    files = {
        "messages.service": service,
        "messages.timer": timer,
        "shop/.venv/bin/dispatcher": PROGRAM,
    }
    for name, content in files.items():
        (file := docker.folder / "srv" / name).parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o755 if content == PROGRAM else 0o644)
    (secrets := docker.folder / "srv/secrets").mkdir()
    secret(secrets / "greenapi", owner=0)
    with following("docs/how-to/cron.md", "systemd") as page:
        [script] = page.scripts()
        _, _, shown = docker.run(SYSTEMD.replace("SCRIPT\n", script), docker.folder).partition(
            "== all"
        )
    [command] = re.findall(r"^ExecStart=\S+ (.*)$", service, re.MULTILINE)
    assert f"as messages: {command}\n" in shown
    assert f"token {hashlib.sha256(TOKEN.encode()).hexdigest()} " in shown
    assert re.findall("wrote in (.*)", shown) == [
        "/srv/shop/.dispatcher",
        "/var/lib/message-dispatcher",
    ]
    assert re.search("^enabled$", shown, re.MULTILINE)
    assert re.search("^active$", shown, re.MULTILINE)


SYSTEMD = """
units="--volume ./srv/messages.service:/etc/systemd/system/messages.service:ro"
units="$units --volume ./srv/messages.timer:/etc/systemd/system/messages.timer:ro"
empty=$(printf -- '--tmpfs %s:rw,notmpcopyup ' /run /run/lock /tmp)
docker run --detach --name machine --privileged --network none --systemd=always \\
    $empty $units --volume ./srv:/srv:O --rootfs /:O \\
    sh -c 'mount --make-rshared / && exec /lib/systemd/systemd --unit=basic.target'
trap 'docker rm --force --time 0 machine' EXIT
for try in $(seq 100); do
    state=$(docker exec machine systemctl is-system-running --wait 2>/dev/null) || true
    case $state in running | degraded) break ;; esac
    sleep 0.1
done
docker exec --interactive machine bash -euo pipefail <<'PAGE'
SCRIPT
echo == all that was written by then
journalctl --sync
journalctl --unit messages.service
systemctl is-enabled messages.timer
systemctl is-active messages.timer
PAGE
"""
