"""Small examinations for the tests of the virtual scanner: one nodule, a coarse and quick device."""

from functools import lru_cache
from typing import Any

from isthmus.phantom.devices import Device, devices
from isthmus.phantom.habits import SiteHabits
from isthmus.phantom.latents import RENDERED, Group, read_group
from isthmus.phantom.medium import Orientation, Plane
from isthmus.phantom.modalities import render
from isthmus.phantom.recording import Recording, Scene

NODULE: dict[str, Any] = {
    "size_mm": 14.0, "height_to_width": 0.9, "lobe": "left",
    "composition": "solid", "cystic_fraction": 0.0, "contrast_db": -8.0, "heterogeneity_db": 1.0, "margin": "smooth",
    "irregularity": 0.03, "edge_mm": 0.3, "halo": False, "macrocalcifications": 0, "rim_calcification": 0.0,
    "comet_tails": 0,
    "punctate_transverse": 0, "punctate_longitudinal": 0, "punctate_elsewhere": 0,
    "stiffness_kpa": 60.0, "stiffness_variation": 0.2,
    "vessels_central": 0.5, "vessels_peripheral": 0.5,
    "arrival_s": 0.0, "peak_db": 0.0, "washout": 1.0, "rim_enhancement": 0.0, "core_deficit": 0.0,
}  # fmt: skip
OTHER: dict[str, Any] = {
    "size_mm": 20.0, "height_to_width": 1.3, "lobe": "right",
    "composition": "mixed", "cystic_fraction": 0.4, "contrast_db": -2.0, "heterogeneity_db": 3.0, "margin": "irregular",
    "irregularity": 0.3, "edge_mm": 1.5, "halo": True, "macrocalcifications": 2, "rim_calcification": 0.3,
    "comet_tails": 2,
    "punctate_transverse": 6, "punctate_longitudinal": 4, "punctate_elsewhere": 9,
    "stiffness_kpa": 20.0, "stiffness_variation": 0.5,
    "vessels_central": 0.95, "vessels_peripheral": 0.1,
    "arrival_s": 3.0, "peak_db": -8.0, "washout": 2.0, "rim_enhancement": 0.8, "core_deficit": 0.5,
}  # fmt: skip
"""Differs from :data:`NODULE` in every latent."""
SHORT: dict[str, dict[str, float]] = {
    "cine": {"seconds": 0.6, "frame_rate_hz": 5.0},
    "ceus": {"seconds": 2.0, "frame_rate_hz": 4.0},
}


def small_device(name: str = "linear-9", height: int = 176) -> Device:
    return devices()[name].model_copy(update={"height": height, "lines": 112, "looks": 1, "frequency_mhz": 5.0})


def small_scene(device: Device | None = None, *, view_seed: int = 3, nodule_seed: int = 2, **habits: Any) -> Scene:
    return Scene(1, nodule_seed, view_seed, device or small_device(), SiteHabits(**habits))


def groups_of(modality: str, **changed: Any) -> tuple[Group, ...]:
    return tuple(read_group(kind, NODULE | changed) for kind in RENDERED[modality])


def record(
    modality: str,
    scene: Scene | None = None,
    orientation: Orientation = "transverse",
    length: dict[str, float] | None = None,
    **changed: Any,
) -> Recording:
    """Return a small recording of NODULE, some of its latents changed; drawn once for all tests that ask for it."""
    given = SHORT.get(modality, {}) if length is None else length
    return _kept(modality, scene or small_scene(), orientation, tuple(given.items()), tuple(sorted(changed.items())))


def draw_again(modality: str, scene: Scene | None = None) -> Recording:
    """Return a small recording of NODULE, drawn anew."""
    return render(modality, groups_of(modality), scene or small_scene(), Plane("transverse"), **SHORT.get(modality, {}))


@lru_cache(maxsize=48)
def _kept(
    modality: str,
    scene: Scene,
    orientation: Orientation,
    length: tuple[tuple[str, float], ...],
    changed: tuple[tuple[str, Any], ...],
) -> Recording:
    return render(modality, groups_of(modality, **dict(changed)), scene, Plane(orientation), **dict(length))
