"""The registry, with plugins given directly and with distributions as an installer leaves them."""

import functools
import importlib.metadata
import sys
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

import click
import pluggy
import pytest
from pydantic import BaseModel

from dispatcher import (
    Engine,
    Link,
    Message,
    Outcome,
    PluginError,
    Problem,
    SourceError,
    Transport,
    hookimpl,
    hookspecs,
    registry,
)
from dispatcher.http.settings import HttpSettings
from dispatcher.http.transport import HttpTransport
from dispatcher.registry import PluginInfo, Registry, build_registry, conformance, loading
from tests.support.cases import cases
from tests.support.messages import message
from tests.support.plugins import add_metadata

MESSAGE = message("welcome", transport="pigeon")
OUTCOME = Outcome(status="sent", id="1", attempts=1)
BASE = Path("manifests")
DISABLED = "DISPATCHER_DISABLED_PLUGINS"

Install = Callable[..., None]


class Plugin:
    """An object that is equal to nothing but itself."""


def plugin(*, options: dict[str, bool] | None = None, **hooks: Callable[..., object]) -> Plugin:
    """A plugin from `hook_name_without_prefix=function`."""
    made = Plugin()
    for name, function in hooks.items():
        setattr(made, f"dispatcher_{name}", hookimpl(**(options or {}))(function))
    return made


def one(**hooks: Callable[..., object]) -> Registry:
    """A registry with a single plugin, called utm."""
    return several(utm=plugin(**hooks))


def several(**plugins: object) -> Registry:
    """A registry with these plugins alone."""
    return build_registry(plugins=[*plugins.items()], third_party=False)


def failing(error: BaseException) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


def info(found: Registry, name: str) -> PluginInfo:
    (only,) = (each for each in found.plugins if each.name == name)
    return only


@pytest.fixture(autouse=True)
def _hide_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.entry_points
    installed = set(real(group="dispatcher"))
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda **query: [each for each in real(**query) if each not in installed],
    )
    monkeypatch.delenv(DISABLED, raising=False)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs the plugin `name`, with this source, as distribution `fake-<name>` 0.1.0."""
    modules = []

    def install(
        name: str, source: str, *, distribution: str = "", target: str = "", version: str = "0.1.0"
    ) -> None:
        distribution = distribution or f"fake-{name}"
        module = distribution.replace("-", "_")
        modules.append(module)
        folder = tmp_path / distribution
        add_metadata(folder, distribution, f"{name} = {module}{target}", version)
        (folder / f"{module}.py").write_text(dedent(source))
        monkeypatch.syspath_prepend(folder)

    yield install
    for module in modules:
        sys.modules.pop(module, None)


LINKS = """
    from dispatcher import Link, hookimpl

    @hookimpl
    def dispatcher_resolve_source(source):
        return Link(url="https://example.com/" + source)
