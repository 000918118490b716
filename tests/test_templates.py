"""Templates: what works, what is refused, and that none can hurt."""

import json
import subprocess
import sys
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.manifest.limits import MAX_WORK
from dispatcher.manifest.templates import Renderer, RenderError, is_template, not_filled_in
from tests.support.cases import cases

VARIABLES: dict[str, Any] = {
    "name": "Ann",
    "city": "нижний новгород",
    "n": 7,
    "half": 0.5,
    "yes": True,
    "nothing": None,
    "empty": "",
    "day": date(2026, 1, 31),
    "items": ["b", "a", "c"],
    "order": {"items": ["x"], "total": 10, "get": "a key"},
    "people": [{"name": "Eve", "age": 3}, {"name": "Bob", "age": 5}],
    "markup": "<b> {{ name }} %s {0}",
}


@cases(
    "text, rendered",
    ("no template", "no template"),
    ("{ } {name} }} %}", "{ } {name} }} %}"),
    ("Hi {{ name }}!", "Hi Ann!"),
    ("{{name}}{{ name }}{{  name  }}", "AnnAnnAnn"),
    ("{{ n }} {{ half }} {{ yes }} {{ day }}", "7 0.5 True 2026-01-31"),
    ("{{ empty }}", ""),
    ("{{ markup }}", "<b> {{ name }} %s {0}"),
    ("a\n{{ name }}\n", "a\nAnn\n"),
    ("a\r\n{{ name }}\r\n", "a\nAnn\n"),
    ("{# a remark #}{{ name }}", "Ann"),
    ("{% raw %}{{ name }}{% endraw %}", "{{ name }}"),
    ('{{ "{{" }}', "{{"),
    ("{{ name | upper }} {{ city | title }}", "ANN Нижний Новгород"),
    ("{{ name.upper() }} {{ city.split()[0] }}", "ANN нижний"),
    ("{{ city[0:3] }}{{ city[-1] }}", "нижд"),
    ("{{ missing | default('friend') }}", "friend"),
    ("{{ empty | default('friend', true) }}", "friend"),
    ("{{ nothing | default('friend', true) }}", "friend"),
    ("{{ items | join(', ') }}", "b, a, c"),
    ("{{ items | sort | first }}{{ items | last }}{{ items | length }}", "ac3"),
    ("{{ people | map(attribute='name') | join('+') }}", "Eve+Bob"),
    ("{{ people | join('+', attribute='name') }}", "Eve+Bob"),
    ("{{ people | sum(attribute='age') }}", "8"),
    ("{{ people | selectattr('age', 'gt', 4) | map(attribute='name') | first }}", "Bob"),
    ("{{ order.total }} {{ order['total'] }}", "10 10"),
    ("{{ order.items | first }} {{ order.get }}", "x a key"),
    ("{% for k, v in people[0].items() %}{{ k }}={{ v }};{% endfor %}", "name=Eve;age=3;"),
    ("{% for i in items %}{{ loop.index }}{{ i }}{% endfor %}", "1b2a3c"),
    ("{% for i in items if i != 'a' %}{{ i }}{% endfor %}", "bc"),
    ("{% for i in [] %}{% else %}none{% endfor %}", "none"),
    ("{% if n > 5 and yes %}many{% elif n %}few{% else %}none{% endif %}", "many"),
    ("{% if missing is defined %}a{% else %}b{% endif %}", "b"),
    ("{{ 'a' if 'x' in order.items else 'b' }}{{ 'c' if n > 9 }}", "a"),
    ("{{ n + 1 }} {{ n * 2 }} {{ n // 2 }} {{ n % 4 }} {{ n / 2 }} {{ -n }}", "8 14 3 3 3.5 -7"),
    ("{{ name + '!' }} {{ name ~ n ~ half }}", "Ann! Ann70.5"),
    ("{{ (items + ['d']) | join }}", "bacd"),
    ("{{ 3.14159 | round(2) }} {{ '5' | int + 1 }} {{ -3 | abs }}", "3.14 6 3"),
    ("{{ city | replace('н', 'Н') | truncate(9, leeway=0) }}", "НижНий..."),
    (
        "{{ city | urlencode }}",
        "%D0%BD%D0%B8%D0%B6%D0%BD%D0%B8%D0%B9%20%D0%BD%D0%BE%D0%B2%D0%B3%D0%BE%D1%80%D0%BE%D0%B4",
    ),
    ("{{ [1, 2, 2] | unique | join }} {{ (3, 1) | max }}", "12 3"),
    ("{% if {'a': 1}.a == 1 %}ok{% endif %}", "ok"),
)
def test_what_works(text: str, rendered: str) -> None:
    assert Renderer().render(text, VARIABLES) == rendered


