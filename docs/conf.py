"""How Sphinx makes the site and the man page of these pages: `make docs`."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "message-dispatcher"
author = "the message-dispatcher contributors"
copyright = author
version = release = metadata.version("message-dispatcher")

extensions = ["myst_parser", "repository_pages", "reference"]
exclude_patterns = ["_extensions"]
# The man page is a page of its own; on the site its text stands on those of the reference.
man = tags.has("man")  # type: ignore[name-defined]  # noqa: F821
if man:
    include_patterns = ["man.md"]
    root_doc = "man"
else:
    exclude_patterns += ["man.md"]
nitpicky = True
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
smartquotes = False

html_theme = "furo"
html_title = "message-dispatcher"
html_show_sphinx = False
html_copy_source = False
html_use_index = False
# Outputs have `…` where words differ each time; a lexer need not know what that is.
suppress_warnings = ["misc.highlighting_failure"]

man_pages = [
    ("man", "dispatcher", "sends the messages that TOML manifests define, once", author, 1)
]
