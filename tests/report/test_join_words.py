"""How modalities are joined, in words."""

import pytest

from isthmus.report.join_words import join_words


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ({"view": {"modality": "swe"}}, ""),
        ({}, ""),
        (
            {"view": {"modalities": ["bmode", "smi", "swe"], "join": "pooled"}, "train": {"modality_dropout": 0.3}},
            "sees pictures of B-mode, SMI and elastography one at a time: one network for all, told which it sees; "
            "a nodule's score is the mean over its pictures",
        ),
        (
            {"view": {"modalities": ["bmode", "swe"], "join": "branches"}, "train": {"modality_dropout": 0.3}},
            "looks at B-mode and elastography at once: one network with a branch for each, and a learnt vector in the "
            "place of what a nodule lacks; in a training step each was hidden with a chance of 30\u202f%",
        ),
    ],
)
def test_an_arm_says_how_it_joins_modalities(arm, words):
    assert join_words(arm) == words
