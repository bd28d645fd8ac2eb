"""The calcification attention: planted specks raise its gate where they lie, smooth bright areas do not."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from isthmus.errors import InputError
from isthmus.models.calcification_attention import SIDES, CalcificationAttention, to_grid, white_top_hat
from isthmus.models.registry import create

SIZE, FRAMES = 64, 6
SPECK = (2, 21, 37)  # frame, row, column
CELL = (2, 21 // 8, 37 // 8)


def speckle(seed: int = 0) -> Tensor:
    """Return a clip [1, 1, T, H, W]: a dark round lesion in brighter tissue, both with a scanner's speckle."""
    noise = np.random.default_rng(seed).normal(size=(FRAMES, SIZE, SIZE))
    blurred = ndimage.gaussian_filter(noise, (0, 1.5, 1.5))
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    lesion = 1 / (1 + np.exp((np.hypot(rows, columns) - 24) / 2))
    return torch.from_numpy(0.5 - 0.25 * lesion + 0.05 * blurred / blurred.std()).float()[None, None]


def with_speck(clip: Tensor, side: int = 2, by: float = 0.5) -> Tensor:
    frame, row, column = SPECK
    planted = clip.clone()
    planted[..., frame, row : row + side, column : column + side] += by
    return planted


def with_bright_area(clip: Tensor) -> Tensor:
    """Return the clip with a smooth bright hill a third of the picture wide in every frame."""
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    hill = torch.exp(-((rows - 22.0) ** 2 + (columns - 38.0) ** 2) / (2 * 10.0**2))
    return clip + 0.5 * hill


def gate_of(clip: Tensor, mask: Tensor | None = None, cells: int = 8) -> Tensor:
    """Return the fresh gate [T, h, w] over maps that say nothing."""
    torch.manual_seed(0)
    maps = torch.zeros(1, 16, FRAMES, cells, cells)
    with torch.no_grad():
        _, gate = CalcificationAttention(16)(maps, white_top_hat(clip, mask))
    return gate[0, 0]


@settings(max_examples=15)
@given(seed=st.integers(0, 99), side=st.sampled_from(SIDES))
def test_the_top_hat_is_scipys_in_units_of_the_frames_spread(seed: int, side: int) -> None:
    clip = speckle(seed)
    ours = white_top_hat(clip, sides=(side,))[0, 0, 0].numpy()
    frame = clip[0, 0, 0].numpy()
    # ndimage mirrors the edge where ours ignores what lies outside: minima and maxima of a window are the same for
    # "reflect", since what is mirrored lies in the window anyway.
    theirs = ndimage.white_tophat(frame, size=(side, side), mode="reflect")
    assert np.allclose(ours, theirs / np.abs(frame - frame.mean()).mean(), atol=1e-4)


def test_a_planted_speck_raises_the_gate_in_its_cell_and_frame() -> None:
    before, after = gate_of(speckle()), gate_of(with_speck(speckle()))
    change = after - before
    assert float(before.median()) < 0.3
    assert float(after[CELL]) > 0.8
    assert float(change[CELL]) > 0.4
    away = change.clone()
    away[CELL[0] - 1 : CELL[0] + 2, CELL[1] - 1 : CELL[1] + 2, CELL[2] - 1 : CELL[2] + 2] = 0
    assert float(away.abs().max()) < 0.1


@pytest.mark.parametrize("cells", [8, 4])
def test_a_smooth_bright_area_does_not_raise_the_gate(cells: int) -> None:
    before, after = gate_of(speckle(), cells=cells), gate_of(with_bright_area(speckle()), cells=cells)
    # Only through the frame's spread, from which the hill takes the dark lesion's share.
    assert float((after - before).mean()) < 0.03
    assert float((after - before).max()) < 0.2
    smooth = with_bright_area(torch.full((1, 1, FRAMES, SIZE, SIZE), 0.4))
    assert float(gate_of(smooth, cells=cells).max()) < 0.15


def test_a_speck_on_a_bright_area_is_still_found() -> None:
    bright = with_bright_area(speckle())
    assert float((gate_of(with_speck(bright)) - gate_of(bright))[CELL]) > 0.3


def test_inside_the_mask_the_gate_is_as_without_one_and_outside_it_is_shut() -> None:
    planted = with_speck(speckle())
    around = torch.zeros(1, 1, FRAMES, SIZE, SIZE)
    around[..., 16:32, 32:48] = 1
    elsewhere = torch.zeros_like(around)
    elsewhere[..., 40:60, 4:24] = 1
    free = gate_of(planted)
    assert torch.isclose(gate_of(planted, around)[CELL], free[CELL])
    shut = torch.sigmoid(torch.tensor(-4.0))
    assert torch.isclose(gate_of(planted, elsewhere)[CELL], shut)
    assert torch.isclose(gate_of(planted, around)[0, 7, 0], shut)


