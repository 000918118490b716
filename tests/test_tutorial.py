"""docs/tutorial.md, typed into a terminal from an empty folder."""

import socket
from pathlib import Path

from tests.support.git import AUTHOR
from tests.support.pages import assert_shows, blocks_of, commands, read
from tests.support.terminal import terminal

MANIFEST = "manifests/welcome.toml"


def free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def edited(file: Path, difference: str) -> None:
    """Edit a file as the lines of a difference say."""
    old, new = (
        "".join(line[1:] for line in difference.splitlines(keepends=True) if line[0] == sign)
        for sign in "-+"
    )
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_tutorial_happens_as_it_is_written(tmp_path: Path) -> None:
    port = free_port()  # that of the page may be another program's on this machine
    page = read("docs/tutorial.md").replace("8025", port)
    (folder := tmp_path / "empty").mkdir()
    shop = folder / "shop"
    environment = {**AUTHOR, "BROWSER": "true", "XDG_STATE_HOME": str(tmp_path / "state")}
    typed = 0
    with terminal(folder, environment) as first, terminal(folder, environment) as second:
        for language, text in blocks_of(page):
            if language == "toml":
                assert (shop / MANIFEST).read_text(encoding="utf-8") == text
            elif language == "diff":
                edited(shop / MANIFEST, text)
            for command, output in commands(text) if language == "console" else ():
                match command:
                    case "dispatcher sandbox":
                        second.type("cd shop")
                        shown = second.start(f"{command} --port {port}", until=r"http://\S+")
                    case "dispatcher preview":
                        shown = first.start(command, until=r"http://\S+")
                        first.interrupt()
                    case _:
                        shown = first.type(command)
                assert_shows(output.rstrip("\n"), shown.rstrip("\n"))
                typed += 1
                if command == "dispatcher init shop":
                    file = shop / "dispatcher.toml"
                    file.write_text(file.read_text().replace("8025", port))
        second.interrupt()
    assert typed == page.count("\n$ ")
