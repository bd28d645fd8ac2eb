"""Reports whose figures are composed but not rendered: for runs that repeat one whose figures were."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from isthmus.report import figures
from isthmus.report.figure_style import FigureFile

_EMPTY = '<svg width="72pt" height="72pt" viewBox="0 0 72 72"></svg>\n'


@contextmanager
def unrendered() -> Iterator[None]:
    """Keep each figure as an empty one; its drawing, title and words, and all else of a report, are made."""

    def save(figure: Any, folder: Path, name: str, title: str, alternative: str, mark: str = "") -> FigureFile:
        svg, png = folder / f"{name}.svg", folder / f"{name}.png"
        folder.mkdir(parents=True, exist_ok=True)
        svg.write_text(_EMPTY, encoding="utf-8")
        png.write_bytes(b"")
        return FigureFile(name, title, alternative, svg, png)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "save", save)
        yield
