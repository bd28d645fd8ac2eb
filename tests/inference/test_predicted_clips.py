"""Clips are scored as the run scored them, and what cannot be scored is told in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError, PictureError, RegionMissing
from isthmus.files import read_yaml, write_yaml
from isthmus.imaging.cache import CacheItem, PreparedCache
from isthmus.imaging.clip import Clip, Lesion
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.limits import Limits
from isthmus.imaging.preparation import Preparation
from isthmus.inference.load import load_bundle
from isthmus.inference.pictures import picture_of_clip, read_picture
from isthmus.inference.predictor import Predictor
from tests.imaging.videos import jpeg, write_avi
from tests.inference.small_clips import (
    FRAMES,
    HEIGHT,
    WIDTH,
    boxes_of_clip,
    clip,
    frame_bundle,
    frames_of_clip,
    lesion_of_clip,
    mask_of_clip,
    volume_bundle,
)
from tests.inference.small_models import bundle, picture

BOX = (22.0, 30.0, 60.0, 60.0)
SAMPLING = FrameSampling(count=4, stored=5)
PREPARATION = Preparation(train_size=36, frames=SAMPLING)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load_bundle(volume_bundle(tmp_path_factory.mktemp("volumes") / "bundle"), "cpu")


def video(path: Path) -> Path:
    return write_avi(
        path, [jpeg(np.repeat(frame[..., None], 3, 2)) for frame in frames_of_clip()], size=(WIDTH, HEIGHT)
    )


class TestAsTheRunScored:
    @pytest.mark.parametrize("form", ["mask", "boxes", "box"])
    def test_a_volume_network_gives_files_the_scores_of_the_store(
        self, volumes: Predictor, tmp_path: Path, form: str
    ) -> None:
        paths = [clip(tmp_path / "a", 1), video(tmp_path / "b.avi")]
        mask = mask_of_clip(tmp_path / "m.tiff")
        given: dict[str, Any] = {"mask": mask, "boxes": boxes_of_clip(), "box": BOX}
        items = [CacheItem(path.stem, path, **{form: given[form]}) for path in paths]
        store = PreparedCache(tmp_path / "cache").store(items, volumes.spec.prepare)
        assert not store.failures
        ours = {"masks": [mask] * 2} if form == "mask" else {"boxes": [given[form]] * 2}
        found = volumes.predict(paths, **ours)
        scores = [one.probabilities["1"] for one in found]
        np.testing.assert_allclose(volumes.score_store(store, ["a", "b"])["p_1"], scores, atol=1e-6)
        assert abs(scores[0] - scores[1]) > 1e-4

    @pytest.mark.parametrize(
        ("frames", "changes"),
        [
            (SAMPLING, {}),
            (SAMPLING, {"frame_scores": "maximum"}),
            (FrameSampling(count=1, stored=1, pick="largest_area"), {}),
        ],
    )
    def test_a_network_of_frames_does_too(self, tmp_path: Path, frames: FrameSampling, changes: dict[str, Any]) -> None:
        predictor = load_bundle(frame_bundle(tmp_path / "bundle", frames, **changes), "cpu")
        path, mask = clip(tmp_path / "a", 1), mask_of_clip(tmp_path / "m.tiff")
        store = PreparedCache(tmp_path / "cache").store([CacheItem("a", path, mask=mask)], predictor.spec.prepare)
        expected = float(predictor.score_store(store, ["a"])["p_1"].iloc[0])
        assert predictor.predict([path], masks=[mask])[0].probabilities["1"] == pytest.approx(expected, abs=1e-6)

    def test_the_mask_reaches_a_network_that_looks_at_it(self, volumes: Predictor, tmp_path: Path) -> None:
        read = volumes.read(clip(tmp_path / "a"), mask=mask_of_clip(tmp_path / "m.tiff"))
        pixels, outline = read.prepared.pixels[None], read.prepared.lesion_mask
        seen, unseen = (volumes.score_pixels(pixels, given) for given in (outline[None], None))
        said = volumes.predict_picture(read).probabilities["1"]
        assert said == pytest.approx(float(seen[:, 0, 1].mean()), abs=1e-12)
        assert np.abs(seen - unseen).max() > 1e-6

    def test_a_clip_in_memory_gives_what_its_file_gives(self, volumes: Predictor, tmp_path: Path) -> None:
        from_file = volumes.predict([clip(tmp_path / "a")], masks=[mask_of_clip(tmp_path / "m.tiff")])[0]
        whole = Clip(frames_of_clip()[..., None], lesion=Lesion(mask=lesion_of_clip()), source="a")
        found = volumes.predict_picture(picture_of_clip(whole, volumes.spec.prepare, "box"))
        assert found.probability == pytest.approx(from_file.probability, abs=1e-6)

    def test_more_clips_than_are_scored_at_once_stay_in_order(self, volumes: Predictor, tmp_path: Path) -> None:
        paths, mask = [clip(tmp_path / str(seed), seed) for seed in range(3)], mask_of_clip(tmp_path / "m.tiff")
        many = volumes.predict([*paths, *paths, *paths], masks=[mask] * 9)
        single = [volumes.predict([path], masks=[mask])[0].probability for path in paths]
        assert [one.probability for one in many] == pytest.approx(single * 3, abs=1e-6)


class TestWhatIsSaid:
    def test_the_frames_that_were_looked_at_are_named(self, volumes: Predictor, tmp_path: Path) -> None:
        found = volumes.predict([clip(tmp_path / "a")], masks=[mask_of_clip(tmp_path / "m.tiff")])[0]
        # The lesion is seen in frames 3 to 8: 3, 4, 6, 7, 8 are the middles of 5 parts, of which 4 strata leave out 6.
        assert found.frames == ((3, 4, 7, 8),)
        assert found.notes == ()

    def test_one_box_for_all_frames_is_told_and_the_whole_clip_is_looked_at(self, tmp_path: Path) -> None:
        read = read_picture(clip(tmp_path / "a"), PREPARATION, "box", box="22,30,60,60")
        assert read.prepared.frame_indices.tolist() == [1, 3, 6, 8, 10]
        assert read.notes == ("one box was taken for all 12 frames: in which of them the lesion is seen is not known",)

    def test_one_mask_for_all_frames_is_taken_for_all(self, tmp_path: Path) -> None:
        drawn = lesion_of_clip()[5]
        Image.fromarray(drawn).save(tmp_path / "m.png")
        read = read_picture(clip(tmp_path / "a"), PREPARATION, "mask", mask=tmp_path / "m.png")
        assert read.clip.lesion is not None
        assert read.clip.lesion.mask is not None
        assert (read.clip.lesion.mask == drawn).all()
        assert "one outline was taken for all 12 frames" in read.notes[0]

    def test_a_folder_of_masks_is_that_of_the_frames(self, tmp_path: Path) -> None:
        (tmp_path / "masks").mkdir()
        for number, mask in enumerate(lesion_of_clip()):
            Image.fromarray(mask).save(tmp_path / "masks" / f"{number:03d}.png")
        path = clip(tmp_path / "a")
        folder = read_picture(path, PREPARATION, "mask", mask=tmp_path / "masks")
        pages = read_picture(path, PREPARATION, "mask", mask=mask_of_clip(tmp_path / "m.tiff"))
        np.testing.assert_array_equal(folder.prepared.pixels, pages.prepared.pixels)
        np.testing.assert_array_equal(folder.prepared.lesion_mask, pages.prepared.lesion_mask)

    def test_a_clip_shorter_than_the_model_looks_at_repeats_frames_with_a_note(self, tmp_path: Path) -> None:
        read = read_picture(clip(tmp_path / "a", frames=2), PREPARATION, "box", box=BOX)
        assert read.prepared.frame_indices.tolist() == [0, 0, 1, 1, 1]
        assert len(read.prepared.pixels) == 5
        assert len(read.clip.frames) == 2
        assert "found 2 different frames among the clip's 2: some are seen more than once" in read.notes[-1]


class TestRefusals:
    def test_a_clip_for_a_model_of_stills(self, tmp_path: Path) -> None:
        predictor = load_bundle(bundle(tmp_path / "bundle"), "cpu")
        with pytest.raises(PictureError, match="a clip of 12 frames, and this model reads stills") as caught:
            predictor.predict([clip(tmp_path / "a")], boxes=[BOX])
        assert "save the frame to be scored as PNG" in str(caught.value)

    def test_a_still_for_a_model_of_clips(self, volumes: Predictor, tmp_path: Path) -> None:
        with pytest.raises(PictureError, match="a still, and this model reads clips: it looks at 4 frames") as caught:
            volumes.predict([picture(tmp_path / "a.png")], boxes=[BOX])
        assert "a model that was trained on stills" in str(caught.value)

    def test_a_still_is_taken_by_a_model_of_one_frame(self, tmp_path: Path) -> None:
        one = Preparation(train_size=36, frames=FrameSampling(count=1, stored=1, pick="calcification_richest"))
        assert read_picture(picture(tmp_path / "a.png"), one, "box", box=BOX).frames == (0,)
        with pytest.raises(InputError, match="only a simulated cohort's truth names"):
            read_picture(clip(tmp_path / "a"), one, "box", box=BOX)

    def test_a_clip_without_a_region(self, volumes: Predictor, tmp_path: Path) -> None:
        with pytest.raises(RegionMissing, match=r"--box x0,y0,x1,y1 or --mask FILE"):
            volumes.predict([clip(tmp_path / "a")])

    @pytest.mark.parametrize(
        ("shape", "empty", "says"),
        [
            ((HEIGHT, WIDTH + 1), False, "the mask has 97 x 80 pixels; expected 96 x 80 like the clip"),
            ((HEIGHT, WIDTH), True, "the mask is empty"),
            ((3, HEIGHT, WIDTH), False, "the lesion mask has 3 frames"),
            ((FRAMES, HEIGHT, WIDTH), True, "empty in all 12 frames"),
        ],
    )
    def test_a_mask_of_another_clip(self, tmp_path: Path, shape: tuple[int, ...], empty: bool, says: str) -> None:
        pages = [Image.fromarray(np.full(shape[-2:], 0 if empty else 255, np.uint8))] * (
            shape[0] if len(shape) > 2 else 1
        )
        pages[0].save(tmp_path / "m.tif", save_all=True, append_images=pages[1:])
        with pytest.raises(InputError) as caught:
            read_picture(clip(tmp_path / "a"), PREPARATION, "mask", mask=tmp_path / "m.tif")
        assert says in str(caught.value).replace(" (m.tif)", "")

    def test_a_box_of_a_frame_that_leaves_it(self, tmp_path: Path) -> None:
        boxes = boxes_of_clip()
        boxes[4, 2] = 200
        with pytest.raises(InputError, match=r"the box of frame 4 .* reaches outside"):
            read_picture(clip(tmp_path / "a"), PREPARATION, "box", box=boxes)
        with pytest.raises(InputError, match="the model reads stills"):
            read_picture(picture(tmp_path / "a.png"), Preparation(train_size=36), "box", box=boxes_of_clip())

    def test_bad_clips_are_one_line_each_and_the_others_are_scored(self, volumes: Predictor, tmp_path: Path) -> None:
        good, cut = clip(tmp_path / "good"), video(tmp_path / "cut.avi")
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
        none = write_avi(tmp_path / "none.avi", [])
        sizes = clip(tmp_path / "sizes")
        Image.fromarray(np.zeros((40, 40), np.uint8)).save(sizes / "004.png")
        (tmp_path / "text.avi").write_text("no clip")
        paths: list[Path] = [cut, none, sizes, tmp_path / "text.avi", tmp_path / "absent.mp4", good]
        found = volumes.predict(paths, boxes=[BOX] * len(paths))
        assert [one.sources for one in found] == [("good",)]
        assert [failure.source for failure in found.failures] == [path.name for path in paths[:-1]]
        for failure in found.failures:
            assert "\n" not in failure.reason
            assert str(tmp_path) not in failure.reason

    def test_a_clip_beyond_the_limits_is_refused_before_it_is_decoded(self, tmp_path: Path) -> None:
        with pytest.raises(PictureError, match="frames"):
            read_picture(video(tmp_path / "a.avi"), PREPARATION, "box", box=BOX, limits=Limits(frames=10))


def test_a_bundle_that_was_written_before_clips_is_read_as_one_of_stills(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "bundle")
    content = read_yaml(folder / "bundle.yaml", name="bundle")
    del content["frame_scores"], content["prepare"]["layout"]
    content["prepare"].pop("frames", None)
    write_yaml(folder / "bundle.yaml", content)
    predictor = load_bundle(folder, "cpu")
    assert (predictor.spec.prepare.frames, predictor.spec.prepare.layout) == (None, "2d")
    found = predictor.predict([picture(tmp_path / "a.png")], boxes=[BOX])[0]
    assert found.frames == ()


def test_a_real_sweep_is_scored_with_its_folder_of_masks(volumes: Predictor, data_folder: Path) -> None:
    case = data_folder / "thyroid_cine_frames" / "case_010"
    [found] = volumes.predict([case / "images"], masks=[case / "masks"])
    masks = [Image.open(path) for path in sorted((case / "masks").iterdir())]
    seen = [number for number, mask in enumerate(masks) if np.asarray(mask).any()]
    assert found.sources == ("case_010/images",)
    assert set(found.frames[0]) <= set(range(seen[0], seen[-1] + 1))
    assert len(set(found.frames[0])) == 4


def test_a_real_video_is_scored_inside_one_box(volumes: Predictor, data_folder: Path) -> None:
    path = data_folder / "breast_cineclip" / "Pid_1" / "VID_5.avi"
    [found] = volumes.predict([path], boxes=["100,60,180,130"])
    assert found.region_source == "drawn"
    assert found.frames == ((14, 44, 103, 133),)
