"""How often each finding occurs: ``tables/frequencies.csv``, one number a row with where it comes from."""

import csv
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

TABLE: Final = Path(__file__).parent / "tables" / "frequencies.csv"


@lru_cache(maxsize=1)
def _rows() -> MappingProxyType[tuple[str, str], dict[str, float]]:
    rows: dict[tuple[str, str], dict[str, float]] = {}
    with TABLE.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            rows.setdefault((row["latent"], row["given"]), {})[row["level"]] = float(row["value"])
    return MappingProxyType(rows)


def levels(latent: str, groups: Sequence[str]) -> dict[str, float]:
    """Return a finding's numbers in the first of these groups that the table has it for.

    Parameters
    ----------
    latent : str
        The table's ``latent``.
    groups : sequence of str
        Groups of nodules or conditions, the special before the general; ``any`` always comes last.

    Returns
    -------
    dict of str to float
        The table's ``level`` to its ``value``, in the table's order.

    Raises
    ------
    KeyError
        When no group has it: a fault of the table or of a preset, found by the tests.

    Examples
    --------
    >>> levels("punctate", ["node_negative", "malignant"])["present"]
    0.6115
    """
    for group in (*groups, "any"):
        if (latent, group) in _rows():
            return dict(_rows()[latent, group])
    raise KeyError(f"{TABLE.name} has no {latent!r} for {', '.join(groups)}")


def number(latent: str, level: str, groups: Sequence[str]) -> float:
    """Return one number: of the first group that has this finding at this level.

    Examples
    --------
    >>> number("size_mm", "mean", ["node_positive", "malignant"])
    15.35
    """
    for group in (*groups, "any"):
        if level in _rows().get((latent, group), {}):
            return _rows()[latent, group][level]
    raise KeyError(f"{TABLE.name} has no {latent!r} {level!r} for {', '.join(groups) or 'any'}")
