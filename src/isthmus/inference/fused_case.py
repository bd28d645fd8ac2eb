"""A case as it is given to a model of several arms: its pictures by modality or member, and what is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from isthmus.errors import InputError, did_you_mean
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
    nodule : str
        Which of a patient's nodules it shows, by an id; needed where a case has several.
    """

    path: str | Path
    box: BoxLike | None = None
    mask: str | Path | None = None
    scan_area: BoxLike | None = None
    frame_rate_hz: float | None = None
    dynamic_range_db: float | None = None
    nodule: str = ""

    @property
    def name(self) -> str:
        """What results call it."""
        return name_of(self.path)


@dataclass(frozen=True)
class Case:
    """One nodule; for a model whose label is the patient's, a patient with one nodule or several.

    Parameters
    ----------
    views : mapping
        Modality, or member, to its views; several views of a nodule are joined as the model's `aggregation` says. What
        is given for a modality is for all members that look at it and were given nothing of their own. Views that do
        not say which nodule they show are taken as of one.
    columns : mapping
        What is known of the case, by the columns' names; None where it is not known.
    name : str
        What results call it; default: its files.
    nodule_columns : mapping
        Of a patient with several nodules: nodule to what is known of it alone.
    """

    views: Mapping[str, Sequence[View]]
    columns: Mapping[str, str | float | None] = field(default_factory=dict)
    name: str = ""
    nodule_columns: Mapping[str, Mapping[str, str | float | None]] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """What results call the case."""
        return self.name or "; ".join(dict.fromkeys(view.name for views in self.views.values() for view in views))

    @property
    def files(self) -> list[str]:
        """The names of its files, each once."""
        paths = {str(view.path): view.name for views in self.views.values() for view in views}
        return list(paths.values())

    @property
    def nodules(self) -> list[str]:
        """The ids of its nodules, in the order in which they first stand; '' of views that do not say."""
        return list(dict.fromkeys(view.nodule for views in self.views.values() for view in views))


class ReadNodule(NamedTuple):
    """A nodule of a case in memory.

    Parameters
    ----------
    name : str
        Its id; '' where nothing says it.
    pictures : dict
        Member to the pictures that it looks at, in the order of its views; absent ones are left out.
    known : dict
        Column to what is known of the nodule and its patient, checked.
    measured : float64 array, optional
        Its perfusion, for a model that takes it.
    """

    name: str
    pictures: dict[str, list[Picture]]
    known: dict[str, str | float | None]
    measured: FloatArray | None


class ReadCase(NamedTuple):
    """A case in memory.

    Parameters
    ----------
    case : Case
        As given.
    nodules : list of ReadNodule
        One, or those of a patient that the model can score.
    notes : list of str
        What a reader of the score should know.
    """

    case: Case
    nodules: list[ReadNodule]
    notes: list[str]

    @property
    def pictures(self) -> dict[str, list[Picture]]:
        """Member to the pictures that it looks at, nodule by nodule."""
        members = dict.fromkeys(arm for nodule in self.nodules for arm in nodule.pictures)
        return {arm: [one for nodule in self.nodules for one in nodule.pictures.get(arm, ())] for arm in members}


def nodules_of(case: Case, unit: Literal["nodule", "patient"]) -> dict[str, Case]:
    """Return a case of each nodule of a case, by its id, with what is known of the nodule and of the whole case.

    Raises
    ------
    InputError
        When some views say which nodule they show and others do not, something is known of a nodule without a view, or
        there are several nodules and the model's unit is the nodule.
    """
    names = case.nodules
    if "" in names and len(names) > 1:
        raise InputError(
            "some pictures say which nodule they show and others do not",
            where=case.shown,
            expected="a nodule_id for each, or for none",
        )
    blind = [name for name in case.nodule_columns if name not in names]
    if blind:
        raise InputError(f"nodule {blind[0]} has no picture", where=case.shown, expected="a picture of each nodule")
    if unit == "nodule" and len(names) > 1:
        raise InputError(
            f"the case has the nodules {', '.join(names)}, and this model judges one nodule",
            where=case.shown,
            expected="a case for each nodule",
        )
    if len(names) < 2:
        own = case.nodule_columns.get(names[0], {}) if names else {}
        return {"".join(names): replace(case, columns={**case.columns, **own}, nodule_columns={})}
    return {name: _nodule_of(case, name) for name in names}


def _nodule_of(case: Case, name: str) -> Case:
    views = {kind: [view for view in own if view.nodule == name] for kind, own in case.views.items()}
    return replace(
        case,
        views={kind: own for kind, own in views.items() if own},
        columns={**case.columns, **case.nodule_columns.get(name, {})},
        nodule_columns={},
    )


def views_by_member(case: Case, spec: FusedBundleSpec) -> dict[str, list[View]]:
    """Return the views of each member, none where it is absent; measured perfusion is a member that looks at CEUS.

    Raises
    ------
    InputError
        When a name is neither a modality nor a member of the model, nobody looks at what was given, or there is no
        picture at all.
    """
    modality_of = {member.arm: member.requires.modalities[0] for member in spec.members}
    modality_of |= {PERFUSION: "ceus"} if spec.perfusion else {}
    known = ", ".join(dict.fromkeys([*modality_of.values(), *modality_of]))
    for name in case.views:
        if name not in modality_of and name not in modality_of.values():
            near = did_you_mean(name, {*modality_of, *modality_of.values()})
            raise InputError(f"this model looks at no {name!r}", where=case.shown, expected=known, hint=near)
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
    if not any(found.values()):
        raise InputError("the case has no picture", where=case.shown, expected=f"files for {known}")
    return found


def refused_absence(views: Mapping[str, Sequence[View]], spec: FusedBundleSpec, where: str) -> InputError | None:
    """Return what is wrong with the views of a nodule's members for a model that was fitted on cases with all."""
    absent = [arm for arm, own in views.items() if not own]
    if not absent or spec.where_absent != "leave_out":
        return None
    return InputError(
        f"there is no picture for {' and '.join(absent)}",
        where=where,
        expected="a picture for every member: this model was fitted on cases that have all of them",
    )
