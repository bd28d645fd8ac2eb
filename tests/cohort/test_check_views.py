"""What is found by looking at one file of a cohort."""

import numpy as np
import pytest
from PIL import Image

from isthmus.cohort.check_views import digest_of, look_at
from isthmus.errors import PictureError


@pytest.mark.parametrize("frames", [1, 3])
def test_a_digest_alone_is_that_of_a_whole_look(tmp_path, frames):
    pixels = np.random.default_rng(0).integers(0, 255, (frames, 40, 50, 1), dtype=np.uint8)
    np.save(tmp_path / "clip.npy", pixels)
    assert digest_of(tmp_path, "clip.npy") == look_at(tmp_path, "clip.npy")[0].digest


def test_stills_of_the_same_pixels_have_one_digest_in_whatever_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    for name in ("a.png", "a.bmp"):
        Image.fromarray(pixels).save(tmp_path / name)
    assert digest_of(tmp_path, "a.png") == digest_of(tmp_path, "a.bmp")


def test_a_file_outside_the_cohort_is_refused(tmp_path):
    (tmp_path / "cohort").mkdir()
    Image.new("L", (40, 50)).save(tmp_path / "a.png")
    with pytest.raises(PictureError):
        digest_of(tmp_path / "cohort", "../a.png")
