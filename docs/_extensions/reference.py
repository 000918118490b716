"""The reference, written from the code: a page says `{reference} commands`, and has them all."""

import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click
from docutils import nodes
from pydantic import BaseModel, TypeAdapter
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from dispatcher import errors, hookspecs
from dispatcher.builtin.greenapi.transport import GreenApi
from dispatcher.cli.app import app as command_line
from dispatcher.cli.events import EVENTS
from dispatcher.config.schema import ConfigurationFile
from dispatcher.manifest.schema import ManifestTable
from dispatcher.registry.conformance import HOOKS

Table = dict[str, Any]  # an object of a JSON Schema
_TOP = "At the top of the file"


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("reference", Reference)
    return {"parallel_read_safe": True}


class Reference(SphinxDirective):
    """What the code says of one subject, as a part of the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        for module in (errors, hookspecs):
            self.env.note_dependency(inspect.getfile(module))
        text = "\n".join(SUBJECTS[self.arguments[0]]())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


# --- Keys of TOML files -----------------------------------------------------------------------


def manifest_keys() -> Iterator[str]:
    yield from _tables(ManifestTable)


def configuration_keys() -> Iterator[str]:
    yield from _tables(ConfigurationFile)
    settings = GreenApi.Settings
    schema = settings.model_json_schema()
    prefix = settings.model_config["env_prefix"]
    variables = {key: f"{prefix}{key.upper()}" for key in schema["properties"]}
    yield f"## `[transports.{GreenApi.name}]`\n"
    yield "Each of these is also a variable of the environment, the only good place for a token.\n"
    yield from _keys(schema, {}, variables)


def _tables(model: type[BaseModel]) -> Iterator[str]:
    """Yield a section for each table that a file may hold, the outer ones first."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    described: dict[str, Table] = {}  # by the heading of its section
    todo: list[tuple[str, Table]] = [(_TOP, schema)]
    headings: dict[str, str] = {}  # of each definition's section
    while todo:
        heading, table = todo.pop(0)
        yield f"## {heading}\n"
        yield f"{_sentences(table.get('description', ''))}\n"
        inner = list(_inner(heading, table, definitions))
        # [[messages]] before [defaults], as these are some of its keys.
        for place, name in sorted(inner, key=lambda each: not each[0].startswith("`[[")):
            if name not in headings:
                headings[name] = place
                todo.append((place, definitions[name]))
        if larger := next((each for each in described if _holds(described[each], table)), None):
            lacking = set(described[larger]["properties"]) - set(table["properties"])
            but = ", ".join(f"`{key}`" for key in described[larger]["properties"] if key in lacking)
            place = "the file" if larger == _TOP else larger
            yield f"The keys of {place}, without {but}.\n"
        else:
            see = {key: headings[name] for key, name in _tables_below(table, definitions)}
            yield from _keys(table, definitions, see)
        described[heading] = table


def _holds(larger: Table, table: Table) -> bool:
    """Whether a table has all keys of another one, with the same meaning, and more."""
    keys, more = table["properties"], larger["properties"]
    return (
        len(keys) > 1
        and len(keys) < len(more)
        and all(more.get(key) == field for key, field in keys.items())
    )


def _tables_below(table: Table, definitions: Table) -> Iterator[tuple[str, str]]:
    """Yield the keys whose values are tables, and the names of what defines these."""
    for key, field in table["properties"].items():
        for name in dict.fromkeys(_references(field)):
            if "properties" in definitions[name]:
                yield key, name


def _inner(heading: str, table: Table, definitions: Table) -> Iterator[tuple[str, str]]:
    """Yield the headings of the tables in a table, and the names of what defines them."""
    outer = f"{heading.strip('`[]')}." if heading.startswith("`") else ""
    for key, name in _tables_below(table, definitions):
        field = table["properties"][key]
        path = f"{outer}{key}{'.NAME' if _is_map(field) else ''}"
        yield (f"`[[{path}]]`" if field.get("type") == "array" else f"`[{path}]`"), name


