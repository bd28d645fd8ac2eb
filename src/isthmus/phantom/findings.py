"""What is true of nodules: the columns of :mod:`isthmus.phantom.latents`, drawn class by class from the table.

Every finding has the table's distribution within its class. Within a class findings hang together in two ways: by one
hidden standard normal factor a nodule (how typical it looks; each finding's correlation with it is in the table), and
by nature: fluid is not perfused, the outline follows from the margin, the backscatter from the echogenicity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri

from isthmus.phantom.frequencies import levels, number
from isthmus.phantom.streams import stream

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]
Columns = dict[str, Any]

MOST_FOCI = {"transverse": 12, "longitudinal": 12, "elsewhere": 20}


def named(places: NDArray[np.integer], names: Sequence[str]) -> "pd.Categorical[str]":
    """Turn numbers of names into a column of names, quick for millions."""
    return pd.Categorical.from_codes(places, categories=pd.Index(list(names)))


def draw_age_and_sex(patients: int, groups: Sequence[str], seed: int) -> Columns:
    """Draw age in years (one decimal) and sex of patients, independent of everything else."""
    low, high = (number("age_years", end, groups) for end in ("low", "high"))
    mean, spread = (number("age_years", moment, groups) for moment in ("mean", "sd"))
    age = np.clip(stream(seed, "age_years").normal(mean, spread, patients), low, high)
    male = stream(seed, "sex").random(patients) < number("sex", "M", groups)
    return {"age_years": np.round(age, 1), "sex": named(male.astype(np.int8), ["F", "M"])}


def draw_findings(kind: Whole, groups: Sequence[Sequence[str]], seed: int, *, calcified: bool = False) -> pd.DataFrame:
    """Draw all latents of nodules.

    Parameters
    ----------
    kind : int array [n]
        The class that each nodule's findings are drawn like.
    groups : sequence of sequence of str
        For each class, the table's groups, the special before the general.
    seed : int
        Same seed and kinds, same findings.
    calcified : bool
        Draw those without any calcification again, until all have some.

    Returns
    -------
    DataFrame
        n rows; one column a latent, codes as categories.
    """
    drawn = [pd.DataFrame(_Draws(kind, groups, seed, 0).columns())]
    place = np.arange(kind.size)
    missing = np.flatnonzero(~_calcified(drawn[0])) if calcified else place[:0]
    while missing.size:
        again = pd.DataFrame(_Draws(kind[missing], groups, seed, len(drawn)).columns())
        good = _calcified(again)
        place[missing[good]] = sum(map(len, drawn)) + np.flatnonzero(good)
        drawn.append(again)
        missing = missing[~good]
    return pd.concat(drawn, ignore_index=True).iloc[place].reset_index(drop=True)


def _calcified(findings: pd.DataFrame) -> NDArray[np.bool_]:
    names = ["punctate_transverse", "punctate_longitudinal", "punctate_elsewhere", "macrocalcifications"]
    found: NDArray[np.bool_] = ((findings[names] > 0).any(axis=1) | (findings["rim_calcification"] > 0)).to_numpy()
    return found


@dataclass(frozen=True)
class _Draws:
    """One draw of all findings of some nodules."""

    kind: Whole
    groups: Sequence[Sequence[str]]
    seed: int
    tries: int

    def columns(self) -> Columns:
        composition, margin = self._code("composition"), self._code("margin")
        cystic = self._within("cystic_fraction", composition, self._codes("composition"))
        return {
            "size_mm": np.clip(self._log_normal("size_mm"), 3, 60),
            "height_to_width": self._height_to_width(),
            "lobe": self._named("lobe", self._code("lobe")),
            "composition": self._named("composition", composition),
            "cystic_fraction": cystic,
            "contrast_db": self._downwards("echogenicity", "contrast_db"),
            "heterogeneity_db": np.clip(self._normal("heterogeneity_db"), 0, 4),
            "margin": self._named("margin", margin),
            "irregularity": self._within("irregularity", margin, self._codes("margin")),
            "edge_mm": self._within("edge_mm", margin, self._codes("margin")),
            "halo": self._present("halo"),
            "macrocalcifications": self._count("macrocalcifications"),
            "rim_calcification": self._strength("rim_calcification"),
            "comet_tails": self._count("comet_tails"),
            **self._punctate(),
            "stiffness_kpa": np.clip(self._log_normal("stiffness_kpa"), 5, 180),
            "stiffness_variation": np.clip(self._normal("stiffness_variation"), 0, 0.6),
            **self._vessels(cystic),
            "arrival_s": np.clip(self._normal("arrival_s"), -3, 5),
            "peak_db": self._downwards("enhancement", "peak_db"),
            "washout": np.clip(self._washout(), 0.4, 3),
            "rim_enhancement": self._strength("rim_enhancement"),
            "core_deficit": self._core_deficit(cystic),
        }

    @cached_property
    def _typical(self) -> Numbers:
        return self._stream("typical").standard_normal(self.kind.size)

    def _stream(self, purpose: str) -> np.random.Generator:
        return stream(self.seed, purpose, self.tries)

    def _score(self, latent: str) -> Numbers:
        """Standard normal, with the table's correlation with the hidden factor."""
        noise = self._stream(latent).standard_normal(self.kind.size)
        try:
            tie = number("conspicuity", latent, ())
        except KeyError:
            return noise
        score: Numbers = tie * self._typical + np.sqrt(1 - tie**2) * noise
        return score

    def _spare(self, latent: str) -> Numbers:
        return self._stream(f"{latent} within").random(self.kind.size)

    def _by_class(self, latent: str, level: str) -> Numbers:
        """The table's number for each nodule's class."""
        return np.array([number(latent, level, chain) for chain in self.groups])[self.kind]

    def _codes(self, latent: str) -> list[str]:
        return list(levels(latent, self.groups[0]))

    def _code_and_rest(self, latent: str) -> tuple[Whole, Numbers]:
        """Draw a code, and where inside the code's share of the distribution the nodule lies, 0 to 1."""
        shares = np.array([list(levels(latent, chain).values()) for chain in self.groups])
        ends = np.cumsum(shares, axis=1)[self.kind]
        place = ndtr(self._score(latent))
        code = np.minimum((place[:, None] >= ends[:, :-1]).sum(axis=1), shares.shape[1] - 1)
        share = shares[self.kind, code]
        start = ends[np.arange(code.size), code] - share
        return code, np.clip((place - start) / np.maximum(share, 1e-12), 0, 1)

    def _code(self, latent: str) -> Whole:
        return self._code_and_rest(latent)[0]

    def _named(self, latent: str, code: Whole) -> "pd.Categorical[str]":
        return named(code, self._codes(latent))

    def _range(self, latent: str, code: Whole, codes: Sequence[str]) -> tuple[Numbers, Numbers]:
        ends = np.array([[number(latent, end, [one]) for one in codes] for end in ("low", "high")])
        return ends[0][code], ends[1][code]

    def _within(self, latent: str, code: Whole, codes: Sequence[str]) -> Numbers:
        low, high = self._range(latent, code, codes)
        return low + (high - low) * self._spare(latent)

    def _downwards(self, coded: str, latent: str) -> Numbers:
        """Draw a number whose ranges fall from the first code to the last, without gaps."""
        code, rest = self._code_and_rest(coded)
        low, high = self._range(latent, code, self._codes(coded))
        return high - (high - low) * rest

    def _normal(self, latent: str) -> Numbers:
        return self._by_class(latent, "mean") + self._by_class(latent, "sd") * self._score(latent)

    def _log_normal(self, latent: str) -> Numbers:
        mean, spread = self._by_class(latent, "mean"), self._by_class(latent, "sd")
        variance = np.log1p((spread / mean) ** 2)
        return np.exp(np.log(mean) - variance / 2 + np.sqrt(variance) * self._score(latent))

    def _present(self, latent: str) -> NDArray[np.bool_]:
        return np.asarray(ndtr(-self._score(latent)) < self._by_class(latent, "present"))

    def _strength(self, latent: str) -> Numbers:
        low, high = (number(latent, end, ()) for end in ("low", "high"))
        return np.where(self._present(latent), low + (high - low) * self._spare(latent), 0.0)

    def _count(self, latent: str, most: int = 4) -> Whole:
        further = self._stream(f"{latent} more").geometric(1 - number(latent, "another", ()), self.kind.size)
        return np.where(self._present(latent), np.minimum(further, most), 0)

    def _height_to_width(self) -> Numbers:
        spread = number("height_to_width", "sd", ())
        mean = 1 + spread * ndtri(self._by_class("height_to_width", "taller_than_wide"))
        return np.clip(mean + spread * self._score("height_to_width"), 0.4, 1.8)

    def _punctate(self) -> Columns:
        more = 1 / (1 + self._by_class("punctate", "mean_beyond_first"))
        foci = np.where(self._present("punctate"), self._stream("punctate more").geometric(more), 0)
        across, along = (self._by_class("punctate", plane) for plane in ("transverse", "longitudinal"))
        transverse = self._stream("punctate transverse").binomial(foci, across)
        longitudinal = self._stream("punctate longitudinal").binomial(foci - transverse, along / (1 - across))
        found = (transverse, longitudinal, foci - transverse - longitudinal)
        return {
            f"punctate_{place}": np.minimum(count, most)
            for count, (place, most) in zip(found, MOST_FOCI.items(), strict=True)
        }

    def _vessels(self, cystic: Numbers) -> Columns:
        pattern = np.array(self._codes("vascularity"))[self._code("vascularity")]
        places = {"vessels_central": ("central", "mixed"), "vessels_peripheral": ("peripheral", "mixed")}
        density = {}
        for latent, patterns in places.items():
            low, high = self._range("vessels", np.isin(pattern, patterns).astype(np.int64), ("absent", "present"))
            density[latent] = low + (high - low) * self._spare(latent)
        density["vessels_central"] = density["vessels_central"] * (1 - cystic)
        return dict(density)

    def _washout(self) -> Numbers:
        return self._by_class("washout", "median") * np.exp(number("washout", "log_sd", ()) * self._score("washout"))

    def _core_deficit(self, cystic: Numbers) -> Numbers:
        middle = logit(self._by_class("core_deficit", "median"))
        dense = expit(middle + number("core_deficit", "logit_sd", ()) * self._score("core_deficit"))
        return np.minimum(1 - (1 - dense) * (1 - cystic), 0.9)
