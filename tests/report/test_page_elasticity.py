"""The page of a stiffness measurement: nothing measured, and what a simulation knows."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.elasticity import CohortElasticity, ViewElasticity
from isthmus.imaging.elasticity import ElasticityMap
from isthmus.report.figure_style import style
from isthmus.report.figures_elasticity import EACH, draw_maps
from isthmus.report.page_elasticity import against_truth, elasticity_sentences, render_elasticity, truth_sentences
from isthmus.report.page_measurement import summary_facts
from isthmus.statistics.elasticity_features import FEATURES, elasticity_features

COHORT = SimpleNamespace(name="springs <b>", simulated=False)
LESION = np.hypot(*(np.indices((30, 30)) - 14.5)) < 8


def view(number: int, kpa: float = 40.0) -> ViewElasticity:
    painted = np.where(LESION, np.float32(kpa), np.float32(20))
    seen = ElasticityMap(painted, LESION, (0.0, 100.0), 0.5, 0.4, (0, 0, 5, 30), "mask")
    features = elasticity_features(
        {"lesion": painted[LESION], "ring": painted[LESION], "tissue": painted[~LESION]}, (0, 100)
    )
    return ViewElasticity(f"V{number}", f"N{number}", seen, np.zeros((30, 30, 3), np.uint8), features)


def test_nothing_that_could_be_measured_has_a_page_too():
    nothing = CohortElasticity((), {"V1": ("N1", "no colour bar is seen")})
    assert elasticity_sentences(nothing)[0] == "0 of 1 elastogram could be read back into kilopascal."
    assert summary_facts(nothing, nothing.table, FEATURES)["medians"]["ratio"] is None
    text = render_elasticity(COHORT, nothing, [], None)
    assert "no colour bar is seen" in text
    assert "<h2>Features</h2>" not in text
    assert "SIMULATED" not in text
    assert "springs &lt;b&gt;" in text


def test_the_simulations_truth_is_compared_where_the_scale_holds_the_lesion():
    measured = CohortElasticity((view(1), view(2, 60.0), view(3, 100.0)), {})
    true = pd.DataFrame({"nodule_id": ["N1", "N2", "N3"], "stiffness_kpa": [44.0, 62.0, 170.0]})
    found = against_truth(measured, true)
    assert found == pytest.approx(
        {
            "n": 2, "mean_error_kpa": -3, "mean_absolute_error_kpa": 3,
            "median_relative_error": (4 / 44 + 2 / 62) / 2, "correlation": 1,
        }
    )  # fmt: skip
    assert "of 2 lesions" in truth_sentences(found)[0]
    assert against_truth(measured, true.drop(columns="stiffness_kpa")) is None
    assert against_truth(CohortElasticity((view(3, 100.0),), {}), true) is None


@pytest.mark.parametrize("pictures", [1, EACH])
def test_a_figure_has_a_picture_and_a_map_for_each(pictures):
    views = [view(number, 100.0 if number == 0 else 40.0) for number in range(pictures)]
    with style():
        figure, title, alternative = draw_maps(views, 1, 2)
        figure.canvas.draw()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [words for words in titles if words.startswith("V")] == [f"{one.view_id} · {one.nodule_id}" for one in views]
    assert "lesion ≥ 100 kPa" in titles
    assert "1 of 2" in title
    assert "V0" in alternative
