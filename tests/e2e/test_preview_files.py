"""The preview shows the files that were checked, and no others that lie at their names."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.support.project import Project

MANIFEST = """
manifest = 1
[[messages]]
id = "a"
to = "79001234567"
image.source = "a.png"
"""
PNG = b"\x89PNG\r\n\x1a\n" + b"checked " * 20
SECRET = b"\x89PNG\r\n\x1a\n" + b"private " * 20


def rewrite(file: Path, secret: Path) -> None:
    file.write_bytes(SECRET)


def replace(file: Path, secret: Path) -> None:
    secret.replace(file)


def link(file: Path, secret: Path) -> None:
    file.unlink()
    file.symlink_to(secret)


def pipe(file: Path, secret: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def delete(file: Path, secret: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("change", [rewrite, replace, link, pipe, delete])
def test_another_file_at_the_name_of_a_checked_one_is_not_shown(
    project: Project, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    project.write("manifests/m.toml", MANIFEST)
    file = project.write("manifests/a.png", PNG)
    (secret := tmp_path / "secret.png").write_bytes(SECRET)
    with project.preview() as address, requests.Session() as browser:
        page = browser.get(address, timeout=20).text
        (path,) = set(re.findall(r"/files/[0-9a-f]{64}", page))
        assert browser.get(address + path, timeout=20).content == PNG
        change(file, secret)
        answer = browser.get(address + path, timeout=20)
        assert (answer.status_code, answer.content) == (404, b"")
