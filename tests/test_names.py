"""What may be a name, in one normal form, wherever names enter."""

import sqlite3
import subprocess
import unicodedata
from contextlib import closing
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import names
from dispatcher.keys import spellings
from dispatcher.manifest.schema import ManifestTable
from tests.support.cases import cases
from tests.support.requirements import require

# Words of scripts whose vowels are marks, and of some that have none.
WORDS = "स्वागत ยินดีต้อนรับ مرحبًا שָׁלוֹם добрый-день 한글 日本.2026 a_b+c@d Ⅷ 7".split()
COMPOSED, DECOMPOSED = "йод", unicodedata.normalize("NFD", "йод")

# What stands in no name, and how it is called.
UNSEEN = {
    "\u200c": "U+200C (zero width non-joiner)",
    "\u200d": "U+200D (zero width joiner)",
    "\u202e": "U+202E (right-to-left override)",
    "\ufeff": "U+FEFF (zero width no-break space)",
    "\ue000": "U+E000",
    "\u0378": "U+0378",
    "\x7f": "U+007F",
    "\n": "a line break (U+000A)",
    "\u3164": "U+3164 (hangul filler)",
    "\ufe0f": "U+FE0F (variation selector-16)",
}


RUN = 'repeat = "run"'


def manifest(id: str, head: str = "") -> str:
    return f'{head}\n[[messages]]\nid = "{id}"\nto = "79001234567"\ntext.body = "Hi"\n'


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_a_word_as_id_name_file_and_run(project: Any, word: str) -> None:
    project.manifest(manifest(word, f'name = "{word}"\n{RUN}'), "manifests/a.toml")
    project.manifest(manifest(word, RUN), f"manifests/b/{word}-2.toml")
    result = project.call("plan", "--json", "--run", word)
    keys = [line["key"] for line in result.events("plan")]
    expected = [f"{word}/{name}/{word}/1/79001234567" for name in (word, f"{word}-2")]
    assert (result.code, keys) == (0, [names.canonical_name(key) for key in expected])


@pytest.mark.parametrize("letter", UNSEEN)
@cases("place", "id", "name", "run")
def test_what_nobody_sees_is_named_by_its_code_point(project: Any, place: str, letter: str) -> None:
    word = f"a{letter}b"
    escaped = f"a\\U{ord(letter):08X}b"
    head = f'name = "{escaped}"' if place == "name" else ""
    project.manifest(manifest(escaped if place == "id" else "a", head))
    result = project.call("plan", *(["--run", word] if place == "run" else []))
    assert result.code == 2
    assert f"take out {UNSEEN[letter]}" in result.stderr


@cases("command", "plan", "send")
@cases("place", "id", "name", "run")
def test_what_is_too_long_for_a_key_is_told_before_anything_leaves(
    project: Any, inbox: Any, place: str, command: str
) -> None:
    word = "x" * (names.LONGEST + 1)
    head = f'name = "{word}"' if place == "name" else ""
    project.manifest(manifest(word if place == "id" else "a", head))
    result = project.call(command, *(["--run", word] if place == "run" else []))
    assert result.code == 2
    assert "must be at most 100 characters long" in result.stderr
    assert inbox.stats()["requests"] == 0


def test_of_a_file_whose_name_is_the_manifests(project: Any) -> None:
    project.manifest(manifest("a"), "manifests/a\u3164.toml")
    result = project.call("validate")
    assert result.code == 2
    assert "cannot be the manifest's name (it holds U+3164 (hangul filler))" in result.stdout


@cases("name", "", ".a", "a b", "a/b", "\u0301a", "a\u00a0b", "☺", "x" * 101)
def test_what_is_no_name(name: str) -> None:
    assert names.why_invalid(name)


@given(st.text(max_size=8))
def test_a_name_is_one_in_every_normal_form_and_for_every_editor(name: str) -> None:
    verdict = names.why_invalid(name) is None
    assert verdict == (names.why_invalid(names.canonical_name(name)) is None)
    if verdict:
        properties = ManifestTable.model_json_schema()["properties"]["name"]
        jsonschema.validate(name, properties)


def test_the_pattern_of_the_schema_is_right_in_the_dialect_of_editors() -> None:
    from shutil import which

    node = which("node")
    require(node, "node")
    script = """
        const [pattern, ...words] = process.argv.slice(1);
        for (const flags of ["", "u"])
            for (const word of words) console.log(new RegExp(pattern, flags).test(word));
    """
    words = [*WORDS, "a b", "a/b", ".a"]
    command = [str(node), "-e", script, names.SCHEMA_PATTERN, *words]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert found == 2 * (["true"] * len(WORDS) + ["false"] * 3)


def test_one_id_in_two_normal_forms_is_there_twice(project: Any) -> None:
    project.manifest(manifest(COMPOSED) + manifest(DECOMPOSED))
    result = project.call("validate")
    assert result.code == 2
    assert "this id is used in line 4 already; give it another" in result.stdout


def test_one_name_in_two_normal_forms_is_one_manifest_twice(project: Any) -> None:
    project.manifest(manifest("a"), f"manifests/x/{COMPOSED}.toml")
    project.manifest(manifest("a"), f"manifests/y/{DECOMPOSED}.toml")
    result = project.call("validate")
    assert result.code == 2
    assert f'the name "{COMPOSED}" is also that of manifests/x/' in result.stdout


def test_what_was_sent_in_one_normal_form_is_sent_in_the_other(project: Any) -> None:
    project.manifest(manifest(DECOMPOSED, RUN), f"manifests/{DECOMPOSED}.toml")
    assert project.call("send", "--run", DECOMPOSED).code == 0
    (project.folder / f"manifests/{DECOMPOSED}.toml").unlink()
    project.manifest(manifest(COMPOSED, RUN), f"manifests/{COMPOSED}.toml")
    result = project.call("plan", "--json", "--run", COMPOSED)
    assert [line["status"] for line in result.events("plan")] == ["sent"]
    for form in (COMPOSED, DECOMPOSED):
        filters = ("--run", form, "--manifest", form, "--message", form)
        assert project.call("history", *filters).code == 0


@cases("status", "sent", "unknown")
def test_a_key_that_was_noted_in_another_form_is_found(project: Any, status: str) -> None:
    project.manifest(manifest(COMPOSED), f"manifests/{COMPOSED}.toml")
    assert project.call("send").code == 0
    key = f"default/{COMPOSED}/{COMPOSED}/1/79001234567"
    # As it noted a file's name that a Mac wrote, and an id that was typed.
    older = f"default/{DECOMPOSED}/{COMPOSED}/1/79001234567"
    with closing(sqlite3.connect(project.journal_file)) as journal, journal:
        journal.execute("UPDATE messages SET key = ?, status = ?", (older, status))
    result = project.call("plan", "--json")
    assert [line["status"] for line in result.events("plan")] == [status]
    project.call("send")
    assert len(project.journal()) == 1
    assert project.journal()[COMPOSED]["key"] == older
    if status == "unknown":
        assert project.call("settle", key, "--sent").code == 0
        assert [row["status"] for row in project.journal().values()] == ["sent"]


def test_a_recipient_has_one_spelling_whatever_it_holds() -> None:
    key = "default/m/a/1/" + "/".join([COMPOSED] * 50)
    assert len(list(spellings(key))) == 2
