"""To one recipient one after the other, in the manifest's order; different recipients at once."""

import threading
from collections import defaultdict

from tests.support.gateway import Reply, Request
from tests.support.project import Held, Project, text

RECIPIENTS = [f"7900123456{number}" for number in range(5)]


def messages(*ids: str, to: list[str] = RECIPIENTS) -> str:
    return "".join(text(id, to, id) for id in ids)


def test_each_recipient_gets_the_messages_in_the_manifests_order(project: Project) -> None:
    """Retries included: what comes after a message waits for it."""
    first = [f"a{number}" for number in range(12)]
    second = [f"b{number}" for number in range(12)]
    project.manifest(messages(*first), "manifests/1.toml")
    project.manifest(messages(*second, to=RECIPIENTS[::-1]), "manifests/2.toml")
    once = {"fault": "status", "status": 429, "code": 82, "times": 1}
    project.inbox.faults({"to": to, **once} for to in RECIPIENTS[:3])

    assert project.call("send").code == 0

    arrived = defaultdict(list)
    for message in project.inbox.messages():
        arrived[message["to"]].append(message["payload"]["text"]["body"])
    assert arrived == dict.fromkeys(RECIPIENTS, first + second)


def test_recipients_are_served_in_parallel_by_as_many_workers_as_configured(held: Held) -> None:
    """No answer comes before three requests, to three recipients, are under way at once."""
    workers = 3
    together = threading.Barrier(workers)
    guard, under_way, most = threading.Lock(), [], []

    def answer(asked: Request) -> Reply:
        with guard:
            under_way.append(asked.json["to"])
            most.append(sorted(under_way))
        together.wait(timeout=20)
        with guard:
            under_way.remove(asked.json["to"])
        return Reply()

    held.gateway.reply = answer
    held.config(f"[delivery]\nworkers = {workers}")
    held.manifest(messages("a", "b", "c", to=RECIPIENTS[:workers]))

    assert held.call("send").code == 0

    assert max(map(len, most)) == workers
    assert all(len(set(each)) == len(each) for each in most), "one at a time to each of them"
    assert len(held.gateway.requests) == 9
