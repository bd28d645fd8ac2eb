"""What a bundle says of how it joins modalities is read under limits: subsets of them are counted later."""

import pytest
from pydantic import ValidationError

from isthmus.models.join_spec import JoinSpec


@pytest.mark.parametrize("modalities", [["bmode"] * 40, ["bmode", "bmode"], ["bmode", "../swe"], []])
def test_modalities_are_known_and_each_named_once(modalities: list[str]) -> None:
    with pytest.raises(ValidationError):
        JoinSpec(modalities=modalities, how="branches")


def test_their_order_is_kept() -> None:
    assert JoinSpec(modalities=["swe", "bmode"], how="pooled").modalities == ("swe", "bmode")
