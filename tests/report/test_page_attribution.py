"""The page's part on the members of fused arms."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isthmus.explain.fused_attribution import summarise_members
from isthmus.report.context import ReportContext
from isthmus.report.page import render_page
from isthmus.report.page_attribution import SUBJECT, paint, show

CLASSES = {"0": "OLNM −", "1": "OLNM <+>"}


def made_attribution(cases: int = 30) -> dict[str, Any]:
    random = np.random.default_rng(0)
    labels = [str(number % 2) for number in range(cases)]
    members = {name: random.normal(np.array(labels, float), 1.0) for name in ("old", "clinical")}
    facts = summarise_members(members, labels, [f"p{number}" for number in range(cases)], CLASSES)
    values = {name: own.round(4).tolist() for name, own in members.items()}
    return {"new": {**facts, "labels": [CLASSES[label] for label in labels], "values": values}}


@pytest.fixture(name="context")
def _context(full_context: ReportContext) -> ReportContext:
    return replace(full_context, evidence={**full_context.evidence, "attribution": made_attribution()})


def test_each_member_has_its_share_its_size_and_its_mean_by_class(context) -> None:
    shown = show(context)
    assert shown is not None
    (table,) = shown.tables
    assert [row.name for row in table.rows] == ["New $net: Old <net>", "New $net: clinical"]
    assert table.columns == [
        "Share of what moved the score",
        "Mean size, log odds",
        "Mean in OLNM −",
        "Mean in OLNM <+>",
    ]
    shares = [float(row.cells[0].main.split()[0]) for row in table.rows]
    assert sum(shares) == pytest.approx(1.0, abs=0.011)
    assert table.notes[0] == "New $net: 30 nodules of 30 patients."
    assert shown.sentences[0].startswith(
        "Of what moved the score of New $net, the share of each member was: clinical 0.5"
    )
    still = {"members": {"old": {"size": None, "share": None, "classes": {}}}, "cases": 2, "groups": 2}
    unmoved = show(replace(context, evidence={**context.evidence, "attribution": {"new": still}}))
    assert unmoved is not None
    assert unmoved.sentences == ["New $net: no member moved its score."]


def test_without_fused_arms_there_is_nothing(full_context) -> None:
    assert show(full_context) is None
    assert paint(full_context, None)["attribution"]() is None
    assert SUBJECT.frames({}) == {}


def test_the_page_shows_the_section_and_the_figure_is_drawn(context) -> None:
    html = render_page(context, {}, [])
    assert ">What each member brought to the fused score</h2>" in html
    assert "OLNM &lt;+&gt;" in html
    drawn = paint(context, None)["attribution"]()
    assert drawn is not None
    assert "Old <net>: share 0." in drawn[2]
