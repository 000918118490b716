"""Recipients as people write them → as a gateway wants them: the default of all transports."""

from dispatcher.addresses.phone import country_fault, lenient_address, phone_address

__all__ = ["country_fault", "lenient_address", "phone_address"]
