"""What fusions ask of a cohort beside their arms' pictures: columns of its tables, contrast-enhanced clips."""

from collections.abc import Collection, Iterable

from isthmus.cohort.cohort import Cohort
from isthmus.errors import CohortError
from isthmus.protocol.schema import Protocol


def has_contrast_clips(cohort: Cohort) -> bool:
    """Return whether perfusion can be measured in a cohort."""
    return bool((cohort.views["modality"] == "ceus").any())


def can_be_joined(arms: Iterable[str], there: Collection[str], cohort: Cohort, *, perfusion: bool) -> bool:
    """Return whether a fusion can meet a cohort: with pictures for each of its arms, and clips where it measures them.

    Parameters
    ----------
    arms : iterable of str
        That are joined.
    there : collection of str
        The arms of whose pictures the cohort has some.
    cohort : Cohort
        The cohort.
    perfusion : bool
        Whether measured perfusion joins them.
    """
    return all(arm in there for arm in arms) and (not perfusion or has_contrast_clips(cohort))


def with_known_columns(protocol: Protocol, cohort: Cohort) -> tuple[Protocol, list[str]]:
    """Return the protocol whose fusions join only columns that a cohort has, and what to say of the others.

    Raises
    ------
    CohortError
        When a fusion joins measured perfusion and the cohort has no contrast-enhanced clip.
    """
    known = {*cohort.nodules.columns, *cohort.patients.columns}
    fusions, lines = {}, []
    for key, fusion in protocol.fusions.items():
        if fusion.perfusion and not has_contrast_clips(cohort):
            raise CohortError(
                f"{key} joins measured perfusion, and the cohort has no contrast-enhanced clip",
                where=f"fusions.{key}.perfusion",
                expected="views of modality 'ceus'",
                hint=f"--set fusions.{key}.perfusion=false",
            )
        absent = [name for name in fusion.columns if name not in known]
        if absent:
            lines.append(f"left out of {key}: {', '.join(absent)}, in neither nodules.csv nor patients.csv")
        kept = [name for name in fusion.columns if name in known]
        fusions[key] = fusion.model_copy(update={"columns": kept})
    return protocol.model_copy(update={"fusions": fusions}), lines
