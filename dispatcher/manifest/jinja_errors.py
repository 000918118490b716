"""What Jinja2 says of a template that it cannot compile → what to write instead."""

from __future__ import annotations

import re
from ast import literal_eval

from dispatcher.manifest.limits import RenderError
from dispatcher.names import did_you_mean
from dispatcher.visible import code_point, quoted

_LONGEST = 24  # characters of the template that are shown

# How what it says begins, as a pattern → the sentence; `{0}`: what a group of it matched.
_SENTENCES = {
    r"unexpected '.', expected '(.)'": "a {0} is missing",
    r"expected token ':', got": "a brace too many; a variable is {{{{ name }}}}",
    r"expected token 'name'": "a name is missing after | or .",
    r"Expected an expression": "between {{{{ and }}}} a name is missing",
    r"unexpected 'end of": "something is missing at the end of the braces",
    r"expected token '.*', got '='": "= compares nothing here; write ==",
    r"expected token 'end of print statement'": "in {{{{ }}}} stands a name, and filters after |",
    r"Encountered unknown tag '(?:elseif|elsif)'": "write elif, not elseif",
    r"Encountered unknown tag 'end'": "write {{% endif %}} or {{% endfor %}}, not {{% end %}}",
    r"Encountered unknown tag 'end(if|for)'": "{{% end{0} %}} has no {{% {0} … %}} before it",
    r"Encountered unknown tag '(\w+)'": "{{% {0} %}} is no statement; write {{{{ {0} }}}}",
    r"Unexpected end of template.* is '(\w+)'": "{{% {0} … %}} has no {{% end{0} %}}",
    r"Missing end of raw": "{{% raw %}} has no {{% endraw %}}",
    r"tag name expected": "{{% %}} is empty",
    r"Missing end of comment": '{{# has no #}}; to print it write {{{{ "{{#" }}}}',
    r"unexpected char '&'": "write and, not &",
    r"unexpected char '\?'": "there is no ? here; write {{{{ a if b else c }}}}",
    r"(\w+ cannot be used here.*)": "{0}",
    r"(a list can hold .*)": "{0}",
    r"unexpected char [\"']['\"]": "a text in the braces has no closing quote",
}


def fault(said: str, text: str, line: int) -> RenderError:
    """What is wrong with `text`, of which Jinja2 says something about a line."""
    kind = re.search(r"'end of (print statement|statement block)'", said)
    if kind and "expected" in said:
        opening, closing = ("{{", "}}") if kind[1] == "print statement" else ("{%", "%}")
        before = "\n".join(text.split("\n")[:line])
        start = before.rfind(opening)
        if closing not in before[start:]:
            shown = quoted(text[start:].split("\n")[0].rstrip(), _LONGEST)
            return RenderError(f"{shown} has no {closing}", text.count("\n", 0, start) + 1)
    return RenderError(_sentence(said, _rest(text, line)), line)


def _sentence(said: str, text: str) -> str:
    if said == "unexpected '}'" and (found := re.search(r"\{([{%])[^{}%\n]*\}(?!\})", text)):
        ends = "ends in one brace; write two" if found[1] == "{" else "ends without %; write %}"
        return f"{quoted(found[0], _LONGEST)} {ends}"
    if said.startswith("expected token 'end of print statement', got '") and (
        found := re.search(r"\{\{ *[^\W\d]\w*(?: +\w+)+ *\}\}", text)
    ):
        return f"{quoted(found[0], _LONGEST)}: a name has no spaces"
    if unknown := re.match(r"No (filter|test) named '(.*?)'", said):
        from dispatcher.manifest.jinja import FILTERS

        known = FILTERS if unknown[1] == "filter" else ()
        return f"no {unknown[1]} {quoted(unknown[2])}{did_you_mean(unknown[2], known)}"
    for pattern, sentence in _SENTENCES.items():
        if known_words := re.match(pattern, said, re.DOTALL):
            return sentence.format(*known_words.groups())
    if character := re.match(r"unexpected char ('.+?') at", said):
        return f"{code_point(literal_eval(character[1]))} has no place in the braces"
    return f"the template is not valid: {said[:1].lower()}{said[1:].rstrip('.')}"


def _rest(text: str, line: int) -> str:
    """The text from a line on."""
    return "\n".join(text.split("\n")[line - 1 :])
