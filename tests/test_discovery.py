"""Which files of a folder are manifests, and that nothing is left out in silence."""

import os
import socket
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from dispatcher import localfiles
from dispatcher.preview.watching import snapshot
from tests.support.cases import cases

MESSAGE = '\n[[messages]]\nid = "a"\nto = "79001234567"\ntext.body = "Hi"\n'


def decomposed(name: str) -> str:
    """The name as a Mac may write it."""
    return unicodedata.normalize("NFD", name)


def planned(project: Any, *arguments: str) -> list[str]:
    """The names of the manifests whose messages are planned."""
    result = project.call("plan", "--json", *arguments)
    assert result.code == 0, result.stderr
    return [line["key"].split("/")[1] for line in result.events("plan")]


def warnings(project: Any) -> list[str]:
    result = project.call("validate")
    assert result.code == 0, result.stdout
    return result.stdout.splitlines()


@pytest.fixture
def folder(project: Any) -> Path:
    project.manifest(MESSAGE, "manifests/first.toml")
    return Path(project.folder)


def test_a_linked_folder_is_read_like_any_other(project: Any, folder: Path) -> None:
    project.manifest(MESSAGE, "shared/second.toml")
    project.manifest(MESSAGE, "shared/below/third.toml")
    (folder / "manifests/shared").symlink_to("../shared")
    assert planned(project) == ["first", "third", "second"]
    assert warnings(project) == []


def test_a_folder_is_read_once_however_many_links_lead_to_it(project: Any, folder: Path) -> None:
    project.manifest(MESSAGE, "manifests/real/second.toml")
    (folder / "manifests/alias").symlink_to("real")
    (folder / "manifests/real/other").symlink_to("../alias")
    assert planned(project) == ["first", "second"]
    # The folder is called what it is called, not what a link to it is.
    project.write("manifests/real/bad.toml", "")
    assert project.call("validate").stdout.startswith("manifests/real/bad.toml:1:1: error")


def test_links_in_a_circle_end(project: Any, folder: Path) -> None:
    project.manifest(MESSAGE, "shared/second.toml")
    (folder / "manifests/shared").symlink_to("../shared")
    (folder / "shared/back").symlink_to("../manifests")
    assert planned(project) == ["first", "second"]


def test_a_link_to_a_folder_above_is_told_and_not_followed(project: Any, folder: Path) -> None:
    project.write("pyproject.toml", "[project]\n")
    (folder / "manifests/up").symlink_to("..")
    assert warnings(project) == [
        "manifests/up:1:1: warning: this link is not followed: it leads to a folder that it lies in"
        " itself"
    ]


def test_a_linked_folder_may_read_only_its_own_files(project: Any, folder: Path) -> None:
    project.manifest(MESSAGE.replace('body = "Hi"', 'file = "hi.txt"'), "shared/second.toml")
    project.manifest(MESSAGE.replace('body = "Hi"', 'file = "../no.txt"'), "shared/third.toml")
    project.write("shared/hi.txt", "Hi")
    project.write("no.txt", "Hi")
    (folder / "manifests/shared").symlink_to("../shared")
    (line,) = project.call("validate").stdout.splitlines()
    assert line.startswith("manifests/shared/third.toml:6:13: error: ")
    assert '"../no.txt" is outside the manifests\' folder' in line


def test_a_file_has_its_own_name_and_not_that_of_a_link(project: Any, folder: Path) -> None:
    (folder / "manifests/alias.toml").symlink_to("first.toml")
    (folder / "manifests/zeta.toml").symlink_to("first.toml")
    assert planned(project) == ["first"]


@cases("name", "PROMO.TOML", "Promo.Toml")
def test_the_suffix_in_any_case(project: Any, folder: Path, name: str) -> None:
    project.manifest(MESSAGE, f"manifests/{name}")
    assert planned(project) == [Path(name).stem, "first"]


