"""A message as a command that posts it again."""

from shlex import quote


def curl(url: str, body: str) -> str:
    """For a shell in which GREENAPI_TOKEN is set: the gateway's log of a token is no token."""
    return " \\\n  ".join(
        [
            f"curl {quote(f'{url}/v1/messages')}",
            '-H "Authorization: Bearer $GREENAPI_TOKEN"',
            "-H 'Content-Type: application/json'",
            f"--data-raw {quote(body)}",
        ]
    )
