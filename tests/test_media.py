"""What files are taken for: by their names, by their first bytes, and by WhatsApp."""

import gzip
import io
import mimetypes
import struct
import wave
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher import Link, Upload
from dispatcher.http.whatsapp import file_warnings
from dispatcher.media import content_mismatch, mime_type
from tests.support.cases import cases

TO = 'to = "79001234567"'


GZIPPED = ["report.csv.gz", "backup.tgz", "BACKUP.TAR.GZ", "photo.jpg.gz", "logo.svgz"]


@cases(
    "name, kind",
    *((name, "application/gzip") for name in GZIPPED),
    ("dump.sql.bz2", "application/x-bzip2"),
    ("dump.sql.xz", "application/x-xz"),
    ("PHOTO.JPG", "image/jpeg"),
    ("clip.3gp", "video/3gpp"),
    ("voice.opus", "audio/ogg"),
    ("song.m4a", "audio/mp4"),
    ("note.amr", "audio/amr"),
    ("photo.heic", "image/heic"),
    ("sticker.webp", "image/webp"),
    ("Price list v1.2.pdf", "application/pdf"),
    ("data:text,x.png", "image/png"),
    ("README", "application/octet-stream"),
    ("archive.unheard-of", "application/octet-stream"),
)
def test_a_name_stands_for_one_type(name: str, kind: str) -> None:
    assert mime_type(name) == kind


def test_the_systems_table_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "mime.types"
    table.write_text("image/x-strange jpg pdf strange\n")
    monkeypatch.setattr(mimetypes, "knownfiles", [str(table)])
    mimetypes.init()
    try:
        assert mimetypes.guess_type("a.strange")[0] == "image/x-strange"
        kinds = {
            "jpg": "image/jpeg",
            "pdf": "application/pdf",
            "strange": "application/octet-stream",
        }
        assert {suffix: mime_type(f"a.{suffix}") for suffix in kinds} == kinds
    finally:
        monkeypatch.undo()
        mimetypes.init()


# ------------------------------------------------------------------- small, but whole files


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


def jpeg(marker: bytes) -> bytes:
    return b"\xff\xd8\xff" + marker + bytes(60) + b"\xff\xd9"


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "<x/>" * 50)
    return file.getvalue()


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(200))
    return file.getvalue()


def boxes(brand: bytes) -> bytes:
    """The head of an MP4 file or of its relatives."""
    kind = b"ftyp" + brand + bytes(4) + b"isom" + brand
    return struct.pack(">I", len(kind) + 4) + kind + b"\0\0\0\x08free" + bytes(40)


def ogg(codec: bytes) -> bytes:
    return b"OggS\0\x02" + bytes(8) + b"\x01\0\0\0" + bytes(8) + b"\x01\x13" + codec + bytes(40)


def riff(kind: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 60) + kind + bytes(52)


DOCX = zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml")
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)

