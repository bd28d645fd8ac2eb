"""A localiser in memory: from a picture to the region where its nodule seems to lie, or to nothing.

A part never judges what it has seen: a training picture, and with it every picture of its group, is read by the parts
that held it out.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.errors import BundleError, IsthmusError, PictureError
from isthmus.imaging.clip import Box, Clip
from isthmus.imaging.prepare import Prepared, prepare
from isthmus.imaging.region import find_scan_area
from isthmus.inference.batch import to_batch
from isthmus.inference.load import device_here
from isthmus.inference.proposal import Proposal, Readings, picture_key, proposal_of
from isthmus.models.localiser_spec import (
    LocaliserSpec,
    part_content,
    read_localiser_yaml,
    read_seen_pictures,
)
from isthmus.models.segmenter import create_segmenter

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Localiser", "Proposal", "load_localiser", "picture_key"]


@dataclass(frozen=True, eq=False)
class Localiser:
    """A localiser in memory; made by :func:`load_localiser`.

    Parameters
    ----------
    spec : LocaliserSpec
        What the folder says of itself.
    parts : sequence of Module
        The fold models, on ``device``.
    device : str
        Where they compute.
    seen : mapping
        Training picture's key to the number of the part that held it out.
    """

    spec: LocaliserSpec
    parts: "Sequence[nn.Module]"
    device: str
    seen: Mapping[str, int]

    def propose(self, clip: Clip, *, parts: Sequence[int] | None = None, least: float | None = None) -> Proposal | None:
        """Propose the region of a still's nodule.

        Parameters
        ----------
        clip : Clip
            One frame. ``clip.lesion`` is not looked at; ``clip.scan_area`` is taken as given, and found where it is
            None. The panels of a double picture are read one by one.
        parts : sequence of int, optional
            Who may read; by default those that never saw this picture (:meth:`parts_for`).
        least : float, optional
            The least confidence; the frozen one by default. 0 gives whatever was found.

        Returns
        -------
        Proposal or None
            The component with the largest sum of probabilities; None where nothing was found, its confidence is
            below ``least``, or no part may read it: "region not found".

        Raises
        ------
        PictureError
            When it is a clip of several frames, or its scan area holds no pixel.
        """
        if len(clip.frames) != 1:
            raise PictureError(
                f"a clip of {len(clip.frames)} frames, and the localiser reads stills",
                where=Path(clip.source).name or None, expected="one frame",
            )  # fmt: skip
        readers = tuple(self.parts_for([picture_key(clip.frames[0])]) if parts is None else parts)
        if not readers:
            return None
        found = [proposal_of(self.read(clip, area, readers), area, readers) for area in scan_areas(clip)]
        kept = [one for one in found if one is not None]
        if not kept:
            return None
        best = max(kept, key=lambda one: one[1])[0]
        further = best.others + sum(1 + one[0].others for one in kept if one[0] is not best)
        limit = self.spec.least_confidence.value if least is None else least
        return dataclasses.replace(best, others=further) if best.confidence >= limit else None

    def parts_for(self, pictures: Iterable[str]) -> list[int]:
        """Return the parts that saw none of these pictures: all of them for new pictures.

        Parameters
        ----------
        pictures : iterable of str
            Keys of :func:`~isthmus.inference.proposal.picture_key`; give those of a whole group together.

        Returns
        -------
        list of int
            Empty where every part saw one of them.
        """
        held_out = {self.seen[key] for key in pictures if key in self.seen}
        allowed = range(len(self.parts))
        return [part for part in allowed if held_out <= {part}]

    def read(self, clip: Clip, area: Box, parts: Sequence[int]) -> Readings:
        """Return the probability of each part and of its mirrored reading on the source: float32 [2 * parts, H, W]."""
        import torch

        still = dataclasses.replace(clip, lesion=None, scan_area=area, panels=())
        prepared = prepare(still, self.spec.prepare)
        batch = to_batch(prepared.pixels[None], self.spec.prepare).to(self.device)
        both = torch.cat([batch, batch.flip(-1)])
        planes = []
        with torch.inference_mode():
            for part in parts:
                maps = torch.sigmoid(self.parts[part](both).float())[:, 0]
                planes += [maps[0], maps[1].flip(-1)]
        return _on_source(torch.stack(planes).cpu().numpy(), prepared, clip.frames.shape[1:3])

    def facts(self) -> dict[str, Any]:
        """Return what a result says of the localiser that proposed its region."""
        spec = self.spec
        return {
            "name": spec.name,
            "fingerprint": spec.fingerprint(),
            "least_confidence": spec.least_confidence.value,
            "trained_on": [{"cohort": one.name, "fingerprint": one.fingerprint} for one in spec.cohorts],
            "marks": spec.marks,
        }


def load_localiser(folder: str | Path, device: str = "auto") -> Localiser:
    """Load a localiser once, for any number of pictures.

    Parameters
    ----------
    folder : str or Path
        As ``isthmus localiser train`` leaves it.
    device : str
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Returns
    -------
    Localiser

    Raises
    ------
    BundleError
        When the folder is no localiser, is incomplete or altered.
    InputError
        When the device is not there.

    Examples
    --------
    >>> localiser = load_localiser("localisers/ddti")  # doctest: +SKIP
    >>> localiser.propose(read_clip("100_1.jpg")).box  # doctest: +SKIP
    (62.0, 30.0, 271.0, 156.0)
    """
    spec = read_localiser_yaml(Path(folder))
    place = device_here(device)
    seen = read_seen_pictures(Path(folder), spec)
    parts = [filled_segmenter(spec, part_content(Path(folder), part), part.file).to(place) for part in spec.parts]
    return Localiser(spec, parts, place, seen)


def filled_segmenter(spec: LocaliserSpec, content: bytes, where: str) -> "nn.Module":
    """Return the network with the parameters of a part's bytes, in evaluation mode, on the CPU.

    Raises
    ------
    BundleError
        When they do not fit the network.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        with torch.random.fork_rng(devices=[]):
            network = create_segmenter(spec.network.name, spec.network.width)
        network.load_state_dict(load(content), strict=True)
    except (SafetensorError, RuntimeError, IsthmusError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise BundleError(f"this part does not fit the localiser's network: {reason}", where=where) from error
    return network.eval().requires_grad_(False)


def scan_areas(clip: Clip) -> tuple[Box, ...]:
    """Return the ultrasound pictures on a screen, each to be read by itself: as given, or as found."""
    if clip.scan_area is None:
        return find_scan_area(clip.frames[0]).panels
    return clip.panels or (clip.scan_area,)


def _on_source(planes: NDArray[np.float32], prepared: Prepared, shape: tuple[int, ...]) -> Readings:
    """Carry planes of the prepared square [R, S, S] back to the source; 0 outside the scan area."""
    height, width = shape
    x0, y0, x1, y1 = (round(edge) for edge in prepared.region)
    result = np.zeros((len(planes), height, width), np.float32)
    for plane, place in zip(planes, result, strict=True):
        # The rim is repeated outwards: a region at the edge of the square would fade out otherwise.
        warped = cv2.warpAffine(
            plane, prepared.source_to_prepared, (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        place[y0:y1, x0:x1] = warped[y0:y1, x0:x1]
    return result
