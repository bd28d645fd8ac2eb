import numpy as np
import pytest
from PIL import Image

from isthmus.cohort.outlines import OutlineIndex
from isthmus.errors import CohortError
from isthmus.imaging.clip_masks import read_clip_mask, write_clip_mask
from tests.cohort.outlines.pictures import HEIGHT, WIDTH, l_shape, labelme, write_picture, write_png_mask


def reasons(index):
    return {fault.file: fault.reason for fault in index.faults}


@pytest.mark.parametrize("name", ["a_mask.png", "a-seg.tif", "a_mask.bmp", "masks/a.png"])
def test_a_mask_beside_its_picture_is_found_by_its_name(tmp_path, name):
    write_picture(tmp_path / "a.jpg")
    write_png_mask(tmp_path / name, l_shape())
    (found,) = OutlineIndex.of(tmp_path).outlines("a.jpg", HEIGHT, WIDTH)
    assert np.array_equal(found.mask, l_shape())
    assert found.box == (8, 5, 22, 20)
    assert (found.source, found.format) == (name, "png")


def test_a_folder_of_masks_elsewhere_is_matched_by_path_and_then_by_name(tmp_path):
    write_picture(tmp_path / "pictures" / "p1" / "a.png")
    write_picture(tmp_path / "pictures" / "p2" / "b.png")
    write_png_mask(tmp_path / "drawn" / "p1" / "a.png", l_shape())
    write_png_mask(tmp_path / "drawn" / "b.png", l_shape())
    index = OutlineIndex.of(tmp_path / "pictures", masks=tmp_path / "drawn")
    for name in ("p1/a.png", "p2/b.png"):
        assert len(index.outlines(name, HEIGHT, WIDTH)) == 1
    assert not index.faults
    assert not index.unused()


def test_several_masks_of_a_picture_are_several_nodules(tmp_path):
    write_picture(tmp_path / "a.png")
    write_png_mask(tmp_path / "a_mask_1.png", l_shape())
    write_png_mask(tmp_path / "a_mask_2.png", l_shape()[::-1, ::-1])
    found = OutlineIndex.of(tmp_path).outlines("a.png", HEIGHT, WIDTH)
    assert [outline.label for outline in found] == ["1", "2"]
    assert not np.array_equal(found[0].mask, found[1].mask)


def test_a_name_that_fits_two_pictures_goes_to_neither(tmp_path):
    for folder in ("p1", "p2"):
        write_picture(tmp_path / folder / "a.png")
    write_png_mask(tmp_path / "masks" / "a.png", l_shape())
    index = OutlineIndex.of(tmp_path)
    assert "fits 2 pictures" in reasons(index)["masks/a.png"]
    assert index.outlines("p1/a.png", HEIGHT, WIDTH) == []


def test_a_mask_of_another_size_an_empty_one_and_a_lossy_one_are_faults(tmp_path):
    for name in "abc":
        write_picture(tmp_path / f"{name}.png")
    write_png_mask(tmp_path / "a_mask.png", l_shape(24, 32))
    write_png_mask(tmp_path / "b_mask.png", np.zeros((HEIGHT, WIDTH), bool))
    Image.fromarray(l_shape().astype(np.uint8) * 255).save(tmp_path / "c_mask.jpg", quality=50)
    (tmp_path / "d_mask.png").write_bytes(b"")
    index = OutlineIndex.of(tmp_path)
    assert not any(index.outlines(f"{name}.png", HEIGHT, WIDTH) for name in "abc")
    found = reasons(index)
    assert found["a_mask.png"] == "the mask is 32 x 24 pixels, the picture 64 x 48"
    assert found["b_mask.png"] == "the mask is empty"
    assert "grey values" in found["c_mask.jpg"]
    assert found["d_mask.png"] == "the file is empty"


