"""What is measured in a cohort's views: who is refused and why, and the table of all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from isthmus.cohort.measurements import Measured, features_by_reason, measure_views, measurement_table
from isthmus.errors import CohortError, PictureError


@dataclass(frozen=True)
class Vector:
    values: Mapping[str, float]
    doubts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    view_id: str
    nodule_id: str
    features: Vector
    seconds: float = 9.0


COHORT = SimpleNamespace(
    folder=Path("/somewhere/private"),
    views=pd.DataFrame(
        [("v3", "n2", "swe"), ("v2", "n2", "ceus"), ("v1", "n1", "swe")], columns=["view_id", "nodule_id", "modality"]
    ),
)


def test_a_view_that_is_refused_is_a_line_without_its_place_and_stops_nothing():
    def measure(row):
        if row["view_id"] == "v1":
            raise PictureError(
                "it is grey", where="/somewhere/private/v1.png", expected="colour", hint="export it anew"
            )
        return Seen(row["view_id"], row["nodule_id"], Vector({}))

    moved = []
    views, refused = measure_views(COHORT, "swe", "elastograms", measure, lambda *counts: moved.append(counts))
    assert [view.view_id for view in views] == ["v3"]
    assert refused == {"v1": ("n1", "it is grey; expected colour. Next: export it anew")}
    assert moved == [(1, 2), (2, 2)]
    with pytest.raises(CohortError, match=r"no view of modality 'smi'.*expected flow.*the cohort's views are .*swe"):
        measure_views(COHORT, "smi", "flow", measure)


def test_an_error_that_is_no_view_s_fault_is_not_taken_for_one():
    def broken(row):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure_views(COHORT, "swe", "elastograms", broken)


def test_views_that_were_measured_and_refused_stand_in_one_table_by_their_names():
    vector = Vector({"peak": 3, "area": float("nan")}, {"area": "no bolus"})
    measured = Measured((Seen("v2", "n2", vector),), {"v1": ("n1", "too short")})
    table = measurement_table(
        measured,
        lambda view: {"seconds": view.seconds, "at_least": "peak"},
        ("view_id", "nodule_id", "seconds", "peak", "area"),
        ["at_least"],
    )
    assert table.columns.tolist() == [
        "view_id", "nodule_id", "seconds", "peak", "area", "at_least", "doubts", "refused"
    ]  # fmt: skip
    assert table["view_id"].tolist() == ["v1", "v2"]
    assert table["nodule_id"].tolist() == ["n1", "n2"]
    assert table["refused"].tolist() == ["too short", ""]
    assert table["doubts"].tolist() == ["", "no bolus: area"]
    assert table["at_least"].tolist() == ["", "peak"]
    assert table["peak"].isna().tolist() == [True, False]
    assert table["seconds"].tolist()[1] == 9
    assert table["area"].dtype == "float64"


def test_features_are_gathered_under_the_reason_that_takes_them():
    assert features_by_reason({"peak": "no bolus", "ring": "no ring", "area": "no bolus"}) == {
        "no bolus": ["peak", "area"],
        "no ring": ["ring"],
    }
