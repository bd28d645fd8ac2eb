"""A subject of the report: what it computes, says, draws and writes as tables, held together in one entry."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.page_tables import Table

Painters = dict[str, Callable[[], Drawn | None]]
"""Name of a figure to what draws it; None where its facts are missing."""


PREVALENCES = (0.05, 0.10, 0.20)
"""Of the clinics that numbers are stated for, where none is asked for."""

REFERENCES = ("surgery", "cytology", "follow_up", "tirads", "mixed", "simulated", "unknown")
"""Where a label may come from."""

SAMPLINGS = ("consecutive", "selected", "case_control", "unknown")
"""How cases may have come into a table."""


@dataclass(frozen=True)
class Study:
    """How the evidence is asked for, and what is known beside the scores.

    Parameters
    ----------
    level : float
        Of all intervals, 0 to 1.
    bootstrap : int
        Group resamplings.
    prevalences : tuple of float
        Of the clinics that predictive values and numbers per 1,000 are stated for, 0 to 1.
    sampling : str, optional
        ``consecutive``, ``selected`` or ``case_control``.
    reference : str
        Where the label comes from: surgery, cytology, follow_up, tirads, mixed or unknown.
    reference_arm : str, optional
        Each other arm is compared with this one.
    primary : dict, optional
        ``{"arm": …, "against": …}``, named before the analysis.
    secondary : tuple of dict
        ``{"title": …, "arm": …, "against": [arms]}``, named before the analysis and tested after the primary contrast;
        of several arms against the one with the best cross-validated AUC.
    oracles : tuple of str
        Arms whose pictures the simulated truth chose.
    seed_rows : DataFrame, optional
        Contract 2: the sets that were kept aside, as each seed's model scores them. Without it the rows of the table
        itself where it holds several seeds of such sets.
    cases : DataFrame, optional
        One row a unit: ``unit_id``, ``cohort`` where there are several, and whatever is known of it (``age_years``,
        ``sex``, ``size_mm``, ``site``, ``device``, ``tirads``, descriptors, …).
    reads : DataFrame, optional
        ``reads.csv`` of contract 1, of this target.
    higher_is : {'positive', 'negative'}
        Which class a higher reader's ``score`` speaks for.
    simulated_readers : bool
        Whether the readers are simulated.
    table_one : tuple of str, optional
        Columns of the cases that Table 1 shows; without it all that fit.
    table_one_mode : {'default', 'paper'}
        ``paper``: tests as published tables have them.
    graded : tuple of str, optional
        Cohorts whose labels are TI-RADS grades; without it all are where ``reference`` is ``tirads``, else none.
    class_names : dict, optional
        Label value to shown name.
    pictures : DataFrame, optional
        Contract 2, of several classes: single pictures with their calls, to stand beside the units.
    candidates : dict, optional
        How each arm's network was chosen, as :func:`isthmus.report.candidates.candidate_evidence` found it.
    doubts : DataFrame, optional
        What warns of a case beside its probability: ``arm``, ``cohort``, ``unit_id``, and of them those that are known:
        ``spread`` over the fold models, ``out_of_distribution``, ``unlike``.
    """

    level: float = 0.95
    bootstrap: int = 2000
    prevalences: tuple[float, ...] = PREVALENCES
    sampling: str | None = None
    reference: str = "unknown"
    reference_arm: str | None = None
    primary: dict[str, str] | None = None
    secondary: tuple[dict[str, Any], ...] = ()
    oracles: tuple[str, ...] = ()
    seed_rows: DataFrame | None = None
    cases: DataFrame | None = None
    reads: DataFrame | None = None
    higher_is: Literal["positive", "negative"] = "positive"
    simulated_readers: bool = False
    table_one: tuple[str, ...] | None = None
    table_one_mode: Literal["default", "paper"] = "default"
    graded: tuple[str, ...] | None = None
    candidates: dict[str, Any] | None = None
    class_names: dict[str, str] | None = None
    pictures: DataFrame | None = None
    doubts: DataFrame | None = None

    def __post_init__(self) -> None:
        """Refuse a word or a share that the subjects would silently not know what to do with."""
        for what, word, words in (
            ("reference", self.reference, REFERENCES),
            ("sampling", self.sampling or "unknown", SAMPLINGS),
            ("mode of Table 1", self.table_one_mode, ("default", "paper")),
        ):
            if word not in words:
                raise InputError(f"no {what} is called {word!r}", expected=", ".join(words))
        if wrong := [share for share in self.prevalences if not 0 < share < 1]:
            raise InputError(f"a prevalence of {wrong[0]:g}", expected="shares between 0 and 1, such as 0.1")


@dataclass(frozen=True)
class Shown:
    """What a section of the page shows: warnings in a red frame, sentences, figures, tables, notes."""

    sentences: list[str] = field(default_factory=list)
    figures: tuple[str, ...] = ()
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def from_the_run(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return nothing: for subjects that no table of predictions holds; a run adds to its evidence what it found."""
    return {}


def no_tables(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return no tables: for subjects of which the run writes what there is, or that have none."""
    return {}


def no_figures(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return no painters: for subjects that are words and tables."""
    return {}


@dataclass(frozen=True)
class Subject:
    """One subject of the report.

    Parameters
    ----------
    key : str
        Its key in ``evidence.json`` and its anchor on the page.
    heading : str
        Of its section.
    compute : callable
        From the table, the study and the evidence so far to ``evidence[key]``; empty where there is nothing to say.
    show : callable
        From the report's context to what its section shows; None where there is nothing.
    frames : callable
        From the evidence to its CSV tables, by name.
    paint : callable
        From the context and the table to its figures' painters.
    """

    key: str
    heading: str
    compute: Callable[[AnalysisTable, Study, dict[str, Any]], Any]
    show: Callable[[ReportContext], Shown | None]
    frames: Callable[[dict[str, Any]], dict[str, DataFrame]] = no_tables
    paint: Callable[[ReportContext, AnalysisTable | None], Painters] = no_figures
