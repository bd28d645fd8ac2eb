"""What a reader writes down of a nodule: the cohort's descriptor columns, with the errors that readers make."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.phantom.frequencies import number
from isthmus.phantom.streams import stream

NEIGHBOURS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "composition": {
        "cystic": ("predominantly_cystic",),
        "spongiform": ("mixed", "predominantly_cystic"),
        "predominantly_cystic": ("cystic", "mixed", "spongiform"),
        "mixed": ("predominantly_cystic", "predominantly_solid", "spongiform"),
        "predominantly_solid": ("solid", "mixed"),
        "solid": ("predominantly_solid",),
    },
    "echogenicity": {
        "anechoic": ("very_hypoechoic",),
        "hyperechoic": ("isoechoic",),
        "isoechoic": ("hypoechoic", "hyperechoic"),
        "hypoechoic": ("isoechoic", "very_hypoechoic"),
        "very_hypoechoic": ("hypoechoic",),
    },
    "shape": {"wider_than_tall": ("taller_than_wide",), "taller_than_wide": ("wider_than_tall",)},
    "margin": {
        "smooth": ("ill_defined", "lobulated"),
        "ill_defined": ("smooth", "irregular"),
        "lobulated": ("irregular", "smooth"),
        "irregular": ("lobulated", "ill_defined"),
        "extrathyroidal_extension": ("irregular", "ill_defined"),
    },
}
"""What a code is taken for."""

FOCI: Final[Mapping[str, tuple[str, ...]]] = {
    "comet_tail": ("comet_tails",),
    "macrocalcifications": ("macrocalcifications",),
    "peripheral_calcifications": ("rim_calcification",),
    "punctate": ("punctate_transverse", "punctate_longitudinal", "punctate_elsewhere"),
}
"""Each code of ``echogenic_foci`` and the latents that it stands for."""

Codes = NDArray[np.object_]


def true_codes(nodules: pd.DataFrame) -> dict[str, Codes]:
    """Return the codes that follow from latents: what a faultless reader of the whole nodule would write.

    Parameters
    ----------
    nodules : DataFrame
        n rows of latents.

    Returns
    -------
    dict of str to object array [n]
        ``composition``, ``echogenicity``, ``shape``, ``margin``.
    """
    composition = nodules["composition"].astype(str).to_numpy(dtype=object)
    darker = ("hyperechoic", "isoechoic", "hypoechoic", "very_hypoechoic")
    lowest = np.array([number("contrast_db", "low", [code]) for code in darker[:-1]])
    level = (nodules["contrast_db"].to_numpy()[:, None] < lowest).sum(axis=1)
    tall = nodules["height_to_width"].to_numpy() > 1
    return {
        "composition": composition,
        "echogenicity": np.where(composition == "cystic", "anechoic", np.array(darker, dtype=object)[level]),
        "shape": np.where(tall, "taller_than_wide", "wider_than_tall").astype(object),
        "margin": nodules["margin"].astype(str).to_numpy(dtype=object),
    }


def describe(nodules: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw one reader's description of each nodule.

    With kappa the published agreement of two readers, a reader sees a finding rightly with probability sqrt(kappa) and
    else guesses, among the code and those it is taken for, by how common they are: two such readers agree beyond chance
    as often as published where every code may be guessed, and about as often elsewhere.

    Parameters
    ----------
    nodules : DataFrame
        ``nodule_id`` and latents.
    seed : int
        Same seed, same description.

    Returns
    -------
    DataFrame
        ``nodule_id``, ``size_mm`` as measured, and the coded descriptors of contract 1.
    """
    error = number("size_error", "relative_sd", ()) * stream(seed, "measured size").standard_normal(len(nodules))
    measured = np.round(nodules["size_mm"].to_numpy() * np.maximum(1 + error, 0.5), 1)
    seen = {name: _misread(codes, name, seed) for name, codes in true_codes(nodules).items()}
    return pd.DataFrame(
        {"nodule_id": nodules["nodule_id"], "size_mm": measured, **seen, "echogenic_foci": _foci(nodules, seed)}
    )


def _misread(codes: Codes, name: str, seed: int) -> Codes:
    random = stream(seed, f"reading {name}")
    unsure = random.random(codes.size) >= np.sqrt(number("agreement", name, ()))
    place = random.random(codes.size)
    read = codes.copy()
    rates = {code: float((codes == code).mean()) for code in NEIGHBOURS[name]}
    for code, others in NEIGHBOURS[name].items():
        rows = np.flatnonzero(unsure & (codes == code))
        near = (code, *others)
        ends = np.cumsum([rates[one] for one in near]) / max(sum(rates[one] for one in near), 1e-12)
        read[rows] = np.array(near, dtype=object)[(place[rows, None] >= ends[:-1]).sum(axis=1)]
    return read


def _foci(nodules: pd.DataFrame, seed: int) -> list[str]:
    """Each kind of focus is seen or missed by itself; where a reader is not sure, the guess has the kind's rate."""
    seen = {}
    for code, columns in FOCI.items():
        there = (nodules[list(columns)] > 0).any(axis=1).to_numpy()
        random = stream(seed, f"reading {code}")
        unsure = random.random(there.size) >= np.sqrt(number("agreement", code, ()))
        seen[code] = np.where(unsure, random.random(there.size) < there.mean(), there)
    found = np.column_stack(list(seen.values()))
    names = np.array(list(seen))
    return [" ".join(names[row]) if row.any() else "none" for row in found]
