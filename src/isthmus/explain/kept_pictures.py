"""What the networks saw, kept beside the heat maps, so that doctors can rate them when the cohort is elsewhere."""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from isthmus.explain.case_drawing import frame_of
from isthmus.explain.seen_views import seen_views
from isthmus.files import atomic_path

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.imaging.preparation import Preparation

FILE: Final = "pictures.npy"
MOST: Final = 600
"""Pictures kept for an arm: 30 MB of 224-pixel grey crops."""


def keep_pictures(
    rows: pd.DataFrame, store: "PreparedStore", preparation: "Preparation", destination: Path
) -> pd.DataFrame:
    """Write ``pictures.npy`` (uint8 [N, h, h, C], centre crops) and return the rows with a column ``picture``.

    Of a clip the frame of most heat is kept, which the row names; ``heat.npy`` holds the heat of the same frame.

    Of more than :data:`MOST` views those are kept whose hashed names come first: by chance, and the same in all arms.

    Parameters
    ----------
    rows : DataFrame
        As ``localisation.csv``.
    store : PreparedStore
        The arm's prepared pixels.
    preparation : Preparation
        The arm's.
    destination : Path
        The arm's folder of explanations.

    Returns
    -------
    DataFrame
        ``picture`` is the place in the file, missing where the picture was not kept.
    """
    views = [str(view) for view in rows["view_id"]]
    kept = sorted(sorted(views, key=lambda view: sha256(view.encode()).digest())[:MOST])
    frames = {str(row["view_id"]): frame_of(row) for row in rows.to_dict("records")}
    crops = []
    for view in kept:
        seen = seen_views(store, [view], preparation)
        crops.append(seen.pictures[0, int(np.argmax(seen.frames[0] == frames[view]))])
    with atomic_path(destination / FILE) as temporary:
        np.save(temporary, np.stack(crops))
    place = {view: number for number, view in enumerate(kept)}
    return rows.assign(picture=pd.array([place.get(view) for view in views], dtype="Int64"))
