"""What an exception means; how connections really break is tested on sockets, see `greenapi`."""

import pytest

from dispatcher import NotSent, OutcomeUnknown
from dispatcher.errors import DeliveryError
from dispatcher.http.connection_errors import classify
from dispatcher.http.responses import ErrorMap, Route
from tests.support.cases import cases

ROUTE = Route("https://gateway.example/messages", "base_url", ("id",), ErrorMap())


def raised_in(function: str, module: str) -> Exception:
    """An error that comes out of a function of this name in a module of this name."""
    names = {"__name__": module}
    exec(f"def {function}(): raise OSError('no')", names)
    with pytest.raises(OSError, match="no") as caught:
        names[function]()  # type: ignore[operator]
    return caught.value


@cases(
    "function, module, outcome",
    ("connect", "urllib3.connection", NotSent),
    ("connect", "urllib3.connectionpool", OutcomeUnknown),
    ("connect", "a_plugin", OutcomeUnknown),
    ("request", "urllib3.connection", OutcomeUnknown),
    ("close", "urllib3.connection", OutcomeUnknown),
)
def test_only_urllib3_s_own_connect_proves_that_nothing_left(
    function: str, module: str, outcome: type[DeliveryError]
) -> None:
    classification = classify(ROUTE, raised_in(function, module))
    assert classification.outcome is outcome
    assert not classification.throttled, "the account has done nothing wrong"


@cases("reason, shown", ("CERTIFICATE_EXPIRED", "certificate expired"), ("no", "no"), (7, "odd"))
def test_the_words_of_an_error_are_shown(reason: object, shown: str) -> None:
    error = OSError("odd")
    error.reason = reason  # type: ignore[attr-defined]
    assert classify(ROUTE, error).text.endswith(f": {shown}")
