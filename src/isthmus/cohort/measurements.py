"""What is measured in the views of a cohort, as a table: features, what is in doubt, what could not be measured."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

IDS: Final = ("view_id", "nodule_id")


def features_by_reason(doubts: Mapping[str, str]) -> dict[str, list[str]]:
    """Return each reason with the features that are blank because of it.

    Examples
    --------
    >>> features_by_reason({"peak": "no bolus", "area": "no bolus"})
    {'no bolus': ['peak', 'area']}
    """
    found: dict[str, list[str]] = {}
    for name, reason in doubts.items():
        found.setdefault(reason, []).append(name)
    return found


def measurement_table(
    measured: Iterable[Mapping[str, Any]],
    refused: Mapping[str, tuple[str, str]],
    columns: Sequence[str],
    words: Sequence[str],
) -> pd.DataFrame:
    """Return one row for each view, sorted by ``view_id``.

    Parameters
    ----------
    measured : iterable of mapping
        A row for each view that was measured.
    refused : mapping of (str, str)
        Of every other one its nodule and why, by ``view_id``.
    columns : sequence of str
        ``view_id``, ``nodule_id`` and the numbers; blank numbers are NaN.
    words : sequence of str
        Columns of text before ``refused``; empty where there is nothing.
    """
    blank = dict.fromkeys(words, "")
    rows = [
        *measured,
        *({"view_id": view, "nodule_id": nodule, **blank, "refused": why} for view, (nodule, why) in refused.items()),
    ]
    table = pd.DataFrame(rows, columns=[*columns, *words, "refused"])
    numbers = [name for name in columns if name not in IDS]
    table[numbers] = table[numbers].astype("float64")
    return table.sort_values("view_id", ignore_index=True)
