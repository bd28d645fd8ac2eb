"""One case out of a study for a model of several modalities: which picture of each is looked at together.

A study does not say which pictures show one nodule. What can be known is when they were taken: the most recent picture
of the first modality that the model names leads, and of every other modality the picture taken nearest to it joins it.
Where that leaves a choice, nothing is scored.
"""

from collections.abc import Sequence
from typing import Final

from isthmus.clinic.study_instances import Instance
from isthmus.errors import InputError

BY_TIME: Final = (
    "the pictures were joined by the time at which they were taken; whether they show one nodule a study does not say"
)


def instances_of_case(
    instances: Sequence[Instance], modalities: Sequence[str], within_s: float
) -> tuple[dict[str, Instance], list[str]]:
    """Return the one picture of each modality that a case is made of, and what is to be said of the choice.

    Parameters
    ----------
    instances : sequence of Instance
        Of the study, in the order in which they were taken.
    modalities : sequence of str
        The model's, in its order.
    within_s : float
        Pictures farther apart than this are not joined.

    Raises
    ------
    InputError
        When no time tells which of several pictures belong together, or two are equally near.
    """
    known = [one for one in dict.fromkeys(modalities) if any(each.modality == one for each in instances)]
    if not known:
        return {}, []
    leader = _leader([one for one in instances if one.modality == known[0]])
    chosen, notes = {known[0]: leader}, list[str]()
    for modality in known[1:]:
        own = [one for one in instances if one.modality == modality]
        near = _nearest(own, leader, within_s)
        if near is None:
            notes.append(f"no {modality} within {within_s:g} s of {leader.shown}: left out")
        else:
            chosen[modality] = near
    several = len(chosen) > 1 or any(sum(each.modality == one for each in instances) > 1 for one in known)
    return chosen, [*notes, *([BY_TIME] if several else [])]


def _leader(own: Sequence[Instance]) -> Instance:
    if len(own) == 1:
        return own[0]
    latest = max((one.taken for one in own if one.taken is not None), default=None)
    last = [one for one in own if one.taken == latest]
    if latest is None or any(one.taken is None for one in own) or len(last) > 1:
        raise _ambiguous(own, "which was taken last is not said")
    return last[0]


def _nearest(own: Sequence[Instance], leader: Instance, within_s: float) -> Instance | None:
    if leader.taken is None or any(one.taken is None for one in own):
        if len(own) == 1:
            return own[0]
        raise _ambiguous(own, "when they were taken is not said")
    apart = {one.number: abs((one.taken - leader.taken).total_seconds()) for one in own if one.taken is not None}
    least = min(apart.values())
    near = [one for one in own if apart[one.number] == least]
    if least > within_s:
        return None
    if len(near) > 1:
        raise _ambiguous(near, f"they are equally near to {leader.shown}")
    return near[0]


def _ambiguous(own: Sequence[Instance], why: str) -> InputError:
    return InputError(
        f"{len(own)} {own[0].modality} pictures may belong to the case, and {why}",
        expected="a study in which the times of the pictures tell which belong together",
    )
