"""Every notebook runs from its first cell to its last, in the order in which a reader would run it."""

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def code_of(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_its_folder_holds_the_report(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names: dict[str, Any] = {}
    for number, source in enumerate(code_of(path)):
        exec(compile(source, f"{path.name}, code cell {number}", "exec"), names)
    assert (names["folder"] / "evidence" / "report.html").is_file()
    assert names["folder"].is_relative_to(tmp_path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_it_shows_was_made_by_running_it_and_names_no_place(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert all(cell["outputs"] or cell["source"] for cell in cells if cell["cell_type"] == "code")
    assert any(cell.get("outputs") for cell in cells)
    assert "/home/" not in path.read_text(encoding="utf-8")
