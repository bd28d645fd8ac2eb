"""What is true of one virtual nodule, grouped by which modality can show it.

Tables of nodules have one column a field, under the field's own name. A renderer is given only the groups that its
modality shows (:data:`RENDERED`), so that its pixels cannot depend on anything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar, get_type_hints


@dataclass(frozen=True)
class Extent:
    """Where the nodule lies and how large it is.

    Parameters
    ----------
    size_mm : float
        Largest diameter, 3 to 60.
    height_to_width : float
        Anteroposterior over transverse diameter, 0.4 to 1.8; above 1 is taller than wide.
    lobe : str
        ``left``, ``right`` or ``isthmus``.
    """

    size_mm: float
    height_to_width: float
    lobe: str


@dataclass(frozen=True)
class Morphology:
    """What a B-mode plane shows beside the extent.

    Parameters
    ----------
    composition : str
        A code of :data:`isthmus.tables.vocabulary.COMPOSITION`.
    cystic_fraction : float
        Share of the volume that is fluid, 0 to 1.
    contrast_db : float
        Backscatter of the solid part against the gland, -20 to 6 dB.
    heterogeneity_db : float
        Standard deviation of slow backscatter variations inside the solid part, 0 to 4 dB.
    margin : str
        A code of :data:`isthmus.tables.vocabulary.MARGIN` (``well_defined`` is not drawn).
    irregularity : float
        Relative amplitude of the outline's lobules or spicules, 0 (smooth) to 0.35.
    edge_mm : float
        Width over which the edge fades, 0.1 (sharp) to 3 (ill defined).
    halo : bool
        A thin dark rim.
    macrocalcifications : int
        Coarse calcifications that cast shadows, 0 to 4.
    rim_calcification : float
        Share of the rim that is calcified, 0 to 1.
    comet_tails : int
        Colloid crystals with comet-tail artefacts, 0 to 4.
    """

    composition: str
    cystic_fraction: float
    contrast_db: float
    heterogeneity_db: float
    margin: str
    irregularity: float
    edge_mm: float
    halo: bool
    macrocalcifications: int
    rim_calcification: float
    comet_tails: int


@dataclass(frozen=True)
class Microcalcifications:
    """Punctate echogenic foci, counted by the planes that meet them.

    Parameters
    ----------
    punctate_transverse, punctate_longitudinal : int
        Foci within 0.3 mm of the transverse and of the longitudinal plane through the nodule's centre, 0 to 12.
    punctate_elsewhere : int
        Foci at least 1.5 mm from both planes: only a sweep meets them, each in a few frames. 0 to 20.
    """

    punctate_transverse: int
    punctate_longitudinal: int
    punctate_elsewhere: int


@dataclass(frozen=True)
class Elasticity:
    """What shear-wave elastography shows.

    Parameters
    ----------
    stiffness_kpa : float
        Young's modulus of the nodule, 5 to 180; the gland has about 15.
    stiffness_variation : float
        Coefficient of variation inside it, 0 to 0.6.
    """

    stiffness_kpa: float
    stiffness_variation: float


@dataclass(frozen=True)
class Vessels:
    """What Doppler and superb microvascular imaging show.

    Parameters
    ----------
    vessels_central, vessels_peripheral : float
        Density of vessels inside and at the rim, 0 (none) to 1 (dense).
    """

    vessels_central: float
    vessels_peripheral: float


@dataclass(frozen=True)
class Perfusion:
    """What a contrast-enhanced clip shows.

    Parameters
    ----------
    arrival_s : float
        Arrival of the agent against the gland, -3 (earlier) to 5 s.
    peak_db : float
        Peak enhancement against the gland, -15 to 8 dB.
    washout : float
        Rate of wash-out against the gland's, 0.4 to 3.
    rim_enhancement : float
        Strength of an enhancing rim, 0 to 1.
    core_deficit : float
        Share of the core that does not enhance, 0 to 0.9.
    """

    arrival_s: float
    peak_db: float
    washout: float
    rim_enhancement: float
    core_deficit: float


Group = Extent | Morphology | Microcalcifications | Elasticity | Vessels | Perfusion

RENDERED: Final[Mapping[str, tuple[type, ...]]] = {
    "bmode": (Extent, Morphology, Microcalcifications),
    "cine": (Extent, Morphology, Microcalcifications),
    "ceus": (Extent, Perfusion),
    "smi": (Extent, Morphology, Microcalcifications, Vessels),
    "doppler": (Extent, Morphology, Microcalcifications, Vessels),
    "swe": (Extent, Morphology, Microcalcifications, Elasticity),
}
"""The groups that each modality's pixels are drawn from. SMI, Doppler and SWE lie over a B-mode picture."""

OUT_OF_PLANE: Final = ("punctate_elsewhere",)
"""Columns that no still shows; only a cine sweep does."""

_Any = TypeVar("_Any")


def rendered_columns(modality: str) -> tuple[str, ...]:
    """Return the columns that a modality's pixels depend on; what only a sweep meets is left out for stills."""
    names = [field.name for group in RENDERED[modality] for field in fields(group)]
    return tuple(name for name in names if modality == "cine" or name not in OUT_OF_PLANE)


def read_group(kind: type[_Any], row: Mapping[str, Any]) -> _Any:
    """Return one group of a nodule's latents from its table row, with Python's own types.

    Parameters
    ----------
    kind : type
        One of the groups above.
    row : mapping
        Column to value; other columns are not looked at.
    """
    hints = get_type_hints(kind)
    return kind(**{name: hint(row[name]) for name, hint in hints.items()})
