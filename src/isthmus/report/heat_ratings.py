"""How doctors rated heat maps: means with intervals, agreement, the criteria that they named, measured heat."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.errors import InputError
from isthmus.statistics.agreement import quadratic_kappa, rank_correlation
from isthmus.statistics.interval import Interval, undefined
from isthmus.statistics.intraclass import intraclass_correlation
from isthmus.statistics.means import clustered_mean, compare_clustered_means
from isthmus.statistics.proportions import clustered_proportion
from isthmus.tables.check import BadValue, bad_cells, raise_bad_values, read_table
from isthmus.tables.ratings import CRITERIA, GOOD, KEY, NO_CRITERION, RATINGS
from isthmus.tables.vocabulary import DESCRIPTORS, MULTI_VALUED

FEWEST: Final = 10
"""Cases of a kind under which the page says that they are too few to tell."""


def read_ratings(files: Sequence[Path | str], key: Path | str) -> pd.DataFrame:
    """Read the readers' files and join each rating with its case.

    Parameters
    ----------
    files : sequence of Path
        ``ratings_<reader>.csv``, as the form saves them.
    key : Path
        ``key.csv`` of the form.

    Returns
    -------
    DataFrame
        One row a rating: the columns of the file, those of the key, and ``right`` (the call was right).

    Raises
    ------
    TableError
        With file and line of every rating out of 1 to 5, unknown case or criterion, form other than the key's, and
        every case or reader that comes twice.
    InputError
        When no rating is left.
    """
    cases = read_table(key, KEY)
    bad: list[BadValue] = bad_cells(str(key), cases["case"][cases["case"].duplicated()], "each case once")
    form = str(cases["form"].iloc[0]) if len(cases) else ""
    bad += bad_cells(str(key), cases["form"][cases["form"] != form], f"the same form, {form}, in every line")
    tables, seen = [], dict[str, str]()
    for file in map(str, files):
        table = read_table(file, RATINGS)
        bad += bad_cells(file, table["form"][table["form"] != form], f"form {form} of {key}: this is another form's")
        known = set(cases["case"])
        bad += bad_cells(file, table["case"][~table["case"].isin(known)], f"a case of the key, 1 to {len(cases)}")
        twice = table.duplicated(["reader_id", "case"])
        bad += bad_cells(file, table["case"][twice], "each case once for a reader")
        for reader, rows in table.groupby("reader_id", sort=False):
            if str(reader) in seen:
                expected = f"each reader once; {seen[str(reader)]} has this one already"
                bad += bad_cells(file, rows["reader_id"].iloc[:1], expected)
            seen.setdefault(str(reader), file)
        tables.append(table)
    raise_bad_values(bad)
    ratings = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    if ratings.empty:
        raise InputError("the files hold no rating", where=", ".join(map(str, files)))
    joined = ratings.drop(columns="form").merge(cases.reset_index(drop=True), on="case", how="left")
    return joined.assign(right=joined["label"] == joined["call"])


def rating_evidence(ratings: pd.DataFrame, cases: int, level: float = 0.95) -> dict[str, Any]:
    """Return everything that the ratings say, each estimate with its interval.

    Parameters
    ----------
    ratings : DataFrame
        As :func:`read_ratings` gives it.
    cases : int
        How many the form has.
    level : float
        Of the intervals.

    Returns
    -------
    dict
        ``readers``; ``rows`` (mean rating and share of good ones: of all, right and wrong calls, each reader,
        experience and descriptor, for each arm); ``differences``; ``agreement``; ``criteria`` and
        ``criteria_by_descriptor``; ``heat_in_lesion`` (rank correlation with the mean rating of a case).
    """
    return {
        "format": "isthmus-heat-ratings/1.0",
        "form": str(ratings["form"].iloc[0]),
        "level": level,
        "cases": cases,
        "cases_rated": int(ratings["case"].nunique()),
        "ratings": len(ratings),
        "readers": [
            {"reader_id": str(reader), "experience": str(rows["experience"].iloc[0]), "rated": len(rows), "of": cases}
            for reader, rows in ratings.groupby("reader_id")
        ],
        "arms": sorted(set(ratings["arm"])),
        "rows": [_row(rows, named, level) for named, rows in _parts(ratings)],
        "differences": list(_differences(ratings, level)),
        "agreement": _agreement(ratings, level),
        "criteria": [
            {"criterion": code, "words": words, **_share(_named(ratings, code), ratings, level)}
            for code, (words, _) in CRITERIA.items()
        ],
        "criteria_by_descriptor": list(_by_descriptor(ratings, level)),
        "heat_in_lesion": [_correlation(arm, rows, level) for arm, rows in ratings.groupby("arm")],
    }


def _parts(ratings: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    for arm, own in ratings.groupby("arm"):
        named = {"arm": str(arm)}
        yield {**named, "of": "all", "which": ""}, own
        for right, rows in own.groupby("right", sort=False):
            yield {**named, "of": "call", "which": "right" if right else "wrong"}, rows
        for column, of in (("experience", "experience"), ("reader_id", "reader")):
            for value, rows in own.groupby(column):
                yield {**named, "of": of, "which": str(value)}, rows
        for name, code, has in _descriptor_codes(own):
            yield {**named, "of": name, "which": code}, own[has]


def _descriptor_codes(rows: pd.DataFrame) -> Iterator[tuple[str, str, "pd.Series[bool]"]]:
    for name, words in DESCRIPTORS.items():
        if name not in rows.columns:
            continue
        for code in words:
            has = rows[name].map(lambda cell, code=code: _has(cell, code)).astype(bool)
            if has.any():
                yield name, code, has


def _has(cell: Any, code: str) -> bool:
    return not pd.isna(cell) and code in str(cell).split(" ")


def _row(rows: pd.DataFrame, named: dict[str, str], level: float) -> dict[str, Any]:
    good = (rows["rating"] >= GOOD).to_numpy(dtype=bool)
    return {
        **named,
        "n": len(rows),
        "cases": int(rows["case"].nunique()),
        "groups": int(rows["group_id"].nunique()),
        "readers": int(rows["reader_id"].nunique()),
        "few": int(rows["case"].nunique()) < FEWEST,
        "mean": _on_scale(clustered_mean(rows["rating"], rows["group_id"], level=level)).as_dict(),
        "mean_other_readers": _on_scale(
            clustered_mean(rows["rating"], rows["group_id"], rows["reader_id"], level)
        ).as_dict(),
        "share_good": clustered_proportion(good, rows["group_id"].to_numpy(), level).as_dict(),
    }


def _on_scale(found: Interval) -> Interval:
    """Keep the limits of a mean between the lowest and the highest rating; those that do not exist stay away."""
    if found.low == float("-inf"):
        return found
    return Interval(found.estimate, max(found.low, 1.0), min(found.high, 5.0), found.level, found.method, found.note)


def _differences(ratings: pd.DataFrame, level: float) -> Iterator[dict[str, Any]]:
    for arm, own in ratings.groupby("arm"):
        right, wrong = own[own["right"]], own[~own["right"]]
        if len(right) and len(wrong):
            found = compare_clustered_means(
                right["rating"], wrong["rating"], right["group_id"], wrong["group_id"], level
            )
            cases = [int(side["case"].nunique()) for side in (right, wrong)]
            yield {"a": "right calls", "b": "wrong calls", "arm": str(arm), "cases": cases, **found.as_dict()}
    for a, b in combinations(sorted(set(ratings["arm"])), 2):
        wide = ratings.pivot_table(index=["reader_id", "view_id", "group_id"], columns="arm", values="rating")
        both = wide[[a, b]].dropna().reset_index()
        if len(both):
            found = clustered_mean(both[a] - both[b], both["group_id"], level=level)
            cases = [int(both["view_id"].nunique())] * 2
            yield {"a": a, "b": b, "arm": "", "cases": cases, **found.as_dict()}


def _agreement(ratings: pd.DataFrame, level: float) -> dict[str, Any]:
    wide = ratings.pivot(index=["case", "group_id"], columns="reader_id", values="rating")
    pairs = []
    for a, b in combinations(wide.columns, 2):
        both = wide[[a, b]].dropna()
        groups = both.index.get_level_values("group_id").to_numpy()
        found = (
            quadratic_kappa(both[a], both[b], groups, level)
            if len(both)
            else undefined("group bootstrap", "no case that both rated", level)
        )
        pairs.append({"a": str(a), "b": str(b), "cases": len(both), **_warned(found, groups)})
    full = wide.dropna()
    icc = (
        intraclass_correlation(full, full.index.get_level_values("group_id").to_numpy(), level)
        if min(full.shape) > 1
        else undefined("ICC(2,1)", "it needs two readers and two cases that all readers rated", level)
    )
    groups = full.index.get_level_values("group_id").to_numpy()
    return {"kappa": pairs, "icc": {"cases": len(full), "readers": wide.shape[1], **_warned(icc, groups)}}


def _warned(found: Interval, groups: Iterable[Any]) -> dict[str, Any]:
    """Return an estimate of agreement, with a note where its interval rests on too few patients."""
    entry, patients = found.as_dict(), len(set(groups))
    if found.low == float("-inf") or patients >= FEWEST:
        return entry
    warning = f"{patients} patients: too few for the interval to be trusted"
    return {**entry, "note": "; ".join(filter(None, (found.note, warning))), "few": True}


def _named(ratings: pd.DataFrame, code: str) -> "pd.Series[bool]":
    return ratings["criteria"].map(lambda cell: _has(cell, code)).astype(bool)


def _share(named: Iterable[bool], rows: pd.DataFrame, level: float) -> dict[str, Any]:
    found = clustered_proportion(list(named), rows["group_id"].to_numpy(), level).as_dict()
    return {"n": len(rows), "cases": int(rows["case"].nunique()), **found}


def _by_descriptor(ratings: pd.DataFrame, level: float) -> Iterator[dict[str, Any]]:
    """Yield how often a criterion was named where the cohort records each of its codes."""
    for name, code, has in _descriptor_codes(ratings):
        if name == NO_CRITERION or name not in CRITERIA:
            continue
        rows = ratings[has]
        several = name in MULTI_VALUED
        yield {"criterion": name, "code": code, "several": several, **_share(_named(rows, name), rows, level)}


def _correlation(arm: Any, rows: pd.DataFrame, level: float) -> dict[str, Any]:
    known = rows.dropna(subset=["heat_in_lesion"])
    by_case = known.groupby("case").agg(
        rating=("rating", "mean"), heat=("heat_in_lesion", "first"), group=("group_id", "first")
    )
    found = (
        rank_correlation(by_case["rating"], by_case["heat"], by_case["group"].to_numpy(), level)
        if len(by_case)
        else undefined("Spearman", "no case has an outline to measure in", level)
    )
    return {"arm": str(arm), "cases": len(by_case), **found.as_dict()}
