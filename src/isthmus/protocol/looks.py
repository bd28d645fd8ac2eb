"""What an arm of several modalities looks at: a nodule's pictures of each, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import pandas as pd

from isthmus.imaging.cache import CacheItem
from isthmus.models.join_spec import JoinSpec

JOINED: Final = "joined"
"""Column of a view table whose rows are looks: for each modality its picture, or None."""


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


def look_table(
    join: JoinSpec, tables: Mapping[str, pd.DataFrame], items: Mapping[str, CacheItem], known: pd.DataFrame
) -> pd.DataFrame:
    """Return one row a look: the columns of its first view, an id made of all of theirs, and its pictures.

    Parameters
    ----------
    join : JoinSpec
        The modalities in the arm's order; ``pooled``: every view is a look of its own.
    tables : mapping
        Modality to its usable views, as `Cohort.examples` gives them.
    items : mapping
        View to what the picture cache needs to know of it.
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
    rows = pd.concat([one for one in tables.values() if len(one)]).set_index("view_id").loc[first].reset_index()
    ids = ["+".join(look[name] for name in modalities if name in look) for look in looks]
    pictures = [tuple(items[look[name]] if name in look else None for name in modalities) for look in looks]
    joined = rows.assign(view_id=ids, **{JOINED: pd.Series(pictures, index=rows.index, dtype=object)})
    return joined.sort_values("view_id", ignore_index=True)


def pictures_of(views: pd.DataFrame, modalities: Sequence[str]) -> dict[str, list[CacheItem]]:
    """Return the different pictures of looks, by modality, sorted by view."""
    found: dict[str, dict[str, CacheItem]] = {name: {} for name in modalities}
    for look in views[JOINED]:
        for name, item in zip(modalities, look, strict=True):
            if item is not None:
                found[name][item.view_id] = item
    return {name: [own[view] for view in sorted(own)] for name, own in found.items() if own}


def members_of(views: pd.DataFrame) -> dict[str, tuple[str | None, ...]]:
    """Return each look's views, None where a modality is absent."""
    looks: Iterable[tuple[str, tuple[CacheItem | None, ...]]]
    looks = views[["view_id", JOINED]].itertuples(index=False, name=None)
    return {view: tuple(None if item is None else item.view_id for item in look) for view, look in looks}


def _each_alone(views: Mapping[str, Sequence[Picture]]) -> list[dict[str, str]]:
    return [{name: picture.view_id} for name, own in views.items() for picture in own]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
