"""NIfTI (``.nii``, ``.nii.gz``): named like the picture; one slice for a still, one a frame for a clip."""

import logging
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.outlines.mask_files import strip_mask_words
from isthmus.cohort.outlines.outline import Entry, OutlineUnusable
from isthmus.cohort.outlines.volumes import as_pages, check_volume, volume_shapes
from isthmus.imaging.limits import Limits

logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # what it mends in headers is no matter for the user


def nifti_entry(path: Path, source: str, stem: str, limits: Limits) -> Entry:
    """Return the entry of a NIfTI file; ``stem`` is its path without suffix in the folder it lies in."""
    stills, clips = volume_shapes(lambda: _pages(path, limits), {})
    return Entry(source, "nifti", (strip_mask_words(stem), stem), stills, clip=clips)


def _pages(path: Path, limits: Limits) -> NDArray[np.uint16]:
    try:
        image: Any = nib.load(path)
        check_volume(image.shape, limits)
        affine = np.asarray(image.affine, dtype=float)
        coded = int(image.header["qform_code"]) > 0 or int(image.header["sform_code"]) > 0
        stated = coded and not np.array_equal(affine, np.eye(4))  # the identity is what scripts put in for "none"
        return as_pages(np.asanyarray(image.dataobj), affine if stated else None)
    except OutlineUnusable:
        raise
    except Exception as error:  # nibabel raises many kinds on damaged files; here each means the same
        raise OutlineUnusable(f"it is no NIfTI file that can be read ({type(error).__name__})") from error
