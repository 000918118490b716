"""The contract of transports finds each fault, and says by its name which it is."""

from collections.abc import Callable
from typing import Any

import pytest

SAMPLES = "pigeons.py"
# A transport with a fault, and the tests that fail for it.
FAULTS = {
    "Retries": "a_broken_connection_is_not_retried a_broken_gateway_is_not_retried",
    "Hopes": "a_broken_gateway_is_unknown",
    "GivesUp": "a_redirect_that_may_mean_done_is_unknown",
    "Follows": "a_redirect_is_not_followed",
    "TellsInErrors": "no_answer_shows_the_token no_reflected_token_shows",
    "TellsInCauses": "no_refused_connection_shows_the_token no_broken_connection_shows_the_token",
    "TellsLogs": "no_log_shows_the_token",
    "TellsInRepr": "no_object_shows_the_token",
    "Echoes": "no_answer_shows_the_token no_reflected_token_shows",
    "Swallows": "an_upload_streams",
    "TrustsFiles": "an_upload_streams a_changed_file_is_refused a_missing_file_is_refused",
    "LosesUploads": "a_broken_upload_is_not_unknown a_useless_answer_is_not_unknown",
    "Believes": "success_without_an_id_is_unknown what_is_no_id_is_unknown",
    "Waits": "a_broken_connection_is_unknown",
    "Hurries": "throttled",
    "OverlooksTheBody": "throttled",
    "Counts": "build_is_pure",
    "Scribbles": "check_is_pure",
    "Asks": "check_is_pure",
    "NeedsTheToken": "it_loads_without_credentials",
    "RaisesItsOwn": "refused account_refused throttled unknown a_broken_gateway_is_unknown",
    "InlineSwallows": "an_upload_streams",
    "InlineHopes": "a_broken_connection_with_a_file_is_unknown "
    "a_broken_gateway_with_a_file_is_unknown an_answer_means_the_same_with_a_file",
    "InlineForgetsTheFile": "a_file_stands_in_the_payload_as_its_reference "
    "a_file_arrives_with_its_message",
    "InlineTrustsFiles": "an_upload_streams a_changed_file_is_refused a_missing_file_is_refused",
    "InlineEchoes": "no_answer_to_a_file_shows_the_token",
    "LacksAnExample": "an_example_is_accepted",
    "RefusesItsExample": "an_example_is_accepted",
    "MakesNoJson": "an_example_is_accepted build_is_pure",
    "ForgetsThatItIsJson": "an_example_is_accepted",
    "ShowsNothing": "an_example_is_shown",
    "ShowsATable": "an_example_is_shown",
    "PostsPollsTwice": "an_example_is_sent_once",
    "BelievesWebhooks": "an_unknown_webhook_says_nothing",
    "TrustsWebhooks": "an_unknown_webhook_says_nothing "
    "statuses_survives_a_webhook_that_lacks_something",
    "OverlooksWebhooks": "a_webhook_says_what_became_of_messages",
}
EXPECTED = [(kind, test) for kind, tests in FAULTS.items() for test in tests.split()]


@pytest.mark.parametrize(("kind", "test"), EXPECTED)
def test_a_fault_is_found_by_name(failed: dict[str, set[str]], kind: str, test: str) -> None:
    assert test in failed[kind]


def test_transports_without_fault_pass(run_samples: Callable[..., Any]) -> None:
    sends = ("success_gives_the_receipt", "a_broken_connection_is_not_retried", "throttled")
    greeted = (f"OpensASession::test_{test}" for test in sends)
    kinds = (
        "HasOnlyPolls",
        "HasStickers",
        "SendsStickersInline",
        "HasAnExample",
        "HasStatuses",
        "HasSignals",
    )
    whole = ("Faultless", "InlineFaultless", "GetsNoIds", *kinds)
    ended = run_samples(SAMPLES, *whole, *greeted)
    assert not ended.failed, ended.said
    assert " passed" in ended.said


def test_what_is_switched_off_shows_as_skipped(run_samples: Callable[..., Any]) -> None:
    nodes = ("TakesNoFiles::test_an_upload_streams", "SpeaksNoHttp::test_refused")
    said = run_samples(SAMPLES, *nodes).said
    assert "it takes no uploads: uploaded = None" in said
    assert "it does not speak HTTP: http = False" in said
    assert "2 skipped" in said


def test_without_a_kind_that_is_a_file_nothing_is_said_of_files(
    run_samples: Callable[..., Any],
) -> None:
    nodes = ("an_upload_streams", "an_upload_gives_the_media_id", "a_file_arrives_with_its_message")
    said = run_samples(SAMPLES, *(f"HasOnlyPolls::test_{each}" for each in nodes)).said
    assert "none of its kinds is a file: no model in contents is a Media" in said
    assert "3 skipped" in said


def test_a_kind_without_an_example_is_named_with_what_to_do(
    run_samples: Callable[..., Any],
) -> None:
    said = run_samples(SAMPLES, "LacksAnExample::test_an_example_is_shown").said
    assert "there is no example of poll: poll.end: Field required; give the model's fields" in said
    assert 'or this class `examples = {"poll": {…}}`' in said


def test_what_was_forgotten_is_an_error(run_samples: Callable[..., Any]) -> None:
    said = run_samples(SAMPLES, "Forgets").said
    assert "TestForgets does not say `refused`; what does not exist is () or None" in said
    assert "passed" not in said
