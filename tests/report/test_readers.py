import json

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import InputError
from isthmus.report.analysis_table import analysis_table
from isthmus.report.readers import reader_evidence as evidence_of_readers
from isthmus.report.subject import Study
from isthmus.statistics.multiclass import macro_auc
from isthmus.statistics.roc import auc_interval
from tests.report.made import made_predictions
from tests.report.made_simulated import made_reads


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return made_predictions(seeds=(0,), folds=1, split="test")


def reader_evidence(reads, predictions, *, simulated, **options) -> dict:
    study = Study(reads=reads, simulated_readers=simulated, **{"bootstrap": 50, **options})
    return evidence_of_readers(analysis_table(predictions), study, {})


def rows_of(found: dict, kind: str) -> list[dict]:
    return [row for row in found["rows"] if row["kind"] == kind]


def test_each_reader_and_condition_is_a_row_before_the_arms_on_the_same_cases(predictions) -> None:
    reads = made_reads(predictions)
    some = reads[reads["unit_id"] < "n080"]
    found = reader_evidence(some, predictions, simulated=True)
    named = [(row["name"], row["condition"]) for row in rows_of(found, "reader")]
    assert named == [("R1", "unaided"), ("R1", "aided"), ("R2", "unaided"), ("R2", "aided")]
    assert {row["n"] for row in found["rows"]} == {80}
    arm = predictions[(predictions["arm"] == "new") & (predictions["unit_id"] < "n080")]
    expected = auc_interval(arm["label"] == "1", arm["p_1"], arm["group_id"]).as_dict()
    assert rows_of(found, "arm")[0]["auc"] == expected
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_readers_figures_are_those_of_their_own_reads(predictions) -> None:
    reads = made_reads(predictions)
    one = reads[(reads["reader_id"] == "R1") & (reads["condition"] == "unaided")]
    both = one.merge(predictions[predictions["arm"] == "new"], on="unit_id", suffixes=("", "_model"))
    truth = (both["label"] == "1").to_numpy()
    row = rows_of(reader_evidence(reads, predictions, simulated=True), "reader")[0]
    assert row["auc"] == auc_interval(truth, both["score"], both["group_id"]).as_dict()
    assert row["sensitivity"]["estimate"] == pytest.approx((both["call"] == "1")[truth].mean())
    assert row["specificity"]["estimate"] == pytest.approx((both["call"] == "0")[~truth].mean())
    assert row["seconds"] == pytest.approx(one["seconds"].median())


def test_a_scale_that_speaks_for_the_negative_class_is_turned(predictions) -> None:
    reads = made_reads(predictions)
    turned = reader_evidence(reads.assign(score=-reads["score"]), predictions, simulated=False, higher_is="negative")
    straight = reader_evidence(reads, predictions, simulated=False)
    for a, b in zip(turned["rows"], straight["rows"], strict=True):
        assert a["auc"]["estimate"] == b["auc"]["estimate"]
    assert turned["simulated"] is False


def test_a_row_without_score_and_call_is_a_case_that_was_skipped(predictions) -> None:
    reads = made_reads(predictions).drop(columns=["seconds", "session"])
    skipped = reads["unit_id"] < "n050"
    blank = reads.assign(score=reads["score"].mask(skipped), call=reads["call"].mask(skipped))
    some, fewer = (reader_evidence(read, predictions, simulated=False) for read in (blank, reads[~skipped]))
    assert some == fewer
    row = rows_of(some, "reader")[0]
    assert (row["n"], row["session"], row["seconds"]) == (70, "", None)
    assert reader_evidence(reads.assign(score=None, call=None), predictions, simulated=False) == {}


def test_readers_who_scored_some_cases_and_called_others_are_measured_on_each(predictions) -> None:
    reads = made_reads(predictions)
    some = reads.assign(score=reads["score"].where(reads["unit_id"] < "n100"))
    row = rows_of(reader_evidence(some, predictions, simulated=False), "reader")[0]
    assert (row["n"], row["n_scored"], "n_called" in row) == (120, 100, False)


def test_readers_who_only_called_and_whose_experience_is_not_said_have_calls_and_no_auc(predictions) -> None:
    reads = made_reads(predictions)[["reader_id", "condition", "target", "unit_id", "call"]]
    row = rows_of(reader_evidence(reads, predictions, simulated=False), "reader")[0]
    assert row["experience"] == ""
    assert row["auc"]["estimate"] is None
    assert row["sensitivity"]["estimate"] is not None


def test_three_classes_are_ranked_by_probabilities_and_counted_by_accuracy() -> None:
    random = np.random.default_rng(2)
    labels = np.repeat(["a", "b", "c"], 20)
    units = [f"{i}" for i in range(60)]
    p = random.dirichlet([2, 2, 2], 60)
    columns = {f"p_{name}": p[:, k] for k, name in enumerate("abc")}
    predictions = pd.DataFrame(
        {"arm": "m", "split": "test", "seed": 0, "fold": 0, "unit_id": units, "group_id": units, "label": labels}
        | {"call": "", "target": "t", "cohort": "c", "candidate": "default", "unit": "patient", **columns}
    )
    reads = pd.DataFrame(
        {"reader_id": "R", "experience": "senior", "condition": "unaided", "target": "t", "unit_id": units}
        | {"call": np.array(list("abc"))[p.argmax(axis=1)], **columns}
    )
    row = rows_of(reader_evidence(reads, predictions, simulated=True, bootstrap=50), "reader")[0]
    assert row["macro_auc"]["estimate"] == pytest.approx(macro_auc(labels, p, list("abc"), replicates=5).estimate)
    assert row["accuracy"]["estimate"] == pytest.approx((reads["call"] == labels).mean())
    silent = reader_evidence(reads.drop(columns="p_a"), predictions, simulated=True, bootstrap=5)
    assert "no probability" in rows_of(silent, "reader")[0]["macro_auc"]["note"]


def test_reads_of_nothing_held_out_are_refused(predictions) -> None:
    with pytest.raises(InputError, match="no read is of 'malignant'"):
        reader_evidence(
            made_reads(predictions).assign(unit_id=lambda read: "x" + read["unit_id"]), predictions, simulated=True
        )
