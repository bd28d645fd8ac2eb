"""Marks that go with the label: counted by class and site, tested, and told apart from chance."""

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from isthmus.cohort.audit import check_cohort
from isthmus.cohort.check_page import write_check
from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.shortcuts import find_shortcuts

from .small import spoil, write_small_cohort
from .test_near_duplicates import tissue


@pytest.fixture
def cohort(tmp_path):
    return load_cohort(write_small_cohort(tmp_path, patients=36))


def tells(flags):
    return pd.DataFrame({"mark": pd.Series(flags, dtype="object", index=[f"v{n:03}" for n in range(36)])})


def test_rates_are_counted_by_class_and_site(cohort):
    rates, _ = find_shortcuts(cohort, tells([number % 3 == 0 and number < 24 for number in range(36)]))
    # Every third of 36 is malignant (12, of which 8 below 24); the last, benign, has no label; sites alternate.
    counted = {(rate.site, rate.label): (rate.count, rate.views) for rate in rates}
    assert counted["", "malignant"] == (8, 12)
    assert counted["", "benign"] == (0, 23)
    assert counted["A", "malignant"] == (4, 6)
    assert counted["B", "malignant"] == (4, 6)
    [rate] = [rate for rate in rates if (rate.site, rate.label) == ("", "malignant")]
    # R: prop.test(8, 12, correct = FALSE)
    assert rate.interval.low == pytest.approx(0.3906, abs=1e-4)
    assert rate.interval.high == pytest.approx(0.8619, abs=1e-4)


def test_where_one_side_has_none_the_test_is_fishers(cohort):
    _, [found] = find_shortcuts(cohort, tells([number % 3 == 0 and number < 24 for number in range(36)]))
    assert found.p == pytest.approx(fisher_exact(np.array([[8, 4], [0, 23]])).pvalue)
    assert found.notable
    _, [found] = find_shortcuts(cohort, tells([number == 0 for number in range(36)]))
    assert found.p == pytest.approx(12 / 35)  # one mark among 35 views: the chance that it falls into the 12
    assert not found.notable


def test_what_was_not_looked_for_is_not_counted_as_absent(cohort):
    rates, _ = find_shortcuts(cohort, tells([None if number < 18 else True for number in range(36)]))
    assert sum(rate.views for rate in rates if rate.site == "") == 17


def test_several_tells_are_adjusted_by_holm(cohort):
    flags = pd.concat(
        [tells([number == 0 for number in range(36)]).rename(columns={"mark": str(n)}) for n in "abc"], axis=1
    )
    _, found = find_shortcuts(cohort, flags)
    assert [one.p_adjusted for one in found] == [1.0, 1.0, 1.0]  # 3 x 12 / 35 is more than 1


def test_calipers_on_malignant_pictures_only_are_warned_about_with_numbers(tmp_path):
    (tmp_path / "cohort").mkdir()
    folder = write_small_cohort(tmp_path / "cohort", patients=18)
    for number in range(18):
        picture = tissue(number)
        if number % 3 == 0:
            for x, y in ((150, 150), (250, 150)):
                cv2.line(picture, (x - 6, y), (x + 6, y), (255, 255, 255), 1)
                cv2.line(picture, (x, y - 6), (x, y + 6), (255, 255, 255), 1)
        cv2.imwrite(str(folder / "pictures" / f"{number:03}.png"), picture)
        for column in ("region", "mask", "box"):
            spoil(folder, "views", number + 2, column, "")
    report = check_cohort(folder)
    [said] = [f for f in report.findings if f.subject == "marks"]
    assert said.severity == "warning"
    assert "views of 'malignant'" in said.message
    assert "calipers" in said.message
    write_check(report, folder, tmp_path / "out")
    assert "calipers: crosses and dotted lines" in (tmp_path / "out" / "check.html").read_text(encoding="utf-8")


def test_regions_that_a_program_proposed_for_one_class_only_are_warned_about(tmp_path):
    folder = write_small_cohort(tmp_path, patients=36)
    for number in range(0, 36, 3):
        spoil(folder, "views", number + 2, "region_source", "proposed")
    said = [f for f in check_cohort(folder).findings if f.subject == "region"]
    assert {f.severity for f in said} == {"warning"}
    assert any("region proposed: in 100 % of views of 'malignant' and 0 % of 'others'" in f.message for f in said)
