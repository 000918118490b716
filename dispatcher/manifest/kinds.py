"""The kinds of content that manifests may have: those of the transports."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, create_model

from dispatcher import validation_errors
from dispatcher.manifest import schema
from dispatcher.manifest.templates import is_template
from dispatcher.models import STANDARD_CONTENTS, Content, Contents
from dispatcher.models.content import VERBATIM
from dispatcher.names import did_you_mean
from dispatcher.toml import KeyPath
from dispatcher.validation_errors import fields_by_key, known_keys, path_in, submodel
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

Table = dict[str, Any]
# Returns what a function of a transport's model returns. Raises PluginError, or ValidationError.
Call: TypeAlias = Callable[[Callable[[], Any]], Any]
CallOfTransport: TypeAlias = Callable[[str, Callable[[], Any]], Any]


def _directly(transport: str, function: Callable[[], Any]) -> Any:
    return function()


# No kind has one of these names: they are other keys of a message.
RESERVED = frozenset(schema.MessageTable.model_fields)
# What a person wrote is certainly wrong, whatever the templates are filled in with.
_CERTAIN = frozenset({"missing", "extra_forbidden"})


class ContentError(NamedTuple):
    """What is wrong with a content table; `path` leads from the table to the place."""

    details: ErrorDetails
    path: KeyPath

    @property
    def is_missing(self) -> bool:
        """Whether a key is missing that another table may have."""
        return self.details["type"] == "missing" and isinstance(self.details["loc"][-1], str)


class Alternatives(NamedTuple):
    """Keys of a table that exclude each other; if `needed`, one of them has to be there."""

    keys: tuple[str, ...]
    needed: bool = True


class Shape:
    """What the model of a table says of its keys.

    `verbatim` are those that hold no templates, `tables` the shapes of those that hold tables, and
    `alternatives` those that exclude each other.
    """

    def __init__(
        self, model: type[BaseModel], alternatives: tuple[Alternatives, ...] | None = None
    ) -> None:
        self._model = model
        own = model.exactly_one_of if issubclass(model, Content) else ()
        usual = (Alternatives(own),) if own else ()
        self.alternatives = usual if alternatives is None else alternatives
        fields = fields_by_key(model).items()
        self.verbatim = frozenset(name for name, field in fields if is_verbatim(field))

    @cached_property
    def tables(self) -> Mapping[str, Shape]:
        """The shapes of the tables within, by key; made when they are needed, as one may recur.

        A table of tables, with keys of its own, has none.
        """
        models = {
            name: submodel(field.annotation)
            for name, field in fields_by_key(self._model).items()
            if not _mentions_mapping(field.annotation)
        }
        return {name: Shape(model) for name, model in models.items() if model is not None}


class Kind:
    """A kind of content of a transport: the name of its table, and the model that reads it.

    What the model reads, it reads within `call`, as it is a plugin's.
    """

    def __init__(self, name: str, model: type[Content], call: Call) -> None:
        self.name, self.model, self._call = name, model, call

    @cached_property
    def table(self) -> type[BaseModel]:
        """The model of the manifest's table, in which a text may be in a file instead."""
        text = self.model.text_file
        if text is None:
            return self.model
        field = self.model.model_fields[text]
        optional = Field(default=None, description=field.description, examples=field.examples)
        file = Field(
            default=None,
            description=f"A file that holds the {text}, relative to the manifest.",
            examples=["texts/welcome.txt"],
        )
        keys: Any = {text: (str | None, optional), "file": (str | None, file)}
        return create_model(
            f"{self.model.__name__}Table", __base__=self.model, __doc__=self.model.__doc__, **keys
        )

    @cached_property
    def alternatives(self) -> tuple[Alternatives, ...]:
        """The keys that exclude each other: a text and the file that has it always do."""
        text, group = self.model.text_file, self.model.exactly_one_of
        if text in group:
            return (Alternatives((*group, "file")),)
        found = [Alternatives(group)] if group else []
        if text is not None:
            is_needed = self.model.model_fields[text].is_required()
            found.append(Alternatives((text, "file"), is_needed))
        return tuple(found)

    @cached_property
    def shape(self) -> Shape:
        """What the model says of the keys of its table."""
        return Shape(self.table, self.alternatives)

    def shape_of(self, content: object) -> Shape | None:
        """Return the shape of a table, or of the tables of a list that stands for one."""
        field = self.model.list_field
        return self.shape.tables.get(field) if field and isinstance(content, list) else self.shape

    @cached_property
    def main_key(self) -> str:
        """The key that was probably meant if there is a text in place of the table."""
        needed = (each.keys[0] for each in self.alternatives if each.needed)
        fields = fields_by_key(self.model)
        required = [name for name, field in fields.items() if field.is_required()]
        return next(iter((*needed, *required, *fields)), "…")

    def errors(self, table: object) -> Iterator[ContentError]:
        """Yield what is wrong with a table, whatever its templates are filled in with."""
        found: list[ErrorDetails] = self._call(
            lambda: validation_errors.errors_of(self.table, self.model.as_table(table))
        )
        for details in found:
            if details["type"] in _CERTAIN or not has_template(details["input"]):
                yield ContentError(details, path_in(table, details))

    def filled_errors(self, table: Table, invalid: ValidationError) -> Iterator[tuple[str, str]]:
        """Yield where a filled in table is wrong, like "poll.options.1", and the sentence."""
        found = self._call(lambda: invalid.errors(include_url=False))  # may be a plugin's words
        for details in found:
            where = ".".join(map(str, (self.name, *path_in(table, details))))
            yield where, validation_errors.sentence(details, whole=self.name)

    def content(self, table: Table) -> Content:
        """Return the content of a table whose templates were filled in, with numbers, perhaps.

        Raises pydantic's ValidationError, and PluginError.
        """
        content: Content = self._call(partial(self._content, table))
        return content

    def _content(self, written: Table) -> Content:
        table = self.model.as_table(written)
        try:
            return self.model.model_validate(table)
        except ValidationError:
            return self.model.model_validate(table, strict=False)

    def known_keys(self, path: KeyPath) -> Iterable[str]:
        """Return the keys that the table at a path may have."""
        return known_keys(self.table, path)

    def is_expendable(self, path: KeyPath) -> bool:
        """Whether the rest of a content can be checked without the key that a path begins with."""
        field = fields_by_key(self.table).get(str(path[0])) if path else None
        return not (field is None or field.is_required() or self.is_alternative(path[0]))

    def is_alternative(self, key: str | int) -> bool:
        """Whether a key of the table excludes others."""
        return any(key in each.keys for each in self.alternatives)


