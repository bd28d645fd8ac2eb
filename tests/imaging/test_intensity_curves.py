"""Curves of clips whose intensities are known, of the simulator's clips whose perfusion is known, and refusals."""

from dataclasses import replace

import numpy as np
import pytest

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.imaging.intensity_curves import read_intensity_curves
from isthmus.imaging.lesion_regions import REGIONS
from isthmus.imaging.limits import Limits
from isthmus.imaging.prepare_views import CacheItem
from isthmus.statistics.bolus import fit_bolus, speckle_weights
from isthmus.statistics.perfusion_features import perfusion_features
from tests.perfused_clips import FRAMES, GLAND, LESION, RANGE_DB, RATE_HZ, SIDE, contrast_clip, disc, grey
from tests.phantom.scenes import record, small_device, small_scene

TIMES = np.arange(FRAMES) / RATE_HZ


WHOLE = (0.0, 0.0, float(SIDE), float(SIDE))


def written(folder, frames, masks, scan_area=WHOLE, **more):
    more["scan_area"] = scan_area
    np.save(folder / "clip.npy", frames)
    if masks is None:
        return CacheItem("v", folder / "clip.npy", **more)
    masks = [masks] * len(frames) if masks.ndim == 2 else masks
    write_clip_mask(folder / "mask.tiff", masks)
    return CacheItem("v", folder / "clip.npy", mask=folder / "mask.tiff", **more)


