"""Of two runs that start at the same moment, one sends and the other says so and ends."""

import json

from tests.support.waiting import LONG, a_second

from .mailing import NewMailing

RACES = 50


def test_of_two_runs_at_once_exactly_one_sends(new_mailing: NewMailing) -> None:
    races = 10 * RACES if LONG else RACES
    mailing = new_mailing(1, script=("racing", str(races)), head='repeat = "run"\n')

    process = mailing.start()
    stdout, stderr = process.communicate()

    assert process.returncode == 0, stderr
    answers = [sorted(json.loads(line)) for line in stdout.splitlines()]
    assert len(answers) == races
    assert {(first, second) for (first, _), (second, _) in answers} == {(0, 6)}, stderr
    slowest = max(seconds for _, (_, seconds) in answers)
    print(f"{races} races; who came too late knew after {slowest:.2f} s at the most")
    assert slowest < a_second()
    assert set(mailing.accepted().values()) == {races}, "each of them once a race"
    assert {line["status"] for line in mailing.project.call("history", "--json").lines} == {"sent"}
