"""What an arm of several modalities looks at: a nodule's pictures of each, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd

from isthmus.models.join_spec import JoinSpec

JOINED: Final = "joined"
"""Column of a view table whose rows are looks: for each modality its view as a row of the cohort, or None."""

_OF_THE_NODULE: Final = ("nodule_id", "patient_id", "group_id", "site", "label", "fixed_split")


class Picture(NamedTuple):
    """A view of a nodule with what says to which others it belongs."""

    view_id: str
    acquisition: str | None = None
    plane: str | None = None


def pair_up(views: Mapping[str, Sequence[Picture]]) -> list[dict[str, str]]:
    """Join a nodule's views of several modalities into looks.

    The modality with most views leads; each of its views gets one of every other modality: of the same acquisition
    where there is one, else of the same plane, else any; among those the one that was taken least often. What no look
    has taken then leads one of its own, so that every view is in some look, and no modality that a nodule has is absent
    from any.

    Parameters
    ----------
    views : mapping
        Modality to views of one nodule.

    Returns
    -------
    list of dict
        Modality to view.

    Examples
    --------
    >>> pair_up({"bmode": [Picture("b1", "a1"), Picture("b2", "a2")], "swe": [Picture("e2", "a2")]})
    [{'bmode': 'b1', 'swe': 'e2'}, {'bmode': 'b2', 'swe': 'e2'}]
    """
    taken = {picture.view_id: 0 for own in views.values() for picture in own}
    looks = list[dict[str, str]]()
    for leading in sorted((name for name in views if views[name]), key=lambda name: -len(views[name])):
        for picture in views[leading]:
            if taken[picture.view_id]:
                continue
            look = {
                name: picture.view_id if name == leading else _partner(picture, own, taken)
                for name, own in views.items()
                if own
            }
            for view in look.values():
                taken[view] += 1
            looks.append(look)
    return looks


def _partner(picture: Picture, others: Sequence[Picture], taken: Mapping[str, int]) -> str:
    def far(other: Picture) -> tuple[int, int]:
        alike = picture.acquisition is not None and picture.acquisition == other.acquisition
        level = picture.plane is not None and picture.plane == other.plane
        return 0 if alike else 1 if level else 2, taken[other.view_id]

    return min(others, key=far).view_id


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
    by_nodule: dict[str, dict[str, list[Picture]]] = {}
    for name in modalities:
        table = tables.get(name, pd.DataFrame(columns=["view_id", "nodule_id"]))
        for view, nodule in table[["view_id", "nodule_id"]].itertuples(index=False, name=None):
            said = [
                _text(facts[column].get(view)) if column in facts else None for column in ("acquisition_id", "plane")
            ]
            by_nodule.setdefault(nodule, {}).setdefault(name, []).append(Picture(view, *said))
    looks_of = pair_up if join.how == "branches" else _each_alone
    looks = [look for nodule in sorted(by_nodule) for look in looks_of(by_nodule[nodule])]
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


def members_of(views: pd.DataFrame) -> dict[str, tuple[str | None, ...]]:
    """Return each look's views, None where a modality is absent."""
    looks: Iterable[tuple[str, tuple[dict[str, Any] | None, ...]]]
    looks = views[["view_id", JOINED]].itertuples(index=False, name=None)
    return {view: tuple(None if row is None else row["view_id"] for row in look) for view, look in looks}


def _rows(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(row["view_id"]): {str(name): value for name, value in row.items()} for row in table.to_dict("records")}


def _each_alone(views: Mapping[str, Sequence[Picture]]) -> list[dict[str, str]]:
    return [{name: picture.view_id} for name, own in views.items() for picture in own]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
