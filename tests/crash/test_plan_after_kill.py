"""After a kill, `plan`, which changes nothing, says what the `send` that follows will do."""

import signal

from dispatcher.sandbox.process import SandboxProcess
from tests.support.boards import boards_of
from tests.support.project import NewProject, Project

from .mailing import CHILDREN

SENT, REFUSED, PERHAPS, LATER, AHEAD, NEW = PEOPLE = [str(79_000_000_000 + n) for n in range(6)]


def planned(project: Project, *arguments: str) -> dict[str, str]:
    lines = project.call("plan", "--json", *arguments).planned
    return {line["key"].rpartition("/")[2]: line["status"] for line in lines}


def test_plan_says_after_a_kill_what_the_next_run_does(
    inbox: SandboxProcess, new_project: NewProject
) -> None:
    project = new_project()
    project.config("[delivery]\nworkers = 1\n")
    project.write("manifests/to.csv", "\n".join(["to", *PEOPLE]))
    entry = '[[messages]]\nid = "{}"\nrecipients = "to.csv"\ntext.body = "Hello"\n'
    inbox.faults(
        [
            {"fault": "status", "status": 400, "code": 1022, "to": REFUSED, "times": 1},
            {"fault": "not_json", "to": PERHAPS},
            {"fault": "status", "status": 429, "retry_after": 1, "to": LATER, "times": 1},
        ]
    )
    project.manifest(entry.format("hello"))
    dying = (str(CHILDREN / "dying.py"), "before any result", "4")
    killed = project.finish(project.start("send", "--json", program=dying))
    assert killed.code == -signal.SIGKILL, killed.stderr
    assert {row["status"] for row in project.call("history", "--json").lines} == {"sending"}

    told = planned(project, "--out", "plan.json")
    assert told == {
        SENT: "sent",
        REFUSED: "retry",
        PERHAPS: "unknown",
        LATER: "retry",
        AHEAD: "new",
        NEW: "new",
    }
    assert boards_of(project.journal_file), "nothing is changed"
    project.manifest(entry.format("renamed"))
    assert planned(project) == {
        **dict.fromkeys([SENT, PERHAPS], "moved"),
        **dict.fromkeys([REFUSED, LATER, AHEAD, NEW], "new"),
    }
    project.manifest(entry.format("hello"))

    result = project.call("send", "--json", "--plan", "plan.json")

    done = {"sent": "skipped", "retry": "sent", "unknown": "unknown", "new": "sent"}
    became = {line["to"]: line["status"] for line in result.events("result")}
    assert became == {to: done[status] for to, status in told.items()}
    arrived = [message["payload"]["to"] for message in inbox.messages()]
    assert sorted(arrived) == PEOPLE, "to everybody once"
    assert not boards_of(project.journal_file)
