import runpy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from isthmus.report.analysis_table import analysis_table
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import style
from isthmus.report.page_readers import SUBJECT
from isthmus.report.subject import Study
from isthmus.tables.predictions import read_predictions
from isthmus.tables.reads import read_reads
from tests.report.made import made_frozen
from tests.report.made_readers import made_cases, made_study

ROOT = Path(__file__).parents[2]


def context_of(reads, predictions, *, simulated_readers: bool = False) -> ReportContext:
    """Return a context with the readers' evidence alone: the page's other subjects take their time elsewhere."""
    frozen = made_frozen(predictions)
    table = analysis_table(predictions, frozen=frozen)
    study = Study(reads=reads, bootstrap=60, simulated_readers=simulated_readers)
    evidence = {
        "unit": table.unit,
        "level": study.level,
        "classes": table.classes,
        "positive": table.positive,
        "target": table.target,
        "arms": {arm: {"test": {}} for arm in dict.fromkeys(table.rows["arm"])},
    }
    evidence["readers"] = SUBJECT.compute(table, study, evidence)
    return ReportContext("Made", evidence, predictions=predictions, frozen=frozen)


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return made_cases(strength=0.9)


@pytest.fixture(scope="module")
def context(predictions) -> ReportContext:
    return context_of(made_study(predictions), predictions)


def said(context: ReportContext) -> str:
    shown = SUBJECT.show(context)
    assert shown is not None
    return " ".join(shown.sentences + shown.notes)


def test_the_section_says_who_read_what_and_what_was_shown_and_what_not(context) -> None:
    text = said(context)
    assert "6 readers read 120 nodules of 60 patients without help and with help; every one of them read every" in text
    entry = next(
        one
        for one in context.evidence["readers"]["comparisons"]
        if (one["a"], one["group"], one["condition"], one["measure"]) == ("new", "all", "unaided", "auc")
    )
    # The interval leaves 0 out; Holm's correction over all arms and groups takes that back, and so do the words.
    assert entry["low"] > 0
    assert entry["p_holm"] > 0.05
    assert "In AUC, new and the mean of the 6 readers without help are not told apart" in text
    assert "The mean AUC of 6 readers with help and without help" in text
    assert "said of readers like these" in text
    assert "Agreement is not accuracy" in text
    assert "times as long as without help (720 pairs of reads" in text
    assert "Fewer than five readers cannot stand for others" in text
    assert "simulat" not in text


def test_what_help_changed_in_accuracy_is_said_by_experience(context, predictions) -> None:
    text = said(context)
    assert "By experience, the accuracy with help differs from that without help by +" in text
    assert "for 3 junior readers, from " in text
    assert "for 3 senior readers, from " in text
    of = {
        entry["group"]: entry
        for entry in context.evidence["readers"]["multi_reader"]
        if entry["measure"] == "accuracy" and entry["group"]
    }
    reads = made_study(predictions).merge(predictions[["unit_id", "label"]].drop_duplicates(), on="unit_id")
    right = (reads["call"] == reads["label"]).groupby([reads["experience"], reads["condition"]]).mean()
    for group in ("junior", "senior"):
        assert of[group]["difference"] == pytest.approx(right[group, "aided"] - right[group, "unaided"])
        assert f"{100 * of[group]['difference']:.1f} percentage points ({100 * of[group]['low']:.1f} to" in text
        assert of[group]["readers_as"] == "fixed"
    table = next(table for table in SUBJECT.show(context).tables if table.caption.startswith("Aided less unaided"))
    assert "Accuracy" in table.columns


def test_its_tables_are_those_of_the_evidence(context) -> None:
    captions = {table.caption: table for table in SUBJECT.show(context).tables}
    assert list(captions) == [
        "Test set",
        "Arms less the mean of readers, without help",
        "Arms less the mean of readers, with help",
        "new less each reader, without help",
        "old less each reader, without help",
        "Aided less unaided, same readers and cases",
        "Agreement among readers",
        "Cohen’s kappa of each reader’s calls",
        "Time per case",
    ]
    assert len(captions["Test set"].rows) == 12 + 2
    assert [row.name for row in captions["Arms less the mean of readers, with help"].rows[:3]] == [
        "new − all 6 readers", "new − 3 junior", "new − 3 senior",
    ]  # fmt: skip
    for table in captions.values():
        assert all(len(row.cells) == len(table.columns) for row in table.rows)


