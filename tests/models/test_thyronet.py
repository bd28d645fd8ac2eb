"""ThyroNet: the counts that its options are chosen by, and its baseline against an independent ResNet34."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.networks.nets.resnet import ResNet
from torch import nn

from isthmus.errors import ProtocolError
from isthmus.models.classifier import parameter_count
from isthmus.models.registry import create
from isthmus.models.thyronet import GroupedMerge, ThyroNet

BASELINE: dict[str, Any] = {"block": "basic", "expansion": 1, "kernel": 3, "groups": 1, "dense": False}


def millions(**options: Any) -> float:
    with torch.device("meta"):
        return parameter_count(ThyroNet(classes=2, channels=3, **options)) / 1e6


# The module's table: worked out by hand from the paper's description, two classes, three channels.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (BASELINE, 21.3),
        ({"kernel": 3, "groups": 1, "dense": False}, 23.5),
        ({"groups": 2, "dense": False}, 27.9),
        ({"groups": 4, "dense": False}, 20.1),
        ({"groups": 8, "dense": False}, 16.1),
        ({"groups": 16, "dense": False}, 14.2),
        ({"groups": 32, "dense": False}, 13.2),
        ({"groups": 8, "dense": True}, 16.9),
    ],
)
def test_the_counts_are_those_that_the_groups_were_chosen_by(options: dict[str, Any], expected: float) -> None:
    assert round(millions(**options), 1) == expected


def test_eight_groups_come_nearest_to_the_papers_thirty_per_cent() -> None:
    plain = millions(kernel=3, groups=1, dense=False)
    saving = {groups: 1 - millions(groups=groups, dense=False) / plain for groups in (2, 4, 8, 16, 32)}
    assert min(saving, key=lambda groups: abs(saving[groups] - 0.30)) == 8
    assert 1 - millions() / plain == pytest.approx(0.28, abs=0.005)  # with dense connections


def test_the_dense_connections_cost_what_their_convolutions_hold() -> None:
    # For stages of (input, output) channels: projection to 32, merge of output + 32 in 8 groups, two batch norms.
    stages = [(64, 256), (256, 512), (512, 1024), (1024, 2048)]
    by_hand = sum(c * 32 + 2 * 32 + (d + 32) * d // 8 + 2 * d for c, d in stages)
    assert round((millions() - millions(dense=False)) * 1e6) == by_hand


def test_the_baseline_is_resnet34() -> None:
    torch.manual_seed(3)
    ours = ThyroNet(classes=2, channels=1, width=16, **BASELINE).eval()
    theirs = ResNet(
        "basic", [3, 4, 6, 3], [16, 32, 64, 128], spatial_dims=2, n_input_channels=1, conv1_t_size=7, conv1_t_stride=2,
        bias_downsample=False, num_classes=2,
    ).eval()  # fmt: skip
    assert parameter_count(ours) == parameter_count(theirs)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    image = torch.randn(2, 1, 96, 96)
    with torch.no_grad():
        assert torch.equal(ours({"image": image}).logits, theirs(image))


def test_the_baseline_has_resnet34s_published_count() -> None:
    with torch.device("meta"):
        baseline = ThyroNet(classes=1000, channels=3, **BASELINE)
    assert parameter_count(baseline) == 21_797_672  # torchvision's documentation of resnet34


@settings(deadline=None, max_examples=20)
@given(
    groups=st.sampled_from([1, 2, 4]), shares=st.tuples(st.integers(1, 4), st.integers(1, 3)), seed=st.integers(0, 9)
)
def test_the_merge_is_a_grouped_convolution_of_the_interleaved_concatenation(
    groups: int, shares: tuple[int, int], seed: int
) -> None:
    torch.manual_seed(seed)
    first, second = (torch.randn(2, share * groups, 3, 4, dtype=torch.float64) for share in shares)
    merge = GroupedMerge(first.shape[1], second.shape[1], groups).double()
    parts = [maps.reshape(2, groups, -1, 3, 4) for maps in (first, second)]
    both = torch.cat(parts, dim=2).reshape(2, -1, 3, 4)
    expected = nn.functional.conv2d(both, merge.weight, groups=groups)
    assert torch.allclose(merge(first, second), expected, atol=1e-12)


def test_the_stages_input_reaches_their_output_past_the_blocks() -> None:
    network = ThyroNet(classes=2, channels=1, width=16).eval()
    stage = network.layer2
    maps = torch.randn(1, 64, 8, 8)
    with torch.no_grad():
        before = stage(maps)
        for block in stage.get_submodule("stage"):
            block.bn3.weight.zero_()
            if block.downsample is not None:
                block.downsample[1].weight.zero_()
        # The blocks are silenced; what still changes with the input came through the dense connection.
        assert not torch.equal(stage(maps), stage(2 * maps))
        assert stage(maps).shape == before.shape == (1, 128, 4, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": 4}, r"kernel 4 \(options.kernel\); expected an odd number"),
        ({"groups": 3}, r"width 64 does not share out into 3 groups .*multiple of 6"),
        ({"groups": 0}, "0 groups"),
        ({"width": 24}, "width 24 does not share out into 8 groups"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        create("thyronet_x4", **options)


def test_basic_blocks_do_not_expand() -> None:
    with pytest.raises(ProtocolError, match="expansion 4 with basic blocks"):
        ThyroNet(block="basic")


def test_the_ablations_differ_from_the_full_model_in_what_they_say() -> None:
    with torch.device("meta"):
        bottleneck, block = create("thyronet_bottleneck"), create("thyronet_block")
    kernels = {module.kernel_size for module in bottleneck.modules() if isinstance(module, nn.Conv2d)}
    assert kernels == {(7, 7), (1, 1), (3, 3)}
    grouped = {
        (module.kernel_size, module.groups)
        for name, module in block.named_modules()
        if isinstance(module, nn.Conv2d) and name.endswith("conv2")
    }
    assert grouped == {((5, 5), 8)}
