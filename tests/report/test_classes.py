"""Several classes in the evidence: each class's calls, pictures beside patients, calibration, readers."""

import numpy as np
import pandas as pd
import pytest

from isthmus.report.analysis_table import analysis_table
from isthmus.report.class_readers import against_readers
from isthmus.report.classes import NO_CLINIC
from isthmus.report.context import ReportContext
from isthmus.report.evidence import compute_evidence
from isthmus.report.methods import _of_classes as methods_of_classes
from isthmus.report.page_classes import show
from isthmus.report.subject import Study
from isthmus.statistics.class_calibration import ClassCalibration, fit_class_calibration

CODES = ["BTN", "NMTN", "MMTN"]
P = [f"p_{code}" for code in CODES]


def scores(patients: int = 34, pictures: int = 1, seed: int = 0) -> pd.DataFrame:
    """The paper's test set: 10, 4 and 20 patients; with several pictures a patient."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(CODES, [10, 4, 20])[:patients]
    whose = np.repeat(np.arange(patients), pictures)
    values = np.array([generator.dirichlet(0.6 + 2.0 * (np.array(CODES) == labels[place])) for place in whose])
    ids = [f"P{place:02d}" for place in whose]
    units = ids if pictures == 1 else [f"V{row:03d}" for row in range(len(ids))]
    return pd.DataFrame(
        {"target": "diagnosis", "cohort": "c", "arm": "net", "candidate": "net", "split": "test", "seed": 0, "fold": 0,
         "unit": "patient" if pictures == 1 else "view", "unit_id": units, "nodule_id": units, "patient_id": ids,
         "group_id": ids, "site": "A", "label": labels[whose], "call": np.array(CODES)[values.argmax(axis=1)],
         **{name: values[:, place] for place, name in enumerate(P)}}
    )  # fmt: skip


@pytest.fixture(scope="module")
def evidence():
    calibration = ClassCalibration(0.8, (0.1, -0.2, 0.1)).as_dict()
    frozen = {"arms": {"net": {"calibration": calibration}}}
    pictures = scores(pictures=5, seed=1)
    return compute_evidence(scores(), positive="MMTN", frozen=frozen, pictures=pictures, bootstrap=100)


def test_four_patients_in_a_class_are_said_to_be_four(evidence):
    own = evidence["classes_in_detail"]
    assert own["small"]["test"] == {"NMTN": 4}
    shares = own["calls"]["test"]["net"]["NMTN"]
    assert shares["n_groups"] == 4
    # Wilson's interval of k of 4 is nowhere narrower than 0.49.
    assert all(share["high"] - share["low"] > 0.45 for share in shares["called"].values())
    assert sum(share["estimate"] for share in shares["called"].values()) == pytest.approx(1)


def test_pictures_of_a_patient_do_not_narrow_what_is_known_of_patients(evidence):
    single = evidence["classes_in_detail"]["pictures"]["test"]["net"]
    assert (single["n"], single["n_groups"]) == (170, 34)
    width = single["accuracy"]["high"] - single["accuracy"]["low"]
    independent = 2 * 1.96 * np.sqrt(single["accuracy"]["estimate"] * (1 - single["accuracy"]["estimate"]) / 170)
    assert width > 0.9 * independent


@pytest.mark.parametrize(("sampling", "noted"), [("consecutive", False), ("case_control", True), (None, True)])
def test_how_often_a_call_is_right_belongs_to_a_clinic_only_of_consecutive_cases(sampling, noted):
    found = compute_evidence(scores(), positive="MMTN", sampling=sampling, bootstrap=50)
    calls = found["classes_in_detail"]["calls"]["test"]["net"].values()
    marks = [NO_CLINIC in str(facts["right_when_called"].get("note", "")) for facts in calls]
    assert marks == [noted] * 3
    # The share of a label's calls is of that label alone, whatever the mixture.
    assert not any("clinic" in str(share.get("note", "")) for facts in calls for share in facts["called"].values())
    page = show(ReportContext("Three classes", found))
    assert ("not known to be those of any clinic" in " ".join(page.notes)) is noted


def test_the_calibrated_probabilities_are_those_of_the_frozen_map(evidence):
    frozen = {"arms": {"net": {"calibration": ClassCalibration(0.8, (0.1, -0.2, 0.1)).as_dict()}}}
    table = analysis_table(scores(), positive="MMTN", frozen=frozen)
    given = table.rows[P].to_numpy()
    found = table.rows[[f"calibrated_{code}" for code in table.classes]].to_numpy()
    order = [CODES.index(code) for code in table.classes]
    expected = ClassCalibration(0.8, (0.1, -0.2, 0.1)).apply(given[:, [CODES.index(c) for c in table.classes]])
    np.testing.assert_allclose(found, expected)
    assert sorted(order) == [0, 1, 2]
    both = evidence["classes_in_detail"]["brier"]["test"]["net"]
    assert both["calibrated"]["estimate"] != both["as_given"]["estimate"]


def test_the_report_says_how_many_calibrations_of_several_classes_are_intercepts_only():
    calibration = fit_class_calibration(np.arange(12) % 3, np.full((12, 3), 1 / 3)).as_dict()
    plain = ClassCalibration(0.8, (0.5, -0.2, -0.3)).as_dict()
    rows = scores().assign(split="cv")
    rows["fold"] = np.arange(len(rows)) % 2
    folds = {"0/0": {"calibration": calibration}, "0/1": {"calibration": plain}}
    frozen = {"arms": {"net": {"folds": folds}}}
    table = analysis_table(rows, positive="MMTN", frozen=frozen)
    said = "1 of 2 calibrations fit the intercepts only (4 groups in the smallest class)"
    assert said in table.notes["net", "cv"]
    assert "by the intercepts only, held towards 0 (1 of 2 fits)" in methods_of_classes([*folds.values()])


def test_calibrations_belong_to_classes_by_name_not_by_column():
    calibration = ClassCalibration(0.8, (0.5, -0.2, -0.3)).as_dict()
    frozen = {"classes": CODES, "arms": {"net": {"calibration": calibration}}}
    plain = analysis_table(scores(), positive="MMTN", frozen=frozen).rows
    turned = scores()[[name for name in scores().columns if name not in P] + P[::-1]]
    other = analysis_table(turned, positive="MMTN", frozen=frozen).rows
    for code in CODES:
        np.testing.assert_allclose(plain[f"calibrated_{code}"], other[f"calibrated_{code}"])


def test_two_classes_have_no_such_section():
    rows = scores()
    rows = rows[rows["label"] != "NMTN"].drop(columns="p_NMTN").assign(call="")
    rows["p_BTN"] = 1 - rows["p_MMTN"]
    assert "classes_in_detail" not in compute_evidence(rows, positive="MMTN", bootstrap=50)


def test_readers_are_compared_by_mcnemars_test_of_the_same_patients():
    from statsmodels.stats.contingency_tables import mcnemar as other

    rows = scores()
    generator = np.random.default_rng(3)
    calls = np.where(generator.random(34) < 0.7, rows["label"], "BTN")
    reads = pd.DataFrame(
        {"reader_id": "senior", "experience": "senior", "condition": "unaided", "target": "diagnosis",
         "unit_id": rows["unit_id"], "call": calls}
    )  # fmt: skip
    table = analysis_table(rows, positive="MMTN")
    (found,) = against_readers(table, Study(reads=reads))
    right, theirs = (rows["call"] == rows["label"]).to_numpy(), (calls == rows["label"]).to_numpy()
    square = [[(right & theirs).sum(), (right & ~theirs).sum()], [(~right & theirs).sum(), (~right & ~theirs).sum()]]
    assert (found["b"], found["c"], found["both_right"]) == (square[0][1], square[1][0], square[0][0])
    assert found["exact_p"] == pytest.approx(other(square, exact=True).pvalue)