def test_the_display_is_undone_and_intensities_are_averaged_linearly(tmp_path):
    lesion = disc()
    frames = contrast_clip(lesion)
    half = lesion & (np.indices(lesion.shape)[1] < SIDE // 2)
    frames[:, half] = grey(LESION.curve(TIMES) / 4)[:, None, None]
    curves = read_intensity_curves(written(tmp_path, frames, lesion), RATE_HZ, RANGE_DB)
    assert curves.times_s == pytest.approx(TIMES)
    expected = LESION.curve(TIMES) * (1 - 0.75 * half.sum() / lesion.sum())
    assert curves.means["lesion"] == pytest.approx(expected, rel=0.03, abs=2e-5)  # a grey level is 0.2 dB, black 1e-5
    assert curves.means["tissue"] == pytest.approx(GLAND.curve(TIMES), rel=0.03)
    assert (curves.dynamic_range_db, curves.outline) == (RANGE_DB, "mask")
    assert not (curves.map.lesion & curves.map.tissue).any()
    assert curves.map.lesion.sum() == pytest.approx(lesion.sum() / 4, rel=0.1)  # cells are two pixels wide


def test_a_lesion_is_followed_where_it_moves_and_left_out_where_it_is_not_seen(tmp_path):
    masks = np.stack([disc(36 + 5 * np.sin(frame / 4), 36) for frame in range(FRAMES)])
    frames = np.concatenate([contrast_clip(mask)[[frame]] for frame, mask in enumerate(masks)])
    masks[30:34] = False
    curves = read_intensity_curves(written(tmp_path, frames, masks), RATE_HZ, RANGE_DB)
    assert np.isnan(curves.means["lesion"][30:34]).all()
    seen = np.isfinite(curves.means["lesion"])
    assert seen.sum() == FRAMES - 4
    assert curves.means["lesion"][seen] == pytest.approx(LESION.curve(TIMES)[seen], rel=0.03)


def test_a_box_stands_for_the_ellipse_in_it(tmp_path):
    frames = contrast_clip(disc())
    curves = read_intensity_curves(written(tmp_path, frames, None, box=(22, 22, 50, 50)), RATE_HZ, RANGE_DB)
    assert curves.outline == "box"
    assert curves.means["lesion"] == pytest.approx(LESION.curve(TIMES), rel=0.1)


def test_in_a_double_picture_the_panel_with_the_outline_is_read(tmp_path):
    random = np.random.default_rng(0)
    clip = contrast_clip(disc())
    both = np.zeros((FRAMES, SIDE + 20, 2 * SIDE + 30, 1), np.uint8)
    both[:, 10:-10, 10 : SIDE + 10] = random.integers(60, 255, (SIDE, SIDE, 1))
    both[:, 10:-10, SIDE + 20 : -10] = np.maximum(clip, random.integers(5, 9, clip.shape))
    mask = np.zeros(both.shape[1:3], np.bool_)
    mask[10:-10, SIDE + 20 : -10] = disc(14.0, 36, 12)  # beside the seam: its surroundings reach into the other panel
    curves = read_intensity_curves(written(tmp_path, both, mask, None), RATE_HZ, RANGE_DB)
    assert np.nanmax(curves.means["tissue"]) < 0.06  # the other panel's white is 1


def test_a_tinted_picture_is_read_by_its_luminance(tmp_path):
    clip = np.repeat(contrast_clip(disc()), 3, axis=3)
    curves = read_intensity_curves(written(tmp_path, clip, disc()), RATE_HZ, RANGE_DB)
    assert curves.means["lesion"] == pytest.approx(LESION.curve(TIMES), rel=0.03)


def test_a_lesion_between_few_vessels_has_no_tissue_to_be_compared_with(tmp_path):
    lesion = disc()
    clip = contrast_clip(lesion)
    dark = ~lesion
    dark[34:38, 50:62] = False
    clip[:, dark] = grey(np.array([1e-5]))
    curves = read_intensity_curves(written(tmp_path, clip, lesion), RATE_HZ, RANGE_DB)
    assert curves.tissue_share == 0
    assert np.nanmax(curves.means["tissue"]) < 0.01


def test_no_more_frames_are_read_than_a_bolus_needs(tmp_path):
    clip = np.repeat(contrast_clip(disc()), 8, axis=0)  # as if taken at 16 frames a second
    curves = read_intensity_curves(written(tmp_path, clip, disc()), 8 * RATE_HZ, RANGE_DB)
    assert FRAMES * 2 <= len(curves.times_s) <= FRAMES * 2.5 + 1
    assert fit_bolus(curves.times_s, curves.means["lesion"]).peak == pytest.approx(LESION.peak, rel=0.03)


@pytest.mark.parametrize(
    ("frames", "mask", "rate", "reason"),
    [
        (1, disc(), RATE_HZ, "a still"),
        (5, disc(), RATE_HZ, "it has 5 frames"),
        (FRAMES, disc(), None, "does not say how many frames"),
        (FRAMES, None, RATE_HZ, "no lesion is given"),
        (FRAMES, np.ones((SIDE, SIDE), np.bool_), RATE_HZ, "fills the picture"),
        (FRAMES, disc(radius=2), RATE_HZ, "30 pixels or more is seen in 0 frames"),
        (FRAMES, np.zeros((SIDE, SIDE), np.bool_), RATE_HZ, "empty"),
    ],
)
def test_what_has_no_curve_is_refused_with_one_line(tmp_path, frames, mask, rate, reason):
    item = written(tmp_path, contrast_clip(disc())[:frames], mask)
    with pytest.raises(PictureError, match=reason) as refused:
        read_intensity_curves(item, rate)
    assert "\n" not in str(refused.value)


def test_a_lesion_outside_the_scan_area_is_refused(tmp_path):
    item = written(tmp_path, contrast_clip(disc()), disc())
    with pytest.raises(PictureError, match="outside the scan area"):
        read_intensity_curves(replace(item, scan_area=(0.0, 0.0, 20.0, 20.0)), RATE_HZ)


def test_limits_hold(tmp_path):
    with pytest.raises(LimitError):
        read_intensity_curves(written(tmp_path, contrast_clip(disc()), disc()), RATE_HZ, limits=Limits(frames=10))


def _simulated(folder, **perfusion):
    """Features of a simulated clip, read back from its pixels alone."""
    scene = small_scene(small_device(height=160))
    recording = record("ceus", scene, length={"seconds": 36.0, "frame_rate_hz": 2.0}, size_mm=9.0, **perfusion)
    item = written(folder, recording.frames, recording.lesion, recording.region)
    curves = read_intensity_curves(item, 2.0, 42.0)  # the simulated display's range
    fits = {
        name: fit_bolus(curves.times_s, curves.means[name], speckle_weights(curves.errors[name])) for name in REGIONS
    }
    whole = {name: float(np.nanmean(values)) for name, values in curves.means.items()}
    return perfusion_features(fits, whole, curves.unenhanced_share, curves.tissue_share, curves.saturated).values


def test_the_perfusion_of_simulated_clips_is_found_again(tmp_path):
    plain = _simulated(tmp_path, peak_db=-3.0)
    assert plain["peak_ratio_db"] == pytest.approx(-3.0, abs=1.5)
    assert plain["arrival_delay_s"] == pytest.approx(0.0, abs=1.0)
    assert plain["wash_out_ratio"] == pytest.approx(1.0, abs=0.2)
    late = _simulated(tmp_path, arrival_s=3.0, peak_db=-9.0, washout=2.0)
    assert late["peak_ratio_db"] == pytest.approx(-9.0, abs=2.0)
    assert late["arrival_delay_s"] == pytest.approx(3.0, abs=1.0)
    assert late["wash_out_ratio"] == pytest.approx(2.0, abs=0.4)
    ringed = _simulated(tmp_path, peak_db=-3.0, rim_enhancement=1.0, core_deficit=0.4)
    assert ringed["ring_db"] > plain["ring_db"] + 2.0
    assert ringed["unenhanced_share"] == pytest.approx(0.4, abs=0.15)
    assert plain["unenhanced_share"] < 0.1
