"""Which cases to distrust: a warning that finds the wrong calls is seen to, one that does not is seen not to."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from isthmus.report.context import ReportContext
from isthmus.report.evidence import compute_evidence
from isthmus.report.page_doubts import SUBJECT

N = 240


def predictions(split: str, seeds: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    truth = rng.random(N) < 0.5
    tables = []
    for seed in range(seeds):
        p = 1 / (1 + np.exp(-(2 * truth - 1 + rng.normal(size=N) * 1.5)))
        tables.append(
            pd.DataFrame(
                {
                    "target": "malignant", "cohort": "one", "arm": "net", "split": split, "seed": seed,
                    "fold": np.arange(N) % 3 if split == "cv" else 0,
                    "unit_id": [f"n{n}" for n in range(N)], "group_id": [f"g{n}" for n in range(N)],
                    "label": np.where(truth, "1", "0"), "p_0": 1 - p, "p_1": p, "call": np.where(p >= 0.5, "1", "0"),
                }
            )
        )  # fmt: skip
    rows = pd.concat(tables, ignore_index=True)
    return rows.assign(
        candidate="net", unit="nodule", nodule_id=rows["unit_id"], patient_id=rows["group_id"], site="here"
    )


def warnings_of(rows: pd.DataFrame) -> pd.DataFrame:
    first = rows[rows["seed"] == 0]
    wrong = (first["call"] != first["label"]).to_numpy()
    rng = np.random.default_rng(1)
    return first[["arm", "cohort", "split", "unit_id"]].assign(
        spread=wrong + rng.normal(size=N), out_of_distribution=rng.normal(size=N), unlike=np.arange(N) < 30
    )


def test_the_auc_of_a_warning_is_that_of_scikit_learn() -> None:
    rows = predictions("test")
    known = warnings_of(rows)
    found = compute_evidence(rows, positive="1", bootstrap=40, doubts=known)["doubts"]["splits"]["test"]["net"]
    wrong = (rows["call"] != rows["label"]).to_numpy()
    assert found["wrong"] == wrong.sum()
    for name in ("spread", "out_of_distribution"):
        assert found["signals"][name]["auc"]["estimate"] == pytest.approx(roc_auc_score(wrong, known[name]))
    assert found["signals"]["spread"]["auc"]["low"] > 0.5
    noise = found["signals"]["out_of_distribution"]["auc"]
    assert noise["low"] < 0.5 < noise["high"]
    # No threshold is given: it lies halfway between the highest negative call and the lowest positive one.
    middle = (rows.loc[rows["call"] == "0", "p_1"].max() + rows.loc[rows["call"] == "1", "p_1"].min()) / 2
    odds = np.log(rows["p_1"] / rows["p_0"])
    near = roc_auc_score(wrong, -np.abs(odds - np.log(middle / (1 - middle))))
    assert found["signals"]["near the threshold"]["auc"]["estimate"] == pytest.approx(near)
    assert found["signals"]["spread"]["difference"]["difference"] == pytest.approx(
        roc_auc_score(wrong, known["spread"]) - near
    )


def test_wrong_calls_are_counted_among_the_cases_that_are_called_unlike() -> None:
    rows = predictions("test")
    found = compute_evidence(rows, positive="1", bootstrap=40, doubts=warnings_of(rows))["doubts"]["splits"]["test"]
    wrong = (rows["call"] != rows["label"]).to_numpy()
    unlike = found["net"]["unlike"]
    assert unlike["share"]["estimate"] == pytest.approx(30 / N)
    assert unlike["wrong_inside"]["estimate"] == pytest.approx(wrong[:30].mean())
    assert unlike["wrong_outside"]["estimate"] == pytest.approx(wrong[30:].mean())


def test_what_share_of_held_out_cases_is_called_unlike_is_not_said() -> None:
    rows = predictions("cv")
    evidence = compute_evidence(rows, positive="1", bootstrap=40, doubts=warnings_of(rows))
    unlike = evidence["doubts"]["splits"]["cv"]["net"]["unlike"]
    assert set(unlike) == {"wrong_inside", "wrong_outside"}
    shown = SUBJECT.show(ReportContext(title="t", evidence=evidence, predictions=rows))
    assert shown is not None
    assert not any("called unlike" in sentence for sentence in shown.sentences)
    (table,) = shown.tables
    assert table.rows[0].cells[table.columns.index("Called unlike")].main == "–"


def test_in_cross_validation_the_seeds_are_the_ensemble() -> None:
    rows = predictions("cv", seeds=4)
    found = compute_evidence(rows, positive="1", bootstrap=40)["doubts"]["splits"]["cv"]["net"]
    first = rows[rows["seed"] == 0]
    spread = rows.groupby("unit_id")["p_1"].std(ddof=0).loc[first["unit_id"]]
    expected = roc_auc_score(first["call"] != first["label"], spread)
    assert found["signals"]["spread"]["auc"]["estimate"] == pytest.approx(expected)
    assert "unlike" not in found


def test_the_page_says_it_of_the_first_set_and_shows_a_table_of_each() -> None:
    rows = predictions("test")
    evidence = compute_evidence(rows, positive="1", bootstrap=40, doubts=warnings_of(rows))
    shown = SUBJECT.show(ReportContext(title="t", evidence=evidence, predictions=rows))
    assert shown is not None
    assert "disagreement of the networks tells wrong calls from right ones with an AUC of" in shown.sentences[0]
    assert shown.sentences[1].startswith("12\u202f% (9–17) of the nodules are called unlike")
    (table,) = shown.tables
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
    found = SUBJECT.frames(evidence)["doubts"]
    assert found["warning"].tolist() == ["near the threshold", "spread", "out_of_distribution", "called unlike"]


def test_without_a_warning_there_is_no_section() -> None:
    evidence = compute_evidence(predictions("test"), positive="1", bootstrap=40)
    assert "doubts" not in evidence
    assert SUBJECT.frames(evidence)["doubts"].empty
