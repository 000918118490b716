"""Message definitions live in git as TOML manifests; the dispatcher sends them, once.

Everything that a plugin needs is importable from here, and `Dispatcher`, the Python API.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatcher.api import Dispatcher as Dispatcher
    from dispatcher.api import Plan as Plan
    from dispatcher.api import PlannedMessage as PlannedMessage
    from dispatcher.api import Report as Report
    from dispatcher.api import Result as Result
    from dispatcher.public import *  # noqa: F403 - it names what it has

    __version__: str

_OF_THE_API = ("Dispatcher", "Plan", "PlannedMessage", "Report", "Result")


def __getattr__(name: str) -> Any:
    """Load what is asked for, once: most commands need little of it (benchmarks/startup.py)."""
    value = globals()[name] = _loaded(name)
    return value


def _loaded(name: str) -> Any:
    """Return a public name. Raises AttributeError.

    The Python API is loaded apart, as plugins do not need it, and it would load them half made.
    """
    if name == "__version__":
        from importlib.metadata import version

        return version("message-dispatcher")
    if name in _OF_THE_API:
        return getattr(import_module("dispatcher.api"), name)
    if name != "__all__" and (name.startswith("__") or find_spec(f"{__name__}.{name}")):
        raise AttributeError(name)  # a module, which the import itself finds then
    public = import_module("dispatcher.public")
    if name == "__all__":
        names = [*public.__all__, *_OF_THE_API, "__version__"]
        return sorted(names, key=lambda name: (not name.isupper(), name))  # constants first
    if name not in public.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(public, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
