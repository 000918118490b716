"""What a plugin must look like: everything else is a `PluginError`.

A plugin is checked completely before pluggy sees it, so a refused one is never half registered,
and pluggy's versions cannot differ on what they make of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, cast

from dispatcher import hookspecs
from dispatcher.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from pluggy import HookimplOpts

PREFIX = "dispatcher_"

#: Every hook, in the order of the pipeline, with the names of its arguments.
HOOKS: dict[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(spec).parameters)
    for name, spec in vars(hookspecs).items()
    if name.startswith(PREFIX)
}
_COLLECTED = {
    "dispatcher_validate_message",
    "dispatcher_transports",
    "dispatcher_engines",
    "dispatcher_commands",
}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean "..."?` with the name most like this one, or an empty text."""
    from difflib import get_close_matches

    guesses = get_close_matches(name, known, n=1)
    return f'; did you mean "{guesses[0]}"?' if guesses else ""


def missing(kind: str, name: str, known: Collection[str]) -> str:
    """The sentence for a name that nobody has, with what there is instead."""
    installed = f"; installed: {', '.join(sorted(known)) or 'none'}"
    return f'no {kind} named "{name}"{did_you_mean(name, known) or installed}'


def describe(error: BaseException) -> str:
    """An exception in one sentence: its type and text; our own kind is a sentence already."""
    if isinstance(error, (ConfigError, PluginError)):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def hook_options(plugin: object, attribute: str) -> HookimplOpts | None:
    """What `@hookimpl` noted on an attribute of a plugin; None: it is not marked."""
    # Static look-ups run no code of the plugin: no property, no __getattr__ of a lazy object.
    value = inspect.getattr_static(plugin, attribute, None)
    wrapped = isinstance(value, (staticmethod, classmethod, MethodType))
    for marked in (value, value.__func__) if wrapped else (value,):
        options = inspect.getattr_static(marked, "dispatcher_impl", None)
        if isinstance(options, dict):
            return cast("HookimplOpts", options)
    return None


def hooks_of(plugin: object) -> tuple[str, ...]:
    """The hooks that a plugin implements, in the order of the pipeline.

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
    """What was probably meant: a class of this module, as a plugin with settings is one."""
    for name, value in vars(plugin).items() if isinstance(plugin, ModuleType) else ():
        if inspect.isclass(value) and any(hook_options(value, each) for each in vars(value)):
            place = f'"{value.__module__}:{name}"'
            return f"its class {name} does: name it in the entry point, {place}, and install again"
    return "mark its functions with @hookimpl"


def _hook_name(attribute: str, options: HookimplOpts) -> str:
    return options["specname"] or attribute


def _problems(plugin: object, attribute: str, options: HookimplOpts | None) -> Iterator[str]:
    if options is None and not attribute.startswith(PREFIX):
        return
    value = inspect.getattr_static(plugin, attribute, None)
    if options is None and not (callable(value) or hasattr(type(value), "__get__")):
        return
    if not isinstance(value, (FunctionType, MethodType)):
        yield f"{attribute} must be a plain function or method, not a {type(value).__name__}"
    elif options is None:
        yield f"{attribute} is not marked with @hookimpl; mark it, or give it another name"
    elif (hook := _hook_name(attribute, options)) in HOOKS:
        function = getattr(plugin, attribute)
        faults = (*_kind_faults(function, hook, options), *_argument_faults(function, hook))
        yield from (f"{attribute} {fault}" for fault in faults)
    elif not options["optionalhook"]:
        yield f'there is no hook "{hook}"' + (
            did_you_mean(hook, HOOKS) or f"; the hooks are {', '.join(HOOKS)}"
        )


def _kind_faults(
    function: Callable[..., object], hook: str, options: HookimplOpts
) -> Iterator[str]:
    if options["wrapper"] or options["hookwrapper"]:
        yield "is a wrapper, which is not supported here; make it a plain @hookimpl"
    elif inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield 'is async, but hooks are called without an event loop; write it with a plain "def"'
    elif inspect.isgeneratorfunction(function) and hook not in _COLLECTED:
        yield 'is a generator, so its body would never run; use "return" instead of "yield"'


def _argument_faults(function: Callable[..., object], hook: str) -> Iterator[str]:
    parameters = list(
        inspect.signature(getattr(function, "__func__", function)).parameters.values()
    )
    if inspect.ismethod(function):
        if not parameters or parameters[0].name in HOOKS[hook]:
            yield 'is a method, but its first argument is not "self"'
        parameters = parameters[1:]
    for parameter in parameters:
        yield from _argument_fault(parameter, HOOKS[hook])


def _argument_fault(parameter: inspect.Parameter, known: tuple[str, ...]) -> Iterator[str]:
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
