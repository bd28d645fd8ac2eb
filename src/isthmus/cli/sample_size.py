"""Sample size: how many cases a study needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer

from isthmus.cli.app import JsonOption, app, show
from isthmus.errors import InputError

sample_size_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="How many cases a study needs, before it begins.\n\nThree kinds of question: an interval of a given width "
    "(`proportion`, `auc`), a value that must not be fallen below (`at-least`), a difference to be found "
    "(`compare-aucs`, `compare-calls`). Readers and cases of a reader study: `readers`.\n\nAll sizes are of "
    "independent patients: give --nodules and --icc where a patient has several nodules.",
)
app.add_typer(sample_size_app, name="sample-size")

Prevalence = Annotated[
    float, typer.Option("--prevalence", help="Share of positives among those who are included.", show_default=False)
]
Power = Annotated[float, typer.Option("--power", help="Probability of finding the difference.")]
Level = Annotated[float, typer.Option("--level", help="Confidence; tests are two-sided at 1 minus it.")]
Nodules = Annotated[float, typer.Option("--nodules", help="Mean number of nodules a patient.")]
Icc = Annotated[
    float, typer.Option("--icc", help="How alike two nodules of a patient are judged: intraclass correlation.")
]


@sample_size_app.command("proportion")
def proportion(
    sensitivity: Annotated[float, typer.Option("--sensitivity", help="Expected.", show_default=False)],
    specificity: Annotated[float, typer.Option("--specificity", help="Expected.", show_default=False)],
    width: Annotated[
        float, typer.Option("--width", help="Of each interval from limit to limit, such as 0.10.", show_default=False)
    ],
    prevalence: Prevalence,
    level: Level = 0.95,
    wald: Annotated[
        bool, typer.Option("--wald", help="As Buderer's published tables, instead of the Wilson interval.")
    ] = False,
    nodules: Nodules = 1.0,
    icc: Icc = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Cases for intervals of sensitivity and specificity that are no wider than asked.

    Example: `isthmus sample-size proportion --sensitivity 0.9 --specificity 0.85 --width 0.1 --prevalence 0.2`
    """
    from isthmus.statistics.sample_size import cases_for_width, sizes_at

    method = "wald" if wald else "wilson"
    with _as_input_error():
        sizes = [cases_for_width(value, width, level, method) for value in (sensitivity, specificity)]
        effect = _effect(nodules, icc)
        name = "Buderer 1996" if wald else "Wilson interval"
        found = sizes_at(sizes[0] * effect, sizes[1] * effect, prevalence, name)
    _show(found.as_dict(), nodules, icc, effect, as_json)