"""


# Finding, listing and order


def test_an_installed_distribution_is_listed_and_asked(install: Install) -> None:
    install("drive", LINKS)
    found = build_registry()
    listed = info(found, "drive")
    assert (listed.distribution, listed.version) == ("fake-drive", "0.1.0")
    assert (listed.status, listed.error, listed.builtin) == ("active", None, False)
    assert listed.hooks == ("dispatcher_resolve_source",)
    assert str(listed) == 'plugin "drive" (fake-drive 0.1.0)'
    assert found.resolve_source("a.png", BASE) == Link(url="https://example.com/a.png")
    found.require_healthy()


def test_the_hooks_and_their_arguments() -> None:
    assert conformance.HOOKS == {
        "dispatcher_resolve_source": ("source", "base"),
        "dispatcher_validate_message": ("message", "attachment"),
        "dispatcher_transform_payload": ("payload", "message"),
        "dispatcher_transports": (),
        "dispatcher_message_finished": ("message", "outcome"),
        "dispatcher_engines": (),
        "dispatcher_commands": (),
    }


def test_hooks_are_listed_in_pipeline_order() -> None:
    found = one(commands=lambda: [], transports=lambda: [], resolve_source=lambda: None)
    assert info(found, "utm").hooks == (
        "dispatcher_resolve_source",
        "dispatcher_transports",
        "dispatcher_commands",
    )


def test_the_time_to_load_is_kept(install: Install) -> None:
    install("slow", f"import time\ntime.sleep(0.05)\n{dedent(LINKS)}")
    assert 0.05 <= info(build_registry(), "slow").load_seconds < 5


def test_plugins_that_are_given_directly_have_no_distribution() -> None:
    some = plugin(commands=lambda: [])
    found = build_registry([("files", some)], [("utm", plugin(commands=lambda: []))])
    assert [str(each) for each in found.plugins] == ['plugin "utm"', 'plugin "files" (built in)']
    assert [each.builtin for each in found.plugins] == [False, True]


def test_a_builtin_may_be_the_name_of_a_module(install: Install) -> None:
    install("x", LINKS, distribution="fake-links")
    found = build_registry([("links", "fake_links")], third_party=False)
    assert info(found, "links").builtin
    assert found.resolve_source("a", BASE) == Link(url="https://example.com/a")


def test_damaged_metadata_hides_the_distribution_alone(install: Install, tmp_path: Path) -> None:
    install("drive", LINKS)
    (metadata,) = tmp_path.glob("*/*/METADATA")
    metadata.unlink()
    listed = info(build_registry(), "drive")
    assert (listed.distribution, listed.status) == (None, "active")


def test_the_order_in_which_everybody_is_asked(install: Install) -> None:
    asked: list[str] = []

    def recorder(name: str, **options: bool) -> tuple[str, Plugin]:
        def record() -> None:
            asked.append(name)

        return name, plugin(options=options, resolve_source=record, transform_payload=record)

    for name in ("zebra", "drive"):
        install(
            name,
            f"""
            from dispatcher import hookimpl
            asked = None

            @hookimpl
            def dispatcher_resolve_source():
                asked.append("{name}")

            @hookimpl(trylast={name == "drive"})
            def dispatcher_transform_payload():
                asked.append("{name}")
            """,
        )
    found = build_registry(
        [recorder("files"), recorder("checks", tryfirst=True), recorder("end", trylast=True)],
        [recorder("utm"), recorder("early", tryfirst=True), recorder("late", trylast=True)],
    )
    for module in ("fake_zebra", "fake_drive"):
        sys.modules[module].asked = asked

    listed = " ".join(each.name for each in found.plugins)
    assert listed == "drive early late utm zebra files checks end"
    found.resolve_source("x", BASE)
    assert " ".join(asked) == "early checks drive utm zebra files late end"
    asked.clear()
    found.transform_payload(b"{}", MESSAGE)
    assert " ".join(asked) == "early checks utm zebra files drive late end"


def test_registries_share_nothing() -> None:
    first = one(resolve_source=lambda: Link(url="first"))
    second = one(resolve_source=lambda: Link(url="second"))
    assert first.resolve_source("x", BASE) == Link(url="first")
    assert second.resolve_source("x", BASE) == Link(url="second")


def test_no_module_keeps_a_manager() -> None:
    for module in (registry, loading, conformance):
        assert not [v for v in vars(module).values() if isinstance(v, pluggy.PluginManager)]


# Plugins that cannot be loaded

MODULE = """
from dispatcher import *
from dispatcher import hookimpl
from functools import cache, partial, wraps

@hookimpl
def dispatcher_commands():
    raise RuntimeError("half registered")
"""
OBJECT = """
from dispatcher import hookimpl

class Base:
    @hookimpl
    def dispatcher_commands(self):
        raise RuntimeError("half registered")
