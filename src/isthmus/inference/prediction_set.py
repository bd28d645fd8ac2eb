"""Which classes a case may have at a stated level, and whether it is left to somebody else; each with its words."""

from dataclasses import dataclass
from typing import Final

FEWEST_DIGITS: Final = 3
MOST_DIGITS: Final = 9


@dataclass(frozen=True)
class PredictionSet:
    """The classes that a case may have, made to hold the class of a stated share of new patients.

    Parameters
    ----------
    codes, names : tuple of str
        Of the classes in it, in the bundle's order; none where a case resembles no class.
    level : float
        The share, 0.9.
    unit : str
        What one case is: ``nodule`` or ``patient``.
    classes : int
        How many there are.
    open : tuple of str
        Names of classes that stand in every set, because too few patients had them.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    level: float
    unit: str
    classes: int
    open: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The codes as a set, ``{0, 1}``; ``{}`` of an empty one."""
        return f"{{{', '.join(self.codes)}}}"

    @property
    def words(self) -> str:
        """The set, its promise, and what it means."""
        whose = "new patients" if self.unit == "patient" else "new patients' nodules"
        share = f"{100 * self.level:.4g} of 100"
        found = f"Set made to hold the class of {share} {whose}, like those it learned from: "
        found += f"{{{', '.join(self.names)}}}: {self._meaning}."
        if not self.open:
            return found
        stands = "stands" if len(self.open) == 1 else "stand"
        return f"{found} {' and '.join(self.open)} {stands} in every set: too few patients for a limit."

    @property
    def _meaning(self) -> str:
        if not self.codes:
            return "empty, an unusual case: no class is as probable as it usually was for its own cases"
        if len(self.codes) == 1:
            return "one class"
        alike = "the model does not tell them apart here"
        return alike if len(self.codes) == self.classes else f"{alike}, and leaves the others out"


@dataclass(frozen=True)
class Referral:
    """Whether a case is left to somebody else by the rule that the bundle has frozen.

    Parameters
    ----------
    refer : bool
        Whether it is.
    words : str
        By which rule.
    low, high : float, optional
        Of two classes: the calibrated probabilities between which a case is.
    share : float, optional
        Of the out-of-fold cases between them.
    """

    refer: bool
    words: str
    low: float | None = None
    high: float | None = None
    share: float | None = None


def digits_for(*numbers: float | None) -> int:
    """Return with how many digits numbers are shown so that different ones look different: three, or more if needed.

    Examples
    --------
    >>> digits_for(0.41, 0.62)
    3
    >>> digits_for(0.40999, 0.41)
    5
    """
    known = {number for number in numbers if number is not None}
    for digits in range(FEWEST_DIGITS, MOST_DIGITS):
        if len({f"{number:.{digits}f}" for number in known}) == len(known):
            return digits
    return MOST_DIGITS
