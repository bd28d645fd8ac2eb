"""Which nodules are misjudged: error rates by descriptor, size, site, device, each against the other cases."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.reading import in_order
from isthmus.statistics.interval import holm
from isthmus.statistics.proportions import clustered_proportion, compare_unpaired_proportions
from isthmus.tables.vocabulary import DESCRIPTORS, MULTI_VALUED, TIRADS

FEWEST = 10
"""Cases of a level, and others beside it, under which nothing is compared: too few to tell."""

SIZES: Final[Mapping[str, str]] = {
    "under_10": "under 10 mm",
    "10_to_20": "10 to 20 mm",
    "over_20": "over 20 mm",
}
"""Classes of the largest diameter."""

MARKS: Final[Mapping[str, str]] = {"marks": "a mark in the crop", "no_marks": "no mark in the crop"}

FEATURES: Final[Mapping[str, Mapping[str, str]]] = {
    **DESCRIPTORS,
    "tirads": TIRADS,
    "size": SIZES,
    "site": {},
    "device": {},
    "marks": MARKS,
}
"""Column of the case facts to its codes and their words; a column without codes holds names."""

TITLES: Final[Mapping[str, str]] = {
    "composition": "Composition",
    "echogenicity": "Echogenicity",
    "shape": "Shape",
    "margin": "Margin",
    "echogenic_foci": "Echogenic foci",
    "tirads": "TI-RADS",
    "size": "Size",
    "site": "Site",
    "device": "Device",
    "marks": "Drawn marks",
}

MEASURES: Final = ("error", "false_negative", "false_positive")


def size_class(millimetres: float) -> str | None:
    """Return the code of a size, None for a missing one.

    Examples
    --------
    >>> size_class(9.9), size_class(10.0), size_class(20.0), size_class(20.1)
    ('under_10', '10_to_20', '10_to_20', 'over_20')
    """
    if np.isnan(millimetres):
        return None
    return "under_10" if millimetres < 10 else "10_to_20" if millimetres <= 20 else "over_20"


def error_rates(
    table: AnalysisTable, facts: pd.DataFrame, level: float = 0.95, *, graded: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return how often each arm errs among the cases of each level of each feature, and among the others.

    The calls of all seeds are pooled; groups of patients are the clusters of every interval. "The others" are cases
    in which the feature is known and has another level. Where a feature has just two levels, both comparisons are one
    test. Holm's correction is over all tests of an arm and split, of all three measures: whoever looks for what is
    misjudged looks at all of them.

    Parameters
    ----------
    table : AnalysisTable
        With calls; of several classes only whether they are wrong is counted.
    facts : DataFrame
        ``cohort``, ``unit_id`` and columns of :data:`FEATURES` as text; several codes are separated by a blank.
    level : float
        Of the intervals.
    graded : collection of str
        Cohorts whose labels are TI-RADS categories: error rates by category would be circular there and are left out.

    Returns
    -------
    list of dict
        ``arm, split, feature, code, measure`` (``error``; ``false_negative`` among the positives, ``false_positive``
        among the negatives), ``n`` cases, ``n_groups``, ``few``, ``rate`` and ``others`` with their intervals,
        ``difference`` (rate minus others), ``p`` and ``p_holm``; the last three None where ``few``.
    """
    known = [name for name in FEATURES if name in facts.columns]
    rows = table.rows[table.rows["call"] != ""]
    if "tirads" in known:
        facts = facts.assign(tirads=facts["tirads"].astype(object).where(~facts["cohort"].isin(list(graded)), None))
    joined = rows.merge(facts[["cohort", "unit_id", *known]], on=["cohort", "unit_id"], how="left", suffixes=("", "_"))
    found: list[dict[str, Any]] = []
    for split in in_order(set(joined["split"])):
        for arm in dict.fromkeys(joined.loc[joined["split"] == split, "arm"]):
            part = joined[(joined["arm"] == arm) & (joined["split"] == split)]
            # Of several classes a wrong call is neither a missed positive nor a needless one.
            entries = [
                {"arm": str(arm), "split": split, **entry}
                for measure in (MEASURES if len(table.classes) == 2 else MEASURES[:1])
                for entry in _by_level(part, known, measure, level)
            ]
            _adjust(entries)
            found += entries
    return found


def _by_level(part: pd.DataFrame, features: list[str], measure: str, level: float) -> Iterator[dict[str, Any]]:
    truth = part["truth"].to_numpy(dtype=bool)
    considered = {"error": np.ones_like(truth), "false_negative": truth, "false_positive": ~truth}[measure]
    cases = part[considered]
    wrong = (cases["label"] != cases["call"]).to_numpy(dtype=bool)
    groups, units = cases["group_id"].to_numpy(), cases["unit_id"].to_numpy()
    for feature in features:
        # A merge keeps the table's own column (`site`) and calls the facts' one `site_`.
        values = cases[f"{feature}_" if f"{feature}_" in cases else feature]
        given = values.notna().to_numpy()
        for code in _levels(values, feature):
            own = np.array([code in _codes(value, feature) for value in values], dtype=bool)
            rest = given & ~own
            if not rest.any():
                continue  # everyone has it: there is nobody to compare with
            n, n_rest = len(set(units[own])), len(set(units[rest]))
            entry: dict[str, Any] = {
                "feature": feature,
                "code": code,
                "measure": measure,
                "n": n,
                "n_groups": len(set(groups[own])),
                "few": min(n, n_rest) < FEWEST,
                "rate": clustered_proportion(wrong[own], groups[own], level).as_dict(),
                "others": clustered_proportion(wrong[rest], groups[rest], level).as_dict(),
                "difference": None,
                "p": None,
                "p_holm": None,
            }
            if not entry["few"]:
                compared = compare_unpaired_proportions(wrong[own], wrong[rest], groups[own], groups[rest], level)
                entry |= {"difference": compared.difference.as_dict(), "p": compared.as_dict()["p"]}
            yield entry


def _codes(value: Any, feature: str) -> list[str]:
    if pd.isna(value):
        return []
    return str(value).split(" ") if feature in MULTI_VALUED else [str(value)]


def _levels(values: "pd.Series[Any]", feature: str) -> list[str]:
    found = {code for value in values for code in _codes(value, feature)}
    return [code for code in FEATURES[feature] if code in found] if FEATURES[feature] else sorted(found)


def _adjust(entries: list[dict[str, Any]]) -> None:
    """Fill in ``p_holm``; the second level of a feature of two is the first one's test once more."""
    levels: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in entries:
        levels.setdefault((entry["measure"], entry["feature"]), []).append(entry)
    pairs = [own for (_, feature), own in levels.items() if len(own) == 2 and feature not in MULTI_VALUED]
    mirrored = {id(second) for _, second in pairs}
    tested = [entry for entry in entries if entry["p"] is not None and id(entry) not in mirrored]
    for entry, adjusted in zip(tested, holm([entry["p"] for entry in tested]), strict=True):
        entry["p_holm"] = float(adjusted)
    for first, second in pairs:
        second["p_holm"] = first["p_holm"] if second["p"] is not None else None


def words_of(feature: str, code: str) -> str:
    """Return a level as shown, ``composition: solid …``."""
    return f"{TITLES[feature]}: {FEATURES[feature].get(code, code)}"
