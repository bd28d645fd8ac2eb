"""A copy of a cohort in which a localiser proposes the regions that nobody drew, each marked as proposed.

Views of one group are looked at together: a part that saw one of the group's pictures in training proposes nothing for
any of them. Where a localiser is asked about the cohort it was trained on, its proposals are therefore out-of-fold.
"""

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.cohort.description import read_description, write_description
from isthmus.errors import CohortError, IsthmusError, OutputError, PictureError
from isthmus.files import new_folder, refuse_existing, writing
from isthmus.imaging.clip import Clip
from isthmus.imaging.read import read_clip, write_mask
from isthmus.inference.localiser import Localiser, picture_key, scan_areas
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.tables.check import write_table
from isthmus.tables.cohort import format_box, parse_box

Progress = Callable[[str, int, int], None]
TABLE, MASKS = "proposals.csv", "proposed_masks"
# What told of the source cohort's making, and tables that are written anew.
_NOT_COPIED = (
    "manifest.json",
    "timing.json",
    "views.csv",
    "views.parquet",
    "cohort.yaml",
    TABLE,
    "check.html",
    "check.json",
)


@dataclass(frozen=True)
class ProposedView:
    """What became of a view.

    Parameters
    ----------
    view_id : str
        As in the cohort.
    outcome : str
        ``proposed``, ``not found``, ``kept`` (a region was there), ``not a still`` (another modality or a clip) or
        ``unreadable``.
    before : str
        The region's source before: ``drawn``, ``proposed``, ``whole`` or nothing.
    confidence, agreement : float or None
        Of a proposal.
    parts : str
        Which parts were asked, e.g. ``0 2``; fewer than all where some saw the group in training.
    others : int or None
        Further components that were not proposed.
    detail : str
        Why, where there is no proposal.
    """

    view_id: str
    outcome: str
    before: str
    confidence: float | None = None
    agreement: float | None = None
    parts: str = ""
    others: int | None = None
    detail: str = ""


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
        True proposes for every B-mode still, also those with a drawn region: what a model makes of pictures that
        nobody outlines. A view in which nothing is found then has no region left.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    ProposedCohort

    Raises
    ------
    CohortError
        When the cohort holds no B-mode still: clips are not read.
    OutputError
        When the destination exists, or lies inside the cohort.
    """
    _check_stills(cohort)
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
            views, told = _propose_all(localiser, cohort, folder, everything, progress)
        write_table(folder / "views.csv", views)
        write_table(folder / TABLE, pd.DataFrame([asdict(one) for one in told]))
        done = ProposedCohort(destination, told)
        _describe(cohort, folder, localiser, done, everything)
        load_cohort(folder)  # what we write keeps our own contract, or is not written
        record.facts["views"] = done.counts()
        record.write(folder, [path for path in folder.iterdir() if path.is_file()])
    return done


def _check_stills(cohort: Cohort) -> None:
    kinds = cohort.views["modality"].value_counts()
    if "bmode" not in kinds:
        raise CohortError(
            f"no still among {', '.join(f'{count} {kind} views' for kind, count in kinds.items())}",
            where=cohort.name,
            expected="bmode views: the localiser reads stills, and a clip's region is of many frames",
            hint="outline the clips; of a single one `isthmus predict BUNDLE CLIP --localiser FOLDER` asks it",
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
) -> tuple[pd.DataFrame, list[ProposedView]]:
    views = cohort.views.copy()
    for column in ("mask", "box", "region_source"):
        if column not in views:
            views[column] = None
        views[column] = views[column].astype(object)
    groups = views["nodule_id"].map(dict(zip(cohort.nodules["nodule_id"], cohort.nodules["group_id"], strict=True)))
    told: dict[Any, ProposedView] = {}
    for _, members in views.groupby(groups, sort=True):
        chosen = [index for index in members.index if _is_asked(members.loc[index], everything)]
        parts = _blind_parts(localiser, cohort, members) if chosen else []
        for index in members.index:
            told[index] = (
                _one(localiser, cohort, folder, views, index, parts) if index in chosen else _kept(views.loc[index])
            )
            if progress is not None:
                progress("views", len(told), len(views))
    return views, [told[index] for index in views.index]


def _is_asked(row: pd.Series, everything: bool) -> bool:
    if row["modality"] != "bmode":
        return False
    return everything or (pd.isna(row["mask"]) and pd.isna(row["box"]))


def _kept(row: pd.Series) -> ProposedView:
    outcome = "kept" if row["modality"] == "bmode" else "not a still"
    return ProposedView(str(row["view_id"]), outcome, _source(row))


def _source(row: pd.Series) -> str:
    return "" if pd.isna(row["region_source"]) else str(row["region_source"])


def _blind_parts(localiser: Localiser, cohort: Cohort, members: pd.DataFrame) -> list[int]:
    """Return the parts that saw no picture of this group."""
    keys = []
    for path in members.loc[members["modality"] == "bmode", "path"].drop_duplicates():
        try:
            keys.append(picture_key(read_clip(cohort.folder / path, frames=[0]).frames[0]))
        except PictureError:
            continue  # told where its view is asked
    return localiser.parts_for(keys)


def _one(
    localiser: Localiser, cohort: Cohort, folder: Path, views: pd.DataFrame, index: Any, parts: Sequence[int]
) -> ProposedView:
    row = views.loc[index]
    name, before = str(row["view_id"]), _source(row)
    asked = " ".join(map(str, parts))
    try:
        clip = _clip(cohort, row)
        if len(clip.frames) != 1:
            return ProposedView(name, "not a still", before, detail=f"{len(clip.frames)} frames")
        proposal = localiser.propose(clip, parts=parts)
    except PictureError as error:
        return ProposedView(name, "unreadable", before, detail=str(IsthmusError(error.what, expected=error.expected)))
    # Whatever was drawn is gone now: a view is never half drawn and half proposed.
    views.loc[index, ["mask", "box"]] = None
    views.loc[index, "region_source"] = "whole" if before == "whole" else None
    if proposal is None:
        why = "nothing found above the least confidence" if parts else "every part saw a picture of this group"
        return ProposedView(name, "not found", before, parts=asked, detail=why)
    mask = f"{MASKS}/{views.index.get_loc(index):06d}.png"  # a view's id need not be a file name
    write_mask(folder / mask, proposal.mask)
    views.loc[index, ["mask", "box", "region_source"]] = [mask, format_box(proposal.box), "proposed"]
    return ProposedView(
        name, "proposed", before, round(proposal.confidence, 6), round(proposal.agreement, 6), asked, proposal.others
    )


def _clip(cohort: Cohort, row: pd.Series) -> Clip:
    clip = read_clip(cohort.folder / str(row["path"]))
    if "region" in row and not pd.isna(row["region"]):
        return dataclasses.replace(clip, scan_area=parse_box(row["region"]), panels=())
    areas = scan_areas(clip)
    if "panel" in row and row["panel"] in ("left", "right") and len(areas) == 2:
        return dataclasses.replace(clip, scan_area=areas[0 if row["panel"] == "left" else 1], panels=())
    return clip


def _describe(cohort: Cohort, folder: Path, localiser: Localiser, done: ProposedCohort, everything: bool) -> None:
    counts = done.counts()
    asked = "every B-mode still was asked for" if everything else "stills without a drawn region were asked for"
    remark = (
        f"Regions: {counts.get('proposed', 0)} proposed by {localiser.spec.name} "
        f"({localiser.spec.fingerprint()[:12]}), {counts.get('kept', 0)} kept as they were, "
        f"{counts.get('not found', 0)} not found and left without; {asked}. No part judged a group that it had seen."
    )
    description = read_description(cohort.folder)
    write_description(folder, description.model_copy(update={"remarks": [*description.remarks, remark]}))
