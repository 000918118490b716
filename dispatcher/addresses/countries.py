"""Countries, as they are named where a number has none."""

from __future__ import annotations

from dispatcher.addresses.lengths import REGIONS

_MEANT = {"UK": "GB", "EL": "GR"}  # what the European Union calls them, not ISO 3166


def country_fault(country: str) -> str | None:
    """What is wrong with the name of a country; None: it is one, like "RU"."""
    if country in REGIONS:
        return None
    capital = country.strip().upper()
    code = capital.lstrip("+")
    of_code = [region for region, each in REGIONS.items() if each == code]
    meant = capital if capital in REGIONS else _MEANT.get(capital)
    if meant is None and len(of_code) == 1:
        meant = of_code[0]
    if meant is not None:
        return f'"{country}" is no country code of two capital letters; did you mean "{meant}"?'
    shown = country[:20]
    return f'"{shown}" is no country; write the two letters of ISO 3166: "RU", "DE", "US"'
