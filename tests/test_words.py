"""What a user reads at prediction never speaks of a diagnosis, and never tells anybody to take a biopsy."""

import ast
import re
from pathlib import Path

import pytest

import isthmus

PACKAGE = Path(isthmus.__file__).parent
ROOMS = ("inference", "explain", "clinic", "cli", "models")
"""Where what is said of a single case is made: predictions, cards, heat maps, reports to the archive, pages."""
FORBIDDEN = re.compile(
    r"diagnos|\b(?:recommend|advis|suggest|indicat)\w*[^.]{0,40}\b(?:biops|aspirat|FNA|surg)"
    r"|\b(?:biopsy|aspiration|FNA) (?:is|should|recommended|indicated)",
    re.IGNORECASE,
)
NEGATED = re.compile(r"not for diagnosis", re.IGNORECASE)
NAMES = {
    "Diagnostic ultrasonography": "the meaning that SNOMED CT gives its code 16310003",
}
"""Strings that are names in somebody else's vocabulary, and stand where that has them."""


def is_sober(text: str) -> bool:
    return text in NAMES or not FORBIDDEN.search(NEGATED.sub("", text))


def strings_of(path: Path) -> list[tuple[int, str]]:
    """Return the strings of a file with their lines: of Python without docstrings, else the whole text by lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return list(enumerate(text.splitlines(), start=1))
    tree = ast.parse(text)
    said_to_readers = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    # The docstring of a command is its help.
    if path.parent.name == "cli":
        said_to_readers = set()
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said_to_readers
    ]


@pytest.mark.parametrize("room", [*ROOMS, "report/templates", "manifest.py"])
def test_no_string_speaks_of_a_diagnosis_or_of_what_to_do_to_a_patient(room: str) -> None:
    place = PACKAGE / room
    files = [place] if place.is_file() else [p for p in place.rglob("*") if p.suffix in (".py", ".j2", ".html", ".js")]
    assert files
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line}: {text.strip()[:100]!r}"
        for path in files
        for line, text in strings_of(path)
        if not is_sober(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_scan_sees_what_it_is_for() -> None:
    assert not is_sober("Diagnosis: malignant")
    assert not is_sober("We recommend a biopsy of this nodule.")
    assert not is_sober("TR5: FNA is indicated")
    assert is_sober("Research use only, not for diagnosis.")
    assert is_sober("ACR table suggests 7 points, TR5")
    assert is_sober("Labels rest on follow-up without biopsy.")
