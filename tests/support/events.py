"""What commands print with --json is what dispatcher/cli/events.py, and so the reference, says."""

from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from dispatcher.cli import events


@cache
def _documented(event: str) -> list[TypeAdapter[Any]]:
    """What the events of a name may hold; several commands may print one."""
    for each in vars(events).values():
        if hasattr(each, "__required_keys__"):  # a TypedDict: nothing else may be there
            each.__pydantic_config__ = ConfigDict(extra="forbid")
    return [TypeAdapter(named[event]) for named in events.EVENTS.values() if event in named]


def why_undocumented(line: dict[str, Any]) -> str | None:
    """Why an object that a command printed is not what the reference says, or None if it is."""
    fields = {key: value for key, value in line.items() if key != "event"}
    why: str | None = f"no event is called {line['event']}"
    for adapter in _documented(line["event"]):
        try:
            adapter.validate_python(fields)
        except ValidationError as error:
            why = str(error)
        else:
            return None
    return why
