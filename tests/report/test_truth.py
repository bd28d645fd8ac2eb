from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import CohortError, InputError
from isthmus.report.truth import Truth, read_truth
from tests.report.made import made_predictions
from tests.report.made_truth import made_truth


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return made_truth(tmp_path_factory.mktemp("cohort"), made_predictions(units=12))


def test_a_cohort_without_truth_is_a_real_one(tmp_path: Path) -> None:
    assert read_truth(tmp_path) is None


def test_an_observers_probabilities_come_in_the_order_of_units_and_classes(truth) -> None:
    found = truth.observer("bmode", ["n003", "n001", "n003"], ["1", "0"])
    table = pd.read_csv(truth.folder / "observers.csv")
    row = table[(table["observer"] == "bmode") & (table["unit_id"] == "n001")].iloc[0]
    assert found[1].tolist() == [row["p_1"], row["p_0"]]
    assert found[0].tolist() == found[2].tolist()
    assert found.sum(axis=1) == pytest.approx(np.ones(3))


def test_what_is_not_there_is_named(truth) -> None:
    with pytest.raises(CohortError, match="no ideal observer is called 'ceus'") as caught:
        truth.observer("ceus", ["n001"], ["0", "1"])
    assert "latents, bmode, bmode+swe" in str(caught.value)
    with pytest.raises(CohortError, match="no row for unit 'n999'"):
        truth.observer("bmode", ["n001", "n999"], ["0", "1"])
    with pytest.raises(CohortError, match="no column 'p_2'"):
        truth.observer("bmode", ["n001"], ["0", "2"])
    with pytest.raises(CohortError, match="no view is called 'V9'"):
        truth.calcification_mask("V9")


def test_calcifications_are_known_frame_by_frame(truth) -> None:
    still, clip = truth.calcification_mask("V1"), truth.calcification_mask("V3")
    assert still.shape == (1, 6, 8)
    assert np.argwhere(still).tolist() == [[0, 2, 3]]
    assert clip.any(axis=(1, 2)).tolist() == [True, False]
    assert truth.calcification_mask("V2") is None


def test_population_aucs_are_those_of_the_file(truth) -> None:
    assert truth.population["latents"] == {"auc": pytest.approx(0.8), "standard_error": 0.0004}


def test_a_truth_of_another_format_or_without_a_table_is_refused(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    truth = made_truth(cohort, made_predictions(units=12))
    (truth.folder / "views.csv").unlink()
    with pytest.raises(CohortError, match="no such file"):
        read_truth(cohort)
    (truth.folder / "views.csv").write_text("view_id\nV1\n")
    with pytest.raises(CohortError, match="no column 'calcifications'"):
        read_truth(cohort)
    (truth.folder / "truth.yaml").write_text("format: isthmus-truth/2.0\n")
    with pytest.raises(InputError, match="newer"):
        read_truth(cohort)
    (truth.folder / "truth.yaml").write_text("format: isthmus-truth/1.0\n")
    with pytest.raises(CohortError, match="no ideal observers are listed"):
        read_truth(cohort)
