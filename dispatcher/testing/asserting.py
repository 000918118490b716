"""Has pytest say what was compared when a contract does not hold: imported before the contracts."""

import pytest

_WITH_ASSERTIONS = (
    "hooks",
    "purity",
    "saying",
    "sources",
    "transformers",
    "transports",
    "validators",
)

pytest.register_assert_rewrite(*(f"dispatcher.testing.{name}" for name in _WITH_ASSERTIONS))
