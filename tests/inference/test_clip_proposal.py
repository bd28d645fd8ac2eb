"""A localiser that reads stills proposes the region of a clip, frame by frame."""

from pathlib import Path

import numpy as np
import pytest

from isthmus.errors import RegionMissing
from isthmus.imaging.clip import Box, Clip
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.inference.pictures import read_picture
from isthmus.inference.proposal import Proposal
from tests.inference.small_clips import HEIGHT, SEEN, WIDTH, clip, frames_of_clip, lesion_of_clip

PREPARATION = Preparation(train_size=36, frames=FrameSampling(count=4, stored=5))


class Seer:
    """Proposes the lesion of the small clip where it is seen, and in some frames something else."""

    def __init__(self, elsewhere: dict[int, float] | None = None, blind: bool = False) -> None:
        self.asked: list[int] = []
        self._frames, self._masks = frames_of_clip(), lesion_of_clip()
        self._elsewhere, self._blind = elsewhere or {}, blind

    def propose(self, clip: Clip) -> Proposal | None:
        [number] = np.flatnonzero((self._frames == clip.frames[0, ..., 0]).all((1, 2)))
        self.asked.append(int(number))
        if self._blind:
            return None
        if number in self._elsewhere:
            far = np.zeros((HEIGHT, WIDTH), bool)
            far[:10, 70:90] = True
            return proposal(far, self._elsewhere[int(number)])
        return proposal(self._masks[number], 0.9) if self._masks[number].any() else None


def proposal(mask: np.ndarray, confidence: float) -> Proposal:
    lines, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box: Box = (float(columns[0]), float(lines[0]), float(columns[-1] + 1), float(lines[-1] + 1))
    return Proposal(box, mask, confidence, 1.0, (0,))


def test_the_frames_and_the_window_are_those_of_the_drawn_lesion(tmp_path: Path) -> None:
    from tests.inference.small_clips import mask_of_clip

    path, seer = clip(tmp_path / "a"), Seer()
    proposed = read_picture(path, PREPARATION, "box", localiser=seer)
    drawn = read_picture(path, PREPARATION, "box", mask=mask_of_clip(tmp_path / "m.tiff"))
    assert proposed.region_source == "proposed"
    np.testing.assert_array_equal(proposed.prepared.frame_indices, drawn.prepared.frame_indices)
    np.testing.assert_array_equal(proposed.prepared.pixels, drawn.prepared.pixels)
    assert sorted(seer.asked) == list(range(12))
    assert proposed.notes[0].startswith(
        "the region was proposed by a localiser in 6 of 12 frames, not drawn (box 23,30,56,60, confidence up to 0.90)"
    )


def test_key_frames_of_a_proposed_lesion_are_clear_around_it_and_cut_by_one_window(tmp_path: Path) -> None:
    sampling = FrameSampling(count=3, pick="key_frames", every_s=1, clear=4)
    picture = read_picture(
        clip(tmp_path / "a"), Preparation(train_size=36, frames=sampling), "box", localiser=Seer(), frame_rate_hz=1.0
    )
    assert len(set(picture.frames)) == 3
    # Around all proposals: 20 + 3 to 40 + 16 pixels across, 30 to 60 down, and 15 % of the longer side.
    assert picture.prepared.window == (18, 24, 61, 67)


def test_what_lies_elsewhere_in_other_frames_does_not_widen_the_window(tmp_path: Path) -> None:
    path = clip(tmp_path / "a")
    plain = read_picture(path, PREPARATION, "box", localiser=Seer())
    other = read_picture(path, PREPARATION, "box", localiser=Seer({0: 0.7, 11: 0.7}))
    assert other.prepared.window == plain.prepared.window
    assert other.prepared.frame_indices.tolist() == plain.prepared.frame_indices.tolist()


def test_the_most_confident_proposal_is_the_lesion(tmp_path: Path) -> None:
    read = read_picture(clip(tmp_path / "a"), PREPARATION, "box", localiser=Seer({6: 0.99}))
    assert set(read.prepared.frame_indices.tolist()) == {6}


def test_of_one_frame_models_the_frame_of_the_largest_proposal_is_taken(tmp_path: Path) -> None:
    one = Preparation(train_size=36, frames=FrameSampling(count=1, stored=1, pick="largest_area"))
    read = read_picture(clip(tmp_path / "a"), one, "box", localiser=Seer())
    assert read.frames == (max(SEEN),)
    assert read.clip.lesion is not None
    assert read.clip.lesion.bounds() == (28.0, 30.0, 56.0, 60.0)


def test_where_nothing_is_found_the_clip_is_not_scored_whole(tmp_path: Path) -> None:
    with pytest.raises(RegionMissing, match="region not found"):
        read_picture(clip(tmp_path / "a"), PREPARATION, "box", localiser=Seer(blind=True))
