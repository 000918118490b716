"""Merges the file's defaults into a `[[messages]]` table, and checks the rules between its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dispatcher.manifest.kinds import Kind, Kinds, Shape
from dispatcher.models import Problem

Table = dict[str, Any]

# Only one may be set; a default gives way to either.
RECIPIENTS = ("to", "recipients")


class RuleProblem(Problem):
    """A rule between keys is broken; with `at_key`, the key is at fault, not its value.

    If it is `fatal`, there is no message that could be checked further.
    """

    at_key: bool = False
    fatal: bool = True


def merge_defaults(defaults: Table, entry: Table, kinds: Kinds, transport: str) -> Table:
    """Return the entry with the defaults that it does not replace, contents only of its kind.

    `transport` is for a message that names none.
    """
    if not defaults:
        return entry
    contents = content_types(entry, kinds) or content_types(defaults, kinds)
    transport = entry.get("transport") or defaults.get("transport") or transport
    of_transport = kinds.of(transport)
    may_preview = any(_has_link_preview(name, of_transport) for name in contents)
    applying = {
        key: value
        for key, value in defaults.items()
        if (key not in kinds.names or key in contents)
        and (key != "preview_url" or may_preview)
        and not (key in RECIPIENTS and any(name in entry for name in RECIPIENTS))
    }
    both = [key for key in applying if key in entry]
    tables = {
        key: merged_content(applying[key], entry[key], of_transport.get(key))
        for key in both
        if key in kinds.names
    }
    if "vars" in both:
        tables["vars"] = {**applying["vars"], **entry["vars"]}
    return {**applying, **entry, **tables}


def merged_content(below: Any, above: Any, kind: Kind | None) -> Any:
    """Return a content table with its defaults; of keys that exclude each other, its own count."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    replaced = {
        name
        for each in (kind.alternatives if kind is not None else ())
        if any(name in above for name in each.keys)
        for name in each.keys
    }
    return {**{name: below[name] for name in below if name not in replaced}, **above}


def content_types(table: Table, kinds: Kinds) -> list[str]:
    """Return the content tables that are set: exactly one in a good message."""
    return [name for name in kinds.names if name in table]


def check(table: Table, kinds: Kinds, transport: str) -> Iterator[RuleProblem]:
    """Yield the broken rules of a merged table that the schema cannot express.

    `transport` is for a message that names none.
    """
    transport = table.get("transport", transport)
    of_transport = kinds.of(transport)
    contents = content_types(table, kinds)
    yield from _check_contents(table, contents, kinds, of_transport)
    yield from _check_recipients(table)
    yield from _check_recipients_file(table)
    for content in contents:
        if kind := of_transport.get(content):
            yield from _check_alternatives(kind.shape, table[content], content)
        else:
            sentence = kinds.lacking(content, transport)
            yield RuleProblem(message=sentence, where=content, at_key=True)


def _check_contents(
    table: Table, contents: list[str], kinds: Kinds, of_transport: Mapping[str, Kind]
) -> Iterator[RuleProblem]:
    if not contents:
        yield _without_content(table, kinds, of_transport)
    for extra in contents[1:]:
        sentence = f"has both {contents[0]} and {extra}; only one is possible"
        yield RuleProblem(message=sentence, where=extra, at_key=True)
    if len(contents) == 1 and table.get("type", contents[0]) != contents[0]:
        sentence = f'type is "{table["type"]}", but its content is {contents[0]}'
        yield RuleProblem(message=sentence, where="type", fatal=False)
    if "preview_url" in table and contents and not _has_link_preview(contents[0], of_transport):
        allowed = [name for name in of_transport if _has_link_preview(name, of_transport)]
        sentence = f"preview_url is allowed on {' and '.join(allowed) or 'nothing here'} only"
        yield RuleProblem(message=sentence, where="preview_url", at_key=True, fatal=False)


def _without_content(table: Table, kinds: Kinds, of_transport: Mapping[str, Kind]) -> RuleProblem:
    variables = table.get("vars", {})
    for name in kinds.names:
        if isinstance(variables.get(name), dict):
            return _in_vars(name)
    examples = [f"{kind.name}.{kind.main_key}" for kind in of_transport.values()]
    more = ", …" if len(examples) > 2 else ""
    return RuleProblem(message=f"has no content; add {', '.join(examples[:2])}{more}")


def _has_link_preview(name: str, of_transport: Mapping[str, Kind]) -> bool:
    return name in of_transport and of_transport[name].model.link_preview


def _in_vars(key: str) -> RuleProblem:
    """Explain a key that became a variable, as it follows the header [messages.vars]."""
    sentence = f"{key} is in vars here; put it above that table"
    return RuleProblem(message=sentence, where=f"vars.{key}", at_key=True)


def _check_recipients(table: Table) -> Iterator[RuleProblem]:
    given = [name for name in RECIPIENTS if name in table]
    if not given:
        taken = [name for name in RECIPIENTS if name in table.get("vars", {})]
        missing = RuleProblem(message='"to" is missing (or recipients = "people.csv")')
        yield _in_vars(taken[0]) if taken else missing
    if len(given) == 2:
        sentence = "has both to and recipients; use one of them"
        yield RuleProblem(message=sentence, where="recipients", at_key=True)


def recipients_file(table: Table) -> Table:
    """Return what the table says of its recipients' file, `{ file = …, country = … }`, or `{}`."""
    given = table.get("recipients", {})
    return {"file": given} if isinstance(given, str) else given


def _check_recipients_file(table: Table) -> Iterator[RuleProblem]:
    """Check how recipients are read; the schema checks that each value is of the right type."""
    file = recipients_file(table)
    countries = {"country": table.get("country"), "recipients.country": file.get("country")}
    for where, country in countries.items():
        if country is not None:
            from dispatcher.addresses import why_no_country  # most manifests name none

            if sentence := why_no_country(country):
                yield RuleProblem(message=sentence, where=where)
    if "encoding" in file or "delimiter" in file:
        from dispatcher.manifest.recipients import why_no_delimiter, why_no_encoding

        if sentence := why_no_encoding(file.get("encoding", "utf-8")):
            yield RuleProblem(message=sentence, where="recipients.encoding")
        if sentence := why_no_delimiter(file.get("delimiter", ",")):
            yield RuleProblem(message=sentence, where="recipients.delimiter")


def _check_alternatives(shape: Shape, table: Table, where: str) -> Iterator[RuleProblem]:
    """Check which of the keys are given that exclude each other, in tables within, too."""
    if not isinstance(table, dict):  # a list, of which no part has such keys
        return
    for keys, needed in shape.alternatives:
        given = [name for name in keys if name in table]
        if needed and not given:
            sentence = f"{where} needs one of {', '.join(keys)}"
            yield RuleProblem(message=sentence, where=where, at_key=True)
        for extra in given[1:]:
            sentence = f"{where} has both {given[0]} and {extra}; use one of them"
            yield RuleProblem(message=sentence, where=f"{where}.{extra}", at_key=True)
    for key, within in shape.tables.items():
        value = table.get(key)
        for number, each in enumerate(value if isinstance(value, list) else [value]):
            path = f"{where}.{key}.{number}" if isinstance(value, list) else f"{where}.{key}"
            if isinstance(each, dict):
                yield from _check_alternatives(within, each, path)
