"""Who is trained on, tuned on, held out, and set aside for the test: always whole groups."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from isthmus.cohort.site_splits import check_sites, leave_one_site_out
from isthmus.cohort.splits import check_split, cross_validation_split, fixed_validation_split, test_split
from isthmus.errors import CohortError
from isthmus.files import sha256_of_json
from isthmus.protocol.cases import Cases
from isthmus.protocol.schema import Protocol, Splits, TestPart
from isthmus.tables.check import write_table

ELSEWHERE = ("temporal", "external")
"""Parts of a fixed split beside `test` that no network is trained on: a later period, and other sites."""


def divide(protocol: Protocol, cases: Cases) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Return the groups' parts for every seed, and the groups that are set aside, by the split they are opened as.

    Where `splits.test` names the cohort's own split, its parts `test`, `temporal` and `external` are set aside;
    `train`, `tune` and what has no part are dealt into the folds; or `tune` is held out and the others are trained on,
    where `splits.cross_validation.by` is `column`. The patients of `splits.external_sites` are set
    aside as `external`.

    Raises
    ------
    CohortError
        When a group stands on two sides, an external site has patients elsewhere too, or a part lacks a class.
    """
    units, rule = cases.units, test_rule(protocol, cases)
    aside = _elsewhere(units) if rule is not None and rule.column else {}
    rules = protocol.splits
    if rules.external_sites:
        aside = {**aside, "external": _at_sites(units, rules.external_sites, aside)}
    rest = units[~units["group_id"].isin(_all(aside))]
    if rule is not None:
        aside = {"test": test_split(rest, rule.model_dump(include={"column", "fraction"}, exclude_none=True)), **aside}
        rest = rest[~rest["group_id"].isin(aside["test"])]
    split = pd.concat([_folds(rest, rules, seed) for seed in rules.seeds], ignore_index=True)
    check_split(split, every_group=not holds_out_a_part(protocol, cases))
    return split, aside


def test_rule(protocol: Protocol, cases: Cases) -> TestPart | None:
    """Return the rule of the test part; None where the cohort lacks the split that it names and may do so."""
    rule = protocol.splits.test
    if rule is not None and rule.column and rule.where_absent == "without" and cases.units["fixed_split"].isna().all():
        return None
    return rule


# pytest collects functions by this prefix; this one is no test.
test_rule.__test__ = False  # type: ignore[attr-defined]


def holds_out_a_part(protocol: Protocol, cases: Cases) -> bool:
    """Return whether the cohort's own validation part is held out, instead of folds in turn."""
    return protocol.splits.cross_validation.by == "column" and bool((cases.units["fixed_split"] == "tune").any())


def _folds(rest: pd.DataFrame, rules: Splits, seed: int) -> pd.DataFrame:
    if rules.cross_validation.by == "column":
        fixed = fixed_validation_split(rest, "fixed_split", seed, rules.tune)
        if fixed is not None:
            return fixed
    folds = rules.cross_validation.folds
    if folds is None:
        return leave_one_site_out(rest, seed, rules.tune)
    return cross_validation_split(rest, folds, seed, rules.tune)


def _at_sites(units: pd.DataFrame, sites: list[str], aside: Mapping[str, list[str]]) -> list[str]:
    """Return the groups of patients at some sites, none of whose nodules is of another site."""
    where, known = "splits.external_sites", sorted(set(units["site"].dropna()))
    if "external" in aside:
        raise CohortError(
            "the cohort's own split has an external part already",
            where=where,
            expected="one of the two",
            hint="set splits.external_sites to [], or give splits.test a fraction",
        )
    unknown = [site for site in sites if site not in known]
    if unknown:
        raise CohortError(f"no case is of site {', '.join(unknown)}", where=where, expected=", ".join(known))
    check_sites(units)
    inside = units["site"].isin(sites)
    taken = sorted(set(units.loc[inside, "group_id"]) & set(_all(aside)))
    if taken:
        raise CohortError(
            f"{len(taken)} groups of these sites are in another part of the cohort's own split", where=where
        )
    if inside.all():
        raise CohortError("these are all sites: nobody is left to train on", where=where, expected="some of them")
    return sorted(set(units.loc[inside, "group_id"]))


def _elsewhere(units: pd.DataFrame) -> dict[str, list[str]]:
    where = "nodules.csv, column 'split'"
    found = {}
    for part in ELSEWHERE:
        inside = units["fixed_split"] == part
        mixed = sorted(set(units.loc[inside, "group_id"]) & set(units.loc[~inside, "group_id"]))
        if mixed:
            raise CohortError(
                f"{len(mixed)} groups stand both in the {part} part and outside it: {', '.join(mixed[:10])}",
                where=where,
                expected="one part for all nodules of a group",
            )
        if inside.any():
            found[part] = sorted(set(units.loc[inside, "group_id"]))
    outside = units["fixed_split"] == "external"
    shared = sorted(set(units.loc[outside, "site"]) & set(units.loc[~outside, "site"]))
    if shared:
        raise CohortError(
            f"{len(shared)} sites of the external part have patients in other parts: {', '.join(shared[:10])}",
            where=where,
            expected="external: patients of sites that stand in no other part",
            hint="call a random part test, and a later period temporal",
        )
    return found


def set_aside(cases: Cases, aside: Mapping[str, list[str]]) -> tuple[Cases, dict[str, Cases]]:
    """Return the cases to train on, and those of each part that was set aside."""
    return _only(cases, _all(aside), inside=False), {
        part: _only(cases, groups, inside=True) for part, groups in aside.items()
    }


def _all(aside: Mapping[str, list[str]]) -> list[str]:
    return [group for groups in aside.values() for group in groups]


def _only(cases: Cases, groups: list[str], *, inside: bool) -> Cases:
    views = {arm: rows[rows["group_id"].isin(groups) == inside] for arm, rows in cases.views.items()}
    return replace(cases, views={arm: rows.reset_index(drop=True) for arm, rows in views.items()})


def keep_split(path: Path, split: pd.DataFrame) -> None:
    """Write `split.csv`, or see that a run that goes on divides its groups as it began.

    Raises
    ------
    CohortError
        When it would not: an added arm that looks at other nodules would deal the groups anew.
    """
    if path.is_file():
        began = pd.read_csv(path, dtype={"group_id": str})
        if split_fingerprint(began) != split_fingerprint(split):
            groups = [set(one["group_id"]) for one in (began, split)]
            raise CohortError(
                f"this run would divide its groups of patients otherwise now: {len(groups[0])} groups then, "
                f"{len(groups[1])} now, {len(groups[0] ^ groups[1])} of them not in both",
                where=path.name,
                expected="arms that look at the same nodules as those the run began with",
                hint="give arms that show other nodules a run of their own, from the start",
            )
        return
    write_table(path, split)


def split_fingerprint(split: pd.DataFrame) -> str:
    """Return a SHA-256 of who stands where."""
    return sha256_of_json(split.astype(str).to_numpy().tolist())
