"""NIfTI written by nibabel, NRRD by pynrrd; affines as ITK (ITK-SNAP, SimpleITK), dcm2niix and scripts state them."""

import gzip

import nibabel as nib
import nrrd
import numpy as np
import pytest

from isthmus.cohort.outlines import OutlineIndex
from tests.cohort.outlines.pictures import HEIGHT, WIDTH, l_shape, write_picture

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # ITK's identity direction, as a NIfTI affine
TWO = np.where(l_shape(), 1, np.where(l_shape()[::-1, ::-1], 2, 0)).astype(np.uint8)


def moved(*rows):
    return np.array([*rows, [0, 0, 0, 1]], dtype=float)


def outlines(folder, picture="a.png", height=HEIGHT, width=WIDTH):
    write_picture(folder / picture, height, width)
    index = OutlineIndex.of(folder)
    return index.outlines(picture, height, width), [fault.reason for fault in index.faults]


def save(folder, data, affine, name="a_mask.nii.gz"):
    nib.save(nib.Nifti1Image(data, affine), folder / name)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a_seg.nii.gz", "masks/a.nii.gz"])
def test_columns_come_first_and_nothing_is_flipped_in_what_itk_writes(tmp_path, name):
    (tmp_path / "masks").mkdir()
    save(tmp_path, l_shape().T[..., None].astype(np.uint8), LPS, name)
    (found,), faults = outlines(tmp_path)
    assert np.array_equal(found.mask, l_shape())
    assert (found.format, found.label, faults) == ("nifti", "", [])


AS_STORED = {
    "ITK, 0.1 mm": (l_shape().T[..., None], np.diag([-0.1, -0.1, 1, 1])),
    "ITK, flat": (l_shape().T, LPS),
    "a script's identity": (l_shape().T[..., None], np.eye(4)),
    "four axes": (l_shape().T[..., None, None], LPS),
    "as float": (l_shape().T[..., None].astype(np.float32), LPS),
    # dcm2niix turns rows so that they run to the front
    "dcm2niix": (l_shape()[::-1].T[..., None], np.diag([-0.1, 0.1, 1, 1])),
    # nibabel's as_closest_canonical turns columns and rows
    "canonical RAS": (l_shape()[::-1, ::-1].T[..., None], moved([1, 0, 0, -63], [0, 1, 0, -47], [0, 0, 1, 0])),
    # rows first, and says so
    "permuted": (l_shape()[..., None], moved([0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0])),
}


@pytest.mark.parametrize("writer", AS_STORED)
def test_stated_directions_are_undone(tmp_path, writer):
    data, affine = AS_STORED[writer]
    save(tmp_path, data if data.dtype == np.float32 else data.astype(np.uint8), affine)
    (found,), faults = outlines(tmp_path)
    assert faults == []
    assert np.array_equal(found.mask, l_shape())


def test_canonical_by_nibabel_itself_comes_back(tmp_path):
    image = nib.Nifti1Image(l_shape().T[..., None].astype(np.uint8), LPS)
    nib.save(nib.as_closest_canonical(image), tmp_path / "a_mask.nii.gz")
    (found,), _ = outlines(tmp_path)
    assert np.array_equal(found.mask, l_shape())


def test_every_label_is_a_lesion_of_its_own(tmp_path):
    save(tmp_path, TWO.T[..., None], LPS)
    found, _ = outlines(tmp_path)
    assert [outline.label for outline in found] == ["1", "2"]
    assert np.array_equal(found[1].mask, TWO == 2)


def test_a_clip_takes_one_slice_a_frame_in_their_order(tmp_path):
    pages = np.stack([l_shape(), np.zeros((HEIGHT, WIDTH), bool), l_shape()[:, ::-1]])
    save(tmp_path, pages.transpose(2, 1, 0).astype(np.uint8), LPS, "clip.nii.gz")
    for number in range(3):
        write_picture(tmp_path / "clip" / f"{number}.png")
    index = OutlineIndex.of(tmp_path)
    (found,) = index.clip_outlines("clip", 3, HEIGHT, WIDTH)
    assert np.array_equal(found.masks, pages)
    assert index.clip_outlines("clip", 2, HEIGHT, WIDTH) == []
    assert index.outlines("clip", HEIGHT, WIDTH) == []
    assert [fault.reason for fault in index.faults] == [
        "it has 3 slices, the clip 2 frames",
        "it has 3 slices, the picture is one",
    ]