GOOD = [
    ("a.jpg", jpeg(b"\xe0\0\x10JFIF\0")),
    ("a.jpeg", jpeg(b"\xe1\0\x10Exif\0")),
    ("a.JPG", jpeg(b"\xdb\0\x43\0")),
    ("a.png", png()),
    ("a.gif", b"GIF89a\1\0\1\0\0\0\0;"),
    ("still.webp", riff(b"WEBPVP8 ")),
    ("animated.webp", riff(b"WEBPVP8X")),
    ("a.heic", boxes(b"heic")),
    ("a.heic", boxes(b"mif1")),
    ("a.svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
    ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    ("a.tiff", b"II*\0\x08\0\0\0" + bytes(20)),
    ("a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
    ("after-a-line.pdf", b"\n\n%PDF-1.4\n"),
    ("with-a-preamble.pdf", b"X-Header: 1\n%PDF-1.4\n"),
    ("a.zip", zipped("a.txt")),
    ("empty.zip", zipped()),
    ("office.zip", DOCX),
    ("a.docx", DOCX),
    ("a.xlsx", zipped("[Content_Types].xml", "xl/workbook.xml")),
    ("a.odt", zipped("mimetype", "content.xml")),
    ("with-a-password.docx", OLD_OFFICE),
    ("a.doc", OLD_OFFICE),
    ("a.xls", OLD_OFFICE),
    ("rich-text.doc", b"{\\rtf1\\ansi Hello}"),
    ("a-web-page.xls", b"<html><table></table></html>"),
    ("xml.xls", b'<?xml version="1.0"?><Workbook/>'),
    ("text.xls", b"to\tname\n79001234567\tAnn\n"),
    ("a.rtf", b"{\\rtf1\\ansi Hello}"),
    ("a.csv", b"to,name\n79001234567,Ann\n"),
    ("ID3.csv", b"ID3,name\n1,Ann\n"),
    ("BM.csv", b"BM,PK\n1,2\n"),
    ("a.csv", "имя;ясно\n".encode("cp1251")),
    ("ясно.txt", "ясно".encode("cp1251")),
    ("utf16.csv", "to,name\n".encode("utf-16")),
    ("a.txt", b"<html> is how a web page begins\n"),
    ("a.txt", b"Hello\n"),
    ("a.html", b"<!DOCTYPE html>\n<html></html>"),
    ("a.json", b'{"a": 1}'),
    ("a.vcf", b"BEGIN:VCARD\nEND:VCARD\n"),
    ("with-tags.mp3", b"ID3\x03\0\0\0\0\0\x10" + bytes(16) + b"\xff\xfb\x90\x64" + bytes(100)),
    ("new-tags.mp3", b"ID3\x04\0\0\0\0\0\x10" + bytes(16) + b"\xff\xfb\x90\x64" + bytes(100)),
    ("no-tags.mp3", b"\xff\xfb\x90\x64" + bytes(100)),
    ("low-rate.mp3", b"\xff\xf3\x40\xc4" + bytes(100)),
    ("a.ogg", ogg(b"OpusHead")),
    ("a.opus", ogg(b"OpusHead")),
    ("a.ogg", ogg(b"vorbis")),
    ("a.m4a", boxes(b"M4A ")),
    ("a.m4a", boxes(b"isom")),
    ("a.aac", b"\xff\xf1\x50\x80" + bytes(60)),
    ("a.aac", boxes(b"M4A ")),
    ("a.amr", b"#!AMR\n" + bytes(30)),
    ("a.wav", wav()),
    ("a.flac", b"fLaC\0\0\0\x22" + bytes(34)),
    *((f"{brand!r}.mp4", boxes(brand)) for brand in (b"isom", b"mp42", b"avc1", b"M4V ", b"qt  ")),
    ("a.3gp", boxes(b"3gp4")),
    ("a.mov", boxes(b"qt  ")),
    ("old.mov", b"\0\0\0\x08wide\0\0\0\x10mdat" + bytes(40)),
    ("a.webm", b"\x1a\x45\xdf\xa3\x9fB\x86\x81\1" + bytes(40)),
    ("a.avi", riff(b"AVI LIST")),
    ("a.csv.gz", gzip.compress(b"to\n", mtime=0)),
    ("a.tgz", gzip.compress(b"to\n", mtime=0)),
    ("a.unheard-of", png()),
    ("no-suffix", png()),
    ("a.jpg", b"\x9d\0something that nobody knows"),
]


@cases("name, content", *GOOD, ids=[f"{n}-{c[:8]!r}" for n, c in GOOD])
def test_a_file_that_is_what_it_says(name: str, content: bytes) -> None:
    assert content_mismatch(io.BytesIO(content), mime_type(name)) is None


BAD = [
    ("price.jpg", b"%PDF-1.7\n", "a PDF document"),
    ("photo.jpg", boxes(b"heic"), "a HEIC picture"),
    ("photo.jpg", png(), "a PNG picture"),
    ("photo.png", jpeg(b"\xe0"), "a JPEG picture"),
    ("photo.jpg", riff(b"WEBPVP8X"), "a WebP picture"),
    ("photo.png", b"<!doctype HTML><title>Not found</title>", "a web page"),
    ("price.pdf", b"\n<html><body>Please log in</body></html>", "a web page"),
    ("price.pdf", b"\xef\xbb\xbf<!DOCTYPE html>", "a web page"),
    ("price.pdf", DOCX, "a ZIP archive"),
    ("price.docx", b"%PDF-1.7\n", "a PDF document"),
    ("people.csv", DOCX, "a ZIP archive"),
    ("people.csv", OLD_OFFICE, "a document of an old Office"),
    ("people.csv", gzip.compress(b"to\n", mtime=0), "a file compressed by gzip"),
    ("song.mp3", boxes(b"M4A "), "an MP4 file"),
    ("song.mp3", wav(), "a WAV recording"),
    ("sound.wav", riff(b"WEBPVP8X"), "a WebP picture"),
    ("song.ogg", b"ID3\x03\0\0\0\0\0\x10", "an MP3 recording"),
    ("clip.mp4", b"\x1a\x45\xdf\xa3\x9fB\x86\x81\1", "a Matroska or WebM video"),
    ("report.csv.gz", b"PK\x03\x04" + bytes(30), "a ZIP archive"),
    ("price.pdf", b"MZ\x90\0" + bytes(60), "a Windows program"),
    ("photo.jpg", b"version https://git-lfs.github.com/spec/v1\noid x\n", "a pointer of Git LFS"),
    ("photo.jpg", b"404: Not Found", "a text"),
    ("price.pdf", '{"error": "нет"}'.encode(), "a text"),
    ("song.mp3", b"Not Found\n", "a text"),
    ("notes.txt", b"version https://git-lfs.github.com/spec/v1\noid x\n", "a pointer of Git LFS"),
]


@cases("name, content, called", *BAD, ids=[f"{n}-{c}" for n, _, c in BAD])
def test_a_file_of_something_else(project: Any, name: str, content: bytes, called: str) -> None:
    project.write(f"manifests/{name}", content)
    project.manifest(f'[[messages]]\nid = "a"\n{TO}\ndocument.source = "{name}"')
    result = project.call("validate")
    assert result.code == 2
    place = 'manifests/m.toml:5:19: error: message "a": '
    (line,) = result.stdout.splitlines()
    assert line.startswith(f'{place}the file "{name}" is {called}')


def test_a_link_is_sent_as_what_its_own_name_says(project: Any) -> None:
    project.write("manifests/0f3a", png())
    (project.folder / "manifests/logo.png").symlink_to("0f3a")
    project.manifest(f'[[messages]]\nid = "a"\n{TO}\nimage.source = "logo.png"')
    (planned,) = project.call("plan", "--json").events("plan")
    upload = planned["upload"]
    assert (upload["filename"], upload["mime_type"]) == ("logo.png", "image/png")


# ------------------------------------------------------------------------------ WhatsApp


@pytest.fixture
def file() -> Callable[..., Upload]:
    def file(name: str, size: int = 1000) -> Upload:
        kind = mime_type(name)
        return Upload(filename=name, size=size, sha256="0", mime_type=kind, open=io.BytesIO)

    return file


@cases(
    "kind, name, size",
    ("image", "a.jpg", 5_000_000),
    ("image", "a.png", 1000),
    ("video", "a.mp4", 16_000_000),
    ("video", "a.3gp", 1000),
    *(("audio", f"a.{each}", 1000) for each in ("aac", "amr", "mp3", "m4a", "ogg", "opus")),
    ("document", "a.zip", 30_000_000),
    ("document", "a.heic", 1000),
)
def test_what_whatsapp_shows(file: Callable[..., Upload], kind: str, name: str, size: int) -> None:
    assert list(file_warnings(kind, file(name, size))) == []
    assert list(file_warnings(kind, Link(url=f"https://example.com/{name}?size=1"))) == []


@cases(
    "kind, name, size, words",
    ("image", "price.pdf", 1000, "price.pdf is application/pdf"),
    ("image", "photo.heic", 1000, "WhatsApp shows only JPEG and PNG as image: the recipient"),
    ("image", "logo.svg", 1000, "image/svg+xml"),
    ("image", "sticker.webp", 1000, "image/webp"),
    ("image", "photo.jpg.gz", 1000, "application/gzip"),
    ("image", "photo.jpg", 5_000_001, "has 5.0 MB, but WhatsApp shows image of at most 5 MB"),
    ("audio", "song.zip", 1000, "application/zip"),
    ("audio", "song.wav", 1000, "audio/wav"),
    ("video", "clip.mov", 1000, "video/quicktime"),
    ("video", "clip.mp4", 16_000_001, "at most 16 MB"),
)
def test_what_whatsapp_does_not_show(
    file: Callable[..., Upload], kind: str, name: str, size: int, words: str
) -> None:
    (warning,) = file_warnings(kind, file(name, size))
    assert (warning.severity, warning.where) == ("warning", f"{kind}.source")
    assert words in warning.message
    if size == 1000:
        (warning,) = file_warnings(kind, Link(url=f"https://example.com/{name}"))
        assert (warning.severity, warning.where) == ("warning", f"{kind}.link")


def test_a_url_that_does_not_say_what_it_leads_to_is_believed() -> None:
    for url in ("https://example.com/thumb.php?id=5", "https://example.com", "https://[x/a.pdf"):
        assert list(file_warnings("image", Link(url=url))) == []


def test_each_message_is_warned_of_once(project: Any) -> None:
    text = ""
    for id, source in {
        "a": "image price.pdf",
        "b": "image clip.mp4",
        "c": "audio song.zip",
    }.items():
        kind, name = source.split()
        project.write(f"manifests/{name}", "?")
        text += f'[[messages]]\nid = "{id}"\n{TO}\n{kind}.source = "{name}"\n'
    project.manifest(text)
    result = project.call("validate")
    lines = result.stdout.splitlines()
    assert result.code == 0
    assert [line.split('"')[1] for line in lines] == ["a", "b", "c"]
    assert all(": warning: " in line for line in lines)


# --------------------------------------------------------------------------------- names


@cases(
    "letter, called",
    ("\\n", "a line break (U+000A)"),
    ("\\r", "a line break (U+000D)"),
    ("\\u2028", "a line break (U+2028)"),
    ("\\t", "a tab (U+0009)"),
    ("\\u0000", "U+0000"),
    ("\\u202e", "U+202E (right-to-left override)"),
    ("\\u200d", "U+200D (zero width joiner)"),
)
def test_a_name_that_people_read_is_one_line(project: Any, letter: str, called: str) -> None:
    row = f'{{"to": "79001234567", "n": "7{letter}Ann"}}\n'
    project.write("manifests/people.jsonl", row)
    project.manifest(
        '[[messages]]\nid = "a"\nrecipients = "people.jsonl"\n[messages.document]\n'
        'link = "https://example.com/a.pdf"\nfilename = "Invoice {{ n }}.pdf"\n'
        'provider.name = "basic {{ n }}"\n'
    )
    result = project.call("plan")
    assert result.code == 2
    for key, line in zip(("filename", "provider.name"), result.stderr.splitlines(), strict=True):
        assert f'error: message "a": {key} holds {called}' in line
        assert line.endswith("(manifests/people.jsonl:1)")


@cases("letters, good", ("a" * 236, True), ("й" * 119, False))
def test_a_files_name_fits_into_a_telephone(project: Any, letters: str, good: bool) -> None:
    project.manifest(
        f'[[messages]]\nid = "a"\n{TO}\n[messages.document]\n'
        f'link = "https://example.com/a.pdf"\nfilename = "{letters}.pdf"\n'
    )
    result = project.call("validate")
    assert result.code == (0 if good else 2)
    assert good or "filename is longer than 240 bytes (242)" in result.stdout


def test_a_file_on_disk_whose_name_holds_a_line_break(project: Any) -> None:
    project.write("manifests/a\nb.pdf", "%PDF-1.7")
    project.manifest(f'[[messages]]\nid = "a"\n{TO}\ndocument.source = "a\\nb.pdf"')
    result = project.call("validate")
    assert result.code == 2
    assert "the file's name holds a line break (U+000A)" in result.stdout
