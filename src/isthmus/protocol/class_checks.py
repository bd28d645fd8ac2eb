"""What is refused where a target has more than two classes, before anything is trained."""

from collections.abc import Mapping

import pandas as pd

from isthmus.cohort.description import Target
from isthmus.errors import CohortError, ProtocolError
from isthmus.protocol.schema import Protocol
from isthmus.report.clinical_terms import CLINICAL


def check_several_classes(protocol: Protocol, target: Target) -> None:
    """Refuse what a protocol asks for and only two classes answer.

    Raises
    ------
    ProtocolError
        With the first of it.
    """
    plain = [key for key, arm in protocol.arms.items() if not arm.candidates]
    asked = {
        "fusions": (list(protocol.fusions), _only(protocol, plain)),
        "clinical": ([CLINICAL] if protocol.clinical is not None else [], _only(protocol, plain)),
        "leak": ([protocol.leak.arm] if protocol.leak is not None else [], "leave it out: --set leak=null"),
        "candidates": ([key for key in protocol.arms if key not in plain], "make each candidate an arm of its own"),
    }
    for what, (names, hint) in asked.items():
        if names:
            raise ProtocolError(
                f"{what} ({', '.join(names)}) need two classes, and target {target.name} has {len(target.classes)}",
                where=protocol.protocol,
                expected="plain arms of one network each where there are several classes",
                hint=hint,
            )


def _only(protocol: Protocol, plain: list[str]) -> str:
    """Return what leaves all but the plain arms out; a contrast of others is named anew."""
    if not plain:
        return "name another protocol: isthmus protocols --cohort COHORT says which fit"
    said = f"take the plain arms: --arms {','.join(plain)}"
    if {protocol.primary.arm, protocol.primary.against} <= set(plain) or len(plain) == 1:
        return said
    return f"{said} --set primary.arm={plain[0]} --set primary.against={plain[1]}"


def check_every_class(views: Mapping[str, pd.DataFrame], target: Target) -> None:
    """Refuse a target of several classes of which an arm has no case of one.

    Raises
    ------
    CohortError
        With the arm, and how many groups of patients each class has.
    """
    for arm, rows in views.items():
        counts = rows.groupby("label")["group_id"].nunique()
        absent = [shown for code, shown in target.classes.items() if not counts.get(code, 0)]
        if absent and len(target.classes) > 2:
            have = ", ".join(f"{int(counts.get(code, 0))} {shown}" for code, shown in target.classes.items())
            raise CohortError(
                f"arm {arm} has no case of {' or '.join(map(repr, absent))} of target {target.name}",
                expected=f"cases of every class; groups of patients: {have}",
                hint="take the class out of cohort.yaml, or gather cases of it",
            )


def check_groups(views: Mapping[str, pd.DataFrame], target: Target) -> None:
    """Refuse patients of one group whom a patient's label calls differently.

    A group holds pictures that are one patient's, whatever the ids say; so one of the two labels is wrong, and neither
    training nor testing may take sides.

    Raises
    ------
    CohortError
        With the patients and their labels.
    """
    if target.unit != "patient":
        return
    rows = pd.concat([one[["group_id", "patient_id", "label"]] for one in views.values()]).drop_duplicates()
    labels = rows.groupby("group_id")["label"].nunique()
    contradicting = sorted(labels.index[labels > 1])
    if not contradicting:
        return
    named = []
    for group in contradicting[:5]:
        own = rows[rows["group_id"] == group].sort_values("patient_id")
        named.append(
            " and ".join(f"{one} ({label})" for one, label in own[["patient_id", "label"]].to_numpy().tolist())
        )
    raise CohortError(
        f"{len(contradicting)} groups hold patients with contradictory labels of {target.name}: {'; '.join(named)}",
        where="patients.csv and nodules.csv, column group_id",
        expected="one label in a group, since its patients share pictures",
        hint="correct the label, give the patients groups of their own, or blank the label: blank is left out",
    )