"""
REFUSED = {
    "misspelled hook": (
        "@hookimpl\ndef dispatcher_tranform_payload(payload): ...",
        'there is no hook "dispatcher_tranform_payload"; '
        'did you mean "dispatcher_transform_payload"?',
    ),
    "hook without prefix": (
        "@hookimpl\ndef transform_payload(payload): ...",
        'there is no hook "transform_payload"; did you mean "dispatcher_transform_payload"?',
    ),
    "hook like no other": (
        "@hookimpl\ndef xyz(payload): ...",
        'there is no hook "xyz"; the hooks are dispatcher_resolve_source, dispatcher_validate',
    ),
    "misspelled specname": (
        '@hookimpl(specname="dispatcher_comands")\ndef f(): ...',
        'there is no hook "dispatcher_comands"; did you mean "dispatcher_commands"?',
    ),
    "not marked": (
        "def dispatcher_transports(): ...",
        "dispatcher_transports is not marked with @hookimpl; mark it, or give it another name",
    ),
    "unknown argument": (
        "@hookimpl\ndef dispatcher_transform_payload(paylod): ...",
        'dispatcher_transform_payload has an unknown argument "paylod"; did you mean "payload"?',
    ),
    "argument like no other": (
        "@hookimpl\ndef dispatcher_transform_payload(xyz): ...",
        'has an unknown argument "xyz"; the arguments of this hook are: payload, message',
    ),
    "argument where there is none": (
        "@hookimpl\ndef dispatcher_transports(register): ...",
        'has an unknown argument "register"; the arguments of this hook are: none',
    ),
    "default": (
        "@hookimpl\ndef dispatcher_transform_payload(payload, message=None): ...",
        'dispatcher_transform_payload has a default value for "message"; remove it',
    ),
    "keyword-only": (
        "@hookimpl\ndef dispatcher_transform_payload(*, payload): ...",
        'has a keyword-only argument "payload"; remove the "*" before it',
    ),
    "*args": (
        "@hookimpl\ndef dispatcher_transform_payload(*args): ...",
        "takes *args; name the arguments that it needs",
    ),
    "**kwargs": (
        "@hookimpl\ndef dispatcher_transform_payload(payload, **kwargs): ...",
        "takes **kwargs; name the arguments that it needs",
    ),
    "async": (
        "@hookimpl\nasync def dispatcher_transform_payload(payload): ...",
        "dispatcher_transform_payload is async",
    ),
    "async generator": (
        "@hookimpl\nasync def dispatcher_validate_message(message):\n    yield",
        "dispatcher_validate_message is async",
    ),
    "wrapper": (
        "@hookimpl(wrapper=True)\ndef dispatcher_transports():\n    return (yield)",
        "dispatcher_transports is a wrapper, which is not supported here",
    ),
    "hookwrapper": (
        "@hookimpl(hookwrapper=True)\ndef dispatcher_transports():\n    yield",
        "dispatcher_transports is a wrapper, which is not supported here",
    ),
    "generator transforms": (
        "@hookimpl\ndef dispatcher_transform_payload(payload):\n    yield",
        "dispatcher_transform_payload is a generator, so its body would never run",
    ),
    "generator is told": (
        "@hookimpl\ndef dispatcher_message_finished(outcome):\n    yield",
        "dispatcher_message_finished is a generator",
    ),
    "generator resolves": (
        "@hookimpl\ndef dispatcher_resolve_source(source):\n    yield",
        "dispatcher_resolve_source is a generator",
    ),
    "cached function": (
        "@cache\n@hookimpl\ndef dispatcher_resolve_source(source): ...",
        "dispatcher_resolve_source must be a plain function or method, not a _lru_cache_wrapper",
    ),
    "partial": (
        "dispatcher_resolve_source = hookimpl(partial(lambda source: None))",
        "dispatcher_resolve_source must be a plain function or method, not a partial",
    ),
    "two faults are both named": (
        "@hookimpl\ndef dispatcher_transform_payload(a, b=1): ...",
        'unknown argument "a"; the arguments of this hook are: payload, message; '
        'dispatcher_transform_payload has an unknown argument "b"',
    ),
    "does not exist": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_m"),
    "does not compile": ("def :", "SyntaxError: invalid syntax (fake_bad.py, line"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "is cancelled": ("import asyncio\nraise asyncio.CancelledError", "CancelledError"),
    "fails without a word": ("assert False", "AssertionError"),
}
REFUSED_OBJECTS = {
    "staticmethod, marked inside": (
        "@staticmethod\n    @hookimpl\n    def dispatcher_resolve_source(source): ...",
        "dispatcher_resolve_source must be a plain function or method, not a staticmethod",
    ),
    "staticmethod, marked outside": (
        "@hookimpl\n    @staticmethod\n    def dispatcher_resolve_source(source): ...",
        "dispatcher_resolve_source must be a plain function or method, not a staticmethod",
    ),
    "classmethod, under any name": (
        "@classmethod\n    @hookimpl(specname='dispatcher_transports')\n    def mine(cls): ...",
        "mine must be a plain function or method, not a classmethod",
    ),
    "property": (
        "@property\n    @hookimpl\n    def dispatcher_transports(self): ...",
        "dispatcher_transports must be a plain function or method, not a property",
    ),
    "forgotten self": (
        "@hookimpl\n    def dispatcher_resolve_source(source): ...",
        'dispatcher_resolve_source is a method, but its first argument is not "self"',
    ),
    "forgotten self, no argument": (
        "@hookimpl\n    def dispatcher_transports(): ...",
        'dispatcher_transports is a method, but its first argument is not "self"',
    ),
    "method with a default": (
        "@hookimpl\n    def dispatcher_resolve_source(self, source=''): ...",
        'dispatcher_resolve_source has a default value for "source"',
    ),
}


def refusals() -> Iterator[Any]:
    for name, (source, error) in REFUSED.items():
        yield pytest.param(MODULE + source, "", error, id=name)
    for name, (source, error) in REFUSED_OBJECTS.items():
        source = f"{OBJECT}\nclass Mine(Base):\n    {source}\nplugin = Mine()"
        yield pytest.param(source, ":plugin", error, id=name)
    yield pytest.param(OBJECT, ":Base", "Base is a class, but a plugin is", id="class")
    yield pytest.param("", "", "it implements no hook; mark its functions with", id="no hook")
    yield pytest.param("plugin = None", ":plugin", "it implements no hook", id="None")
    yield pytest.param("", ":plugin", "AttributeError: module 'fake_bad' has no", id="no attribute")


@cases("source, target, error", *refusals())
def test_a_refused_plugin_is_named_and_leaves_no_trace(
    install: Install, source: str, target: str, error: str
) -> None:
    install("bad", source, target=target)
    install("drive", LINKS)
    found = build_registry()

    broken = info(found, "bad")
    assert (broken.status, broken.hooks) == ("broken", ())
    assert error in str(broken.error)
    with pytest.raises(PluginError) as raised:
        found.require_healthy()
    first, *_, last = str(raised.value).splitlines()
    assert first.startswith('plugin "bad" (fake-bad 0.1.0) cannot be loaded: ')
    assert error in str(raised.value)
    assert last == "to go on without: --without bad"

    assert found.commands() == []  # its good hook is not asked
    assert info(found, "drive").status == "active"
    assert found.resolve_source("a", BASE) == Link(url="https://example.com/a")
    build_registry(without=["bad"]).require_healthy()


def test_every_broken_plugin_is_named_with_its_traceback(install: Install) -> None:
    install("one", "1 / 0")
    install("two", "{}['key']", version="2.0")
    with pytest.raises(PluginError) as raised:
        build_registry().require_healthy()
    assert str(raised.value).splitlines() == [
        'plugin "one" (fake-one 0.1.0) cannot be loaded: ZeroDivisionError: division by zero',
        "plugin \"two\" (fake-two 2.0) cannot be loaded: KeyError: 'key'",
        "to go on without: --without one --without two",
    ]
    causes = raised.value.__cause__
    assert isinstance(causes, BaseExceptionGroup)
    assert {type(each) for each in causes.exceptions} == {ZeroDivisionError, KeyError}


def test_an_interrupt_while_loading_is_not_swallowed(install: Install) -> None:
    install("drive", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        build_registry()


def test_a_broken_builtin_is_named(install: Install) -> None:
    found = build_registry([("files", "no_such_module")])
    with pytest.raises(PluginError, match=r'"files" \(built in\) cannot .*\n.* --without files'):
        found.require_healthy()


# What only looks like a fault


class Guarded:
    """Its property would raise; pluggy up to 1.6 reads every attribute of a plugin."""

    @property
    def connection(self) -> object:
        raise RuntimeError("not now")

    @hookimpl
    def dispatcher_resolve_source(self, source: str) -> Link:
        return Link(url=source)


class Lazy:
    """Stands for something else, as proxies do, and says so on every access."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("outside of a context")

    def __call__(self) -> None: ...


