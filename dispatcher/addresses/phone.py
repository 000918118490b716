"""Phone numbers and groups as people write them (greenapi-v1-messages, field `to`; ITU-T E.164).

Digits with a country code, however they are grouped, are taken as they are or refused, by country
code and length alone. What only means a number inside a country is read by phonenumbers, which
knows how people dial there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, NoReturn

from dispatcher.addresses.countries import country_fault
from dispatcher.addresses.lengths import LENGTHS, REGIONS, TRUNK_ZERO
from dispatcher.errors import AddressError
from dispatcher.models import Address
from dispatcher.toml.explain import quoted

_LONGEST_WRITTEN = 60  # characters; nobody needs more
_SHORTEST, _LONGEST = 7, 15  # digits of a number with its country code

# "79001234567-1581234048": the creator's number and a time stamp, one hyphen between.
_GROUP = re.compile(r"[0-9]{7,15}-[0-9]{6,15}")
_DIGITS_AND_BETWEEN = r"[0-9 \u00a0\u2007\u2009\u202f.\-\u2010-\u2013]*"
# "+7 (900) 123-45-67", "(+7) 900 123-45-67", "(495) 123-45-67".
_SHAPE = re.compile(
    rf"(?P<plus>\+|\(\+)?(?P<before>{_DIGITS_AND_BETWEEN})"
    rf"(?P<brackets>(?P<open>\()?(?P<inside>{_DIGITS_AND_BETWEEN})\)(?P<after>{_DIGITS_AND_BETWEEN}))?"
)
_FOREIGN = re.compile(rf"(?![+()]|{_DIGITS_AND_BETWEEN.removesuffix('*')}).", re.DOTALL)
_DECIMAL = re.compile(r"(\+?[0-9]{5,})[.,][0-9]{1,2}")
_SHORTENED = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")
_EXTENSION = re.compile(r"(?<=[0-9)])\s*([^\W\d_]+\.?|#)\s*[0-9]{1,6}$")
_SEVERAL = re.compile(r"[0-9]{5}\s*[,;/]\s*\+?[0-9]")


class _Written(NamedTuple):
    """The digits of a number; `plus` stands before them, or an `area` in brackets."""

    digits: str
    plus: bool
    area: bool


def phone_address(written: str, country: str | None = None) -> Address:
    """A phone number or a group id, as it was written. Raises AddressError.

    `country`: the region ("RU") in which a number without a country code is dialled like this.
    """
    text = written.strip()
    if text.isascii() and text.isdigit():
        # Most recipients are written so: what is called for each of them shows in `planning.py`
        # of the benchmarks.
        if _fits(text[:4], len(text)) and (country is None or _belongs(text, country)):
            return Address(text, "individual")
    elif _GROUP.fullmatch(text):
        return Address(text, "group")
    number = _read(text)
    if number.plus or country is None:
        return _person(_checked(text, number))
    return _person(_dialled(text, number, country))


def lenient_address(written: str, country: str | None = None) -> Address:
    """As `phone_address`; what is no number and no group stands as it is written.

    For messages of which nobody knows what their transport takes.
    """
    try:
        return phone_address(written, country)
    except AddressError:
        return Address(written.strip(), "individual")


def _person(digits: str) -> Address:
    return Address(digits, "individual")


def _possible(digits: str) -> bool:
    """Whether a number with its country code can have these digits."""
    return _fits(digits[:4], len(digits))


@lru_cache(maxsize=4096)
def _fits(begin: str, length: int) -> bool:
    """The same by the first four digits, of which a list has few, and how many there are."""
    for end in (1, 2, 3):
        code = begin[:end]
        if length in LENGTHS.get(code, ()):
            return not (begin[end] == "0" and code in TRUNK_ZERO)
    return False


def _belongs(digits: str, country: str) -> bool:
    """Whether digits with the country's own code cannot be dialled inside it as they are."""
    code = REGIONS.get(country, "-")
    return digits.startswith(code) and len(code) + len(digits) not in LENGTHS[code]


# ------------------------------------------------------------------------------ what is written


def _read(text: str) -> _Written:
    """The number in a text. Raises AddressError unless the whole text is one."""
    if len(text) > _LONGEST_WRITTEN:
        raise _neither(text)
    if foreign := _FOREIGN.search(text):
        _refuse_character(text, foreign[0])
    if decimal := _DECIMAL.fullmatch(text):
        raise _decimal(text, decimal[1])
    shape = _SHAPE.fullmatch(text)
    if shape is None or not _balanced(shape) or not re.match(r"[+(0-9]", text):
        raise _neither(text)
    before, inside, after = (_digits(shape[part]) for part in ("before", "inside", "after"))
    if inside == "0":
        right = f"write +{before}{after}" if _possible(before + after) else "remove it"
        raise AddressError(f"{quoted(text)}: the (0) is dialled inside the country only; {right}")
    if before and inside and not after:
        extra = quoted(text[text.index("(", 1) :])
        raise AddressError(f"{quoted(text)}: {extra} is no part of a number; remove it")
    if not text[-1].isdigit():
        raise _neither(text)
    return _Written(before + inside + after, bool(shape["plus"]), area=not before)


def _balanced(shape: re.Match[str]) -> bool:
    """Whether each bracket has its other one, and something in it."""
    if shape["plus"] == "(+":
        return bool(shape["brackets"]) and not shape["open"] and bool(_digits(shape["before"]))
    return not shape["brackets"] or (bool(shape["open"]) and bool(_digits(shape["inside"])))


