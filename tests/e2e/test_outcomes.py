"""What ends a run or a message for good, and what people read of it."""

from itertools import pairwise

from dispatcher.sandbox.process import SandboxProcess
from tests.support.gateway import Reply
from tests.support.project import Held, NewProject, Project


def test_refused_account_stops_the_run_and_the_next_one_goes_on(project: Project) -> None:
    project.inbox.faults([{"fault": "delay", "times": 1}, {"fault": "status", "status": 401}])

    result = project.send_texts("a", "b", "c", "d", code=4)

    assert result.statuses == {"a": "sent", "b": "failed"}
    assert result.results["b"]["error"]["code"] == "1010"
    assert result.summary["not_tried"] == 2
    assert project.inbox.stats()["requests"] == 2
    assert project.statuses() == result.statuses

    project.inbox.faults([])
    assert project.planned() == ["sent", "retry", "new", "new"]
    assert project.call("send").code == 0
    assert set(project.statuses().values()) == {"sent"}


def test_people_read_that_the_run_stopped(project: Project) -> None:
    project.texts("a", "b")
    project.inbox.faults([{"fault": "status", "status": 401, "code": 1041}])
    result = project.call("send")
    assert result.code == 1
    assert "stopped: check GREENAPI_TOKEN: Authorization key is not allowed" in result.stderr
    assert "1 failed, 1 not tried" in result.stderr


def test_wrong_token_stops_the_run(new_project: NewProject) -> None:
    with SandboxProcess("--token", "another") as strict:
        project = new_project(strict.url)
        result = project.send_texts("a", "b", code=1)
        assert strict.messages() == []
    assert result.results["a"]["error"]["code"] == "1041"
    assert result.summary["not_tried"] == 1


def test_where_nobody_listens_is_tried_up_to_the_limit(project: Project, closed_port: int) -> None:
    project.send_to(f"http://127.0.0.1:{closed_port}")
    project.config("[delivery]\nattempts = 3")

    result = project.send_texts("a", code=1)

    assert result.statuses == {"a": "failed"}
    assert result.results["a"]["error"]["code"] == "connection_refused"
    assert result.results["a"]["attempts"] == 3
    project.send_to(project.inbox.url)
    assert project.call("send", "--json").statuses == {"a": "sent"}


def test_attempts_are_at_least_retry_after_apart(held: Held) -> None:
    wait = Reply(429, b"", {"Retry-After": "1"})
    replies = iter([wait, wait, Reply()])
    held.gateway.reply = lambda asked: next(replies)

    result = held.send_texts("a")

    assert result.statuses == {"a": "sent"}
    times = [asked.at for asked in held.gateway.requests]
    assert len(times) == result.results["a"]["attempts"] == 3
    assert all(later - earlier >= 1 for earlier, later in pairwise(times))


def test_deadline_ends_the_attempts(held: Held) -> None:
    held.gateway.reply = lambda asked: Reply(429, b"", {"Retry-After": "3"})
    held.config('[delivery]\ndeadline = "2s"')
    assert held.send_texts("a", code=1).results["a"]["attempts"] == 1


def test_pause_that_nobody_waits_for_ends_the_run(project: Project) -> None:
    """And runs that follow end at once, without asking the gateway."""
    project.config('[delivery]\ndeadline = "2s"')
    project.inbox.faults([{"fault": "status", "status": 429, "code": 82, "retry_after": 9999}])
    first = project.send_texts("a", "b", code=1)
    project.inbox.faults([])
    second = project.call("send", "--json")
    people = project.call("send")

    assert second.code == 1
    assert (first.statuses, second.statuses) == ({"a": "failed"}, {})
    assert first.results["a"]["error"]["code"] == "82"
    assert (first.summary["not_tried"], second.summary["not_tried"]) == (1, 2)
    assert project.inbox.stats()["requests"] == 1
    assert "the account is to pause until" in people.stderr


def test_outcome_that_the_journal_cannot_keep_is_unknown_and_ends_the_run(held: Held) -> None:
    """As when the disk is full: what left is not known to have failed, and no more leaves than what
    had been claimed ahead."""
    ids = [f"m{number}" for number in range(20)]
    held.config("[delivery]\nworkers = 1\n")
    held.texts(*ids)
    with held.under_way("send", "--json") as run:
        held.execute("DROP TABLE events")
    result = held.finish(run)
    assert result.code == 5
    assert result.statuses == dict.fromkeys(ids[: len(result.statuses)], "unknown")
    assert {line["error"]["code"] for line in result.results.values()} == {"journal"}
    assert result.summary["not_tried"] == len(ids) - len(result.statuses)
    assert len(held.gateway.requests) == len(result.statuses) <= 2
