"""Approved templates as files beside the manifests, `templates/*.toml`, and what is wrong with a
message that uses one.

A file is one template in all its languages:

    name = "order_ready"

    [languages.en_US]
    category = "UTILITY"
    header.type = "image"
    body = "Hello {{1}}, your order {{2}} is ready."
    buttons = [{ type = "url", text = "Track it", url = "https://example.com/{{1}}" }]

They are read once, when the plugin is made, so that checking a message reads no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from dispatcher import ManifestError, Problem, closest_name, read_toml_model

COMMAND = "dispatcher whatsapp-templates pull"

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MEDIA = ("image", "video", "document")
Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,512}$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


class HeaderDefinition(_Table):
    """What is above the text; one of type "text" says which."""

    type: Literal["text", "image", "video", "document", "location"]
    text: str | None = None


class ButtonDefinition(_Table):
    """A button: its type, as Meta names it, what it says, and for a link, the URL."""

    type: str = Field(pattern=r"^[a-z_]+$")
    text: str | None = None
    url: str | None = None
    phone_number: str | None = None

    @property
    def parameters(self) -> int:
        """How many parameters it needs."""
        if self.type == "copy_code":
            return 1
        return len(placeholders(self.url or ""))


class Translation(_Table):
    """A template in one language; `other` are parts that are not described here, like carousel."""

    category: str | None = None
    header: HeaderDefinition | None = None
    body: str | None = None
    footer: str | None = None
    buttons: list[ButtonDefinition] = []
    other: list[str] = []


class Definition(_Table):
    """A template in its languages, by their codes."""

    name: Name
    languages: dict[str, Translation] = Field(min_length=1)


@dataclass(frozen=True)
class Definitions:
    """What is known of an account's templates, by their names.

    `folder` is where the files are; `problems` are what is wrong with files that cannot be read.
    """

    folder: str = "templates"
    by_name: Mapping[str, Definition] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Definitions:
        """Read all files of a folder, which need not exist."""
        found: dict[str, Definition] = {}
        paths: dict[str, Path] = {}
        problems: list[str] = []
        for path in sorted(folder.glob("*.toml")):
            try:
                definition = read_toml_model(path, Definition)
            except ManifestError as error:
                problems += error.sentences
                continue
            if other := paths.get(definition.name):
                problems.append(f'{path}:1:1: {other} has the template "{definition.name}", too')
            paths[definition.name] = path
            found[definition.name] = definition
        return cls(str(folder), found, tuple(problems))

    def translation(self, name: object, code: object) -> Translation | None:
        """Return a template in a language, if it is known."""
        known = self.by_name.get(name) if isinstance(name, str) else None
        return known.languages.get(code) if known and isinstance(code, str) else None

    def check(self, template: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what Meta would refuse in a payload's `template`, whose shape is right."""
        for problem in self.problems:
            yield Problem(message=problem, where="transport")
        name, code = template["name"], template["language"]["code"]
        if not self.by_name:
            if not self.problems:
                yield Problem(
                    message=f"no definitions of templates in {self.folder}, so parameters and "
                    f"languages are not checked; {COMMAND} fetches them",
                    where="transport",  # told once, not for each message
                    severity="warning",
                )
        elif name not in self.by_name:
            hint = _did_you_mean(name, self.by_name) or f"; {COMMAND} fetches new ones"
            yield Problem(
                message=f'no template "{name}" in {self.folder}{hint}', where="template.name"
            )
        elif code not in (languages := self.by_name[name].languages):
            hint = _did_you_mean(code, languages) or f"; it has {', '.join(languages)}"
            yield Problem(
                message=f'template "{name}" has no language "{code}"{hint}',
                where="template.language",
            )
        else:
            yield from _Check(name, code, languages[code]).problems(template)


def placeholders(text: str) -> list[str]:
    """Return the names of a text's parameters, each once: `{{1}}`, `{{name}}`."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its parameters filled in; one without a value stays as it is."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def values_of(component: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a component of a payload by the names of their placeholders."""
    values = {}
    for number, each in enumerate(component.get("parameters") or (), 1):
        kind = each.get("type")
        table = each.get(kind) if kind in ("currency", "date_time") else None
        shown = table.get("fallback_value") if isinstance(table, dict) else each.get("text")
        values[each.get("parameter_name") or str(number)] = str(shown or "")
    return values


