"""The figure of a LASSO says what was selected, and what stands in where nothing was."""

from typing import Any

import numpy as np
import pytest

from isthmus.report.figure_style import style
from isthmus.report.figures_fusion import draw_selection

TITLES = {"image": "Still", "ceus": "CEUS video"}


def path(selected: list[str], *, fallback: bool = False) -> dict[str, Any]:
    alphas = np.geomspace(1, 1e-3, 8)
    entered = ["image:0", "image:1", "ceus:3", "absent:ceus"]
    lasso = {
        "alphas": alphas.tolist(),
        "mse": (0.2 + np.linspace(-1, 1, 8) ** 2 / 50).tolist(),
        "mse_se": [0.01] * 8,
        "alpha": float(alphas[3]),
        "folds": 10,
        "converged": True,
        "fallback": fallback,
        "entered": entered,
        "coefficients": [np.linspace(0, weight, 8).tolist() for weight in (0.3, -0.2, 0.1, 0.05)],
        "selected": selected,
        "weights": np.linspace(0.3, -0.15, len(selected)).tolist(),
    }
    return {"counts": {}, "lasso": lasso}


def test_each_head_has_its_path_its_error_and_its_weights() -> None:
    paths = {"a": path(["image:0", "image:1", "ceus:3"]), "b": path(["image:7"], fallback=True)}
    with style():
        drawn = draw_selection(paths, TITLES, "DL_combined")
    assert drawn is not None
    figure, title, spoken = drawn
    assert len(figure.axes) == 6
    assert title == "Features of DL_combined: selection by LASSO"
    assert "Head a: penalty 0.0518 with the least error, 0.2004; 3 features left (2 of image, 1 of ceus)." in spoken
    assert "no feature left, the strongest single one stands in: image:7" in spoken
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["Still", "CEUS video"]
    assert [label.get_text() for label in figure.axes[2].get_yticklabels()] == ["image:0", "ceus:3", "image:1"]
    assert figure.axes[5].get_xlabel() == "Correlation with the label"


def test_many_weights_are_cut_to_the_largest_and_counted() -> None:
    with style():
        drawn = draw_selection({"all": path([f"image:{i}" for i in range(33)])}, TITLES, "x")
    assert drawn is not None
    bars = drawn[0].axes[2]
    assert [text.get_text() for text in bars.texts] == ["and 13 smaller"]
    assert len(bars.patches) == 20
    widths = [abs(bar.get_width()) for bar in bars.patches]
    assert widths == sorted(widths, reverse=True)


def test_without_a_lasso_there_is_no_figure() -> None:
    assert draw_selection({"a": {"counts": {}, "lasso": None}}, TITLES, "x") is None


def test_a_flat_error_is_drawn() -> None:
    flat = path(["image:0"])
    flat["lasso"] |= {"mse": [0.2] * 8, "mse_se": [0.0] * 8}
    with style():
        assert draw_selection({"a": flat}, TITLES, "x") is not None


@pytest.mark.parametrize("components", [["component:0", "component:2"]])
def test_components_have_no_member_to_name(components: list[str]) -> None:
    of_components = path(components)
    of_components["lasso"]["entered"] = ["component:0", "component:1", "component:2", "component:3"]
    with style():
        drawn = draw_selection({"a": of_components}, TITLES, "x")
    assert drawn is not None
    assert "(2 of component)" in drawn[2]
