"""What an arm sees of a clip, in words."""

import pytest

from isthmus.report.frame_words import frame_words


def arm(layout="3d", predict=None, networks_of=None, **frames):
    return {
        "prepare": {"layout": layout, "frames": frames or None},
        "predict": {"frames": predict or "mean"},
        "networks_of": networks_of,
    }


def test_an_arm_on_stills_has_no_words():
    assert frame_words(arm("2d"), {}) == ""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (arm(count=8, stored=8, pick="uniform"), "looks at 8 frames of each clip at once that are evenly spread"),
        (arm(count=8, stored=12, pick="uniform"), "drawn in training out of 12"),
        (
            arm("frames_as_channels", count=5, stored=5, pick="key_frames", every_s=2, clear=15),
            "looks at 5 key frames at equal intervals around the largest lesion, out of at most 15 clear ones of every "
            "2 s, all at once as channels of one picture",
        ),
        (arm("frames_as_channels", count=5, stored=5), "looks at 5 frames of each clip at once that are evenly spread"),
        (arm("2d", count=1, stored=1, pick="largest_area"), "that of the largest lesion"),
        (arm("2d", count=1, stored=1, pick="calcification_richest"), "which only a simulation knows"),
        (arm("2d", count=8, stored=8), "learns from single frames; it scores 8 frames of each clip one by one"),
        (arm("2d", "maximum", "mean_arm", count=8, stored=8), "takes over the networks of Mean"),
        (arm("2d", "maximum", "mean_arm", count=8, stored=8), "its score is that of the most suspicious frame"),
    ],
)
def test_it_is_said_which_frames_are_seen_and_how_they_are_joined(settings, words):
    assert words in frame_words(settings, {"mean_arm": "Mean"})
