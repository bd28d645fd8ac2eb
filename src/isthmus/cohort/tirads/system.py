"""What a TI-RADS is: a rule from descriptors to a level, and what its tables say of each level."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

Suggestion = Literal["fna", "follow_up", "none", "unknown"]
"""What a table suggests for a nodule of this size; ``unknown`` where level or size leave it open."""


class Nodule(NamedTuple):
    """A nodule with every descriptor known, in the codes of :mod:`isthmus.tables.vocabulary`.

    ``foci`` is empty where there are none.
    """

    composition: str
    echogenicity: str
    shape: str
    margin: str
    foci: frozenset[str]


class Grade(NamedTuple):
    """What a rule gives: the level, or the two levels between which it leaves a gap; points where it has them."""

    low: str
    high: str
    points: int | None = None


@dataclass(frozen=True)
class Level:
    """A level of a system, lowest first in :attr:`System.levels`.

    Parameters
    ----------
    code : str
        ``TR4``, ``4A``, ``5``.
    words : str
        What the system calls it.
    risk : tuple of (float, float)
        Published risk of malignancy, 0 to 1: lower and upper end, equal where one number was published.
    fna_mm : float, optional
        From which size the table suggests fine-needle aspiration; None: at no size.
    follow_mm : float, optional
        From which size the table suggests follow-up by ultrasound; None: it ties follow-up to no size.
    """

    code: str
    words: str
    risk: tuple[float, float]
    fna_mm: float | None = None
    follow_mm: float | None = None


@dataclass(frozen=True)
class System:
    """A published system for the risk of a thyroid nodule as seen by ultrasound.

    Parameters
    ----------
    key, name : str
        As in files and as shown.
    source, risk_source : str
        Where the rule, and the published risks, come from.
    levels : tuple of Level
        Lowest first; levels without a nodule, and those that state known pathology, are left out.
    rule : callable
        From a fully described nodule to its grade.
    cuts : tuple of str
        Levels from which calling a nodule suspicious is usual.
    from_size_on : bool
        Whether a table's size counts itself (``at least``) or not (``more than``).
    remarks : tuple of str
        Where the vocabulary and the system do not meet.
    """

    key: str
    name: str
    source: str
    risk_source: str
    levels: tuple[Level, ...]
    rule: Callable[[Nodule], Grade]
    cuts: tuple[str, ...]
    from_size_on: bool
    remarks: tuple[str, ...] = ()

    def rank(self, code: str) -> int:
        """Return the place of a level, 0 the lowest."""
        return self.codes.index(code)

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The levels' codes, lowest first."""
        return tuple(level.code for level in self.levels)

    def suggestion(self, code: str, size_mm: float | None) -> Suggestion:
        """Return what the table suggests for a nodule of this level and largest diameter.

        Examples
        --------
        >>> from isthmus.cohort.tirads.acr import ACR
        >>> [ACR.suggestion("TR4", size) for size in (9.9, 10, 15, None)]
        ['none', 'follow_up', 'fna', 'unknown']
        """
        level = self.levels[self.rank(code)]
        if level.fna_mm is None and level.follow_mm is None:
            return "none"
        if size_mm is None:
            return "unknown"
        if self._reaches(size_mm, level.fna_mm):
            return "fna"
        return "follow_up" if self._reaches(size_mm, level.follow_mm) else "none"

    def _reaches(self, size_mm: float, limit: float | None) -> bool:
        if limit is None:
            return False
        return size_mm >= limit if self.from_size_on else size_mm > limit
