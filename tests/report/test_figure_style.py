"""A figure that was laid out once is, byte for byte, the figure that matplotlib lays out for each file anew."""

import io
from pathlib import Path

import pytest

from isthmus.report.figure_style import Drawn, new_figure, save, style


def drawn() -> Drawn:
    """Panels of unlike ticks, with all that asks a layout for room."""
    figure, axes = new_figure(6, 3, nrows=1, ncols=2)
    axes[0].plot([0, 1, 20000], [0.1, 0.4, 0.2], label="an arm with a long name")
    axes[0].set_xlabel("Units")
    axes[0].set_ylabel("A label of\ntwo lines")
    axes[0].legend(loc="best")
    axes[1].barh(["short", "a much longer name of a bar"], [1, 2])
    axes[1].set_title("Title")
    return figure, "Two panels", "Two panels, spoken."


@pytest.mark.parametrize("mark", ["", "SMOKE"])
def test_both_files_are_those_of_matplotlibs_own_layout(tmp_path: Path, mark: str) -> None:
    with style():
        figure, title, spoken = drawn()
        file = save(figure, tmp_path, "panels", title, spoken, mark)
        figure, *_ = drawn()
        if mark:
            figure.suptitle(mark, x=0.995, ha="right", color="#8a2500", fontsize=8, fontweight="bold")
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
        figure.set_layout_engine("none")  # the layout that the SVG had
        figure.savefig(png, format="png", dpi=200, metadata={"Software": None})
    assert file.svg.read_text(encoding="utf-8") == svg.getvalue()
    assert file.png.read_bytes() == png.getvalue()
