"""All subjects of the report, in the order in which they are computed; each is a file of its own."""

from typing import Final

from isthmus.report.subject import Subject

SUBJECTS: Final[tuple[Subject, ...]] = ()
