"""The pages in docs/how-to: what they say is done, and what they show comes of it."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

from dispatcher.testing import Reply, ScriptedGateway
from tests.support.pages import ROOT, blocks_of, following, read, run, run_script
from tests.support.project import NO_ACCOUNT, TOKEN, Project
from tests.support.requirements import require


def page(name: str) -> str:
    return read(f"docs/how-to/{name}.md")


def test_what_is_said_of_spreadsheets_happens(project: Project) -> None:
    project.config("[delivery]\nworkers = 1\n")  # results in the order of the page
    with following("docs/how-to/spreadsheet.md") as page:
        page.follow(project)


def test_what_is_said_of_backups_happens(project: Project) -> None:
    project.config("[delivery]\nworkers = 1\n")
    with following("docs/how-to/backup.md", languages=("console",)) as page:
        page.follow(project)


def test_what_is_said_of_migrating_happens(project: Project) -> None:
    project.config("[delivery]\nworkers = 1\n")
    with following("docs/how-to/migrate.md") as page:
        page.follow(project)


def test_what_is_said_of_a_crash_happens(project: Project) -> None:
    project.inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    with following("docs/how-to/crash.md") as page:
        page.follow(project)


def test_what_is_said_of_protected_media_happens(project: Project) -> None:
    project.write("manifests/files/invoice.pdf", b"%PDF-1.7\n")
    with following("docs/how-to/protected-media.md") as page:
        page.follow(project)


def test_what_is_said_of_staging_happens(project: Project) -> None:
    gateway = project.environment["GREENAPI_BASE_URL"]
    for name in NO_ACCOUNT:
        if name != "GREENAPI_TOKEN":
            del project.environment[name]
    here = {"http://127.0.0.1:8025": gateway}
    with following("docs/how-to/staging.md", written=here) as page:
        page.follow(project)


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
    crontab, _ = _of("crontab", page("cron"))
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
    with following("docs/how-to/backup.md", languages=("crontab",)) as followed:
        [line] = followed.scripts()
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
        with following("docs/how-to/delivered.md", "By a webhook") as followed:
            followed.follow(project)


# A gateway that can be asked what became of what it has accepted.
ASKED = """
from dispatcher import *

class Pigeon(BaseTransport):
    name = "pigeon"
    local = True
    def build(self, message, attachment): return {}
    def check(self, payload, attachment): return []
    def upload(self, file): return MediaId(id="x")
    def send(self, payload): return Receipt(id="bird")
    def statuses(self, body): return [DeliveryStatus(id="bird", status="read")]

@hookimpl
def dispatcher_transports(): return [Pigeon]
"""


def test_a_gateway_is_asked_what_arrived(project: Project) -> None:
    project.install("pigeon", ASKED)
    project.config('transport = "pigeon"\n')
    project.texts("a")
    assert project.call("send").code == 0
    with following("docs/how-to/delivered.md", "By asking") as followed:
        [script] = followed.scripts()
        assert "1 noted" in run_script(script, project)
    assert "sent (read)" in project.call("history").stdout
