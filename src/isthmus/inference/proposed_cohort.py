"""A copy of a cohort in which a localiser proposes the regions that nobody drew, each marked as proposed.

Views of one group are looked at together: a part that saw one of the group's pictures in training proposes nothing for
any of them. Where a localiser is asked about the cohort it was trained on, its proposals are therefore out-of-fold.
"""

import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.cohort.description import read_description, write_description
from isthmus.errors import CohortError, OutputError, PictureError
from isthmus.files import new_folder, refuse_existing, writing
from isthmus.imaging.read import read_clip
from isthmus.inference.localiser import Localiser, picture_key
from isthmus.inference.proposed_views import ASKED, ProposedView, propose_clip, propose_still, source_of
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.progress import Progress
from isthmus.tables.check import write_table

TABLE = "proposals.csv"
# What told of the source cohort's making, and tables that are written anew.
_NOT_COPIED = (
    "manifest.json",
    "timing.json",
    "views.csv",
    "views.parquet",
    "cohort.yaml",
    "boxes.csv",
    "boxes.parquet",
    TABLE,
    "check.html",
    "check.json",
)


@dataclass(frozen=True)
class ProposedCohort:
    """What :func:`propose_regions` left: the folder and a line for each view."""

    folder: Path
    views: list[ProposedView]

    def counts(self) -> dict[str, int]:
        """Return how many views came to which outcome."""
        found = pd.Series([view.outcome for view in self.views], dtype="str").value_counts()
        return {str(name): int(count) for name, count in found.items()}

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints with ``--json``."""
        return {"notice": DISCLAIMER, "cohort": str(self.folder), "views": self.counts()}


def propose_regions(
    localiser: Localiser,
    cohort: Cohort,
    destination: Path,
    *,
    everything: bool = False,
    progress: Progress | None = None,
) -> ProposedCohort:
    """Copy a cohort and fill in regions.

    Parameters
    ----------
    localiser : Localiser
        From :func:`isthmus.inference.localiser.load_localiser`.
    cohort : Cohort
        Where regions are missing.
    destination : Path
        The folder to make: a cohort like any other, and ``proposals.csv`` with a line for each view.
    everything : bool
        True proposes for every B-mode still and clip, also those with a drawn region: what a model makes of pictures
        that nobody outlines. A view in which nothing is found then has no region left.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    ProposedCohort

    Raises
    ------
    CohortError
        When the cohort holds no B-mode still or clip.
    OutputError
        When the destination exists, or lies inside the cohort.
    """
    _check_views(cohort)
    destination = Path(destination)
    refuse_existing(destination)
    if destination.absolute().is_relative_to(cohort.folder):
        raise OutputError("the new cohort would lie inside the old one", where=str(destination), hint="choose another")
    record = Manifest(
        "localiser propose", {"localiser": localiser.facts(), "cohort": _named(cohort), "all": everything}
    )
    with new_folder(destination) as folder:
        _copy(cohort.folder, folder)
        with record.stage("propose"):
            views, boxes, told = _propose_all(localiser, cohort, folder, everything, progress)
        write_table(folder / "views.csv", views)
        if len(boxes):
            write_table(folder / "boxes.csv", boxes)
        write_table(folder / TABLE, pd.DataFrame([asdict(one) for one in told]))
        done = ProposedCohort(destination, told)
        _describe(cohort, folder, localiser, done, everything)
        load_cohort(folder)  # what we write keeps our own contract, or is not written
        record.facts["views"] = done.counts()
        record.write(folder, [path for path in folder.iterdir() if path.is_file()])
    return done


def _check_views(cohort: Cohort) -> None:
    kinds = cohort.views["modality"].value_counts()
    if not set(ASKED) & set(kinds.index):
        raise CohortError(
            f"no B-mode among {', '.join(f'{count} {kind} views' for kind, count in kinds.items())}",
            where=cohort.name,
            expected=" or ".join(ASKED),
            hint="outline them with a tool of your own",
        )


def _named(cohort: Cohort) -> dict[str, str]:
    return {"name": cohort.name, "fingerprint": cohort.fingerprint()}


def _copy(source: Path, folder: Path) -> None:
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if path.is_file() and str(inside) not in _NOT_COPIED:
            target = folder / inside
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def _propose_all(
    localiser: Localiser, cohort: Cohort, folder: Path, everything: bool, progress: Progress | None
) -> tuple[pd.DataFrame, pd.DataFrame, list[ProposedView]]:
    views = cohort.views.copy()
    for column in ("mask", "box", "region_source"):
        if column not in views:
            views[column] = None
        views[column] = views[column].astype(object)
    groups = views["nodule_id"].map(dict(zip(cohort.nodules["nodule_id"], cohort.nodules["group_id"], strict=True)))
    told: dict[Any, ProposedView] = {}
    boxes = pd.DataFrame(columns=["view_id", "frame", "box"]) if cohort.boxes is None else cohort.boxes
    boxed = set(boxes["view_id"])
    new: list[dict[str, Any]] = []
    for _, members in views.groupby(groups, sort=True):
        chosen = [index for index in members.index if _is_asked(members.loc[index], boxed, everything)]
        parts = _blind_parts(localiser, cohort, members) if chosen else []
        for index in members.index:
            if index not in chosen:
                told[index] = _kept(views.loc[index])
            elif views.loc[index, "modality"] == "cine":
                told[index] = propose_clip(localiser, cohort, views, index, parts, new)
            else:
                told[index] = propose_still(localiser, cohort, folder, views, index, parts)
            if progress is not None:
                progress("views", len(told), len(views))
    # What was drawn of a view that was asked anew is gone, as its mask and box are.
    gone = {view.view_id for view in told.values() if view.outcome in ("proposed", "not found")}
    left = boxes[~boxes["view_id"].isin(gone)]
    return views, pd.concat([left, pd.DataFrame(new, columns=left.columns)]), [told[index] for index in views.index]


def _is_asked(row: pd.Series, boxed: Collection[str], everything: bool) -> bool:
    if row["modality"] not in ASKED:
        return False
    return everything or (pd.isna(row["mask"]) and pd.isna(row["box"]) and row["view_id"] not in boxed)


def _kept(row: pd.Series) -> ProposedView:
    outcome = "kept" if row["modality"] in ASKED else "not asked"
    return ProposedView(str(row["view_id"]), outcome, source_of(row))


def _blind_parts(localiser: Localiser, cohort: Cohort, members: pd.DataFrame) -> list[int]:
    """Return the parts that saw no picture of this group."""
    keys = []
    for path in members.loc[members["modality"] == "bmode", "path"].drop_duplicates():
        try:
            keys.append(picture_key(read_clip(cohort.folder / path, frames=[0]).frames[0]))
        except PictureError:
            continue  # told where its view is asked
    return localiser.parts_for(keys)


def _describe(cohort: Cohort, folder: Path, localiser: Localiser, done: ProposedCohort, everything: bool) -> None:
    counts = done.counts()
    asked = "every B-mode view was asked for" if everything else "views without a drawn region were asked for"
    remark = (
        f"Regions: {counts.get('proposed', 0)} proposed by {localiser.spec.name} "
        f"({localiser.spec.fingerprint()[:12]}), {counts.get('kept', 0)} kept as they were, "
        f"{counts.get('not found', 0)} not found and left without; {asked}. No part judged a group that it had seen."
    )
    description = read_description(cohort.folder)
    write_description(folder, description.model_copy(update={"remarks": [*description.remarks, remark]}))
