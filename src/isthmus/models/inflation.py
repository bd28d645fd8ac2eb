"""Weights of a network of pictures for its twin of clips (Carreira and Zisserman, CVPR 2017, section 2.4).

Each k x k kernel is repeated over the frames that the twin's kernel sees and divided by their number, so that a clip
whose frames are all the same is answered as the picture is: their "boring-video fixed point". It holds exactly where no
kernel reaches past the first or the last frame: there the clip is padded with black frames, which are not the same.
"""

from torch import Tensor


def inflate(state: dict[str, Tensor], own: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Return a state dictionary whose kernels of pictures have become kernels of clips.

    Parameters
    ----------
    state : dict
        Under the network's own names.
    own : dict
        The network's own parameters; only their shapes are read.

    Returns
    -------
    tuple of dict and list of str
        ``state`` with ``[D, C, h, w]`` kernels as ``[D, C, t, h, w]`` where the network has such, all else as it was;
        and a note where any was inflated.
    """
    inflated, deeper = dict(state), 0
    for name, value in state.items():
        if value.ndim == 4 and own[name].ndim == 5:
            frames = own[name].shape[2]
            inflated[name] = (value / frames).unsqueeze(2).repeat(1, 1, frames, 1, 1)
            deeper += frames > 1
    if not deeper:
        return inflated, []
    note = f"inflated: {deeper} kernels of pictures were repeated over time and divided by their number of frames"
    return inflated, [note]
