import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from isthmus.imaging.frames import seen_frames
from isthmus.imaging.preparation import Preparation
from isthmus.training.data import TrainingBatches, draw_frames, epoch_order
from isthmus.training.seeds import seed_of
from isthmus.training.settings import AUGMENTATIONS
from tests.training.examples import PREPARE, store_of
from tests.training.volumes import clips_of


def batches_of(batch=16, seed=0, count=50):
    store = store_of()
    labels = [int(row % 3 == 0) for row in range(count)]
    return TrainingBatches(store, store.view_ids[:count], labels, PREPARE, list(AUGMENTATIONS), batch=batch, seed=seed)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=80), st.integers(0, 2**40), st.integers(0, 1000))
def test_an_epoch_holds_every_view_once(labels, seed, epoch):
    assert sorted(epoch_order(np.array(labels), seed, epoch)) == list(range(len(labels)))


@given(st.integers(1, 20), st.integers(20, 200), st.integers(0, 2**40))
def test_every_stretch_of_an_epoch_has_its_share_of_the_smaller_class(few, many, seed):
    labels = np.array([1] * few + [0] * many)
    placed = labels[epoch_order(labels, seed, 0)]
    share = few / len(labels)
    counts = np.cumsum(placed)
    # Evenly spread: up to any place, at most one view more or less than its share of each class.
    assert np.all(np.abs(counts - share * np.arange(1, len(labels) + 1)) <= 2)


def test_epochs_and_seeds_differ_and_the_same_ones_agree():
    labels = np.arange(60) % 2
    assert np.array_equal(epoch_order(labels, 1, 2), epoch_order(labels, 1, 2))
    assert not np.array_equal(epoch_order(labels, 1, 2), epoch_order(labels, 1, 3))
    assert not np.array_equal(epoch_order(labels, 1, 2), epoch_order(labels, 2, 2))


def test_steps_of_an_epoch_are_equal_and_none_is_tiny():
    batches = batches_of(batch=16, count=50)
    sizes = [len(batches.draw(0, step).labels) for step in range(batches.steps)]
    assert sizes == [13, 13, 12, 12]  # 50 views in the 4 steps that 16 a step would need (16, 16, 16, 2)


def test_a_batch_follows_from_seed_epoch_and_step_alone():
    first, second = batches_of(), batches_of()
    second.draw(7, 0)  # another history
    one, other = first.draw(3, 1), second.draw(3, 1)
    assert torch.equal(one.pixels, other.pixels)
    assert torch.equal(one.labels, other.labels)
    assert not torch.equal(one.pixels, batches_of(seed=1).draw(3, 1).pixels)


def test_a_view_is_augmented_anew_in_each_epoch_and_keeps_its_label():
    store = store_of()
    batches = TrainingBatches(store, ["view00"], [1], PREPARE, ["crop", "rotate"], batch=1, seed=0)
    (early, label, _), (late, later_label, _) = batches.draw(0, 0), batches.draw(1, 0)
    assert early.shape == (1, 1, 32, 32, 1)
    assert not torch.equal(early, late)
    assert label.tolist() == later_label.tolist() == [1]


def test_labels_travel_with_their_pixels():
    store = store_of()
    labels = list(range(50))
    batches = TrainingBatches(store, store.view_ids[:50], labels, PREPARE, [], batch=16, seed=0)
    for step in range(batches.steps):
        pixels, rows, _ = batches.draw(0, step)
        assert np.array_equal(pixels.numpy(), store.pixels[rows.numpy()][:, :, 2:34, 2:34])


