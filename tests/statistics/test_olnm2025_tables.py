"""Tables 1 and 2 of a published study, from its own counts: every row, every printed p and ratio."""

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest

from isthmus.statistics.confusion import binary_measures
from isthmus.statistics.group_tests import categorical_test, student_from_summary
from isthmus.statistics.sample_size_auc import auc_difference_power

PAPER = json.loads((Path(__file__).parent / "olnm2025_tables.json").read_text(encoding="utf-8"))


def printed(p: float) -> str:
    """Return a p-value as the paper prints it: three decimals without closing zeros, and both ends by their sign."""
    if p < 0.001:
        return "<0.001"
    return ">0.99" if p > 0.99 else f"{p:.3f}".rstrip("0")


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("row", PAPER["table_1_counts"], ids=lambda row: row["characteristic"])
def test_every_categorical_p_of_table_1_is_reproduced_from_its_counts(row, split):
    counts = np.array([row[split]["negative"], row[split]["positive"]]).T
    assert counts.sum(axis=0).tolist() == list(PAPER["sizes"][split].values())
    assert printed(categorical_test(counts, "paper").p) == row[split]["p"].rstrip("0")


def test_the_one_p_of_a_mean_that_is_a_students_t_is_reproduced_and_the_others_are_not_that_test():
    agree = {}
    for row in PAPER["table_1_means"]:
        for split in ("train", "test"):
            means, deviations = zip(row[split]["negative"], row[split]["positive"], strict=True)
            p = student_from_summary(means, deviations, list(PAPER["sizes"][split].values())).p
            agree[row["characteristic"], split] = printed(p) == row[split]["p"]
    # Size in the training part is below 0.001 by either test; the other two need the ages and sizes themselves.
    assert agree == {
        ("age", "train"): False, ("age", "test"): True, ("size", "train"): True, ("size", "test"): False,
    }  # fmt: skip


def test_the_default_takes_fishers_test_where_chi_square_is_not_trusted():
    rows = {row["characteristic"]: row for row in PAPER["table_1_counts"]}
    echogenicity = np.array([rows["echogenicity"]["train"][side] for side in ("negative", "positive")]).T
    found = categorical_test(echogenicity)
    assert found.method == "Fisher-Freeman-Halton"
    assert found.p == pytest.approx(0.378689728852334, abs=1e-12)  # fisher.test(matrix(c(217,6,2,54,0,1),3))
    gender = np.array([rows["gender"]["train"][side] for side in ("negative", "positive")]).T
    assert categorical_test(gender).p == pytest.approx(0.0117852337426455, abs=1e-14)  # chisq.test(correct = FALSE)


@pytest.mark.parametrize("row", PAPER["table_2"], ids=lambda row: f"{row['model']}, {row['split']}")
def test_every_ratio_of_table_2_is_one_of_whole_counts(row):
    sizes = PAPER["sizes"][row["split"]]
    negative, positive = sizes["negative"], sizes["positive"]
    fitting = []
    for hits in range(positive + 1):
        for rejections in range(negative + 1):
            alarms, misses = negative - rejections, positive - hits
            if not (hits + alarms and rejections + misses):
                continue
            ratios = {
                "sensitivity": (hits, positive),
                "specificity": (rejections, negative),
                "ppv": (hits, hits + alarms),
                "npv": (rejections, rejections + misses),
                "accuracy": (hits + rejections, positive + negative),
            }
            if all(three_decimals(*ratio) == row[name] for name, ratio in ratios.items()):
                fitting.append((hits, rejections))
    assert len(fitting) == 1  # the printed ratios leave one pair of counts
    hits, rejections = fitting[0]
    truth = np.repeat([True, False], [positive, negative])
    called = np.concatenate([np.arange(positive) < hits, np.arange(negative) >= rejections])
    found = binary_measures(truth, called, replicates=10)
    for name in ("sensitivity", "specificity", "ppv", "npv", "accuracy"):
        assert found[name].estimate == pytest.approx(float(row[name]), abs=5.1e-4)


@pytest.mark.parametrize("row", PAPER["table_2"], ids=lambda row: f"{row['model']}, {row['split']}")
def test_every_interval_of_table_2_is_symmetric_as_one_by_delong_without_a_transformation(row):
    auc, low, high = (Decimal(row[name]) for name in ("auc", "low", "high"))
    assert abs((low + high) / 2 - auc) <= Decimal("0.001")  # each of the three is rounded


def test_the_published_test_set_would_have_shown_the_published_gain_of_fusion_in_two_of_three_studies_at_best():
    auc = {row["model"]: float(row["auc"]) for row in PAPER["table_2"] if row["split"] == "test"}
    sizes = PAPER["sizes"]["test"]
    # However alike the two models rank, up to a correlation of 0.7 of their scores within a class.
    powers = [
        auc_difference_power(
            auc["DL_combined"], auc["DL_image"], sizes["positive"], sizes["negative"], correlation=correlation
        )
        for correlation in (0.3, 0.5, 0.7)
    ]
    assert powers == pytest.approx([0.354, 0.455, 0.643], abs=1e-3)


def three_decimals(part: int, whole: int) -> str:
    return str((Decimal(part) / Decimal(whole)).quantize(Decimal("0.001"), ROUND_HALF_UP))
