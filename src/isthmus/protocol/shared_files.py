"""Whether one picture file stands in several groups, and so perhaps on two sides of a split."""

import contextlib
from collections import defaultdict
from pathlib import Path

import pandas as pd

from isthmus.errors import PictureError
from isthmus.imaging.read import clip_hash


def groups_sharing_a_file(views: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the sets of groups that hold the same picture file or frame folder, byte for byte.

    Parameters
    ----------
    views : DataFrame
        Columns `path` and `group_id`, as `Cohort.examples` gives them. What cannot be opened is passed over: it
        is listed as unreadable elsewhere.

    Returns
    -------
    list of tuple of str
        Sorted; empty where no file stands in two groups. Pictures that were saved anew are not found here;
        `isthmus cohort check` compares decoded pixels.
    """
    holders: dict[str, set[str]] = defaultdict(set)
    named: dict[Path, set[str]] = defaultdict(set)
    for path, group in zip(views["path"].tolist(), views["group_id"].tolist(), strict=True):
        named[path].add(group)
    for path, groups in named.items():
        with contextlib.suppress(PictureError, OSError):
            holders[clip_hash(path)] |= groups
    return sorted({tuple(sorted(groups)) for groups in holders.values() if len(groups) > 1})
