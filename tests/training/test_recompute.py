import copy

import pytest
import torch

from isthmus.errors import FitError
from isthmus.models.registry import create
from isthmus.training import steps
from isthmus.training.recompute import recomputing
from isthmus.training.settings import TrainSettings
from tests.training.volumes import volume

CLIPS = torch.rand(6, 1, 4, 32, 32, generator=torch.Generator().manual_seed(1))
STILLS = CLIPS[:, :, 0]
LABELS = torch.tensor([0, 1, 0, 1, 1, 0])


def step(network, images=CLIPS, *, bf16=False, freeze=False):
    """Take one step of training and return the bytes that the forward pass kept for the backward pass."""
    torch.manual_seed(7)  # dropout
    kept = {}

    def count(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    optimiser = steps.optimiser(network.train(), TrainSettings(optimiser="sgd", rate=0.1))
    if freeze:
        steps.freeze_norm(network)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network({"image": images}).logits
        loss = torch.nn.functional.cross_entropy(logits.float(), LABELS)
        held = sum(kept.values())
        loss.backward()
    optimiser.step()
    return held


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
def test_a_step_leaves_the_same_weights_and_statistics_and_holds_less(bf16, freeze):
    # In bf16 a network of pictures: a CPU's gradients of 3D convolutions are wrong there.
    torch.manual_seed(0)
    plain, images = (create("resnet18", channels=1, width=16), STILLS) if bf16 else (volume(), CLIPS)
    anew = copy.deepcopy(plain)
    held = step(plain, images, bf16=bf16, freeze=freeze)
    with recomputing(anew):
        assert step(anew, images, bf16=bf16, freeze=freeze) < 0.7 * held
        step(anew, images, bf16=bf16, freeze=freeze)
    step(plain, images, bf16=bf16, freeze=freeze)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, anew.state_dict()[name]), name
        if name.endswith("num_batches_tracked"):
            assert int(value) == (0 if freeze else 2)


def test_afterwards_and_in_evaluation_the_network_is_what_it_was():
    network, plain = volume(), volume()
    with recomputing(network):
        evaluated = network.eval()({"image": CLIPS}).logits
    assert torch.equal(evaluated, plain.eval()({"image": CLIPS}).logits)
    assert "forward" not in vars(network.first)
    assert step(network) == step(plain)


def test_a_network_without_stages_is_refused():
    network = volume()
    network.stages = ()
    with pytest.raises(FitError, match="SmallVolume names none"), recomputing(network):
        pass
