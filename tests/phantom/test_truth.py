"""What a virtual cohort says of itself in truth/, against its tables and against the report that reads it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import TableError
from isthmus.files import write_yaml
from isthmus.phantom.aided import write_aided_reads
from isthmus.report.truth import read_truth
from isthmus.tables.check import inspect_table
from isthmus.tables.cohort import READS
from tests.phantom.small import small_preset


@pytest.fixture(scope="module")
def table(made_cohort: Path) -> pd.DataFrame:
    return pd.read_csv(made_cohort / "truth" / "nodules.csv", dtype={"malignant": str, "true_malignant": str})


def test_the_report_reads_the_truth(made_cohort: Path, table: pd.DataFrame) -> None:
    truth = read_truth(made_cohort)
    assert truth is not None
    assert truth.preset == "small"
    assert truth.observer_names == ["latents", "bmode"]
    ids = list(table["nodule_id"])
    np.testing.assert_allclose(truth.observer("latents", ids, ["0", "1"])[:, 1], table["p_true_1"])
    np.testing.assert_allclose(truth.observer("bmode", ids, ["0", "1"]).sum(axis=1), 1)
    for name in ("latents", "bmode"):
        assert 0.5 < truth.population[name]["auc"] < 1
        assert truth.population[name]["standard_error"] > 0


def test_calcification_masks_lie_where_the_truth_says(made_cohort: Path) -> None:
    truth, cohort = read_truth(made_cohort), load_cohort(made_cohort)
    assert truth is not None
    assert list(truth.views["view_id"]) == list(cohort.views["view_id"])
    masks = {name: truth.calcification_mask(name) for name in truth.views["view_id"]}
    shown = {name: mask for name, mask in masks.items() if mask is not None}
    assert 0 < len(shown) < len(masks)
    assert all(mask.any() for mask in shown.values())
    stored = {path.stem for path in (made_cohort / "truth" / "calcifications").iterdir()}
    assert stored == set(shown)


def test_labels_are_wrong_where_the_truth_says_and_nowhere_else(made_cohort: Path, table: pd.DataFrame) -> None:
    described = yaml.safe_load((made_cohort / "truth" / "truth.yaml").read_text())
    cohort = load_cohort(made_cohort)
    label = cohort.nodules.set_index("nodule_id")["malignant"].loc[table["nodule_id"]].to_numpy()
    wrong = label != table["true_malignant"].to_numpy()
    np.testing.assert_array_equal(wrong, table["label_flipped"].to_numpy())
    assert not wrong[table["split"].isin(["test", "external"]).to_numpy()].any()
    assert described["label_noise"]["changed"] == wrong.sum()
    inside = table[table["split"].isin(["train", "tune"])]
    assert described["prevalence"]["malignant"]["1"] == pytest.approx((inside["malignant"] == "1").mean(), abs=1e-6)


def test_nothing_of_the_truth_stands_in_the_cohort_s_own_tables(made_cohort: Path) -> None:
    for name in ("patients", "nodules", "views"):
        columns = list(pd.read_csv(made_cohort / f"{name}.csv", nrows=0).columns)
        hidden = [column for column in columns if column.startswith(("p_true", "true_", "label_", "has_"))]
        assert not hidden
        assert not {"contrast_db", "irregularity", "stiffness_kpa", "punctate_elsewhere"} & set(columns)


def with_readers(cohort: Path, tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """A cohort folder of tables alone (reads, truth), and a model's predictions of what was read."""
    folder = tmp_path / "cohort"
    (folder / "truth").mkdir(parents=True)
    for path in [*cohort.glob("*.csv"), cohort / "cohort.yaml", cohort / "truth" / "truth.yaml"]:
        (folder / path.relative_to(cohort)).write_bytes(path.read_bytes())
    table = pd.read_csv(cohort / "truth" / "nodules.csv", dtype={"true_malignant": str})
    table = table[table["split"].isin(["test", "external"])]
    positive = np.where(table["true_malignant"] == "1", 0.9, 0.1)
    predictions = pd.DataFrame(
        {
            "target": "malignant", "cohort": "c", "arm": "a", "split": table["split"], "unit": "nodule",
            "unit_id": table["nodule_id"], "label": table["true_malignant"],
            "p_0": 1 - positive, "p_1": positive, "call": table["true_malignant"],
        }
    )  # fmt: skip
    return folder, predictions


def test_unaided_reads_are_of_test_and_external_nodules_alone(made_cohort: Path, table: pd.DataFrame) -> None:
    reads, settings = load_cohort(made_cohort).reads, small_preset().readers
    assert reads is not None
    assert settings is not None
    shown = table[table["split"].isin(["test", "external"])]
    assert set(reads["unit_id"]) == set(shown["nodule_id"])
    assert len(reads) == len(shown) * sum(group.readers for group in settings.groups.values())
    assert reads["condition"].eq("unaided").all()


def test_aided_reads_are_written_from_the_cohort_and_a_model_s_predictions(made_cohort: Path, tmp_path: Path) -> None:
    folder, predictions = with_readers(made_cohort, tmp_path)
    path = write_aided_reads(folder, predictions, "a", tmp_path / "out" / "reads.csv")
    assert path == tmp_path / "out" / "reads.csv"
    reads, bad = inspect_table(path, READS)
    assert bad == []
    assert set(reads["condition"]) == {"unaided", "aided"}
    reads["label"] = predictions.set_index("unit_id")["label"].loc[reads["unit_id"]].to_numpy()
    auc = {name: roc_auc_score(rows["label"] == "1", rows["score"]) for name, rows in reads.groupby("condition")}
    assert auc["aided"] > auc["unaided"]
    switches = pd.read_csv(tmp_path / "out" / "reads_switches.csv")
    assert switches["reads"].sum() == (reads["condition"] == "aided").sum()
    again = write_aided_reads(folder, predictions.sample(frac=1, random_state=0), "a", tmp_path / "out" / "again.csv")
    assert again is not None
    assert again.read_bytes() == path.read_bytes()


def test_there_are_no_aided_reads_without_readers_or_predictions_of_theirs(made_cohort: Path, tmp_path: Path) -> None:
    folder, predictions = with_readers(made_cohort, tmp_path)
    out = tmp_path / "reads.csv"
    assert write_aided_reads(folder, predictions, "another arm", out) is None
    assert write_aided_reads(folder, predictions.assign(split="cv"), "a", out) is None
    with pytest.raises(TableError, match="several rows for unit"):
        write_aided_reads(folder, pd.concat([predictions, predictions]), "a", out)
    described = yaml.safe_load((folder / "truth" / "truth.yaml").read_text())
    write_yaml(folder / "truth" / "truth.yaml", described | {"readers": None})
    assert write_aided_reads(folder, predictions, "a", out) is None
    (folder / "truth" / "truth.yaml").unlink()
    assert write_aided_reads(folder, predictions, "a", out) is None
    assert not out.exists()
