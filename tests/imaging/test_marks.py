"""Marks over tissue: found, filled in, and nothing else touched."""

import cv2
import numpy as np
import pytest

from isthmus.imaging.clip import Clip, Lesion
from isthmus.imaging.marks import fill_marks, find_burned_in_text, find_still_marks
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import prepare

from .speckle import screen, speckle


def erase_marks(frame, within):
    return fill_marks(frame, find_still_marks(frame[None], within), within)


@pytest.mark.parametrize("size", [0.4, 0.6, 0.9])
def test_text_drawn_over_speckle_is_found_and_speckle_alone_is_not(size):
    for seed in range(20):
        tissue = speckle(240, 320, seed, brightness=40.0 + 4 * seed)[..., None].copy()
        assert find_burned_in_text(tissue) == []
        cv2.putText(tissue, "TIRADS 4", (40, 120), cv2.FONT_HERSHEY_SIMPLEX, size, (255,), 1)
        assert find_burned_in_text(tissue)
        assert find_burned_in_text(tissue, (0, 150, 320, 240)) == []


def test_boxes_of_marks_are_in_pixels_of_the_whole_frame():
    frame = np.zeros((200, 300, 3), np.uint8)
    frame[100:110, 150:152] = 255
    frame[105:107, 220:223] = (0, 255, 255)
    assert find_burned_in_text(frame, (90, 50, 290, 190)) == [(150, 100, 152, 110), (220, 105, 223, 107)]
    assert find_burned_in_text(frame, (400, 50, 290, 190)) == []


def test_colour_doppler_is_no_mark():
    frame = np.repeat(speckle(240, 320, 5)[..., None], 3, axis=2)
    frame[80:160, 100:200] = (0, 60, 200)
    assert find_burned_in_text(frame) == []


def test_text_over_tissue_is_filled_in_and_the_rest_stays_as_it_was():
    tissue = np.repeat(speckle(240, 320, 3)[..., None], 3, axis=2)
    written = tissue.copy()
    cv2.putText(written, "TIRADS 5", (80, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1)
    erased = erase_marks(written, (0, 0, 320, 240))
    assert find_burned_in_text(erased) == []
    touched = np.any(erased != written, axis=2)
    assert not touched[:100].any()
    assert not touched[130:].any()
    # What was filled in is as bright as the tissue was there, within its own spread.
    assert abs(float(erased[touched].mean()) - float(tissue[touched].mean())) < float(tissue.std())


def test_nothing_outside_the_given_box_is_looked_at_or_changed():
    frame = screen((87, 8, 472, 309))
    cv2.putText(frame, "T", (440, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    other = frame.copy()
    other[:8], other[309:] = 200, 7
    box = (87.0, 8.0, 472.0, 309.0)
    assert np.array_equal(erase_marks(frame, box)[8:309, 87:472], erase_marks(other, box)[8:309, 87:472])
    assert np.array_equal(erase_marks(frame, box)[309:], frame[309:])


def test_a_frame_without_marks_is_given_back_as_it_is():
    tissue = speckle(240, 320, 5)[..., None]
    assert erase_marks(tissue, (0, 0, 320, 240)) is tissue


@pytest.mark.parametrize("denoise", ["none", "median"])
def test_a_network_sees_no_letter_that_was_written_over_the_lesion(denoise):
    frame = screen((87, 8, 472, 309))
    cv2.putText(frame, "4A", (250, 160), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1)
    clip = Clip(
        frames=frame[None],
        frame_times_s=None,
        spacing_mm=None,
        modality="bmode",
        lesion=Lesion.still(box=(200, 100, 340, 220)),
        scan_area=(87, 8, 472, 309),
        source="drawn.png",
    )
    kept, erased = (
        prepare(clip, Preparation(train_size=162, denoise=denoise, marks=marks)).pixels for marks in ("keep", "erase")
    )
    assert find_burned_in_text(erased[0]) == []
    assert int(erased.max()) < int(kept.max())


def sweep(frames=12):
    """Return a clip of moving speckle with a bright speck that moves along and letters that stand still."""
    tissue = speckle(120, 200, 4, brightness=60.0)
    tissue[50:56, 90:92] = 255
    moving = np.stack([np.roll(tissue, 4 * frame, axis=1) for frame in range(frames)])[..., None]
    clean = moving.copy()
    for frame in moving:
        cv2.putText(frame, "4A", (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255,), 1)
    return clean, moving


def test_of_a_clip_only_what_stands_still_is_a_mark():
    clean, written = sweep()
    area = (0.0, 0.0, 200.0, 120.0)
    # By itself a frame's speck looks like a mark.
    assert len(find_burned_in_text(clean[0])) == 1
    assert find_still_marks(clean, area) == []
    found = find_still_marks(written, area)
    assert found
    assert all(x0 > 15 and x1 < 50 and y0 > 80 and y1 < 105 for x0, y0, x1, y1 in found)


def test_a_clip_is_cleaned_in_the_same_places_in_every_frame_and_its_specks_stay():
    clean, written = sweep()
    lesion = Lesion(box=np.tile([80.0, 30, 150, 80], (12, 1)))
    how = Preparation(train_size=200, crop="scan_area")
    kept, erased = (
        prepare(Clip(written, lesion=lesion, scan_area=(0, 0, 200, 120)), how.model_copy(update={"marks": marks}))
        for marks in ("keep", "erase")
    )
    places = (kept.pixels != erased.pixels).any(axis=(0, 3))
    assert not places[:110].any()
    assert not places[:, 60:].any()
    assert int(erased.pixels[:, 110:, :60].max()) < 255
    assert (erased.pixels == 255).sum(axis=(1, 2, 3)).tolist() == (clean == 255).sum(axis=(1, 2, 3)).tolist()
