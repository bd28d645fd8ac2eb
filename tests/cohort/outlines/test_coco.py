"""Against pycocotools, which defines the format: it writes run lengths and draws polygons."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from isthmus.cohort.outlines import OutlineIndex
from tests.cohort.outlines.pictures import CORNERS, HEIGHT, WIDTH, l_shape, write_picture

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own


def outlines(folder, *annotations, size=(HEIGHT, WIDTH), name="a.png"):
    write_picture(folder / "a.png")
    content = {
        "info": {},
        "images": [{"id": 7, "file_name": name, "height": size[0], "width": size[1]}],
        "annotations": [
            {"id": number, "image_id": 7, "category_id": 1, "iscrowd": 0, **item}
            for number, item in enumerate(annotations)
        ],
        "categories": [{"id": 1, "name": "nodule", "supercategory": ""}],
    }
    (folder / "instances.json").write_text(json.dumps(content))
    index = OutlineIndex.of(folder)
    return index.outlines("a.png", HEIGHT, WIDTH), [fault.reason for fault in index.faults]


def encoded(mask):
    runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(runs["size"]), "counts": runs["counts"].decode("ascii")}


def blob(seed):
    """A ragged random mask: long and short runs, one of them longer than 2**15."""
    noise = np.random.default_rng(seed).random((300, 400))
    mask = noise < np.linspace(0, 0.6, 400)
    mask[:, :150] = False
    return mask


@pytest.mark.parametrize("seed", range(3))
def test_compressed_run_lengths_are_what_pycocotools_packed(tmp_path, seed):
    write_picture(tmp_path / "b.png", 300, 400)
    content = {
        "images": [{"id": 1, "file_name": "b.png", "height": 300, "width": 400}],
        "annotations": [{"image_id": 1, "category_id": 0, "segmentation": encoded(blob(seed))}],
    }
    (tmp_path / "c.json").write_text(json.dumps(content))
    (found,) = OutlineIndex.of(tmp_path).outlines("b.png", 300, 400)
    assert np.array_equal(found.mask, blob(seed))


def test_run_lengths_as_a_list_go_column_by_column(tmp_path):
    flat = l_shape().ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
    counts = np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()
    found, faults = outlines(tmp_path, {"segmentation": {"size": [HEIGHT, WIDTH], "counts": counts}})
    assert faults == []
    assert np.array_equal(found[0].mask, l_shape())
    assert found[0].label == "nodule"


def test_polygons_of_whole_pixels_are_drawn_as_pycocotools_draws_them(tmp_path):
    part = [number for point in CORNERS for number in point]
    other = [40, 30, 50, 30, 50, 38, 40, 38]
    found, _ = outlines(tmp_path, {"segmentation": [part, other]})
    theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([part, other], HEIGHT, WIDTH))).astype(bool)
    assert np.array_equal(found[0].mask, theirs)


def test_a_curved_polygon_differs_from_pycocotools_only_on_its_edge(tmp_path):
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    points = np.column_stack([30 + 18.3 * np.cos(angle), 24 + 13.7 * np.sin(angle)])
    (found,), _ = outlines(tmp_path, {"segmentation": [points.ravel().tolist()]})
    theirs = coco_mask.decode(coco_mask.frPyObjects([points.ravel().tolist()], HEIGHT, WIDTH))[..., 0].astype(bool)
    assert (found.mask & theirs).sum() / (found.mask | theirs).sum() > 0.93
    assert found.mask.sum() == pytest.approx(np.pi * 18.3 * 13.7, rel=0.01)


def test_a_box_alone_is_a_box(tmp_path):
    found, _ = outlines(tmp_path, {"bbox": [8, 5, 14, 15]})
    assert (found[0].mask, found[0].box) == (None, (8, 5, 22, 20))


FAULTY = {
    "do not fill": {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [3, 4]}},
    "damaged": {"segmentation": {"size": [HEIGHT, WIDTH], "counts": "\n\n"}},
    "cut off": {"segmentation": {"size": [HEIGHT, WIDTH], "counts": "oooo"}},
    "not whole numbers": {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [1.5, -3]}},
    "24 x 24": {"segmentation": encoded(np.ones((24, 24), bool))},
    "not pairs": {"segmentation": [[1, 2, 3, 4, 5]]},
    "neither segmentation nor bbox": {"segmentation": []},
    "the mask is empty": {"segmentation": encoded(np.zeros((HEIGHT, WIDTH), bool))},
    "belongs to no picture": {"image_id": 99, "bbox": [1, 1, 5, 5]},
    "outside the picture": {"bbox": [60, 40, 30, 30]},
}


@pytest.mark.parametrize("reason", FAULTY)
def test_an_annotation_that_cannot_be_used_is_a_fault_and_the_others_stay(tmp_path, reason):
    found, faults = outlines(tmp_path, FAULTY[reason], {"bbox": [8, 5, 14, 15]})
    assert len(found) == 1
    assert len(faults) == 1
    assert reason in faults[0]


def test_another_size_and_an_unknown_picture_are_faults(tmp_path):
    assert "32 x 24" in outlines(tmp_path, {"bbox": [1, 1, 5, 5]}, size=(24, 32))[1][0]
    assert "no picture" in outlines(tmp_path, {"bbox": [1, 1, 5, 5]}, name="z.png")[1][0]


def test_ids_that_are_no_ids_are_faults(tmp_path):
    write_picture(tmp_path / "a.png")
    content = {
        "images": [{"id": {}, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}, 7],
        "annotations": [{"image_id": {}, "category_id": [], "bbox": [1, 1, 5, 5]}, 9],
        "categories": {"id": 1},
    }
    (tmp_path / "c.json").write_text(json.dumps(content))
    (fault,) = OutlineIndex.of(tmp_path).faults
    assert "belongs to no picture" in fault.reason
