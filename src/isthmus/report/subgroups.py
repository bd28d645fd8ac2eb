"""How well an arm does in subgroups of the cases, and whether it does equally well in all: interaction tests."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.case_columns import as_level, in_nature, level_words
from isthmus.report.error_rates import SIZES, TITLES, size_class
from isthmus.report.reading import in_order
from isthmus.report.subject import Study
from isthmus.statistics.clustered_group_tests import clustered_categorical_test
from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.group_tests import GroupTest, no_test
from isthmus.statistics.inputs import count_groups
from isthmus.statistics.interaction import (
    SubgroupAuc,
    auc_heterogeneity,
    difference_heterogeneity,
    subgroup_auc,
    subgroup_difference,
)
from isthmus.statistics.interval import holm, undefined
from isthmus.statistics.proportions import clustered_proportion
from isthmus.statistics.roc import FEWEST_GROUPS

AGES: Final[Mapping[str, str]] = {"under_40": "under 40", "40_to_54": "40 to 54", "55_and_over": "55 and over"}
"""55 is where the staging of thyroid cancer divides (AJCC, 8th edition)."""

FEATURE_TITLES: Final[Mapping[str, str]] = {
    "site": TITLES["site"],
    "device": TITLES["device"],
    "size": TITLES["size"],
    "sex": "Sex",
    "age": "Age, years",
    "tirads": TITLES["tirads"],
}
"""What cases are divided by, in this order."""

MOST_LEVELS: Final = 12
"""Beyond these, the levels with the fewest cases are one."""

OTHERS: Final = "all others"
MEASURES: Final = ("auc", "sensitivity", "specificity")


def age_class(years: float) -> str | None:
    """Return the code of an age, None for a missing one.

    Examples
    --------
    >>> age_class(39.9), age_class(40), age_class(54.9), age_class(55)
    ('under_40', '40_to_54', '40_to_54', '55_and_over')
    """
    if np.isnan(years):
        return None
    return "under_40" if years < 40 else "40_to_54" if years < 55 else "55_and_over"


def subgroup_words(feature: str, code: str) -> str:
    """Return a level in words."""
    return {**AGES, **SIZES}.get(code, code) if feature in ("age", "size") else level_words(feature, code)


def subgroups(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return AUC, sensitivity and specificity of every arm in every level of every feature, with interaction tests.

    Parameters
    ----------
    table : AnalysisTable
        Two classes.
    study : Study
        ``cases``; where labels are TI-RADS, its levels are left out: they would be circular.
    evidence : dict
        Not asked.

    Returns
    -------
    dict
        ``levels``: arm, split, feature, code, ``n``, ``n_groups``, ``positives``, ``groups`` (with a positive and with
        a negative case), ``few`` (under 10 groups in a class), ``auc``, and of arms with calls ``sensitivity`` and
        ``specificity``. ``tests``: arm, split, feature, measure, ``levels`` compared, ``statistic``, ``degrees``,
        ``p``, ``p_holm`` (over all features and measures of an arm and split). ``differences``: the primary arm minus
        the one it was to be compared with, in each level, and ``difference_tests``. Empty where nothing divides.
    """
    if len(table.classes) > 2:
        return {}
    rows = _with_features(table, study)
    features = [name for name in FEATURE_TITLES if name in rows]
    levels: list[dict[str, Any]] = []
    tests: list[dict[str, Any]] = []
    for split in in_order(set(rows["split"])):
        for arm in dict.fromkeys(rows.loc[rows["split"] == split, "arm"]):
            own_rows = rows[(rows["arm"] == arm) & (rows["split"] == split)]
            part = _Part(own_rows, table.positive, features, study.level)
            own: list[dict[str, Any]] = []
            for feature, divided in part.divided.items():
                named = {"arm": str(arm), "split": split, "feature": feature}
                aucs = {code: part.auc(within) for code, within in divided.items()}
                levels += [{**named, **part.level_of(code, divided[code], aucs[code])} for code in divided]
                own += [{**named, **test} for test in part.tests(feature, aucs)]
            _adjust(own)
            tests += own
    if not levels:
        return {}
    return {"levels": levels, "tests": tests, **_contrast(rows, features, table.positive, study)}


