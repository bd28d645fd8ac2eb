"""Folds within a fit: whole groups, stratified, and every fold able to train."""

from typing import Any

import numpy as np

from isthmus.errors import InputError

Rows = np.ndarray[Any, np.dtype[np.int64]]


def grouped_folds(
    labels: np.ndarray[Any, np.dtype[np.int64]], groups: np.ndarray[Any, np.dtype[np.object_]], folds: int, seed: int
) -> list[tuple[Rows, Rows]]:
    """Deal whole groups into folds, each class by itself, as evenly as may be.

    Parameters
    ----------
    labels : ndarray of 0 and 1 [N]
    groups : ndarray [N]
        A group with both labels counts as the rarer one.
    folds : int
        At most; no more than the rarer class has groups, so that each fold holds one of them out.
    seed : int

    Returns
    -------
    list of (train, test)
        Row numbers; each row is held out once, and each training part has both classes.

    Raises
    ------
    InputError
        When a training part would have one class only.
    """
    names, codes = np.unique(groups.astype(str), return_inverse=True)
    having = [np.bincount(codes, labels == label, minlength=len(names)) > 0 for label in (0, 1)]
    rarer = min(having, key=lambda groups_of: int(groups_of.sum()))
    folds = max(2, min(folds, int(rarer.sum())))
    generator = np.random.default_rng(seed)
    drawn = [generator.permutation(np.flatnonzero(side)) for side in (rarer, ~rarer)]
    fold_of_group = np.empty(len(names), np.int64)
    fold_of_group[np.concatenate(drawn)] = np.arange(len(names)) % folds
    fold = fold_of_group[codes]
    parts = [(np.flatnonzero(fold != index), np.flatnonzero(fold == index)) for index in range(folds)]
    if any(len(set(labels[train].tolist())) < 2 for train, _ in parts):
        shown = " and ".join(f"{int(side.sum())} of class {label}" for label, side in enumerate(having))
        raise InputError(
            f"groups are {shown}: too few to cross-validate", expected="at least 2 groups of each class, better 20"
        )
    return parts
