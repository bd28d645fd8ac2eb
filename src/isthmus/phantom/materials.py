"""Acoustic properties of the tissues of the neck.

Attenuation is per tissue from measurements; levels of backscatter against normal thyroid are set by how bright the
tissues look beside it in ordinary pictures (hyperechoic gland, hypoechoic muscle, anechoic fluid).

Sources: Goss, Johnston and Dunn, J Acoust Soc Am 1978;64:423 and 1980;68:93; Duck, *Physical Properties of Tissue*,
Academic Press 1990, chapter 4; Szabo, *Diagnostic Ultrasound Imaging*, 2nd ed. 2014, appendix B; Fujii et al.,
J Ultrasound Med 2003;22:1067 (thyroid in vivo: normal 1.50, Graves 0.91, Hashimoto 1.10 dB/(cm MHz)); "In vivo
attenuation estimation in human thyroid nodules using the regularized spectral log difference technique", IEEE IUS 2017
(healthy 1.62, adenomatoid nodules 0.94, papillary carcinoma 0.87). These are about twice those of other glands (Duck);
the table keeps their order (normal gland above thyroiditis above nodule) at the level of other glands.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Label(IntEnum):
    """Codes of :attr:`isthmus.phantom.tissue.Regions.labels`."""

    CONNECTIVE = 0
    SKIN = 1
    FAT = 2
    STRAP_MUSCLE = 3
    STERNOCLEIDOMASTOID = 4
    DEEP_MUSCLE = 5
    GLAND = 6
    CARTILAGE = 7
    AIR = 8
    ARTERY = 9
    VEIN = 10
    OESOPHAGUS = 11
    BONE = 12
    NODULE = 13
    FLUID = 14
    CALCIFICATION = 15


@dataclass(frozen=True)
class Material:
    """One tissue.

    Parameters
    ----------
    level_db : float
        Backscatter amplitude against normal thyroid.
    attenuation : float
        One way, dB/(cm MHz).
    source : str
        Of the attenuation.
    """

    level_db: float
    attenuation: float
    source: str


MATERIALS: Final = {
    Label.CONNECTIVE: Material(-1.5, 0.8, "Duck 1990, connective tissue mixed with fat; dense connective tissue 1.57"),
    Label.SKIN: Material(3.0, 1.2, "Duck 1990, skin 0.4 to 3.5 at 1 to 10 MHz"),
    Label.FAT: Material(-9.0, 0.55, "Szabo 2014, fat 0.6; Goss 1978, adipose 0.48 to 0.63"),
    Label.STRAP_MUSCLE: Material(-11.0, 0.75, "Goss 1978, skeletal muscle across its fibres 0.7 to 1.1"),
    Label.STERNOCLEIDOMASTOID: Material(-10.5, 0.75, "Goss 1978, skeletal muscle across its fibres 0.7 to 1.1"),
    Label.DEEP_MUSCLE: Material(-11.0, 0.75, "Goss 1978, skeletal muscle across its fibres 0.7 to 1.1"),
    Label.GLAND: Material(0.0, 0.7, "Duck 1990, glands 0.5 to 0.8; Fujii 2003 finds more, 1.5, in vivo"),
    Label.CARTILAGE: Material(-15.0, 3.0, "Duck 1990, cartilage about 5 at 1 MHz; the rings leave gaps"),
    Label.AIR: Material(-13.0, 0.6, "nothing passes: what is drawn here is reverberation before it"),
    Label.ARTERY: Material(-34.0, 0.18, "Szabo 2014, blood 0.14 f^1.21; Goss 1978, 0.18"),
    Label.VEIN: Material(-36.0, 0.18, "Szabo 2014, blood 0.14 f^1.21; Goss 1978, 0.18"),
    Label.OESOPHAGUS: Material(-8.0, 0.8, "Duck 1990, smooth muscle 0.5 to 1.1"),
    Label.BONE: Material(4.0, 10.0, "Szabo 2014, bone 3.54 f^0.9 to Duck 1990, cortical bone up to 20"),
    Label.NODULE: Material(
        0.0, 0.62, "IEEE IUS 2017 (above): nodules have 0.6 times the attenuation of healthy thyroid"
    ),
    Label.FLUID: Material(-46.0, 0.03, "Duck 1990, cyst fluid about 0.02 to 0.1; water 0.002 f^2"),
    Label.CALCIFICATION: Material(18.0, 16.0, "of the order of bone (Duck 1990): a lump casts a full shadow"),
}