def _with_features(table: AnalysisTable, study: Study) -> pd.DataFrame:
    """Return the table's rows with the columns of :data:`FEATURE_TITLES` that are known, as text."""
    rows = table.rows
    cases = study.cases
    if cases is not None and not cases.empty:
        keys = [key for key in ("cohort", "unit_id") if key in cases and key in rows]
        known = cases[keys].copy()
        for name in ("site", "device", "sex", "tirads", "size"):
            if name in cases:
                known[name] = cases[name].map(as_level, na_action="ignore")
        if "size_mm" in cases:
            known["size"] = [size_class(float(value)) for value in cases["size_mm"]]
        if "age_years" in cases:
            known["age"] = [age_class(float(value)) for value in cases["age_years"]]
        if "site" in known and "site" in rows:
            known = known.drop(columns="site") if (rows["site"].fillna("") != "").any() else known
        rows = rows.drop(columns=[name for name in known if name in rows and name not in keys])
        rows = rows.merge(known.drop_duplicates(keys), on=keys, how="left")
    if study.reference == "tirads" and "tirads" in rows:
        rows = rows.drop(columns="tirads")
    return rows


class _Part:
    """The rows of one arm and split, as arrays."""

    def __init__(self, rows: pd.DataFrame, positive: str, features: list[str], level: float) -> None:
        self.level = level
        self.truth = rows["truth"].to_numpy(dtype=bool)
        self.scores = rows["score"].to_numpy(dtype=np.float64)
        self.groups = pd.factorize(rows["group_id"], sort=True)[0]
        self.units = pd.factorize(rows["unit_id"])[0]
        self.first = ~pd.Series(self.units).duplicated().to_numpy()
        self.parts = rows.groupby(["seed", "fold"], sort=True).ngroup().to_numpy()
        self.called = (rows["call"] == positive).to_numpy(dtype=bool)
        self.has_calls = bool(len(rows)) and not (rows["call"] == "").any()
        self.divided = {feature: divided for feature in features if len(divided := self._divided(feature, rows)) > 1}

    def _divided(self, feature: str, rows: pd.DataFrame) -> dict[str, Any]:
        """Return for each level which rows are of it, in the order of the codes; rare ones together where many."""
        values = rows[feature].astype(object).where(rows[feature].notna(), "").to_numpy(dtype=object)
        counts = pd.Series(values[self.first]).value_counts().drop("", errors="ignore")
        known = {"size": list(SIZES), "age": list(AGES)}.get(feature) or sorted(counts.index, key=in_nature)
        order = [code for code in known if code in counts.index]
        if len(order) <= MOST_LEVELS:
            return {str(code): np.asarray(values == code, dtype=bool) for code in order}
        largest = set(counts.index[: MOST_LEVELS - 1])
        found = {str(code): np.asarray(values == code, dtype=bool) for code in order if code in largest}
        rest = np.asarray(values != "", dtype=bool) & ~np.logical_or.reduce(list(found.values()))
        return {**found, OTHERS: rest}

    def auc(self, within: Any) -> SubgroupAuc:
        return subgroup_auc(self.truth, self.scores, within, self.parts, self.groups, self.level)

    def level_of(self, code: str, within: Any, auc: SubgroupAuc) -> dict[str, Any]:
        """Return what is known of the arm in one level."""
        entry: dict[str, Any] = {
            "code": code,
            "n": int(np.count_nonzero(within & self.first)),
            "n_groups": count_groups(self.groups, within),
            "positives": int(np.count_nonzero(within & self.first & self.truth)),
            "groups": list(auc.groups),
            "few": min(auc.groups) < FEWEST_GROUPS,
            "auc": auc.auc.as_dict(),
        }
        if not self.has_calls:
            return entry
        for measure, among in (("sensitivity", within & self.truth), ("specificity", within & ~self.truth)):
            right = self.called[among] == self.truth[among]
            proportion = (
                clustered_proportion(right, self.groups[among], self.level)
                if right.size
                else undefined(measure, "no such case", self.level)
            )
            entry[measure] = proportion.as_dict()
        return entry

    def tests(self, feature: str, aucs: dict[str, SubgroupAuc]) -> Iterator[dict[str, Any]]:
        """Return the interaction test of each measure over the levels with enough groups."""
        enough = [code for code, found in aucs.items() if found.enough]
        yield {"measure": "auc", "levels": enough, **auc_heterogeneity(list(aucs.values())).as_dict()}
        if not self.has_calls:
            return
        divided = self.divided[feature]
        for measure, considered in (("sensitivity", self.truth), ("specificity", ~self.truth)):
            large = [code for code, within in divided.items() if _groups_in(self.groups, within & considered)]
            test = _of_calls(divided, large, considered, self.called, self.groups)
            yield {"measure": measure, "levels": large, **test.as_dict()}


