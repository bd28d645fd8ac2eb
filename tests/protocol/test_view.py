"""What an arm looks at: one modality, or several that are joined."""

import pytest

from isthmus.errors import ProtocolError
from isthmus.protocol.arm import View
from isthmus.protocol.resolve import resolve_protocol, validate


def test_one_modality_is_said_as_it_was() -> None:
    assert View().model_dump() == {"modality": "bmode"}
    assert View.model_validate({"modality": "swe"}).shown == ("swe",)


def test_several_are_said_with_how_they_are_joined_and_read_back() -> None:
    view = View.model_validate({"modalities": ["smi", "bmode"], "join": "branches"})
    assert view.shown == ("smi", "bmode")
    assert view.modality == "smi"
    assert view.model_dump(mode="json") == {"modalities": ["smi", "bmode"], "join": "branches"}
    assert View.model_validate(view.model_dump()) == view


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"modalities": ["bmode", "swe"]}, "give both"),
        ({"join": "branches"}, "give both"),
        ({"modalities": ["bmode", "bmode"], "join": "pooled"}, "stands twice"),
        ({"modalities": ["bmode", "cine"], "join": "pooled"}, "clips"),
        ({"modality": "bmode", "modalities": ["bmode", "swe"], "join": "pooled"}, "give modality, or modalities"),
        ({"modalities": ["bmode", "xray"], "join": "branches"}, "xray"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_words(said: dict[str, object], words: str) -> None:
    content = resolve_protocol("wang2025", "smoke").model_dump(mode="json")
    content["arms"]["resnet34"]["view"] = said
    with pytest.raises(ProtocolError, match=words):
        validate(content, "mine.yaml")


def test_nothing_is_hidden_from_a_network_that_sees_one_modality() -> None:
    with pytest.raises(ProtocolError, match="modality_dropout hides one of several"):
        resolve_protocol("ding2026", settings=["arms.bmode.train.modality_dropout=0.2"])
