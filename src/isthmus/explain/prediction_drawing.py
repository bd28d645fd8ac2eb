"""Predictions drawn: a still as an overlay, a clip as a film (MP4, GIF) and a filmstrip."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.explain.attention_curve import Attention
from isthmus.explain.channel_strip import ChannelClip, channel_strip
from isthmus.explain.clip_film import NARROW, WIDE, SourceClip, film_frames
from isthmus.explain.clip_localisation import frame_attention
from isthmus.explain.clip_video import playing_rate, write_gif, write_mp4
from isthmus.explain.filmstrip import SeenClip, filmstrip
from isthmus.explain.frame_share import frame_effects
from isthmus.explain.overlay import MIRRORED, heat_on_source, lesion_on_source, overlay, to_png, window_on_source
from isthmus.explain.prepared_heat import frames_share_a_map, heat_of_pixels
from isthmus.explain.seen_views import looked_at, middle
from isthmus.files import atomic_path
from isthmus.imaging.clip import Lesion
from isthmus.inference.output import MARKS
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import Prediction
from isthmus.inference.predictor import Predictor


def draw_prediction(
    predictor: Predictor, picture: Picture, prediction: Prediction, folder: Path, name: str
) -> list[Path]:
    """Write a prediction's pictures: ``NAME.png``, of a clip its filmstrip, beside it ``NAME.mp4`` and ``NAME.gif``.

    Of a clip whose frames are channels it is their strip alone: their one map does not move.
    """
    still = folder / f"{name}.png"
    if frames_share_a_map(predictor.spec.prepare):
        with atomic_path(still) as temporary:
            to_png(_draw_channels(predictor, picture, prediction)).save(temporary, format="PNG")
        return [still]
    if len(picture.frames) > 1:
        return _draw_clip(predictor, picture, prediction, still)
    with atomic_path(still) as temporary:
        to_png(draw_picture(predictor, picture, prediction)).save(temporary, format="PNG")
    return [still]


def draw_picture(predictor: Predictor, picture: Picture, prediction: Prediction) -> NDArray[np.uint8]:
    """Return a picture with the parts' mean heat for the class explained, outline, scale and words: uint8 [H, W, 3]."""
    return draw_heat(predictor, picture, prediction, heat_of(predictor, picture, prediction)[0])


