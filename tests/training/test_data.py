import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from isthmus.training.data import TrainingBatches, epoch_order
from isthmus.training.seeds import seed_of
from isthmus.training.settings import AUGMENTATIONS
from tests.training.examples import PREPARE, store_of


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


def test_seeds_depend_on_the_kind_and_place_of_their_parts():
    seeds = {seed_of(1, 2), seed_of(2, 1), seed_of(12), seed_of("1", 2), seed_of(1, "2"), seed_of("12")}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