def _is_map(field: Table) -> bool:
    return isinstance(field.get("additionalProperties"), dict)


def _references(field: object) -> Iterator[str]:
    """Yield the names of the definitions that a field refers to."""
    if isinstance(field, dict):
        for key, value in field.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
    elif isinstance(field, list):
        for value in field:
            yield from _references(value)


def _keys(table: Table, definitions: Table, see: Mapping[str, str]) -> Iterator[str]:
    """Yield the rows of a table of keys; `see` is what else is to be said of some of them."""
    yield "| key | is | without it | what it says |\n|---|---|---|---|"
    for key, field in table["properties"].items():
        said = [_sentences(field.get("description", ""))]
        if (example := next(iter(field.get("examples", ())), None)) is not None:
            said.append(f"Example: `{key} = {_cell(_as_toml(example))}`")
        if key in see:
            said.append(f"See {see[key]}")
        default = "an error" if key in table.get("required", ()) else _default(field)
        kind, text = _kind(field, definitions), "<br>".join(filter(None, said))
        yield f"| `{key}` | {kind} | {default} | {text} |"
    yield ""


def _default(field: Table) -> str:
    value = field.get("default")
    return "" if value in (None, {}) else f"`{_as_toml(value)}`"


def _as_toml(value: object) -> str:
    match value:
        case dict():
            return f"{{ {', '.join(f'{key} = {_as_toml(each)}' for key, each in value.items())} }}"
        case list():
            return f"[{', '.join(map(_as_toml, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _kind(field: Table, definitions: Table) -> str:
    """Return what a value is, in words."""
    match field:
        case {"$ref": reference}:
            return _kind(definitions[reference.rpartition("/")[2]], definitions)
        case {"const": only}:
            return f"`{_as_toml(only)}`"
        case {"enum": values}:
            return ", ".join(f"`{_as_toml(each)}`" for each in values)
        case {"anyOf": several} | {"oneOf": several}:
            kinds = [_kind(each, definitions) for each in several]
            return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
        case {"type": "array"}:
            return f"list: {_kind(field.get('items', {}), definitions)}"
        case {"type": "object"}:
            return "tables with names" if _is_map(field) else "table"
        case {"type": "integer"}:
            low, high = field.get("minimum"), field.get("maximum")
            limits = f" of {low} to {high}" if high else f" of at least {low}" if low else ""
            return f"whole number{limits}"
        case {"type": "null"}:
            return ""
        case {"type": kind}:
            return {"string": "text", "number": "number", "boolean": "true or false"}[kind]
        case _:
            return "anything"


# --- Commands ---------------------------------------------------------------------------------


def commands() -> Iterator[str]:
    """Yield a section for each command: how it is written, what it does, its options."""
    context = click.Context(command_line, info_name="dispatcher")
    context.params["no_plugins"] = True  # whatever is installed where the site is made
    common = {each.name for each in command_line.params}
    yield "## Options of every command\n"
    yield "They stand before the command or after it.\n"
    yield from _options(command_line, context, set())
    for name in command_line.list_commands(context):
        if command := command_line.get_command(context, name):
            yield from _command(command, context, common)


def _command(command: click.Command, parent: click.Context, common: set[Any]) -> Iterator[str]:
    context = click.Context(command, info_name=command.name, parent=parent)
    yield f"## {context.command_path}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
    yield from _help(command.help or "")
    yield from _options(command, context, common)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if inner := command.get_command(context, name):
                yield from _command(inner, context, common)


