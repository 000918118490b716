"""Reads recipients as people write them; what transports use by default."""

from dispatcher.addresses.phone import country_fault, lenient_address, phone_address

__all__ = ["country_fault", "lenient_address", "phone_address"]
