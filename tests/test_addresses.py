"""What people write for a recipient, and what each transport makes of it."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from subprocess import run
from typing import Any, ClassVar

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher import (
    Address,
    AddressError,
    Attachment,
    Message,
    Payload,
    PluginError,
    phone_address,
)
from dispatcher.testing import RecordingTransport, manifest, plan
from tests.support.cases import cases
from tests.support.plugins import Hooks
from tests.support.project import Project

TO = "79001234567"
GROUP = "79001234567-1581234048"


def reason(written: str, country: str | None = None) -> str:
    with pytest.raises(AddressError) as raised:
        phone_address(written, country)
    return str(raised.value)


# ------------------------------------------------------------------------------- phone numbers


WRITTEN = [
    *("79001234567", " 79001234567\n", "+79001234567", "+7 900 123-45-67", "+7 (900) 123-45-67"),
    *("(+7) 900 123 45 67", "+7.900.123.45.67", "7-900-123-45-67"),
    *("+7\u00a0900\u202f123\u201145\u201367", "+(7) 900 123-45-67"),
]
WRITTEN_IN_RUSSIA = [
    *("79001234567", "8 (900) 123-45-67", "89001234567", "9001234567", "(900) 123-45-67")
]


@cases(
    "written, country, to",
    *((written, None, TO) for written in WRITTEN),
    *((written, "RU", TO) for written in WRITTEN_IN_RUSSIA),
    ("79001234567", "DE", TO),
    ("9161234567", "RU", "79161234567"),
    ("810 49 30 123456", "RU", "4930123456"),
    ("020 7946 0958", "GB", "442079460958"),
    ("030 123456", "DE", "4930123456"),
    ("1711234567", "DE", "491711234567"),  # a spreadsheet took the 0
    ("71112345678", "DE", "4971112345678"),
    ("0041 44 668 18 00", "DE", "41446681800"),
    ("(479) 234-5678", "US", "14792345678"),
    ("+39 06 1234567", None, "39061234567"),
    ("8 (495) 123-45-67", "RU", "74951234567"),  # also one of Vietnam's
    ("44 (20) 7946 0958", "GB", "442079460958"),
    ("44 7911 123456", None, "447911123456"),
    ("5215512345678", None, "5215512345678"),
)
def test_the_number_that_is_meant(written: str, country: str | None, to: str) -> None:
    assert phone_address(written, country) == Address(to, "individual")


@cases("written", GROUP, f" {GROUP} ", "1234567-158123")
def test_a_group(written: str) -> None:
    assert phone_address(written) == Address(written.strip(), "group")


NO_NUMBERS = [
    *("+7 9oo 123-45-67", "++79001234567", "79001234567-", "(7900) 123 (45) 67", "7900) 1234567"),
    *("(+7 900 1234567", "7900 () 1234567", "7" * 100, "+1 800 FLOWERS", ""),
]


@cases(
    "written, country, said",
    ("79001234568.0", None, "has decimals; remove them"),
    ("79001234568,00", None, "has decimals; remove them"),
    ("7.9E+10", None, "was shortened by a spreadsheet"),
    ("+49 (0)30 123456", None, "the (0) is dialled inside the country only; write +4930123456"),
    ("+49 030 123456", None, "the 0 after +49 is dialled inside the country only; write +4930"),
    ("+7 900 123-45-68 (123)", None, '"(123)" is no part of a number; remove it'),
    ("+7 900 123-45-68 ext. 5", None, 'no message reaches an extension; remove "ext. 5"'),
    ("+7 900 123-45-68 доб. 5", None, 'no message reaches an extension; remove "доб. 5"'),
    ("8 (900) 123-45-68", None, 'needs country = "…"'),
    ("0041446681800", None, "write + for the 00 before a country code: +41446681800"),
    ("7900123456", None, "a number that begins with +7 has 11 or 15 digits, not 10"),
    ("+7 900 123-45-6", "RU", "a number that begins with +7 has 11 or 15 digits, not 10"),
    ("120363043968066561", None, "has 7 to 15 digits, this one 18; a group is like 790012345"),
    ("112", "RU", "is no possible number in RU, nor one with a country code"),
    ("4792345678", "US", "is +14792345678 in US, but +4792345678 may be meant; write the +"),
    ("8 900 123-45-67", "XX", '"XX" is no country'),
    ("\u202a+79001234567\u202c", None, "holds U+202A (left-to-right embedding), which cannot"),
    ("7900\u200b1234567", None, "holds U+200B (zero width space), which cannot be seen"),
    ("7900\u00ad1234567", None, "holds U+00AD (soft hyphen), which cannot be seen"),
    ("\ufeff79001234567", None, "holds U+FEFF (zero width no-break space), which cannot"),
    ("7900\t1234567", None, "holds a tab (U+0009), which cannot be seen"),
    ("7900\u31641234567", None, "holds U+3164 (hangul filler), which cannot be seen"),
    ("٧٩٠٠١٢٣٤٥٦٧", None, "holds ٧ (U+0667); write the digits 0 to 9"),
    ("'79001234567", None, "begins with ' (U+0027); remove it"),
    ("79001234567; 79001234568", None, "is more than one number"),
    ("79001234567\n79001234568", None, "is more than one number"),
    ("'+79001234567", None, "begins with ' (U+0027); remove it"),
    ('="79001234567"', None, "begins with = (U+003D); remove it"),
    # Digits that are possible in Germany, in India and in Vietnam.
    ("495 123-45-67", None, "may lack its country code; write + before that, or name the c"),
    ("(495) 123-45-67", None, "may lack its country code"),
    ("916 123-45-67", None, "may lack its country code"),
    ("8 (495) 123-45-67", None, "may lack its country code"),
    ("+8 (495) 123-45-67", None, "+8 is no country code"),
    *((written, None, "is neither a phone number") for written in NO_NUMBERS),
)
def test_what_is_no_number_is_refused_and_why(written: str, country: str | None, said: str) -> None:
    assert said in reason(written, country)


ENDS = (".0", ",0", " (12)", " ext 1", " x12", "\u200b", "/2", ";", "e5", "-", "(", ")", "+", "'")


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.sampled_from(ENDS))
@example("RU", ".0")
def test_no_digit_of_what_is_no_part_of_a_number_counts(region: str, end: str) -> None:
    reason(f"+{example_of(region)}{end}")


def example_of(region: str) -> str:
    """A number of a country, with its code."""
    number = phonenumbers.example_number(region)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))[1:]


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_all_ways_to_write_a_number_are_one_recipient(region: str) -> None:
    digits = example_of(region)
    number = phonenumbers.parse(f"+{digits}")
    forms = phonenumbers.PhoneNumberFormat
    for form in (forms.E164, forms.INTERNATIONAL):
        assert phone_address(phonenumbers.format_number(number, form)).to == digits
    for country in (None, region, "DE"):
        assert phone_address(digits, country).to == digits
    national = phonenumbers.format_number(number, forms.NATIONAL)
    if re.fullmatch(r"[0-9 ()-]+", national):
        assert phone_address(national, region).to == digits


@cases("country", "US", "RU", "ES")
@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
def test_nobody_is_taken_for_somebody_else(country: str, region: str) -> None:
    """Digits with a country code may be a number of the country, too: then they are refused."""
    digits = example_of(region)
    try:
        found = phone_address(digits, country).to
    except AddressError:
        return
    assert found == digits or not phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))


@given(st.text(alphabet="+0123456789 ().-,'xe\u200b\u00a0", max_size=25))
def test_a_number_has_exactly_the_digits_that_were_written(written: str) -> None:
    try:
        address = phone_address(written)
    except AddressError:
        return
    assert address.to == "".join(each for each in written if each in "0123456789-") or (
        address.to == "".join(each for each in written if each.isdigit())
    )


def test_digits_need_no_phonenumbers() -> None:
    code = (
        "import sys; from dispatcher import phone_address as read\n"
        "read('79001234567'); read('+7 900 123-45-67'); read('79001234567', 'RU')\n"
        "assert 'phonenumbers' not in sys.modules"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0


# -------------------------------------------------------------------------------- where it counts


@cases(
    "top, message, config",
    ('defaults = { country = "RU" }', 'to = "8 900 123-45-67"', ""),
    ("", 'to = "8 900 123-45-67"\ncountry = "RU"', ""),
    ("", 'to = "8 900 123-45-67"', 'country = "RU"'),
    ("", 'recipients = { file = "r.csv", country = "RU" }', 'country = "DE"'),
    ('defaults = { country = "DE" }', 'recipients = { file = "r.csv", country = "RU" }', ""),
    ('defaults = { country = "RU" }', 'recipients = "r.csv"', 'country = "DE"'),
)
def test_the_nearest_country_counts(project: Project, top: str, message: str, config: str) -> None:
    project.config(config)
    project.write("manifests/r.csv", "to\n8 (900) 123-45-67\n")
    project.manifest(f'{top}\n[[messages]]\nid = "a"\n{message}\ntext.body = "x"\n')
    [planned] = project.call("plan", "--json").events("plan")
    assert planned["key"] == f"default/m/a/1/{TO}"


@cases(
    "country, hint",
    ("ru", '"ru" is no country code of two capital letters; did you mean "RU"?'),
    ("UK", '"UK" is no country code of two capital letters; did you mean "GB"?'),
    ("+49", '"+49" is no country code of two capital letters; did you mean "DE"?'),
    ("Russia", '"Russia" is no country; write the two letters of ISO 3166: "RU", "DE", "US"'),
)
def test_a_country_that_there_is_not(project: Project, country: str, hint: str) -> None:
    entry = f'[[messages]]\nid = "a"\nto = "{TO}"\n'
    project.manifest(f'{entry}country = "{country}"\ntext.body = "x"\n')
    result = project.call("validate")
    assert result.code == 2
    assert result.stdout == f'manifests/m.toml:5:11: error: message "a": {hint}\n'
    project.config(f'country = "{country}"\n')
    result = project.call("validate")
    assert result.code == 2
    assert f"dispatcher.toml:1:11: error: country: {hint}" in result.stderr


def test_one_person_written_in_two_ways_is_there_twice(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"to": [TO, "8 (900) 123-45-67"], "country": "RU"})
    [problem] = plan(path).problems
    assert problem.message == f"{TO} is a recipient twice; remove one"


@cases("written", TO, "+7 900 123-45-67", "8 (900) 123-45-67")
def test_history_and_settle_read_a_recipient_as_manifests_do(
    project: Project, inbox: Any, written: str
) -> None:
    inbox.faults([{"fault": "reset_after", "path": "/v1/messages"}])
    project.config('country = "RU"\n')
    project.texts("a")
    project.call("send")
    assert TO in project.call("history", "--to", written).stdout
    assert project.call("settle", "--to", written, "--sent", "--yes").code == 0


def test_a_recipient_that_nobody_can_be_is_named(project: Project) -> None:
    result = project.call("history", "--to", "8 900 123-45-67")
    assert result.code == 3
    assert 'warning: "8 900 123-45-67": needs country' in result.stderr


# ----------------------------------------------------------------- a transport with its own ones


class Telegraph(RecordingTransport):
    """A provider of channels and chats, `@channel` and `-1001234567890`."""

    name: ClassVar[str] = "telegraph"

    def address(self, written: str, country: str | None) -> Any:
        text = written.strip().lower()
        if re.fullmatch(r"@\w+", text):
            return Address(text, "channel")
        if re.fullmatch(r"-[0-9]{6,}", text):
            return Address(text, "chat")
        raise AddressError(f'"{written}" is neither a @channel nor a chat, which begins with -')

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        kinds = {"channel": "chat_name", "chat": "chat_id"}
        return {kinds[message.recipient_type]: message.to}


def offering(transport: type) -> Hooks:
    return Hooks(transports=lambda: [transport])


def test_a_provider_with_addresses_of_its_own(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"to": ["@News", "-1001234567890"]}, transport="telegraph")
    made = plan(path, offering(Telegraph))
    assert made.problems == []
    news, chat = made.messages
    assert (news.payload, chat.payload) == ({"chat_name": "@news"}, {"chat_id": "-1001234567890"})
    assert news.message.key.endswith("/@news")
    assert chat.message.key.endswith("/-1001234567890")


def test_only_what_an_address_holds_counts(tmp_path: Path) -> None:
    class Channel(StrEnum):
        NEWS = "@news"
        KIND = "channel"

    class Sloppy(Telegraph):
        def address(self, written: str, country: str | None) -> Any:
            return Address(Channel.NEWS, Channel.KIND)

    path = manifest(tmp_path, {"to": "news"}, transport="telegraph")
    [planned] = plan(path, offering(Sloppy)).messages
    assert type(planned.message.to) is type(planned.message.recipient_type) is str
    assert planned.message.key.endswith("/@news")


def test_what_it_refuses_is_a_problem_of_the_message(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"to": ["@news", TO, " @NEWS "]}, transport="telegraph")
    first, second = plan(path, offering(Telegraph)).problems
    assert str(first).endswith(f'"{TO}" is neither a @channel nor a chat, which begins with -')
    assert str(second).endswith("@news is a recipient twice; remove one")


NO_TOS: list[Any] = ["", "a b", "a\u200bb", "a\nb", "x" * 201, 5]


@cases(
    "answer, said",
    (None, "expected an Address, or AddressError raised"),
    ("@news", "expected an Address, or AddressError raised"),
    *((Address(to, "channel"), "expected a `to` of 1 to 200 characters") for to in NO_TOS),
    (Address("e\u0301", "channel"), "in NFC"),
    (Address("@news", ""), "expected a recipient_type that is a word"),
    (RuntimeError("broken"), "RuntimeError: broken"),
    (SystemExit(3), "SystemExit: 3"),
)
def test_a_wrong_answer_names_the_transport(tmp_path: Path, answer: object, said: str) -> None:
    class Wrong(Telegraph):
        def address(self, written: str, country: str | None) -> Any:
            if isinstance(answer, BaseException):
                raise answer
            return answer

    path = manifest(tmp_path, {"to": "@news"}, transport="telegraph")
    with pytest.raises(PluginError) as raised:
        plan(path, offering(Wrong))
    assert ' failed in address of transport "telegraph": ' in str(raised.value)
    assert said in str(raised.value)