UNKNOWN_A = [
    *("{{ 1 + a }}", "{{ 'x' ~ a }}", "{{ a() }}", "{% for i in a %}{% endfor %}"),
    *("{% if a %}{% endif %}", "{% if a == 1 %}{% endif %}"),
]
STATEMENTS = {
    "set": "{% set x = 1 %}",
    "include": "{% include 'x' %}",
    "import": "{% import 'x' as x %}",
    "extends": "{% extends 'x' %}",
    "block": "{% block x %}{% endblock %}",
    "macro": "{% macro x() %}{% endmacro %}",
    "filterblock": "{% filter upper %}{% endfilter %}",
    "with": "{% with %}{% endwith %}",
    "for": "{% for i in items recursive %}{% endfor %}",
    "pow": "{{ 2 ** 9 }}",
}


@cases(
    "text, sentence",
    ("{{ nam }}", 'unknown variable "nam"; did you mean "name"?'),
    ("{{ nam | upper }}", 'unknown variable "nam"; did you mean "name"?'),
    ("{{ NAME }}", 'unknown variable "NAME"; did you mean "name"?'),
    ("{{ a + 1 }}", 'unknown variable "a"; known here: city, day, empty, half, items'),
    *((text, 'unknown variable "a"; known here') for text in UNKNOWN_A),
    ("{{ order.sum }}", 'there is no "sum" in this value'),
    ("{{ order['sum'] }}", 'there is no "sum" in this value'),
    ("{{ items[3] }}", 'there is no "3" in this value'),
    ("{{ name.x.y }}", 'there is no "x" in this value'),
    ("{{ people | map(attribute='x') | join }}", 'there is no "x" in this value'),
    ("{{ nothing }}", "an empty value (none); use |default('…', true)"),
    ("{{ name ~ nothing }}", "an empty value (none); use |default('…', true)"),
    ("{{ items }}", "a list or table is no text; use |join(', ')"),
    ("{{ 'x' ~ order }}", "a list or table is no text"),
    ("{{ people | join }}", "a list or table is no text"),
    ("{{ name.upper }}", "a list or table is no text"),
    ("{{ first name }}", '"{{ first name }}": a name has no spaces'),
    ("{{ name", '"{{ name" has no }}'),
    ("{{ }}", "between {{ and }} a name is missing"),
    ("{% if name %}", "{% if … %} has no {% endif %}"),
    ("{% wenn name %}", "{% wenn %} is no statement; write {{ wenn }}"),
    ("№ {#5", '{# has no #}; to print it write {{ "{#" }}'),
    ("{{ name | uper }}", 'no filter "uper"; did you mean "upper"?'),
    ("{{ name is strange }}", 'no test "strange"'),
    ("{{ name | tojson }}", 'no filter "tojson"'),
    ("{{ name * 2 }}", "* is for numbers; ~ puts texts together"),
    ("{{ name + 2 }}", "+ is for numbers; ~ puts texts together"),
    ("{{ '%s' % name }}", "% is for numbers; ~ puts texts together"),
    ("{{ n / 0 }}", "the template divides by zero"),
    ("{{ name | abs }}", "a filter or operator does not fit this value"),
    ("{{ n < name }}", "a filter or operator does not fit this value"),
    ("{% for i in n %}{% endfor %}", "a filter or operator does not fit this value"),
    ("{{ name.center(5) }}", "center() cannot be used in a template"),
    ("{{ n() }}", "this() cannot be used in a template"),
    ("{{ range(3) }}", 'unknown variable "range"'),
    *((text, f"{name} cannot be used here") for name, text in STATEMENTS.items()),
    ("{{ [name, name] }}", "a list can hold plain values only"),
)
def test_what_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(RenderError) as error:
        Renderer().render(text, VARIABLES)
    assert str(error.value)[: len(sentence)] == sentence


