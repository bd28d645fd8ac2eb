"""The codes that cohort tables hold, each with the words a report shows.

Sonographic descriptors are those of the ACR TI-RADS lexicon (Grant 2015, 10.1016/j.jacr.2015.07.011) and white paper
(Tessler 2017, 10.1016/j.jacr.2017.01.046). A code that the white paper has no points for says so in its words.
"""

from collections.abc import Mapping
from typing import Final

SEX: Final[Mapping[str, str]] = {"F": "female", "M": "male"}

COMPOSITION: Final[Mapping[str, str]] = {
    "cystic": "cystic or almost completely cystic",
    "spongiform": "spongiform",
    "predominantly_cystic": "mixed, predominantly cystic",
    "mixed": "mixed cystic and solid",
    "predominantly_solid": "mixed, predominantly solid",
    "solid": "solid or almost completely solid",
}
ECHOGENICITY: Final[Mapping[str, str]] = {
    "anechoic": "anechoic",
    "hyperechoic": "hyperechoic",
    "isoechoic": "isoechoic",
    "hypoechoic": "hypoechoic",
    "very_hypoechoic": "very hypoechoic",
}
SHAPE: Final[Mapping[str, str]] = {"wider_than_tall": "wider than tall", "taller_than_wide": "taller than wide"}
MARGIN: Final[Mapping[str, str]] = {
    "smooth": "smooth",
    "well_defined": "well defined, smooth or not unknown (no ACR points)",
    "ill_defined": "ill defined",
    "lobulated": "lobulated",
    "irregular": "irregular",
    "extrathyroidal_extension": "extrathyroidal extension",
}
ECHOGENIC_FOCI: Final[Mapping[str, str]] = {
    "none": "none",
    "comet_tail": "large comet-tail artefacts",
    "macrocalcifications": "macrocalcifications",
    "peripheral_calcifications": "peripheral (rim) calcifications",
    "punctate": "punctate echogenic foci (microcalcifications)",
}
"""Multi-valued: codes separated by one space; ``none`` stands alone."""

DESCRIPTORS: Final[Mapping[str, Mapping[str, str]]] = {
    "composition": COMPOSITION,
    "echogenicity": ECHOGENICITY,
    "shape": SHAPE,
    "margin": MARGIN,
    "echogenic_foci": ECHOGENIC_FOCI,
}
"""The five features of the ACR lexicon: column of ``nodules.csv`` to its codes."""

MULTI_VALUED: Final = ("echogenic_foci",)
"""Descriptors of which a nodule may have several codes, or the code ``none``."""

TIRADS: Final[Mapping[str, str]] = {
    **{code: f"TI-RADS {code.upper()}" for code in ("1", "2", "3", "4", "4a", "4b", "4c", "5", "6")},
    **{f"TR{level}": f"ACR TI-RADS TR{level}" for level in range(1, 6)},
}
"""As the site graded: ``4a`` … in the schemes of Horvath, Park, Kwak and C-TIRADS; ``TR1`` … in ACR's."""

REFERENCE: Final[Mapping[str, str]] = {
    "surgery": "histology after surgery",
    "cytology": "fine-needle cytology",
    "follow_up": "follow-up",
    "tirads": "TI-RADS grade given by a reader (no pathology)",
}
SAMPLING: Final[Mapping[str, str]] = {
    "consecutive": "consecutive patients",
    "selected": "a selection",
    "case_control": "cases and controls",
}
MODALITY: Final[Mapping[str, str]] = {
    "bmode": "B-mode still",
    "cine": "B-mode cine clip",
    "ceus": "contrast-enhanced ultrasound",
    "smi": "superb microvascular imaging",
    "swe": "shear-wave elastography",
    "doppler": "Doppler",
}
COLOUR_MODALITIES: Final = ("smi", "swe", "doppler")
"""Where colour over the tissue is the signal, not a mark that a scanner drew."""

REGION_SOURCE: Final[Mapping[str, str]] = {
    "drawn": "drawn by a reader",
    "proposed": "proposed by a program",
    "whole": "the whole scan area",
}
PANEL: Final[Mapping[str, str]] = {"left": "left panel", "right": "right panel"}
FIXED_SPLIT: Final[Mapping[str, str]] = {
    "train": "training",
    "tune": "tuning",
    "test": "test",
    "temporal": "later period",
    "external": "external",
}
PREDICTION_SPLIT: Final[Mapping[str, str]] = {
    "train": "training",
    "tune": "tuning",
    "cv": "held-out fold of cross-validation",
    "test": "test",
    "temporal": "later period",
    "external": "external",
}
UNIT: Final[Mapping[str, str]] = {"view": "view", "nodule": "nodule", "patient": "patient"}
EXPERIENCE: Final[Mapping[str, str]] = {"junior": "junior", "intermediate": "intermediate", "senior": "senior"}
