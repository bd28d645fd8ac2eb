"""The table of what is measured in a cohort's views."""

from isthmus.cohort.measurements import features_by_reason, measurement_table


def test_views_that_were_measured_and_refused_stand_in_one_table_by_their_names():
    measured = [{"view_id": "v2", "nodule_id": "n2", "peak": 3, "doubts": "area: no bolus"}]
    table = measurement_table(
        measured, {"v1": ("n1", "too short")}, ("view_id", "nodule_id", "peak", "area"), ["doubts"]
    )
    assert table["view_id"].tolist() == ["v1", "v2"]
    assert table["refused"].fillna("").tolist() == ["too short", ""]
    assert table["doubts"].tolist() == ["", "area: no bolus"]
    assert table["peak"].isna().tolist() == [True, False]
    assert table["area"].dtype == "float64"


def test_features_are_gathered_under_the_reason_that_takes_them():
    assert features_by_reason({"peak": "no bolus", "ring": "no ring", "area": "no bolus"}) == {
        "no bolus": ["peak", "area"],
        "no ring": ["ring"],
    }
