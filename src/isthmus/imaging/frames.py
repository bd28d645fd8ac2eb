"""Which frames of a clip are prepared and kept, and which of those a network sees."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from isthmus.errors import InputError
from isthmus.files import without_defaults


class FrameSampling(BaseModel):
    """How frames are taken out of a clip; belongs to a :class:`~isthmus.imaging.preparation.Preparation`.

    Parameters
    ----------
    count : int
        Frames that a network sees.
    stored : int
        Frames that are prepared and kept; training draws its ``count`` out of these. ``count`` by default.
    pick : str
        ``uniform``: evenly spread in time. ``key_frames``: out of the clearest of the frames that ``every_s`` samples,
        equally spaced in time around that with the largest lesion (:mod:`isthmus.imaging.key_frames`). One frame of
        the clip as a still: ``largest_area``, that in which the lesion is largest; ``calcification_richest``, that
        with most calcifications, which the caller must know.
    within : str
        ``lesion``: from the first to the last frame in which the lesion is seen, the whole clip where no frame says;
        ``clip``: the whole clip.
    every_s : float, optional
        Of key frames: seconds from one frame that comes into question to the next.
    clear : int, optional
        Of key frames: how many of those, the clearest, are chosen from at most (:mod:`isthmus.imaging.clearness`); all
        of them, clear or not, where it is None.

    Examples
    --------
    >>> FrameSampling(count=16).stored
    16
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(ge=1, le=256)
    stored: int = Field(ge=1, le=1024)
    pick: Literal["uniform", "key_frames", "largest_area", "calcification_richest"] = "uniform"
    within: Literal["lesion", "clip"] = "lesion"
    every_s: float | None = Field(None, gt=0, le=60)
    clear: int | None = Field(None, ge=1, le=15)

    @model_validator(mode="before")
    @classmethod
    def _stored_by_default(cls, values: Any) -> Any:
        if isinstance(values, dict) and "stored" not in values and "count" in values:
            return {**values, "stored": values["count"]}
        return values

    @model_validator(mode="after")
    def _enough_stored(self) -> "FrameSampling":
        if self.stored < self.count:
            raise ValueError(f"{self.stored} frames are stored and a network would see {self.count}")
        if self.pick not in ("uniform", "key_frames") and self.stored != 1:
            raise ValueError(f"pick {self.pick!r} gives one frame; set count and stored to 1")
        return self

    @model_validator(mode="after")
    def _samples_of_key_frames(self) -> "FrameSampling":
        if self.pick == "key_frames" and self.every_s is None:
            raise ValueError("pick 'key_frames' samples the clip; set every_s")
        if self.pick != "key_frames" and (self.every_s, self.clear) != (None, None):
            raise ValueError("every_s and clear belong to pick 'key_frames'")
        if self.clear is not None and self.clear < self.stored:
            raise ValueError(f"{self.stored} frames are stored, out of the {self.clear} clearest")
        return self

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What names a store or a fit goes on naming the same one: fields that came later are there where they are used.
        return without_defaults(self, handler(self), ("every_s", "clear"))


def key_frames_in_words(sampling: FrameSampling) -> str:
    """Return which key frames are taken, for cards and reports.

    Examples
    --------
    >>> key_frames_in_words(FrameSampling(count=5, pick="key_frames", every_s=2, clear=15))
    '5 key frames at equal intervals around the largest lesion, out of at most 15 clear ones of every 2 s'
    """
    clear = "one" if sampling.clear is None else f"at most {sampling.clear} clear ones of"
    drawn = f" ({sampling.stored} in training, to draw from)" if sampling.count < sampling.stored else ""
    return (
        f"{sampling.count} key frames{drawn} at equal intervals around the largest lesion, out of {clear} every "
        f"{sampling.every_s:g} s"
    )


def choose_frames(sampling: FrameSampling, total: int, areas: NDArray[np.float64] | None) -> NDArray[np.int64]:
    """Choose the frames of a clip that are prepared: the middle of each of ``stored`` equal stretches of time.

    Parameters
    ----------
    sampling : FrameSampling
        How.
    total : int
        How many frames the clip has.
    areas : float array [T], optional
        The lesion's area in each frame of the clip, 0 where it is out of plane; None where no frame says.

    Returns
    -------
    int64 array [stored]
        Ascending; a clip with fewer frames repeats some, and leaves none out.

    Raises
    ------
    InputError
        When the areas are of another number of frames, or the outline alone does not say which frames: ``pick`` is
        ``calcification_richest`` or ``key_frames``.
    """
    if areas is not None and len(areas) != total:
        raise InputError(f"the lesion is given in {len(areas)} frames and the clip has {total}", expected="the same")
    if sampling.pick == "calcification_richest":
        raise InputError(
            "which frame has most calcifications is not seen from the outline", expected="the frame's number"
        )
    if sampling.pick == "key_frames":
        raise InputError("which frames are clear is not seen from the outline", expected="the clip's pixels and times")
    seen = np.flatnonzero(areas > 0) if areas is not None else np.empty(0, np.int64)
    if sampling.pick == "largest_area" and areas is not None and len(seen):
        return np.array([np.argmax(areas)], dtype=np.int64)
    first, last = (seen[0], seen[-1]) if sampling.within == "lesion" and len(seen) else (0, total - 1)
    return middles(int(last - first) + 1, sampling.stored) + first


def seen_frames(stored: int, count: int) -> NDArray[np.int64]:
    """Return which of the stored frames a network sees when nothing is drawn: the middle of ``count`` equal strata.

    Parameters
    ----------
    stored, count : int
        As in :class:`FrameSampling`.

    Returns
    -------
    int64 array [count]
        Ascending, all different.

    Examples
    --------
    >>> seen_frames(20, 5)
    array([ 2,  6, 10, 14, 18])
    """
    if not 1 <= count <= stored:
        raise InputError(f"{count} of {stored} frames were asked for", expected=f"1 to {stored}")
    return middles(stored, count)


def middles(length: int, parts: int) -> NDArray[np.int64]:
    """Return the middle of each of ``parts`` equal stretches of ``length`` frames; of fewer frames some come twice."""
    # Whole numbers throughout: no rounding that a platform could do otherwise.
    return (2 * np.arange(parts, dtype=np.int64) + 1) * length // (2 * parts)
