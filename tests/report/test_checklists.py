"""Reporting checklists filled in with what a report knows."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from isthmus.errors import InputError
from isthmus.report.checklist_facts import known_facts
from isthmus.report.checklists import FOLDER, KEYS, STATUSES, checklist, checklist_frames, counted, fill_in
from isthmus.report.context import ReportContext
from isthmus.report.evaluate import evaluate
from isthmus.report.evidence import compute_evidence
from isthmus.report.page_checklists import show
from tests.report.made import made_predictions


def by_number(answers):
    return {answer.item.number: answer for answer in answers}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluated") / "out"
    evaluate(made_predictions(seeds=(0,), folds=1, split="test"), out, bootstrap=50)
    return out


# The numbers of the guidelines: Tejani 2024 (44 items), Collins 2024 (27 items, 52 parts), Sounderajah 2025 (40, 48).
@pytest.mark.parametrize(
    ("key", "items", "parts", "letters"),
    [
        ("claim_2024", 44, 44, {}),
        ("tripod_ai", 27, 52, {3: 3, 5: 2, 6: 3, 8: 3, 9: 3, 12: 7, 18: 6, 20: 3, 23: 2, 27: 3}),
        ("stard_ai", 40, 48, {15: 4, 16: 3, 17: 2, 26: 2, 40: 2}),
    ],
)
def test_items_are_numbered_as_the_guidelines_number_them(key, items, parts, letters):
    found = checklist(key)
    numbers = [re.fullmatch(r"(\d+)([a-g]?)", item.number).groups() for item in found.items]
    assert list(dict.fromkeys(int(number) for number, _ in numbers)) == list(range(1, items + 1))
    assert (found.numbered, len(numbers), len(set(numbers))) == (items, parts, parts)
    lettered = [int(number) for number, letter in numbers if letter]
    assert {number: lettered.count(number) for number in set(lettered)} == letters
    for number in set(lettered):
        own = [letter for other, letter in numbers if int(other) == number]
        assert own == sorted(own) == list("abcdefg"[: len(own)])


def test_every_fact_that_a_checklist_asks_for_can_be_known_and_every_file_says_what_it_was_checked_against(
    full_context, simulated_context, evaluated
):
    code = "".join(path.read_text() for path in FOLDER.parent.glob("checklist_*facts.py"))
    for key in KEYS:
        for item in checklist(key).items:
            assert item.facts or item.also or item.authors, f"{key} {item.number} asks nobody"
            for name in (*item.facts, *item.also, *item.not_if):
                assert f'"{name}"' in code, f"{key} {item.number}: no fact is called {name}"
        text = (FOLDER / f"{key}.yaml").read_text(encoding="utf-8")
        assert "paraphrases" in text
        assert "Checked 20" in text
        assert set(yaml.safe_load(text)["items"][0]) <= {
            "number",
            "section",
            "text",
            "facts",
            "also",
            "not_if",
            "authors",
        }


def test_what_only_authors_know_is_left_open_and_never_invented(full_context):
    answers = {key: by_number(found) for key, found in fill_in(full_context).items()}
    for key, numbers in {"claim_2024": ("3", "34", "41", "44"), "tripod_ai": ("17", "18a", "18b", "18d", "19"),
                         "stard_ai": ("6", "27", "36", "38", "39")}.items():  # fmt: skip
        for number in numbers:
            answer = answers[key][number]
            assert answer.status == "authors must fill in"
            assert (answer.says, answer.where) == ("", "")
            assert answer.authors


def test_what_the_run_knows_is_said_with_its_numbers_and_its_place(full_context):
    claim, tripod, stard = (by_number(found) for found in fill_in(full_context).values())
    assert claim["20"].status == "reported"
    assert "Groups of patients are the unit of every split" in claim["20"].says
    assert "Adam" in claim["25"].says
    facts = full_context.evidence["arms"]["new"]["cv"]["auc"]
    assert f"{facts['estimate']:.2f}" in claim["38"].says
    assert "120 nodules in 60 groups (48 of class 0, 72 of class 1)" in tripod["21"].says
    assert "how the number was arrived at" in tripod["10"].authors
    assert stard["30"].status == "reported"
    assert "tables/confusion.csv" in stard["30"].where
    assert claim["33"].status == "partly"
    assert claim["33"].authors == "why there is none"


def test_a_foreign_table_fills_in_little_and_says_so(evaluated):
    table = pd.read_csv(evaluated / "tables" / "checklist_claim_2024.csv", keep_default_na=False, dtype=str)
    status = table.set_index("item")["status"]
    assert len(table) == 44
    for number in ("1", "7", "9", "14", "20", "24", "25"):
        assert status[number] == "authors must fill in", number
    assert status["29"] == "reported"
    assert status["19"] == "partly"  # the sizes of the splits are there, not how they came about
    assert status["12"] == "partly"  # nobody knows what was imputed before
    assert (status == "reported").sum() < 12
    tripod = pd.read_csv(evaluated / "tables" / "checklist_tripod_ai.csv", keep_default_na=False, dtype=str)
    left = tripod.set_index("item")["authors"]
    assert left["21"] == "how many models were developed on"
    assert left["18f"] == "the code of the models themselves"
    assert "how they were chosen" in left["15"]


def test_a_simulated_cohort_has_no_ethics_and_no_assessors(simulated_context):
    _, tripod, stard = (by_number(found) for found in fill_in(simulated_context).values())
    for answer in (tripod["17"], stard["6"], stard["17b"]):
        assert answer.status == "not applicable"
        assert "simulated" in answer.says


def test_statuses_are_the_four_and_follow_from_what_is_said(full_context, simulated_context):
    for context in (full_context, simulated_context):
        for answers in fill_in(context).values():
            assert sum(counted(answers).values()) == len(answers)
            for answer in answers:
                assert answer.status in STATUSES
                assert bool(answer.says) == (answer.status != "authors must fill in")
                assert bool(answer.authors) == (answer.status in ("partly", "authors must fill in"))


@pytest.mark.parametrize("which", ["full", "simulated", "evaluated"])
def test_every_place_that_is_named_exists(
    which, written, full_context, written_simulated, simulated_context, evaluated
):
    folder, page = {"full": written, "simulated": written_simulated}.get(which, (evaluated, None))
    page = page or (folder / "report.html").read_text(encoding="utf-8")
    headings = set(re.findall(r"<h2 id=[^>]*>([^<]*)</h2>", page)) | {"first screen"}
    places = {
        place
        for path in (folder / "tables").glob("checklist_*.csv")
        for cell in pd.read_csv(path, keep_default_na=False)["where"]
        for place in cell.split("; ")
        if place
    }
    sections = {place for place in places if not re.search(r"\.(csv|json|yaml)|/$", place)}
    assert sections <= {heading.replace("&#39;", "'") for heading in headings}
    if which == "evaluated":
        assert all((folder / place).exists() for place in places - sections)


def test_the_page_counts_and_names_open_items_and_stays_short(written):
    page = written[1]
    section = page[page.index('id="checklists"') :].partition("</section>")[0]
    assert "what only the authors know is left open and marked" in section
    assert section.count("<tr") == 4
    assert "10.1038/s41591-025-03953-8" in section


def test_nothing_is_known_of_an_empty_report_but_its_statistics_and_nothing_breaks():
    frame = made_predictions(("a",), seeds=(0,), folds=1, split="external").drop(columns="p_0")
    evidence = compute_evidence(frame.rename(columns={"p_1": "score"}), bootstrap=20)
    context = ReportContext("Scores alone", evidence)
    assert not {"technology", "training", "partitions", "source", "label", "crosstab"} & set(known_facts(context))
    assert show(context) is not None
    assert {len(frame) for frame in checklist_frames(context).values()} == {44, 52, 48}


def test_several_classes_and_one_class_are_counted_without_a_crash(full_context):
    frame = made_predictions(("a",), seeds=(0,), folds=1, split="test").drop(columns=["p_0", "p_1"])
    frame = frame.assign(p_x=0.2, p_y=0.3, p_z=0.5, label=np.resize(["x", "y", "z"], len(frame)))
    evidence = compute_evidence(frame, bootstrap=20)
    assert "of class z" in known_facts(replace(full_context, evidence=evidence))["class_sizes"].says


def test_an_unknown_checklist_is_refused():
    with pytest.raises(InputError, match="no checklist is called"):
        checklist("consort")
