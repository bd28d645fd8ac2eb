"""Which pictures and clips a virtual cohort has."""

import numpy as np
import pandas as pd

from isthmus.phantom.preset import Preset, ViewPlan
from isthmus.phantom.streams import stream


def draw_views(preset: Preset, nodules: pd.DataFrame, seed: int) -> pd.DataFrame:
    """List the views of nodules.

    Parameters
    ----------
    preset : Preset
        With its plan of views and its sites' kinds of file.
    nodules : DataFrame
        ``nodule_id``, ``patient_id``, ``site``, ``device``, ``has_<modality>``.
    seed : int
        For the lengths of clips.

    Returns
    -------
    DataFrame
        As :class:`isthmus.phantom.patients.Population` says, nodule by nodule. Views of one nodule, plane and
        ``number`` share an ``acquisition_id``: they show the same plane at the same time.
    """
    parts = [_views_of_plan(preset, plan, place, nodules, seed) for place, plan in enumerate(preset.views)]
    views = pd.concat(parts, ignore_index=True).sort_values(["row", "place", "number"], ignore_index=True)
    views.insert(0, "view_id", "V" + pd.Series(np.arange(1, len(views) + 1)).astype(str).str.zfill(6))
    return views.drop(columns=["row", "place"])


def _views_of_plan(preset: Preset, plan: ViewPlan, place: int, nodules: pd.DataFrame, seed: int) -> pd.DataFrame:
    clip = plan.seconds is not None
    files = {name: site.clips if clip else site.stills for name, site in preset.sites.items()}
    shown = np.flatnonzero(nodules[f"has_{plan.modality}"].to_numpy())
    rows = np.repeat(shown, plan.number)
    number = np.tile(np.arange(1, plan.number + 1), shown.size)
    owner = nodules.iloc[rows].reset_index(drop=True)
    low, high = plan.seconds or (np.nan, np.nan)
    length = stream(seed, f"seconds {plan.modality} {plan.plane}").random(len(nodules) * plan.number)
    return pd.DataFrame(
        {
            "nodule_id": owner["nodule_id"],
            "patient_id": owner["patient_id"],
            "exam_id": "E" + owner["patient_id"].str[1:],
            "acquisition_id": owner["nodule_id"] + f"-{plan.plane[0].upper()}" + pd.Series(number).astype(str),
            "modality": plan.modality,
            "plane": plan.plane,
            "device": owner["device"],
            "site": owner["site"],
            "kind": owner["site"].map(files),
            "seconds": np.round(low + (high - low) * length[rows * plan.number + number - 1], 1),
            "frame_rate_hz": np.nan if plan.frame_rate_hz is None else plan.frame_rate_hz,
            "number": number,
            "row": rows,
            "place": place,
        }
    )
