"""Makes messages from a message table: one for each recipient, its templates filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from dispatcher import keys
from dispatcher.errors import AddressError, ManifestError, PluginError, SourceError
from dispatcher.localfiles import MAX_TEXT, read_text
from dispatcher.manifest import message_table
from dispatcher.manifest.definitions import Definition, LoadedMessage, Manifest
from dispatcher.manifest.first_rows import FirstRows
from dispatcher.manifest.former_names import MessageName
from dispatcher.manifest.kinds import Shape
from dispatcher.manifest.templates import RenderError, not_filled_in
from dispatcher.models import (
    Address,
    LocatedProblem,
    Message,
    Problem,
    ReportProblem,
    located,
)
from dispatcher.visible import quoted

# From a transport's name, a recipient as written, and the country, returns the transport's address.
# Raises AddressError.
ReadAddress = Callable[[str, str, str | None], Address]
Table = dict[str, Any]


class Recipient(NamedTuple):
    """A recipient as written, the variables of its row, and where it is written."""

    to: str
    vars: Table
    definition: Definition


def expand(
    manifest: Manifest,
    table: Table,
    definition: Definition,
    report: ReportProblem,
    bad_keys: frozenset[str],
    read_address: ReadAddress,
    former: Sequence[MessageName] = (),
) -> Iterator[LoadedMessage]:
    """Yield the messages of one table, which includes the defaults; problems go to `report`.

    `bad_keys` are keys of the table with a reported problem, `former` names that it had before.
    """
    builder = _Builder(manifest, table, definition, report, read_address)
    former_keys = [builder.key_of(name) for name in former]
    first_only = message_table.recipients_file(table).get("duplicates") == "first"
    rows = FirstRows()
    for recipient in _recipients(manifest, table, builder.definition, report):
        message, found = builder.build(recipient)
        if message is None:
            continue
        first_row = rows.first(message.to, recipient.definition.row)
        if first_row is not None and "to" not in found:
            if first_only:
                continue
            report(_twice(message.to, recipient.definition, first_row))
        keys = tuple(key + message.to for key in former_keys)
        yield LoadedMessage(message, recipient.definition, bad_keys | found, keys)


def _twice(to: str, again: Definition, first_row: int) -> LocatedProblem:
    sentence = f"{to} is a recipient twice; remove one"
    if again.row_path is not None:
        twice = f"{to} is a recipient twice, first in line {first_row}"
        sentence = f'{twice}; remove one, or write duplicates = "first"'
    return again.locate(Problem(message=sentence, where="to"))


def _recipients(
    manifest: Manifest, table: Table, definition: Definition, report: ReportProblem
) -> Iterator[Recipient]:
    if "to" in table:
        yield from _listed(table["to"], definition)
        return
    form = message_table.recipients_file(table)
    where = "recipients" if isinstance(table["recipients"], str) else "recipients.file"
    try:
        yield from _rows(manifest, manifest.find(form["file"]), form, definition, report)
    except SourceError as error:
        report(definition.locate(Problem(message=str(error), where=where)))
    except ManifestError as error:
        for problem in error.problems:
            report(problem)


def _listed(to: str | list[str], definition: Definition) -> Iterator[Recipient]:
    if isinstance(to, str):
        yield Recipient(to, {}, definition)
        return
    for item, each in enumerate(to):
        yield Recipient(each, {}, definition._replace(item=item))


def _rows(
    manifest: Manifest, path: Path, form: Table, definition: Definition, report: ReportProblem
) -> Iterator[Recipient]:
    from dispatcher.manifest.recipients import ListFormat, read_rows  # most have none
    from dispatcher.manifest.rows import Row

    said = ListFormat(**{name: form[name] for name in ListFormat._fields if name in form})
    empty = True
    for row in read_rows(path, said, manifest.inputs):
        empty = False
        if isinstance(row, Row):
            at_row = definition._replace(row_path=path, row=row.line)
            yield Recipient(row.to, row.vars, at_row)
        else:
            report(row)
    if empty:
        nobody = Problem(message="the file names no recipients", severity="warning")
        report(located(path, nobody, message_id=definition.id))


class _Builder:
    """Builds the messages of one validated table; `definition` includes the file of its text."""

    def __init__(
        self,
        manifest: Manifest,
        table: Table,
        definition: Definition,
        report: ReportProblem,
        read_address: ReadAddress,
    ) -> None:
        self.definition = definition
        self._table, self._report = table, report
        self._read_address, self._country = read_address, _country(manifest, table)
        self._vars = _merged(manifest.vars, table.get("vars"))
        self._renderer = manifest.renderer
        self._row: Table = {}
        self._type = message_table.content_types(table, manifest.options.kinds)[0]
        self._bad_keys: set[str] = set()
        transport = table.get("transport", manifest.transport)
        self._kind = manifest.options.kinds.of(transport)[self._type]
        self._content_table = self._with_text(manifest, table[self._type])
        self._shape = self._kind.shape_of(self._content_table)
        self._same: Table = {
            "manifest": manifest.name,
            "id": table["id"],
            "type": self._type,
            "preview_url": table.get("preview_url"),
            "transport": transport,
        }
        self._is_first = True  # of its recipients
        self._run, self._revision = manifest.run, table.get("revision", 1)
        self._key = self.key_of(MessageName(manifest.name, table["id"]))

    def key_of(self, name: MessageName) -> str:
        """Return the key of a message of this name, up to the recipient."""
        return keys.beginning(self._run, *name, self._revision)

    def build(self, recipient: Recipient) -> tuple[Message | None, set[str]]:
        """Return the message to one recipient, and the keys with a reported problem.

        There is no message if its content does not fit the model, once it is filled in. Raises
        PluginError, with the message's place.
        """
        self._bad_keys = set()
        variables = shown = _merged(self._vars, recipient.vars)
        to = recipient.to
        if recipient.definition.row_path is None:
            to = self._text(to, variables, recipient.definition, "to")
        else:  # a row is data, not a template; its columns may have names that are no variables
            self._row = recipient.vars
            shown = {"row": recipient.vars, **variables}
        address, kind = self._address(to, recipient.definition)
        filled = self._value(
            self._content_table, shown, recipient.definition, self._type, self._shape
        )
        self._is_first = False
        try:
            content = self._kind.content(filled)
        except ValidationError as invalid:
            for where, sentence in self._kind.filled_errors(filled, invalid):
                if where not in self._bad_keys:
                    problem = Problem(message=sentence, where=where)
                    self._report(recipient.definition.locate(problem))
            return None, self._bad_keys
        except PluginError as error:
            raise recipient.definition.located_error(error) from error
        values = {
            **self._same,
            "key": self._key + address,
            "to": address,
            "recipient_type": kind,
            "content": content,
            "vars": variables,
        }
        return Message(**values), self._bad_keys

    def _with_text(self, manifest: Manifest, content: Table) -> Table:
        """Return the content with the text of its `file`, if it has one."""
        key = self._kind.model.text_file
        if key is None or "file" not in content:
            return content
        rest = {name: value for name, value in content.items() if name != "file"}
        try:
            path = manifest.find(content["file"])
            self.definition = self.definition._replace(
                text_path=path, text_key=f"{self._type}.{key}"
            )
            # As in TOML, all line endings become the same.
            text = read_text(path, "the text", manifest.inputs, most=MAX_TEXT)
            return {**rest, key: text.replace("\r\n", "\n")}
        except SourceError as error:
            where = f"{self._type}.file"
            self._report(self.definition.locate(Problem(message=str(error), where=where)))
        except ManifestError as error:
            for problem in error.problems:
                self._report(problem)
        return {**rest, key: "(unreadable)"}

    def _filled(
        self,
        table: Table,
        variables: Table,
        definition: Definition,
        where: str,
        shape: Shape | None,
    ) -> Table:
        """Return a table of this shape with its templates filled in."""
        filled = table.copy()
        for key, value in table.items():
            if shape is None or key not in shape.verbatim:
                within = shape and shape.tables.get(key)
                filled[key] = self._value(value, variables, definition, f"{where}.{key}", within)
        return filled

    def _value(
        self,
        value: Any,
        variables: Table,
        definition: Definition,
        where: str,
        shape: Shape | None,
    ) -> Any:
        if isinstance(value, str):
            if self._is_first:
                self._warn_of_other_syntax(value, variables, where)
            return self._text(value, variables, definition, where)
        if isinstance(value, dict):
            return self._filled(value, variables, definition, where, shape)
        if isinstance(value, list):
            return [
                self._value(each, variables, definition, f"{where}.{number}", shape)
                for number, each in enumerate(value)
            ]
        return value

    def _text(self, text: str, variables: Table, definition: Definition, where: str) -> str:
        try:
            rendered = self._renderer.render(text, variables)
        except RenderError as error:
            problem = Problem(message=str(error), where=where, line=error.line)
            self._report(definition.locate(problem))
            self._bad_keys.add(where)
            return text
        if self._renderer.blanks and rendered.strip():  # else an error, reported elsewhere
            for name in dict.fromkeys(self._renderer.blanks):
                self._warn_of_blank(name, definition, where)
        return rendered

    def _warn_of_other_syntax(self, text: str, variables: Table, where: str) -> None:
        """Warn of the name of a variable that stays as it is: `{name}`, not `{{ name }}`."""
        if written := not_filled_in(text, variables):
            name = written.strip("{}%$ ")
            sentence = f"{quoted(written)} stays as it is; write {{{{ {name} }}}}"
            problem = Problem(message=sentence, where=where, severity="warning")
            self._report(self.definition.locate(problem))

    def _warn_of_blank(self, name: str, definition: Definition, where: str) -> None:
        """Warn of an empty cell that a template shows: it leaves a hole in the text."""
        if name in self._row:
            empty = f"{quoted(name)} is empty"
            self._report(definition.locate(Problem(message=empty, where=where, severity="warning")))

    def _address(self, to: str, definition: Definition) -> Address:
        """Return the transport's address of a recipient, or, if refused, the text as written."""
        if "to" in self._bad_keys:
            return Address(to, "individual")
        try:
            address = self._read_address(self._same["transport"], to, self._country)
        except AddressError as error:
            self._report(definition.locate(Problem(message=str(error), where="to")))
            self._bad_keys.add("to")
            return Address(to, "individual")
        except PluginError as error:
            raise definition.located_error(error) from error
        kind = address.recipient_type
        given = self._table.get("recipient_type", kind)
        if given != kind:
            sentence = f'recipient_type is "{given}", but "to" is of the type "{kind}"'
            self._report(definition.locate(Problem(message=sentence, where="recipient_type")))
        return address


def _merged(variables: Table, more: Table | None) -> Table:
    return {**variables, **more} if more else variables


def _country(manifest: Manifest, table: Table) -> str | None:
    """Return where numbers without a country code are dialled; the closest key counts."""
    file = message_table.recipients_file(table)
    return file.get("country") or table.get("country") or manifest.options.country
