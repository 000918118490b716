"""The preview shows the files that were checked, and no others that lie at their names."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.support.project import Project, text

PNG = b"\x89PNG\r\n\x1a\n" + b"checked " * 20
SECRET = b"\x89PNG\r\n\x1a\n" + b"private " * 20


def link(file: Path, secret: Path) -> None:
    file.unlink()
    file.symlink_to(secret)


def pipe(file: Path, secret: Path) -> None:
    file.unlink()
    os.mkfifo(file)


CHANGES: dict[str, Callable[[Path, Path], object]] = {
    "rewritten": lambda file, secret: file.write_bytes(SECRET),
    "replaced": lambda file, secret: secret.replace(file),
    "linked": link,
    "a pipe": pipe,
    "deleted": lambda file, secret: file.unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_file_at_the_name_of_a_checked_one_is_not_shown(
    project: Project, tmp_path: Path, change: Callable[[Path, Path], object]
) -> None:
    project.manifest('[[messages]]\nid = "a"\nto = "79001234567"\nimage.source = "a.png"')
    file = project.write("manifests/a.png", PNG)
    (secret := tmp_path / "secret.png").write_bytes(SECRET)
    with project.preview() as address, requests.Session() as browser:
        page = browser.get(address, timeout=20).text
        (path,) = set(re.findall(r"/files/[0-9a-f]{64}", page))
        assert browser.get(address + path, timeout=20).content == PNG
        change(file, secret)
        answer = browser.get(address + path, timeout=20)
        assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("arguments", [["../shop"], ["--config", "../shop/dispatcher.toml"]])
def test_the_configuration_is_watched_where_it_was_found(
    project: Project, arguments: list[str]
) -> None:
    project.manifest(text(), "shop/manifests/m.toml")
    project.write("shop/dispatcher.toml", "")
    project.folder = project.folder / "elsewhere"
    project.folder.mkdir()
    with project.preview(*arguments) as address, requests.Session() as browser:
        assert "has changed" not in browser.get(address, timeout=20).text
        project.write("../shop/dispatcher.toml", "[delivery]\nworkers = 3")
        page = browser.get(address, timeout=20).text
        assert "dispatcher.toml has changed; start the preview again" in page
