"""The one door to the virtual scanner: which renderer draws which modality, and from which latents alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from isthmus.errors import InputError
from isthmus.phantom.bmode import render_still
from isthmus.phantom.ceus import render_ceus
from isthmus.phantom.cine import render_cine
from isthmus.phantom.doppler import render_doppler, render_smi
from isthmus.phantom.elastography import render_swe
from isthmus.phantom.latents import RENDERED, Group
from isthmus.phantom.medium import Plane
from isthmus.phantom.recording import Recording, Scene


@dataclass(frozen=True)
class _Renderer:
    draw: Callable[..., Recording]
    clip: bool = False


_RENDERERS: Final[Mapping[str, _Renderer]] = {
    "bmode": _Renderer(render_still),
    "cine": _Renderer(render_cine, clip=True),
    "ceus": _Renderer(render_ceus, clip=True),
    "smi": _Renderer(render_smi),
    "doppler": _Renderer(render_doppler),
    "swe": _Renderer(render_swe),
}


def render(
    modality: str,
    groups: tuple[Group, ...],
    scene: Scene,
    plane: Plane,
    *,
    seconds: float | None = None,
    frame_rate_hz: float | None = None,
) -> Recording:
    """Return what a scanner records of a nodule.

    The pixels depend on ``groups``, ``scene`` and ``plane``, and on nothing else: no clock, no shared random stream.

    Parameters
    ----------
    modality : str
        A key of :data:`isthmus.phantom.latents.RENDERED`.
    groups : tuple of latents
        Exactly those of ``RENDERED[modality]``, in that order.
    scene : Scene
        Seeds, device and habits.
    plane : Plane
        Where the probe is held; the view's seed moves it a little.
    seconds, frame_rate_hz : float, optional
        Of a clip; its modality's own by default.

    Returns
    -------
    Recording
        Stills are drawn; a clip's frames are drawn when they are asked for.

    Raises
    ------
    InputError
        When the modality is unknown, the groups are not its own, or a still is given a length.
    """
    renderer = _RENDERERS.get(modality)
    if renderer is None:
        raise InputError(f"no scanner mode {modality!r}", expected=", ".join(_RENDERERS))
    kinds = tuple(type(group) for group in groups)
    if kinds != RENDERED[modality]:
        raise InputError(
            f"{modality} was given {_named(kinds)}",
            expected=_named(RENDERED[modality]),
            hint="give no latents that the modality does not show",
        )
    lengths: dict[str, Any] = {"seconds": seconds, "frame_rate_hz": frame_rate_hz}
    given = {name: value for name, value in lengths.items() if value is not None}
    if given and not renderer.clip:
        raise InputError(f"{modality} is a still and has no {' or '.join(given)}")
    if any(value <= 0 for value in given.values()):
        raise InputError(f"{', '.join(given)} of a clip must be above 0", where=modality)
    return renderer.draw(*groups, scene, plane, **given)


def _named(kinds: tuple[type, ...]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)
