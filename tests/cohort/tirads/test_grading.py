"""Cases with descriptors missing: a level only where it is certain."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.cohort.tirads import ACR, ALL_SYSTEMS, C_TIRADS, EU_TIRADS, K_TIRADS, SYSTEMS, Nodule, grade, unknown_codes
from isthmus.tables.vocabulary import COMPOSITION, DESCRIPTORS, ECHOGENICITY, SHAPE

MARGINS = ("smooth", "ill_defined", "lobulated", "irregular", "extrathyroidal_extension")
FOCI = ("comet_tail", "macrocalcifications", "peripheral_calcifications", "punctate")
SUBSETS = [frozenset(chosen) for size in range(5) for chosen in itertools.combinations(FOCI, size)]


def case(**known):
    return pd.DataFrame([{**dict.fromkeys(DESCRIPTORS), **known}])


def completions(row):
    """Fill in what is missing in every possible way, slowly and in plain words."""
    for composition, echogenicity, shape, margin, foci in itertools.product(
        *([row[name]] if row[name] else codes for name, codes in zip(DESCRIPTORS, (COMPOSITION, ECHOGENICITY, SHAPE,
          MARGINS, SUBSETS), strict=True))
    ):  # fmt: skip
        if echogenicity == "anechoic" and composition not in ("cystic", "spongiform"):
            continue
        chosen = foci if isinstance(foci, frozenset) else frozenset(set(foci.split(" ")) - {"none"})
        yield Nodule(composition, echogenicity, shape, margin, chosen)


@settings(max_examples=60, deadline=None)
@given(
    row=st.fixed_dictionaries(
        {
            "composition": st.sampled_from([None, *COMPOSITION]),
            "echogenicity": st.sampled_from([None, "isoechoic", "hypoechoic", "very_hypoechoic"]),
            "shape": st.sampled_from([None, *SHAPE]),
            "margin": st.sampled_from([None, *MARGINS]),
            "echogenic_foci": st.sampled_from([None, "none", "punctate", "comet_tail", "macrocalcifications punctate"]),
        }
    ),
    system=st.sampled_from(list(ALL_SYSTEMS.values())),
)
def test_the_range_is_that_of_all_ways_to_fill_in_what_is_missing(row, system):
    graded = grade(pd.DataFrame([row]), system).iloc[0]
    ranks = [tuple(system.rank(code) for code in system.rule(nodule)[:2]) for nodule in completions(row)]
    assert system.rank(graded["low"]) == min(low for low, _ in ranks)
    assert system.rank(graded["high"]) == max(high for _, high in ranks)
    assert (graded["level"] is not None) == (graded["low"] == graded["high"])
    assert graded["missing"].split() == [name for name in DESCRIPTORS if row[name] is None]


def test_what_is_missing_does_not_matter_where_the_level_is_certain_without_it():
    assert grade(case(composition="spongiform"), ACR)["level"].tolist() == ["TR1"]
    assert grade(case(composition="solid", shape="taller_than_wide"), EU_TIRADS)["level"].tolist() == ["5"]
    enough = case(composition="solid", echogenicity="very_hypoechoic", shape="taller_than_wide")
    assert grade(enough, ACR)["level"].tolist() == ["TR5"]
    assert grade(enough, K_TIRADS)["level"].tolist() == ["5"]
    assert grade(enough, C_TIRADS)[["low", "high"]].to_numpy().tolist() == [["4B", "5"]]


def test_anechoic_is_said_of_the_fluid_where_there_is_solid_tissue():
    known = {"shape": "wider_than_tall", "margin": "smooth", "echogenic_foci": "none"}
    partly = grade(case(composition="mixed", echogenicity="anechoic", **known), ACR).iloc[0]
    assert (partly["low"], partly["high"], partly["missing"]) == ("TR2", "TR4", "echogenicity")
    cyst = grade(case(composition="cystic", echogenicity="anechoic", **known), ACR).iloc[0]
    assert cyst["level"] == "TR1"
    unknown = grade(case(echogenicity="anechoic", **known), ACR).iloc[0]
    assert unknown["level"] == "TR1"  # only a cyst, or a spongiform nodule, is anechoic


def test_a_well_defined_margin_may_be_lobulated_but_is_not_ill_defined():
    known = {"composition": "solid", "echogenicity": "hypoechoic", "shape": "wider_than_tall", "echogenic_foci": "none"}
    assert grade(case(margin="well_defined", **known), ACR)["level"].tolist() == ["TR4"]  # 4 to 6 points
    assert grade(case(margin="well_defined", **known), EU_TIRADS)[["low", "high"]].to_numpy().tolist() == [["4", "5"]]
    spongy = case(composition="mixed", echogenicity="isoechoic", margin="well_defined", shape="wider_than_tall",
                  echogenic_foci="comet_tail")  # fmt: skip
    assert grade(spongy, C_TIRADS)[["low", "high"]].to_numpy().tolist() == [["2", "3"]]


def test_one_point_lies_between_two_levels_though_nothing_is_missing():
    one = grade(case(composition="cystic", echogenicity="anechoic", shape="wider_than_tall", margin="smooth",
                     echogenic_foci="macrocalcifications"), ACR).iloc[0]  # fmt: skip
    assert (one["level"], one["low"], one["high"], one["points_low"], one["missing"]) == (None, "TR1", "TR2", 1, "")


def test_the_table_may_suggest_something_although_the_level_is_open():
    # TR4 or TR5 of 20 mm: both call for aspiration; of 12 mm they differ.
    open_level = case(composition="solid", echogenicity="very_hypoechoic")
    large, middle, unmeasured = (
        grade(open_level.assign(size_mm=size), ACR)["suggestion"].item() for size in (20, 12, np.nan)
    )
    assert (large, middle, unmeasured) == ("fna", "unknown", "unknown")
    assert grade(case(composition="spongiform"), ACR)["suggestion"].item() == "none"


def test_blank_cells_absent_columns_and_unknown_codes_are_not_known():
    cases = pd.DataFrame(
        {"composition": ["", None, "Solid", "solid"], "echogenic_foci": ["none", "punktat", None, " "]}
    )
    graded = grade(cases, ACR)
    assert graded["described"].tolist() == [True, False, False, True]
    assert graded["low"].tolist() == ["TR1", "TR1", "TR1", "TR3"]
    assert unknown_codes(cases) == {"composition": {"Solid": 1}, "echogenic_foci": {"punktat": 1}}


def test_no_case_is_no_row_and_the_index_is_kept():
    assert grade(pd.DataFrame({"composition": []}), ACR).empty
    cases = case(composition="spongiform").set_index(pd.Index(["a"]))
    assert grade(cases, ACR).index.tolist() == ["a"]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.key)
def test_ten_thousand_cases_are_graded_in_a_moment(system):
    random = np.random.default_rng(3)
    cases = pd.DataFrame(
        {
            name: random.choice([None, *codes], 10_000)
            for name, codes in DESCRIPTORS.items()
        }
    ).assign(size_mm=random.uniform(3, 60, 10_000))  # fmt: skip
    graded = grade(cases, system)
    assert len(graded) == 10_000
    assert 0 < graded["level"].notna().sum() < 10_000
