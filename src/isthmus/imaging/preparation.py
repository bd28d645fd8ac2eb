"""How pictures are made ready for a network: what a protocol's arm says and its bundle carries."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isthmus.imaging.denoise import Denoise
from isthmus.imaging.frames import FrameSampling


class Preparation(BaseModel):
    """How pictures are made ready; belongs to a protocol's arm and travels in its bundle.

    Parameters
    ----------
    crop : str
        ``lesion``: a square around the lesion; ``scan_area``: a square around the ultrasound picture.
    margin : float
        Surroundings on each side of a lesion, as a share of its longer side.
    marks : str
        ``erase``: letters, ticks and calipers that the scanner drew over the tissue are filled in from around them
        (:mod:`isthmus.imaging.marks`), of a clip those that stand still in all frames that are prepared; ``keep``:
        they stay.
    denoise : str
        ``none``, ``median``, ``srad`` or ``nlm``; at source resolution.
    normalise : str
        ``unit`` (0 to 1), ``z`` (mean 0, standard deviation 1) or ``percentile_z`` (clipped at its 1st and 99th
        percentile first), each for one picture; ``imagenet`` (0 to 1, less ImageNet's mean, by its deviation: what
        published weights were trained on; needs ``rgb``). Done on the batch, not here.
    channels : str
        ``gray`` (luminance) or ``rgb``.
    train_size : int
        Side of the prepared square.
    crop_size : int
        Side of the part that a network sees (random in training, the middle otherwise); ``train_size`` by default.
    layout : str
        How a network gets the frames; ``2d``: each by itself, ``3d``: all as one volume, ``frames_as_channels``: all as
        channels of one picture, in the order of time. Done on the batch, not here.
    frames : FrameSampling, optional
        Which frames of a clip; None: the view is a still of one frame.

    Examples
    --------
    >>> Preparation(train_size=128).crop_size
    128
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop: Literal["lesion", "scan_area"] = "lesion"
    margin: float = Field(0.15, ge=0.0, le=2.0)
    marks: Literal["erase", "keep"] = "erase"
    denoise: Denoise = "none"
    normalise: Literal["unit", "percentile_z", "z", "imagenet"] = "unit"
    channels: Literal["gray", "rgb"] = "gray"
    train_size: int = Field(256, ge=8, le=2048)
    crop_size: int = Field(256, ge=8, le=2048)
    layout: Literal["2d", "3d", "frames_as_channels"] = "2d"
    frames: FrameSampling | None = None

    @model_validator(mode="before")
    @classmethod
    def _crop_size_by_default(cls, values: Any) -> Any:
        if isinstance(values, dict) and "crop_size" not in values and "train_size" in values:
            return {**values, "crop_size": values["train_size"]}
        return values

    @model_validator(mode="after")
    def _crop_within_square(self) -> "Preparation":
        if self.crop_size > self.train_size:
            raise ValueError(f"crop_size {self.crop_size} is larger than train_size {self.train_size}")
        return self

    @model_validator(mode="after")
    def _three_channels_for_imagenet(self) -> "Preparation":
        if self.normalise == "imagenet" and self.channels != "rgb":
            raise ValueError("normalise 'imagenet' has a mean for red, green and blue; set channels to 'rgb'")
        return self

    @model_validator(mode="after")
    def _frames_for_a_volume(self) -> "Preparation":
        if self.sees_all_frames and (self.frames is None or self.frames.count < 2):
            raise ValueError(f"layout {self.layout!r} is of several frames; set frames.count to 2 or more")
        return self

    @property
    def sees_all_frames(self) -> bool:
        """Whether a network gets the frames of a clip at once, and not each by itself."""
        return self.layout != "2d"

    @property
    def colours(self) -> int:
        """C of the prepared pixels."""
        return 1 if self.channels == "gray" else 3

    @property
    def input_channels(self) -> int:
        """Channels of a network's input: the colours, of each frame where frames are channels."""
        frames = self.frames.count if self.layout == "frames_as_channels" and self.frames is not None else 1
        return frames * self.colours

    def geometric(self) -> dict[str, Any]:
        """Return what decides the prepared pixels; keys the cache.

        Not among it: ``normalise``, ``crop_size``, ``layout`` and ``frames.count``, which are for the batch. Networks
        that see frames and networks that see volumes so share what is prepared.
        """
        kept = self.model_dump(exclude={"normalise": True, "crop_size": True, "layout": True, "frames": {"count"}})
        return {name: value for name, value in kept.items() if name != "frames" or value is not None}
