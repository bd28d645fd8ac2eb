"""Segmenters: one logit a pixel, and encoders that are the registry's networks."""

from pathlib import Path

import pytest
import torch

from isthmus.errors import ProtocolError
from isthmus.models.classifier import IMAGE
from isthmus.models.registry import create
from isthmus.models.segmenter import SEGMENTERS, EncoderSegmenter, create_segmenter, load_encoder

SMALL = {"mobilenet_v2_unet": 0.25, "resnet18_unet": 16, "unet": 16}


@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_segmenter_gives_one_logit_a_pixel(name: str) -> None:
    network = create_segmenter(name, SMALL[name]).eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 1, 96, 64)).shape == (2, 1, 96, 64)


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_an_encoder_ends_where_the_registrys_network_does(name: str) -> None:
    width = SMALL[f"{name}_unet"]
    segmenter = EncoderSegmenter(name, width).eval()
    classifier = create(name, classes=2, channels=1, width=width).eval()
    classifier.load_state_dict(segmenter.encoder.state_dict())
    picture = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        maps = segmenter._maps(picture)
        expected = classifier.features({IMAGE: picture})[IMAGE]
        # MobileNetV2's own last layer widens the last map and is not needed here.
        last = classifier.get_submodule("net.features")[18](maps[-1]) if name == "mobilenet_v2" else maps[-1]
    assert torch.equal(last, expected)
    assert [map_.shape[-1] for map_ in maps] == [32, 16, 8, 4, 2]


def test_published_weights_start_the_encoder_and_its_batch_norm_stays(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    published = create("resnet18", classes=5, channels=3, width=16)
    state = {name.removeprefix("net."): value for name, value in published.state_dict().items()}
    save_file(state, tmp_path / "published.safetensors")
    segmenter = create_segmenter("resnet18_unet", 16)
    origin = load_encoder(segmenter, str(tmp_path / "published.safetensors"))
    assert any("summed for one grey channel" in note for note in origin.notes)
    segmenter.train()
    before = {name: value.clone() for name, value in segmenter.named_buffers() if "running" in name}
    segmenter(torch.randn(4, 1, 64, 64))
    moved = {name for name, value in segmenter.named_buffers() if name in before and not value.equal(before[name])}
    assert moved
    assert all(name.startswith("decoder.") for name in moved)


def test_wrong_names_widths_and_weights_are_refused() -> None:
    with pytest.raises(ProtocolError, match=r"no segmenter 'u_net'.*did you mean 'unet'"):
        create_segmenter("u_net")
    for width in (0, 1e6):
        with pytest.raises(ProtocolError, match="at most 128"):
            create_segmenter("unet", width)
    with pytest.raises(ProtocolError, match="random weights only"):
        load_encoder(create_segmenter("unet", 16), "imagenet")


@pytest.mark.parametrize(("name", "width"), [("unet", 0.25), ("unet", 1), ("unet", 8.5), ("resnet18_unet", 0.25)])
def test_a_width_in_channels_is_a_whole_number(name: str, width: float) -> None:
    with pytest.raises(ProtocolError, match="whole number of channels"):
        create_segmenter(name, width)
    create_segmenter(name, 4)
