"""Who is asked for shortcuts: the arms of the primary contrast, and so many of their views, of whole groups."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from isthmus.imaging.pixel_changes import PIXEL_CHANGES
from isthmus.protocol.cases import Cases
from isthmus.protocol.schema import Protocol
from isthmus.report.shortcuts import balanced_groups

A_CLIP: Final = 4
"""A clip counts as so many stills: it has frames, of which many are alike."""


@dataclass(frozen=True)
class Asked:
    """Who is asked, and on which groups.

    Parameters
    ----------
    names : list of str
        The arms and fusions that are asked.
    arms : list of str
        These, and the members of the fusions among them.
    fusions : mapping
        Of each fusion its members.
    groups : frozenset of str
        Whose views are asked.
    views, of_groups, limit : int
        The most views that an arm has of these groups, how many groups there are, and how many views there may be.
    """

    names: list[str]
    arms: list[str]
    fusions: Mapping[str, list[str]]
    groups: frozenset[str]
    views: int
    of_groups: int
    limit: int

    @classmethod
    def of(cls, protocol: Protocol, cases: Cases, limit: int) -> "Asked":
        """Return who is asked in a run."""
        members = {key: fusion.fuse for key, fusion in protocol.fusions.items()} | {key: [key] for key in protocol.arms}
        primary = dict.fromkeys((protocol.primary.arm, protocol.primary.against))
        clips = {key: arm.prepare.frames is not None for key, arm in protocol.arms.items()}
        return cls.of_members({name: members[name] for name in primary if name in members}, clips, cases, limit)

    @classmethod
    def of_members(
        cls, members: Mapping[str, list[str]], clips: Mapping[str, bool], cases: Cases, limit: int
    ) -> "Asked":
        """Return who is asked of models, given each one's arms (itself, or a fusion's) and which of them see clips."""
        arms = list(dict.fromkeys(arm for own in members.values() for arm in own))
        fusions = {name: own for name, own in members.items() if own != [name]}
        tables = [cases.views[arm][["group_id", "label"]] for arm in arms]
        every = sorted({group for table in tables for group in table["group_id"]})
        order = sorted(every, key=lambda group: sha256(group.encode()).hexdigest())
        limits = [limit // (A_CLIP if clips[arm] else 1) for arm in arms]
        groups = frozenset(balanced_groups(tables, order, limits)) if tables else frozenset[str]()
        views = max((int(table["group_id"].isin(groups).sum()) for table in tables), default=0)
        return cls(list(members), arms, fusions, groups, views, len(every), limit)

    def to_json(self) -> dict[str, Any]:
        """Return what the report says of it."""
        return {"limit": self.limit, "views": self.views, "groups": len(self.groups), "of_groups": self.of_groups}

    def chosen(self, cases: Cases, arm: str, groups: Iterable[str] | None = None) -> list[str]:
        """Return the views of an arm that are of the chosen groups, or of some of them."""
        views = cases.views[arm]
        return views.loc[views["group_id"].isin(self.groups if groups is None else set(groups)), "view_id"].tolist()


def planned_shortcuts(protocol: Protocol, cases: Cases) -> str:
    """Return in words how much a run will score for its shortcut tests; empty where nobody is asked."""
    if protocol.shortcuts is None:
        return ""
    asked = Asked.of(protocol, cases, protocol.shortcuts.views)
    if not asked.names:
        return ""
    sizes = [len(asked.chosen(cases, arm)) for arm in asked.arms]
    times = len(PIXEL_CHANGES)
    return (
        f"shortcuts: up to {max(sizes)} views of {', '.join(asked.arms)} under {times} changes, and those with marks "
        f"once more: {times * sum(sizes)} views to score at least; shortcuts=null leaves them out"
    )
