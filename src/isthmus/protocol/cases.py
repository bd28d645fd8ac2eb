"""What a protocol looks at in a cohort: the target, each arm's labelled views, and who was left out and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.cohort.description import Target
from isthmus.errors import CohortError
from isthmus.imaging.cache import CacheItem
from isthmus.protocol.schema import Arm, Protocol

UNIT_COLUMNS = ("nodule_id", "patient_id", "group_id", "site", "label")


@dataclass(frozen=True)
class Cases:
    """The labelled, usable views of a cohort under a protocol.

    Parameters
    ----------
    cohort : Cohort
        Where they come from.
    target : Target
        The first of the protocol's targets that the cohort has.
    views : dict
        For each arm its views: the columns of `Cohort.examples`, sorted by `view_id`.
    left_out : DataFrame
        Columns `arm`, `view_id`, `nodule_id`, `reason`: labelled views that an arm cannot use.
    """

    cohort: Cohort
    target: Target
    views: Mapping[str, pd.DataFrame]
    left_out: pd.DataFrame

    @property
    def classes(self) -> list[str]:
        """Label values in order; the last is the positive class."""
        return list(self.target.classes)

    @property
    def units(self) -> pd.DataFrame:
        """One row a nodule that at least one arm can use, sorted by `nodule_id`."""
        rows = pd.concat([views[[*UNIT_COLUMNS, "fixed_split"]] for views in self.views.values()])
        return rows.drop_duplicates("nodule_id").sort_values("nodule_id").reset_index(drop=True)


def find_cases(protocol: Protocol, cohort: Cohort) -> Cases:
    """Find the target and each arm's views.

    Raises
    ------
    CohortError
        When the cohort has none of the targets, the target has other than two classes, or an arm has no view.
    """
    name = next((name for name in protocol.target if name in cohort.targets), None)
    if name is None:
        raise CohortError(
            f"cohort {cohort.name} has none of the targets of {protocol.protocol}",
            where="cohort.yaml",
            expected=f"{' or '.join(protocol.target)}; the cohort has {', '.join(cohort.targets) or 'none'}",
        )
    target = cohort.targets[name]
    if len(target.classes) != 2:
        raise CohortError(
            f"target {name} has {len(target.classes)} classes", where="cohort.yaml", expected="two: a run compares two"
        )
    views, left_out = {}, []
    for key, arm in protocol.arms.items():
        examples = cohort.examples(name, arm.view.modality)
        usable = _usable(examples, arm)
        rest = examples.loc[~usable, ["view_id", "nodule_id"]]
        left_out.append(rest.assign(arm=key, reason="no outline or box, and the arm looks at lesion crops"))
        views[key] = examples[usable].reset_index(drop=True)
        if views[key].empty:
            raise CohortError(
                f"arm {key} has no usable view in cohort {cohort.name}",
                expected=f"labelled {arm.view.modality} views with a mask or box ({len(examples)} views have a label)",
                hint=f"isthmus cohort check {cohort.folder.name}",
            )
    return Cases(cohort, target, views, pd.concat(left_out)[["arm", "view_id", "nodule_id", "reason"]])


def external_cases(protocol: Protocol, folder: Path, own: Cases) -> Cases:
    """Find the cases of a second cohort, whose patients are predicted only.

    Raises
    ------
    CohortError
        When it is the run's own cohort, has another target or other classes, or the own cohort has an external part
        already: two sets of patients would share one name.
    """
    rule = protocol.splits.test
    fixed = int((own.units["fixed_split"] == "external").sum())
    if rule is not None and rule.column and fixed:
        raise CohortError(
            f"cohort {own.cohort.name} has an external part of its own ({fixed} nodules)",
            where=str(folder),
            expected="one external set a run",
            hint="leave out --external, or give splits.test a fraction so that the own split is not used",
        )
    cohort = load_cohort(folder)
    if cohort.fingerprint() == own.cohort.fingerprint():
        raise CohortError("the external cohort is the run's own cohort", where=str(folder), expected="another one")
    cases = find_cases(protocol.model_copy(update={"target": [own.target.name]}), cohort)
    if cases.classes != own.classes:
        raise CohortError(
            f"target {own.target.name} has other classes in the external cohort: {', '.join(cases.classes)}",
            where=str(folder),
            expected=", ".join(own.classes),
        )
    return cases


def _usable(examples: pd.DataFrame, arm: Arm) -> pd.Series:
    if arm.prepare.crop != "lesion":
        return pd.Series(True, index=examples.index)
    return examples["mask"].notna() | examples["box"].notna()


def cache_items(views: pd.DataFrame) -> list[CacheItem]:
    """Return what the picture cache needs to know of each view."""
    columns = ["view_id", "path", "mask", "box", "region"]
    return [
        CacheItem(view_id=view_id, path=path, mask=mask, box=box, scan_area=region)
        for view_id, path, mask, box, region in views[columns].to_numpy(dtype=object).tolist()
    ]


def without_failures(views: pd.DataFrame, failures: Mapping[str, str]) -> pd.DataFrame:
    """Return the views whose pictures could be prepared."""
    return views[~views["view_id"].isin(list(failures))].reset_index(drop=True)