@cases(
    "text, line",
    ("{{ x }}", 1),
    ("\n\n{{ x }}", 3),
    ("\r\n\r\n{{ x }}", 3),
    ("{{ name }}\n{{ name | upper }}\n{{ x }}\n", 3),
    ("{% for i in items %}\n{{ i }}\n{{ x }}{% endfor %}", 3),
    ("\n{{ items\n| join(x) }}", 3),
    ("\n{{ items }}", 2),
    ("\n\n{{ name name }}", 3),
    ("\n{{ name | uper }}", 2),
    ("\n{% for i in items %}\n{{ i.x }}{% endfor %}", 3),
)
def test_the_line_of_a_fault(text: str, line: int) -> None:
    with pytest.raises(RenderError) as error:
        Renderer().render(text, VARIABLES)
    assert error.value.line == line


# ------------------------------------------------------------------------------------ the fast path

NAMES = st.sampled_from(["a", "b", "_c1", "true", "self", "loop", "for", "not", "x²", "имя", "ﬁ"])
VALUES = st.one_of(
    st.text(max_size=10),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
    st.lists(st.integers(), max_size=2),
)
PIECES = st.one_of(
    NAMES.map("{{{{ {} }}}}".format),
    NAMES.map("{{{{{}}}}}".format),
    st.sampled_from(
        ["{{ a|upper }}", "{{\ta }}", "{{- a }}", "{# a #}", "{", "}", "{{", "}}", "\r"]
    ),
    st.text(max_size=10),
)


@given(st.lists(PIECES, max_size=6).map("".join), st.dictionaries(NAMES, VALUES, max_size=6))
def test_the_fast_path_gives_what_jinja_gives(text: str, variables: dict[str, Any]) -> None:
    renderer = Renderer()
    assert _outcome(renderer.render, text, variables) == (
        _outcome(renderer._render, text, variables) if is_template(text) else text
    )


@given(st.lists(st.sampled_from(["{{ a }}", "{{b}}", "{{ _c1 }}", "x}"]), min_size=1).map("/".join))
def test_simple_templates_take_the_fast_path(text: str) -> None:
    """Otherwise the test above would compare Jinja2 with itself."""
    renderer = Renderer()
    assert "{" not in renderer.render(text, {"a": "x", "b": 1, "_c1": ""})
    assert "_environment" not in vars(renderer)  # it is made where it is needed


def _outcome(render: Any, text: str, variables: dict[str, Any]) -> str:
    try:
        return str(render(text, variables))
    except RenderError as error:
        return f"{error.line}: {error}"


WORDS = """\
{{ }} {% %} {# #} a items order | ~ + * . [ ] ( ) 1 'x' if for in else endif endfor elif is not and
join map upper default sort __class__ loop self recursive raw endraw - , = : ==
""".split()


@given(
    st.text(st.sampled_from("{}%#|'\"ab.[]() \n-+~,:123ifforendin")),
    st.lists(st.sampled_from(WORDS), max_size=30),
)
def test_any_text_renders_or_is_refused(text: str, words: list[str]) -> None:
    text += " ".join(words)
    try:
        Renderer().render(text, VARIABLES)
    except RenderError as error:
        lines = text.count("\n") + 1
        if not (str(error) and 1 <= error.line <= lines):
            raise AssertionError(f"line {error.line} of {lines}: {error}") from error


# ---------------------------------------------------------------------------------------- attacks

