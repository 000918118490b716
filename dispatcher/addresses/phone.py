"""Reads phone numbers and groups as people write them (docs/greenapi-v1.md, `to`; ITU-T E.164).

Digits with a country code, however they are grouped, are accepted or refused by country code and
length alone. What is a number only inside a country is read by phonenumbers, which knows how people
dial there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple, NoReturn

from dispatcher.addresses.lengths import LENGTHS, REGIONS, TRUNK_ZERO
from dispatcher.errors import AddressError
from dispatcher.models import Address
from dispatcher.visible import code_point, is_hidden, quoted

_LONGEST_WRITTEN = 60  # characters; no number needs more
_SHORTEST, _LONGEST = 7, 15  # digits of a number with its country code

# "79001234567-1581234048": the creator's number, a hyphen, and a time stamp.
_GROUP = re.compile(r"[0-9]{7,15}-[0-9]{6,15}")
_DIGITS_AND_BETWEEN = r"[0-9 \u00a0\u2007\u2009\u202f.\-\u2010-\u2013]*"
# "+7 (900) 123-45-67", "(+7) 900 123-45-67", "(495) 123-45-67".
_SHAPE = re.compile(
    rf"(?P<plus>\+|\(\+)?(?P<before>{_DIGITS_AND_BETWEEN})"
    rf"(?P<brackets>(?P<open>\()?(?P<inside>{_DIGITS_AND_BETWEEN})\)(?P<after>{_DIGITS_AND_BETWEEN}))?"
)
_FOREIGN = re.compile(rf"(?![+()]|{_DIGITS_AND_BETWEEN.removesuffix('*')}).", re.DOTALL)
_DECIMAL = re.compile(r"\+?[0-9]{5,}[.,][0-9]{1,2}")
_SHORTENED = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")
_EXTENSION = re.compile(r"(?<=[0-9)])\s*([^\W\d_]+\.?|#)\s*[0-9]{1,6}$")
_SEVERAL = re.compile(r"[0-9]{5}\s*[,;/]\s*\+?[0-9]")
# What turns a number into text in a spreadsheet: '79001234567, ="79001234567".
_QUOTED = re.compile('[\'’‘`"]\\+?[0-9(]|=["+]?\\+?[0-9(]')
_COUNTRIES = {"UK": "GB", "EL": "GR"}  # as the European Union calls them, not ISO 3166


class _Written(NamedTuple):
    """The digits of a number, those in brackets (`area`), and those before the first gap."""

    digits: str
    plus: bool
    area: bool
    first: str


def phone_address(written: str, country: str | None = None) -> Address:
    """Read a phone number or a group id. Raises AddressError.

    `country` is the region ("RU") in which a number without a country code is dialled like this.
    """
    text = written.strip()
    if text.isascii() and text.isdigit():
        # Most recipients are written like this, and need no more (benchmarks/planning.py).
        if _possible(text) and (country is None or _belongs(text, country)):
            return Address(text, "individual")
    elif _GROUP.fullmatch(text):
        return Address(text, "group")
    number = _read(text)
    if number.plus or country is None:
        return _person(_checked(text, number))
    return _person(_dialled(text, number, country))


def without_country_code(numbers: Collection[str]) -> tuple[str | None, list[tuple[str, str]]]:
    """Find numbers, digits all, that may lack their country code.

    They belong to another country than most do; dialled in that of most, they reach a number that
    exists. Returns that country, and each of these numbers with the one that may be meant.
    """
    import phonenumbers

    codes = {number: code for number in numbers if (code := _code(number))}
    usual = Counter(codes.values()).most_common(1)
    if not usual:
        return None, []
    home = phonenumbers.region_code_for_country_code(int(usual[0][0]))
    return home, [
        (number, meant)
        for number, code in codes.items()
        if code != usual[0][0] and (meant := _national(number, home)) and _is_valid(meant)
    ]


def lenient_address(written: str, country: str | None = None) -> Address:
    """Read a recipient as `phone_address` does; return anything else unchanged.

    For messages whose transport is unknown.
    """
    try:
        return phone_address(written, country)
    except AddressError:
        return Address(written.strip(), "individual")


def why_no_country(country: str) -> str | None:
    """Return what is wrong with a country's name (ISO 3166, two capital letters), or None."""
    if country in REGIONS:
        return None
    capital = country.strip().upper()
    code = capital.lstrip("+")
    of_code = [region for region, each in REGIONS.items() if each == code]
    meant = capital if capital in REGIONS else _COUNTRIES.get(capital)
    if meant is None and len(of_code) == 1:
        meant = of_code[0]
    if meant is not None:
        return f'"{country}" is no country code of two capital letters; did you mean "{meant}"?'
    shown = country[:20]
    return f'"{shown}" is no country; write the two letters of ISO 3166: "RU", "DE", "US"'


def _person(digits: str) -> Address:
    return Address(digits, "individual")


def _possible(digits: str) -> bool:
    """Whether a number with its country code can have these digits."""
    for end in (1, 2, 3):
        code = digits[:end]
        if len(digits) in LENGTHS.get(code, ()):
            return not (digits[end] == "0" and code in TRUNK_ZERO)
    return False


def _code(digits: str) -> str | None:
    """Return the country code with which a number begins."""
    return next((digits[:end] for end in (1, 2, 3) if digits[:end] in LENGTHS), None)


def _belongs(digits: str, country: str) -> bool:
    """Whether digits with the country's own code cannot be dialled inside it as they are."""
    code = REGIONS.get(country, "-")
    return digits.startswith(code) and len(code) + len(digits) not in LENGTHS[code]


