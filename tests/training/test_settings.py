import pytest
from pydantic import ValidationError

from isthmus.training.settings import AUGMENTATIONS, TrainSettings


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="learning_rate"):
        TrainSettings(learning_rate=0.1)


def test_an_unknown_augmentation_is_refused_with_the_known_ones():
    with pytest.raises(ValidationError, match=r"unknown augmentation 'blur'.*flip.*gain"):
        TrainSettings(augment=["flip", "blur"])


def test_an_augmentation_named_twice_is_refused():
    with pytest.raises(ValidationError, match="twice"):
        TrainSettings(augment=["flip", "flip"])


def test_every_field_says_what_it_is():
    assert all(field.description for field in TrainSettings.model_fields.values())
    assert all(AUGMENTATIONS.values())


def test_settings_survive_the_way_through_plain_values():
    settings = TrainSettings(augment=["crop"], early_stopping={"patience": 3, "on": "loss"})
    assert TrainSettings.model_validate(settings.model_dump(mode="json")) == settings
