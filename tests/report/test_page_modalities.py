"""The page's part on arms of several modalities: what each counted, and where nobody has one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from isthmus.report.context import ReportContext
from isthmus.report.modalities import KEY, subset_evidence, summarise_modalities
from isthmus.report.page_modalities import SUBJECT, show

NAMES = ("bmode", "swe")


@pytest.fixture(name="context")
def _context(full_context: ReportContext) -> ReportContext:
    random = np.random.default_rng(1)
    labels = np.array([str(number % 2) for number in range(24)])
    facts = pd.DataFrame({"label": labels, "group_id": [f"p{number // 2}" for number in range(24)]})
    has = {"bmode": np.ones(24), "swe": (np.arange(24) % 3 > 0) * 1.0}
    values = {name: random.normal(labels == "1", 1.0) * has[name] for name in NAMES}
    rows = [
        {"unit_id": f"n{number}", "subset": subset, "fold": 0, "seed": 0, "label": labels[number],
         "group_id": f"p{number // 2}", "p_1": random.normal(subset * (labels[number] == "1"))}
        for number in range(24) for subset in ((1, 2, 3) if has["swe"][number] else (1, 3))
    ]  # fmt: skip
    counted = summarise_modalities(values, has, facts, {"0": "OLNM −", "1": "OLNM <+>"})
    subsets = subset_evidence(pd.DataFrame(rows), NAMES, positive="1", split="cv")
    subsets = [{**entry, "split": "cv", "cohort": "made"} for entry in subsets]
    drawn = {"labels": labels.tolist(), "values": {name: own.tolist() for name, own in values.items()}}
    found = {"new": {"modalities": list(NAMES), "subsets": subsets, "attribution": counted | drawn}}
    return replace(full_context, evidence={**full_context.evidence, KEY: found})


def test_each_modality_has_its_cases_share_size_and_mean_by_class_estimates_over_their_limits(context) -> None:
    table = show(context).tables[-1]
    assert [row.name for row in table.rows] == ["New $net: B-mode", "New $net: elastography"]
    assert table.columns == [
        "Nodules", "Share of what moved the score", "Mean size, log odds", "Mean in OLNM −", "Mean in OLNM <+>",
    ]  # fmt: skip
    assert [row.cells[0].main for row in table.rows] == ["24", "16"]
    assert all("–" in row.cells[1].small for row in table.rows)
    assert table.notes[0] == "New $net: 24 held-out nodules of 12 patients."


def test_a_modality_that_no_case_has_is_a_row_of_dashes(context) -> None:
    found = context.evidence[KEY]["new"]
    nobody = {"units": 0, "size": None, "share": None, "classes": {}}
    absent = {**found["attribution"], "members": {"swe": nobody}}
    alone = {"new": {**found, "attribution": absent}}
    (row,) = show(replace(context, evidence={**context.evidence, KEY: alone})).tables[-1].rows
    assert [cell.main for cell in row.cells] == ["0", "–", "–"]


def test_the_figure_s_text_names_every_share(context) -> None:
    _, title, spoken = SUBJECT.paint(context, None)["modality_shares"]()
    assert spoken.startswith(title)
    assert "New $net, B-mode: share 0." in spoken
    assert "New $net, elastography: share 0." in spoken
