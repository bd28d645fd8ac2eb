from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from isthmus.report import nearness, sentences
from isthmus.report.context import ReportContext
from isthmus.report.figures_simulated import draw_ideal_observer
from isthmus.report.limits import cannot_conclude
from isthmus.report.page_simulated import simulated_parts
from isthmus.report.reading import interval
from isthmus.report.tables import write_tables
from tests.report.made_simulated import made_leak
from tests.report.test_page import Page


@pytest.fixture(name="context")
def _context(simulated_context: ReportContext) -> ReportContext:
    return simulated_context


@pytest.fixture(name="shown")
def _shown(written_simulated: tuple[Path, str]) -> tuple[Path, str]:
    return written_simulated


def test_the_headline_states_what_was_possible_and_how_near_the_primary_arm_came(context) -> None:
    text = sentences.headline(context)
    facts = context.evidence["ideal_observer"]["arms"]["new"]["splits"]["test"]
    assert f"best possible AUC from B-mode and elastography is {interval(facts['observer'])}" in text
    assert f"{interval(facts['latents'])} for whoever knows every finding" in text
    assert f"B-mode and SWE reached an efficiency of {nearness.percent(facts['efficiency'])}" in text
    smoke = sentences.headline(replace(context, marks=["SMOKE", "SIMULATED"]))
    assert "best possible" not in smoke


def test_the_label_is_said_to_be_set_and_by_which_preset(context) -> None:
    text = sentences.label_source(context)
    assert "set by the simulation" in text
    assert text.endswith("Preset made, seed 0.")


def test_the_page_has_the_sections_of_a_simulated_cohort(shown) -> None:
    for name in ("How near to the best possible", "Had pictures been divided instead of patients",
                 "Readers"):  # fmt: skip
        assert f">{name}</h2>" in shown[1], name
    assert "1\u202f000\u202f000 picture-free draws" in shown[1]
    page = Page(shown[1])
    assert page.unnamed == []
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("name", ["ideal", "ideal_cv", "leak", "heat_on_calcifications"])
def test_simulated_stands_on_every_new_figure(shown, name: str) -> None:
    assert "#8a2500" in (shown[0] / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    assert (shown[0] / "figures" / f"{name}.png").is_file()


def test_the_leak_is_told_in_one_sentence_and_its_difference_judged(context, shown) -> None:
    assert 'the AUC would have read <b class="wrong">0.91 (0.87–0.94)</b> instead of' in shown[1]
    assert "is the error." in shown[1]
    unsure = replace(
        made_leak(), difference={"estimate": 0.02, "low": -0.03, "high": 0.07, "level": 0.95, "method": "m"}
    )
    assert "not told apart from none" in simulated_parts(replace(context, leak=unsure))["leak"]["verdict"]
    turned = replace(
        made_leak(), difference={"estimate": -0.06, "low": -0.1, "high": -0.02, "level": 0.95, "method": "m"}
    )
    assert "points the other way in this run" in simulated_parts(replace(context, leak=turned))["leak"]["verdict"]
    assert simulated_parts(replace(context, leak=None))["leak"] == {}


def test_who_wins_is_said_with_intervals_and_a_tie_as_a_tie(context) -> None:
    (won,) = nearness.who_wins(context)
    assert won.startswith("B-mode and SWE wins (test set) against B-mode alone (difference 0.1")
    assert "after Holm's correction" in won  # of the comparison that was not named before
    changed = [
        {**entry, "low": -0.04, "high": 0.08, "difference": 0.02, "p": 0.5} if entry["primary"] else entry
        for entry in context.evidence["comparisons"]
    ]
    both = nearness.who_wins(replace(context, evidence={**context.evidence, "comparisons": changed}))
    assert both[0].startswith("B-mode and SWE wins (test set) against Coin")
    assert both[1].startswith(
        "A tie (test set): B-mode and SWE has the higher AUC, but is not told apart from B-mode al"
    )
    assert "0.02 (−0.04 to 0.08), p = 0.50" in both[1]
    silent = nearness.who_wins(replace(context, evidence={**context.evidence, "comparisons": []}))
    assert "no paired comparison" in silent[0]


def test_a_difference_that_holms_correction_undoes_is_a_tie(context) -> None:
    changed = [{**entry, "p_holm": 0.2} if not entry["primary"] else entry for entry in context.evidence["comparisons"]]
    texts = nearness.who_wins(replace(context, evidence={**context.evidence, "comparisons": changed}))
    assert "not told apart from Coin" in texts[1]


def test_each_arm_has_its_sentence_and_what_is_left_to_gain(context) -> None:
    texts = nearness.nearness_sentences(context)
    assert [text.partition(" reached")[0] for text in texts] == ["B-mode and SWE", "B-mode alone", "Coin"]
    assert all("is left to gain" in text for text in texts)
    assert "0\u202f% (0–" in texts[2]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.02, 0.05, "not told apart from none"), (-0.06, -0.01, "which only chance can do")],
)
def test_a_gap_that_may_be_none_is_called_so(context, low: float, high: float, said: str) -> None:
    ideal = context.evidence["ideal_observer"]
    values = ideal["arms"]["old"]["splits"]["test"]
    gap = {**values["gap"], "estimate": (low + high) / 2, "low": low, "high": high}
    old = {**ideal["arms"]["old"], "splits": {"test": {**values, "gap": gap}}}
    evidence = {**context.evidence, "ideal_observer": {**ideal, "arms": {"old": old}}}
    assert said in nearness.nearness_sentences(replace(context, evidence=evidence))[0]


