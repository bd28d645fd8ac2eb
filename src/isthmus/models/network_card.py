"""What is told of one network. Importing it imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class NetworkCard:
    """What ``isthmus models`` shows of a network.

    Parameters
    ----------
    name, summary, source : str
        Its name, one line, and the publication.
    spatial_dims : int
        2 for pictures, 3 for clips.
    parameters_millions : float
        With two classes, one channel and the default options.
    minimum_size : int
        Smallest height and width in pixels, with the default options.
    minimum_frames : int
        Smallest number of frames of a clip.
    twin : str or None
        The network of pictures whose weights also start this network of clips.
    options : dict
        Name to (default, meaning).
    weights : tuple of str
        Names of published initial weights (``isthmus weights list``).
    requires : tuple of str
        Packages that building it imports.
    builder : str
        ``module:function`` with ``(classes, channels, **options)``.
    """

    name: str
    summary: str
    source: str
    spatial_dims: int
    parameters_millions: float
    minimum_size: int
    builder: str
    options: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    requires: tuple[str, ...] = ("torch",)
    minimum_frames: int = 1
    twin: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain = {key: value for key, value in vars(self).items() if key != "builder"}
        options = {key: {"default": default, "meaning": meaning} for key, (default, meaning) in self.options.items()}
        return {**plain, "options": options, "weights": list(self.weights), "requires": list(self.requires)}

    def lines(self) -> list[str]:
        """Return the card in words, a line each."""
        lines = [
            f"{self.name}: {self.summary}",
            f"source: {self.source}",
            f"parameters: {self.parameters_millions:.2f} million (two classes, one channel)",
            f"takes: {self._takes()}",
            f"initial weights: {', '.join(self.weights) or 'none published; it starts from random ones'}"
            + (f"; files of {self.twin} start it too" if self.twin else ""),
            f"needs: {', '.join(self.requires)}",
            "options:",
        ]
        return lines + [f"  {key} = {default}: {meaning}" for key, (default, meaning) in self.options.items()]

    def _takes(self) -> str:
        size = f"{self.minimum_size} x {self.minimum_size} pixels"
        if self.spatial_dims == 2:
            return f"pictures of at least {size}"
        return f"clips of at least {self.minimum_frames} frame{'s' * (self.minimum_frames > 1)} of {size}"