def _digits(text: str | None) -> str:
    return "".join(re.findall("[0-9]", text or ""))


def _refuse_character(text: str, character: str) -> NoReturn:
    """Say why a text with this character in it is no number."""
    point, name = f"U+{ord(character):04X}", unicodedata.name(character, "no name").lower()
    shown = quoted(text)
    if _is_invisible(character):
        raise AddressError(f"{shown} holds {point} ({name}), which cannot be seen; remove it")
    if character.isdecimal():
        raise AddressError(f"{shown} holds {point} ({name}); write the digits 0 to 9")
    if character in "'’‘`\"" and text[0] == character and text[1:2].isdigit():
        raise AddressError(f"{shown} begins with {point} ({name}); remove it")
    if decimal := _DECIMAL.fullmatch(text):
        raise _decimal(text, decimal[1])
    if _SHORTENED.fullmatch(text):
        raise AddressError(f"{shown} was shortened by a spreadsheet; make the column text there")
    extension = _EXTENSION.search(text)
    if extension and len(_digits(text[: extension.start()])) >= _SHORTEST:
        raise AddressError(
            f"{shown}: no message reaches an extension; remove {quoted(extension[0].strip())}"
        )
    if _SEVERAL.search(text):
        raise AddressError(f"{shown} is more than one number; each is a recipient of its own")
    raise _neither(text)


def _is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    # The fillers are letters to Unicode, and blanks to everybody.
    return category[0] in "CMZ" or character in "\u115f\u1160\u3164\uffa0"


def _decimal(text: str, whole: str) -> AddressError:
    right = f"write {whole}" if _possible(whole.lstrip("+")) else "leave them out"
    return AddressError(
        f"{quoted(text)} ends in decimals, as a spreadsheet writes a number; {right}"
    )


def _neither(text: str) -> AddressError:
    return AddressError(
        f"{quoted(text)} is neither a phone number with country code (79001234567)"
        " nor a group id (79001234567-1581234048)"
    )


# -------------------------------------------------------------------------- with a country code


def _checked(text: str, number: _Written) -> str:
    if _possible(number.digits):
        return number.digits
    raise AddressError(f"{quoted(text)}: {_fault(number)}")


def _fault(number: _Written) -> str:
    """Why no number with a country code has these digits, and what may be meant."""
    digits = number.digits
    if not _SHORTEST <= len(digits) <= _LONGEST:
        group = "; a group is like 79001234567-1581234048" if len(digits) > _LONGEST else ""
        return f"a phone number has 7 to 15 digits, this one {len(digits)}{group}"
    if digits.startswith("00"):
        return f"write + for the 00 before a country code: +{digits[2:]}"
    fault = _fault_of_code(digits, right=number.plus)
    return (
        fault
        if number.plus
        else f'{fault}; for numbers as dialled inside a country: country = "RU"'
    )


def _fault_of_code(digits: str, right: bool) -> str:
    """`right`: and what to write instead."""
    code = next((digits[:n] for n in (1, 2, 3) if digits[:n] in LENGTHS), None)
    if code is None:
        return f"no country code begins with {digits[: 1 if digits[0] == '0' else 2]}"
    rest = digits.removeprefix(code)
    if code in TRUNK_ZERO and rest.startswith("0"):
        meant = code + rest.lstrip("0")
        write = f"; write +{meant}" if right and _possible(meant) else ""
        return f"the 0 after +{code} is dialled inside the country only{write}"
    known = _listed(LENGTHS[code])
    return f"a number that begins with +{code} has {known} digits, not {len(digits)}"


def _listed(numbers: Sequence[int]) -> str:
    *others, last = map(str, numbers)
    return f"{', '.join(others)} or {last}" if others else last


# ----------------------------------------------------------------------------- inside a country


def _dialled(text: str, number: _Written, country: str) -> str:
    """A number without a plus, where it may be dialled inside a country."""
    if sentence := country_fault(country):
        raise AddressError(sentence)
    national = _national(number.digits, country)
    abroad = number.digits if _possible(number.digits) else None
    if national is None and abroad is None:
        fault = "is no possible number"
        raise AddressError(f"{quoted(text)} {fault} in {country}, nor one with a country code")
    if national is None or abroad is None or national == abroad:
        return national or abroad or ""
    valid = [each for each in (national, abroad) if _is_valid(each)]
    if number.area or valid == [national]:
        return national
    code = REGIONS[country]
    # Where people dial a 0 first, digits without it are the usual form, with a country code.
    if valid == [abroad] or abroad.startswith(code) or code in TRUNK_ZERO:
        return abroad
    raise AddressError(
        f"{quoted(text)} is +{national} in {country}, but +{abroad} may be meant; write the +"
    )


def _national(digits: str, country: str) -> str | None:
    """What is reached by dialling these digits in a country, with its country code."""
    import phonenumbers  # takes longer to load than many a list to read

    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.ValidationResult.IS_POSSIBLE
    if phonenumbers.is_possible_number_with_reason(number) != possible:
        return None
    form = phonenumbers.PhoneNumberFormat.E164
    reached: str = phonenumbers.format_number(number, form).removeprefix("+")
    return reached if _possible(reached) else None


def _is_valid(digits: str) -> bool:
    import phonenumbers

    return bool(phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}")))
