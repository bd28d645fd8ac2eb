"""A model of key frames: files are scored as the run scored them, and a clip without a rate says what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.errors import PictureError
from isthmus.files import read_json
from isthmus.imaging.cache import CacheItem, PreparedCache
from isthmus.imaging.clip import Clip, Lesion
from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.read import write_mask
from isthmus.inference.load import load_bundle
from isthmus.inference.output import frames_in_words
from isthmus.inference.pictures import picture_of_clip
from isthmus.inference.predictor import Predictor
from isthmus.models.bundle import write_bundle
from isthmus.models.card import render_card
from isthmus.models.registry import create
from tests.imaging.speckle import speckle
from tests.imaging.videos import jpeg, write_avi
from tests.inference.small_models import bundle_spec

FRAMES, HEIGHT, WIDTH, RATE_HZ = 30, 80, 96, 25
SAMPLING = FrameSampling(count=5, pick="key_frames", every_s=0.08, clear=9)
PREPARATION = Preparation(train_size=72, crop_size=64, layout="frames_as_channels", frames=SAMPLING)
BOX = (30.0, 25.0, 66.0, 60.0)


def pixels() -> np.ndarray:
    """Return frames that are dark at first; each is another speckle."""
    return np.stack([speckle(HEIGHT, WIDTH, frame, 3.0 if frame < 9 else 60.0) for frame in range(FRAMES)])


def outlines() -> np.ndarray:
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for frame in range(FRAMES):
        masks[frame, 25:60, 30 : 66 - abs(frame - 20)] = True
    return masks


def spec(**changes: Any) -> Any:
    network = {"name": "resnet18", "options": {"width": 8}, "classes": 2, "channels": 5}
    requires = {"modalities": ["ceus"], "region": "box"}
    return bundle_spec(**{"network": network, "requires": requires, "prepare": PREPARATION, "parts": 1, **changes})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bundle"
    state = create("resnet18", classes=2, channels=5, width=8).state_dict()
    state["net.fc.weight"].mul_(20.0)
    write_bundle(folder, spec(), [state])
    return folder


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return load_bundle(bundle, "cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Return a video, the same frames as a folder, and the masks."""
    folder = tmp_path_factory.mktemp("clips")
    video = write_avi(
        folder / "a.avi", [jpeg(np.repeat(one[..., None], 3, 2)) for one in pixels()], size=(WIDTH, HEIGHT)
    )
    (folder / "b").mkdir()
    for number, one in enumerate(pixels()):
        Image.fromarray(one).save(folder / "b" / f"{number:03d}.png")
    write_clip_mask(folder / "masks.tiff", outlines())
    return video, folder / "b", folder / "masks.tiff"


@pytest.mark.parametrize("form", ["mask", "box"])
def test_files_get_the_scores_of_the_store(
    predictor: Predictor, files: tuple[Path, Path, Path], tmp_path: Path, form: str
) -> None:
    video, folder, mask = files
    region: Any = {"mask": mask, "box": BOX}[form]
    items = [CacheItem("a", video, **{form: region}), CacheItem("b", folder, frame_rate_hz=RATE_HZ, **{form: region})]
    store = PreparedCache(tmp_path / "cache").store(items, PREPARATION)
    assert store.failures == {}
    given: Any = {"masks" if form == "mask" else "boxes": [region] * 2}
    found = predictor.predict([video, folder], frame_rates_hz=[None, RATE_HZ], **given)
    assert [list(one.frames[0]) for one in found] == store.frame_indices.tolist()
    scores = predictor.score_store(store, ["a", "b"])["p_1"]
    np.testing.assert_allclose([one.probabilities["1"] for one in found], scores, atol=1e-6)
    assert min(found[1].frames[0]) >= 9  # none of the dark ones
    if form == "mask":
        assert found[1].frames[0][2] in (18, 20, 22)  # about the largest


def test_a_clip_in_memory_is_scored_as_its_file(predictor: Predictor, files: tuple[Path, Path, Path]) -> None:
    expected = predictor.predict([files[1]], masks=[files[2]], frame_rates_hz=[RATE_HZ])[0]
    clip = Clip(pixels()[..., None], np.arange(FRAMES) / RATE_HZ, lesion=Lesion(mask=outlines()))
    found = predictor.predict_picture(picture_of_clip(clip, predictor.spec.prepare, "box"))
    assert found.frames == expected.frames
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-6)


def test_a_clip_without_a_rate_is_refused_with_what_to_give(
    predictor: Predictor, files: tuple[Path, Path, Path]
) -> None:
    with pytest.raises(PictureError, match="isthmus predict takes --frame-rate"):
        predictor.predict([files[1]], masks=[files[2]])


def test_the_command_takes_the_rate_of_a_folder_of_frames(
    bundle: Path, files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    command = ["predict", str(bundle), str(files[1]), "--mask", str(files[2]), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, [*command, "--frame-rate", str(RATE_HZ)])
    assert result.exit_code == 0, result.output
    written = read_json(tmp_path / "out" / "predictions.json")
    assert written["looks_at"].startswith("5 key frames")
    expected = load_bundle(bundle, "cpu").predict([files[1]], masks=[files[2]], frame_rates_hz=[RATE_HZ])[0]
    assert written["predictions"][0]["frames"] == [list(expected.frames[0])]


def test_one_outline_for_all_frames_is_measured_in_all(
    predictor: Predictor, files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[25:60, 30:66] = True
    write_mask(tmp_path / "one.png", mask)
    one = predictor.predict([files[0]], masks=[tmp_path / "one.png"])[0]
    assert one.frames == predictor.predict([files[0]], boxes=[BOX])[0].frames
    assert "which of them the lesion is seen is not known" in one.notes[0]


def test_a_short_clip_says_that_frames_are_seen_twice(predictor: Predictor, tmp_path: Path) -> None:
    short = write_avi(
        tmp_path / "s.avi", [jpeg(np.repeat(one[..., None], 3, 2)) for one in pixels()[9:15]], size=(WIDTH, HEIGHT)
    )
    found = predictor.predict([short], boxes=[BOX])[0]
    assert found.frames == ((0, 0, 2, 4, 4),)
    assert any("5 frames, and found 3 different frames among those every 0.08 s" in note for note in found.notes)


def test_channels_of_network_and_preparation_must_agree() -> None:
    network = {"name": "resnet18", "options": {"width": 8}, "classes": 2, "channels": 1}
    with pytest.raises(ValidationError, match="prepare gives 5 channels, the network takes 1"):
        spec(network=network)


def test_words_of_results_and_card_name_the_frames() -> None:
    words = "5 key frames at equal intervals around the largest lesion, out of at most 9 clear ones of every 0.08 s"
    assert frames_in_words(spec()) == f"{words}; as channels of one picture"
    assert f"{words}, all cut by one window, as channels of one picture." in render_card(spec())
