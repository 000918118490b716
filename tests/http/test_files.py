"""A file on its way: what its reader hears when something is wrong with it."""

import pytest

from dispatcher import NotSent, Refused
from dispatcher.http.files import sent_whole
from dispatcher.testing import upload


def test_a_gateway_that_took_a_part_only_did_not_take_the_file() -> None:
    with pytest.raises(NotSent, match="did not wait for the whole file"), sent_whole(upload()) as f:
        f.read(1)
    with sent_whole(upload()) as whole:
        assert whole.read() == upload().open().read()


def test_why_a_file_was_not_sent_is_not_hidden() -> None:
    with pytest.raises(Refused, match="no such number"), sent_whole(upload()):
        raise Refused("no such number")
