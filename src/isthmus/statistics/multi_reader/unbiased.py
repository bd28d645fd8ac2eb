"""Gallas's one-shot estimate: covariances of AUCs from unbiased moments of the success kernel."""

import numpy as np

from isthmus.statistics.inputs import BoolArray, FloatArray
from isthmus.statistics.roc import placements

_CHUNK = 4_000_000
"""Kernel values held at once, over all curves."""


def unbiased_covariance(truth: BoolArray, scores: FloatArray) -> FloatArray:
    """Return the unbiased covariance [M, M] of the AUCs of scores [M, N] on independent cases.

    An AUC's kernel s is 1, 1/2 or 0 for a positive above, level with or below a negative. The mean of s s' over pairs
    that share neither case estimates the product of the two expected AUCs without bias; the covariance is the product
    of the AUCs less that mean. With two positive and two negative cases at least; it may be negative on the diagonal.

    Source: B. Gallas, Academic Radiology 13 (2006) 353-362; B. Gallas, G. Pennello, K. Myers, Journal of the Optical
    Society of America A 24 (2007) B70-B80; MRMCaov ``unbiased``.
    """
    placed = placements(truth, scores)
    m, n = placed.positives.shape[1], placed.negatives.shape[1]
    if min(m, n) < 2:
        return np.full((len(scores),) * 2, np.nan)
    same_positive = placed.positives @ placed.positives.T * n**2
    same_negative = placed.negatives @ placed.negatives.T * m**2
    product = np.outer(placed.aucs, placed.aucs)
    apart = product * (m * n) ** 2 - same_positive - same_negative + _same_pair(truth, scores)
    return np.asarray(product - apart / (m * (m - 1) * n * (n - 1)), dtype=np.float64)


def _same_pair(truth: BoolArray, scores: FloatArray) -> FloatArray:
    """Return the sums of s s' over all pairs of a positive and a negative case."""
    positives, negatives = scores[:, truth], scores[:, None, ~truth]
    step = max(1, _CHUNK // (len(scores) * negatives.shape[2]))
    total = np.zeros((len(scores), len(scores)))
    for start in range(0, positives.shape[1], step):
        part = positives[:, start : start + step, None]
        kernel = ((part > negatives) + 0.5 * (part == negatives)).reshape(len(scores), -1)
        total += kernel @ kernel.T
    return total
