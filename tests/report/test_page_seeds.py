"""What the page says of several trainings: which way a contrast fell, and what could have been seen."""

import json

import pandas as pd
import pytest

from isthmus.report.analysis_table import analysis_table
from isthmus.report.arm_modalities import UPPER_BOUND, modalities_shown
from isthmus.report.context import ArmFacts, ReportContext
from isthmus.report.evidence import compute_evidence
from isthmus.report.figure_style import save, style
from isthmus.report.page_seeds import ONCE, SUBJECT
from isthmus.report.sentences import headline
from isthmus.report.subject import Study
from tests.report.made import made_predictions
from tests.report.made_seeds import made_seeds

STRENGTHS = {"attention": 1.0, "plain": 0.9, "mean": 0.4, "richest": 0.5}
SECONDARY = ({"title": "3D against the best 2D", "arm": "plain", "against": ["mean", "richest"]},)


def context_of(*parts: pd.DataFrame, seeds: pd.DataFrame | None, **changes: object) -> ReportContext:
    """Return the context of a run that named two contrasts."""
    arms = tuple(STRENGTHS)
    rows = pd.concat([made_predictions(arms, units=60, seeds=(0,)), *parts], ignore_index=True)
    evidence = compute_evidence(
        rows,
        primary={"arm": "attention", "against": "plain"},
        reference_arm="plain",
        secondary=SECONDARY,
        oracles=("richest",),
        seed_rows=seeds,
        bootstrap=20,
    )
    facts = {"arms": {arm: ArmFacts(arm.capitalize()) for arm in arms}} | changes
    return ReportContext("Made", evidence, predictions=rows, **facts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def seeds() -> pd.DataFrame:
    return pd.concat([made_seeds(STRENGTHS), made_seeds(STRENGTHS, split="external", units=60)], ignore_index=True)


@pytest.fixture(scope="module")
def context(seeds) -> ReportContext:
    return context_of(seeds[seeds["seed"] == 0], seeds=seeds)


def said(context: ReportContext) -> str:
    shown = SUBJECT.show(context)
    assert shown is not None
    return " ".join(shown.sentences + shown.notes)


def test_the_section_says_what_was_compared_how_it_fell_and_whether_002_could_be_seen(context) -> None:
    text = said(context)
    assert json.loads(json.dumps(context.evidence["seeds"], allow_nan=False)) == context.evidence["seeds"]
    assert "training the same arms anew on these very patients, and about new patients of the same kind" in text
    assert (
        "The primary contrast, each arm trained 5 times, 120 nodules of 60 patients on the test set: mean AUC" in text
    )
    assert "Inconclusive: the interval holds 0. Attention may be better by up to" in text
    assert "Could this study have seen a difference of 0.02? Not reliably: a true difference of 0.02 is found" in text
    assert "The primary contrast, external set: mean AUC 0." in text
    assert "A contrast before it was not shown, so this one is exploratory." in text
    assert "tested in that order, each at the full level" in text


def test_who_was_chosen_as_the_best_is_said_with_all_figures_and_the_oracle_is_marked(context) -> None:
    text = said(context)
    figures = {arm: context.evidence["arms"][arm]["cv"]["auc"]["estimate"] for arm in ("mean", "richest")}
    best = max(figures, key=lambda arm: figures[arm])
    assert "3D against the best 2D: the opponent was chosen by cross-validation, the test set played no part." in text
    assert f"Of 2 arms {best.capitalize()} has the best cross-validated AUC" in text
    assert f"(Mean {figures['mean']:.3f}; Richest (oracle) {figures['richest']:.3f})." in text
    assert "Oracle: the simulated truth chose its pictures" in text


def test_the_headline_says_it_over_all_trainings(context) -> None:
    assert "Over 5 trainings of each arm the mean difference is" in headline(context)
    assert "Inconclusive" in headline(context)


def test_a_clear_difference_is_said_as_one(seeds) -> None:
    rows = made_seeds(STRENGTHS | {"attention": 2.5})
    text = said(context_of(rows[rows["seed"] == 0], seeds=rows))
    assert "Attention is shown to be better than Plain. Attention has the higher AUC in 5 of 5 seeds." in text
    assert "exploratory." not in text


def test_tables_hold_every_seed_and_the_named_contrasts_first(context) -> None:
    shown = SUBJECT.show(context)
    assert shown is not None
    first, pairs = shown.tables[:2]
    assert [row.name for row in first.rows] == ["Attention", "Plain", "Mean", "Richest"]
    assert first.columns == ["Mean AUC", *(f"Seed {seed}" for seed in range(5)), "SD of seeds"]
    assert pairs.rows[0].name == "Attention − Plain"
    roles = [(row.cells[-1].main, row.cells[-1].small) for row in pairs.rows[:2]]
    assert roles == [("primary", "confirmatory"), ("secondary", "exploratory")]
    frames = SUBJECT.frames(context.evidence)
    assert len(frames["seeds"]) == 2 * 4 * 5
    assert {"reach_power", "shares_cases", "components_cov2"} <= set(frames["seed_contrasts"])


def test_the_figure_has_a_dot_a_seed_and_the_best_possible(context, tmp_path) -> None:
    ideal = {"observer": {"estimate": 0.9123}}
    arms = {arm: {"modalities": ["cine"], "splits": {"test": ideal}} for arm in STRENGTHS}
    with_ideal = ReportContext(
        "Made",
        context.evidence | {"ideal_observer": {"arms": arms}},
        arms=context.arms,
        predictions=context.predictions,
    )
    with style():
        painters = SUBJECT.paint(with_ideal, None)
        assert list(painters) == ["seeds", "seeds_external"]
        drawn = painters["seeds"]()
        assert drawn is not None
        figure, title, spoken = drawn
        primary, _, everyone = figure.axes
        dots = [line for line in primary.lines if line.get_marker() == "o"]
        assert [len(dot.get_xdata()) for dot in dots] == [5, 5]
        assert (
            len([line for line in primary.lines if list(line.get_ydata()) == [0, 1] and line.get_color() != "#1a1a1a"])
            == 5
        )
        assert [text.get_text() for text in everyone.get_yticklabels()] == ["Attention", "Plain", "Mean", "Richest"]
        assert "B-mode cine 0.912" in everyone.get_xlabel()
        assert "best possible from B-mode cine 0.912" in spoken
        assert "one training run" in title
        assert save(figure, tmp_path, "seeds", title, spoken).png.is_file()


def test_one_seed_gives_one_sentence_where_all_were_asked_and_else_nothing(seeds) -> None:
    one = seeds[seeds["seed"] == 0]
    table, nothing = analysis_table(one), {"contrasts": []}
    found = SUBJECT.compute(table, Study(seed_rows=one), nothing)
    asked = ReportContext("Made", {"seeds": found, "arms": {}})
    shown = SUBJECT.show(asked)
    assert shown is not None
    assert (shown.sentences, shown.figures, shown.tables) == ([ONCE], (), [])
    assert SUBJECT.paint(asked, None) == {}
    assert all(frame.empty for frame in SUBJECT.frames(asked.evidence).values())
    assert SUBJECT.compute(table, Study(), nothing) == {}


def test_a_smoke_run_claims_nothing(context) -> None:
    text = said(ReportContext("Made", context.evidence, arms=context.arms, marks=["SMOKE"]))
    assert "no number below means anything" in text
    assert "Inconclusive" not in text


def test_a_still_of_a_clip_stands_beside_the_observer_of_stills() -> None:
    assert modalities_shown("cine", 16) == (["cine"], "")
    assert modalities_shown("cine", 1) == (["bmode"], "")
    assert modalities_shown("cine", 1, oracle=True) == (["cine"], UPPER_BOUND)
    assert modalities_shown("swe", None) == (["swe"], "")


def test_a_contrast_draws_an_arm_on_the_cases_that_both_scored(seeds) -> None:
    fewer = seeds[(seeds["arm"] != "plain") | (~seeds["unit_id"].isin(["test0000", "test0001"]))]
    drawn = SUBJECT.paint(context_of(fewer[fewer["seed"] == 0], seeds=fewer), None)["seeds"]()
    assert drawn is not None
    figure, title, _ = drawn
    assert "on the cases that both arms of the contrast scored" in title
    panel, whole = figure.axes[0], figure.axes[-1]
    (line,) = [one for one in panel.lines if len(one.get_xdata()) == 5 and set(one.get_ydata()) == {0}]
    (own,) = [one for one in whole.lines if len(one.get_xdata()) == 5 and set(one.get_ydata()) == {0}]
    ends = sorted(one.get_xdata()[0] for one in panel.lines if list(one.get_ydata()) == [0, 1])
    assert sorted(line.get_xdata()) == pytest.approx(ends)
    assert sorted(own.get_xdata()) != pytest.approx(ends)