def _help(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; what click does not wrap stands as it is written."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield f"```text\n{paragraph[2:]}\n```\n"
        else:
            yield f"{_escaped(paragraph)}\n"


def _options(command: click.Command, context: click.Context, without: set[Any]) -> Iterator[str]:
    for each in command.get_params(context):
        if isinstance(each, click.Option) and each.name not in without:
            record = each.get_help_record(context)
            if record is not None and "--help" not in each.opts:
                names, text = record
                yield f"`{names}`\n: {_escaped(text)}\n"


def _escaped(text: str) -> str:
    """Return a text of the code, in which only backticks are markup."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([\[\]*_<>#])", r"\\\1", part) for part in parts
    )


# --- Objects of --json -------------------------------------------------------------------------


def json_events() -> Iterator[str]:
    """Yield a section for each command, with the objects that it prints."""
    inner: dict[str, Table] = {}  # tables that are fields of others
    for command, named in EVENTS.items():
        yield f"## dispatcher {command}\n"
        for event, fields in named.items():
            schema = TypeAdapter(fields).json_schema()
            definitions = schema.get("$defs", {})
            inner |= definitions
            yield f"### {command}: `{event}`\n\n{_sentences(schema.get('description', ''))}\n"
            yield from _fields(schema, definitions)
    yield "## Objects in fields\n"
    for name, table in sorted(inner.items()):
        if "properties" in table:
            yield f"### {name}\n\n{_sentences(table.get('description', ''))}\n"
            yield from _fields(table, inner)


def _fields(table: Table, definitions: Table) -> Iterator[str]:
    yield "| field | is | what it says |\n|---|---|---|"
    for key, field in table["properties"].items():
        optional = "" if key in table.get("required", ()) else "may be missing: "
        see = " or ".join(
            f"an object [{name}](#{name.lower()})"
            for name in dict.fromkeys(_references(field))
            if "properties" in definitions[name]
        )
        kind = _kind(field, definitions).replace("table", see or "object")
        null = " or null" if {"type": "null"} in field.get("anyOf", ()) else ""
        text = _sentences(field.get("description", ""))
        yield f"| `{key}` | {optional}{kind}{null} | {text} |"
    yield ""


# --- Exit codes, hooks --------------------------------------------------------------------------


def exit_codes() -> Iterator[str]:
    yield "| code | name | means |\n|---|---|---|"
    for code in errors.ExitCode:
        yield f"| {int(code)} | `{code.name}` | {code.meaning} |"
    yield ""


def exceptions() -> Iterator[str]:
    """Yield the errors of the package, each with the exit code of a command that it ends."""
    yield "| error | is a | exit code | |\n|---|---|---|---|"
    for error in _descendants(errors.DispatcherError):
        if not issubclass(error, errors.DeliveryError | errors.SourceError | errors.AddressError):
            first = _sentences(inspect.getdoc(error) or "").partition(". ")[0].rstrip(".")
            parent = error.__bases__[0].__name__
            yield f"| `{error.__name__}` | `{parent}` | {int(error.exit_code)} | {first} |"
    yield ""


def _descendants(error: type[errors.DispatcherError]) -> Iterator[type[errors.DispatcherError]]:
    for each in error.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from _descendants(each)


def hooks() -> Iterator[str]:
    for name in HOOKS:
        spec = getattr(hookspecs, name)
        signature = f"{name}{inspect.signature(spec)}".replace("'", "")
        text, mark, example = (inspect.getdoc(spec) or "").partition("@hookimpl")
        yield f"## {name}\n\n```python\n{signature}\n```\n\n{_escaped(text.rstrip())}\n"
        indent = text[len(text.rstrip()) :].rpartition("\n")[2]
        yield f"```python\n{textwrap.dedent(indent + mark + example)}\n```\n"


def _sentences(text: str) -> str:
    """Return a docstring on one line, as a cell of a table."""
    return _cell(_escaped(" ".join(inspect.cleandoc(text).split())))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


SUBJECTS: dict[str, Callable[[], Iterator[str]]] = {
    "manifest": manifest_keys,
    "configuration": configuration_keys,
    "commands": commands,
    "exit-codes": exit_codes,
    "exceptions": exceptions,
    "hooks": hooks,
    "events": json_events,
}
