"""Whether an embedding tells which device made a picture: a linear rule learnt on some views, tried on others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def told_devices(
    learnt_on: NDArray[np.floating[Any]],
    names: NDArray[np.object_],
    tried_on: NDArray[np.floating[Any]],
    known: list[str],
) -> FloatArray:
    """Learn to tell devices by an embedding, and say of other views which device made them.

    Linear discriminant analysis whose covariance is shrunk by Ledoit and Wolf's rule: nothing is tuned, and there may
    be more columns than views. Devices count alike, however many views they have.

    Parameters
    ----------
    learnt_on : ndarray [N, D]
        Embeddings of views.
    names : ndarray of N str
        Their devices.
    tried_on : ndarray [M, D]
        Of other patients' views.
    known : list of K str
        All devices.

    Returns
    -------
    ndarray of float64 [M, K]
        Probabilities; 0 for a device that was learnt on fewer than two views, even ones where fewer than two are left.

    Source: O. Ledoit, M. Wolf, J Multivariate Analysis 88 (2004) 365-411;
    `sklearn.discriminant_analysis.LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")`.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    enough = [name for name in known if np.count_nonzero(names == name) > 1]
    if len(enough) < 2:
        return np.full((len(tried_on), len(known)), 1 / len(known))
    kept = np.isin(names.astype(str), enough)
    rows = np.asarray(learnt_on, np.float64)[kept]
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    varies = spread > 1e-9 * np.abs(rows).max(axis=0)
    probabilities = np.zeros((len(tried_on), len(known)))
    if not varies.any():
        probabilities[:, [known.index(name) for name in enough]] = 1 / len(enough)
        return probabilities
    seen, asked = (
        (np.asarray(values, np.float64)[:, varies] - centre[varies]) / spread[varies] for values in (rows, tried_on)
    )
    rule = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / len(enough)] * len(enough))
    rule.fit(seen, names[kept].astype(str))
    probabilities[:, [known.index(name) for name in rule.classes_.tolist()]] = rule.predict_proba(asked)
    return probabilities


def shares_of(
    names: NDArray[np.object_], given: NDArray[np.object_], asked: NDArray[np.object_], known: list[str]
) -> FloatArray:
    """Return the share of each of ``known`` among ``names`` where ``given`` is what is asked; of all where it never is.

    What one column tells of another without any picture: the device by the label, or the label by the device.

    Examples
    --------
    >>> device, label = np.array(["A", "A", "B"], object), np.array(["0", "0", "1"], object)
    >>> shares_of(device, label, np.array(["1", "0"], object), ["A", "B"]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    rows = []
    for value in asked:
        among = names[given == value] if (given == value).any() else names
        rows.append([float(np.mean(among == name)) if len(among) else 1 / len(known) for name in known])
    return np.array(rows, np.float64).reshape(-1, len(known))
