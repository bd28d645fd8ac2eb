"""What a localiser learns from: outlined B-mode stills of one or several cohorts, dealt into folds by group.

Regions that a program proposed teach nothing and judge nothing. Views with a box but no outline judge and do not teach.
Two views of one picture with two outlined nodules teach one picture with both.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.cohort import Cohort
from isthmus.errors import CohortError, PictureError
from isthmus.imaging.clip import Box, Clip, Lesion
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import prepare
from isthmus.imaging.read import read_clip, read_mask
from isthmus.imaging.region import find_scan_area
from isthmus.inference.proposal import picture_key
from isthmus.progress import Progress
from isthmus.tables.cohort import parse_box
from isthmus.training.seeds import seed_of


@dataclass(frozen=True)
class LocaliserView:
    """A view with a drawn region.

    Parameters
    ----------
    cohort : int
        Which of the cohorts, counted from 0.
    view_id, site : str
        As in its cohort.
    group : str
        Of the split: tied across cohorts by identical pictures; names no patient.
    path : Path
        The picture.
    mask : Path or None
        Its outline.
    box : Box or None
        Where there is no outline.
    region : Box
        The scan area, or the panel that holds the lesion.
    picture : str
        Key of the decoded picture.
    size_mm : float
        NaN where the cohort does not say.
    nodules : int
        Views with this picture and region: outlined nodules in it.
    """

    cohort: int
    view_id: str
    site: str
    group: str
    path: Path
    mask: Path | None
    box: Box | None
    region: Box
    picture: str
    size_mm: float
    nodules: int = 1

    def clip(self) -> Clip:
        """Read the picture; its scan area is set, its lesion is not."""
        clip = read_clip(self.path)
        return dataclasses.replace(clip, scan_area=self.region, panels=())

    def lesion(self) -> Lesion:
        """Read the drawn outline, or take the drawn box."""
        return Lesion.still(box=self.box) if self.mask is None else Lesion.still(mask=read_mask(self.mask))


@dataclass(frozen=True)
class Gathered:
    """The views of all cohorts, and those that could not be used: (cohort, view_id, reason)."""

    views: list[LocaliserView]
    left_out: list[tuple[int, str, str]]


def gather_views(cohorts: Sequence[Cohort], progress: Progress | None = None) -> Gathered:
    """Read every outlined or boxed B-mode still once.

    Raises
    ------
    CohortError
        When no cohort has a view with an outline.
    """
    rows = [(number, row) for number, cohort in enumerate(cohorts) for row in _rows(cohort)]
    if not any(row["mask"] is not None for _, row in rows):
        raise CohortError(
            "no B-mode still with a drawn outline: there is nothing to learn from",
            where=", ".join(cohort.name for cohort in cohorts), expected="views with a mask and region_source drawn",
            hint="import masks with the pictures, or give another --cohort",
        )  # fmt: skip
    views: list[LocaliserView] = []
    left_out: list[tuple[int, str, str]] = []
    for done, (number, row) in enumerate(rows, start=1):
        try:
            views.append(_view(number, cohorts[number], row))
        except PictureError as error:
            left_out.append((number, str(row["view_id"]), error.what))
        if progress is not None:
            progress("pictures", done, len(rows))
    return Gathered(_tied(views), left_out)


def _rows(cohort: Cohort) -> list[dict[str, object]]:
    views = cohort.views[cohort.views["modality"] == "bmode"].reindex(
        columns=["view_id", "nodule_id", "path", "mask", "box", "region", "region_source"]
    )
    drawn = ~views["region_source"].isin(["proposed", "whole"]) & (views["mask"].notna() | views["box"].notna())
    nodules = cohort.nodules.reindex(columns=["nodule_id", "patient_id", "group_id", "size_mm"])
    joined = views[drawn].merge(nodules, on="nodule_id").merge(cohort.patients[["patient_id", "site"]], on="patient_id")
    plain = joined.sort_values("view_id").astype(object)
    return plain.where(plain.notna(), None).to_dict("records")  # type: ignore[return-value]


def _view(number: int, cohort: Cohort, row: dict[str, object]) -> LocaliserView:
    path = cohort.folder / str(row["path"])
    clip = read_clip(path)
    if len(clip.frames) != 1:
        raise PictureError(f"it has {len(clip.frames)} frames", expected="a still")
    mask = None if row["mask"] is None else cohort.folder / str(row["mask"])
    box = None if mask is not None or row["box"] is None else parse_box(row["box"])
    region = None if row["region"] is None else parse_box(row["region"])
    lesion = Lesion.still(box=box) if mask is None else Lesion.still(mask=read_mask(mask))
    bounds = lesion.boxes()[0]
    if np.isnan(bounds).any():
        raise PictureError("the outline is empty", expected="the lesion in white on black")
    dataclasses.replace(clip, lesion=lesion)  # a mask of another size is refused here
    if region is None:
        area = find_scan_area(clip.frames[0]) if clip.scan_area is None else None
        middle = (float(bounds[0] + bounds[2]) / 2, float(bounds[1] + bounds[3]) / 2)
        region = area.panel_at(*middle) if area is not None else clip.scan_area
    assert region is not None
    size = row["size_mm"]
    return LocaliserView(
        cohort=number, view_id=str(row["view_id"]), site=str(row["site"]), group=f"{number}\x1f{row['group_id']}",
        path=path, mask=mask, box=box, region=region, picture=picture_key(clip.frames[0]),
        size_mm=float("nan") if size is None else float(str(size)),
    )  # fmt: skip


def _tied(views: list[LocaliserView]) -> list[LocaliserView]:
    """Join groups that share a picture, number them, and count the nodules of each picture's region."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    for view in views:
        one, other = sorted((find(view.group), find(f"picture {view.picture}")))
        root[other] = one
    names = {name: f"g{place}" for place, name in enumerate(dict.fromkeys(find(view.group) for view in views))}
    counts: dict[tuple[str, Box], int] = {}
    for view in views:
        counts[view.picture, view.region] = counts.get((view.picture, view.region), 0) + 1
    return [
        dataclasses.replace(view, group=names[find(view.group)], nodules=counts[view.picture, view.region])
        for view in views
    ]


