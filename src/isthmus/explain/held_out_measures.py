"""What is measured on held-out views: scores, heat, and where the heat lies; a chunk of views in memory at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.explain.bright_specks import localise_baselines
from isthmus.explain.calcifications import Masks, localise_calcifications, masks_on_crops
from isthmus.explain.clip_localisation import frame_attention, localise_frames
from isthmus.explain.edge_share import EVERY_EDGE_COLUMN, localise_edges
from isthmus.explain.fold_networks import FoldNetwork
from isthmus.explain.frame_share import frame_columns, frame_effects
from isthmus.explain.gradcam import IMAGE
from isthmus.explain.localisation import localise
from isthmus.explain.prepared_heat import frames_share_a_map, heat_of_pixels, maps_to_explain, views_at_once
from isthmus.explain.seen_views import SeenViews, largest_lesion, seen_views
from isthmus.inference.scores import probabilities, view_logits
from isthmus.progress import Progress

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.imaging.preparation import Preparation

HEAT_SIDE = 56
"""Side of the heat maps kept in ``heat.npy``: eight times finer than the last maps of a 224-pixel network."""

_CHUNK = 32
_FIRST = ["view_id", "nodule_id", "group_id", "seed", "fold", "label", "probability", "threshold", "call"]


@dataclass(frozen=True, eq=False)
class Branch:
    """One of the modalities that networks look at side by side.

    Parameters
    ----------
    modality : str
        Which.
    seen : PreparedStore
        What the networks look at: all modalities of each view.
    """

    modality: str
    seen: "PreparedStore"


@dataclass(frozen=True, eq=False)
class HeldOutMeasures:
    """An arm's networks on the views that they never saw.

    Parameters
    ----------
    folds : sequence of FoldNetwork
        Of one seed.
    store : PreparedStore
        The arm's prepared pixels.
    preparation : Preparation
        The arm's.
    classes : mapping
        Class code to shown name; heat is evidence for the last.
    calcifications : callable, optional
        Gives a view's true calcifications.
    device : str
        Where to compute.
    signed : bool
        Whether the evidence against is measured too.
    branch : Branch, optional
        Of networks that look at several modalities, the one whose heat is measured; ``store`` has its pictures alone.
    """

    folds: Sequence[FoldNetwork]
    store: "PreparedStore"
    preparation: "Preparation"
    classes: Mapping[str, str]
    calcifications: Masks | None = None
    device: str = "cpu"
    signed: bool = False
    branch: "Branch | None" = None

    def measure(self, views: pd.DataFrame, progress: Progress | None = None) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
        """Return one row a view, and the heat that is kept: uint8 [N, 56, 56], of clips that of the hottest frame.

        Raises
        ------
        InputError
            When a view is held out twice or is unknown, or there is none.
        """
        _check_folds(self.folds, views)
        facts = views.set_index("view_id")[["nodule_id", "group_id", "label"]]
        total, done = sum(len(fold.held_out_views) for fold in self.folds), 0
        tables: list[pd.DataFrame] = []
        kept: list[NDArray[np.uint8]] = []
        size = views_at_once(self.preparation, _CHUNK)
        for fold in self.folds:
            ids = sorted(fold.held_out_views)
            grid = maps_to_explain(fold.classifier, self.preparation, self.device, self._of).grid
            for start in range(0, len(ids), size):
                chunk = ids[start : start + size]
                table, heat = self._chunk(fold, chunk, grid)
                tables.append(table.join(facts, on="view_id"))
                kept.append(heat)
                done += len(chunk)
                if progress is not None:
                    progress("heat maps", done, total)
        if not tables:
            raise InputError("no held-out view to explain", expected="folds with held_out_views")
        joined = pd.concat(tables, ignore_index=True)
        # The edge of a box is no edge of a lesion.
        drawn = joined["view_id"].map(views.set_index("view_id")["mask"].notna()).to_numpy()
        edges = [name for name in joined.columns if name in EVERY_EDGE_COLUMN]
        joined.loc[~drawn, edges] = np.nan
        return joined[[*_FIRST, *(name for name in joined.columns if name not in _FIRST)]], np.concatenate(kept)

    def heat(self, fold: FoldNetwork, ids: Sequence[str], *, signed: bool = False) -> NDArray[np.float32]:
        """Return the heat of views on the frames seen: float32 [N, T, crop, crop].

        T is 1 of stills, and of frames that share one map.
        """
        store = self._seen
        places = store.rows(ids)
        found = heat_of_pixels(
            [fold.classifier],
            np.asarray(store.pixels[places]),
            self.preparation,
            len(self.classes) - 1,
            masks=np.asarray(store.lesion_masks[places]),
            signed=signed,
            device=self.device,
            of=self._of,
        )
        return found.reshape(len(ids), -1, *found.shape[-2:])

    @property
    def _seen(self) -> "PreparedStore":
        """What the networks look at."""
        return self.store if self.branch is None else self.branch.seen

    @property
    def _of(self) -> str:
        return IMAGE if self.branch is None else self.branch.modality

    def effects(self, fold: FoldNetwork, ids: Sequence[str]) -> NDArray[np.float64]:
        """Return what each frame that is a channel brought to the score: float64 [N, T]."""
        places = self.store.rows(ids)
        return frame_effects(
            [fold.classifier],
            np.asarray(self.store.pixels[places]),
            self.preparation,
            len(self.classes) - 1,
            masks=np.asarray(self.store.lesion_masks[places]),
            flips=fold.flips,
            device=self.device,
        )

    def _chunk(
        self, fold: FoldNetwork, ids: Sequence[str], grid: Sequence[int]
    ) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
        heat, called = self.heat(fold, ids), self._called(fold, ids)
        seen = all_frames = seen_views(self.store, ids, self.preparation)
        on_crops = None
        if self.calcifications is not None:
            on_crops = masks_on_crops(self.store, ids, self.preparation, self.calcifications)
        if frames_share_a_map(self.preparation):
            # One map of all frames is held against that with the largest lesion, which is also drawn.
            place = largest_lesion(all_frames)
            seen = all_frames.only(place)
            on_crops = None if on_crops is None else on_crops[np.arange(len(ids)), place][:, None]
        against = np.maximum(-self.heat(fold, ids, signed=True), 0.0) if self.signed else None
        table = localise(ids, heat, seen.lesions).assign(
            **localise_edges(heat, seen.outlines, grid, against),
            seed=fold.seed,
            fold=fold.fold,
            **called,
        )
        shows: dict[str, NDArray[np.bool_]] = {"lesion": np.asarray(seen.lesions.any(axis=(2, 3)))}
        if on_crops is not None:
            table = table.assign(
                **localise_calcifications(heat, on_crops), **localise_baselines(seen.pictures, on_crops, grid)
            )
            shows["calcified"] = np.asarray(on_crops.any(axis=(2, 3)))
        attention = frame_attention(heat)
        if self.preparation.frames is not None:
            table = table.assign(**_of_frames(attention, seen, shows))
        if frames_share_a_map(self.preparation):
            table = table.assign(**frame_columns(self.effects(fold, ids), all_frames.frames))
        hottest = heat[np.arange(len(heat)), np.nan_to_num(attention).argmax(axis=1)]
        side = min(HEAT_SIDE, self.preparation.crop_size)
        small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in hottest]
        return table, np.round(np.stack(small) * 255).astype(np.uint8)

    def _called(self, fold: FoldNetwork, ids: Sequence[str]) -> dict[str, Any]:
        """Return the calibrated probability of the last class, what it is held against, and the call.

        That is the threshold; of several classes the largest probability of another one.
        """
        store = self._seen
        places = store.rows(ids)
        logits = view_logits(
            fold.classifier,
            np.asarray(store.pixels[places]),
            self.preparation,
            device=self.device,
            masks=np.asarray(store.lesion_masks[places]),
            flips=fold.flips,
            frame_scores=fold.frame_scores,
        )
        values, codes = probabilities(logits, fold.log_prior_shift), list(self.classes)
        if len(codes) > 2:
            values = values if fold.calibration is None else fold.calibration.apply(values)
            call = np.asarray(codes, dtype=object)[values.argmax(axis=1)]
            return {"probability": values[:, -1], "threshold": values[:, :-1].max(axis=1), "call": call}
        score = values[:, -1] if fold.calibration is None else fold.calibration.apply(values[:, -1])
        call = np.where(score >= fold.threshold, codes[-1], codes[0])
        return {"probability": score, "threshold": fold.threshold, "call": call}


def _of_frames(
    attention: NDArray[np.float64], seen: SeenViews, shows: dict[str, NDArray[np.bool_]]
) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    if attention.shape[1] == 1:
        return {"frame": seen.frames[:, 0]}
    return localise_frames(attention, seen.frames, shows)


def _check_folds(folds: Sequence[FoldNetwork], views: pd.DataFrame) -> None:
    known, seen = set(views["view_id"]), set[tuple[int, str]]()
    for fold in folds:
        for view in fold.held_out_views:
            if view not in known:
                raise InputError(f"view '{view}' is not in the cohort", where=f"seed {fold.seed}, fold {fold.fold}")
            if (fold.seed, view) in seen:
                raise InputError(f"view '{view}' is held out by two folds", where=f"seed {fold.seed}")
            seen.add((fold.seed, view))
