"""ACR points of what a network sees, against the chart of Tessler 2017 and Middleton 2017, read by hand."""

from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cohort.tirads import ACR
from isthmus.inference.seen_tirads import likeliest, seen_tirads, tirads_beside
from isthmus.tables.vocabulary import DESCRIPTORS

SEEN: dict[str, dict[str, float]] = {
    "composition": {"mixed": 0.3, "solid": 0.7},
    "echogenicity": {"isoechoic": 0.4, "hypoechoic": 0.6},
    "shape": {"wider_than_tall": 0.9, "taller_than_wide": 0.1},
    "margin": {"smooth": 0.5, "ill_defined": 0.3, "irregular": 0.2},
    "echogenic_foci": {"macrocalcifications": 0.2, "punctate": 0.8},
}


def of(**changes: Any) -> Any:
    return seen_tirads({**SEEN, **changes})


def test_the_likeliest_findings_have_the_charts_points_level_and_risk() -> None:
    found = of()  # solid 2, hypoechoic 2, wider 0, smooth 0, punctate 3
    assert (found.points, found.levels, found.risk, found.open) == ((7, 7), ("TR5", "TR5"), (0.35, 0.35), ())
    assert found.words == ("ACR table suggests 7 points, TR5, highly suspicious (published risk of malignancy 35 %)")
    assert of(echogenic_foci={"punctate": 0.2}).words == (
        "ACR table suggests 4 points, TR4, moderately suspicious (published risk of malignancy 9.1 %)"
    )


def test_findings_of_a_multi_valued_descriptor_add_up_from_one_half_on() -> None:
    assert of(echogenic_foci={"macrocalcifications": 0.5, "punctate": 0.8}).points == (8, 8)


def test_a_descriptor_that_was_not_taught_is_left_open_and_said() -> None:
    found = seen_tirads({name: own for name, own in SEEN.items() if name not in ("shape", "echogenic_foci")})
    assert found is not None
    # solid and hypoechoic: 4 points; taller than wide 3 more, all four kinds of foci 6 more.
    assert (found.points, found.levels, found.risk) == ((4, 13), ("TR4", "TR5"), (0.091, 0.35))
    assert found.words.endswith("4 to 13 points, TR4 to TR5 (published risk of malignancy 9.1 to 35 %); "
                                "open: shape, echogenic foci")  # fmt: skip


def test_well_defined_has_no_points_of_its_own_and_a_spongiform_nodule_needs_no_more() -> None:
    assert of(margin={"well_defined": 0.9, "ill_defined": 0.1}).open == ("margin",)
    spongiform = of(composition={"spongiform": 0.6, "solid": 0.4}, margin={"well_defined": 0.9, "smooth": 0.1})
    assert (spongiform.points, spongiform.levels, spongiform.open) == ((0, 0), ("TR1", "TR1"), ())


def test_a_model_without_descriptors_has_no_level() -> None:
    assert seen_tirads({}) is None


def test_json_has_the_sources() -> None:
    said = of().to_json()
    assert (said["points"], said["levels"], said["risk"]) == ([7, 7], ["TR5", "TR5"], [0.35, 0.35])
    assert said["source"] == "Tessler 2017, 10.1016/j.jacr.2017.01.046"


@pytest.mark.parametrize(
    ("target", "reference", "risk"),
    [("malignant", "surgery", True), ("olnm", "surgery", False), ("tirads_4a_or_higher", "tirads", False),
     ("malignant", "tirads", False)],
)  # fmt: skip
def test_published_risks_of_malignancy_stand_only_beside_models_of_malignancy(
    target: str, reference: str, risk: bool
) -> None:
    spec = Mock(target=target, cohort=Mock(reference=reference))
    found = tirads_beside(spec, SEEN)
    assert found is not None
    assert (found.risk is not None) is risk
    assert ("published risk" in found.words) is risk
    assert ("risk_source" in found.to_json()) is risk
    assert found.points == (7, 7)


@given(st.dictionaries(st.sampled_from(list(DESCRIPTORS)), st.randoms(use_true_random=False), min_size=1))
def test_whatever_is_seen_lies_within_the_chart(drawn: dict[str, Any]) -> None:
    # Anechoic says something of the composition too: against a solid one it is taken back and the echogenicity is open.
    left_out = ("none", "anechoic")
    seen = {
        name: {code: luck.random() for code in DESCRIPTORS[name] if code not in left_out}
        for name, luck in drawn.items()
    }
    found = seen_tirads(seen)
    assert found is not None
    assert 0 <= found.points[0] <= found.points[1] <= 17
    assert ACR.rank(found.levels[0]) <= ACR.rank(found.levels[1])
    # A descriptor less can only open the range.
    name = next(iter(seen))
    fewer = seen_tirads({key: own for key, own in seen.items() if key != name})
    if fewer is not None:
        assert fewer.points[0] <= found.points[0] <= found.points[1] <= fewer.points[1]


@pytest.mark.parametrize(("values", "code"), [([0.2, 0.8], "solid"), ([0.6, 0.4], "mixed")])
def test_of_codes_that_exclude_each_other_the_likeliest_stands(values: list[float], code: str) -> None:
    assert likeliest("composition", ["mixed", "solid"], [values]) == [code]
