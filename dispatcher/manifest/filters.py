"""The filters of templates: those of Jinja2 that are allowed, and our own, `number` and `date`.

Lists have money, counts and days as machines or spreadsheets write them: 1234.5, 1,234.50,
2026-12-01, 01.12.2026. What is ambiguous (1,234 or 01/12/2026) is refused. The format is given by
an example (`number("1 234,50")`) or by strftime's codes (`date("%d.%m.%Y")`). The locale of the
machine never counts: a plan is the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, localcontext
from math import isfinite
from typing import Any, Final

from jinja2 import Environment, Undefined
from jinja2.filters import do_round, do_sum, make_attrgetter
from jinja2.utils import pass_environment

from dispatcher.manifest.limits import NOT_FINITE, RenderError, check_length
from dispatcher.visible import quoted

# What a template may use from Jinja2, and our own.
FILTERS = frozenset(
    "abs capitalize count d date default dictsort e escape first float groupby int items join last "
    "length list lower map max min number reject rejectattr replace reverse round select "
    "selectattr sort string sum title trim truncate unique upper urlencode wordcount".split()
)
_SCALARS = (str, int, float, date, time)
_NO_BREAK_SPACE = "\u00a0"
_DIGITS = 30  # of a number; people write no longer ones

_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")
# Groups of thousands that cannot be decimals: two of them, or one with decimals after it.
_GROUPED = re.compile(
    r"(?P<whole>[+-]?[1-9][0-9]{0,2}(?P<group>[.,'’])[0-9]{3}(?:(?P=group)[0-9]{3})*)"
    r"(?P<rest>(?!(?P=group))[.,][0-9]+)?"
)
_DAY_FIRST = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?:$| ([0-9]{1,2})(?=:))")
_GROUPED_OR_NOT = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_EXAMPLE = re.compile(
    r"1(?P<group>[ \u00a0\u202f.,'’]?)234(?:(?P<mark>[.,])(?P<decimals>[0-9]{1,20}))?"
)
_CODE = re.compile(r"%(-?.)", re.DOTALL)
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}
_DAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "ru": "понедельник вторник среда четверг пятница суббота воскресенье",
}


def number(value: Any, example: str | None = None) -> str:
    """Format a number as the example writes 1234 or 1234.5: "1 234,50", "1,234.5", "1234".

    Without an example, thousands are separated by a space, and all decimals are kept. The space is
    a non-breaking one. Halves are rounded up. The value may be a text that is a number.
    """
    exact = _decimal(value)
    if example is None:
        group, mark, decimals = " ", ".", None
    else:
        shape = _EXAMPLE.fullmatch(str(example))
        if shape is None or shape["group"] == shape["mark"]:
            raise RenderError('number takes an example like "1 234,50" or "1,234.5"')
        group, mark = shape["group"], shape["mark"] or ""
        decimals = len(shape["decimals"] or "")
    if decimals is not None:
        with localcontext(prec=3 * _DIGITS):  # all its digits, and the decimals
            exact = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    whole, _, rest = f"{exact.copy_abs():,f}".partition(".")
    sign = "-" if exact < 0 else ""
    separator = _NO_BREAK_SPACE if group == " " else group
    return sign + whole.replace(",", separator) + (mark + rest if rest else "")


def written_date(value: Any, pattern: str = "%d.%m.%Y", language: str = "en") -> str:
    """Format a day or a time with strftime's codes %d %m %Y %y %H %M %S %B %A, and %-d %-m.

    The value may be a text like 2026-12-01, 2026-12-01T09:00 or 01.12.2026. `language` is that of
    the names of months (%B) and days (%A), "en" or "ru".
    """
    moment = _moment(value)
    if language not in _MONTHS:
        raise RenderError(f'date knows the languages "en" and "ru", not {quoted(str(language))}')

    def written(code: re.Match[str]) -> str:
        make = _CODES.get(code[1])
        if make is None:
            known = " ".join(f"%{each}" for each in _CODES)
            raise RenderError(f"date has no {quoted(code[0])}; it has {known}")
        if code[1] in "HMS" and not isinstance(moment, datetime):
            raise RenderError(f"{moment} has no time of day for {code[0]}")
        return make(moment, language)

    return _CODE.sub(written, str(pattern))


_CODES: Final[dict[str, Callable[[Any, str], str]]] = {
    "d": lambda day, _: f"{day.day:02}",
    "-d": lambda day, _: f"{day.day}",
    "m": lambda day, _: f"{day.month:02}",
    "-m": lambda day, _: f"{day.month}",
    "Y": lambda day, _: f"{day.year:04}",
    "y": lambda day, _: f"{day.year % 100:02}",
    "H": lambda day, _: f"{day.hour:02}",
    "M": lambda day, _: f"{day.minute:02}",
    "S": lambda day, _: f"{day.second:02}",
    "B": lambda day, language: _MONTHS[language].split()[day.month - 1],
    "A": lambda day, language: _DAYS[language].split()[day.weekday()],
    "%": lambda *_: "%",
}


def _decimal(value: Any) -> Decimal:
    if isinstance(value, str):
        bare = re.sub(r"(?<=[0-9])[ \u00a0\u202f](?=[0-9]{3}(?![0-9]))", "", value.strip())
        if _GROUPED_OR_NOT.fullmatch(bare):
            raise RenderError(f"{quoted(value)} may have thousands or decimals; write 1234.5")
        if grouped := _GROUPED.fullmatch(bare):
            bare = re.sub("[.,'’]", "", grouped["whole"]) + (grouped["rest"] or "")
        if not _NUMBER.fullmatch(bare):
            raise _unfit(value, "number like 1234.5")
        exact = Decimal(bare.replace(",", "."))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        exact = Decimal(repr(value))
    else:
        str(value)  # raises, if it is not defined at all
        raise RenderError("number is for numbers, and for texts that are one")
    if not exact.is_finite():
        raise RenderError(NOT_FINITE)
    if len(exact.as_tuple().digits) > _DIGITS or abs(exact.adjusted()) > _DIGITS:
        raise RenderError("a number is too large")
    return exact


def _moment(value: Any) -> date:
    if isinstance(value, date):  # a time, too
        return value
    if isinstance(value, str):
        iso = _DAY_FIRST.sub(_year_first, value.strip())
        for kind in (date, datetime):
            try:
                return kind.fromisoformat(iso)
            except ValueError:
                continue
        raise _unfit(value, "date like 2026-12-01 or 01.12.2026")
    str(value)  # raises, if it is not defined at all
    what = "a time of day is no date" if isinstance(value, time) else "date is for dates"
    raise RenderError(f"{what}, like 2026-12-01")


def _year_first(found: re.Match[str]) -> str:
    day, month, year, hour = found.groups()
    return f"{year}-{month:0>2}-{day:0>2}" + (f" {hour:0>2}" if hour else "")


def _unfit(value: str, kind: str) -> RenderError:
    if value.strip():
        return RenderError(f"{quoted(value)} is no {kind}")
    return RenderError(f"an empty value is no {kind}; write {{% if … %}} around it")


def printable_value(value: Any) -> Any:
    """Return the value if `{{ … }}` may print it: a list or a null in a text is a mistake."""
    if isinstance(value, float) and not isfinite(value):
        raise RenderError(NOT_FINITE)
    if isinstance(value, (*_SCALARS, Undefined)):
        return value
    if value is None:
        raise RenderError("an empty value (none); use |default('…', true)")
    raise RenderError("a list or table is no text; use |join(', ')")


@pass_environment
def _join(
    environment: Environment, values: Iterable[Any], separator: str = "", attribute: Any = None
) -> str:
    if attribute is not None:
        values = map(make_attrgetter(environment, attribute), values)
    texts = [str(printable_value(value)) for value in values]
    separator = str(separator)
    check_length(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _replace(text: Any, old: Any, new: Any, count: int = -1) -> str:
    whole, before, after = str(text), str(old), str(new)
    times = whole.count(before) if count < 0 else min(count, whole.count(before))
    check_length(len(whole) + times * (len(after) - len(before)))
    return whole.replace(before, after, count)


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if abs(precision) > 20:
        raise RenderError("round works with at most 20 digits")
    return do_round(value, precision, method)


@pass_environment
def _sum(environment: Environment, values: Iterable[Any], attribute: Any = None) -> Any:
    return do_sum(environment, values, attribute)


OWN_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "date": written_date,
    "join": _join,
    "number": number,
    "replace": _replace,
    "round": _round,
    "sum": _sum,
}
