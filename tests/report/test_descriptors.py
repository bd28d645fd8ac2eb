"""The table of descriptors, against scikit-learn's AUC inside every fold."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from isthmus.report.descriptors import descriptor_rows

CODES = ("mixed", "solid", "cystic")


@pytest.fixture
def example() -> tuple[pd.DataFrame, pd.DataFrame]:
    """90 nodules of 45 patients in three folds; two cystic nodules, both in the first fold."""
    generator = np.random.default_rng(0)
    code = np.where(generator.random(90) < 0.4, "mixed", "solid").astype(object)  # longer words fit in
    code[[0, 3]] = "cystic"
    has = pd.DataFrame({name: code == name for name in CODES})
    scores = pd.DataFrame({name: has[name] * 0.5 + generator.normal(size=90) for name in CODES})
    facts = {"seed": 0, "fold": np.arange(90) // 2 % 3, "group_id": [str(row // 2) for row in range(90)]}
    return scores.assign(**facts, nodule_id=[f"n{row}" for row in range(90)]), has


def test_each_code_has_the_mean_of_its_aucs_within_folds(example: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    scores, has = example
    rows = {row["code"]: row for row in descriptor_rows(scores, has)}
    for code in ("mixed", "solid"):
        folds = [
            roc_auc_score(has[code][scores["fold"] == fold], scores[code][scores["fold"] == fold]) for fold in range(3)
        ]
        assert rows[code]["estimate"] == pytest.approx(np.mean(folds))
        assert rows[code]["low"] < rows[code]["estimate"] < rows[code]["high"]
        assert (rows[code]["n"], rows[code]["n_groups"]) == (90, 45)
        assert rows[code]["positive"] == has[code].sum()


def test_a_code_that_some_folds_lack_is_ranked_where_it_is_and_said_so(
    example: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    scores, has = example
    held = sorted(set(scores["fold"][has["cystic"]]))
    row = next(row for row in descriptor_rows(scores, has) if row["code"] == "cystic")
    folds = [
        roc_auc_score(has["cystic"][scores["fold"] == fold], scores["cystic"][scores["fold"] == fold]) for fold in held
    ]
    assert row["estimate"] == pytest.approx(np.mean(folds))
    assert f"{len(held)} of 3 folds hold both sides" in row["note"]


def test_the_mean_is_over_the_codes_that_every_fold_holds_often_enough(
    example: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    scores, has = example
    macro, *single = descriptor_rows(scores, has)
    common = [row["estimate"] for row in single if row["code"] in ("mixed", "solid")]
    assert macro["measure"] == "macro_auc"
    assert macro["estimate"] == pytest.approx(np.mean(common))
    assert "without cystic" in macro["note"]
    assert macro["low"] < macro["estimate"] < macro["high"]


def test_a_code_that_nobody_has_in_the_held_out_folds_has_no_auc(example: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    scores, has = example
    rows = descriptor_rows(scores, has.assign(cystic=False))
    assert next(row for row in rows if row["code"] == "cystic")["estimate"] is None
    assert descriptor_rows(scores.iloc[:0], has.iloc[:0]) == []
