"""A table of cases with nodules: what it says of patient and nodule, and what is refused."""

from pathlib import Path

import pytest

from isthmus.errors import InputError, TableError
from isthmus.inference.case_table import read_case_table
from isthmus.inference.fused_case import Case, View, nodules_of
from tests.inference.small_models import picture


def table(folder: Path, text: str) -> Path:
    picture(folder / "a.png")
    path = folder / "cases.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_column_of_the_patient_is_known_of_every_nodule_and_any_other_of_its_own(tmp_path: Path) -> None:
    (case,) = read_case_table(
        table(
            tmp_path,
            "case_id,nodule_id,modality,path,age_years,size_mm\n"
            "P1,N1,bmode,a.png,44,12\nP1,N1,ceus,a.png,,\nP1,N2,bmode,a.png,,\n",
        )
    )
    found = nodules_of(case, "patient")
    assert [(name, dict(own.columns)) for name, own in found.items()] == [
        ("N1", {"age_years": "44", "size_mm": "12"}),
        ("N2", {"age_years": "44"}),
    ]
    assert list(found["N1"].views) == ["bmode", "ceus"]
    assert list(found["N2"].views) == ["bmode"]
    with pytest.raises(InputError, match=r"has the nodules N1, N2, and this model judges one.*a case for each nodule"):
        nodules_of(case, "nodule")


def test_ids_that_do_not_fit_are_reported_all_at_once_a_line_each(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "case_id,nodule_id,modality,path,size_mm\n"
        "P1,N1,bmode,a.png,12\n,N3,bmode,a.png,\nP2,N1,bmode,a.png,\nP1,,bmode,a.png,\nP1,N1,bmode,a.png,13\n",
    )
    with pytest.raises(TableError) as caught:
        read_case_table(path)
    for words in (
        "line 3: nodule N3 has no patient: case_id is empty",
        "line 4: nodule N1 is of case P2, and of case P1 in another row",
        "line 5: nodule_id is empty, and N1 in another row of case P1",
        "line 6: size_mm is '13', and '12' in another row of nodule N1",
    ):
        assert words in str(caught.value)
    assert str(caught.value).count("line ") == 4


def test_views_that_say_their_nodule_beside_some_that_do_not_are_refused() -> None:
    views = [View("a.png", nodule="N1"), View("b.png")]
    with pytest.raises(InputError, match="some pictures say which nodule they show and others do not"):
        nodules_of(Case({"bmode": views}), "patient")
    with pytest.raises(InputError, match="nodule N2 has no picture"):
        nodules_of(Case({"bmode": views[:1]}, nodule_columns={"N2": {"size_mm": 3}}), "patient")
