"""A protocol as a cohort can answer it: without the columns, frames and modalities that it has not."""

from isthmus.cohort.cohort import Cohort
from isthmus.protocol.absent_modalities import without_absent_modalities
from isthmus.protocol.joined_columns import with_known_columns
from isthmus.protocol.oracle import without_oracles
from isthmus.protocol.schema import Protocol


def fitted_to(protocol: Protocol, cohort: Cohort) -> tuple[Protocol, list[str]]:
    """Return what of a protocol a cohort can answer, and what to say of the rest.

    Raises
    ------
    CohortError
        When what is left would not be the question that was asked.
    """
    known, columns = with_known_columns(protocol, cohort)
    real, oracles = without_oracles(known, cohort)
    fitted, modalities = without_absent_modalities(real, cohort)
    return fitted, [*columns, *oracles, *modalities]
