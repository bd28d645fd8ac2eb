"""The predict command's pictures of a clip: film, GIF and filmstrip."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from isthmus.explain.legend import MARK
from isthmus.explain.prediction import predict_files
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.models.bundle import write_bundle
from isthmus.models.registry import create
from tests.inference.small_clips import clip, frame_bundle, mask_of_clip, volume_bundle
from tests.inference.small_models import bundle_spec


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("recording")
    return clip(folder / "sweep"), mask_of_clip(folder / "mask.tiff")


def test_a_clip_is_drawn_as_film_gif_and_strip(recording: tuple[Path, Path], tmp_path: Path) -> None:
    model, (path, mask) = volume_bundle(tmp_path / "bundle"), recording
    done = predict_files(model, [path], tmp_path / "out", mask=mask, explain=True, device="cpu")
    folder = tmp_path / "out" / "overlays"
    assert sorted(file.name for file in folder.iterdir()) == ["001_sweep.gif", "001_sweep.mp4", "001_sweep.png"]
    assert sorted(one.name for one in done.overlays) == ["001_sweep.gif", "001_sweep.mp4", "001_sweep.png"]
    with av.open(str(folder / "001_sweep.mp4")) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for _ in film.decode(video=0)) == 4
    with Image.open(folder / "001_sweep.gif") as gif:
        assert gif.n_frames == 4
    outputs = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["outputs"]
    assert "overlays/001_sweep.mp4" in outputs


def test_the_same_clip_again_gives_the_same_bytes(recording: tuple[Path, Path], tmp_path: Path) -> None:
    model, (path, mask) = volume_bundle(tmp_path / "bundle"), recording
    for name in ("one", "two"):
        predict_files(model, [path], tmp_path / name, mask=mask, explain=True, device="cpu")
    for file in ("001_sweep.gif", "001_sweep.mp4", "001_sweep.png"):
        assert (tmp_path / "one/overlays" / file).read_bytes() == (tmp_path / "two/overlays" / file).read_bytes()


def test_a_network_of_frames_explains_each_and_one_frame_of_a_clip_is_drawn_as_a_still(
    recording: tuple[Path, Path], tmp_path: Path
) -> None:
    path, mask = recording
    several = frame_bundle(tmp_path / "several", FrameSampling(count=3, stored=3))
    done = predict_files(several, [path], tmp_path / "out", mask=mask, explain=True, device="cpu")
    assert len(done.overlays) == 3
    one = frame_bundle(tmp_path / "one", FrameSampling(count=1, stored=1, pick="largest_area"))
    done = predict_files(one, [path], tmp_path / "still", mask=mask, explain=True, device="cpu")
    assert [file.name for file in done.overlays] == ["001_sweep.png"]
    with Image.open(done.overlays[0]) as drawn:
        assert drawn.width >= 640


def test_a_clip_whose_frames_are_channels_becomes_one_strip(recording: tuple[Path, Path], tmp_path: Path) -> None:
    path, mask = recording
    torch.manual_seed(0)
    state = create("resnet18", classes=2, channels=5, width=8).state_dict()
    state["net.fc.weight"].mul_(20.0)
    frames = FrameSampling(count=5, stored=5)
    spec = bundle_spec(
        network={"name": "resnet18", "options": {"width": 8}, "classes": 2, "channels": 5},
        requires={"modalities": ["ceus"], "region": "box"},
        prepare=Preparation(train_size=36, crop_size=32, layout="frames_as_channels", frames=frames),
        parts=1,
    )
    write_bundle(tmp_path / "bundle", spec, [state])
    done = predict_files(tmp_path / "bundle", [path], tmp_path / "out", mask=mask, explain=True, device="cpu")
    assert [file.name for file in done.overlays] == ["001_sweep.png"]
    with Image.open(done.overlays[0]) as drawn:
        assert drawn.width == 1100
        pixels = np.asarray(drawn)
    # One of the five is framed: the one that counted most.
    assert (pixels[130] == MARK).all(axis=1).any()
