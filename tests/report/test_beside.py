"""What is given beside the scores: reads as .imrmc, there and back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import InputError
from isthmus.report.beside import fitting_cases, fitting_reads, imrmc_tables
from isthmus.report.evaluate import evaluate
from isthmus.tables.imrmc import write_imrmc
from isthmus.tables.predictions import read_predictions


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    random = np.random.default_rng(3)
    labels = np.arange(30) % 2
    p = np.clip(0.3 + 0.4 * labels + 0.2 * random.normal(size=30), 0.01, 0.99)
    frame = pd.DataFrame({"arm": "a", "split": "test", "unit_id": [f"n{k}" for k in range(30)], "label": labels})
    frame.assign(p_0=1 - p, p_1=p).to_csv(tmp_path / "scores.csv", index=False)
    return tmp_path / "scores.csv"


def reads_of(units: int = 30) -> pd.DataFrame:
    random = np.random.default_rng(4)
    parts = [
        pd.DataFrame(
            {
                "reader_id": f"reader {reader}",
                "unit_id": [f"n{k}" for k in range(units)],
                "condition": condition,
                "score": np.round(5 + 2 * (np.arange(units) % 2) + random.normal(size=units)),
            }
        )
        for reader in range(5)
        for condition in ("unaided", "aided")
    ]
    return pd.concat(parts, ignore_index=True)


def test_scored_reads_come_out_as_imrmc_and_go_in_again_with_the_same_evidence(tmp_path: Path, scores: Path) -> None:
    reads_of().to_csv(tmp_path / "reads.csv", index=False)
    first = evaluate(scores, tmp_path / "first", reads=tmp_path / "reads.csv", bootstrap=50)
    written = tmp_path / "first" / "reads.imrmc"
    assert "reader_0,n0,unaided," in written.read_text(encoding="utf-8")
    again = evaluate(scores, tmp_path / "again", reads=written, bootstrap=50)
    keep = ("condition", "split", "n", "auc")
    figures = [
        sorted(tuple(str(row[name]) for name in keep) for row in found["readers"]["rows"]) for found in (first, again)
    ]
    assert figures[0] == figures[1]


def test_a_file_whose_truth_contradicts_the_predictions_is_refused(tmp_path: Path, scores: Path) -> None:
    predictions = read_predictions(scores)
    reads = reads_of()
    truth = predictions[["unit_id"]].assign(label=np.where(predictions["label"] == "1", "negative", "positive"))
    plain = reads.assign(reader_id=reads["reader_id"].str.replace(" ", "_"), session="", target="target")
    write_imrmc(tmp_path / "study.imrmc", plain, truth)
    with pytest.raises(InputError, match="30 cases have one truth there"):
        fitting_reads(tmp_path / "study.imrmc", predictions)


def test_calls_alone_and_names_that_would_become_one_have_no_imrmc(scores: Path) -> None:
    predictions = read_predictions(scores)
    reads = reads_of().assign(session="", target="target")
    assert imrmc_tables(reads, predictions, "1") is not None
    assert imrmc_tables(reads.drop(columns="score"), predictions, "1") is None
    twins = pd.concat([reads, reads.assign(reader_id=reads["reader_id"].str.replace(" ", "_"))])
    assert imrmc_tables(twins, predictions, "1") is None


def test_cases_of_another_study_are_refused_and_missing_ones_counted(scores: Path) -> None:
    predictions = read_predictions(scores)
    known = pd.DataFrame({"unit_id": ["n0", "n1"], "site": ["A", "B"]})
    cases, checks = fitting_cases(known, predictions)
    assert cases is not None
    assert checks[0].sentence == "Nothing is known of 28 units of 30."
    with pytest.raises(InputError, match="knows no unit"):
        fitting_cases(known.assign(unit_id=["x", "y"]), predictions)
