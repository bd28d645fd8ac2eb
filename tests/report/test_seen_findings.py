"""Agreement of what is seen with what readers wrote, against scikit-learn's kappa and statsmodels' Wilson limits."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.metrics import brier_score_loss, cohen_kappa_score
from statsmodels.stats.proportion import proportion_confint

from isthmus.report.seen_findings import finding_points, finding_rows, level_rows, tirads_rows

CODES = ("isoechoic", "hypoechoic", "very_hypoechoic")
POINTS = (1, 2, 3)


@pytest.fixture(scope="module")
def example() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated probabilities of 300 nodules, what they have, and their 150 patients."""
    generator = np.random.default_rng(1)
    values = softmax(generator.normal(size=(300, 3)) * 1.5, axis=1)
    code = (generator.random((300, 1)) > values.cumsum(axis=1)).sum(axis=1)
    return values, np.eye(3, dtype=bool)[code], np.arange(300).astype(str)


def rows_of(example: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, dict]:
    values, has, groups = example
    sharp = softmax(3 * np.log(values), axis=1)
    rows = finding_rows("echogenicity", list(CODES), sharp, values, has, groups)
    return {row["measure"]: row for row in rows}


def test_agreement_is_the_quadratic_kappa_of_points_and_the_share_of_the_same_finding(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    found, (values, has, _) = rows_of(example), example
    seen, read = values.argmax(axis=1), has.argmax(axis=1)
    expected = cohen_kappa_score(seen, read, weights="quadratic")
    assert found["weighted_kappa"]["estimate"] == pytest.approx(expected)
    assert found["weighted_kappa"]["low"] < expected < found["weighted_kappa"]["high"]
    same = int((seen == read).sum())
    low, high = proportion_confint(same, 300, method="wilson")
    assert [found["same_finding"][name] for name in ("estimate", "low", "high")] == pytest.approx(
        [same / 300, low, high]
    )


def test_calibration_is_judged_before_and_after_on_every_code(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    found, (values, has, _) = rows_of(example), example
    assert found["brier"]["estimate"] == pytest.approx(brier_score_loss(has.ravel(), values.ravel()))
    assert found["brier"]["estimate"] < found["brier_uncalibrated"]["estimate"]
    assert found["calibration_slope"]["low"] < 1 < found["calibration_slope"]["high"]
    assert found["calibration_slope_uncalibrated"]["high"] < 0.6


def test_what_one_patient_says_thrice_is_no_surer(example: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    once = rows_of(example)
    thrice = rows_of(tuple(np.concatenate([part] * 3) for part in example))  # type: ignore[arg-type]
    for measure, row in once.items():
        assert thrice[measure]["estimate"] == pytest.approx(row["estimate"])
        assert thrice[measure]["low"] == pytest.approx(row["low"], abs=0.002)


def test_a_network_that_always_sees_the_same_has_no_kappa_and_it_is_said(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    values, has, groups = example
    alike = np.tile([0.6, 0.3, 0.1], (300, 1))
    found = {row["measure"]: row for row in finding_rows("echogenicity", list(CODES), values, alike, has, groups)}
    assert found["weighted_kappa"]["estimate"] is None
    assert found["weighted_kappa"]["note"] == "the network sees the same in every nodule"
    assert found["same_finding"]["estimate"] == pytest.approx(has[:, 0].mean())


def test_points_of_a_finding_are_the_charts() -> None:
    assert finding_points("echogenic_foci", "none") == finding_points("margin", "well_defined") == 0
    assert finding_points("echogenic_foci", "peripheral_calcifications punctate") == 5
    assert (finding_points("composition", "solid"), finding_points("margin", "lobulated")) == (2, 2)


def test_points_and_levels_are_compared_at_their_fewest_where_both_leave_the_same_open() -> None:
    composition, margin = ["solid", "solid", "spongiform", "mixed"], ["well_defined", "irregular", "smooth", "smooth"]
    read = pd.DataFrame({"composition": composition, "echogenicity": "hypoechoic", "margin": margin})
    seen = read.assign(margin=["smooth", "smooth", "irregular", "irregular"])
    rows = {(row["of"], row["measure"]): row for row in tirads_rows(seen, read, np.arange(4).astype(str))}
    # Points seen 4, 4, 0, 5 against 4, 6, 0, 3; levels TR4, TR4, TR1, TR4 against TR4, TR4, TR1, TR3.
    assert rows["points", "weighted_kappa"]["estimate"] == pytest.approx(
        cohen_kappa_score([4, 4, 0, 5], [4, 6, 0, 3], weights="quadratic", labels=range(7))
    )
    assert rows["points", "same"]["estimate"] == pytest.approx(0.5)
    assert rows["level", "same"]["estimate"] == pytest.approx(0.75)
    assert rows["level", "weighted_kappa"]["estimate"] == pytest.approx(
        cohen_kappa_score([3, 3, 0, 3], [3, 3, 0, 2], weights="quadratic", labels=range(5))
    )


def test_each_level_stands_beside_the_label_the_model_and_the_published_risk() -> None:
    seen = pd.DataFrame({"nodule_id": list("abcd"), "composition": ["spongiform"] * 3 + ["solid"]})
    probabilities = pd.DataFrame(
        {"unit_id": list("abc"), "group_id": list("xyz"), "truth": [False, True, False], "probability": [0.1, 0.4, 0.1]}
    )
    (row,) = level_rows(seen, probabilities)
    assert (row["tirads"], row["n"], row["positive"], row["published_risk_of_malignancy"]) == ("TR1", 3, 1, 0.003)
    assert row["estimate"] == pytest.approx(1 / 3)
    # 0.1, 0.4, 0.1: standard deviation sqrt(0.03), t of 2 degrees of freedom 4.3027 (table): 0.2 +- 0.430, held at 0.
    assert row["mean_probability"] == pytest.approx(0.2)
    assert (row["mean_probability_low"], row["mean_probability_high"]) == (0.0, pytest.approx(0.6303, abs=1e-4))


def test_nodules_of_one_patient_have_a_mean_probability_without_limits() -> None:
    seen = pd.DataFrame({"nodule_id": list("ab"), "composition": ["spongiform"] * 2})
    rows = {"unit_id": list("ab"), "group_id": list("xx"), "truth": [False, True], "probability": [0.1, 0.4]}
    (row,) = level_rows(seen, pd.DataFrame(rows))
    assert (row["mean_probability_low"], row["mean_probability_high"]) == (None, None)
