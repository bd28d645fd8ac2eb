"""Which pictures of a study are looked at together."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydicom.dataset import FileDataset

from isthmus.clinic.study_cases import BY_TIME, instances_of_case
from isthmus.clinic.study_instances import Instance
from isthmus.errors import InputError

NOON = datetime(2026, 3, 1, 12)


def instance(number: int, modality: str, seconds: float | None) -> Instance:
    taken = None if seconds is None else NOON + timedelta(seconds=seconds)
    header = FileDataset("x", {}, file_meta=None)
    return Instance(Path(f"{number}.dcm"), header, number, modality, taken=taken)


def chosen(*instances: Instance, within_s: float = 300.0) -> dict[str, int]:
    return {name: one.number for name, one in instances_of_case(instances, ["bmode", "ceus"], within_s)[0].items()}


def test_the_last_of_the_first_modality_leads_and_the_nearest_of_the_others_joins_it() -> None:
    case = (instance(1, "bmode", 0), instance(2, "ceus", 30), instance(3, "bmode", 100), instance(4, "ceus", 140))
    assert chosen(*case) == {"bmode": 3, "ceus": 4}
    assert chosen(case[0], case[1], case[2]) == {"bmode": 3, "ceus": 2}


def test_what_is_far_away_in_time_is_left_out_and_said() -> None:
    own = [instance(1, "bmode", 0), instance(2, "ceus", 400)]
    found, notes = instances_of_case(own, ["bmode", "ceus"], 300.0)
    assert list(found) == ["bmode"]
    assert notes == ["no ceus within 300 s of picture 1: left out"]


def test_the_joining_is_said() -> None:
    assert instances_of_case([instance(1, "bmode", 0), instance(2, "ceus", 1)], ["bmode", "ceus"], 9)[1] == [BY_TIME]
    assert instances_of_case([instance(1, "bmode", 0)], ["bmode", "ceus"], 9)[1] == []


@pytest.mark.parametrize(
    "case",
    [
        [instance(1, "bmode", 0), instance(2, "bmode", 0)],
        [instance(1, "bmode", None), instance(2, "bmode", 5)],
        [instance(1, "bmode", 50), instance(2, "ceus", 0), instance(3, "ceus", 100)],
        [instance(1, "bmode", None), instance(2, "ceus", 0), instance(3, "ceus", 100)],
    ],
)
def test_where_time_leaves_a_choice_nothing_is_chosen(case: list[Instance]) -> None:
    with pytest.raises(InputError, match="may belong to the case"):
        instances_of_case(case, ["bmode", "ceus"], 300.0)


def test_single_pictures_need_no_time() -> None:
    assert chosen(instance(1, "bmode", None), instance(2, "ceus", None)) == {"bmode": 1, "ceus": 2}
