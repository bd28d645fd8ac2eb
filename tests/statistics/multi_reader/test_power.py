"""Power and sample size against RJafroc on Van Dyke's data, and their laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.statistics.multi_reader.obuchowski_rockette import obuchowski_rockette
from isthmus.statistics.multi_reader.power import PlanningValues, power, sample_size
from tests.statistics.multi_reader.studies import franken, van_dyke

VAN_DYKE = PlanningValues(0.0002004025, 0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284, 114)
"""OR-DBM MRMC 2.51 and MRMCaov 0.3.0, jackknife."""


@pytest.mark.parametrize(
    ("readers", "cases", "generalisation", "expected"),
    [
        # RJafroc, tests/testthat/test-SsSampleSizeRoc.R: SsPowerGivenJK(dataset02, FOM = "Wilcoxon", method = "OR",
        # effectSize = -0.043800322, J, K, analysisOption = "RRRC" | "FRRC" | "RRFC")
        (10, 165, "readers and cases", 0.80541995),
        (10, 131, "cases", 0.80091813),
        (10, 53, "readers", 0.80496663),
        (6, 111, "readers and cases", 0.5526116),
    ],
)
def test_power_equals_rjafroc(readers: int, cases: int, generalisation: str, expected: float) -> None:
    pilot = PlanningValues.of(obuchowski_rockette(van_dyke(), covariance="jackknife"))
    found = power(pilot, -0.043800322, readers, cases, generalisation=generalisation)  # type: ignore[arg-type]
    assert found.power == pytest.approx(expected, abs=5e-8)
    published = power(VAN_DYKE, -0.043800322, readers, cases, generalisation=generalisation)  # type: ignore[arg-type]
    assert published.power == pytest.approx(expected, abs=1e-6)


def test_sample_size_equals_rjafroc() -> None:
    # RJafroc: SsSampleSizeKGivenJ(dataset02, J = 6, FOM = "Wilcoxon", method = "OR")$KRRRC is 251, its power 0.801
    found = sample_size(VAN_DYKE, 0.043800322, 6)
    assert found is not None
    assert (found.cases, round(found.power, 3)) == (251, 0.801)
    assert power(VAN_DYKE, 0.043800322, 6, 250).power < 0.8


def test_negative_variances_of_a_pilot_are_taken_as_rjafroc_takes_them() -> None:
    # RJafroc: SsSampleSizeKGivenJ(dataset03, FOM = "Wilcoxon", effectSize = 0.05, J = 6, method = "OR"): K = 121,
    # powerRRRC = 0.8004469. In this pilot Cov2 lies below Cov3 and the variance of condition x reader below 0.
    pilot = obuchowski_rockette(franken(), covariance="jackknife", fewest_readers=2)
    assert pilot.components.cov2 < pilot.components.cov3
    assert pilot.components.interaction < 0
    found = sample_size(PlanningValues.of(pilot), 0.05, 6)
    assert found is not None
    assert (found.cases, found.power) == (121, pytest.approx(0.8004469, abs=5e-8))


def test_a_ceiling_that_cases_cannot_raise_gives_none() -> None:
    assert sample_size(VAN_DYKE, 0.01, 3) is None


def test_readers_who_agree_to_the_last_leave_the_cases_as_all_that_varies() -> None:
    alike = PlanningValues(0.0, 0.0008, 0.0003, 0.0008, 0.0003, 114)
    found = power(alike, 0.05, 5, 114)
    assert found.df2 == float("inf")
    assert found.power == pytest.approx(power(alike, 0.05, 5, 114, generalisation="cases").power)


def test_huge_differences_are_never_missed() -> None:
    # scipy.special.ncfdtr(1, df2, x, F) is NaN here and there from x of about 1,000 on (seen in SciPy 1.17)
    values = PlanningValues(0.00001, 0.0008, 0.0003, 0.0006, 0.0003, 114)
    found = [power(values, step / 200, 5, 1140) for step in range(20, 200)]
    assert min(planned.power for planned in found) == pytest.approx(1, abs=1e-6)


def test_no_difference_has_the_power_of_the_level() -> None:
    assert power(VAN_DYKE, 0.0, 6, 100).power == pytest.approx(0.05, abs=1e-9)
    assert power(VAN_DYKE, 0.0, 6, 100, generalisation="cases", level=0.9).power == pytest.approx(0.1, abs=1e-9)


@given(st.integers(3, 12), st.integers(20, 500), st.floats(0.01, 0.1))
@settings(max_examples=40, deadline=None)
def test_more_readers_more_cases_and_larger_differences_raise_the_power(r: int, c: int, d: float) -> None:
    here = power(VAN_DYKE, d, r, c).power
    assert power(VAN_DYKE, d, r + 1, c).power >= here - 1e-12
    assert power(VAN_DYKE, d, r, c + 10).power >= here - 1e-12
    assert power(VAN_DYKE, d * 1.1, r, c).power >= here - 1e-12
    assert power(VAN_DYKE, -d, r, c).power == pytest.approx(here)


def test_wrong_use_is_refused() -> None:
    one = obuchowski_rockette(van_dyke(), ["cine"])
    with pytest.raises(ValueError, match="one of them is missing"):
        PlanningValues.of(one)
    with pytest.raises(ValueError, match="two cases and two readers"):
        power(VAN_DYKE, 0.05, 1, 100)
    with pytest.raises(ValueError, match="no generalisation"):
        power(VAN_DYKE, 0.05, 5, 100, generalisation="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="between 0 and 1"):
        sample_size(VAN_DYKE, 0.05, 5, target=1.0)
