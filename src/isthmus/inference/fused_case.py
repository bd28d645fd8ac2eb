"""A case as it is given to a model of several arms: its pictures by modality or member, and what is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from isthmus.errors import InputError
from isthmus.inference.boxes import BoxLike
from isthmus.inference.input_files import name_of
from isthmus.inference.pictures import Picture
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.models.fused_columns import PERFUSION
from isthmus.statistics.inputs import FloatArray


@dataclass(frozen=True)
class View:
    """A picture or clip with what is known of it.

    Parameters
    ----------
    path : str or Path
        A still, or a clip for members that look at clips.
    box, mask, scan_area, frame_rate_hz : optional
        As for :func:`isthmus.inference.pictures.read_picture`.
    dynamic_range_db : float, optional
        Of the display of a contrast-enhanced clip, for models that measure perfusion.
    """

    path: str | Path
    box: BoxLike | None = None
    mask: str | Path | None = None
    scan_area: BoxLike | None = None
    frame_rate_hz: float | None = None
    dynamic_range_db: float | None = None

    @property
    def name(self) -> str:
        """What results call it."""
        return name_of(self.path)


@dataclass(frozen=True)
class Case:
    """One nodule.

    Parameters
    ----------
    views : mapping
        Modality, or member, to its views; several views are averaged. What is given for a modality is for all members
        that look at it and were given nothing of their own.
    columns : mapping
        What is known of the case, by the columns' names; None where it is not known.
    name : str
        What results call it; default: its files.
    """

    views: Mapping[str, Sequence[View]]
    columns: Mapping[str, str | float | None] = field(default_factory=dict)
    name: str = ""

    @property
    def shown(self) -> str:
        """What results call the case."""
        return self.name or "; ".join(dict.fromkeys(view.name for views in self.views.values() for view in views))


class ReadCase(NamedTuple):
    """A case in memory.

    Parameters
    ----------
    case : Case
        As given.
    pictures : dict
        Member to the pictures that it looks at, in the order of its views; absent ones are left out.
    known : dict
        Column to what is known of the case, checked.
    measured : float64 array, optional
        Its perfusion, for a model that takes it.
    notes : list of str
        What a reader of the score should know.
    """

    case: Case
    pictures: dict[str, list[Picture]]
    known: dict[str, str | float | None]
    measured: FloatArray | None
    notes: list[str]


def views_by_member(case: Case, spec: FusedBundleSpec) -> dict[str, list[View]]:
    """Return the views of each member, none where it is absent; measured perfusion is a member that looks at CEUS.

    Raises
    ------
    InputError
        When a name is neither a modality nor a member of the model, nobody looks at what was given, there is no picture
        at all, or a member is absent and the model was trained on cases that had all.
    """
    modality_of = {member.arm: member.requires.modalities[0] for member in spec.members}
    modality_of |= {PERFUSION: "ceus"} if spec.perfusion else {}
    known = ", ".join(dict.fromkeys([*modality_of.values(), *modality_of]))
    for name in case.views:
        if name not in modality_of and name not in modality_of.values():
            raise InputError(f"this model looks at no {name!r}", where=case.shown, expected=known)
    found = {arm: list(case.views.get(arm) or case.views.get(modality, ())) for arm, modality in modality_of.items()}
    unseen = [
        name
        for name in case.views
        if name not in found and all(arm in case.views for arm, modality in modality_of.items() if modality == name)
    ]
    if unseen:
        raise InputError(
            f"pictures were given for {unseen[0]!r} and for every member that looks at it",
            where=case.shown,
            expected="one of the two",
        )
    absent = [arm for arm, views in found.items() if not views]
    if len(absent) == len(found):
        raise InputError("the case has no picture", where=case.shown, expected=f"files for {known}")
    if absent and spec.where_absent == "leave_out":
        raise InputError(
            f"there is no picture for {' and '.join(absent)}",
            where=case.shown,
            expected="a picture for every member: this model was fitted on cases that have all of them",
        )
    return found
