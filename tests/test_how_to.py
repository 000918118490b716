"""The pages in docs/how-to: what they say is done, and what they show comes of it."""

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dispatcher.testing import Reply, ScriptedGateway
from tests.support.pages import ROOT, blocks_of, follow, read, run
from tests.support.project import NO_ACCOUNT, TOKEN, Project
from tests.support.requirements import require


def page(name: str) -> str:
    return read(f"docs/how-to/{name}.md")


@pytest.mark.parametrize("name", ["spreadsheet", "backup", "migrate"])
def test_what_a_page_says_happens(project: Project, name: str) -> None:
    project.config("[delivery]\nworkers = 1\n")  # results in the order of the page
    follow(page(name), project)


def test_what_is_said_of_a_crash_happens(project: Project) -> None:
    project.inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    follow(page("crash"), project)


def test_what_is_said_of_protected_media_happens(project: Project) -> None:
    project.write("manifests/files/invoice.pdf", b"%PDF-1.7\n")
    follow(page("protected-media"), project)


def test_what_is_said_of_staging_happens(project: Project) -> None:
    gateway = project.environment["GREENAPI_BASE_URL"]
    for name in NO_ACCOUNT:
        if name != "GREENAPI_TOKEN":
            del project.environment[name]
    follow(page("staging").replace("http://127.0.0.1:8025", gateway), project)


def units() -> dict[str, configparser.ConfigParser]:
    """The units of systemd on the page, by the ends of their names."""
    found = {}
    for kind, text in zip(("service", "timer"), _of("ini", page("cron")), strict=True):
        found[kind] = configparser.ConfigParser(interpolation=None)
        found[kind].optionxform = str
        found[kind].read_string(text)
    return found


def _of(language: str, text: str) -> list[str]:
    return [block for name, block in blocks_of(text) if name == language]


def test_the_service_does_what_the_crontab_does() -> None:
    [crontab] = _of("crontab", page("cron"))
    command = units()["service"]["Service"]["ExecStart"].removeprefix("/srv/shop/.venv/bin/")
    assert command in crontab


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    require(analyze := shutil.which("systemd-analyze"), "systemd-analyze")
    texts = dict(zip(("service", "timer"), _of("ini", page("cron")), strict=True))
    program = "/srv/shop/.venv/bin/dispatcher"  # it must exist
    texts["service"] = texts["service"].replace(program, "/bin/true").replace("=messages", "=root")
    files = [tmp_path / f"messages.{kind}" for kind in texts]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    about_them = [line for line in done.stderr.splitlines() if "messages." in line]
    assert (done.returncode, about_them) == (0, [])


def test_the_dockerfile_has_what_the_page_says() -> None:
    """No image is built: a registry would be needed for that."""
    text = read("docs/how-to/Dockerfile").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    instructions = [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]
    known = "FROM RUN COPY ENV VOLUME WORKDIR USER ENTRYPOINT CMD".split()
    assert {name for name, _ in instructions} <= set(known)
    once = dict(instructions)
    assert once["USER"] == "10001"
    assert "--uid 10001" in text
    assert [json.loads(once[name]) for name in ("ENTRYPOINT", "CMD")] == [["dispatcher"], ["plan"]]
    assert re.fullmatch(r"[\w.-]+:[\w.-]+", once["FROM"])
    assert "sqlite:////journal/journal.db" in once["ENV"]
    assert "user (10001)" in page("docker")


def test_a_container_needs_to_write_nothing_but_the_journal(project: Project) -> None:
    """A stand-in for the container: a file system that is read-only but for one folder."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    journal = project.folder.with_name(f"{project.folder.name}-journal")
    journal.mkdir(mode=0o700)
    project.texts("a")
    variables = dict(
        line.split("=", 1)
        for line in re.findall(r"\S+=\S*/journal\S*", read("docs/how-to/Dockerfile"))
    )
    assert sorted(variables) == ["DISPATCHER_JOURNAL", "XDG_STATE_HOME"]
    for name, value in variables.items():
        project.environment[name] = value.replace("/journal", str(journal), 1)
    mounts = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && ! touch here && exec "$@"'
    container = ("unshare", "-m", "sh", "-c", mounts, str(journal))
    for outcome in ("1 sent", "1 skipped"):
        result = project.run("send", "--max", "500", "--strict", prefix=container)
        assert result.code == 0, result.stderr
        assert result.stderr.splitlines()[-1] == outcome
    assert {file.name for file in journal.iterdir()} >= {"journal.db", "state"}
    assert not (project.folder / ".dispatcher").exists()


def test_no_text_is_kept_and_numbers_are_where_the_page_says(project: Project) -> None:
    project.config('[transports.greenapi]\nrecipient_rate = "10/min"\n')
    project.texts("a", to="79001234599")
    assert project.call("send").code == 0
    state = Path(project.environment["XDG_STATE_HOME"])
    kept = {
        file.name: file.read_bytes()
        for folder in (project.folder / ".dispatcher", state)
        for file in folder.rglob("*")
        if file.is_file()
    }
    assert not any(b"I am a" in content for content in kept.values())
    numbered = {name for name, content in kept.items() if b"79001234599" in content}
    assert "journal.db" in numbered
    assert numbered <= {"journal.db", "journal.db-wal", "pace.db"}


def test_the_backup_of_the_crontab_is_made(project: Project) -> None:
    project.texts("a")
    assert project.call("send").code == 0
    backups = project.folder.with_name(f"{project.folder.name}-backups")
    backups.mkdir()
    [line] = _of("crontab", page("backup"))
    schedule, command = re.fullmatch(r"((?:\S+ ){5}) *(.*)\n", line).groups()
    assert schedule == "30 * * * * "
    command = command.replace(r"\%", "%")  # as cron reads it
    for written, here in (("/srv/shop", project.folder), ("/srv/backups", backups)):
        command = command.replace(written, str(here))
    assert "is in" in run(command, project)
    [backup] = backups.iterdir()
    assert re.fullmatch(r"journal-\d{4}-\d\d-\d\dT\d\d\.db", backup.name)


# The transport alone, as the plugin may not be installed beside these tests.
CLOUD = f"""
import sys
sys.path.append({str(ROOT / "plugins/dispatcher-whatsapp-cloud/src")!r})
from dispatcher import hookimpl
from dispatcher_whatsapp_cloud.transport import WhatsAppCloud

@hookimpl
def dispatcher_transports(): return [WhatsAppCloud]
"""


def test_what_is_said_of_deliveries_happens(project: Project) -> None:
    project.install("cloud", CLOUD)
    with ScriptedGateway() as gateway:
        gateway.script(*(Reply(200, {"messages": [{"id": f"wamid.A{each}"}]}) for each in (1, 2)))
        project.environment |= {
            "WHATSAPP_CLOUD_TOKEN": TOKEN,
            "WHATSAPP_CLOUD_BASE_URL": gateway.url,
        }
        follow(page("delivered"), project)