def test_a_mask_that_is_empty_in_the_whole_clip_is_no_mask_but_an_empty_frame_is() -> None:
    planted = with_speck(speckle())
    empty = torch.zeros(1, 1, FRAMES, SIZE, SIZE)
    assert torch.equal(white_top_hat(planted, empty), white_top_hat(planted))
    out_of_plane = torch.ones_like(empty)
    out_of_plane[:, :, SPECK[0]] = 0
    hats = white_top_hat(planted, out_of_plane)
    assert float(hats[:, :, SPECK[0]].max()) == 0
    assert float(hats[:, :, SPECK[0] + 1].max()) > 0


@settings(max_examples=15)
@given(gain=st.floats(0.05, 20), offset=st.floats(-5, 5))
def test_gain_offset_and_normalisation_change_nothing(gain: float, offset: float) -> None:
    planted = with_speck(speckle())
    assert torch.allclose(white_top_hat(gain * planted + offset), white_top_hat(planted), rtol=1e-3, atol=1e-3)


def test_a_frame_of_one_grey_has_no_specks() -> None:
    assert float(white_top_hat(torch.full((1, 1, 2, 32, 32), 0.7)).abs().max()) == 0


def test_the_grid_keeps_a_single_pixel_where_a_mean_would_wash_it_out() -> None:
    hats = torch.zeros(1, 1, FRAMES, SIZE, SIZE)
    hats[0, 0, 3, 17, 50] = 5.0
    for grid in ((6, 8, 8), (3, 4, 4), (3, 5, 7)):  # the last does not divide the picture
        coarse = to_grid(hats, grid)
        assert coarse.shape[2:] == grid
        assert float(coarse.max()) == 5.0
        assert int((coarse > 0).sum()) <= 4
    assert to_grid(hats, (6, 8, 8))[0, 0, 3, 2, 6] == 5.0


def test_colour_is_averaged_and_larger_pictures_have_larger_elements() -> None:
    planted = with_speck(speckle())
    assert torch.allclose(white_top_hat(planted.expand(-1, 3, -1, -1, -1)), white_top_hat(planted), atol=1e-5)
    # The same lesion at twice the resolution: a speck of 8 x 8 pixels is what one of 4 x 4 was.
    small = with_speck(speckle(), side=4)
    large = small.repeat_interleave(2, 3).repeat_interleave(2, 4)
    once, twice = (to_grid(white_top_hat(clip), (FRAMES, 8, 8))[(0, 2, *CELL)] for clip in (small, large))
    assert float(twice) == pytest.approx(float(once), rel=0.1)


def test_the_gate_only_adds() -> None:
    maps = torch.randn(2, 16, FRAMES, 8, 8)
    hats = white_top_hat(torch.cat([speckle(), with_speck(speckle())]))
    with torch.no_grad():
        gated, gate = CalcificationAttention(16)(maps, hats)
    ratio = gated / maps
    assert float(ratio.min()) >= 1
    assert float(ratio.max()) <= 2
    assert gate.shape == (2, 1, FRAMES, 8, 8)


# --- in the network ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    return create("calcification_inception_resnet_v2_3d", width=8, repeats=[1, 1, 1]).eval()


def test_the_network_hands_its_gates_out_and_a_speck_raises_them(network: Any) -> None:
    with torch.no_grad():
        plain = network({"image": speckle()}).auxiliary
        planted = network({"image": with_speck(speckle())}).auxiliary
    assert {name: tuple(gate.shape) for name, gate in plain.items()} == {
        "gate_1": (1, 1, 6, 8, 8), "gate_2": (1, 1, 3, 4, 4),
    }  # fmt: skip
    for name, cell in (("gate_1", CELL), ("gate_2", (1, 1, 2))):
        assert float((planted[name] - plain[name])[0, 0][cell]) > 0.3


def test_the_mask_is_optional_must_lie_on_the_picture_and_matters(network: Any) -> None:
    clip, mask = with_speck(speckle()), torch.zeros(1, 1, FRAMES, SIZE, SIZE)
    mask[..., 40:60, 4:24] = 1
    with torch.no_grad():
        assert not torch.equal(network({"image": clip}).logits, network({"image": clip, "lesion_mask": mask}).logits)
    with pytest.raises(InputError, match=r"'lesion_mask' is \[1, 1, 5, 64, 64\]; expected \[1, 1, 6, 64, 64\]"):
        network({"image": clip, "lesion_mask": mask[:, :, :5]})


def test_but_for_the_gates_it_is_the_plain_network(network: Any) -> None:
    plain = create("inception_resnet_v2_3d", width=8, repeats=[1, 1, 1]).eval()
    named = {name: value for name, value in network.state_dict().items() if not name.startswith("attention.")}
    plain.load_state_dict(named, strict=True)
    for attention in network.attention.values():
        torch.nn.init.constant_(attention.spatial.bias, -100.0)  # shut
    with torch.no_grad():
        ours, theirs = network({"image": speckle()}).logits, plain({"image": speckle()}).logits
    assert torch.allclose(ours, theirs, atol=1e-6)
