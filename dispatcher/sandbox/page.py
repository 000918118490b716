"""The page at `/`: says what this is and what can be asked; the inbox takes its place."""

from html import escape
from string import Template
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dispatcher.sandbox.openapi import describe

PAGE: Final = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sandbox</title>
<h1>A local Green API v1</h1>
<p>Nothing that is sent here reaches anybody.
What arrived is in <a href="/api/messages">/api/messages</a>.</p>
<table>$rows</table>
</html>
""")


async def show_page(request: Request) -> Response:
    """The page, made of the server's own description."""
    rows = "".join(
        f"<tr><td><code>{method.upper()} {escape(path)}</code><td>{escape(operation['summary'])}"
        for path, operations in describe()["paths"].items()
        for method, operation in operations.items()
    )
    return HTMLResponse(
        PAGE.substitute(rows=rows), headers={"Content-Security-Policy": "default-src 'none'"}
    )
