"""What the page says of descriptors: three tables an arm, and published risks only beside a label that they are of."""

from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.report.page_descriptors import descriptor_parts
from isthmus.statistics.interval import Interval, undefined

FOUND = Interval(0.6, 0.5, 0.7, 0.95, "made up").as_dict()
SAME = undefined("kappa", "the network sees the same in every nodule", 0.95).as_dict()
MEAN = {"mean_probability_low": 0.15, "mean_probability_high": 0.27}
SIZES = {"arm": "one", "split": "cv", "n": 40, "n_groups": 40}
MEASURES = ("same_finding", "weighted_kappa", "calibration_slope", "brier")


def context(**changes: Any) -> Any:
    rows: list[dict[str, Any]] = [
        {"measure": "macro_auc", "code": "", "positive": "", **FOUND},
        {"measure": "auc", "code": "smooth", "positive": 30, **FOUND},
    ]
    rows += [{"measure": name, "code": "", "positive": "", **FOUND} for name in MEASURES]
    rows += [{"measure": f"{name}_uncalibrated", "code": "", "positive": "", **FOUND} for name in MEASURES[2:]]
    level = {
        "tirads": "TR4",
        "positive": 8,
        "mean_probability": 0.21,
        **MEAN,
        "published_risk_of_malignancy": 0.091,
        **FOUND,
    }
    evidence = {
        "positive": "M",
        "target": "malignant",
        "reference": "surgery",
        "descriptors": [{**SIZES, "descriptor": "margin", **row} for row in rows],
        "seen_tirads": [
            {**SIZES, "of": of, "measure": measure, **FOUND} for of in ("points", "level") for measure in
            ("weighted_kappa", "same")
        ],
        "seen_levels": [{**SIZES, **level}],
        **changes,
    }  # fmt: skip
    return SimpleNamespace(
        evidence=evidence, title_of=str.title, class_names={"M": "malignant"}, class_name=lambda code: "malignant"
    )


def tables(**changes: Any) -> list[Any]:
    return descriptor_parts(context(**changes))["described"]["tables"]


def test_findings_agreement_and_levels_have_a_table_each() -> None:
    findings, agreement, levels = tables()
    assert [row.name for row in findings.rows] == ["Margin", "smooth"]
    assert [row.name for row in agreement.rows] == [
        "Margin",
        "ACR points, of all together",
        "ACR level, of all together",
    ]
    assert {len(row.cells) for row in agreement.rows} == {len(agreement.columns)}
    assert (agreement.rows[0].cells[1].main, agreement.rows[0].cells[1].small) == ("0.60", "0.50–0.70")
    assert agreement.rows[0].cells[3].small == "0.60 as given"
    assert levels.columns[1] == "Share that is malignant"
    assert [cell.main for cell in levels.rows[0].cells] == ["40", "0.60", "0.21", "0.091"]
    assert levels.rows[0].cells[2].small == "0.15–0.27"


@pytest.mark.parametrize("changes", [{"reference": "tirads"}, {"target": "olnm"}])
def test_risks_of_malignancy_stand_beside_no_other_label(changes: dict[str, str]) -> None:
    levels = tables(**changes)[-1]
    assert not any("Published" in name for name in levels.columns)
    assert len(levels.rows[0].cells) == 3
    assert "left out" in levels.notes[0]


def test_a_kappa_that_is_not_there_says_why() -> None:
    rows = [{**row, **SAME} if row["measure"] == "weighted_kappa" else row for row in context().evidence["descriptors"]]
    cell = tables(descriptors=rows)[1].rows[0].cells[2]
    assert (cell.main, cell.small) == ("–", "the network sees the same in every nodule")


def test_of_several_classes_there_are_no_levels_and_without_descriptors_there_is_nothing() -> None:
    assert len(tables(seen_levels=[])) == 2
    assert descriptor_parts(context(descriptors=[])) == {"described": {}}
