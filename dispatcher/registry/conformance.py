"""What a plugin must look like; anything else is a `PluginError`.

A plugin is checked completely before pluggy sees it, so a refused one is never half registered, and
versions of pluggy cannot differ in what they accept.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, cast, get_args, get_origin

from dispatcher import hookspecs
from dispatcher.errors import PluginError
from dispatcher.hookspecs import Engine
from dispatcher.manifest.kinds import RESERVED
from dispatcher.models import Content, Model
from dispatcher.names import did_you_mean
from dispatcher.plugin_results import brief, items, unexpected
from dispatcher.transports import INLINE, SEPARATE, BaseTransport, Transport, optional, takes_two

if TYPE_CHECKING:
    from pluggy import HookimplOpts

PREFIX = "dispatcher_"
_KIND = re.compile(r"[a-z][a-z0-9_]*")

#: Every hook, in the order of the pipeline, with the names of its arguments.
HOOKS: dict[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(spec).parameters)
    for name, spec in vars(hookspecs).items()
    if name.startswith(PREFIX)
}
# Attributes of a content that are no fields; those of BaseModel, like `copy`, nobody uses.
_METHODS = frozenset(name for kind in (Content, Model) for name in vars(kind) if name[0] != "_")
_COLLECTED = {
    "dispatcher_validate_message",
    "dispatcher_transports",
    "dispatcher_engines",
    "dispatcher_commands",
}


def missing(kind: str, name: str, known: Collection[str]) -> str:
    """Return the sentence for an unknown name, with the names that exist."""
    installed = f"; installed: {', '.join(sorted(known)) or 'none'}"
    return f'no {kind} named "{name}"{did_you_mean(name, known) or installed}'


def hook_options(plugin: object, attribute: str) -> HookimplOpts | None:
    """Return what `@hookimpl` stored on an attribute of a plugin, or None if it is not marked."""
    if attribute in vars(object):  # most of an instance's; none of them can be a hook
        return None
    value = _static(plugin, attribute)
    wrapped = isinstance(value, (staticmethod, classmethod, MethodType))
    for marked in (value, value.__func__) if wrapped else (value,):
        options = _static(marked, "dispatcher_impl")
        if isinstance(options, dict):
            return cast("HookimplOpts", options)
    return None


def _static(owner: object, attribute: str) -> Any:
    """Return an attribute, or None; runs no property, and no __getattr__ of a lazy object."""
    # Most are these, and a full lookup takes many times as long (benchmarks/startup.py).
    if type(owner) in (ModuleType, FunctionType):
        return vars(owner).get(attribute)
    return inspect.getattr_static(owner, attribute, None)


def hooks_of(plugin: object) -> tuple[str, ...]:
    """Return the hooks that a plugin implements, in the order of the pipeline.

    Raises `PluginError` with everything that is wrong with it, and what to do.
    """
    if inspect.isclass(plugin):
        raise PluginError(
            f"{plugin.__name__} is a class, but a plugin is a module, an instance, or a class "
            "that has a class Settings; forgotten ()?"
        )
    noted = {attribute: hook_options(plugin, attribute) for attribute in dir(plugin)}
    problems = [p for attribute in noted for p in _problems(plugin, attribute, noted[attribute])]
    if problems:
        raise PluginError("; ".join(problems))
    names = {_hook_name(attribute, options) for attribute, options in noted.items() if options}
    hooks = tuple(hook for hook in HOOKS if hook in names)
    if not hooks:
        raise PluginError(f"it implements no hook; {_way_to_hooks(plugin)}")
    return hooks


def _way_to_hooks(plugin: object) -> str:
    """Say what was probably meant: a class in this module, as a plugin with settings is one."""
    for name, value in vars(plugin).items() if isinstance(plugin, ModuleType) else ():
        if inspect.isclass(value) and any(hook_options(value, each) for each in vars(value)):
            path = f'"{value.__module__}:{name}"'
            return f"its class {name} does: name it in the entry point, {path}, and install again"
    return "mark its functions with @hookimpl"


def _hook_name(attribute: str, options: HookimplOpts) -> str:
    return options["specname"] or attribute


def _problems(plugin: object, attribute: str, options: HookimplOpts | None) -> Iterator[str]:
    if options is None and not attribute.startswith(PREFIX):
        return
    value = _static(plugin, attribute)
    if options is None and not (callable(value) or hasattr(type(value), "__get__")):
        return
    if not isinstance(value, (FunctionType, MethodType)):
        yield f"{attribute} must be a plain function or method, not a {type(value).__name__}"
    elif options is None:
        yield f"{attribute} is not marked with @hookimpl; mark it, or give it another name"
    elif (hook := _hook_name(attribute, options)) in HOOKS:
        function = getattr(plugin, attribute)
        errors = (*_kind_errors(function, hook, options), *_argument_errors(function, hook))
        yield from (f"{attribute} {error}" for error in errors)
    elif not options["optionalhook"]:
        yield f'there is no hook "{hook}"' + (
            did_you_mean(hook, HOOKS) or f"; the hooks are {', '.join(HOOKS)}"
        )


def _kind_errors(
    function: Callable[..., object], hook: str, options: HookimplOpts
) -> Iterator[str]:
    if options["wrapper"] or options["hookwrapper"]:
        yield "is a wrapper, which is not supported here; make it a plain @hookimpl"
    elif inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield 'is async, but hooks are called without an event loop; write it with a plain "def"'
    elif inspect.isgeneratorfunction(function) and hook not in _COLLECTED:
        yield 'is a generator, so its body would never run; use "return" instead of "yield"'


def _argument_errors(function: Callable[..., object], hook: str) -> Iterator[str]:
    parameters = list(
        inspect.signature(getattr(function, "__func__", function)).parameters.values()
    )
    if inspect.ismethod(function):
        if not parameters or parameters[0].name in HOOKS[hook]:
            yield 'is a method, but its first argument is not "self"'
        parameters = parameters[1:]
    for parameter in parameters:
        yield from _argument_error(parameter, HOOKS[hook])


def _argument_error(parameter: inspect.Parameter, known: tuple[str, ...]) -> Iterator[str]:
    name = parameter.name
    offered = f"the arguments of this hook are: {', '.join(known) or 'none'}"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind == parameter.VAR_POSITIONAL else "**"
        yield f"takes {stars}{name}; name the arguments that it needs, {offered}"
    elif name not in known:
        yield f'has an unknown argument "{name}"' + (did_you_mean(name, known) or f"; {offered}")
    elif parameter.kind == parameter.KEYWORD_ONLY:
        yield f'has a keyword-only argument "{name}"; remove the "*" before it'
    elif parameter.default is not parameter.empty:
        yield f'has a default value for "{name}"; remove it, the value is always given'


def checked_transports(result: object) -> list[type[Transport]]:
    """Return what `dispatcher_transports` returned: classes that look like `Transport`."""
    transports = items(result, "an iterable of transport classes")
    for transport in transports:
        if not inspect.isclass(transport):
            raise unexpected(transport, "the transport's class itself, without ()")
        _require_name(transport)
        if not inspect.isclass(getattr(transport, "Settings", None)):
            raise PluginError(f"{transport.__name__} has no class Settings")
        _require_settings_as_typed(transport)
        _require_methods(transport, Transport, ("build", "check", "send"))
        _require_way_of_files(transport)
        _require_names(transport, "recipient_fields")
        _require_contents(transport)
    return transports


def checked_engines(result: object) -> list[Engine]:
    """Return what `dispatcher_engines` returned: objects that look like `Engine`."""
    engines = items(result, "an iterable of engines")
    for engine in engines:
        if inspect.isclass(engine):
            raise unexpected(engine, "an instance; forgotten ()?")
        _require_name(engine)
        _require_methods(engine, Engine, ("run",))
    return engines


def checked_commands(result: object) -> list[Any]:
    """Return what `dispatcher_commands` returned: `click.Command`s with a name."""
    from click import Command

    commands = items(result, "an iterable of click.Command")
    for command in commands:
        if not isinstance(command, Command):
            raise unexpected(command, "an iterable of click.Command")
        _require_name(command)
    return commands


def _require_name(offer: object) -> None:
    name = getattr(offer, "name", None)
    if not isinstance(name, str) or not name:
        raise PluginError(f'{brief(offer)} has no name; set its "name" to a text')


def _require_settings_as_typed(transport: Any) -> None:
    """Raise PluginError if `HttpTransport[…]` names another class than the `Settings` are of."""
    from dispatcher.http.settings import HttpSettings
    from dispatcher.http.transport import HttpTransport

    bases = (base for kind in transport.__mro__ for base in vars(kind).get("__orig_bases__", ()))
    for base in bases:
        origin = get_origin(base)
        if not inspect.isclass(origin) or not issubclass(origin, HttpTransport):
            continue
        for named in get_args(base):
            # A class between may have further parameters.
            settles = inspect.isclass(named) and named is not Any
            settles = settles and (origin is HttpTransport or issubclass(named, HttpSettings))
            if settles and not issubclass(transport.Settings, named):
                raise PluginError(
                    f"{transport.__name__} is {origin.__name__}[{named.__name__}], but its "
                    f"Settings are {transport.Settings.__name__}; name one class in both places"
                )


def _require_names(transport: type[object], attribute: str) -> None:
    """Raise PluginError if an optional attribute is set and is no collection of texts."""
    names = optional(transport, attribute)
    right = isinstance(names, (tuple, list, frozenset, set))
    if not right or not all(isinstance(name, str) for name in names):
        raise PluginError(f'{attribute} of {transport.__name__} must be names, like ("to",)')


def _require_way_of_files(transport: Any) -> None:
    """Raise PluginError unless it has the method by which its files get to the gateway."""
    uploads, owner = optional(transport, "uploads"), transport.__name__
    if uploads not in (SEPARATE, INLINE):
        raise PluginError(f'uploads of {owner} is {brief(uploads)}, not "{SEPARATE}" or "{INLINE}"')
    if uploads == SEPARATE:
        _require_methods(transport, BaseTransport, ("upload",))
        _require_methods(transport, Transport, ("upload",))
    elif not takes_two(partial(transport.send, None), "file"):
        raise PluginError(
            f'send of {owner} takes no file, but uploads = "{INLINE}"; make it '
            "send(self, payload, file=None)"
        )


def _require_contents(transport: type[object]) -> None:
    """Raise PluginError if the kinds of content are none, or have names that mean something."""
    contents, owner = optional(transport, "contents"), transport.__name__
    if not isinstance(contents, Mapping) or not contents:
        raise PluginError(f'contents of {owner} must be models by name, like {{"poll": Poll}}')
    for name, model in contents.items():
        if wrong := wrong_kind_name(name):
            raise PluginError(f"contents of {owner}: {wrong}")
        if not inspect.isclass(model) or not issubclass(model, Content):
            raise PluginError(f'contents of {owner}: "{name}" is not derived from Content')
        _require_keys(model)


def _require_keys(model: type[Content]) -> None:
    """Raise PluginError if a content's fields are not what it says of them, or hide its methods."""
    fields, owner = model.model_fields, model.__name__
    for attribute in ("text_file", "list_field"):
        name = getattr(model, attribute)
        if name is not None and name not in fields:
            raise PluginError(f"{attribute} of {owner} is {brief(name)}, which is no field of it")
    hidden = [name for name in fields if name in _METHODS or name.startswith("model_")]
    if hidden:
        raise PluginError(
            f"{owner}.{hidden[0]} hides what a Content has under that name; give it an alias"
        )
    if not isinstance(model.exactly_one_of, tuple):
        raise PluginError(f'exactly_one_of of {owner} must be names, like ("link", "id")')
    needed = [each for each in model.exactly_one_of if _is_required(model, each)]
    if needed:
        raise PluginError(f"{owner}.{needed[0]} is in exactly_one_of without default")


def wrong_kind_name(name: object) -> str | None:
    """Return what is wrong with the name of a kind of content, or None."""
    if not isinstance(name, str) or not _KIND.fullmatch(name):
        return f"{name!r} is no name, like poll_2"
    return f'"{name}" is another key of a message' if name in RESERVED else None


def _is_required(model: type[Content], name: str) -> bool:
    field = model.model_fields.get(name)
    return name != model.text_file and (field is None or field.is_required())


def _require_methods(offer: object, interface: type, methods: tuple[str, ...]) -> None:
    owner = offer if inspect.isclass(offer) else type(offer)
    for method in methods:
        found = getattr(offer, method, None)
        # A class derived from the protocol inherits its empty methods.
        if not callable(found) or getattr(owner, method, None) is getattr(interface, method):
            raise PluginError(f"{brief(offer)} has no method {method}")
