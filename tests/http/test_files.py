"""A file on its way: what its reader hears when something is wrong with it."""

import pytest

from dispatcher import DeliveryError, NotSent, OutcomeUnknown, Refused
from dispatcher.http.files import sent_whole
from dispatcher.http.responses import ErrorMap, Route
from dispatcher.testing import upload
from tests.support.cases import cases

MESSAGES = Route("https://gateway.example/messages", "base_url", ("id",), ErrorMap())
FILES = MESSAGES._replace(repeatable=True)


@cases("route, outcome", (FILES, NotSent), (MESSAGES, OutcomeUnknown))
def test_a_gateway_that_took_a_part_only_did_not_take_the_file(
    route: Route, outcome: type[DeliveryError]
) -> None:
    with pytest.raises(outcome, match="for the whole file"), sent_whole(upload(), route) as part:
        part.read(1)
    with sent_whole(upload(), route) as whole:
        assert whole.read() == upload().open().read()


def test_why_a_file_was_not_sent_is_not_hidden() -> None:
    with pytest.raises(Refused, match="no such number"), sent_whole(upload(), FILES):
        raise Refused("no such number")