def draw_heat(
    predictor: Predictor, picture: Picture, prediction: Prediction, heat: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return a picture with heat [crop, crop] that was found for it, as :func:`draw_picture` draws it."""
    spec, prepared = predictor.spec, picture.prepared
    frame = picture.clip.frames[0]
    size = prepared.pixels.shape[1]
    placed = heat_on_source(heat, prepared.source_to_prepared, size, frame.shape[:2], prepared.region)
    return overlay(
        frame,
        placed,
        score=_score(predictor, picture, prediction),
        target=spec.classes[explained(predictor, prediction)],
        region=prepared.region,
        mask=lesion_on_source(picture.clip.lesion, frame.shape[:2]),
        window=window_on_source(prepared.source_to_prepared, size, spec.prepare.crop_size, prepared.region),
        marks=[MARKS[mark] for mark in spec.marks],
    )


def _draw_clip(predictor: Predictor, picture: Picture, prediction: Prediction, still: Path) -> list[Path]:
    spec, seen, source = predictor.spec, _seen(predictor, picture, prediction), source_clip(predictor, picture)
    score, target = _score(predictor, picture, prediction), spec.classes[explained(predictor, prediction)]
    marks = [MARKS[mark] for mark in spec.marks]
    rate, speed = playing_rate(seen.attention.frames, seen.attention.rate_hz)
    film, gif = still.with_suffix(".mp4"), still.with_suffix(".gif")
    for path, write, half in ((film, write_mp4, WIDE), (gif, write_gif, NARROW)):
        frames = film_frames(source, seen.heat, seen.attention, score=score, target=target, marks=marks, half=half)
        write(frames, path, rate)
    lines = [f"Grad-CAM, model score {score}; research use only", f"{film.name} plays {speed}."]
    with atomic_path(still) as temporary:
        to_png(filmstrip(seen, lines, target, marks)).save(temporary, format="PNG")
    return [still, film, gif]


def _draw_channels(predictor: Predictor, picture: Picture, prediction: Prediction) -> NDArray[np.uint8]:
    spec, prepared = predictor.spec, picture.prepared
    own, size = looked_at(spec.prepare), spec.prepare.crop_size
    effects = frame_effects(
        predictor.parts,
        prepared.pixels[None],
        spec.prepare,
        _place(predictor, prediction),
        masks=prepared.lesion_mask[None].astype(np.uint8),
        flips=spec.flips,
        device=predictor.device,
    )
    clip = ChannelClip(
        middle(prepared.pixels[None][:, own], size)[0],
        middle(prepared.lesion_mask[None][:, own], size)[0].astype(bool),
        heat_of(predictor, picture, prediction)[0],
        effects[0],
        prepared.frame_indices[own],
        rate_of(picture),
    )
    lines = [f"Grad-CAM, model score {_score(predictor, picture, prediction)}; research use only"]
    target = spec.classes[explained(predictor, prediction)]
    return channel_strip(clip, lines, target, [MARKS[mark] for mark in spec.marks])


def explained(predictor: Predictor, prediction: Prediction) -> str:
    """Return the class that heat is evidence for: the positive one of two, of several the one called."""
    spec = predictor.spec
    return spec.positive if len(spec.classes) == 2 or prediction.call is None else prediction.call


def _place(predictor: Predictor, prediction: Prediction) -> int:
    return list(predictor.spec.classes).index(explained(predictor, prediction))


def heat_of(predictor: Predictor, picture: Picture, prediction: Prediction) -> NDArray[np.float32]:
    """Return the parts' mean heat on each frame seen: float32 [T, crop, crop]."""
    prepared, spec = picture.prepared, predictor.spec
    heat = heat_of_pixels(
        predictor.parts,
        prepared.pixels[None],
        spec.prepare,
        _place(predictor, prediction),
        masks=prepared.lesion_mask[None].astype(np.uint8),
        device=predictor.device,
    )
    return heat.reshape(-1, *heat.shape[-2:])


def _seen(predictor: Predictor, picture: Picture, prediction: Prediction) -> SeenClip:
    prepare, prepared = predictor.spec.prepare, picture.prepared
    own, heat = looked_at(prepare), heat_of(predictor, picture, prediction)
    lesions = middle(prepared.lesion_mask[None][:, own], prepare.crop_size)[0].astype(bool)
    frames = prepared.frame_indices[own]
    # Without an outline nothing is said of the frames in which the lesion is in plane.
    shown = lesions.any(axis=(1, 2)) if lesions.any() else None
    attention = Attention(frame_attention(heat[None])[0], frames, shown, rate_hz=rate_of(picture))
    return SeenClip(middle(prepared.pixels[None][:, own], prepare.crop_size)[0], heat, lesions, attention)


def source_clip(predictor: Predictor, picture: Picture) -> SourceClip:
    """Return the frames that a network saw of a clip, whole; of a still its one."""
    prepared, clip = picture.prepared, picture.clip
    numbers = np.unique(prepared.frame_indices)
    places = np.searchsorted(numbers, prepared.frame_indices[looked_at(predictor.spec.prepare)])
    shape = (clip.frames.shape[1], clip.frames.shape[2])
    lesions = [_lesion_in(clip.lesion, int(place), shape) for place in places]
    return SourceClip(
        clip.frames[places], lesions, prepared.region, prepared.source_to_prepared, predictor.spec.prepare.train_size
    )


def _lesion_in(lesion: Lesion | None, place: int, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    if lesion is None:
        return None
    box = lesion.boxes()[place]
    if np.isnan(box).any():
        return None
    one = Lesion(mask=None if lesion.mask is None else lesion.mask[[place]], box=box[None])
    return lesion_on_source(one, shape)


def rate_of(picture: Picture) -> float | None:
    """Return the recording's frames a second, where its file states times."""
    times, numbers = picture.clip.frame_times_s, np.unique(picture.prepared.frame_indices)
    if times is None or len(numbers) < 2 or times[-1] <= times[0]:
        return None
    return float((numbers[-1] - numbers[0]) / (times[-1] - times[0]))


def _score(predictor: Predictor, picture: Picture, prediction: Prediction) -> str:
    proposed = "; region proposed, not drawn" if picture.region_source == "proposed" else ""
    return f"{prediction.probability:.2f}, {prediction.words}{proposed}{MIRRORED if predictor.spec.flips else ''}"
