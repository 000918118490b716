"""Merges the file's defaults into a `[[messages]]` table, and checks the rules between its keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dispatcher.models import CONTENT_TYPES, Problem

Table = dict[str, Any]

# In each group only one may be set; a default gives way to any of its group.
RECIPIENTS = ("to", "recipients")
ORIGINS = ("source", "link", "id")
BODIES = ("body", "file")


class RuleProblem(Problem):
    """A rule between keys is broken; with `at_key`, the key is at fault, not its value.

    If it is `fatal`, there is no message that could be checked further.
    """

    at_key: bool = False
    fatal: bool = True


def merge_defaults(defaults: Table, entry: Table) -> Table:
    """Return the entry with the defaults that it does not replace, contents only of its kind."""
    if not defaults:
        return entry
    contents = content_types(entry) or content_types(defaults)
    applying = {
        key: value
        for key, value in defaults.items()
        if (key not in CONTENT_TYPES or key in contents)
        and (key != "preview_url" or contents == ["text"])
        and not (key in RECIPIENTS and any(name in entry for name in RECIPIENTS))
    }
    tables = {key: _merged(applying[key], entry[key], key) for key in applying if key in entry}
    return {**applying, **entry, **tables}


def _merged(below: Any, above: Any, key: str) -> Any:
    """Return the value of a key that both tables have; contents and `vars` are merged."""
    if key != "vars" and key not in CONTENT_TYPES:
        return above
    group = {"vars": (), "text": BODIES}.get(key, ORIGINS)
    replaced = group if any(name in above for name in group) else ()
    return {**{name: below[name] for name in below if name not in replaced}, **above}


def content_types(table: Table) -> list[str]:
    """Return the content tables that are set: exactly one in a good message."""
    return [name for name in CONTENT_TYPES if name in table]


def check(table: Table) -> Iterator[RuleProblem]:
    """Yield the broken rules of a merged table that the schema cannot express."""
    contents = content_types(table)
    yield from _check_contents(table, contents)
    yield from _check_recipients(table)
    yield from _check_recipients_file(table)
    for content in contents:
        yield from _check_content(content, table[content])


def _check_contents(table: Table, contents: list[str]) -> Iterator[RuleProblem]:
    variables = table.get("vars", {})
    taken = [name for name in CONTENT_TYPES if isinstance(variables.get(name), dict)]
    if taken and not contents:
        yield _in_vars(taken[0])
    elif not contents:
        yield RuleProblem(message="has no content; add text.body, image.source, …")
    for extra in contents[1:]:
        sentence = f"has both {contents[0]} and {extra}; only one is possible"
        yield RuleProblem(message=sentence, where=extra, at_key=True)
    if len(contents) == 1 and table.get("type", contents[0]) != contents[0]:
        sentence = f'type is "{table["type"]}", but its content is {contents[0]}'
        yield RuleProblem(message=sentence, where="type", fatal=False)
    if "preview_url" in table and contents and contents[0] != "text":
        sentence = "preview_url is allowed on text only"
        yield RuleProblem(message=sentence, where="preview_url", at_key=True, fatal=False)


def _in_vars(key: str) -> RuleProblem:
    """Explain a key that became a variable, as it follows the header [messages.vars]."""
    sentence = f"{key} is in vars here; put it above that table"
    return RuleProblem(message=sentence, where=f"vars.{key}", at_key=True)


def _check_recipients(table: Table) -> Iterator[RuleProblem]:
    given = [name for name in RECIPIENTS if name in table]
    taken = [name for name in RECIPIENTS if name in table.get("vars", {})]
    if taken and not given:
        yield _in_vars(taken[0])
    elif not given:
        yield RuleProblem(message='"to" is missing (or recipients = "people.csv")')
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


def _check_content(content: str, table: Table) -> Iterator[RuleProblem]:
    group = BODIES if content == "text" else ORIGINS
    given = [name for name in group if name in table]
    if not given:
        sentence = f"{content} needs one of {', '.join(group)}"
        yield RuleProblem(message=sentence, where=content, at_key=True)
    for extra in given[1:]:
        sentence = f"{content} has both {given[0]} and {extra}; use one of them"
        yield RuleProblem(message=sentence, where=f"{content}.{extra}", at_key=True)
    if given == ["id"] and "provider" in table:
        sentence = "provider goes with a link, not with an id"
        yield RuleProblem(message=sentence, where=f"{content}.provider", at_key=True, fatal=False)
