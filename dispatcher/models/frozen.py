"""Tables and lists that cannot be changed, but are read as any dict and list."""

from __future__ import annotations

from typing import Any, NoReturn

_WHY = "it is a message's, and not to be changed; make a copy: dict(…), list(…)"


def frozen(value: Any) -> Any:
    """Return a value of a manifest or a row, with its tables and lists frozen, at any depth.

    Tables may be nested deeper than a function can call itself.
    """
    made = _empty(value)
    rest = [(value, made)]
    while rest:
        given, copy = rest.pop()
        if isinstance(copy, FrozenDict):
            for key, item in given.items():
                dict.__setitem__(copy, key, each := _empty(item))
                rest.append((item, each))
        elif isinstance(copy, FrozenList):
            for item in given:
                list.append(copy, each := _empty(item))
                rest.append((item, each))
    return made


def _empty(value: Any) -> Any:
    """Return an empty copy of a table or list; any other value as it is."""
    if isinstance(value, dict):
        return FrozenDict()
    return FrozenList() if isinstance(value, list) else value


def _refuse(self: object, *_: object, **__: object) -> NoReturn:
    raise TypeError(_WHY)


class FrozenDict(dict[Any, Any]):
    """A dict whose methods that change it raise TypeError."""

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


class FrozenList(list[Any]):
    """A list whose methods that change it raise TypeError."""

    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self),)
