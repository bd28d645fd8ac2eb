"""Levels and sizes as the published tables have them."""

import itertools

import pytest

from isthmus.cohort.tirads import ACR, ALL_SYSTEMS, C_TIRADS, EU_TIRADS, K_TIRADS, K_TIRADS_2016, Nodule
from isthmus.cohort.tirads.acr import COMPOSITION, ECHOGENICITY, FOCI, MARGIN, SHAPE
from isthmus.tables import vocabulary

WIDER, TALLER = "wider_than_tall", "taller_than_wide"


def nodule(composition, echogenicity, shape=WIDER, margin="smooth", *foci):
    return Nodule(composition, echogenicity, shape, margin, frozenset(foci))


# The chart of the white paper (Tessler 2017, figure 1): every feature by itself, added to a solid isoechoic nodule (3).
@pytest.mark.parametrize(
    ("described", "points", "level"),
    [
        (nodule("cystic", "anechoic", WIDER, "smooth", "comet_tail"), 0, "TR1"),
        (nodule("spongiform", "hypoechoic", TALLER, "irregular", "punctate"), 0, "TR1"),
        (nodule("mixed", "isoechoic"), 2, "TR2"),
        (nodule("solid", "isoechoic"), 3, "TR3"),
        (nodule("solid", "hyperechoic", WIDER, "ill_defined"), 3, "TR3"),
        (nodule("solid", "hypoechoic"), 4, "TR4"),
        (nodule("solid", "very_hypoechoic"), 5, "TR4"),
        (nodule("solid", "isoechoic", TALLER), 6, "TR4"),
        (nodule("solid", "isoechoic", WIDER, "lobulated"), 5, "TR4"),
        (nodule("solid", "isoechoic", WIDER, "irregular"), 5, "TR4"),
        (nodule("solid", "isoechoic", WIDER, "extrathyroidal_extension"), 6, "TR4"),
        (nodule("solid", "isoechoic", WIDER, "smooth", "macrocalcifications"), 4, "TR4"),
        (nodule("solid", "isoechoic", WIDER, "smooth", "peripheral_calcifications"), 5, "TR4"),
        (nodule("solid", "isoechoic", WIDER, "smooth", "punctate"), 6, "TR4"),
        (nodule("solid", "hypoechoic", WIDER, "smooth", "punctate"), 7, "TR5"),
        (nodule("solid", "very_hypoechoic", TALLER, "lobulated", "peripheral_calcifications", "punctate"), 15, "TR5"),
    ],
)
def test_acr_points_add_up_as_in_the_chart(described, points, level):
    assert ACR.rule(described) == (level, level, points)


def test_one_acr_point_has_no_level_and_every_other_sum_has_one():
    assert ACR.rule(nodule("cystic", "isoechoic")) == ("TR1", "TR2", 1)
    tables = (COMPOSITION, ECHOGENICITY, SHAPE, MARGIN)
    grades = [ACR.rule(Nodule(*codes, frozenset())) for codes in itertools.product(*tables)]
    assert {grade.points for grade in grades if grade.low != grade.high} == {1}


# Na 2021 (Ultrasonography 40:474, figure 4): two nodules with the levels that the authors gave in three systems.
@pytest.mark.parametrize(
    "described",
    [
        nodule("solid", "isoechoic", WIDER, "smooth", "punctate"),
        nodule("mixed", "hypoechoic", WIDER, "smooth", "punctate"),
    ],
)
def test_two_published_nodules_are_graded_as_their_authors_did(described):
    assert (ACR.rule(described).low, EU_TIRADS.rule(described).low) == ("TR4", "5")
    assert (K_TIRADS.rule(described).low, K_TIRADS_2016.rule(described).low) == ("4", "4")


def test_the_difference_that_eu_tirads_names_between_itself_and_k_tirads():
    # Russ 2017: partly cystic hypoechoic nodules are intermediate here and of low risk in the Korean system.
    described = nodule("mixed", "hypoechoic")
    assert (EU_TIRADS.rule(described).low, K_TIRADS.rule(described).low) == ("4", "3")


# Russ 2017, the table of categories.
@pytest.mark.parametrize(
    ("described", "level"),
    [
        (nodule("cystic", "anechoic"), "2"),
        (nodule("spongiform", "isoechoic"), "2"),
        (nodule("solid", "isoechoic"), "3"),
        (nodule("solid", "hyperechoic", WIDER, "ill_defined", "macrocalcifications"), "3"),
        (nodule("solid", "hypoechoic"), "4"),
        (nodule("solid", "very_hypoechoic"), "5"),
        (nodule("solid", "isoechoic", TALLER), "5"),
        (nodule("predominantly_solid", "isoechoic", WIDER, "irregular"), "5"),
        (nodule("solid", "isoechoic", WIDER, "smooth", "punctate"), "5"),
    ],
)
def test_eu_tirads_follows_its_table(described, level):
    assert EU_TIRADS.rule(described).low == EU_TIRADS.rule(described).high == level


