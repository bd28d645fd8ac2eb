"""Cases made by arithmetic that R repeats exactly: `i <- 0:119`, and the same formulas."""

import numpy as np

i = np.arange(120)
labels = (i * 7) % 5 < 2
scores_a = (i * 37 % 101) / 101 + 0.3 * labels
scores_b = (i * 53 % 97) / 97 + 0.2 * labels
pairs = i // 2
blocks = i // 30
probabilities = np.clip(0.1 + 0.6 * scores_a, 0.02, 0.95)


def brute_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mann-Whitney by its definition, a double sum."""
    positive, negative = scores[labels], scores[~labels]
    return float(np.mean((positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)))


def brute_clustered_variance(labels: np.ndarray, a: np.ndarray, b: np.ndarray, groups: np.ndarray) -> float:
    """Obuchowski 1997, equations for S10, S01, S11 by loops over clusters; covariance of two scores."""
    m, n = labels.sum(), (~labels).sum()

    def components(scores: np.ndarray) -> tuple[np.ndarray, float]:
        kernel = (scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)
        v = np.where(labels, kernel[:, ~labels].mean(axis=1), kernel[labels].mean(axis=0))
        return v, brute_auc(labels, scores)

    (va, ta), (vb, tb) = components(a), components(b)
    s10 = s01 = s11 = 0.0
    names = sorted(set(groups.tolist()))
    with_positive = sum((labels & (groups == g)).any() for g in names)
    with_negative = sum((~labels & (groups == g)).any() for g in names)
    for g in names:
        p, q = labels & (groups == g), ~labels & (groups == g)
        xa, xb = va[p].sum() - p.sum() * ta, vb[p].sum() - p.sum() * tb
        ya, yb = va[q].sum() - q.sum() * ta, vb[q].sum() - q.sum() * tb
        s10 += xa * xb
        s01 += ya * yb
        s11 += xa * yb + xb * ya
    s10 *= with_positive / ((with_positive - 1) * m)
    s01 *= with_negative / ((with_negative - 1) * n)
    s11 *= len(names) / (len(names) - 1)
    return s10 / m + s01 / n + s11 / (m * n)
