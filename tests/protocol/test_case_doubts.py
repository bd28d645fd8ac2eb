"""What warns of a case: means over its views, of the first seed, beside what unseen training pictures have."""

import numpy as np
import pandas as pd
import pytest

from isthmus.protocol.case_doubts import case_doubts
from tests.models.test_training_likeness import likeness


def rows() -> pd.DataFrame:
    facts = {"arm": "a", "cohort": "c", "seed": 0}
    return pd.DataFrame(
        [
            {**facts, "split": "test", "view_id": "1", "nodule_id": "n", "spread": 0.1, "out_of_distribution": 8.0},
            {**facts, "split": "test", "view_id": "2", "nodule_id": "n", "spread": 0.3, "out_of_distribution": 10.0},
            {**facts, "split": "test", "view_id": "2", "nodule_id": "n", "seed": 1},
            {**facts, "split": "cv", "view_id": "3", "nodule_id": "m"},
            {**facts, "split": "tune", "view_id": "4", "nodule_id": "o"},
        ]
    )


def test_a_nodules_views_are_averaged_and_judged() -> None:
    known = likeness("mahalanobis")
    assert known.cases is not None
    # A case with one picture that stands in the reference itself.
    place = int(np.flatnonzero(known.cases.views == 1)[3])
    held_out = pd.DataFrame({"view_id": ["3"], "out_of_distribution": [float(known.reference[place])]})
    found = case_doubts(rows(), {"a": known}, "nodule", {"a": held_out}).set_index("unit_id")
    assert sorted(found.index) == ["m", "n"]
    assert found.loc["n", "spread"] == pytest.approx(0.2)
    assert found.loc["n", "out_of_distribution"] == pytest.approx(9)
    assert bool(found.loc["n", "unlike"])
    assert not bool(found.loc["m", "unlike"])
    spreads = known.cases.agreement.spread(1, known.cases.views)
    others = np.delete((known.reference - 0.1) / spreads, place)
    below = (others < (known.reference[place] - 0.1) / spreads[place]).mean()
    assert found.loc["m", "percentile"] == pytest.approx(100 * below)


def test_the_number_of_a_cases_pictures_is_minded() -> None:
    known = likeness("mahalanobis")
    assert known.cases is not None
    score = 0.8
    table = rows()
    table.loc[table["split"] == "test", "out_of_distribution"] = score
    joined = case_doubts(table[table["split"] == "test"], {"a": known}, "nodule").set_index("unit_id")
    alone = case_doubts(table.iloc[:1], {"a": known}, "nodule").set_index("unit_id")
    assert joined.loc["n", "percentile"] == pytest.approx(100 * known.shares_nearer([score], 2)[0])
    assert alone.loc["n", "percentile"] == pytest.approx(100 * known.shares_nearer([score], 1)[0])
    assert joined.loc["n", "percentile"] > alone.loc["n", "percentile"]


def test_sets_opened_before_bundles_knew_it_say_nothing() -> None:
    assert case_doubts(rows().drop(columns=["spread", "out_of_distribution"]), {}, "nodule").empty


def test_a_finished_run_says_which_cases_to_distrust(finished) -> None:
    run, _ = finished
    found = run.evidence["doubts"]["splits"]
    assert {"spread", "out_of_distribution"} <= set(found["test"]["thyronet_x4"]["signals"])
    assert "share" in found["external"]["resnet34"]["unlike"]
    cases = pd.read_csv(run.folder / "tables" / "case_doubts.csv")
    held_out = cases[(cases["arm"] == "resnet34") & (cases["split"] == "cv")]
    assert held_out["unlike"].notna().all()
    assert "Which cases to distrust" in (run.folder / "report.html").read_text(encoding="utf-8")