# Ha 2021, table 5; where 2016 (Shin 2016) differs, its category comes second.
@pytest.mark.parametrize(
    ("described", "level", "of_2016"),
    [
        (nodule("cystic", "anechoic"), "2", "2"),
        (nodule("spongiform", "isoechoic"), "2", "2"),
        (nodule("spongiform", "isoechoic", TALLER), "2", "4"),
        (nodule("mixed", "hypoechoic", WIDER, "smooth", "comet_tail"), "2", "2"),
        (nodule("mixed", "hypoechoic", WIDER, "smooth", "comet_tail", "punctate"), "2", "4"),
        (nodule("solid", "isoechoic", WIDER, "smooth", "comet_tail"), "3", "3"),
        (nodule("mixed", "hypoechoic"), "3", "3"),
        (nodule("solid", "isoechoic"), "3", "3"),
        (nodule("solid", "isoechoic", WIDER, "lobulated"), "4", "4"),
        (nodule("mixed", "very_hypoechoic", TALLER), "4", "4"),
        (nodule("solid", "hypoechoic"), "4", "4"),
        (nodule("solid", "hypoechoic", WIDER, "ill_defined", "macrocalcifications"), "4", "4"),
        (nodule("solid", "hypoechoic", WIDER, "smooth", "punctate"), "5", "5"),
        (nodule("solid", "very_hypoechoic", TALLER), "5", "5"),
    ],
)
def test_k_tirads_follows_its_tables(described, level, of_2016):
    assert (K_TIRADS.rule(described).low, K_TIRADS_2016.rule(described).low) == (level, of_2016)


# Zhou 2020: one point a suspicious feature, one less for comet tails; -1, 0, 1, 2, 3 to 4, 5.
@pytest.mark.parametrize(
    ("described", "points", "level"),
    [
        (nodule("mixed", "isoechoic", WIDER, "smooth", "comet_tail"), -1, "2"),
        (nodule("mixed", "hypoechoic", WIDER, "smooth", "macrocalcifications"), 0, "3"),
        (nodule("solid", "isoechoic", WIDER, "smooth", "comet_tail"), 0, "3"),
        (nodule("solid", "hypoechoic"), 1, "4A"),
        (nodule("solid", "very_hypoechoic"), 2, "4B"),
        (nodule("solid", "very_hypoechoic", TALLER), 3, "4C"),
        (nodule("solid", "very_hypoechoic", TALLER, "ill_defined"), 4, "4C"),
        (nodule("solid", "very_hypoechoic", TALLER, "ill_defined", "punctate", "comet_tail"), 5, "5"),
    ],
)
def test_c_tirads_counts(described, points, level):
    assert C_TIRADS.rule(described) == (level, level, points)


# Sizes in mm of the published tables: (level, just below, at, just above) -> what the table suggests.
@pytest.mark.parametrize(
    ("system", "level", "size", "suggested"),
    [
        ("acr", "TR2", 60, "none"),
        ("acr", "TR3", 14.9, "none"), ("acr", "TR3", 15, "follow_up"), ("acr", "TR3", 25, "fna"),
        ("acr", "TR4", 9.9, "none"), ("acr", "TR4", 10, "follow_up"), ("acr", "TR4", 15, "fna"),
        ("acr", "TR5", 4.9, "none"), ("acr", "TR5", 5, "follow_up"), ("acr", "TR5", 10, "fna"),
        ("eu", "2", 60, "none"), ("eu", "3", 20, "none"), ("eu", "3", 20.1, "fna"), ("eu", "4", 15, "none"),
        ("eu", "4", 15.1, "fna"), ("eu", "5", 10, "none"), ("eu", "5", 10.1, "fna"),
        ("k", "2", 60, "none"), ("k", "3", 20, "none"), ("k", "3", 20.1, "fna"), ("k", "4", 15.1, "fna"),
        ("k", "5", 10.1, "fna"), ("k2016", "2", 20, "fna"), ("k2016", "3", 15, "fna"), ("k2016", "4", 10, "fna"),
        ("c", "3", 60, "none"), ("c", "4A", 15, "none"), ("c", "4A", 15.1, "fna"), ("c", "4C", 10.1, "fna"),
        ("acr", "TR1", None, "none"), ("acr", "TR5", None, "unknown"),
    ],
)  # fmt: skip
def test_sizes_are_those_of_the_tables(system, level, size, suggested):
    assert ALL_SYSTEMS[system].suggestion(level, size) == suggested


def test_every_code_of_the_vocabulary_has_a_place_in_every_system():
    axes = (vocabulary.COMPOSITION, vocabulary.ECHOGENICITY, vocabulary.SHAPE)
    assert set(MARGIN) | {"well_defined"} == set(vocabulary.MARGIN)
    assert set(FOCI) | {"none"} == set(vocabulary.ECHOGENIC_FOCI)
    for system in ALL_SYSTEMS.values():
        levels = set()
        for codes in itertools.product(*axes, MARGIN, [(), *((code,) for code in FOCI), tuple(FOCI)]):
            grade = system.rule(Nodule(*codes[:4], frozenset(codes[4])))
            levels |= {grade.low, grade.high}
        assert levels == set(system.codes)
        assert set(system.cuts) <= set(system.codes)
        risks = [level.risk for level in system.levels]
        assert risks == sorted(risks)