class TestClips:
    """Clips whose pixels say which view and which frame they are of."""

    STORED = 6

    def batches(self, layout, count, augment=(), masks=True):
        store = clips_of()
        numbers = 10 * np.arange(60)[:, None] % 250 + np.arange(self.STORED)
        store.pixels[:] = numbers[:, :, None, None, None]
        store.lesion_masks[:] = np.arange(self.STORED)[None, :, None, None] % 2
        prepare = Preparation(
            train_size=36, crop_size=32, frames={"count": count, "stored": self.STORED}, layout=layout
        )
        labels = list(range(60))
        return TrainingBatches(store, store.view_ids, labels, prepare, augment, batch=20, seed=0, masks=masks)

    def test_a_volume_has_one_frame_out_of_each_stratum_of_time(self):
        batches, seen = self.batches("3d", 4), []
        for epoch in range(20):
            pixels, labels, masks = batches.draw(epoch, 0)
            assert pixels.shape == (20, 4, 32, 32, 1)
            frames = pixels[:, :, 0, 0, 0].int() - (10 * labels % 250)[:, None]
            assert torch.equal(masks[:, :, 0, 0], frames % 2 == 1)
            seen.append(frames)
        frames = torch.cat(seen)
        assert (frames.diff(dim=1) > 0).all()
        drawn = [sorted(set(column.tolist())) for column in frames.T]
        assert sorted(frame for members in drawn for frame in members) == list(
            range(self.STORED)
        )  # the strata are apart
        assert all(seen in members for seen, members in zip(seen_frames(self.STORED, 4), drawn, strict=True))

    def test_frames_that_become_channels_are_drawn_and_moved_as_those_of_a_volume(self):
        names = ["flip", "rotate", "crop", "gain", "reverse"]
        volume, channels = (self.batches(layout, 4, names).draw(2, 1) for layout in ("3d", "frames_as_channels"))
        assert torch.equal(volume.pixels, channels.pixels)
        assert torch.equal(volume.masks, channels.masks)

    def test_a_2d_network_sees_one_frame_of_a_clip_at_a_time_and_in_the_end_all(self):
        batches = self.batches("2d", 3)
        frames = set()
        for epoch in range(12):
            pixels, labels, _ = batches.draw(epoch, 0)
            assert pixels.shape == (20, 1, 32, 32, 1)
            frames |= set((pixels[:, 0, 0, 0, 0].int() - 10 * labels % 250).tolist())
        assert frames == set(range(self.STORED))

    def test_frames_are_drawn_anew_each_epoch_and_leave_the_augmentation_as_it_was(self):
        first, second = self.batches("3d", 2), self.batches("3d", 2)
        second.draw(3, 1)
        assert torch.equal(first.draw(2, 0).pixels, second.draw(2, 0).pixels)
        assert not torch.equal(first.draw(2, 0).pixels[0], first.draw(3, 0).pixels[0])
        still = store_of()
        clips = clips_of()
        clips.pixels[:] = still.pixels
        labels = [0] * 60
        of_clips = Preparation(train_size=36, crop_size=32, frames={"count": 2, "stored": 6}, layout="3d")
        names = ["flip", "rotate", "crop", "gain"]
        one, other = (
            TrainingBatches(store, store.view_ids, labels, prepare, names, batch=20, seed=0).draw(1, 1).pixels
            for store, prepare in ((still, PREPARE), (clips, of_clips))
        )
        assert torch.equal(one.expand_as(other), other)

    @given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
    def test_any_number_of_frames_is_drawn_in_order_and_none_twice(self, one, other, seed):
        stored, count = max(one, other), min(one, other)
        drawn = draw_frames(stored, count, 5, np.random.default_rng(seed))
        assert drawn.shape == (5, count)
        assert drawn.min() >= 0
        assert drawn.max() < stored
        assert (np.diff(drawn, axis=1) > 0).all()

    def test_masks_are_not_read_where_no_network_looks_at_them(self):
        assert self.batches("3d", 4, masks=False).draw(0, 0).masks is None


def test_seeds_depend_on_the_kind_and_place_of_their_parts():
    seeds = {seed_of(1, 2), seed_of(2, 1), seed_of(12), seed_of("1", 2), seed_of(1, "2"), seed_of("12")}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
