"""Descriptors calibrated each by itself: what is fitted, what too few nodules leave as it is, what a bundle refuses."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit, log_softmax, logit, softmax

from isthmus.inference.descriptor_calibration import calibrate_descriptor, fit_descriptor_calibration
from isthmus.models.bundle_spec import BundleSpec, DescriptorCalibration
from tests.inference.small_models import bundle_spec

HEADS = {"echogenicity": ["isoechoic", "hypoechoic", "very_hypoechoic"], "echogenic_foci": ["punctate"]}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """3,000 nodules whose probabilities are as they should be, then twice as sure in log odds."""
    generator = np.random.default_rng(0)
    true = softmax(generator.normal(size=(3000, 3)) * 1.5 + [1.0, 0.0, -1.0], axis=1)
    code = (generator.random((3000, 1)) > true.cumsum(axis=1)).sum(axis=1)
    foci = expit(generator.normal(size=(3000, 1)))
    groups = np.arange(3000).astype(str)
    return {
        "echogenicity": (softmax(2 * np.log(true), axis=1), np.eye(3, dtype=bool)[code], groups),
        "echogenic_foci": (expit(2 * logit(foci)), generator.random((3000, 1)) < foci, groups),
        "true": (true, foci),
    }


def test_what_was_twice_too_sure_is_put_right(described: dict[str, Any]) -> None:
    fitted = fit_descriptor_calibration(HEADS, described, "these")
    assert fitted.exclusive["echogenicity"].slope == pytest.approx(0.5, abs=0.04)
    assert fitted.each_code["echogenic_foci"]["punctate"].slope == pytest.approx(0.5, abs=0.05)
    for name, true in zip(HEADS, described["true"], strict=True):
        found = calibrate_descriptor(fitted, name, described[name][0])
        assert np.abs(found - true).mean() < 0.02
    assert fitted.exclusive["echogenicity"].fitted_on == "these"


def test_codes_that_exclude_each_other_still_sum_to_one(described: dict[str, Any]) -> None:
    fitted = fit_descriptor_calibration(HEADS, described, "these")
    found = calibrate_descriptor(fitted, "echogenicity", described["echogenicity"][0])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    own = fitted.exclusive["echogenicity"]
    expected = log_softmax(own.slope * np.log(described["echogenicity"][0]) + own.intercepts, axis=1)
    np.testing.assert_allclose(np.log(found), expected, atol=1e-9)


def test_a_finding_that_nobody_has_stays_as_the_head_gives_it_and_says_so(described: dict[str, Any]) -> None:
    values, has, groups = described["echogenic_foci"]
    one = np.zeros((3000, 3), bool)
    one[:, 0] = True
    alike = {
        "echogenicity": (described["echogenicity"][0], one, groups),
        "echogenic_foci": (values, has & False, groups),
    }
    fitted = fit_descriptor_calibration(HEADS, alike, "these")
    assert fitted.exclusive["echogenicity"].method == "none: fewer than two codes to tell apart"
    assert fitted.each_code["echogenic_foci"]["punctate"].method.startswith("none: every nodule, or no nodule")
    for name in HEADS:
        np.testing.assert_allclose(calibrate_descriptor(fitted, name, alike[name][0]), alike[name][0], atol=1e-9)


def test_with_few_nodules_of_a_code_the_slope_is_left_alone(described: dict[str, Any]) -> None:
    few = {name: tuple(part[:60] for part in described[name]) for name in HEADS}
    fitted = fit_descriptor_calibration(HEADS, few, "these")
    assert fitted.exclusive["echogenicity"].method.startswith("intercepts only: ")
    assert fitted.exclusive["echogenicity"].slope == 1.0


def test_a_bundle_keeps_it_and_refuses_one_of_other_heads(described: dict[str, Any]) -> None:
    fitted = fit_descriptor_calibration(HEADS, described, "these")
    spec = bundle_spec(descriptors={"heads": HEADS}, descriptor_calibration=fitted)
    assert BundleSpec.model_validate(spec.model_dump(mode="json")).descriptor_calibration == fitted
    for wrong in (None, {"heads": {"echogenicity": HEADS["echogenicity"]}}):
        with pytest.raises(ValidationError, match="not of the descriptors' heads"):
            bundle_spec(descriptors=wrong, descriptor_calibration=fitted)
    assert bundle_spec().descriptor_calibration is None
    assert DescriptorCalibration().exclusive == {}
