import itertools

import pandas as pd
import pytest

from isthmus.cohort.tirads import (
    COMPOSITION_POINTS,
    ECHOGENICITY_POINTS,
    FOCI_POINTS,
    MARGIN_POINTS,
    SHAPE_POINTS,
    acr_level,
    acr_points,
    acr_table,
)
from isthmus.tables import vocabulary


# Worked by hand from the chart of the white paper (Tessler 2017, figure 1).
@pytest.mark.parametrize(
    ("descriptors", "points", "level"),
    [
        (("cystic", "anechoic", "wider_than_tall", "smooth", "comet_tail"), 0, "TR1"),
        (("mixed", "isoechoic", "wider_than_tall", "smooth", "none"), 2, "TR2"),
        (("solid", "isoechoic", "wider_than_tall", "ill_defined", "none"), 3, "TR3"),
        (("solid", "hypoechoic", "wider_than_tall", "smooth", "none"), 4, "TR4"),
        (("solid", "hypoechoic", "wider_than_tall", "irregular", "none"), 6, "TR4"),
        (("solid", "hypoechoic", "wider_than_tall", "smooth", "punctate"), 7, "TR5"),
        (("solid", "hypoechoic", "taller_than_wide", "lobulated", "peripheral_calcifications punctate"), 14, "TR5"),
        (("spongiform", "hypoechoic", "taller_than_wide", "irregular", "punctate"), 0, "TR1"),
        (("predominantly_solid", "anechoic", "wider_than_tall", "smooth", "none"), 1, None),
    ],
)  # fmt: skip
def test_points_and_level_follow_the_chart(descriptors, points, level):
    assert acr_points(*descriptors) == points
    assert acr_level(points) == level


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("blank", [None, ""])
def test_a_blank_descriptor_gives_no_points(position, blank):
    descriptors = ["solid", "hypoechoic", "wider_than_tall", "smooth", "none"]
    descriptors[position] = blank
    assert acr_points(*descriptors) is None


def test_well_defined_is_not_taken_for_smooth():
    assert acr_points("solid", "hypoechoic", "wider_than_tall", "well_defined", "none") is None


def test_every_code_with_points_is_in_the_vocabulary_and_every_sum_but_one_has_a_level():
    tables = (COMPOSITION_POINTS, ECHOGENICITY_POINTS, SHAPE_POINTS, MARGIN_POINTS, FOCI_POINTS)
    words = (
        vocabulary.COMPOSITION,
        vocabulary.ECHOGENICITY,
        vocabulary.SHAPE,
        vocabulary.MARGIN,
        vocabulary.ECHOGENIC_FOCI,
    )
    for points, codes in zip(tables, words, strict=True):
        assert set(points) <= set(codes)
    sums = {acr_points(*descriptors) for descriptors in itertools.product(*tables)}
    assert {value for value in sums if acr_level(value) is None} == {1}


def test_the_table_has_one_row_a_nodule_and_blanks_where_a_column_is_absent():
    nodules = pd.DataFrame({"nodule_id": ["a", "b"], "composition": ["spongiform", "solid"]})
    table = acr_table(nodules)
    assert table["nodule_id"].tolist() == ["a", "b"]
    assert table["acr_points"].isna().tolist() == [False, True]
    assert table["acr_level"].isna().tolist() == [False, True]
    assert table["acr_level"][0] == "TR1"
