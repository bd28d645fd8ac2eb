"""Frames of a clip: spread evenly over the lesion, the same every time, none invented."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isthmus.errors import InputError
from isthmus.imaging.frames import FrameSampling, choose_frames, seen_frames
from isthmus.imaging.preparation import Preparation

counts = st.integers(1, 64)
areas = st.lists(st.sampled_from([0.0, 0.0, 12.0, 40.5, 200.0]), min_size=1, max_size=120).map(np.array)


@given(areas=areas, stored=counts, within=st.sampled_from(["lesion", "clip"]))
def test_chosen_frames_ascend_and_lie_where_the_lesion_is_seen(areas, stored, within):
    chosen = choose_frames(FrameSampling(count=1, stored=stored, within=within), len(areas), areas)
    seen = np.flatnonzero(areas) if within == "lesion" and areas.any() else np.arange(len(areas))
    assert chosen.shape == (stored,)
    assert chosen.dtype == np.int64
    assert (np.diff(chosen) >= 0).all()
    assert seen[0] <= chosen[0]
    assert chosen[-1] <= seen[-1]


@given(total=st.integers(1, 2000), stored=counts)
def test_no_frame_comes_twice_in_a_long_clip_and_none_is_left_out_of_a_short_one(total, stored):
    chosen = choose_frames(FrameSampling(count=1, stored=stored), total, None)
    assert len(np.unique(chosen)) == min(stored, total)
    if total <= stored:
        assert set(chosen) == set(range(total))


@given(total=st.integers(1, 2000), stored=counts)
def test_each_stretch_of_time_gives_one_frame_from_its_middle(total, stored):
    chosen = choose_frames(FrameSampling(count=1, stored=stored), total, None)
    # The frame that is on the screen at the middle of each stretch.
    middles = (np.arange(stored) + 0.5) * total / stored
    assert (chosen <= middles).all()
    assert (middles < chosen + 1 + 1e-9).all()
    # Played backwards it is the same sampling, but for a middle between two frames.
    assert (np.abs(total - 1 - chosen[::-1] - chosen) <= 1).all()


@given(stored=counts, data=st.data())
def test_a_network_sees_one_frame_out_of_each_stratum_of_the_stored(stored, data):
    count = data.draw(st.integers(1, stored))
    seen = seen_frames(stored, count)
    # A frame belongs to the stretch of time that its own middle lies in.
    assert ((2 * seen + 1) * count // (2 * stored)).tolist() == list(range(count))
    assert seen_frames(stored, stored).tolist() == list(range(stored))


@given(areas=areas)
def test_the_frame_of_the_largest_area_is_one_in_which_nothing_is_larger(areas):
    (chosen,) = choose_frames(FrameSampling(count=1, pick="largest_area", within="clip"), len(areas), areas)
    assert areas[chosen] == areas.max()


def test_without_an_outline_the_middle_frame_stands_for_the_largest():
    assert choose_frames(FrameSampling(count=1, pick="largest_area"), 31, None).tolist() == [15]
    assert choose_frames(FrameSampling(count=1, pick="largest_area"), 31, np.zeros(31)).tolist() == [15]


def test_frames_between_two_appearances_of_the_lesion_count_as_seen():
    areas = np.array([0, 0, 5, 0, 0, 7, 0.0])
    assert choose_frames(FrameSampling(count=4), 7, areas).tolist() == [2, 3, 4, 5]
    assert choose_frames(FrameSampling(count=8), 7, areas).tolist() == [2, 2, 3, 3, 4, 4, 5, 5]


def test_the_frame_with_most_calcifications_is_the_callers_to_name():
    with pytest.raises(InputError, match="expected the frame's number"):
        choose_frames(FrameSampling(count=1, pick="calcification_richest"), 3, None)
    with pytest.raises(InputError, match="given in 2 frames and the clip has 3"):
        choose_frames(FrameSampling(count=1), 3, np.ones(2))
    with pytest.raises(InputError, match="5 of 4 frames"):
        seen_frames(4, 5)


def test_frames_that_a_preparation_cannot_have_are_refused():
    for wrong in (
        {"count": 0},
        {"count": 257},
        {"count": 16, "stored": 8},
        {"count": 2, "pick": "largest_area"},
        {"count": 1, "stored": 4, "pick": "calcification_richest"},
        {"count": 4, "every": 2},
    ):
        with pytest.raises(ValidationError):
            Preparation(frames=wrong)
    for frames in (None, {"count": 1, "stored": 8}):
        with pytest.raises(ValidationError, match="layout '3d' is of several frames"):
            Preparation(layout="3d", frames=frames)


def test_networks_of_frames_and_of_volumes_share_what_is_prepared():
    volumes = Preparation(layout="3d", frames=FrameSampling(count=16, stored=20))
    frames = Preparation(layout="2d", normalise="z", frames=FrameSampling(count=20))
    assert volumes.geometric() == frames.geometric()
    assert volumes.geometric()["frames"] == {"stored": 20, "pick": "uniform", "within": "lesion"}
    assert volumes.geometric() != Preparation(frames=FrameSampling(count=16)).geometric()
    assert "frames" not in Preparation().geometric()
    assert Preparation.model_validate_json(volumes.model_dump_json()) == volumes