def test_many_arms_are_counted_in_words_and_each_stands_in_the_table() -> None:
    predictions = made_cases(tuple(f"arm{i}" for i in range(6)))
    context = context_of(made_study(predictions).drop(columns="score"), predictions)
    text = said(context)
    assert "In sensitivity at the readers’ own specificities, " in text
    assert "6 arms" in text
    assert "The differences, arm less readers, run from" in text
    (table,) = [t for t in SUBJECT.show(context).tables if t.caption.endswith("6 readers, without help")]
    assert len(table.rows) == 6
    assert "AUC" not in table.columns


def test_simulated_readers_are_said_to_be_none(predictions) -> None:
    context = context_of(made_study(predictions), predictions, simulated_readers=True)
    assert said(context).startswith("Set by the simulation. These readers are no people")
    table = SUBJECT.show(context).tables[0]
    assert table.columns[-1] == "Origin"
    assert {row.cells[-1].main for row in table.rows} == {"set by the simulation", "model, simulated cases"}


def test_who_skipped_cases_is_named(predictions) -> None:
    reads = made_study(predictions)
    context = context_of(reads[~((reads["reader_id"] == "J2") & (reads["unit_id"] < "n010"))], predictions)
    assert "J2 did not read 10" in said(context)
    assert "on the 110 nodules that all of them read" in said(context)


def test_the_figures_draw_every_reader_and_say_so_in_words(context, predictions) -> None:
    from isthmus.report.misclassified import table_of

    painters = SUBJECT.paint(context, table_of(context))
    assert list(painters) == ["readers", "reader_differences"]
    with style():
        plane, title, spoken = painters["readers"]()
        forest = painters["reader_differences"]()
    assert {text.get_text() for text in plane.axes[-1].texts} >= {"J1", "J2", "J3", "S1", "S2", "S3"}
    assert "hollow without help, filled with it" in title
    assert spoken.count("sensitivity") == 12
    assert len(forest[0].axes[0].get_yticklabels()) == 18


def test_readers_who_only_score_are_on_no_plane_and_in_the_forest(predictions) -> None:
    from isthmus.report.misclassified import table_of

    context = context_of(made_study(predictions).drop(columns=["call", "seconds"]), predictions)
    painters = SUBJECT.paint(context, table_of(context))
    with style():
        assert painters["readers"]() is None
        assert painters["reader_differences"]() is not None
    assert "Time per case" not in [table.caption for table in SUBJECT.show(context).tables]


def test_the_tables_beside_the_report_hold_everything(context) -> None:
    frames = SUBJECT.frames(context.evidence)
    assert list(frames) == ["readers", "reader_comparisons", "multi_reader", "agreement", "reading_time"]
    found = context.evidence["readers"]
    assert len(frames["reader_comparisons"]) == len(found["comparisons"]) == 2 * 2 * (6 + 3) * 5
    assert not frames["multi_reader"].map(lambda cell: isinstance(cell, dict | list)).any(axis=None)
    assert set(frames["readers"]["measure"]) == {"auc", "sensitivity", "specificity"}


def test_without_reads_there_is_no_section(predictions) -> None:
    context = context_of(None, predictions)
    assert SUBJECT.show(context) is None
    assert SUBJECT.frames(context.evidence) == {}
    assert SUBJECT.paint(context, None) == {}
    empty = replace(context, evidence={**context.evidence, "readers": {"simulated": False, "rows": []}})
    assert SUBJECT.show(empty) is None


def test_the_published_breast_reader_study_runs_through_its_example(
    data_folder: Path, tmp_path: Path, monkeypatch
) -> None:
    script = ROOT / "docs" / "examples" / "breast_reader_study.py"
    manifest = data_folder / "breast_reader_study" / "manifest.csv"
    monkeypatch.setattr("sys.argv", [script.name, str(manifest), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    predictions, reads = read_predictions(tmp_path / "predictions.csv"), read_reads(tmp_path / "reads.csv")
    one = predictions[predictions["arm"] == predictions["arm"].iloc[0]]
    pictures = pd.read_csv(manifest, dtype=str)
    group = dict(zip(one["unit_id"].str.removeprefix("still"), one["group_id"], strict=True))
    case = dict(zip(pictures["image"], pictures["case"], strict=True))
    for twins in pictures["duplicate_pixels"].dropna():
        assert len({group[case[picture]] for picture in twins.split("|")}) == 1
    table = analysis_table(predictions[predictions["arm"] == "Densenet121_hm_320"])
    rows = {row["name"]: row for row in SUBJECT.compute(table, Study(reads=reads, bootstrap=50), {})["rows"]}
    right = pictures["reader6"] == pictures["malignancy"]
    assert rows["reader6"]["specificity"]["estimate"] == pytest.approx(right[pictures["malignancy"] == "0"].mean())
    assert (rows["reader6"]["n"], rows["reader6"]["n_groups"]) == (300, 220)