@cases("encoding", "utf-8", "utf-8-sig", "utf-16")
@cases("name", "promo.toml.txt", "promo", "promo.toml~")
def test_a_manifest_of_another_suffix(project: Any, folder: Path, name: str, encoding: str) -> None:
    content = f"# Spring\n\nmanifest = 1\n{MESSAGE}"
    project.write(f"manifests/{name}", content.encode(encoding))
    (line,) = warnings(project)
    assert line == (
        f"manifests/{name}:1:1: warning: this file holds a manifest, but its name does not end in "
        ".toml: it is left out"
    )


def test_what_is_left_out_without_a_word(project: Any, folder: Path) -> None:
    text = f"manifest = 1\n{MESSAGE}"
    for name in (".hidden.toml", ".hidden/x.toml", "README.md"):
        project.write(f"manifests/{name}", text)
    project.write("manifests/notes.txt", "A manifest = a file that says what to send.")
    project.write("manifests/big.bin", b"\0" * 10_000 + text.encode())
    assert planned(project) == ["first"]
    assert warnings(project) == []


def test_a_link_that_leads_nowhere_is_told(project: Any, folder: Path) -> None:
    (folder / "manifests/shared").symlink_to("../gone")
    assert warnings(project) == ["manifests/shared:1:1: warning: this link leads nowhere"]


def test_what_is_no_file_is_told_and_not_waited_for(project: Any, folder: Path) -> None:
    os.mkfifo(folder / "manifests/pipe.toml")
    os.mkfifo(folder / "manifests/pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "manifests/socket.toml"))
        result = project.call("validate")
    assert result.stdout.splitlines() == [
        f"manifests/{name}.toml:1:1: error: the file is not a regular file"
        for name in ("pipe", "socket")
    ]


def test_a_folder_whose_name_is_no_text(project: Any, folder: Path) -> None:
    project.manifest(MESSAGE, f"manifests/{os.fsdecode(b'caf%s' % bytes([0xE9]))}/second.toml")
    assert planned(project) == ["second", "first"]
    assert project.call("send", "--json").summary["sent"] == 2


def test_a_name_on_disk_in_another_normal_form_is_found(project: Any, folder: Path) -> None:
    media = '[[messages]]\nid = "b"\nrecipients = "сайт.csv"\ndocument.source = "файлы/йод.pdf"\n'
    text = '[[messages]]\nid = "c"\nto = "79001234567"\ntext.file = "чай.txt"\n'
    project.manifest(media + text, "mail/m.toml")
    files = {"сайт.csv": "to\n79001234567\n", "файлы/йод.pdf": "%PDF-1.7", "чай.txt": "Hi"}
    for name, content in files.items():
        project.write(f"mail/{decomposed(name)}", content)
    result = project.call("plan", "--json", decomposed("mail/m.toml"))
    document, text = result.events("plan")
    assert document["upload"]["filename"] == "йод.pdf"
    assert text["payload"]["text"]["body"] == "Hi"


def test_of_two_normal_forms_of_a_name_the_one_meant_is_taken(project: Any, folder: Path) -> None:
    for name in ("йод.txt", decomposed("йод.txt")):
        project.write(f"mail/{name}", f"{len(name)} code points")
        path = localfiles.find_file(name, folder / "mail")
        assert path.read_text() == f"{len(name)} code points"


def test_where_case_makes_no_difference_a_file_has_the_name_that_its_folder_has(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = folder / "manifests/FIRST.toml"
    os.link(folder / "manifests/first.toml", other)  # as such a file system opens it
    monkeypatch.setattr(os, "listdir", lambda _: ["first.toml"])
    assert localfiles.name_on_disk(other) == folder / "manifests/first.toml"


def test_a_change_in_a_linked_folder_is_seen_by_the_preview(project: Any, folder: Path) -> None:
    project.write("shared/second.toml", "")
    (folder / "manifests/shared").symlink_to("../shared")
    (folder / "shared/back").symlink_to("../manifests")
    before = snapshot([folder / "manifests"])
    project.write("shared/second.toml", "manifest = 1")
    assert snapshot([folder / "manifests"]) != before
