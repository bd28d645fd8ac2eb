"""The law of the virtual cohort: pixels depend on nothing but rendered latents, device, habits, plane and seeds."""

from dataclasses import fields
from typing import get_type_hints

import numpy as np
import pytest

from isthmus.errors import InputError
from isthmus.phantom.latents import RENDERED, Extent, Perfusion, rendered_columns
from isthmus.phantom.medium import Plane
from isthmus.phantom.modalities import _RENDERERS, render
from isthmus.phantom.recording import Scene
from tests.phantom.scenes import NODULE, OTHER, draw_again, groups_of, record, small_device, small_scene

MODALITIES = list(RENDERED)


def unrendered(modality):
    return {name: value for name, value in OTHER.items() if name not in rendered_columns(modality)}


def test_the_two_nodules_of_these_tests_differ_in_every_latent():
    columns = {field.name for kinds in RENDERED.values() for kind in kinds for field in fields(kind)}
    assert set(NODULE) == set(OTHER) == columns
    assert not [name for name in columns if NODULE[name] == OTHER[name]]


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_renderer_takes_the_groups_that_its_modality_shows_and_no_other(modality):
    hints = get_type_hints(_RENDERERS[modality].draw)
    hints.pop("return")
    kinds = list(hints.values())
    assert tuple(kinds[: kinds.index(Scene)]) == RENDERED[modality]
    assert set(kinds[kinds.index(Scene) :]) <= {Scene, Plane, float}


@pytest.mark.parametrize(
    ("modality", "orientation"),
    [(name, "longitudinal" if name in ("ceus", "smi") else "transverse") for name in MODALITIES],
)
def test_latents_that_a_modality_does_not_show_cannot_change_a_pixel(modality, orientation):
    one = record(modality, orientation=orientation)
    other = record(modality, orientation=orientation, **unrendered(modality))
    assert np.array_equal(one.frames, other.frames)
    assert np.array_equal(one.lesion, other.lesion)


@pytest.mark.parametrize(("modality", "kind"), [(name, kind) for name in MODALITIES for kind in RENDERED[name]])
def test_every_group_that_a_modality_shows_changes_its_pixels(modality, kind):
    changed = {field.name: OTHER[field.name] for field in fields(kind) if field.name != "lobe"}
    length = {"seconds": 6.0, "frame_rate_hz": 2.0} if modality == "ceus" else None
    one, other = record(modality, length=length), record(modality, length=length, **changed)
    assert one.frames.shape != other.frames.shape or not np.array_equal(one.frames, other.frames)


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_same_seeds_give_the_same_pixels_and_another_view_gives_others(modality):
    first = record(modality)
    other = record(modality, small_scene(view_seed=9))
    again = draw_again(modality)
    assert np.array_equal(first.frames, again.frames)
    assert first.frames.shape != other.frames.shape or not np.array_equal(first.frames, other.frames)


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("device", ["linear-15", "curved-7"])
def test_fanned_and_curved_probes_record_every_modality(modality, device):
    recording = record(modality, small_scene(small_device(device, height=128)))
    assert recording.frames.shape == recording.shape
    assert recording.frames.dtype == np.uint8
    x0, y0, x1, y1 = (int(edge) for edge in recording.region)
    assert 0 <= x0 < x1 <= recording.shape[2]
    assert 0 <= y0 < y1 <= recording.shape[1]
    outside = recording.lesion.any(axis=0)
    outside[y0:y1, x0:x1] = False
    assert recording.lesion.any()
    assert not outside.any()
    width_mm = (x1 - x0) * recording.spacing_mm[0]
    assert width_mm == pytest.approx(
        2 * small_device(device).half_width_mm((y1 - y0) * recording.spacing_mm[1]), rel=0.2
    )


def test_wrong_groups_modes_and_lengths_are_refused_in_one_line():
    scene, plane = small_scene(), Plane("transverse")
    with pytest.raises(InputError, match=r"no scanner mode 'xray'; expected bmode, cine"):
        render("xray", (), scene, plane)
    with pytest.raises(InputError, match=r"ceus was given Extent, Morphology.*; expected Extent, Perfusion"):
        render("ceus", groups_of("bmode"), scene, plane)
    extent, perfusion = groups_of("ceus")
    assert isinstance(extent, Extent)
    assert isinstance(perfusion, Perfusion)
    with pytest.raises(InputError, match="expected Extent, Perfusion"):
        render("ceus", (perfusion, extent), scene, plane)
    with pytest.raises(InputError, match="bmode is a still and has no seconds"):
        render("bmode", groups_of("bmode"), scene, plane, seconds=3.0)
    with pytest.raises(InputError, match="above 0"):
        render("ceus", groups_of("ceus"), scene, plane, seconds=0.0)


def test_frames_of_a_long_clip_are_drawn_one_at_a_time():
    recording = record("ceus", length={"seconds": 120.0, "frame_rate_hz": 8.0})
    assert recording.shape[0] == 960
    frames = iter(recording)
    first, second = next(frames), next(frames)
    assert first.pixels.shape == second.pixels.shape == recording.shape[1:]
    assert recording.frame_times_s[-1] == pytest.approx(119.875)
    assert recording.frame_rate_hz == pytest.approx(8.0)