ESCAPES = """\
{{ name.__class__ }}
{{ name['__class__'] }}
{{ name.__class__.__mro__[1].__subclasses__() }}
{{ name.upper.__self__ }}
{{ name.format.__globals__ }}
{{ name.format(name) }}
{{ '{0.__class__}'.format(name) }}
{{ '{0.__class__}'.format_map(order) }}
{{ name | attr('__class__') }}
{{ name | map('__class__') | list | string }}
{{ order.__init__ }}
{{ order.items.__class__ }}
{{ n.__class__ }}
{{ n.to_bytes(99) }}
{{ n.real.__class__ }}
{{ day.__reduce__() }}
{{ day.strftime('%Y') }}
{{ nothing.__class__ }}
{{ missing.__class__ }}
{{ self }}
{{ self.__init__.__globals__ }}
{{ self._TemplateReference__context }}
{{ loop.__class__ }}
{% for i in items %}{{ loop._iterator }}{% endfor %}
{% for i in items %}{{ loop.__init__.__globals__ }}{% endfor %}
{% for i in items %}{{ loop(items) }}{% endfor %}
{{ cycler.__init__.__globals__.os }}
{{ lipsum.__globals__ }}
{{ namespace() }}
{{ dict() }}
{{ joiner() }}
{{ config }}
{{ request }}
{{ context }}
{{ environment }}
{{ caller() }}
{{ varargs }}
{{ super() }}
{{ get_flashed_messages.__globals__ }}
{{ ().__class__.__base__ }}
{{ [].__class__ }}
{{ {}.__class__ }}
{{ ''.__class__ }}
{{ (1).__class__ }}
{{ items.append(1) }}
{{ items.pop() }}
{{ order.update(a=1) }}
{{ order.pop('total') }}
{{ name.encode() }}
{{ name.join(items) }}
{{ name.zfill(9) }}
{{ name | safe }}
{{ name | pprint }}
{{ name | random }}
{{ name | xmlattr }}
{{ name | filesizeformat }}
{{ items | batch(2) }}
{{ name | center(99) }}
{{ name | indent(99) }}
{{ name | format(1) }}
{% do items.append(1) %}
{% call name() %}{% endcall %}
{% autoescape true %}{% endautoescape %}
{% trans %}{% endtrans %}
{% debug %}
{% continue %}
{% set ns.x = 1 %}
"""


@pytest.mark.parametrize("text", ESCAPES.splitlines())
def test_no_way_out_of_the_sandbox(text: str) -> None:
    with pytest.raises(RenderError):
        Renderer().render(text, VARIABLES)


def test_data_are_not_changed() -> None:
    before = json.dumps(VARIABLES, default=str)
    for text in ESCAPES.splitlines():
        with pytest.raises(RenderError):
            Renderer().render(text, VARIABLES)
    assert json.dumps(VARIABLES, default=str) == before


