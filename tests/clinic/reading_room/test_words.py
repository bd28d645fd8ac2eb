"""The catalogue: both languages, the same values, every word said somewhere, none said that is not there."""

import re
import string
from pathlib import Path

import pytest

from isthmus.clinic.reading_room import audit, navigation, roles, words
from isthmus.clinic.reading_room.rendering import STATIC, TEMPLATES
from isthmus.clinic.reading_room.words import LANGUAGES, catalogue

ROOM = Path(words.__file__).parent
SOURCES = {path: path.read_text(encoding="utf-8") for path in (*TEMPLATES.rglob("*.j2"), *ROOM.glob("[a-z]*.py"))}
SCRIPTS = {path: path.read_text(encoding="utf-8") for path in STATIC.rglob("*.js")}
# What is put together: t("roles." ~ role), words("audit.action." ~ …), problems by their names.
_BEGINNINGS = re.compile(r"""(?:\bt|\bwords)\(\s*f?["']([a-z_.]+\.)["'{]""")
_WHOLE = re.compile(r"""(?:\bt|\bwords|\bword)\(\s*["']([a-z_]+(?:\.[a-z_]+)+)["']""")
_REFUSED = re.compile(r"""Refusal\(\s*\d+,\s*["'](\w+)["']""")


def values_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def said() -> tuple[set[str], set[str]]:
    everything = "\n".join([*SOURCES.values(), *SCRIPTS.values()])
    return set(_WHOLE.findall(everything)), set(_BEGINNINGS.findall(everything))


def test_both_languages_say_it_with_the_same_values():
    for key, texts in catalogue().items():
        assert set(texts) == set(LANGUAGES), key
        assert all(text.strip() == text and text for text in texts.values()), key
        assert values_of(texts["en"]) == values_of(texts["zh"]), key


def test_chinese_is_chinese_and_has_its_own_commas():
    for key, texts in catalogue().items():
        assert re.search(r"[\u4e00-\u9fff]", texts["zh"]), key
        assert not re.search(r"[\u4e00-\u9fff}][,;:?!]|[,;:?!][\u4e00-\u9fff{]", texts["zh"]), key


def test_every_word_is_said_somewhere():
    whole, beginnings = said()
    refused = {name for text in SOURCES.values() for name in _REFUSED.findall(text)}
    by_status = set(re.findall(r'\d{3}: "(\w+)"', SOURCES[ROOM / "problems.py"])) | {"request"}
    for key in catalogue():
        if key.startswith("problems."):
            assert key.split(".")[1] in refused | by_status, key
        else:
            assert key in whole or any(key.startswith(start) for start in beginnings), key


def test_nothing_is_said_that_is_not_in_the_catalogue():
    whole, beginnings = said()
    assert whole - set(catalogue()) == set()
    assert all(any(key.startswith(start) for key in catalogue()) for start in beginnings)
    for text in SOURCES.values():
        for name in _REFUSED.findall(text):
            assert f"problems.{name}.what" in catalogue(), name


def test_every_role_task_and_action_has_its_words():
    for role in roles.Role:
        assert f"roles.{role}.name" in catalogue()
    for task in navigation.TASKS:
        assert f"navigation.{task.words}.name" in catalogue()
    for action in audit.ACTIONS:
        assert f"audit.action.{action}" in catalogue()


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.j2")), ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(path: Path):
    text = re.sub(r"\{[{%#].*?[}%#]\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = re.sub(r"<[^>]*>", " ", text)
    assert not re.search(r"[^\W\d_]", shown), re.findall(r".*[^\W\d_].*", shown)
    for attribute in ("title", "alt", "aria-label", "placeholder", "data-confirm"):
        for value in re.findall(rf'\s{attribute}="([^"]*)"', text):
            assert not re.search(r"[^\W\d_]", value), (attribute, value)


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.j2")), ids=lambda path: path.name)
def test_a_template_has_neither_scripts_nor_styles_inside_and_asks_nobody_else(path: Path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert "|safe" not in text.replace(" ", "")
    assert "autoescape false" not in text


@pytest.mark.parametrize("path", [*SCRIPTS, *STATIC.rglob("*.css")], ids=lambda path: path.name)
def test_a_static_file_asks_nobody_else(path: Path):
    assert not re.search(r"https?://(?!www\.w3\.org/)|innerHTML|\beval\(|@import", path.read_text(encoding="utf-8"))


def test_every_form_that_changes_something_carries_the_token():
    for path, text in SOURCES.items():
        for form in re.findall(r'<form method="post".*?</form>', text, flags=re.DOTALL):
            assert 'name="csrf" value="{{ visitor.csrf }}"' in form, path