class Kinds:
    """The kinds of content of all transports; `transports` are these, by their names.

    `call` calls what a transport's model has: see `Registry.call_content`.
    """

    def __init__(
        self, transports: Mapping[str, Contents], call: CallOfTransport = _directly
    ) -> None:
        self._transports, self._call = transports, call
        self._made: dict[tuple[str, type[Content]], Kind] = {}
        self._of: dict[str, Mapping[str, Kind]] = {}

    def of(self, transport: str) -> Mapping[str, Kind]:
        """Return the kinds of a transport by name; one that is not known has the standard ones."""
        if transport not in self._of:
            contents = self._transports.get(transport, STANDARD_CONTENTS)
            self._of[transport] = {
                name: self._made.setdefault(
                    (name, model), Kind(name, model, self._call_of(transport, model))
                )
                for name, model in contents.items()
            }
        return self._of[transport]

    def _call_of(self, transport: str, model: type[Content]) -> Call:
        """Return how to call what a model has: a standard one is no plugin's, and cannot fail."""
        if model in STANDARD_CONTENTS.values():
            return operator.call
        return partial(self._call, transport)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all kinds, whichever transport has them."""
        all_contents = (STANDARD_CONTENTS, *self._transports.values())
        return tuple(dict.fromkeys(name for contents in all_contents for name in contents))

    def owners(self, kind: str) -> list[str]:
        """Return the names of the transports that have a kind."""
        return sorted(name for name, contents in self._transports.items() if kind in contents)

    def models(self, kind: str) -> list[Kind]:
        """Return the different kinds of this name; usually, all transports have the same."""
        transports = self._transports or [""]
        found = (self.of(transport).get(kind) for transport in transports)
        return list(dict.fromkeys(each for each in found if each is not None))

    def lacking(self, kind: str, transport: str) -> str:
        """Return the sentence for a kind that a transport does not have."""
        if transport not in self._transports:
            hint = did_you_mean(transport, self._transports)
            return f"no content {quoted(kind)}: there is no transport {quoted(transport)}{hint}"
        owners = [quoted(each) for each in self.owners(kind)]
        have = f"{' and '.join(owners)} {'have' if len(owners) > 1 else 'has'}"
        return f"transport {quoted(transport)} has no content {quoted(kind)}" + (
            f"; {have} it" if owners else ""
        )

    @cached_property
    def defaults_table(self) -> type[schema.DefaultsTable]:
        """The model of `[defaults]`, in which a content table may be anything."""
        keys: Any = dict.fromkeys(self.names, (Any, None))
        return create_model("DefaultsTable", __base__=schema.DefaultsTable, **keys)

    @cached_property
    def message_table(self) -> type[schema.MessageTable]:
        """The model of `[[messages]]`, in which a content table may be anything."""
        literal: Any = Literal  # of names that are known only now
        keys: Any = {
            **dict.fromkeys(self.names, (Any, None)),
            "type": (literal[self.names] | None, schema.MessageTable.model_fields["type"]),
        }
        return create_model("MessageTable", __base__=schema.MessageTable, **keys)

    @cached_property
    def manifest_table(self) -> type[schema.ManifestTable]:
        """The model of a manifest, in which content tables may be anything."""
        fields = schema.ManifestTable.model_fields
        keys: Any = {
            "defaults": (self.defaults_table, fields["defaults"]),
            "messages": (list[self.message_table], fields["messages"]),  # type: ignore[name-defined]
        }
        return create_model("ManifestTable", __base__=schema.ManifestTable, **keys)


def has_template(value: object) -> bool:
    """Whether a value of a table is a template, or holds one."""
    if isinstance(value, str):
        return is_template(value)
    if isinstance(value, (dict, list)):
        return any(map(has_template, value.values() if isinstance(value, dict) else value))
    return False


def is_verbatim(field: FieldInfo) -> bool:
    """Whether a field's text is used as it is written."""
    return VERBATIM in field.metadata or _mentions_verbatim(field.annotation)


def _mentions_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return True
    return any(map(_mentions_mapping, get_args(annotation)))


def _mentions_verbatim(annotation: Any) -> bool:
    arguments = get_args(annotation)
    return VERBATIM in getattr(annotation, "__metadata__", ()) or any(
        _mentions_verbatim(each) for each in arguments
    )
