"""The region that was used as a Segmentation, of pictures of one frame.

Ultrasound has no frame of reference as a rule. A segmentation of it names its frame by the image it was derived from
(Derivation Image functional group, PS3.3 A.51.5); highdicom makes such of a single frame only. The region of a clip
stands in the report, as coordinates in one of its frames.
"""

import logging
from typing import TYPE_CHECKING, Final

from isthmus.clinic.dicom_codes import standard
from isthmus.clinic.dicom_report import restore_classes, stand_in
from isthmus.clinic.dicom_results import Origin, finished, source_references
from isthmus.clinic.lesion_outline import Outline
from isthmus.clinic.study_instances import MANUFACTURER, Instance

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

NONE_OF_A_CLIP: Final = "no segmentation of a clip: ultrasound clips have no frame of reference"
_EXPLICIT: Final = "1.2.840.10008.1.2.1"
_SOURCES: Final = {"drawn": "drawn or given", "proposed": "proposed by a localiser, drawn by nobody"}


def segmentation(
    outline: Outline, origin: Origin, instance: Instance, number: int, *, region_source: str
) -> "Dataset | None":
    """Return the region of a picture as an object of the study; None of a clip.

    Parameters
    ----------
    outline : Outline
        The region.
    origin : Origin
        What made it.
    instance : Instance
        Of which picture.
    number : int
        Its place in its series.
    region_source : str
        ``drawn`` or ``proposed``.
    """
    if instance.frames > 1:
        return None
    from highdicom import AlgorithmIdentificationSequence, seg
    from pydicom.sr.codedict import codes

    logging.getLogger("highdicom").setLevel(logging.CRITICAL)
    proposed = region_source == "proposed"
    algorithm = AlgorithmIdentificationSequence(
        name=origin.name[:64], family=standard("algorithm"), version=origin.bundle[:16], source=MANUFACTURER
    )
    kind = seg.SegmentAlgorithmTypeValues
    description = seg.SegmentDescription(
        segment_number=1,
        segment_label="Region used by the model",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=standard("nodule"),
        algorithm_type=kind.AUTOMATIC if proposed else kind.MANUAL,
        algorithm_identification=algorithm if proposed else None,
        tracking_uid=origin.uid("tracking segment", [instance]),
        tracking_id="region used by the model",
        anatomic_regions=[standard("thyroid")],
    )
    dataset = seg.Segmentation(
        source_images=[stand_in(instance)],
        pixel_array=outline.mask[None],
        segmentation_type=seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[description],
        series_instance_uid=origin.series_uid("segmentation", [instance]),
        series_number=origin.series_number("segmentation"),
        sop_instance_uid=origin.uid("segmentation", [instance]),
        instance_number=number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=origin.software[0],
        device_serial_number=origin.bundle[:16],
        content_label="REGION",
        content_description=f"Region {_SOURCES.get(region_source, region_source)}"[:64],
        transfer_syntax_uid=_EXPLICIT,
        omit_empty_frames=False,
    )
    restore_classes(dataset, [instance])
    dataset.SourceImageSequence = source_references([instance])
    return finished(dataset, "segmentation", origin, [instance], _EXPLICIT)