# Expressions for a template and its variables; each runs in the process below. They would take
# hours, or gigabytes, without a limit; or just as much as the limit lets them.
ATTACKS = """\
"{% for a in x %}{% for b in x %}{{ s|upper|lower|length }}{% endfor %}{% endfor %}", {"x": [0] * 100, "s": "ж" * 100_000}
"{% for a in s %}" * 18 + "{% endfor %}" * 18, {"s": "a" * 100_000}
"{% for a in s %}" * 18 + "{{ loop.length }}" + "{% endfor %}" * 18, {"s": "a" * 100_000}
"{% for a in s %}{{ loop.revindex }}{% endfor %}", {"s": "a" * 100_000}
"{% for a in s %}{{ 'x' * 0 }}{% endfor %}", {"s": "a" * 100_000}
"{% for a in x %}{% if 7 in y %}{% endif %}{% endfor %}", {"x": [0] * 9999, "y": [0.5] * 100_000}
"{% for a in x %}{% if y == z %}{% endif %}{% endfor %}", {"x": [0] * 9999, "y": [0] * 100_000, "z": [0] * 100_000}
"{% for a in x %}{% if s[1:] %}{% endif %}{% endfor %}", {"x": [0] * 9999, "s": "a" * 10_000_000}
"{% for a in x if y == z %}{% endfor %}", {"x": [0] * 9999, "y": "a" * 1_000_000, "z": "a" * 999_999 + "a"}
"{{ 1|round(1000000000, 'ceil') }}", {}
"{{ 5|round(-1000000000) }}", {}
"{{ 'a' * 1000000000 }}", {}
"{{ [0] * 1000000000 }}", {}
"{{ " + "9999999999*" * 900 + "9 }}", {}
"{{ n * n // m }}", {"n": 1 << 30_000_000, "m": 1 << 14_000_000}
"{{ n is divisibleby(m) }}", {"n": 1 << 30_000_000, "m": (1 << 14_000_000) + 1}
"{{ s|int(0, 16) // t|int(0, 16) }}", {"s": "f" * 5_000_000, "t": "f" * 2_500_000}
"{{ s|int(0, 16) // t|int(0, 16) }}", {"s": "f" * 150_000, "t": "f" * 70_000}
"{{ s|int }}", {"s": "9" * 290_000}
"{{ s|replace('', t)|length }}", {"s": "a" * 100_000, "t": "b" * 100_000}
"{{ s|replace('a', t)|replace('b', s) }}", {"s": "a" * 300, "t": "b" * 300}
"{{ x|join(s) }}", {"s": "a" * 100_000, "x": [0] * 100_000}
"{{ x|sum(start=[])|length }}", {"x": [[1]] * 100_000}
"{{ s.split('a')|length }}", {"s": "ab" * 5_000_000}
"{{ s.split('a')|length }}", {"s": "ab" * 140_000}
"{{ s.split(t)|length }}", {"s": "a" * 149_000, "t": "a" * 70_000 + "b"}
"{{ s.strip(t)|length }}", {"s": "ж" * 149_000, "t": "ы" * 149_000 + "ж"}
"{{ s|trim(t)|length }}", {"s": "ж" * 149_000, "t": "ы" * 149_000 + "ж"}
"{{ s|wordcount }}", {"s": "a " * 5_000_000}
"{{ s|title|length }}", {"s": "a " * 149_000}
"{{ s|urlencode|length }}", {"s": "ж" * 299_000}
"{{ s|e|e|e|e|e|e|e|length }}", {"s": "&" * 40_000}
"{{ s|list|map('list')|map('first')|join|length }}", {"s": "a" * 40_000}
"{{ x|map('default', x, true)|map('default', x, true)|list|string|length }}", {"x": [0] * 500}
"{{ x|map(attribute='" + "0." * 14_000 + "0')|list|length }}", {"x": ["a"] * 100_000}
"{{ x|map(attribute='" + "0." * 50 + "0')|list|length }}", {"x": ["a"] * 50_000}
"{{ x|sort(attribute='" + ",".join(["0"] * 5_000) + "')|length }}", {"x": ["a"] * 20_000}
"{{ x|unique|list|length }}", {"x": [(2**61 - 1) * i for i in range(8)] * 12_000}
"{{ x|unique|list|length }}", {"x": [(2**61 - 1) * i for i in range(60_000)]}
"{{ x|unique|list|length }}", {"x": [i << 40 for i in range(100_000)]}
"{{ x|sort|length }}", {"x": ["a" * 1_000 + str(i) for i in range(280)]}
"{{ x|sort|length }}", {"x": [["a"] * 100 + [i] for i in range(900)]}
"{{ x|groupby('a')|length }}", {"x": [{"a": i} for i in range(100_000)]}
"{{ x|string|length }}", {"x": [[0] * 1_000] * 10_000}
"{{ x|string|length }}", {"x": __import__("json").loads("[" * 900 + "]" * 900)}
"{{ x == y }}", {name: __import__("json").loads("[" * 900 + "]" * 900) for name in "xy"}
"{{ x|map('upper')|join }}", {"x": ["a"] * 1_000_000}
"{{ " + " ~ ".join(["s"] * 1_000) + " }}", {"s": "a" * 1_000_000}
"{{ " + " + ".join(["s"] * 100) + " }}", {"s": "a" * 1_000_000}
"{{ s }}" * 3_000, {"s": "a" * 10_000}
"{{ s }}", {"s": "a" * 20_000_000}
"{{ s|upper }}", {"s": "a" * 20_000_000}
"{{ d|dictsort|length }}", {"d": {str(i): i for i in range(50_000)}}
"{{ d.get('1') }}" * 1_000, {"d": {str(i): i for i in range(50_000)}}
"x" * 10_000_000 + "{{ a|upper }}", {"a": 1}
"{{ a }}" * 100_000, {"a": 1}
"{{ a }}" * 4_000 + "{{ a|upper }}", {"a": 1}
"{{ a" + "<a" * 14_900 + " }}", {"a": 1}
"{{ a" + "~a" * 14_900 + " }}", {"a": "b"}
"{{ a" + "|e" * 14_000 + " }}", {"a": "b"}
"{{ a" + "[0]" * 9_000 + " }}", {"a": "b"}
"{{ a" + ".b" * 14_000 + " }}", {"a": {}}
"{{ [" + "1," * 14_000 + "]|length }}", {}
"{{ " + "(" * 14_000 + "1" + ")" * 14_000 + " }}", {}
"{{ " + "[" * 14_000 + "]" * 14_000 + " }}", {}
"{{ " + "not " * 7_000 + "1 }}", {}
"{{ " + "-" * 29_000 + "1 }}", {}
"{{ " + "1 and " * 4_900 + "1 }}", {}
"{{ " + "1 if 1 else " * 2_400 + "1 }}", {}
"{{ " + "9" * 29_000 + " }}", {}
"{% if a %}" * 900 + "{% endif %}" * 900, {"a": 1}
"{% if a %}x" + "{% elif a %}" * 2_400 + "{% endif %}", {"a": 0}
"{% for a in x %}" * 1_000 + "{% endfor %}" * 1_000, {"x": [0]}
"{% for a in x %}{% endfor %}" * 1_000, {"x": [0] * 1_000}
"{%- if a -%}" + " " * 29_000 + "{%- endif -%}", {"a": 1}
"{#" * 14_000, {}
"{{" * 14_000, {}
"{% raw %}" + "{{" * 14_000, {}
"{{ '" + "\\\\" * 14_000 + "x }}", {}
"""  # noqa: E501

