"""The command line: `python -m dispatcher.sandbox`, and the project's `dispatcher sandbox`."""

import errno
import ipaddress
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from dispatcher.errors import ExitCode
from dispatcher.printing import print_line

STDIN: Final = 0


class CannotServe(click.ClickException):
    """The sandbox does not start; exits as for bad usage."""

    exit_code = ExitCode.USAGE


@click.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8025,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--token", help="The only token that is valid; any is, unless this is given.")
@click.option(
    "--max-messages",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Messages that are kept; the oldest go first.",
)
@click.option(
    "--storage",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that keeps the messages over restarts; the folder FILE-uploads keeps the uploads.",
)
@click.option(
    "--until-stdin-closes",
    is_flag=True,
    help="End with whoever holds the other end of standard input.",
)
def sandbox(
    host: str,
    port: int,
    token: str | None,
    max_messages: int,
    storage: Path | None,
    until_stdin_closes: bool,
) -> None:
    """A local Green API to try things on, until Ctrl-C.

    Nothing that is sent to it reaches anybody.
    """
    try:
        from dispatcher.sandbox.app import serve
        from dispatcher.sandbox.store import CannotStore
    except ModuleNotFoundError as missing:
        raise CannotServe(
            "the sandbox needs its extra: pip install 'message-dispatcher[sandbox]'"
        ) from missing
    if not is_loopback(host):
        print_line(
            f"sandbox: {host} can be reached from other machines, and has no password", err=True
        )
    watcher = threading.Thread(target=stop_at_end_of_input, daemon=True)

    def announce(url: str) -> None:
        print_line(f"sandbox: {url}")
        if until_stdin_closes:
            watcher.start()

    try:
        serve(host, port, token, max_messages, announce, storage=storage)
    except CannotStore as error:
        raise CannotServe(str(error)) from error
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        other = "; one may be running already, and --port 0 takes a free port" if taken else ""
        raise CannotServe(f"cannot listen on {host} port {port}: {why.lower()}{other}") from error


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def stop_at_end_of_input() -> None:
    """Wait for the end of standard input, then end this process as SIGTERM does."""
    with suppress(OSError):  # there is no standard input
        while os.read(STDIN, 65536):
            pass
    signal.raise_signal(signal.SIGTERM)
