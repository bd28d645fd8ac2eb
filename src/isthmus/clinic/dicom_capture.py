"""Secondary captures: pages for those whose viewer shows no reports (PS3.3 A.8.1 and A.8.5.4, multi-frame true colour).

A still's page is not compressed. The frames of a clip are in baseline JPEG, as clips of scanners are.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from isthmus.clinic.capture_pages import Pages
from isthmus.clinic.dicom_results import Origin, finished, lost_before, new_object, source_references
from isthmus.clinic.study_instances import Instance

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_STILL: Final = "1.2.840.10008.5.1.4.1.1.7"
_CLIP: Final = "1.2.840.10008.5.1.4.1.1.7.4"
_EXPLICIT: Final = "1.2.840.10008.1.2.1"
_JPEG: Final = "1.2.840.10008.1.2.4.50"
_QUALITY: Final = 92


def capture(
    pages: Pages,
    origin: Origin,
    instances: Sequence[Instance],
    number: int,
    *,
    words: str,
    frames: Sequence[int] = (),
    certain: bool,
    part: str = "",
) -> "Dataset":
    """Return a page as an object of the study.

    Parameters
    ----------
    pages : Pages
        What it shows.
    origin : Origin
        What made it.
    instances : sequence of Instance
        The pictures that it shows or speaks of.
    number : int
        Its place in its series.
    words : str
        What it is, for lists in a viewer (Derivation Description).
    frames : sequence of int
        Of a clip the frames that are shown, counted from 1.
    certain : bool
        Whether nothing that a letter could be was left in the picture. Where it is not, Burned In Annotation says YES:
        a person should look before the capture leaves the hospital.
    part : str
        The member or modality that is shown, where one instance is shown twice.
    """
    count = len(pages.frames)
    dataset = new_object(_STILL if count == 1 else _CLIP, "capture", origin, instances, number)
    dataset.SOPInstanceUID = origin.uid(f"capture {part}", instances)
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.ConversionType = "WSD"
    dataset.DerivationDescription = words[:1024]
    dataset.SourceImageSequence = source_references(instances, frames)
    dataset.BurnedInAnnotation = "NO" if certain else "YES"
    dataset.RecognizableVisualFeatures = "NO"
    _describe_pixels(dataset, pages)
    packed = None if count == 1 else _jpeg(pages)
    if packed is None:
        dataset.PixelData = pages.frames.tobytes()
        dataset["PixelData"].VR = "OB"
    else:
        _describe_clip(dataset, pages)
        _encapsulate(dataset, packed)
    _say_losses(dataset, instances, None if packed is None else pages.frames.nbytes / sum(map(len, packed)))
    return finished(dataset, "capture", origin, instances, _EXPLICIT if packed is None else _JPEG)


def _describe_pixels(dataset: "Dataset", pages: Pages) -> None:
    _, height, width, _ = pages.frames.shape
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = height, width, 3
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0


def _describe_clip(dataset: "Dataset", pages: Pages) -> None:
    rate = pages.rate_hz or 5.0
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.NumberOfFrames = len(pages.frames)
    dataset.FrameTime = f"{1000.0 / rate:.6g}"
    dataset.FrameIncrementPointer = 0x00181063  # Frame Time
    dataset.RecommendedDisplayFrameRate = max(1, round(rate))


def _jpeg(pages: Pages) -> list[bytes]:
    from PIL import Image

    packed = []
    for frame in pages.frames:
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(frame)).save(stream, "JPEG", quality=_QUALITY, subsampling="4:2:2")
        packed.append(stream.getvalue())
    return packed


def _encapsulate(dataset: "Dataset", packed: Sequence[bytes]) -> None:
    from pydicom.encaps import encapsulate

    dataset.PixelData = encapsulate(list(packed), has_bot=True)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _say_losses(dataset: "Dataset", instances: Sequence[Instance], ratio: float | None) -> None:
    before = [found for one in instances if (found := lost_before(one)) is not None]
    if not before and ratio is None:
        dataset.LossyImageCompression = "00"
        return
    dataset.LossyImageCompression = "01"
    ratios, methods = before[0] if before else ([], [])
    if ratio is not None:
        ratios, methods = [*ratios, f"{ratio:.3g}"], [*methods, "ISO_10918_1"]
    if ratios and len(ratios) == len(methods):
        dataset.LossyImageCompressionRatio, dataset.LossyImageCompressionMethod = ratios, methods
