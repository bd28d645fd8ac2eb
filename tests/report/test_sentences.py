from dataclasses import replace

import pytest

from isthmus.report import sentences
from isthmus.report.context import CohortFacts, ReportContext
from isthmus.report.evidence import compute_evidence
from isthmus.report.limits import cannot_conclude
from isthmus.report.methods import methods_paragraphs
from isthmus.report.reading import interval
from tests.report.made import made_context, made_predictions, made_protocol


@pytest.fixture(scope="module")
def context() -> ReportContext:
    return made_context()


def changed(context: ReportContext, low: float, high: float) -> ReportContext:
    """Return the context with another interval of the primary difference."""
    first = {**context.evidence["comparisons"][0], "difference": (low + high) / 2, "low": low, "high": high}
    return replace(context, evidence={**context.evidence, "comparisons": [first]})


def test_the_headline_says_when_nothing_was_shown_and_how_far_a_difference_may_go(context) -> None:
    text = sentences.headline(changed(context, -0.05, 0.07))
    assert "difference is 0.01 (−0.05 to 0.07)" in text
    assert "does not show that either is better" in text
    assert "up to 0.07 stay compatible" in text


@pytest.mark.parametrize(("low", "high", "winner"), [(0.01, 0.09, "New $net"), (-0.09, -0.01, "Old <net>")])
def test_the_headline_names_the_better_arm_only_when_the_interval_excludes_zero(context, low, high, winner) -> None:
    assert f"{winner} was better here" in sentences.headline(changed(context, low, high))


def test_the_headline_carries_both_aucs_with_intervals_and_the_size_of_the_study(context) -> None:
    text = sentences.headline(context)
    for arm in ("new", "old"):
        assert interval(context.evidence["arms"][arm]["cv"]["auc"]).partition(" ")[2].strip("()") in text
    assert "In cross-validation (120 nodules of 60 groups)" in text


def test_an_arm_whose_interval_holds_chance_is_said_not_to_be_shown_better_than_it() -> None:
    frame = made_predictions(("weak",), strength=0.0)
    context = ReportContext("t", compute_evidence(frame, bootstrap=10))
    assert "not shown that it ranks better than chance" in sentences.headline(context)


def test_a_smoke_run_gives_figures_and_no_verdict(context) -> None:
    text = sentences.headline(replace(context, marks=["SMOKE"]))
    assert "no number in it means anything" in text
    assert "better" not in text


def test_many_arms_without_a_named_contrast_warn_of_picking_the_best() -> None:
    frame = made_predictions(("a", "b", "c"), strength=0.5)
    text = sentences.headline(ReportContext("t", compute_evidence(frame, bootstrap=10)))
    assert "3 arms" in text
    assert "after Holm's correction" in text
    assert "flattered by having been picked" in text


def test_a_tirads_label_is_called_suspicious_and_never_malignant(context) -> None:
    assert sentences.positive_name(context) == "suspicious"
    assert "does not mean cancer" in sentences.label_source(context)
    assert "TI-RADS 4a or higher" in sentences.label_source(context)
    said = " ".join([sentences.headline(context), *cannot_conclude(context)])
    assert "malignan" not in said
    assert "Anything about cancer" in said


def test_what_cannot_be_concluded_follows_from_the_facts(context) -> None:
    said = " ".join(cannot_conclude(context))
    for part in ("one source of data", "cross-validation measures the training recipe", "“small”", "outlined by hand"):
        assert part in said, part
    assert "without patient ids" not in said
    assert "so few" not in said
    assert context.cohort is not None
    other = replace(context.cohort, patient_ids="absent", sites=3, region_source="", simulated=True)
    said = " ".join(cannot_conclude(replace(context, cohort=other, marks=["SMOKE"])))
    assert "without patient ids" in said
    assert "the cohort is simulated" in said
    assert "Anything at all" in said
    assert "one source of data" not in said
    assert "outlined by hand" not in said


def test_a_small_class_is_warned_of() -> None:
    frame = made_predictions(("a",), units=30, seeds=(0,), folds=1, split="test")
    context = ReportContext("t", compute_evidence(frame, bootstrap=10))
    # 12 of 30 are negative, in 12 groups of the pairs (0, 1), (2, 3), …: counted from the label rule.
    groups = frame.loc[frame["label"] == "0", "group_id"].nunique()
    assert f"the smaller class has {groups} groups" in " ".join(cannot_conclude(context))


def test_a_foreign_table_counts_itself() -> None:
    context = ReportContext("t", compute_evidence(made_predictions(), bootstrap=10))
    assert sentences.cohort_line(context) == [("120", "nodules"), ("60", "groups"), ("72", "of class 1"), ("2", "arms")]


def test_unknown_counts_are_left_out(context) -> None:
    bare = replace(context, cohort=CohortFacts("bare", patients=7, reference="tirads"))
    assert sentences.cohort_line(bare) == [("7", "patients")]


def test_the_methods_are_written_from_the_resolved_protocol(context) -> None:
    text = " ".join(methods_paragraphs(context))
    for part in (
        "3-fold cross-validation",
        "2 seeds",
        "cut out around the lesion with a margin of 15",
        "3×3 median",
        "112×112 pixels (96×96 after cropping)",
        "Adam at a rate of 0.001 (cosine schedule)",
        "12 epochs at most, stopped after 5",
        "mirroring and random cropping",
        "prior shift",
        "Youden",
        "LeDell 2015",
    ):
        assert part in text, part
    assert "clustered (Obuchowski) intervals" not in text  # no split of this run used them


def test_arms_that_are_trained_differently_are_described_one_by_one(context) -> None:
    protocol = made_protocol()
    arms = protocol["arms"]
    assert isinstance(arms, dict)
    arms["old"] = {**arms["old"], "train": {**arms["old"]["train"], "epochs": 99}}
    text = methods_paragraphs(replace(context, protocol_resolved=protocol))
    assert any(part.startswith("Old <net>: ") and "99 epochs" in part for part in text)


def test_a_p_value_too_small_to_be_told_from_zero_counts_as_shown() -> None:
    evidence = compute_evidence(made_predictions(), bootstrap=10)
    evidence["comparisons"][0]["p_holm"] = 0.0
    said = sentences.headline(ReportContext(title="", evidence=evidence))
    assert "Of 1 paired comparison, 1 stays below p = 0.05" in said
