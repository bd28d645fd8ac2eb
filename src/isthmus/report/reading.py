"""How numbers of ``evidence.json`` are read and put in words: one place for rounding, order and names."""

from collections.abc import Iterable
from typing import Any

SPLIT_ORDER = ("test", "temporal", "external", "cv", "tune", "train")
SPLIT_NAMES = {
    "cv": "cross-validation",
    "test": "test set",
    "temporal": "later period",
    "external": "external set",
    "tune": "tuning part",
    "train": "training part",
}
MEASURES = {
    "auc": "AUC",
    "macro_auc": "Macro AUC",
    "hand_till": "Hand–Till M",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "mcc": "MCC",
    "brier": "Brier score",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "brier_uncalibrated": "Brier score, uncalibrated",
    "calibration_slope_uncalibrated": "Calibration slope, uncalibrated",
    "calibration_intercept_uncalibrated": "Calibration intercept, uncalibrated",
}
MINUS = "\u2212"


def splits_of(evidence: dict[str, Any]) -> list[str]:
    """Return the splits that have evidence, the one that counts most first."""
    return in_order({split for by_split in evidence["arms"].values() for split in by_split})


def in_order(splits: Iterable[str]) -> list[str]:
    """Return splits in the order of :data:`SPLIT_ORDER`, several external cohorts by name.

    Examples
    --------
    >>> in_order({"cv", "external: B", "external: A"})
    ['external: A', 'external: B', 'cv']
    """
    known = [split for split in splits if split.partition(": ")[0] in SPLIT_ORDER]
    return sorted(known, key=lambda split: (SPLIT_ORDER.index(split.partition(": ")[0]), split))


def split_name(split: str) -> str:
    """Return a split as shown; of several external cohorts each has its own split, ``external: NAME``.

    Examples
    --------
    >>> split_name("cv"), split_name("external: Hospital B")
    ('cross-validation', 'external set Hospital B')
    """
    kind, _, cohort = split.partition(": ")
    return " ".join(filter(None, (SPLIT_NAMES.get(kind, kind), cohort)))


def figure_endings(evidence: dict[str, Any]) -> dict[str, str]:
    """Return for each split the ending of its figures' names: none for the leading one, ``_cv``, ``_external2``."""
    splits, endings = splits_of(evidence), {}
    for place, split in enumerate(splits):
        kind, _, cohort = split.partition(": ")
        own = [other for other in splits if other.startswith(f"{kind}: ")]
        endings[split] = f"_{kind}{own.index(split) + 1 if cohort else ''}" if place else ""
    return endings


def ranking_measure(evidence: dict[str, Any]) -> str:
    """Return the measure arms are compared by: ``auc`` with two classes, ``macro_auc`` with more."""
    return "auc" if len(evidence["classes"]) == 2 else "macro_auc"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a real minus sign, an en dash where there is none.

    Examples
    --------
    >>> number(-0.048), number(None), number(0.9996, 3)
    ('−0.05', '–', '1.000')
    """
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def interval(entry: dict[str, Any] | None, digits: int = 2) -> str:
    """Return ``0.61 (0.54–0.68)``; ``to`` stands between the limits where one is negative.

    Examples
    --------
    >>> interval({"estimate": 0.01, "low": -0.05, "high": 0.07})
    '0.01 (−0.05 to 0.07)'
    """
    if entry is None or _middle(entry) is None:
        return "–"
    if entry.get("low") is None or entry.get("high") is None:
        return number(_middle(entry), digits)
    between = " to " if entry["low"] < 0 or entry["high"] < 0 else "–"
    return f"{number(_middle(entry), digits)} ({number(entry['low'], digits)}{between}{number(entry['high'], digits)})"


def percent_interval(entry: dict[str, Any]) -> str:
    """Return a share with its interval in per cent.

    Examples
    --------
    >>> percent_interval({"estimate": 0.21, "low": 0.154, "high": 0.28})
    '21\u202f% (15–28)'
    """
    if entry["estimate"] is None:
        return "–"
    low, high = entry.get("low"), entry.get("high")
    limits = "" if low is None or high is None else f" ({number(100 * low, 0)}–{number(100 * high, 0)})"
    return f"{number(100 * entry['estimate'], 0)}\u202f%{limits}"


def _middle(entry: dict[str, Any]) -> float | None:
    value = entry.get("estimate", entry.get("difference"))
    return None if value is None else float(value)


def p_value(p: float | None) -> str:
    """Return a p-value as journals print it.

    Examples
    --------
    >>> p_value(0.00004), p_value(0.0312), p_value(0.41)
    ('< 0.001', '0.031', '0.41')
    """
    if p is None:
        return "–"
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_in_words(p: float | None) -> str:
    """Return a p-value as a sentence names it, or that there is no test.

    Examples
    --------
    >>> p_in_words(0.00004), p_in_words(0.0312), p_in_words(None)
    ('p < 0.001', 'p = 0.031', 'no test')
    """
    if p is None:
        return "no test"
    return f"p {p_value(p)}" if p < 0.001 else f"p = {p_value(p)}"


def count(value: int | float | None) -> str:
    """Return a count with thin spaces between thousands; means of counts keep one decimal.

    Examples
    --------
    >>> count(12345), count(3.5), count(None)
    ('12\u202f345', '3.5', '–')
    """
    if value is None:
        return "–"
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return text.replace(",", "\u202f")


def plural(value: int | None, one: str, many: str | None = None) -> str:
    """Return ``1 patient``, ``2 patients``."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def listed(words: list[str]) -> str:
    """Return ``a, b and c``.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
