"""Several external cohorts: each is a split by itself, named in evidence, tables, figures and page."""

from pathlib import Path

import pandas as pd
import pytest

from isthmus.report.evaluate import evaluate
from isthmus.report.evidence import compute_evidence
from isthmus.statistics.roc import auc
from tests.report.made import made_predictions


def external(cohort: str, strength: float) -> pd.DataFrame:
    return made_predictions(seeds=(0,), folds=1, strength=strength, split="external").assign(cohort=cohort)


def test_each_cohort_has_its_own_evidence_equal_to_that_of_the_cohort_alone() -> None:
    one, other = external("Hospital B", 0.4), external("Hospital C", 1.2)
    both = compute_evidence(pd.concat([made_predictions(seeds=(0,)), one, other], ignore_index=True), bootstrap=50)
    assert set(both["arms"]["new"]) == {"cv", "external: Hospital B", "external: Hospital C"}
    for frame in (one, other):
        alone = compute_evidence(frame, bootstrap=50)["arms"]["new"]["external"]
        assert both["arms"]["new"][f"external: {frame['cohort'].iloc[0]}"]["auc"] == alone["auc"]
    assert {entry["split"] for entry in both["comparisons"]} == {"cv", "external: Hospital B", "external: Hospital C"}


def test_a_single_external_cohort_keeps_the_plain_name() -> None:
    found = compute_evidence(external("Hospital B", 0.4), bootstrap=50)["arms"]["new"]
    assert list(found) == ["external"]
    frame = external("Hospital B", 0.4)
    rows = frame[frame["arm"] == "new"]
    assert found["external"]["auc"]["estimate"] == pytest.approx(auc(rows["label"] == "1", rows["p_1"]))


def test_page_figures_and_tables_show_each_cohort_by_name(tmp_path: Path) -> None:
    frame = pd.concat([external("Hospital B", 0.4), external("Hospital C", 1.2)], ignore_index=True)
    evaluate(frame, tmp_path / "out", reference_arm="old", bootstrap=50)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for name in ("Hospital B", "Hospital C"):
        assert f"External set {name}".casefold() in page.casefold()
        assert f"ROC curves, external set {name}" in page
    assert {"roc.svg", "roc_external2.svg"} <= {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    arms = pd.read_csv(tmp_path / "out" / "tables" / "arms.csv")
    assert set(arms["split"]) == {"external: Hospital B", "external: Hospital C"}
    assert "there is no external set" not in page
