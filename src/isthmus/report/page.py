"""The report: one self-contained HTML file, readable without scripts, without network, and on paper."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from isthmus.files import write_text
from isthmus.manifest import DISCLAIMER, version
from isthmus.report import sentences
from isthmus.report.checklists import write_checklists
from isthmus.report.context import LOUD_MARKS, ReportContext
from isthmus.report.figure_style import FigureFile, inline_svg
from isthmus.report.figures import draw_figures
from isthmus.report.gallery import embedded_gallery, flips_sentence, wrong_pictures
from isthmus.report.limits import cannot_conclude
from isthmus.report.methods import methods_paragraphs
from isthmus.report.misclassified import misclassified_rows
from isthmus.report.named_contrasts import RULE
from isthmus.report.page_descriptors import descriptor_parts
from isthmus.report.page_error_rates import error_rate_parts
from isthmus.report.page_films import film_parts
from isthmus.report.page_regions import region_parts
from isthmus.report.page_simulated import simulated_parts
from isthmus.report.page_tables import arm_tables, comparison_rows, fold_table, pointing_rows
from isthmus.report.reading import SPLIT_ORDER, count, split_name, splits_of
from isthmus.report.seed_words import choice_words
from isthmus.report.subjects import SUBJECTS

TEMPLATES = Path(__file__).parent / "templates"
ORDER = (
    "cohort", "table_one", "ideal", "leak", "candidates", "results", "ranking", "discrimination", "seeds",
    "comparisons", "patients_needed", "clinical_model", "calls", "classes_in_detail", "decisions", "decision_curves",
    "misjudged", "subgroups", "calibration", "probabilities", "reclassification", "uncertainty", "doubts", "regions",
    "shortcuts", "described", "tirads", "readers", "learning", "heat", "edges", "selection", "attribution",
    "modalities", "films", "failures", "methods", "checklists", "versions",
)  # fmt: skip
"""The sections as they follow one another on the page."""

_MARKS = {
    "SMOKE": "SMOKE RUN: every stage ran, no number here means anything",
    "SIMULATED": "SIMULATED: made from a virtual cohort, not from patients",
    "SMALL PROFILE": "Small profile: reduced so that it runs in minutes; the changes are listed under Methods",
}


def write_report(folder: Path, context: ReportContext) -> Path:
    """Draw the figures and write ``report.html``.

    Parameters
    ----------
    folder : Path
        An existing folder. ``figures/*.svg`` and ``*.png``, ``tables/checklist_*.csv`` and ``report.html`` are written
        into it.
    context : ReportContext
        What is shown; sections whose facts are missing are left out.

    Returns
    -------
    Path
        ``folder / "report.html"``.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    InputError
        When a picture of the gallery is missing or is of no kind that a browser shows.
    """
    folder = Path(folder)
    gallery = embedded_gallery(context.gallery)
    files = {file.name: file for file in draw_figures(context, folder / "figures")}
    write_checklists(folder / "tables", context)
    path = folder / "report.html"
    write_text(path, render_page(context, files, gallery))
    return path


def render_page(context: ReportContext, figures: dict[str, FigureFile], gallery: list[dict[str, str]]) -> str:
    """Return the page's HTML with the given figures and pictures inside."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = _page(context, set(figures), gallery)
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(page=page, css=_safe(css), figure=_figure_writer(figures))


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)


def _figure_writer(figures: dict[str, FigureFile]) -> Callable[..., Any]:
    from markupsafe import escape

    def write(name: str, *, caption: bool = True) -> Any:
        if name not in figures:
            return ""
        file = figures[name]
        under = f"<figcaption>{escape(file.title)}</figcaption>" if caption else ""
        return _safe(f'<figure id="figure-{name}">{inline_svg(file)}{under}</figure>')

    return write


def _page(context: ReportContext, figures: set[str], gallery: list[dict[str, str]]) -> dict[str, Any]:
    evidence = context.evidence
    wrong, more = misclassified_rows(context)
    page: dict[str, Any] = {
        "title": context.title,
        "browser_title": f"{context.title} – Isthmus report",
        "question": context.question,
        "disclaimer": DISCLAIMER,
        "origin": _origin(context),
        "marks": [
            {"text": _MARKS.get(mark, mark), "loud": mark in LOUD_MARKS, "name": mark}
            for mark in sorted(context.marks, key=lambda mark: mark not in LOUD_MARKS)
        ],
        "counts": sentences.cohort_line(context),
        "headline": sentences.headline(context),
        "intervals_heading": _intervals_heading(evidence),
        "label_source": sentences.label_source(context),
        "checks": context.checks,
        "figures": sorted(figures, key=_figure_order),
        "cannot_conclude": cannot_conclude(context),
        "unit": evidence["unit"],
        "many_arms": len(evidence["arms"]) > 6,
        "split_sentence": sentences.split_sentence(context),
        "openings": context.openings,
        "arm_tables": arm_tables(context),
        "fold_table": fold_table(context),
        "comparisons": comparison_rows(context),
        "comparisons_note": _comparisons_note(context),
        "misclassified": wrong,
        "misclassified_caption": "Wrong calls, the most confident first",
        "misclassified_note": more,
        **wrong_pictures(context),
        "score_word": _score_word(context),
        "pointing": pointing_rows(context),
        "gallery": gallery,
        "flips": flips_sentence(context),
        "failures": context.failures[:100],
        "failures_note": _failures_note(context),
        "methods": methods_paragraphs(context),
        "arm_facts": _arm_facts(context),
        "profile": context.protocol.profile if context.protocol else "",
        "reductions": context.protocol.reductions if context.protocol else [],
        "citations": _citations(context),
        "notes": evidence.get("notes", []),
        "versions": _versions(context),
        **_cohort(context),
        **descriptor_parts(context),
        **region_parts(context),
        **error_rate_parts(context),
        **simulated_parts(context),
        **film_parts(context),
        "subjects": {subject.key: shown for subject in SUBJECTS if (shown := subject.show(context))},
    }
    page["sections"] = _sections(page, figures)
    return page


def _figure_order(name: str) -> int:
    """Return the place of a split's figure among its kind: the leading split has no ending."""
    ending = name.partition("_")[2]
    kind = ending.rstrip("0123456789")
    return 100 * (SPLIT_ORDER.index(kind) + 1) + int(ending[len(kind) :] or 0) if kind in SPLIT_ORDER else 0


def _sections(page: dict[str, Any], figures: set[str]) -> list[tuple[str, str]]:
    """Return the sections that have something to show."""
    shown = {
        "cohort": ("Cohort and flow", page["cohort"] or figures & {"flow", "labels"} or page["split_sentence"]),
        "ideal": ("How near to the best possible", page["ideal"]),
        "leak": ("Had pictures been divided instead of patients", page["leak"]),
        "results": ("Results by arm", page["arm_tables"]),
        "ranking": ("ROC curves", "roc" in figures or page["fold_table"].rows),
        "comparisons": ("Comparisons", page["comparisons"]),
        "calls": ("Calls and mistakes", "confusion" in figures or page["misclassified"] or page["wrong_pictures"]),
        "misjudged": (f"Which {page['unit']}s are misjudged", page["misjudged"]),
        "calibration": ("Calibration", "calibration" in figures),
        "regions": (
            "Does it matter where the box is drawn?" if page["regions"].get("moved") else "Regions",
            page["regions"],
        ),
        "described": ("What the networks learnt to describe", page["described"]),
        "learning": ("Learning curves", "learning" in figures),
        "heat": ("Heat maps", "localisation" in figures or page["gallery"] or page["on_calcifications"]),
        "films": ("Heat in time", page["films"] or page["attended"]),
        "failures": ("Failures", page["failures"]),
        "methods": ("Methods", page["methods"]),
        "versions": ("Versions", page["versions"]),
    }
    sections = {key: name for key, (name, something) in shown.items() if something}
    sections |= {subject.key: subject.heading for subject in SUBJECTS if subject.key in page["subjects"]}
    return sorted(sections.items(), key=lambda section: ORDER.index(section[0]))


def _origin(context: ReportContext) -> str:
    text = f"Isthmus {version()}"
    if context.protocol:
        text += f" · protocol {context.protocol.name}, profile {context.protocol.profile}"
    return text + (f" · cohort {context.cohort.name}" if context.cohort else "")


def _intervals_heading(evidence: dict[str, Any]) -> str:
    splits = splits_of(evidence)
    where = split_name(splits[0]) if splits else ""
    return f"All arms, {where}, with {100 * evidence['level']:.0f}\u202f% intervals"


def _score_word(context: ReportContext) -> str:
    if not context.evidence["has_probabilities"]:
        return "Score"
    calibrated = any(
        "brier_uncalibrated" in facts for found in context.evidence["arms"].values() for facts in found.values()
    )
    return "Probability, uncalibrated" if calibrated and context.frozen is None else "Probability"


def _comparisons_note(context: ReportContext) -> str:
    evidence = context.evidence
    compared = evidence["comparisons"]
    text, ordered = "", max((entry.get("order") or 0 for entry in compared), default=0)
    if ordered > 1:
        text = f"The contrast in bold is the primary one. {RULE} "
    elif ordered:
        text = "The contrast in bold was named before the run and stands on its own; the others are secondary. "
    if ordered < 2 and any(entry.get("p_holm") is not None for entry in compared):
        text += "Holm's correction is over all comparisons of a split and measure"
        text += ", the primary one left out. " if ordered else ". "
    if len(compared) > 30:
        text += f"Shown are the 30 of {len(compared)} with the smallest p; tables/comparisons.csv holds all. "
    chosen = (
        () if evidence.get("seeds") else evidence.get("contrasts", ())
    )  # said there, where the contrasts are judged
    text += " ".join(filter(None, (choice_words(context, contrast) for contrast in chosen)))
    return text.strip()


def _failures_note(context: ReportContext) -> str:
    more = len(context.failures) - 100
    return f"{count(more)} more are in manifest.json." if more > 0 else ""


def _arm_facts(context: ReportContext) -> list[list[str]]:
    return [
        [
            facts.title,
            facts.network or "–",
            "–" if facts.parameters_millions is None else f"{facts.parameters_millions:.1f}",
            facts.weights,
        ]
        for facts in context.arms.values()
        if facts.network
    ]


def _citations(context: ReportContext) -> list[str]:
    texts = [context.protocol.citation if context.protocol else "", context.cohort.citation if context.cohort else ""]
    return [text for text in texts if text]


def _versions(context: ReportContext) -> list[tuple[str, str]]:
    shown: list[tuple[str, str]] = [("isthmus", version())]
    for name, value in context.manifest.items():
        if name in ("format", "notice", "isthmus", "outputs") or value in (None, "", [], {}):
            continue
        shown.append((name.replace("_", " "), _flat_text(value)))
    return shown


def _flat_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat_text(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_flat_text(entry) for entry in value)
    return str(value)


def _cohort(context: ReportContext) -> dict[str, Any]:
    cohort = context.cohort
    if cohort is None:
        return {"cohort": None, "cohort_facts": [], "excluded": [], "import_counts": []}
    facts = [
        ("Cohort", cohort.name),
        ("Licence", cohort.licence),
        ("Patients", _count_or_nothing(cohort.patients)),
        ("Groups (unit of every split)", _count_or_nothing(cohort.groups)),
        ("Nodules", _count_or_nothing(cohort.nodules)),
        ("Views", _count_or_nothing(cohort.views)),
        ("Sites", _count_or_nothing(cohort.sites)),
        ("Lesion region", cohort.region_source),
    ]
    return {
        "cohort": cohort,
        "cohort_facts": [(name, value) for name, value in facts if value],
        "excluded": [(stage, reason, count(number)) for stage, reason, number in cohort.excluded],
        "import_counts": [(outcome, count(number)) for outcome, number in cohort.import_counts.items()],
    }


def _count_or_nothing(value: int | None) -> str:
    return "" if value is None else count(value)
