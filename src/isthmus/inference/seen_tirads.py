"""ACR TI-RADS of what a network sees: the likeliest findings, their points, the level and its published risk."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from isthmus.cohort.tirads import ACR, grade
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.descriptors import ABSENT
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.tables.predictions import asks_for_malignancy
from isthmus.tables.vocabulary import MULTI_VALUED

PRESENT: Final = 0.5
"""From this probability on a finding of a multi-valued descriptor is said to be there."""


@dataclass(frozen=True)
class SeenTirads:
    """ACR points and level of the likeliest findings; from the fewest to the most where a descriptor is open.

    Parameters
    ----------
    points : tuple of int
        Fewest and most.
    levels : tuple of str
        Lowest and highest.
    risk : tuple of float or None
        Published risks of malignancy of these levels (Middleton 2017): those of other patients, no probability of the
        model's. None beside a model whose label is not malignancy, or was graded by readers.
    open : tuple of str
        Descriptors that the network was not taught, or whose likeliest finding has no points of its own.
    """

    points: tuple[int, int]
    levels: tuple[str, str]
    risk: tuple[float, float] | None
    open: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Points, level and published risk where there is one, and what they leave open."""
        low, high = self.levels
        level = f"{low}, {_of(low).words}" if low == high else f"{low} to {high}"
        left = ", ".join(name.replace("_", " ") for name in self.open)
        risk = ""
        if self.risk is not None:
            risk = f" (published risk of malignancy {_between(*(_percent(value) for value in self.risk))} %)"
        points = f"ACR table suggests {_between(*map(str, self.points))} points"
        return f"{points}, {level}{risk}" + (f"; open: {left}" if left else "")

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with the sources."""
        facts = {name: list(value) for name, value in asdict(self).items() if value is not None}
        sources = {"system": ACR.name, "source": ACR.source}
        sources |= {"risk_source": ACR.risk_source} if self.risk is not None else {}
        return {**sources, **facts, "words": self.words}


def seen_tirads(found: Mapping[str, Mapping[str, float]], *, risks: bool = True) -> SeenTirads | None:
    """Return points and level of the likeliest findings of a picture or nodule; None where no descriptor is given.

    Parameters
    ----------
    found : mapping
        Descriptor to code to probability, as :class:`isthmus.inference.prediction.Prediction` has them.
    risks : bool
        Whether the published risks of malignancy may stand beside them.

    Examples
    --------
    >>> seen_tirads({"composition": {"spongiform": 0.9, "solid": 0.1}}).levels
    ('TR1', 'TR1')
    """
    if not found:
        return None
    codes = {name: likeliest(name, list(own), [list(own.values())]) for name, own in found.items()}
    row = grade(pd.DataFrame(codes), ACR).iloc[0]
    low, high = str(row["low"]), str(row["high"])
    # A spongiform nodule has no points whatever else is open.
    left = () if row["points_low"] == row["points_high"] else tuple(str(row["missing"]).split())
    risk = (_of(low).risk[0], _of(high).risk[1]) if risks else None
    return SeenTirads((int(row["points_low"]), int(row["points_high"])), (low, high), risk, left)


def tirads_beside(spec: BundleSpec | FusedBundleSpec, found: Mapping[str, Mapping[str, float]]) -> SeenTirads | None:
    """Return what is seen as it stands beside a model's answer: with risks only where it was taught malignancy.

    Parameters
    ----------
    spec : BundleSpec or FusedBundleSpec
        Of the model. Labels graded by readers are no malignancy, whatever the target is called.
    found : mapping
        As for :func:`seen_tirads`.
    """
    return seen_tirads(found, risks=spec.cohort.reference != "tirads" and asks_for_malignancy(spec.target))


def likeliest(descriptor: str, codes: Sequence[str], probabilities: ArrayLike) -> list[str]:
    """Return the likeliest finding of each case, as a cohort's table would hold it.

    Parameters
    ----------
    descriptor : str
        Of several codes of a multi-valued one all stand that are likelier than not, or ``none``.
    codes : sequence of str
        In the order of the columns.
    probabilities : array_like [N, codes]

    Examples
    --------
    >>> likeliest("echogenic_foci", ["comet_tail", "punctate"], [[0.1, 0.2], [0.6, 0.7]])
    ['none', 'comet_tail punctate']
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if descriptor not in MULTI_VALUED:
        return [codes[place] for place in values.argmax(axis=1)]
    there = values >= PRESENT
    return [" ".join(code for code, has in zip(codes, row, strict=True) if has) or ABSENT for row in there]


def _of(code: str) -> Any:
    return ACR.levels[ACR.rank(code)]


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _percent(risk: float) -> str:
    return f"{100 * risk:.2g}"