def test_an_outline_of_no_picture_is_a_fault_and_unused(tmp_path):
    write_picture(tmp_path / "a.png")
    write_png_mask(tmp_path / "z_mask.png", l_shape())
    (tmp_path / "y.json").write_text(labelme("y.png", []))
    index = OutlineIndex.of(tmp_path)
    assert reasons(index) == dict.fromkeys(("z_mask.png", "y.json"), "it names no picture that is here")
    assert index.unused() == ["y.json: y.png", "z_mask.png: z"]


def test_a_picture_never_asked_for_leaves_its_outline_unused(tmp_path):
    write_picture(tmp_path / "a.png")
    write_png_mask(tmp_path / "a_mask.png", l_shape())
    index = OutlineIndex.of(tmp_path)
    assert index.unused() == ["a_mask.png: a"]
    index.outlines("a.png", HEIGHT, WIDTH)
    assert index.unused() == []


def test_a_clip_takes_a_mask_of_as_many_pages(tmp_path):
    for number in range(3):
        write_picture(tmp_path / "clip" / f"{number:03}.png")
    masks = np.stack([l_shape(), np.zeros((HEIGHT, WIDTH), bool), l_shape()[:, ::-1]])
    write_clip_mask(tmp_path / "clip_mask.tif", masks)
    index = OutlineIndex.of(tmp_path)
    (found,) = index.clip_outlines("clip", 3, HEIGHT, WIDTH)
    assert np.array_equal(found.masks, masks)
    assert index.clip_outlines("clip", 4, HEIGHT, WIDTH) == []
    assert "3 pages" in reasons(index)["clip_mask.tif"]


def test_what_is_no_outline_file_is_left_alone(tmp_path):
    write_picture(tmp_path / "a.png")
    (tmp_path / "folds.json").write_text('{"train": [1, 2]}')
    index = OutlineIndex.of(tmp_path)
    assert not index.faults
    assert not index.unused()


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(CohortError, match="no such folder"):
        OutlineIndex.of(tmp_path / "nowhere")


def test_a_frame_folder_takes_the_masks_of_its_frames_in_the_order_of_their_numbers(tmp_path):
    drawn = {2: l_shape(), 10: l_shape()[:, ::-1], 9: np.zeros((HEIGHT, WIDTH), bool)}
    for number, mask in drawn.items():
        write_picture(tmp_path / "case" / "images" / f"{number}.jpg")
        write_png_mask(tmp_path / "case" / "masks" / f"{number}.png", mask)
    index = OutlineIndex.of(tmp_path)
    (found,) = index.clip_outlines("case/images", 3, HEIGHT, WIDTH)
    assert np.array_equal(found.masks, np.stack([drawn[2], drawn[9], drawn[10]]))
    assert index.faults == []  # an empty mask says that the lesion is not in this frame
    assert index.unused() == []


def test_frames_without_an_outline_are_counted_and_another_number_of_frames_is_a_fault(tmp_path):
    for number in range(3):
        write_picture(tmp_path / "clip" / f"{number}.png")
    write_png_mask(tmp_path / "clip" / "1_mask.png", l_shape())
    index = OutlineIndex.of(tmp_path)
    (found,) = index.clip_outlines("clip", 3, HEIGHT, WIDTH)
    assert list(found.masks.any(axis=(1, 2))) == [False, True, False]
    assert "2 of its 3 frames" in reasons(index)["clip"]
    assert index.clip_outlines("clip", 5, HEIGHT, WIDTH) == []


def test_real_sweeps_of_the_thyroid_have_the_masks_that_the_clip_reader_finds(data_folder):
    folder = data_folder / "thyroid_cine_frames"
    index = OutlineIndex.of(folder)
    for case in sorted(path.name for path in folder.iterdir() if path.is_dir()):
        expected = read_clip_mask(folder / case / "masks")
        found = index.clip_outlines(f"{case}/images", *expected.shape)
        assert np.array_equal(found[0].masks, expected)
    assert index.faults == []
