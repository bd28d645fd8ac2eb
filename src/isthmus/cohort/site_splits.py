"""Leave one site out: every fold's patients are of one hospital, and no network that meets them has seen it."""

import pandas as pd

from isthmus.cohort.splits import one_fold, strata_of
from isthmus.errors import CohortError


def leave_one_site_out(examples: pd.DataFrame, seed: int, tune_fraction: float = 0.2) -> pd.DataFrame:
    """Hold each site out once, and set a part of the other sites' groups aside for tuning.

    Parameters
    ----------
    examples : DataFrame
        Rows with ``group_id``, ``nodule_id``, ``site`` and ``label``.
    seed : int
        Draws the tuning parts.
    tune_fraction : float
        Share of a fold's training groups in ``tune``, stratified by class, at least one group of each.

    Returns
    -------
    DataFrame
        As :func:`isthmus.cohort.splits.cross_validation_split`; the folds are the sites in alphabetical order.

    Raises
    ------
    CohortError
        When a site is not known, a group stands at two sites, there is one site, or a site lacks a class: ranking
        needs both at every site, and joining sites would leave out no single one.
    """
    check_sites(examples)
    units = examples[["group_id", "nodule_id", "site", "label"]].drop_duplicates()
    units = units.sort_values(["group_id", "nodule_id"])
    sites, classes = sorted(set(units["site"])), sorted(set(units["label"]))
    counts = units.groupby(["site", "label"])["group_id"].nunique().unstack(fill_value=0)
    lacking = [site for site in sites if (counts.loc[site] == 0).any() or len(classes) < 2]
    if len(sites) < 2 or lacking:
        shown = "; ".join(
            f"{site}: {', '.join(f'{counts.loc[site, name]} groups of class {name}' for name in counts.columns)}"
            for site in (lacking or sites)
        )
        raise CohortError(
            f"leaving one site out needs two sites with both classes ({shown})",
            where="splits.cross_validation.by: site",
            hint="name sites that lack a class in splits.external_sites, give them the name of the hospital they "
            "belong to, or divide by group",
        )
    strata = strata_of(units)
    parts = []
    for fold, site in enumerate(sites):
        held_out = set(units.loc[units["site"] == site, "group_id"])
        parts.append(one_fold(strata, held_out, tune_fraction, seed, fold))
        _both_classes(strata[~strata.index.isin(held_out)], parts[-1].set_index("group_id")["part"], site)
    return pd.concat(parts, ignore_index=True)


def check_sites(units: pd.DataFrame) -> None:
    """See that every group of patients has one known site.

    Raises
    ------
    CohortError
        With the groups that have none or several.
    """
    blank = sorted(set(units.loc[units["site"].isna() | (units["site"] == ""), "group_id"]))
    if blank:
        raise CohortError(
            f"{len(blank)} groups of patients have no site: {', '.join(blank[:10])}",
            where="patients.csv, column 'site'",
            expected="a site for every patient",
        )
    several = units.groupby("group_id")["site"].nunique()
    mixed = sorted(several.index[several > 1])
    if mixed:
        raise CohortError(
            f"{len(mixed)} groups of patients stand at two sites: {', '.join(mixed[:10])}",
            where="patients.csv, column 'site'",
            expected="one site for all patients of a group",
            hint="give the group one site, or its patients groups of their own where they are different people",
        )


def _both_classes(training: pd.Series, part: pd.Series, site: str) -> None:
    for name in ("train", "tune"):
        present = set(training[part.reindex(training.index) == name])
        missing = sorted(set(training) - present)
        if missing:
            raise CohortError(
                f"without site {site} the {name} part has no group of class {', '.join(map(str, missing))}",
                where="splits.cross_validation.by: site",
                hint="gather more cases of that class at the other sites, or divide by group",
            )
