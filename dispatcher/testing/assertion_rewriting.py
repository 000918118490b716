"""Makes pytest show what a contract compared when it fails; imported before the contracts."""

import pytest

_WITH_ASSERTIONS = (
    *("engine_contract", "hook_contracts", "purity", "secrecy"),
    *("transport_contract", "transport_files", "transport_setup"),
)

pytest.register_assert_rewrite(*(f"dispatcher.testing.{name}" for name in _WITH_ASSERTIONS))
