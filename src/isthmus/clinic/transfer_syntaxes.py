"""The encodings in which the node takes instances (PS3.5 annex A): all that Isthmus reads.

Deflated data sets are not among them: their size would only be known by unpacking them. Nor is big endian, retired.
"""

from typing import Final

UNCOMPRESSED: Final = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
COMPRESSED: Final = (
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.100",  # MPEG-2 main profile, main level
    "1.2.840.10008.1.2.4.101",  # MPEG-2 main profile, high level
    "1.2.840.10008.1.2.4.102",  # H.264 high profile 4.1
    "1.2.840.10008.1.2.4.103",  # H.264 BD-compatible
    "1.2.840.10008.1.2.4.104",  # H.264 4.2 for 2D video
    "1.2.840.10008.1.2.4.107",  # HEVC main profile
    "1.2.840.10008.1.2.5",  # RLE lossless
)
ALL: Final = (*COMPRESSED, *UNCOMPRESSED)
