"""Reads recipients as people write them; what transports use by default."""

from dispatcher.addresses.phone import (
    lenient_address,
    phone_address,
    why_no_country,
    without_country_code,
)

__all__ = ["lenient_address", "phone_address", "why_no_country", "without_country_code"]
