"""`dispatcher/addresses/lengths.py` says what phonenumbers' metadata says.

To write it anew after a change of the metadata: python tests/test_number_lengths.py
"""

import textwrap
from collections.abc import Iterable
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumber, ValidationResult

from dispatcher.addresses import lengths

FILE = Path(lengths.__file__)
REGIONS_OF = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
SHORTEST, LONGEST = 7, 15  # ITU-T E.164 has 15 digits at most; no subscriber has fewer than 7
# Mexican mobile numbers had a 1 after the country code until 2019; WhatsApp keeps it in the address
# of whoever registered with it, and gateways ask for it.
FORMER = {"521": (13,)}

HEAD = '''"""Which telephone numbers there can be: country codes and how long their numbers are.

Written by tests/test_number_lengths.py from phonenumbers' metadata, so that nobody has to load that
to see that 79001234567 is a number.
"""

from __future__ import annotations

from typing import Final

'''


def metadata(code: int) -> PhoneMetadata:
    """Of a country code, as phonenumbers itself chooses it to judge a length."""
    region = REGIONS_OF[code][0]
    if region == "001":
        return PhoneMetadata.metadata_for_nongeo_region(code)
    return PhoneMetadata.metadata_for_region(region)


def computed_lengths() -> dict[str, tuple[int, ...]]:
    whole = {}
    for code in REGIONS_OF:
        national = metadata(code).general_desc.possible_length
        totals = (len(str(code)) + length for length in national)
        whole[str(code)] = tuple(sorted(n for n in totals if SHORTEST <= n <= LONGEST))
    return dict(sorted({**whole, **FORMER}.items()))


def computed_trunk_zero() -> frozenset[str]:
    return frozenset(str(code) for code in REGIONS_OF if metadata(code).national_prefix == "0")


def computed_regions() -> dict[str, str]:
    found = {region: str(code) for code in REGIONS_OF for region in REGIONS_OF[code]}
    del found["001"]
    return dict(sorted(found.items()))


def module() -> str:
    """The text that the file is to have."""
    zero = packed(f'"{code}",' for code in sorted(computed_trunk_zero()))
    numbers = packed(f'"{code}": {whole},' for code, whole in computed_lengths().items())
    regions = packed(f'"{region}": "{code}",' for region, code in computed_regions().items())
    return f"""{HEAD}# fmt: off
# Country code → how many digits, its own included, a number can have.
LENGTHS: Final[dict[str, tuple[int, ...]]] = {{
{numbers}
}}

# Country codes whose numbers, dialled inside the country, have a 0 before them.
TRUNK_ZERO: Final = frozenset((
{zero}
))

# ISO 3166 region → its country code.
REGIONS: Final[dict[str, str]] = {{
{regions}
}}
"""


def packed(entries: Iterable[str]) -> str:
    line = " ".join(each.replace(" ", "\0") for each in entries)
    filled = textwrap.fill(line, 99, initial_indent="    ", subsequent_indent="    ")
    return filled.replace("\0", " ")


def test_the_table_says_what_the_metadata_says() -> None:
    assert computed_lengths() == lengths.LENGTHS
    assert computed_trunk_zero() == lengths.TRUNK_ZERO
    assert computed_regions() == lengths.REGIONS


@pytest.mark.parametrize("code", sorted(REGIONS_OF))
def test_phonenumbers_judges_lengths_by_the_same(code: int) -> None:
    own = lengths.LENGTHS[str(code)]
    for length in range(SHORTEST, LONGEST + 1):
        national = int("2" * (length - len(str(code))))
        judged = phonenumbers.is_possible_number_with_reason(PhoneNumber(code, national))
        possible = judged == ValidationResult.IS_POSSIBLE
        assert possible == (length in own), f"+{code} with {length} digits"


def test_a_number_begins_with_one_country_code_at_most() -> None:
    codes = lengths.LENGTHS.keys() - FORMER.keys()
    assert not [a for a in codes for b in codes if a != b and a.startswith(b)]


if __name__ == "__main__":
    FILE.write_text(module(), encoding="utf-8")