@dataclass(frozen=True)
class _Check:
    """Compares a payload's `template` with its definition in one language."""

    name: str
    code: str
    known: Translation

    def problems(self, template: Mapping[str, Any]) -> Iterator[Problem]:
        components = list(enumerate(template.get("components") or ()))
        single = {"header": self._header, "body": self._body}
        for part, check in single.items():
            given = [each for each in components if each[1]["type"].lower() == part]
            where = f"template.components.{given[0][0]}" if given else "template"
            yield from check(given[0][1] if given else {}, where)
            for number, _ in given[1:]:
                twice = f"template.components.{number}"
                yield Problem(message=f"there are two components {part}", where=twice)
        buttons = [each for each in components if each[1]["type"].lower() == "button"]
        yield from self._buttons(buttons)

    def _header(self, component: Mapping[str, Any], where: str) -> Iterator[Problem]:
        header, parameters = self.known.header, component.get("parameters") or []
        if header is None:
            if parameters:
                yield Problem(message=f"{self._named} has no header", where=where)
        elif header.type == "text":
            yield from self._texts("header", header.text or "", component, where)
        elif [each["type"].lower() for each in parameters] != [header.type]:
            article = "an" if header.type == "image" else "a"
            found = " and ".join(each["type"].lower() for each in parameters) or "nothing"
            place = f"{where}.parameters.0" if parameters else where
            yield Problem(
                message=f"the header of {self._named} is {article} {header.type}; there is {found}",
                where=place,
            )

    def _body(self, component: Mapping[str, Any], where: str) -> Iterator[Problem]:
        yield from self._texts("body", self.known.body or "", component, where)

    def _texts(
        self, part: str, text: str, component: Mapping[str, Any], where: str
    ) -> Iterator[Problem]:
        names, parameters = placeholders(text), component.get("parameters") or []
        for number, each in enumerate(parameters):
            if each["type"].lower() in (*_MEDIA, "location", "payload"):
                yield Problem(
                    message=f"the {part} of {self._named} is text, not {each['type']}",
                    where=f"{where}.parameters.{number}",
                )
                return
        if all(name.isdecimal() for name in names):
            yield from self._positional(part, names, parameters, where)
        else:
            yield from self._named_values(part, names, parameters, where)

    def _positional(
        self, part: str, names: list[str], parameters: list[Any], where: str
    ) -> Iterator[Problem]:
        named = next((each for each in enumerate(parameters) if "parameter_name" in each[1]), None)
        if named is not None and names:
            yield Problem(
                message=f"the parameters of {self._named} have no names; write a list",
                where=f"{where}.parameters.{named[0]}",
            )
        elif len(parameters) != len(names):
            takes = _counted(len(names), "parameter")
            shown = f" ({', '.join(f'{{{{{name}}}}}' for name in names)})" if names else ""
            there = f"there {'is' if len(parameters) == 1 else 'are'} {len(parameters) or 'none'}"
            extra = len(parameters) > len(names)
            yield Problem(
                message=f"the {part} of {self._named} takes {takes}{shown}; {there}",
                where=f"{where}.parameters.{len(names)}" if extra else where,
            )

    def _named_values(
        self, part: str, names: list[str], parameters: list[Any], where: str
    ) -> Iterator[Problem]:
        given: list[str] = []
        for number, each in enumerate(parameters):
            place, name = f"{where}.parameters.{number}", each.get("parameter_name")
            if name is None:
                yield Problem(
                    message=f"the parameters of {self._named} have names: {', '.join(names)}",
                    where=place,
                )
                return
            if name not in names:
                hint = _did_you_mean(name, names) or f"; it has {', '.join(names)}"
                yield Problem(
                    message=f'the {part} of {self._named} has no parameter "{name}"{hint}',
                    where=place,
                )
            given.append(name)
        close = {closest_name(name, names) for name in given if name not in names}
        for missing in (name for name in names if name not in given and name not in close):
            yield Problem(
                message=f'the {part} of {self._named} needs the parameter "{missing}"', where=where
            )

    def _buttons(self, given: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Problem]:
        known = self.known.buttons
        found = set()
        for number, component in given:
            index, where = int(component.get("index", 0)), f"template.components.{number}"
            found.add(index)
            if index >= len(known):
                has = _counted(len(known), "button")
                yield Problem(
                    message=f"{self._named} has {has}; there is none of index {index}", where=where
                )
            elif (component.get("sub_type") or "").lower() != known[index].type:
                sub_type = (component.get("sub_type") or "nothing").lower()
                yield Problem(
                    message=f'button {index} of {self._named}, "{known[index].text}", is '
                    f"{known[index].type}, not {sub_type}",
                    where=where,
                )
        for index, button in enumerate(known):
            if button.parameters and index not in found:
                yield Problem(
                    message=f'button {index} of {self._named}, "{button.text}", needs a parameter: '
                    f"{button.type}",
                    where="template.buttons",
                )

    @property
    def _named(self) -> str:
        return f'"{self.name}" ({self.code})'


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _did_you_mean(name: str, known: Mapping[str, Any] | list[str]) -> str:
    close = closest_name(name, known)
    return f'; did you mean "{close}"?' if close is not None else ""