def test_every_simulated_reader_row_says_so_and_no_arm_row_does(context, shown) -> None:
    readers = [row for row in context.evidence["readers"]["rows"] if row["kind"] == "reader"]
    assert shown[1].count("<td>set by the simulation</td>") == len(readers)
    assert any("radiologists" in text for text in cannot_conclude(context))


def test_the_tables_hold_what_the_page_shows(tmp_path: Path, context) -> None:
    evidence = {**context.evidence, "leak": {"arm": "old", "views": 260, "honest": made_leak().honest}}
    names = {path.stem for path in write_tables(tmp_path, evidence)}
    assert {"ideal_observer", "ideal_population", "readers", "leak"} <= names
    ideal = pd.read_csv(tmp_path / "ideal_observer.csv")
    row = ideal[(ideal["arm"] == "old") & (ideal["split"] == "cv") & (ideal["what"] == "gap")].iloc[0]
    facts = context.evidence["ideal_observer"]["arms"]["old"]["splits"]["cv"]["gap"]
    assert [row["estimate"], row["low"], row["high"]] == pytest.approx([facts["estimate"], facts["low"], facts["high"]])
    readers = pd.read_csv(tmp_path / "readers.csv")
    assert set(readers.loc[readers["kind"] == "reader", "origin"]) == {"set by the simulation"}
    assert pd.read_csv(tmp_path / "leak.csv")["estimate"].tolist() == [0.74]


def test_an_efficiency_of_few_groups_is_not_told_and_a_perfect_arm_is_not_cut() -> None:
    """Of six groups an efficiency was printed as 100 % (0-1922)."""
    one = {"estimate": 1.0, "low": 0.6, "high": 1.0}
    facts = {"arm": one, "observer": one, "latents": one, "gap": one, "measure": "auc", "n_groups": 9}
    facts["efficiency"] = {"estimate": 1.0, "low": 0.0, "high": 19.22}
    assert not nearness.efficiency_is_told(facts)
    assert nearness.efficiency_is_told(facts | {"n_groups": 10})
    axis = draw_ideal_observer({"a": facts}, {"a": "A"}, {"a": "B-mode"}).axes[0]
    assert axis.get_ylim()[1] > 1.01
    assert not [text for text in axis.texts if "%" in text.get_text()]
