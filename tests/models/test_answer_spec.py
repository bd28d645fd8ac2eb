"""What a bundle may say of how sure its answers are, and what is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from isthmus.files import read_yaml, write_yaml
from isthmus.models.bundle import read_bundle
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from tests.inference.small_fused import fused_spec
from tests.inference.small_models import bundle, bundle_spec

ANSWER = {
    "level": 0.9,
    "limits": {"0": 0.62, "1": None},
    "groups": {"0": 35, "1": 8},
    "refer": {"low": 0.4, "high": 0.6, "share": 0.2},
    "chosen_on": "out-of-fold predictions of seed 0",
}


def test_a_bundle_keeps_it_and_its_card_says_what_it_means(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "bundle", answer=ANSWER)
    said = read_bundle(folder).answer
    assert said is not None
    assert said.model_dump(exclude={"method"}) == ANSWER
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert "TI-RADS 2 or 3 from 0.3800 (35 patients)" in card
    assert "In every set, for want of patients: TI-RADS 4a or higher (8 patients)." in card
    assert "between 0.4000 and 0.6000" in card
    assert "The promise holds about, not exactly" in card
    assert "more often than promised" in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": {"1": 0.5, "0": 0.5}, "groups": {"1": 9, "0": 9}}, "not of the bundle's classes"),
        ({"groups": {"0": 35}}, "other classes in groups"),
        ({"refer": {"low": 0.6, "high": 0.7, "share": 0.2}}, "does not hold the threshold"),
        ({"refer": None}, "a band of two classes"),
        ({"limits": {"0": float("nan"), "1": 0.5}}, "limits"),
        ({"level": 1.0}, "less than 1"),
    ],
)
def test_what_is_not_of_this_model_is_refused(changes: dict, message: str) -> None:
    for make in (bundle_spec, fused_spec):
        with pytest.raises(ValidationError, match=message):
            make(answer={**ANSWER, **changes})


def test_limits_of_calibrated_probabilities_need_a_calibration() -> None:
    with pytest.raises(ValidationError, match="has no calibration"):
        bundle_spec(answer=ANSWER, calibration=None)


def test_older_bundles_are_read_without_it(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "bundle")
    content = read_yaml(folder / "bundle.yaml", name="bundle")
    assert content.pop("answer") is None
    assert content["format"] == "isthmus-bundle/1.3"
    write_yaml(folder / "bundle.yaml", {**content, "format": "isthmus-bundle/1.2"})
    assert read_bundle(folder).answer is None
    assert "carries no prediction set" in (folder / "card.md").read_text(encoding="utf-8")
    assert FusedBundleSpec.model_validate(fused_spec().model_dump(exclude={"answer"})).answer is None
