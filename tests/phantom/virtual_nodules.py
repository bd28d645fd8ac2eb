"""Latents of virtual nodules for the tissue's tests."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from isthmus.phantom.latents import Extent, Microcalcifications, Morphology
from isthmus.phantom.tissue import Tissue
from isthmus.tables.vocabulary import COMPOSITION, MARGIN

PLAIN = Morphology(
    composition="solid",
    cystic_fraction=0.0,
    contrast_db=-8.0,
    heterogeneity_db=0.0,
    margin="smooth",
    irregularity=0.0,
    edge_mm=0.1,
    halo=False,
    macrocalcifications=0,
    rim_calcification=0.0,
    comet_tails=0,
)
NO_FOCI = Microcalcifications(0, 0, 0)


def morphology(**changes: Any) -> Morphology:
    return replace(PLAIN, **changes)


def tissue(
    size_mm: float = 16.0,
    height_to_width: float = 0.8,
    lobe: str = "left",
    foci: Microcalcifications = NO_FOCI,
    patient_seed: int = 3,
    nodule_seed: int = 5,
    **changes: Any,
) -> Tissue:
    return Tissue(Extent(size_mm, height_to_width, lobe), morphology(**changes), foci, patient_seed, nodule_seed)


def extents() -> st.SearchStrategy[Extent]:
    return st.builds(Extent, st.floats(3, 60), st.floats(0.4, 1.8), st.sampled_from(["left", "right", "isthmus"]))


def morphologies() -> st.SearchStrategy[Morphology]:
    return st.builds(
        Morphology,
        composition=st.sampled_from(sorted(COMPOSITION)),
        cystic_fraction=st.floats(0, 1),
        contrast_db=st.floats(-20, 6),
        heterogeneity_db=st.floats(0, 4),
        margin=st.sampled_from(sorted(MARGIN)),
        irregularity=st.floats(0, 0.35),
        edge_mm=st.floats(0.1, 3),
        halo=st.booleans(),
        macrocalcifications=st.integers(0, 4),
        rim_calcification=st.floats(0, 1),
        comet_tails=st.integers(0, 4),
    )


def foci() -> st.SearchStrategy[Microcalcifications]:
    return st.builds(Microcalcifications, st.integers(0, 12), st.integers(0, 12), st.integers(0, 20))