@sample_size_app.command("at-least")
def at_least(
    expected: Annotated[float, typer.Option("--expected", help="Sensitivity or specificity.", show_default=False)],
    least: Annotated[
        float, typer.Option("--least", help="What its lower confidence limit must reach.", show_default=False)
    ],
    assurance: Annotated[float, typer.Option("--assurance", help="Probability of reaching it.")] = 0.95,
    level: Annotated[float, typer.Option("--level", help="One-sided confidence of the limit.")] = 0.95,
    nodules: Nodules = 1.0,
    icc: Icc = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Cases of one class so that the lower limit of sensitivity (or specificity) reaches a least acceptable value.

    Example: `isthmus sample-size at-least --expected 0.95 --least 0.9`
    """
    from isthmus.statistics.sample_size import cases_above

    with _as_input_error():
        effect = _effect(nodules, icc)
        cases = cases_above(expected, least, level, assurance) * effect
    _show({"cases": _up(cases), "method": "exact binomial, Flahault 2005"}, nodules, icc, effect, as_json)


@sample_size_app.command("auc")
def auc(
    expected: Annotated[float, typer.Option("--expected", help="AUC.", show_default=False)],
    width: Annotated[float, typer.Option("--width", help="Of the interval from limit to limit.", show_default=False)],
    prevalence: Prevalence,
    level: Level = 0.95,
    nodules: Nodules = 1.0,
    icc: Icc = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Cases for an interval of the AUC that is no wider than asked.

    Example: `isthmus sample-size auc --expected 0.85 --width 0.1 --prevalence 0.3`
    """
    from isthmus.statistics.sample_size import sizes_at
    from isthmus.statistics.sample_size_auc import auc_width

    with _as_input_error():
        effect = _effect(nodules, icc)
        plain = auc_width(expected, width, prevalence, level)
        found = sizes_at(plain.positives * effect, plain.negatives * effect, prevalence, plain.method)
    _show(found.as_dict(), nodules, icc, effect, as_json)


@sample_size_app.command("compare-aucs")
def compare_aucs(
    a: Annotated[float, typer.Option("--a", help="Expected AUC of one model.", show_default=False)],
    b: Annotated[float, typer.Option("--b", help="Expected AUC of the other.", show_default=False)],
    prevalence: Prevalence,
    correlation: Annotated[
        float, typer.Option("--correlation", help="Of both models' scores within a class; 0: each has its own cases.")
    ] = 0.5,
    power: Power = 0.8,
    level: Level = 0.95,
    published: Annotated[
        bool, typer.Option("--obuchowski", help="Variances as published in 1997 (and in pROC): larger sizes.")
    ] = False,
    nodules: Nodules = 1.0,
    icc: Icc = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Cases to find the difference of two AUCs by DeLong's test.

    Example: `isthmus sample-size compare-aucs --a 0.85 --b 0.78 --prevalence 0.3 --correlation 0.5`
    """
    from isthmus.statistics.sample_size import sizes_at
    from isthmus.statistics.sample_size_auc import auc_difference

    with _as_input_error():
        effect = _effect(nodules, icc)
        how: Literal["delong", "obuchowski"] = "obuchowski" if published else "delong"
        plain = auc_difference(a, b, prevalence, correlation=correlation, power=power, level=level, method=how)
        found = sizes_at(plain.positives * effect, plain.negatives * effect, prevalence, plain.method)
    more = {"design": "the same cases" if correlation else "each model on its own cases: this many for either"}
    _show({**found.as_dict(), **more}, nodules, icc, effect, as_json)


@sample_size_app.command("compare-calls")
def compare_calls(
    a: Annotated[float, typer.Option("--a", help="Expected sensitivity (or specificity).", show_default=False)],
    b: Annotated[float, typer.Option("--b", help="That of the other.", show_default=False)],
    correlation: Annotated[
        float | None,
        typer.Option("--correlation", help="Phi of both calls on the same cases; without: each has its own cases."),
    ] = None,
    power: Power = 0.8,
    level: Level = 0.95,
    nodules: Nodules = 1.0,
    icc: Icc = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Cases of one class to find the difference of two sensitivities, or specificities.

    On the same cases by McNemar's test (Connor 1987), else on two groups.

    Example: `isthmus sample-size compare-calls --a 0.9 --b 0.8 --correlation 0.3`
    """
    from isthmus.statistics.sample_size import paired_proportions, unpaired_proportions

    with _as_input_error():
        effect = _effect(nodules, icc)
        if correlation is None:
            facts: dict[str, Any] = {"cases": _up(unpaired_proportions(a, b, power, level) * effect)}
            facts |= {"design": "each on its own cases: this many for either", "method": "Fleiss"}
        else:
            facts = {"cases": _up(paired_proportions(a, b, correlation, power, level) * effect)}
            facts |= {"design": "the same cases", "method": "McNemar, Connor 1987"}
    _show(facts, nodules, icc, effect, as_json)


@sample_size_app.command("readers")
def readers(
    difference: Annotated[float, typer.Option("--difference", help="Of mean AUCs to be found.", show_default=False)],
    number: Annotated[int, typer.Option("--readers", help="How many readers there are.", show_default=False)],
    interaction: Annotated[
        float, typer.Option("--interaction", help="Variance of condition x reader, of the pilot.", show_default=False)
    ],
    error: Annotated[float, typer.Option("--error", help="Error variance of the pilot.", show_default=False)],
    cov1: Annotated[float, typer.Option("--cov1", help="Same reader, other condition.", show_default=False)],
    cov2: Annotated[float, typer.Option("--cov2", help="Other reader, same condition.", show_default=False)],
    cov3: Annotated[float, typer.Option("--cov3", help="Other reader, other condition.", show_default=False)],
    pilot_cases: Annotated[int, typer.Option("--pilot-cases", help="Patients of the pilot.", show_default=False)],
    power: Power = 0.8,
    level: Level = 0.95,
    as_json: JsonOption = False,
) -> None:
    """Cases that so many readers, reading all of them twice, need to show a difference of their mean AUCs.

    The variances are Obuchowski and Rockette's, of a pilot with the mix of classes that is planned: the report of a
    reader study lists them.
    """
    from isthmus.statistics.multi_reader.power import PlanningValues, sample_size

    with _as_input_error():
        values = PlanningValues(interaction, error, cov1, cov2, cov3, pilot_cases)
        found = sample_size(values, difference, number, target=power, level=level)
        if found is None:
            raise ValueError(f"{number} readers cannot show this difference, however many cases: take more readers")
    facts = {"readers": found.readers, "cases": found.cases, "power": round(found.power, 4)}
    show(facts, as_json, [f"{found.cases} patients, each read twice by each of {found.readers} readers",
                          f"(power {found.power:.2f}; Obuchowski-Rockette, readers and cases random)"])  # fmt: skip


@contextmanager
def _as_input_error() -> Iterator[None]:
    """Say a value that cannot be as one line, not as a traceback."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error), hint="isthmus sample-size COMMAND --help") from error


def _effect(nodules: float, icc: float) -> float:
    from isthmus.statistics.sample_size import design_effect

    return design_effect(nodules, icc)


def _up(cases: float) -> int:
    from math import ceil

    return ceil(round(cases, 9))


def _show(facts: dict[str, Any], nodules: float, icc: float, effect: float, as_json: bool) -> None:
    """Print the sizes; of several nodules a patient the nodules, and the patients who bring them."""
    unit = "patients" if nodules == 1 else "nodules"
    lines = []
    if "total" in facts:
        lines.append(f"{facts['total']} {unit}: {facts['positives']} positive and {facts['negatives']} negative needed")
    else:
        lines.append(f"{facts['cases']} {unit} of the class")
    if nodules != 1:
        bring = _up(float(facts["total" if "total" in facts else "cases"]) / nodules)
        facts = {**facts, "patients": bring, "design_effect": effect, "nodules_a_patient": nodules, "icc": icc}
        lines.append(f"from {bring} patients with {nodules:g} nodules each (design effect {effect:.2f})")
    lines.append(f"({'; '.join(str(facts[name]) for name in ('method', 'design') if name in facts)})")
    show(facts, as_json, lines)