class Configured(BaseModel):
    url: str

    @hookimpl
    def dispatcher_resolve_source(self) -> Link:
        return Link(url=self.url)


def forwarding(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def wrapper(*args: object) -> object:
        return function(*args)

    return wrapper


def resolving(**others: object) -> SimpleNamespace:
    """A plugin that resolves sources, and has other attributes."""
    resolve = hookimpl(lambda source: Link(url=source))
    return SimpleNamespace(dispatcher_resolve_source=resolve, **others)


RENAMED = hookimpl(specname="dispatcher_resolve_source")(lambda source: Link(url=source))
LATER = hookimpl(optionalhook=True)(lambda whatever: None)
ACCEPTED = {
    "property": Guarded(),
    "bound method": SimpleNamespace(dispatcher_resolve_source=Guarded().dispatcher_resolve_source),
    "model": Configured(url="x"),
    "proxy": resolving(proxy=Lazy()),
    "specname": SimpleNamespace(resolve=RENAMED),
    "decorated": plugin(resolve_source=forwarding(lambda source: Link(url=source))),
    "no function": resolving(dispatcher_version="1"),
    "optional hook of a later version": resolving(dispatcher_later=LATER),
}


@cases("accepted", *ACCEPTED.values(), ids=ACCEPTED)
def test_an_unusual_plugin_works(accepted: object) -> None:
    found = several(utm=accepted)
    found.require_healthy()
    assert info(found, "utm").hooks == ("dispatcher_resolve_source",)
    assert found.resolve_source("x", BASE) == Link(url="x")


# One name, one object, one plugin


def test_two_distributions_with_one_name_are_both_out(install: Install) -> None:
    install("drive", LINKS, distribution="fake-drive-a")
    install("drive", LINKS, distribution="fake-drive-b", version="2.0")
    found = build_registry()
    assert [(each.name, each.status) for each in found.plugins] == [("drive", "broken")] * 2
    for listed in found.plugins:
        for distribution in ("fake-drive-a 0.1.0", "fake-drive-b 2.0"):
            assert distribution in str(listed.error)
    assert found.resolve_source("a", BASE) is None
    with pytest.raises(PluginError, match=r"to go on without: --without drive$"):
        found.require_healthy()


def test_the_name_of_a_builtin_is_taken(install: Install) -> None:
    install("files", LINKS)
    builtins = [("files", plugin(resolve_source=lambda: Link(url="built in")))]
    found = build_registry(builtins)
    third, builtin = found.plugins
    assert (third.builtin, third.status) == (False, "broken")
    assert (builtin.builtin, builtin.status) == (True, "active")
    assert found.resolve_source("a", BASE) == Link(url="built in")
    with pytest.raises(PluginError) as raised:
        found.require_healthy()
    why = "a built-in plugin has this name; uninstall this one, or rename it"
    blamed = f'plugin "files" (fake-files 0.1.0) cannot be loaded: {why}'
    assert str(raised.value).splitlines() == [blamed, "to go on without: --no-plugins"]
    build_registry(builtins, third_party=False).require_healthy()


SAME = plugin(resolve_source=lambda: None)
LAMBDA = hookimpl(lambda: None)


@cases(
    "make",
    lambda: SAME,
    lambda: Configured(url="x"),
    lambda: SimpleNamespace(dispatcher_resolve_source=LAMBDA),
    ids=["same", "equal models", "equal namespaces"],
)
def test_one_object_under_two_names(make: Callable[[], object]) -> None:
    found = several(a=make(), b=make())
    assert [each.status for each in found.plugins] == ["broken", "active"]
    assert 'is plugin "b" already; keep one of the two names' in str(info(found, "a").error)


def test_a_builtin_keeps_its_object() -> None:
    found = build_registry([("files", SAME)], [("mine", SAME)], third_party=False)
    statuses = [(each.name, each.status) for each in found.plugins]
    assert statuses == [("mine", "broken"), ("files", "active")]


# Disabling


@cases(
    "without, environment",
    (["drive", "files"], ""),
    ([], "drive,files"),
    ([], " files  drive "),
    ([], "drive, files, not-installed-here"),
    (["drive"], "files"),
)
def test_a_disabled_plugin_is_listed_and_never_imported(
    install: Install, monkeypatch: pytest.MonkeyPatch, without: list[str], environment: str
) -> None:
    install("drive", "raise AssertionError('imported')")
    install("x", "raise AssertionError('imported')", distribution="fake-files")
    monkeypatch.setenv(DISABLED, f"x {environment}")
    found = build_registry([("files", "fake_files")], without=without)
    assert [(each.name, each.distribution, each.status) for each in found.plugins] == [
        ("drive", "fake-drive", "disabled"),
        ("x", "fake-files", "disabled"),
        ("files", None, "disabled"),
    ]
    found.require_healthy()
    assert not {"fake_drive", "fake_files"} & set(sys.modules)


def test_no_plugins(install: Install) -> None:
    install("drive", "raise AssertionError('imported')")
    assert build_registry(third_party=False).plugins == ()
    assert build_registry(third_party=False, without=["drive"]).plugins == ()


@cases("third_party", True, False)
def test_an_unknown_name_cannot_be_disabled(install: Install, third_party: bool) -> None:
    install("drive", LINKS)
    builtins = [("files", plugin(commands=lambda: []))]
    with pytest.raises(PluginError) as raised:
        build_registry(builtins, without=["drive", "fiels"], third_party=third_party)
    assert str(raised.value) == 'no plugin named "fiels"; did you mean "files"?'


# Calling


def test_an_implementation_gets_the_arguments_that_it_names() -> None:
    given: list[object] = []
    found = one(
        resolve_source=lambda base, source: given.extend([base, source]),
        validate_message=lambda attachment: given.append(attachment),
        transform_payload=lambda message: given.append(message),
        message_finished=lambda outcome, message: given.extend([outcome, message]),
    )
    link = Link(url="x")
    found.resolve_source("a.png", BASE)
    found.validate_message(MESSAGE, link)
    found.transform_payload(b"{}", MESSAGE)
    found.message_finished(MESSAGE, OUTCOME)
    assert given == [BASE, "a.png", link, MESSAGE, OUTCOME, MESSAGE]


def test_the_first_answer_counts_and_ends_the_asking() -> None:
    asked = []
    found = several(
        a=plugin(resolve_source=lambda: asked.append("a")),
        b=plugin(resolve_source=lambda: asked.append("b") or Link(url="b")),
        c=plugin(resolve_source=lambda: asked.append("c")),
    )
    assert found.resolve_source("x", BASE) == Link(url="b")
    assert asked == ["a", "b"]


def test_problems_of_all_plugins_are_collected() -> None:
    def generate(message: Message) -> Iterator[Problem]:
        yield Problem(message=message.id)

    found = several(
        a=plugin(validate_message=generate),
        b=plugin(validate_message=lambda: None),
        c=plugin(validate_message=lambda: (Problem(message="c", severity="warning"),)),
    )
    problems = found.validate_message(MESSAGE, None)
    assert [problem.message for problem in problems] == ["welcome (a)", "c (c)"]


def test_each_plugin_changes_the_payload_of_the_one_before() -> None:
    found = several(
        a=plugin(transform_payload=lambda payload: payload.update(seen="a")),
        b=plugin(transform_payload=lambda payload: payload.update(b=payload["seen"])),
    )
    changed = found.transform_payload(b'{"to":"79001234567"}', MESSAGE)
    assert changed == b'{"to":"79001234567","seen":"a","b":"a"}'


CALLS: dict[str, Callable[[Registry], object]] = {
    "resolve_source": lambda found: found.resolve_source("x", BASE),
    "validate_message": lambda found: found.validate_message(MESSAGE, None),
    "transform_payload": lambda found: found.transform_payload(b"{}", MESSAGE),
    "transports": lambda found: found.transports(),
    "engines": lambda found: found.engines(),
    "commands": lambda found: found.commands(),
}


@pytest.mark.parametrize("hook", CALLS)
@cases(
    "error, text",
    (KeyError("body"), "KeyError: 'body'"),
    (SystemExit(2), "SystemExit: 2"),
    (CancelledError(), "CancelledError"),
    (PluginError("quota table missing"), "quota table missing"),
    (AssertionError(), "AssertionError"),
    (StopIteration(), "StopIteration"),
)
def test_what_a_plugin_raises_is_blamed_on_it(hook: str, error: BaseException, text: str) -> None:
    with pytest.raises(PluginError) as raised:
        CALLS[hook](one(**{hook: failing(error)}))
    assert str(raised.value) == f'plugin "utm" failed in dispatcher_{hook}: {text}'
    assert raised.value.__cause__ is error


def test_the_blame_names_distribution_and_version(install: Install) -> None:
    install(
        "utm",
        """
        from dispatcher import hookimpl

        @hookimpl
        def dispatcher_transform_payload(payload):
            payload["text"]["body"] += "?utm"
        """,
    )
    with pytest.raises(PluginError) as raised:
        build_registry().transform_payload(b'{"text":{}}', MESSAGE)
    assert str(raised.value) == (
        "plugin \"utm\" (fake-utm 0.1.0) failed in dispatcher_transform_payload: KeyError: 'body'"
    )


@pytest.mark.parametrize("hook", CALLS)
def test_an_interrupt_passes(hook: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        CALLS[hook](one(**{hook: failing(KeyboardInterrupt())}))


@pytest.mark.parametrize("hook", CALLS)
def test_a_bad_source_is_nobodys_fault_and_only_while_resolving(hook: str) -> None:
    error = SourceError("drive:x: no such file")
    with pytest.raises(SourceError if hook == "resolve_source" else PluginError) as raised:
        CALLS[hook](one(**{hook: failing(error)}))
    told = str(raised.value) == "drive:x: no such file (utm)"
    assert told == (hook == "resolve_source")


def test_a_generator_that_fails_on_the_way_is_blamed() -> None:
    def generate() -> Iterator[Problem]:
        yield Problem(message="one")
        raise ValueError("two")

    with pytest.raises(PluginError, match=r"dispatcher_validate_message: ValueError: two$"):
        one(validate_message=generate).validate_message(MESSAGE, None)


def test_all_are_told_of_the_end_and_failures_come_back() -> None:
    told: list[Outcome] = []
    found = several(
        a=plugin(message_finished=failing(OSError("full"))),
        b=plugin(message_finished=lambda outcome: told.append(outcome)),
        c=plugin(message_finished=failing(SystemExit(1))),
        d=plugin(message_finished=lambda: True),
    )
    failures = found.message_finished(MESSAGE, OUTCOME)
    assert told == [OUTCOME]
    where = f" (message {MESSAGE.key})"
    assert [str(failure) for failure in failures] == [
        'plugin "a" failed in dispatcher_message_finished: OSError: full' + where,
        'plugin "c" failed in dispatcher_message_finished: SystemExit: 1' + where,
        'plugin "d" failed in dispatcher_message_finished: answered True, expected no answer'
        + where,
    ]
    with pytest.raises(KeyboardInterrupt):
        one(message_finished=failing(KeyboardInterrupt())).message_finished(MESSAGE, OUTCOME)


# Answers


class Pigeon:
    name = "pigeon"
    Settings = dict
    build = check = upload = send = print


class Nameless(Pigeon):
    name = ""


class NoSettings(Pigeon):
    Settings = None


class NoSend(Pigeon):
    send = None


class OnlyDerived(Transport):
    name = "derived"
    Settings = dict


class OtherSettings(HttpSettings):
    pass


class CarrierSettings(HttpSettings):
    pass


class SpecialSettings(CarrierSettings):
    pass


AnySettings = TypeVar("AnySettings", bound=HttpSettings)


class Family(HttpTransport[AnySettings], Generic[AnySettings]):
    name = "carrier"

    build = check = send = upload = lambda *_: None


class Carrier(Family[CarrierSettings]):
    Settings = CarrierSettings


class SpecialCarrier(Carrier):
    Settings = SpecialSettings


class MistypedCarrier(Family[OtherSettings]):
    Settings = CarrierSettings


class MistypedByInheritance(Carrier):
    Settings = OtherSettings


class Mistyped(HttpTransport[dict]):  # type: ignore[type-var] # as an author may write it
    name = "carrier"
    Settings = CarrierSettings

    build = check = send = upload = lambda *_: None


class OneByOne:
    name = "one-by-one"

    def run(self) -> None: ...


class NoRun:
    name = "no-run"


class OnlyDerivedEngine(Engine):
    name = "derived"


NONSENSE = [
    ("resolve_source", False, "answered False, expected an Upload, a Link, a MediaId or None"),
    ("resolve_source", "https://example.com", "answered 'https://example.com', expected an Up"),
    ("resolve_source", Link, "answered <class 'dispatcher.models.attachments.Link'>"),
    ("validate_message", [Problem.model_construct(message="x", where=[])], "expected an iterable"),
    ("validate_message", Problem(message="x"), "answered Problem(message='x'"),
    ("validate_message", "too long", "answered 'too long', expected an iterable of Problem, or"),
    ("validate_message", "", "answered '', expected an iterable of Problem"),
    ("validate_message", {}, "answered {}, expected an iterable of Problem"),
    ("validate_message", True, "answered True, expected an iterable of Problem"),
    ("validate_message", ["too long"], "answered 'too long', expected an iterable of Problem"),
    ("validate_message", [None], "answered None, expected an iterable of Problem"),
    ("transform_payload", {"to": "x"}, "answered {'to': 'x'}, expected no answer"),
    ("transports", None, "answered None, expected an iterable of transport classes"),
    ("transports", Pigeon, "expected an iterable of transport classes"),
    ("transports", [Pigeon()], "expected the transport's class itself, without ()"),
    ("transports", [Nameless], 'Nameless\'> has no name; set its "name" to a text'),
    ("transports", [NoSettings], "NoSettings has no class Settings"),
    ("transports", [Mistyped], "Mistyped is HttpTransport[dict], but its Settings are CarrierSet"),
    (
        "transports",
        [MistypedCarrier],
        "MistypedCarrier is Family[OtherSettings], but its Setting",
    ),
    ("transports", [MistypedByInheritance], "is Family[CarrierSettings], but its Settings are Oth"),
    ("transports", [NoSend], "NoSend'> has no method send"),
    ("transports", [OnlyDerived], "OnlyDerived'> has no method build"),
    ("engines", None, "answered None, expected an iterable of engines"),
    ("engines", OneByOne(), "expected an iterable of engines"),
    ("engines", [OneByOne], "expected an instance; forgotten ()?"),
    ("engines", [object()], "has no name"),
    ("engines", [NoRun()], "has no method run"),
    ("engines", [OnlyDerivedEngine()], "has no method run"),
    ("commands", None, "answered None, expected an iterable of click.Command"),
    ("commands", click.Command("moo"), "expected an iterable of click.Command"),
    ("commands", [print], "answered <built-in function print>, expected an iterable of click.C"),
    ("commands", [click.Command(None)], "has no name"),
]


@cases("carrier", Carrier, SpecialCarrier)
def test_settings_may_be_narrower_than_the_type_of_the_base(carrier: Any) -> None:
    assert one(transports=lambda: [carrier]).transports()["carrier"] is carrier


@cases("hook, answer, text", *NONSENSE)
def test_a_nonsense_answer_is_named(hook: str, answer: object, text: str) -> None:
    with pytest.raises(PluginError) as raised:
        CALLS[hook](one(**{hook: lambda: answer}))
    assert str(raised.value).startswith(f'plugin "utm" failed in dispatcher_{hook}: ')
    assert text in str(raised.value)


def test_a_decorated_generator_is_found_out_by_its_answer() -> None:
    def generate() -> Iterator[None]:
        yield

    found = one(transform_payload=lambda payload: generate())
    with pytest.raises(PluginError, match=r"answered <generator .*, expected no answer"):
        found.transform_payload(b"{}", MESSAGE)


def test_a_payload_that_cannot_be_posted_is_blamed_on_who_left_it() -> None:
    found = one(transform_payload=lambda payload: payload.update(tags={"a"}))
    with pytest.raises(PluginError, match=r'"utm" failed in .*set is not JSON serializable'):
        found.transform_payload(b"{}", MESSAGE)


# Choosing by name


def test_transports_engines_and_commands_by_name() -> None:
    engine, moo = OneByOne(), click.Command("moo")
    found = one(
        transports=lambda: iter([Pigeon]), engines=lambda: (engine,), commands=lambda: [moo]
    )
    assert found.transports() == {"pigeon": Pigeon}
    assert found.transport("pigeon") is Pigeon
    assert found.engines() == {"one-by-one": engine}
    assert found.engine("one-by-one") is engine
    assert found.commands() == [moo]


@cases(
    "name, text",
    ("pigoen", 'no transport named "pigoen"; did you mean "pigeon"?'),
    ("greenapi", 'no transport named "greenapi"; installed: pigeon'),
)
def test_an_unknown_transport(name: str, text: str) -> None:
    with pytest.raises(PluginError) as raised:
        one(transports=lambda: [Pigeon]).transport(name)
    assert str(raised.value) == text


def test_an_unknown_engine() -> None:
    with pytest.raises(PluginError, match=r'^no engine named "celery"; installed: none$'):
        build_registry(third_party=False).engine("celery")


@cases(
    "hook, offer, what",
    ("transports", Pigeon, 'transport named "pigeon"'),
    ("engines", OneByOne(), 'engine named "one-by-one"'),
    ("commands", click.Command("moo"), 'command named "moo"'),
)
def test_two_offers_of_one_name(install: Install, hook: str, offer: object, what: str) -> None:
    install(
        "loft",
        f"""
        from dispatcher import hookimpl
        offer = None

        @hookimpl
        def dispatcher_{hook}():
            return [offer]
        """,
    )
    found = build_registry([("birds", plugin(**{hook: lambda: [offer]}))])
    sys.modules["fake_loft"].offer = offer
    with pytest.raises(PluginError) as raised:
        CALLS[hook](found)
    assert str(raised.value) == (
        f'plugin "loft" (fake-loft 0.1.0) and plugin "birds" (built in) both offer a {what}; '
        "go on without one of them: --without NAME"
    )
    assert [each.status for each in found.plugins] == ["active", "active"]


def test_one_plugin_with_two_offers_of_one_name() -> None:
    with pytest.raises(PluginError, match='plugin "utm" and plugin "utm" both offer'):
        one(transports=lambda: [Pigeon, Pigeon]).transports()


# how a hook changes


def test_an_old_style_plugin_keeps_working_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument that is to go stays in the specification, marked so, until it is gone."""
    spec = hookspecs.dispatcher_validate_message.dispatcher_spec
    advice = 'the argument "attachment" will be gone in 2.0; ask message.media'
    deprecated = {"attachment": DeprecationWarning(advice)}
    monkeypatch.setitem(spec, "warn_on_impl_args", deprecated)

    class Old:
        @hookimpl
        def dispatcher_validate_message(
            self, message: Message, attachment: object
        ) -> list[Problem]:
            return [Problem(message=f"{message.id} has {attachment}")]

    class New:
        @hookimpl
        def dispatcher_validate_message(self, message: Message) -> None:
            """It has nothing to say, and nothing to be warned of."""

    registry = several(old=Old(), new=New())
    assert {str(each): each.warnings for each in registry.plugins} == {
        'plugin "new"': (),
        'plugin "old"': (advice,),
    }
    (problem,) = registry.validate_message(MESSAGE, None)
    assert problem.message.endswith("has None (old)")


def test_a_module_whose_class_has_the_hooks_is_told_how_to_name_it(install: Install) -> None:
    install(
        "words",
        """
        from dispatcher import hookimpl

        class Words:
            @hookimpl
            def dispatcher_validate_message(self, message):
                return []
        """,
    )
    (words,) = [each for each in build_registry().plugins if each.name == "words"]
    assert "its class Words does: name it in the entry point" in words.error
