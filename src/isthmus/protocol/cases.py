"""What a protocol looks at in a cohort: the target, each arm's labelled views, and who was left out and why."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.description import Target
from isthmus.errors import CohortError
from isthmus.imaging.cache import CacheItem
from isthmus.models.join_spec import JoinSpec
from isthmus.protocol.class_checks import check_every_class, check_groups, check_several_classes
from isthmus.protocol.looks import JOINED, look_table, pictures_of
from isthmus.protocol.oracle import FRAMES, with_oracle_frames
from isthmus.protocol.schema import Protocol

UNIT_COLUMNS = ("nodule_id", "patient_id", "group_id", "site", "label")


REGIONS_HINT = (
    "let a localiser propose them (isthmus localiser --help), or look at whole pictures "
    "(--set defaults.prepare.crop=scan_area)"
)
"""What to do where no view has an outline and an arm looks at lesion crops."""


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
    def unit(self) -> Literal["nodule", "patient"]:
        """What one row of the predictions belongs to: what the label does."""
        return self.target.unit

    @property
    def pictures(self) -> pd.DataFrame:
        """One row a view that at least one arm looks at, alone or joined with others."""
        tables = [pictures_of(own) if JOINED in own else [own] for own in self.views.values()]
        return pd.concat([one for own in tables for one in own if len(one)]).drop_duplicates("view_id")

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
        When the cohort has none of the targets, the protocol asks what several classes do not answer, a patient has
        contradictory labels, or an arm has no view.
    """
    name = next((name for name in protocol.target if name in cohort.targets), None)
    if name is None:
        raise CohortError(
            f"cohort {cohort.name} has none of the targets of {protocol.protocol}",
            where="cohort.yaml",
            expected=f"{' or '.join(protocol.target)}; the cohort has {', '.join(cohort.targets) or 'none'}",
            hint=_another_target(list(cohort.targets)),
        )
    target = cohort.targets[name]
    if len(target.classes) > 2:
        check_several_classes(protocol, target)
    views, left_out = find_views(looks_of(protocol), cohort, name)
    check_every_class(views, target)
    check_groups(views, target)
    return Cases(cohort, target, views, left_out)


def _another_target(names: list[str]) -> str:
    """Return what is done where a cohort has these targets, and none that was asked for."""
    if not names:
        return "give the cohort a label: a target in cohort.yaml, or in the map that it is imported by"
    asked = " or ".join(f'--set "target=[{name}]"' for name in names)
    return f"ask for what the cohort has, {asked}; or call its label so in cohort.yaml, where it means the same"


@dataclass(frozen=True)
class Look:
    """What an arm looks at."""

    modality: str
    lesion: bool
    oracle: bool = False
    join: JoinSpec | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """All that it looks at."""
        return (self.modality,) if self.join is None else self.join.modalities


def looks_of(protocol: Protocol) -> dict[str, Look]:
    """Return what each arm of a protocol looks at."""
    return {
        key: Look(arm.view.modality, arm.prepare.crop == "lesion", arm.oracle, arm.view.joined)
        for key, arm in protocol.arms.items()
    }


def find_views(
    looks: Mapping[str, Look], cohort: Cohort, target: str, *, every: bool = True
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return each arm's labelled and usable views, and those that an arm cannot use, with the reason.

    Parameters
    ----------
    looks : mapping
        What each arm looks at.
    cohort : Cohort
        Where the views are.
    target : str
        Whose labels.
    every : bool
        Whether every arm must have a view; else those that have none are left out, if one is left.

    Raises
    ------
    CohortError
        When an arm has no view, or none has.
    """
    views, left_out, lacking = {}, [], list[CohortError]()
    cohort.target(target)
    for key, look in looks.items():
        found, labelled = dict[str, pd.DataFrame](), 0
        try:
            labelled_views = _examples(look, cohort, target)
        except CohortError as error:
            lacking.append(error)
            continue
        for modality, examples in labelled_views.items():
            usable = usable_views(examples, lesion=look.lesion)
            rest = examples.loc[~usable, ["view_id", "nodule_id"]]
            left_out.append(rest.assign(arm=key, reason="no outline or box, and the arm looks at lesion crops"))
            found[modality] = examples[usable].reset_index(drop=True)
            labelled += len(examples)
        if all(one.empty for one in found.values()):
            kinds = " or ".join(look.modalities)
            lacking.append(
                CohortError(
                    f"arm {key} has no usable view in cohort {cohort.name}",
                    expected=f"labelled {kinds} views with a mask or box ({labelled} views have a label)",
                    hint=REGIONS_HINT if labelled else f"isthmus cohort check {cohort.folder.name}",
                )
            )
        elif look.join is None:
            views[key] = with_oracle_frames(found[look.modality], cohort) if look.oracle else found[look.modality]
        else:
            views[key] = look_table(look.join, found, cohort.views)
    if lacking and (every or not views):
        raise lacking[0]
    return views, pd.concat(left_out)[["arm", "view_id", "nodule_id", "reason"]]


def _examples(look: Look, cohort: Cohort, target: str) -> dict[str, pd.DataFrame]:
    """Return the labelled views of each modality; of several a cohort need not have all."""
    if look.join is None:
        return {look.modality: cohort.examples(target, look.modality)}
    found = {}
    for modality in look.modalities:
        with contextlib.suppress(CohortError):
            found[modality] = cohort.examples(target, modality)
    return found


def usable_views(examples: pd.DataFrame, *, lesion: bool) -> pd.Series:
    """Return which views an arm can use: all, or those whose lesion is outlined or boxed where it looks at lesions."""
    if not lesion:
        return pd.Series(True, index=examples.index)
    return examples["mask"].notna() | examples["box"].notna() | examples["frame_boxes"].notna()


def cache_items(views: pd.DataFrame) -> list[CacheItem]:
    """Return what the picture cache needs to know of each view."""
    columns = ["view_id", "path", "mask", "box", "region", "frame_boxes"]
    frames = views[FRAMES].tolist() if FRAMES in views else [None] * len(views)
    rates = [float(rate) if rate > 0 else None for rate in views["frame_rate_hz"].tolist()]
    return [
        CacheItem(
            view_id=view_id, path=path, mask=mask, box=box, scan_area=region, boxes=boxes, frames=chosen,
            frame_rate_hz=rate,
        )
        for (view_id, path, mask, box, region, boxes), chosen, rate in zip(
            views[columns].itertuples(index=False, name=None), frames, rates, strict=True
        )
    ]  # fmt: skip


def without_failures(views: pd.DataFrame, failures: Mapping[str, str]) -> pd.DataFrame:
    """Return the views whose pictures could be prepared."""
    return views[~views["view_id"].isin(list(failures))].reset_index(drop=True)
