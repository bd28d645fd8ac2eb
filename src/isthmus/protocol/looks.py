"""What an arm of several modalities looks at: a nodule's pictures of each, side by side."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from isthmus.inference.looks import LOOKS, Pairable
from isthmus.models.join_spec import JoinSpec

JOINED: Final = "joined"
"""Column of a view table whose rows are looks: for each modality its view as a row of the cohort, or None."""

_OF_THE_NODULE: Final = ("nodule_id", "patient_id", "group_id", "site", "label", "fixed_split")


def look_table(join: JoinSpec, tables: Mapping[str, pd.DataFrame], known: pd.DataFrame) -> pd.DataFrame:
    """Return one row a look: the columns of its first view, an id made of all of theirs, and its views.

    Parameters
    ----------
    join : JoinSpec
        The modalities in the arm's order; ``pooled``: every view is a look of its own.
    tables : mapping
        Modality to its usable views, as `Cohort.examples` gives them.
    known : DataFrame
        `views.csv`, whose `acquisition_id` and `plane` say what belongs together.
    """
    modalities = join.modalities
    facts = {name: known.set_index("view_id")[name] for name in ("acquisition_id", "plane") if name in known}
    by_nodule: dict[str, dict[str, list[Pairable]]] = {}
    for name in modalities:
        table = tables.get(name, pd.DataFrame(columns=["view_id", "nodule_id"]))
        for view, nodule in table[["view_id", "nodule_id"]].itertuples(index=False, name=None):
            said = [
                _text(facts[column].get(view)) if column in facts else None for column in ("acquisition_id", "plane")
            ]
            by_nodule.setdefault(nodule, {}).setdefault(name, []).append(Pairable(view, *said))
    looks = [look for nodule in sorted(by_nodule) for look in LOOKS[join.how](by_nodule[nodule])]
    first = [next(look[name] for name in modalities if name in look) for look in looks]
    every = pd.concat([one for one in tables.values() if len(one)])
    rows, of_view = every.set_index("view_id").loc[first].reset_index(), _rows(every)
    ids = ["+".join(look[name] for name in modalities if name in look) for look in looks]
    pictures = [tuple(of_view[look[name]] if name in look else None for name in modalities) for look in looks]
    joined = rows.assign(view_id=ids, **{JOINED: pd.Series(pictures, index=rows.index, dtype=object)})
    return joined.sort_values("view_id", ignore_index=True)


def pictures_of(views: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the different views of looks, modality by modality, sorted, in the columns of `Cohort.examples`."""
    found: list[dict[str, dict[str, Any]]] = [{} for _ in views[JOINED].iloc[0]]
    nodules = _rows(views[["view_id", *(name for name in _OF_THE_NODULE if name in views)]])
    for look, nodule in zip(views[JOINED], nodules.values(), strict=True):
        for own, row in zip(found, look, strict=True):
            if row is not None:
                own[row["view_id"]] = {**row, **nodule, "view_id": row["view_id"]}
    columns = [name for name in views if name != JOINED]
    return [pd.DataFrame([own[view] for view in sorted(own)], columns=columns) for own in found]


def views_of_modality(views: pd.DataFrame, place: int) -> pd.DataFrame:
    """Return one row a look that has a modality: its view of it, under the look's id, in the columns of the cohort."""
    rows = [
        {**look[place], **{name: row[name] for name in _OF_THE_NODULE if name in row}, "view_id": row["view_id"]}
        for row, look in zip(views.drop(columns=JOINED).to_dict("records"), views[JOINED], strict=True)
        if look[place] is not None
    ]
    return pd.DataFrame(rows, columns=[name for name in views if name != JOINED])


def members_of(views: pd.DataFrame) -> dict[str, tuple[str | None, ...]]:
    """Return each look's views, None where a modality is absent."""
    looks: Iterable[tuple[str, tuple[dict[str, Any] | None, ...]]]
    looks = views[["view_id", JOINED]].itertuples(index=False, name=None)
    return {view: tuple(None if row is None else row["view_id"] for row in look) for view, look in looks}


def _rows(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(row["view_id"]): {str(name): value for name, value in row.items()} for row in table.to_dict("records")}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