def _groups_in(codes: Any, rows: Any) -> bool:
    return count_groups(codes, rows) >= FEWEST_GROUPS


def _of_calls(divided: dict[str, Any], levels: list[str], considered: Any, called: Any, codes: Any) -> GroupTest:
    """Test whether the share of positive calls is one in all levels: chi-square, exact or clustered."""
    if len(levels) < 2:
        return no_test("chi-square", "fewer than two subgroups with enough cases")
    of = np.full(called.size, -1)
    for place, code in enumerate(levels):
        of[divided[code]] = place
    rows = considered & (of >= 0)
    return clustered_categorical_test(called[rows].astype(np.intp), of[rows], codes[rows])


def _adjust(tests: list[dict[str, Any]]) -> None:
    """Fill in ``p_holm``."""
    p = [np.nan if test["p"] is None else test["p"] for test in tests]
    for test, adjusted in zip(tests, holm(p), strict=True):
        test["p_holm"] = None if np.isnan(adjusted) else float(adjusted)


def _contrast(rows: pd.DataFrame, features: list[str], positive: str, study: Study) -> dict[str, Any]:
    """Return the difference of AUCs of the primary contrast in each level, on common cases, and whether it is one."""
    differences: list[dict[str, Any]] = []
    tests: list[dict[str, Any]] = []
    if not study.primary:
        return {"differences": differences, "difference_tests": tests}
    pair_names = (study.primary["arm"], study.primary["against"])
    for split in in_order(set(rows["split"])):
        pair = _paired(rows[rows["split"] == split], pair_names)
        one, other = (_Part(part, positive, features, study.level) for part in pair)
        own: list[dict[str, Any]] = []
        for feature, divided in one.divided.items():
            named = {"a": pair_names[0], "b": pair_names[1], "split": split, "feature": feature}
            again = other.divided[feature]
            aucs = {code: (one.auc(within), other.auc(again[code])) for code, within in divided.items()}
            for code, (a, b) in aucs.items():
                compared = unless_few(subgroup_difference(a, b, study.level), *a.groups)
                differences.append({**named, "code": code, **compared.as_dict()})
            test = difference_heterogeneity([a for a, _ in aucs.values()], [b for _, b in aucs.values()])
            own.append({**named, "measure": "auc", **test.as_dict()})
        _adjust(own)
        tests += own
    return {"differences": differences, "difference_tests": tests}


def _paired(rows: pd.DataFrame, names: tuple[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of both arms of the contrast, of the units that both have."""
    parts = [rows[rows["arm"] == name] for name in names]
    common = set(parts[0]["unit_id"]) & set(parts[1]["unit_id"])
    first, second = (part[part["unit_id"].isin(common)] for part in parts)
    return first, second
