"""Random numbers keyed by what is drawn: the same whatever else is drawn, in whatever order."""

import numpy as np


def stream(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Return the generator of one purpose.

    Parameters
    ----------
    seed : int
        The cohort's, at least 0.
    purpose : str
        What is drawn, e.g. a column's name.
    *numbers : int
        What else tells draws apart, e.g. a round.

    Examples
    --------
    >>> bool(stream(3, "size_mm").random() == stream(3, "size_mm").random())
    True
    """
    key = int.from_bytes(purpose.encode(), "big")
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, key, *numbers])))
