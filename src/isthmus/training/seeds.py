"""Where every random number of a fit comes from: a hash of what it is for.

Lightning restores no random state, so nothing here has a state to restore: order, augmentation and dropout of an epoch
follow from the fit's seed and the epoch, and a resumed fit draws what the uninterrupted one would have drawn.
"""

import hashlib


def seed_of(*parts: int | str) -> int:
    """Return a seed of 63 bits for these parts.

    Parameters
    ----------
    *parts : int or str
        What the numbers are for, e.g. ``(seed, fold, "order", epoch)``.

    Examples
    --------
    >>> seed_of(0, "order", 1) == seed_of(0, "order", 1) != seed_of(0, "order", 2)
    True
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
