"""Writes are whole or not at all; files say what they are; one process works in a folder at a time."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from isthmus.errors import InputError, OutputError
from isthmus.files import (
    atomic_path,
    locked,
    make_folder,
    new_folder,
    read_json,
    read_yaml,
    sha256_of_file,
    sha256_of_json,
    without_defaults,
    write_json,
    write_text,
    write_yaml,
)

# Names and values as people write them; PyYAML 6 folds the control character U+0085 into a blank.
words = st.text(st.characters(exclude_categories=["C", "Z"]))
plain = st.dictionaries(words, st.integers() | words | st.none() | st.lists(st.integers()), max_size=5)


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission")],
)
def test_the_systems_refusals_become_one_clear_line(tmp_path, number, words):
    with pytest.raises(OutputError, match=words) as error, atomic_path(tmp_path / "a.txt"):
        raise OSError(number, os.strerror(number))
    assert "Next: " in str(error.value)
    assert not list(tmp_path.iterdir())


def test_other_errors_of_the_system_are_not_hidden(tmp_path):
    with pytest.raises(ConnectionResetError), atomic_path(tmp_path / "a.txt"):
        raise ConnectionResetError


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "a") as partial:
        (partial / "x").write_text("x")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with new_folder(tmp_path / "a") as partial:
        assert partial.name == "a.partial"
        (partial / "x").write_text("x")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a" / "x").read_text() == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "x").write_text("x")
    with pytest.raises(OutputError, match="nothing is overwritten"), new_folder(tmp_path):
        pass
    assert (tmp_path / "x").read_text() == "x"


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "x").write_text("x")
    with pytest.raises(OutputError, match="not a folder"), new_folder(tmp_path / "x" / "y"):
        pass


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc here: Linux only")
def test_where_no_folder_can_be_made_it_is_said(tmp_path):
    with pytest.raises(OutputError, match="no folder can be made here"):
        make_folder(Path("/proc/isthmus/a"))


def test_a_second_worker_is_refused_until_the_first_has_ended(tmp_path):
    second = locked(tmp_path / "lock")
    with locked(tmp_path / "lock"), pytest.raises(OutputError, match="another process is working here"), second:
        pass
    with locked(tmp_path / "lock"):
        pass


@given(content=plain)
def test_json_and_yaml_come_back_as_they_were_written(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("files")
    write_json(folder / "a.json", content)
    write_yaml(folder / "a.yaml", content)
    assert read_json(folder / "a.json") == content == read_yaml(folder / "a.yaml")


@given(content=plain)
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(content):
    assert sha256_of_json(content) == sha256_of_json(dict(reversed(content.items())))


def test_numbers_that_are_none_are_not_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ('{"format": "isthmus-evidence/2.0"}', "newer than this Isthmus reads"),
        ('{"format": "isthmus-frozen/1.0"}', "expected isthmus-evidence/1.x"),
        ("[]", "expected isthmus-evidence/1.x"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, text, words):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_json(tmp_path / "a.json", name="evidence")


def test_a_newer_minor_version_is_read(tmp_path):
    write_json(tmp_path / "a.json", {"format": "isthmus-evidence/1.7"})
    assert read_json(tmp_path / "a.json", name="evidence")["format"] == "isthmus-evidence/1.7"


def test_what_is_not_text_is_said(tmp_path):
    (tmp_path / "a.yaml").write_bytes("恶性: 1".encode("gb18030"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_yaml(tmp_path / "a.yaml")
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "b.yaml")
    with pytest.raises(InputError, match="folder"):
        read_yaml(Path(tmp_path))


def test_a_files_hash_is_the_published_one(tmp_path):
    # FIPS 180-2, appendix B.1: SHA-256 of "abc".
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_fields_that_came_later_are_written_where_they_are_used():
    class Settings(BaseModel):
        rate: float = 0.1
        later: float | None = None
        newer: str = "plain"

    names = ("later", "newer")
    for said, expected in (
        ({}, {"rate": 0.1}),
        ({"newer": "other"}, {"rate": 0.1, "newer": "other"}),
        ({"rate": 0.2, "later": 0.0}, {"rate": 0.2, "later": 0.0}),
    ):
        model = Settings(**said)
        assert without_defaults(model, model.model_dump(), names) == expected
