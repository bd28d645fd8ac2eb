"""All subjects of the report, in the order in which they are computed; each is a file of its own."""

from typing import Final

from isthmus.report.page_attribution import SUBJECT as ATTRIBUTION
from isthmus.report.page_candidates import SUBJECT as CANDIDATES
from isthmus.report.page_checklists import SUBJECT as CHECKLISTS
from isthmus.report.page_classes import SUBJECT as CLASSES
from isthmus.report.page_clinical_model import SUBJECT as CLINICAL_MODEL
from isthmus.report.page_decision_curves import SUBJECT as DECISION_CURVES
from isthmus.report.page_decisions import SUBJECT as DECISIONS
from isthmus.report.page_discrimination import SUBJECT as DISCRIMINATION
from isthmus.report.page_doubts import SUBJECT as DOUBTS
from isthmus.report.page_edges import SUBJECT as EDGES
from isthmus.report.page_modalities import SUBJECT as MODALITIES
from isthmus.report.page_patients_needed import SUBJECT as PATIENTS_NEEDED
from isthmus.report.page_probabilities import SUBJECT as PROBABILITIES
from isthmus.report.page_readers import SUBJECT as READERS
from isthmus.report.page_reclassification import SUBJECT as RECLASSIFICATION
from isthmus.report.page_seeds import SUBJECT as SEEDS
from isthmus.report.page_selection import SUBJECT as SELECTION
from isthmus.report.page_shortcuts import SUBJECT as SHORTCUTS
from isthmus.report.page_subgroups import SUBJECT as SUBGROUPS
from isthmus.report.page_table_one import SUBJECT as TABLE_ONE
from isthmus.report.page_tirads import SUBJECT as TIRADS
from isthmus.report.page_uncertainty import SUBJECT as UNCERTAINTY
from isthmus.report.subject import Subject

SUBJECTS: Final[tuple[Subject, ...]] = (
    CANDIDATES,
    DISCRIMINATION,
    CLASSES,
    SEEDS,
    PATIENTS_NEEDED,
    TABLE_ONE,
    CLINICAL_MODEL,
    SUBGROUPS,
    DECISIONS,
    DECISION_CURVES,
    PROBABILITIES,
    RECLASSIFICATION,
    UNCERTAINTY,
    DOUBTS,
    TIRADS,
    READERS,
    SHORTCUTS,
    EDGES,
    SELECTION,
    ATTRIBUTION,
    MODALITIES,
    CHECKLISTS,
)
