"""What is measured in the views of a cohort: features, what is in doubt, what could not be measured; as a table too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.errors import CohortError, InputError

IDS: Final = ("view_id", "nodule_id")


class Features(Protocol):
    """What is known of a view, and what is not."""

    @property
    def values(self) -> Mapping[str, float]:
        """Numbers by name; NaN where one is in doubt."""

    @property
    def doubts(self) -> Mapping[str, str]:
        """Why, for each that is NaN."""


class MeasuredView(Protocol):
    """A view that was measured."""

    @property
    def view_id(self) -> str:
        """Its id."""

    @property
    def nodule_id(self) -> str:
        """What it shows."""

    @property
    def features(self) -> Features:
        """What was measured."""


View = TypeVar("View", bound=MeasuredView)


@dataclass(frozen=True, eq=False)
class Measured(Generic[View]):
    """All views of a modality.

    Parameters
    ----------
    views : tuple of MeasuredView
        Those that were measured, by ``view_id``.
    refused : mapping of (str, str)
        Of every other one its nodule and why, by ``view_id``.
    """

    views: tuple[View, ...]
    refused: Mapping[str, tuple[str, str]]


def measure_views(
    cohort: Cohort,
    modality: str,
    expected: str,
    measure_row: Callable[[Mapping[Any, Any]], View],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[tuple[View, ...], dict[str, tuple[str, str]]]:
    """Return what was measured in the views of a modality, and of every other one its nodule and why in one line.

    Parameters
    ----------
    cohort : Cohort
    modality : str
        Of the views.
    expected : str
        What views of this modality are, in words.
    measure_row : callable
        From a row of ``views.csv`` to what was measured; an :class:`InputError` refuses this view and stops nothing.
        Where it happened is left out of the line, since no path is to be in it.
    progress : callable, optional
        Called with views done and all.

    Raises
    ------
    CohortError
        When the cohort has no such view.
    """
    rows = cohort.views[cohort.views["modality"] == modality].sort_values("view_id").to_dict("records")
    if not rows:
        counts = cohort.views["modality"].value_counts()
        has = ", ".join(f"{number} {name}" for name, number in counts.items()) or "none"
        raise CohortError(
            f"no view of modality {modality!r}",
            where=str(cohort.folder),
            expected=expected,
            hint=f"the cohort's views are {has}: name another cohort, or set the modality in views.csv",
        )
    views, refused = list[View](), {}
    for done, row in enumerate(rows, 1):
        try:
            views.append(measure_row(row))
        except InputError as error:
            why = str(type(error)(error.what, expected=error.expected, hint=error.hint))
            refused[str(row["view_id"])] = (str(row["nodule_id"]), why)
        if progress is not None:
            progress(done, len(rows))
    return tuple(views), refused


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
    measured: Measured[View],
    beside: Callable[[View], Mapping[str, Any]],
    columns: Sequence[str],
    words: Sequence[str] = (),
) -> pd.DataFrame:
    """Return one row for each view, sorted by ``view_id``.

    Parameters
    ----------
    measured : Measured
    beside : callable
        From a view to what stands in its row beside its features.
    columns : sequence of str
        ``view_id``, ``nodule_id`` and the numbers; blank numbers are NaN.
    words : sequence of str
        Columns of text before ``doubts`` and ``refused``; text is empty where there is nothing.
    """
    words = (*words, "doubts")
    blank = dict.fromkeys(words, "")
    rows = [
        *(_row(view) | dict(beside(view)) for view in measured.views),
        *(
            {"view_id": view, "nodule_id": nodule, **blank, "refused": why}
            for view, (nodule, why) in measured.refused.items()
        ),
    ]
    table = pd.DataFrame(rows, columns=[*columns, *words, "refused"])
    numbers = [name for name in columns if name not in IDS]
    table[numbers] = table[numbers].astype("float64")
    return table.sort_values("view_id", ignore_index=True)


def _row(view: MeasuredView) -> dict[str, Any]:
    reasons = features_by_reason(view.features.doubts)
    return {
        "view_id": view.view_id,
        "nodule_id": view.nodule_id,
        **view.features.values,
        "doubts": "; ".join(f"{reason}: {', '.join(names)}" for reason, names in reasons.items()),
        "refused": "",
    }
