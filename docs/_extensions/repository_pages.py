"""Pages whose text is elsewhere in the repository, and links that lead there.

A page that consists of an `include` block shows another file. Links are written for whoever reads
the repository: they lead from file to file. On the site, one to a file that a page shows leads to
that page, any other one to a copy of the file.
"""

import os
import re
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_INCLUDE = re.compile(r"^```\{include\} (\S+)\n```$", re.MULTILINE)
_LINK = re.compile(r"(\]\()(?!https?:|#)([^)#\s]+)")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", _read)
    # Drawn where the repository is shown; here it reads well as it is written.
    app.add_lexer("mermaid", TextLexer)
    return {"parallel_read_safe": True}


def shown_on_pages() -> dict[Path, Path]:
    """Return the files that pages consist of, each with its page."""
    shown = {page: page for page in DOCS.rglob("*.md")}
    for page in list(shown):
        for name in _INCLUDE.findall(page.read_text(encoding="utf-8")):
            shown[_resolved(page, name)] = page
    examples = ROOT / "manifests"
    shown[examples] = DOCS / "examples.md"
    shown |= dict.fromkeys(examples.glob("*.toml"), DOCS / "examples.md")
    return shown


def _resolved(file: Path, link: str) -> Path:
    return Path(os.path.normpath(file.parent / link))


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(name))
    shown = shown_on_pages()

    def linked(text: str, origin: Path) -> str:
        def target(found: re.Match[str]) -> str:
            file = _resolved(origin, found[2])
            return found[1] + os.path.relpath(shown.get(file, file), page.parent)

        return _LINK.sub(target, text)

    def included(found: re.Match[str]) -> str:
        file = _resolved(page, found[1])
        app.env.note_dependency(str(file))
        return linked(file.read_text(encoding="utf-8"), file)

    source[0] = _INCLUDE.sub(included, linked(source[0], page))
