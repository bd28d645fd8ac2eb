import json
from pathlib import Path

import pandas as pd
import pytest

from isthmus.errors import InputError, OutputError, TableError
from isthmus.report.evaluate import evaluate
from isthmus.report.evidence import compute_evidence
from isthmus.report.tables import write_tables
from isthmus.statistics.roc import auc
from tests.report.made import made_predictions


def test_a_table_becomes_evidence_tables_figures_and_a_report(tmp_path: Path) -> None:
    frame = made_predictions(folds=2)
    frame.to_csv(tmp_path / "predictions.csv", index=False)
    out = tmp_path / "out"
    evidence = evaluate(tmp_path / "predictions.csv", out, reference_arm="old", bootstrap=50)
    assert json.loads((out / "evidence.json").read_text(encoding="utf-8")) == evidence
    assert {path.name for path in (out / "tables").iterdir()} >= {
        "arms.csv", "comparisons.csv", "confusion.csv", "folds.csv", "thresholds.csv", "misclassified.csv",
        "ranking_detail.csv", "ranking_detail_differences.csv",
    }  # fmt: skip
    assert (out / "report.html").is_file()
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert "report.html" in manifest["outputs"]


def test_the_csv_tables_hold_the_evidence_at_full_precision(tmp_path: Path) -> None:
    evidence = compute_evidence(made_predictions(), bootstrap=50)
    write_tables(tmp_path, evidence)
    arms = pd.read_csv(tmp_path / "arms.csv")
    row = arms[(arms["arm"] == "new") & (arms["measure"] == "auc")].iloc[0]
    entry = evidence["arms"]["new"]["cv"]["auc"]
    assert (row["estimate"], row["low"], row["high"]) == (entry["estimate"], entry["low"], entry["high"])
    confusion = pd.read_csv(tmp_path / "confusion.csv")
    assert confusion.groupby("arm")["count"].sum().tolist() == [120, 120]
    assert len(pd.read_csv(tmp_path / "folds.csv")) == 12


def test_a_frame_passes_the_same_checks_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="label"):
        evaluate(made_predictions().drop(columns="label"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError):
        evaluate(made_predictions(), tmp_path)
    assert (tmp_path / "kept.txt").read_text(encoding="utf-8") == "mine"


def test_fifteen_networks_of_a_published_reader_study_are_evaluated_as_they_come(
    data_folder: Path, tmp_path: Path
) -> None:
    manifest = pd.read_csv(data_folder / "breast_reader_study" / "manifest.csv", dtype={"case": str})
    networks = [name for name in manifest if name.startswith("allmodels_")]
    parts = [
        pd.DataFrame(
            {
                "arm": name.removeprefix("allmodels_"),
                "split": "external",
                "unit_id": manifest["case"],
                "patient_id": manifest["patient_id"],
                "label": manifest["malignancy"].astype(str),
                "p_0": 1 - manifest[name],
                "p_1": manifest[name],
            }
        )
        for name in networks
    ]
    path = tmp_path / "scores.csv"
    pd.concat(parts).to_csv(path, index=False)
    evidence = evaluate(path, tmp_path / "out", reference_arm="EfficientNet_hm_320", bootstrap=50)
    assert len(evidence["arms"]) == 15
    facts = evidence["arms"]["ResNet50_224_hm"]["external"]
    # Counted in the study's own table: 300 pictures, 166 malignant, 220 patients.
    assert (facts["n"], facts["n_groups"], facts["classes"]["1"]) == (300, manifest["patient_id"].nunique(), 166)
    expected = auc(manifest["malignancy"], manifest["allmodels_ResNet50_224_hm"])
    assert facts["auc"]["estimate"] == pytest.approx(expected)
    assert facts["auc"]["method"] == "Obuchowski clustered, logit"
    assert "0.5 or more" in facts["notes"][0]
    compared = [entry for entry in evidence["comparisons"] if entry["measure"] == "auc"]
    assert {entry["b"] for entry in compared} == {"EfficientNet_hm_320"}
    assert len(compared) == 14
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "No contrast was named before the analysis" in text


def test_rows_that_choices_were_made_on_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        {"arm": "a", "split": split, "unit_id": str(unit), "label": str(unit % 2), "score": unit % 2 + unit % 3}
        for split in ("tune", "test")
        for unit in range(60)
    ]
    evidence = evaluate(pd.DataFrame(rows), tmp_path / "out")
    assert list(evidence["arms"]["a"]) == ["test"]
    assert "60 rows of the tuning part are left out" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_limits_of_prediction_sets_come_from_the_tuning_part_and_its_rows_are_no_evidence(tmp_path: Path) -> None:
    tune = made_predictions(folds=1, seeds=(0,), split="tune", units=200).assign(fold=0)
    test = made_predictions(folds=1, seeds=(0,), split="test").assign(fold=0)
    both = pd.concat([tune.assign(unit_id="t" + tune["unit_id"], group_id="t" + tune["group_id"]), test])
    evidence = evaluate(both, tmp_path / "with", bootstrap=50)
    alone = evaluate(test, tmp_path / "without", bootstrap=50)
    assert set(evidence["arms"]["new"]) == {"test"}
    chosen = [found["uncertainty"]["splits"]["test"]["new"]["chosen_on"] for found in (evidence, alone)]
    assert chosen == ["the tuning part", "the same set, cross-fitted by group in 5 parts"]
    assert evidence["arms"]["new"]["test"]["auc"] == alone["arms"]["new"]["test"]["auc"]


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ({"reference": "biopsy"}, "no reference is called 'biopsy'"),
        ({"sampling": "random"}, "no sampling is called 'random'"),
        ({"table_one_mode": "journal"}, "no mode of Table 1 is called 'journal'"),
        ({"prevalences": (1.2,)}, "a prevalence of 1.2"),
        ({"recalibrate": "beta"}, "no recalibration is called 'beta'"),
        ({"threshold": "best"}, "'best' is no threshold rule"),
        ({"threshold": "sensitivity=95"}, "out of range"),
    ],
)
def test_a_word_that_is_not_known_is_refused_before_anything_is_computed(
    tmp_path: Path, option: dict[str, object], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        evaluate(made_predictions(), tmp_path / "out", **option)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_threshold_for_rows_that_carry_calls_is_refused(tmp_path: Path) -> None:
    called = made_predictions().assign(call="1")
    with pytest.raises(InputError, match=r"480 rows have calls already, of arm 'new'"):
        evaluate(called, tmp_path / "out", threshold="0.3")