RUN = """
import json, sys, time
from dispatcher.manifest.templates import Renderer, RenderError

for line in sys.stdin:
    text, variables = eval(line)
    renderer = Renderer()
    started = time.process_time()
    try:
        outcome = f"{len(renderer.render(text, variables))} characters"
    except RenderError as error:
        outcome = str(error)
    seconds = time.process_time() - started
    del text, variables, renderer
    # Not ru_maxrss: a child inherits that of the process that started it.
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    print(json.dumps([seconds, peak, outcome]), flush=True)
"""


@pytest.fixture(scope="module")
def attacked() -> list[tuple[float, float, str]]:
    """How each attack ended: seconds, megabytes at the most until then, and what came of it."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            output, _ = process.communicate(ATTACKS, timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    return [tuple(json.loads(line)) for line in output.splitlines()]


@pytest.mark.parametrize("number", range(len(ATTACKS.splitlines())))
def test_every_attack_ends_soon(attacked: list[tuple[float, float, str]], number: int) -> None:
    attack = ATTACKS.splitlines()[number][:100]
    assert number < len(attacked), f"hangs, or an attack before it: {attack}"
    seconds, megabytes, outcome = attacked[number]
    assert seconds < 2, attack
    assert megabytes < 200, attack
    assert "MemoryError" not in outcome, attack


def test_a_template_that_takes_too_long_is_not_tried_with_every_row() -> None:
    text = "{% for a in s %}{% for b in s %}{% endfor %}{% endfor %}"
    renderer = Renderer()
    for s in ("a" * 1000, "a"):
        with pytest.raises(RenderError, match="the template takes too long"):
            renderer.render(text, {"s": s})
    assert Renderer().render(text, {"s": "a"}) == ""


def test_an_ordinary_long_text_is_far_from_the_limits() -> None:
    """As much as a message can hold, with something to do for each of its lines."""
    orders = [{"name": f"tulips no. {number}", "price": number / 4} for number in range(100)]
    line = "{{ loop.index }}. {{ o.name | title | truncate(30) }}: {{ o.price | round(2) }}"
    text = f"Dear {{{{ name }}}},\n{{% for o in orders if o.price > 1 %}}{line}\n{{% endfor %}}"
    text += "{{ orders | sum(attribute='price') }}"
    renderer = Renderer()
    rendered = renderer.render(text, {"orders": orders, "name": "Ann"})
    assert 2000 < len(rendered) < 4096
    assert renderer._budget._left > MAX_WORK * 0.8


@cases(
    "text, written",
    ("Hi {name}", "{name}"),
    ("Hi ${name}!", "${name}"),
    ("Hi $name", "$name"),
    ("Hi %name%", "%name%"),
    ("Hi {{ name }}", None),
    ("{other} costs $5, 100% name", None),
    ("{% if name %}{{name}}{% endif %}", None),
)
def test_names_as_other_programs_write_them(text: str, written: str | None) -> None:
    assert not_filled_in(text, {"name": "Ann"}) == written
