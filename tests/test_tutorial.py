"""docs/tutorial.md, typed into a terminal from an empty folder."""

import socket
from pathlib import Path

from tests.support.git import AUTHOR
from tests.support.pages import assert_shows, commands, following
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
    (folder := tmp_path / "empty").mkdir()
    shop = folder / "shop"
    environment = {**AUTHOR, "BROWSER": "true", "XDG_STATE_HOME": str(tmp_path / "state")}
    with (
        following("docs/tutorial.md", languages=("console",), written={"8025": port}) as page,
        terminal(folder, environment) as first,
        terminal(folder, environment) as second,
    ):
        for block in page.steps():
            if block.language == "toml":
                assert (shop / MANIFEST).read_text(encoding="utf-8") == block.text
            elif block.language == "diff":
                edited(shop / MANIFEST, block.text)
            for command, output in commands(block.text) if block.language == "console" else ():
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
                if command == "dispatcher init shop":
                    file = shop / "dispatcher.toml"
                    file.write_text(file.read_text().replace("8025", port))
        second.interrupt()
