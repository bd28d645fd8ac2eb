"""Who is trained on, tuned on, held out, and set aside for the test: always whole groups."""

from dataclasses import replace

import pandas as pd

from isthmus.cohort.splits import check_split, cross_validation_split, test_split
from isthmus.files import sha256_of_json
from isthmus.protocol.cases import Cases
from isthmus.protocol.schema import Protocol


def divide(protocol: Protocol, cases: Cases) -> tuple[pd.DataFrame, list[str]]:
    """Return the groups' parts for every seed, and the groups of the test part."""
    units, rule = cases.units, protocol.splits.test
    test = [] if rule is None else test_split(units, rule.model_dump(exclude_none=True))
    rest = units[~units["group_id"].isin(test)]
    folds = protocol.splits.cross_validation.folds
    split = pd.concat(
        [cross_validation_split(rest, folds, seed, protocol.splits.tune) for seed in protocol.splits.seeds],
        ignore_index=True,
    )
    check_split(split)
    return split, test


def set_aside(cases: Cases, groups: list[str]) -> tuple[Cases, Cases | None]:
    """Return the cases without the test groups, and those of the test groups."""
    if not groups:
        return cases, None
    inside = {arm: views["group_id"].isin(groups) for arm, views in cases.views.items()}
    training = {arm: views[~inside[arm]].reset_index(drop=True) for arm, views in cases.views.items()}
    test = {arm: views[inside[arm]].reset_index(drop=True) for arm, views in cases.views.items()}
    return replace(cases, views=training), replace(cases, views=test)


def split_fingerprint(split: pd.DataFrame) -> str:
    """Return a SHA-256 of who stands where."""
    return sha256_of_json(split.astype(str).to_numpy().tolist())
