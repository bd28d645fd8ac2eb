"""The catalogue: every word that a page or a problem says, in English and Chinese side by side.

One file a subject in ``catalogue/``; a key is the file's name and the path in it (``accounts.title``), an end of the
path is a mapping of exactly the languages. Values stand in braces: ``{count}``.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from isthmus.files import read_yaml

CATALOGUE = Path(__file__).parent / "catalogue"
# Our name of a language: its name in HTML and HTTP, and its own name for itself.
LANGUAGES = {"en": ("en", "English"), "zh": ("zh-Hans", "中文")}
DEFAULT = "en"


class Words:
    """The words of one language.

    Parameters
    ----------
    language : str
        One of `LANGUAGES`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self.tag, _ = LANGUAGES[language]
        self._found = {key: texts[language] for key, texts in catalogue().items()}

    def __call__(self, key: str, **values: object) -> str:
        """Return the words of a key; an unknown key or a missing value is a mistake in the code and raises."""
        return self._found[key].format(**values)

    def has(self, key: str) -> bool:
        """Return whether there is such a key."""
        return key in self._found

    def under(self, prefix: str) -> dict[str, str]:
        """Return all words whose keys begin so, for a script of a page; values are left in braces."""
        return {key: text for key, text in self._found.items() if key.startswith(prefix)}


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Return every key with its words by language."""
    found: dict[str, Mapping[str, str]] = {}
    for path in sorted(CATALOGUE.glob("*.yaml")):
        found.update(_ends(path.stem, read_yaml(path, texts=True)))
    return found


@cache
def words_of(language: str) -> Words:
    """Return the words of a language."""
    return Words(language)


def _ends(key: str, node: Any) -> Iterator[tuple[str, Mapping[str, str]]]:
    if not isinstance(node, dict):
        raise ValueError(f"catalogue: {key} has no languages: {node!r}")
    if set(node) == set(LANGUAGES):
        yield key, node
        return
    for name, child in node.items():
        yield from _ends(f"{key}.{name}", child)


def preferred(accepted: str) -> str:
    """Return the language of a browser's ``Accept-Language`` header; the first that we have.

    Examples
    --------
    >>> preferred("zh-CN,zh;q=0.9,en;q=0.8"), preferred("fr-FR, en;q=0.5"), preferred("de")
    ('zh', 'en', 'en')
    """
    for part in accepted[:256].split(","):
        language = part.partition(";")[0].strip().partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return DEFAULT