FAULTY = {
    "saved rows first": (l_shape()[..., None], LPS),
    "32 x 24 pixels": (l_shape(24, 32).T[..., None], LPS),
    "the mask is empty": (np.zeros((WIDTH, HEIGHT, 1)), LPS),
    "oblique": (l_shape().T[..., None], moved([-1, 0.5, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0])),
    "not lie in the plane": (l_shape().T[:, None], moved([-1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0])),
    "not labels: whole": (l_shape().T[..., None] * 0.5, LPS),
    "a picture, not labels": (np.arange(WIDTH * HEIGHT).reshape(WIDTH, HEIGHT, 1) % 200, LPS),
}


@pytest.mark.parametrize("reason", FAULTY)
def test_a_volume_that_cannot_be_used_is_a_fault(tmp_path, reason):
    data, affine = FAULTY[reason]
    save(tmp_path, data.astype(np.float32), affine)
    found, faults = outlines(tmp_path)
    assert found == []
    assert len(faults) == 1
    assert reason in faults[0]


@pytest.mark.parametrize("name", ["a_mask.nii.gz", "a_mask.nii", "a_mask.nrrd"])
@pytest.mark.parametrize("content", [b"no such thing at all" * 50, gzip.compress(b"x" * 999)[:-9]])
def test_a_damaged_file_is_a_fault(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    found, (fault,) = outlines(tmp_path)
    assert found == []
    assert "can be read" in fault


def test_a_header_that_announces_too_much_is_refused_before_it_is_decoded(tmp_path):
    image = nib.Nifti1Image(l_shape().T[..., None].astype(np.uint8), LPS)
    image.header.set_data_shape((30_000, 30_000, 30))
    (tmp_path / "a_mask.nii").write_bytes(image.header.binaryblock + bytes(8))
    assert "more than are read" in outlines(tmp_path)[1][0]


def write_nrrd(folder, data, name="a_mask.nrrd", **header):
    nrrd.write(str(folder / name), data, header)


SPACES = {
    "flat, no space": (l_shape().T, {}),
    "LPS, as ITK writes": (
        l_shape().T[..., None],
        {"space": "left-posterior-superior", "space directions": np.diag([0.1, 0.1, 1]), "space origin": [0, 0, 0]},
    ),
    "RAS": (
        l_shape()[::-1, ::-1].T[..., None],
        {"space": "right-anterior-superior", "space directions": np.eye(3), "space origin": [0, 0, 0]},
    ),
    "LPS, turned": (
        l_shape()[::-1].T[..., None],
        {"space": "left-posterior-superior", "space directions": np.diag([1, -1, 1.0]), "space origin": [0, 47, 0]},
    ),
    "raw": (l_shape().T[..., None], {"encoding": "raw"}),
}


@pytest.mark.parametrize("space", SPACES)
def test_nrrd_comes_back_whatever_its_space(tmp_path, space):
    data, header = SPACES[space]
    write_nrrd(tmp_path, data.astype(np.uint8), **header)
    (found,), faults = outlines(tmp_path)
    assert (found.format, faults) == ("nrrd", [])
    assert np.array_equal(found.mask, l_shape())


def test_segments_of_slicer_keep_their_names_also_in_layers(tmp_path):
    layers = np.stack([TWO.T[..., None], (l_shape().T[..., None]).astype(np.uint8)])
    header = {
        "kinds": ["list", "domain", "domain", "domain"],
        "space": "left-posterior-superior",
        "space directions": np.vstack([np.full(3, np.nan), np.eye(3)]),
        "space origin": [0, 0, 0],
    }
    for number, (name, value, layer) in enumerate([("left", 1, 0), ("right", 2, 0), ("again", 1, 1)]):
        key = f"Segment{number}"
        header |= {f"{key}_Name": name, f"{key}_LabelValue": str(value), f"{key}_Layer": str(layer)}
    write_nrrd(tmp_path, layers, "a.seg.nrrd", **header)
    found, faults = outlines(tmp_path)
    assert faults == []
    assert [outline.label for outline in found] == ["left", "right", "again"]
    assert np.array_equal(found[2].mask, l_shape())


def test_data_in_another_file_and_bombs_are_refused(tmp_path):
    nrrd.write(str(tmp_path / "a_mask.nhdr"), l_shape().T.astype(np.uint8), detached_header=True)
    (tmp_path / "a_mask.nhdr").rename(tmp_path / "a_mask.nrrd")
    assert "another file" in outlines(tmp_path)[1][0]
    head = b"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 64 48\nencoding: gzip\n\n"
    (tmp_path / "a_mask.nrrd").write_bytes(head + gzip.compress(bytes(64 << 20)))
    assert "larger than its header" in outlines(tmp_path)[1][0]
