"""What is known of the cases reaches the evidence of a run."""

import cv2
import numpy as np
import pandas as pd

from isthmus.imaging.marks import find_burned_in_text
from isthmus.imaging.read import read_clip
from isthmus.protocol.case_facts import _crop, _mark_in_crop, _of_views, case_facts
from isthmus.protocol.cases import find_cases
from isthmus.protocol.resolve import resolve_protocol


def test_facts_are_the_cohorts_own_words_and_marks_are_those_in_the_crop(cohorts):
    import isthmus

    cohort = isthmus.load_cohort(cohorts[0])
    cases = find_cases(resolve_protocol("wang2025", "smoke", ["only=[thyronet_x4, resnet34]"]), cohort)
    facts = case_facts([cases]).set_index("unit_id")
    nodules = cohort.nodules.set_index("nodule_id")
    assert facts.index.is_unique
    for name in ("composition", "margin", "tirads"):
        both = pd.DataFrame({"a": facts[name], "b": nodules.loc[facts.index, name]}).dropna()
        assert len(both) > 10
        assert (both["a"] == both["b"]).all()
    views = next(iter(cases.views.values()))
    for nodule, rows in list(views.groupby("nodule_id"))[:6]:
        marked = []
        for row in rows.itertuples():
            frame = read_clip(row.path).frames[0]
            marked.append(bool(find_burned_in_text(frame, _crop(row.box, row.region))))
        assert facts.loc[nodule, "marks"] == ("marks" if any(marked) else "no_marks")
        assert facts.loc[nodule, "calipers"] in (("calipers", "no_calipers") if any(marked) else ("no_calipers",))


def test_a_crop_is_the_square_around_the_box_with_its_margin_inside_the_scan_area():
    # The longer side is 40, with 15 % on either side 52: 26 to each side of the middle (70, 55).
    assert _crop((50.0, 40.0, 90.0, 70.0), (0.0, 0.0, 90.0, 200.0)) == (44.0, 29.0, 90.0, 81.0)


def test_calipers_are_told_from_other_marks(tmp_path):
    speckle = np.random.default_rng(0).normal(60, 8, (200, 200)).clip(0, 255).astype(np.uint8)
    cross, letter = speckle.copy(), speckle.copy()
    cross[90:111, 99:102] = cross[99:102, 90:111] = 255
    cv2.putText(letter, "B", (90, 110), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
    for name, picture, found in (("plain", speckle, "no_marks"), ("cross", cross, "calipers"), ("b", letter, "marks")):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
        assert _mark_in_crop(tmp_path / f"{name}.png", None, (60.0, 60.0, 140.0, 140.0), None) == found
    assert _of_views(["no_marks", "calipers", None]) == ("marks", "calipers")
    assert _of_views(["marks", "no_marks"]) == ("marks", "no_calipers")
    assert _of_views(["no_marks"]) == ("no_marks", "no_calipers")
    assert _of_views([None]) == (None, None)


def test_a_run_says_which_nodules_it_misjudges(finished):
    entries = finished[0].evidence["error_rates"]
    assert {entry["arm"] for entry in entries} == {"thyronet_x4", "resnet34"}
    assert {"cv", "test", "external"} <= {entry["split"] for entry in entries}
    assert {"composition", "echogenic_foci"} <= {entry["feature"] for entry in entries}
    folder = finished[0].folder
    assert (folder / "tables" / "error_rates.csv").is_file()
    assert (folder / "explanations" / "resnet34" / "misclassified.csv").is_file()
    page = finished[0].report.read_text(encoding="utf-8")
    assert "Which nodules are misjudged" in page
    assert "Wrong calls in pictures" in page


def test_a_run_keeps_what_it_knows_of_its_cases_and_more_columns_can_be_asked_for(finished, cohorts):
    import isthmus
    from isthmus.tables.cases import read_cases

    kept = read_cases(finished[0].folder / "tables" / "cases.csv")
    assert {"unit_id", "cohort", "patient_id", "age_years", "sex", "tirads"} <= set(kept.columns)
    assert kept["cohort"].nunique() == 2
    cohort = isthmus.load_cohort(cohorts[0])
    known = cohort.nodules.merge(cohort.patients, on="patient_id").set_index("nodule_id")
    own = kept[kept["cohort"] == cohort.name].set_index("unit_id")
    ages = pd.DataFrame({"a": own["age_years"], "b": known.loc[own.index, "age_years"]}).dropna()
    assert (ages["a"] == ages["b"]).all()
    cases = find_cases(resolve_protocol("wang2025", "smoke", ["only=[thyronet_x4, resnet34]"]), cohort)
    facts = case_facts([cases], columns=["reference", "no_such_column", "group_id"])
    assert "reference" in facts.columns
    assert "no_such_column" not in facts.columns
    assert "group_id" not in facts.columns