def deal_folds(views: Sequence[LocaliserView], folds: int, seed: int) -> dict[str, int]:
    """Deal whole groups into folds, those of a cohort and of like nodule size evenly.

    Returns
    -------
    dict of str to int
        Group to the fold that holds it out.

    Raises
    ------
    CohortError
        When a fold would have nobody to learn from or nobody to judge.
    """
    frame = pd.DataFrame(
        {"group": [v.group for v in views], "cohort": [v.cohort for v in views], "share": [_share(v) for v in views]}
    )
    groups = frame.groupby("group", sort=False).agg(cohort=("cohort", "min"), share=("share", "median"))
    outlined = {view.group for view in views if view.mask is not None}
    if len(outlined) < folds:
        raise CohortError(
            f"{len(outlined)} groups with outlines for {folds} folds", expected=f"at least {folds}",
            hint="use fewer --folds, or add a cohort with outlines",
        )  # fmt: skip
    generator = np.random.default_rng(seed_of(seed, "folds"))
    groups["draw"] = generator.random(len(groups))
    groups["outlined"] = groups.index.isin(list(outlined))
    # Thirds of size, so that chance decides within a third and not between small and large.
    groups["third"] = (groups.groupby("cohort")["share"].rank(pct=True) * 3).clip(upper=2.999).astype(int)
    order = groups.sort_values(["outlined", "cohort", "third", "draw"])
    return {str(group): place % folds for place, group in enumerate(order.index)}


def _share(view: LocaliserView) -> float:
    x0, y0, x1, y1 = view.region
    bounds = view.lesion().boxes()[0]
    return float((bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) / ((x1 - x0) * (y1 - y0)))


@dataclass(frozen=True, eq=False)
class Outlined:
    """Prepared training pictures: pixels uint8 [N, 1, S, S, 1], masks uint8 [N, S, S] of all nodules, groups [N]."""

    pixels: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    groups: list[str]


def prepare_outlined(
    views: Sequence[LocaliserView], preparation: Preparation, progress: Progress | None = None
) -> Outlined:
    """Prepare each outlined picture once, with the outlines of all its views joined."""
    pictures: dict[tuple[str, Box], list[LocaliserView]] = {}
    for view in views:
        if view.mask is not None:
            pictures.setdefault((view.picture, view.region), []).append(view)
    pixels, masks = [], []
    for done, members in enumerate(pictures.values(), start=1):
        drawn = [outline for member in members if (outline := member.lesion().mask) is not None]
        mask = np.asarray(np.stack(drawn).any(axis=0), np.bool_)
        prepared = prepare(dataclasses.replace(members[0].clip(), lesion=Lesion(mask=mask)), preparation)
        pixels.append(prepared.pixels)
        masks.append(prepared.lesion_mask[0].astype(np.uint8))
        if progress is not None:
            progress("outlines", done, len(pictures))
    return Outlined(np.stack(pixels), np.stack(masks), [members[0].group for members in pictures.values()])