# ------------------------------------------------------------------------------ what is written


def _read(text: str) -> _Written:
    """Return the number in a text. Raises AddressError unless the whole text is one."""
    if len(text) > _LONGEST_WRITTEN:
        raise _neither(text)
    if foreign := _FOREIGN.search(text):
        _refuse_character(text, foreign[0])
    if _DECIMAL.fullmatch(text):
        raise _decimal(text)
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
    # What precedes the brackets is a country code, or is dialled before an area code: 8 (495).
    area = bool(inside) and before not in LENGTHS
    first = re.findall("[0-9]+", text)[0]
    return _Written(before + inside + after, bool(shape["plus"]), area, first)


def _balanced(shape: re.Match[str]) -> bool:
    """Whether each bracket has its counterpart, and something in between."""
    if shape["plus"] == "(+":
        return bool(shape["brackets"]) and not shape["open"] and bool(_digits(shape["before"]))
    return not shape["brackets"] or (bool(shape["open"]) and bool(_digits(shape["inside"])))


def _digits(text: str | None) -> str:
    return "".join(re.findall("[0-9]", text or ""))


def _refuse_character(text: str, character: str) -> NoReturn:
    """Raise AddressError with the reason why no number has this character."""
    point, shown = code_point(character), quoted(text)
    if character in "\r\n":
        raise _several(text)
    if is_hidden(character):
        raise AddressError(f"{shown} holds {point}, which cannot be seen; remove it")
    if character.isdecimal():
        raise AddressError(f"{shown} holds {point}; write the digits 0 to 9")
    if text[0] == character and _QUOTED.match(text):
        raise AddressError(f"{shown} begins with {point}; remove it")
    if _DECIMAL.fullmatch(text):
        raise _decimal(text)
    if _SHORTENED.fullmatch(text):
        raise AddressError(f"{shown} was shortened by a spreadsheet; make the column text there")
    extension = _EXTENSION.search(text)
    if extension and len(_digits(text[: extension.start()])) >= _SHORTEST:
        raise AddressError(
            f"{shown}: no message reaches an extension; remove {quoted(extension[0].strip())}"
        )
    if _SEVERAL.search(text):
        raise _several(text)
    raise _neither(text)


def _decimal(text: str) -> AddressError:
    return AddressError(f"{quoted(text)} has decimals; remove them")


def _several(text: str) -> AddressError:
    return AddressError(f"{quoted(text)} is more than one number; each is a recipient of its own")


def _neither(text: str) -> AddressError:
    return AddressError(
        f"{quoted(text)} is neither a phone number with country code (79001234567)"
        " nor a group id (79001234567-1581234048)"
    )


# -------------------------------------------------------------------------- with a country code


def _checked(text: str, number: _Written) -> str:
    if _possible(number.digits):
        _require_code(text, number)
        return number.digits
    raise AddressError(f"{quoted(text)}: {_why_invalid(number)}")


def _require_code(text: str, number: _Written) -> None:
    """Raise AddressError if groups of digits do not begin with a country code.

    "495 123-45-67" is possible in Germany, too, but nobody there writes it like this.
    """
    if number.plus and number.area and not _begins_with_code(number.first):
        raise AddressError(f"{quoted(text)}: +{number.first} is no country code")
    alone = number.first == text
    if not number.plus and not alone and (number.area or number.first not in LENGTHS):
        way = 'write + before that, or name the country: country = "…"'
        raise AddressError(f"{quoted(text)} may lack its country code; {way}")


def _begins_with_code(digits: str) -> bool:
    return any(digits[:end] in LENGTHS for end in (1, 2, 3))


def _why_invalid(number: _Written) -> str:
    """Say why no number with a country code has these digits, and what may be meant."""
    digits = number.digits
    if not _SHORTEST <= len(digits) <= _LONGEST:
        group = "; a group is like 79001234567-1581234048" if len(digits) > _LONGEST else ""
        return f"a phone number has 7 to 15 digits, this one {len(digits)}{group}"
    if digits.startswith("00"):
        return f"write + for the 00 before a country code: +{digits[2:]}"
    if number.plus:
        return _why_invalid_code(digits, right=True)
    if not _begins_with_code(digits):
        return 'needs country = "…"'
    return f'{_why_invalid_code(digits, right=False)}; one without its code needs country = "…"'


def _why_invalid_code(digits: str, right: bool) -> str:
    """Say what is wrong with the country code; if `right`, also what to write instead."""
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
    """Return the digits of a number without a plus that may be dialled inside a country."""
    if sentence := why_no_country(country):
        raise AddressError(sentence)
    national = _national(number.digits, country)
    abroad = number.digits if _possible(number.digits) else None
    if national is None and abroad is None:
        reason = "is no possible number"
        raise AddressError(f"{quoted(text)} {reason} in {country}, nor one with a country code")
    if national is None or abroad is None or national == abroad:
        return national or abroad or ""
    valid = [each for each in (national, abroad) if _is_valid(each)]
    if number.area or valid == [national]:
        return national
    code = REGIONS[country]
    # Where people dial a 0 first, digits without it usually have a country code.
    if valid == [abroad] or abroad.startswith(code) or code in TRUNK_ZERO:
        return abroad
    raise AddressError(
        f"{quoted(text)} is +{national} in {country}, but +{abroad} may be meant; write the +"
    )


def _national(digits: str, country: str) -> str | None:
    """Return what dialling these digits in a country reaches, with its country code, or None."""
    import phonenumbers  # takes longer to load than many a list takes to read

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
