"""The page's part on the lesion's edge and on the frame that counted."""

from dataclasses import replace
from typing import Any

import pytest

from isthmus.report.context import Localisation, ReportContext
from isthmus.report.page import render_page
from isthmus.report.page_edges import SUBJECT, paint, show


def entry(estimate: float, low: float | None, high: float | None) -> dict[str, Any]:
    return {"estimate": estimate, "low": low, "high": high, "level": 0.95, "method": "made"}


def made_edges() -> dict[str, Any]:
    facts = {
        "classes": {
            "OLNM −": {"views": 60, "groups": 55, "share": entry(0.47, 0.45, 0.49)},
            "OLNM <+>": {"views": 20, "groups": 18, "share": entry(0.53, 0.50, 0.56)},
        },
        "fewest": 18,
        "difference": entry(0.06, 0.02, 0.10),
        "even": 0.5,
        "gaussian": 0.36,
        "edge_on_grid": 0.73,
        "centre_on_grid": 0.19,
        "sentence": "Made <edge>.",
    }
    return {"heat_at_edge": facts, "against_at_edge": {**facts, "difference": None, "sentence": "Made against."}}


def made_counted() -> dict[str, Any]:
    shares = [entry(value, value - 0.05, value + 0.05) for value in (0.1, 0.2, 0.4, 0.2, 0.1)]
    facts = {"clips": 80, "groups": 73, "even": 0.2, "shares": shares, "sentence": "Frame 3 counted."}
    return {"seen": 5, "steps": 1, "cells": [7, 7], "maps": "last", "counted": facts}


@pytest.fixture(name="context")
def _context(full_context: ReportContext) -> ReportContext:
    still = Localisation([0.4, 0.5], [0.5, 0.5], edges=made_edges())
    clips = Localisation([0.4, 0.5], [0.5, 0.5], frames=made_counted())
    return replace(full_context, localisation={"new": still, "old": clips})


def test_each_class_has_its_share_its_patients_and_their_difference(context) -> None:
    shown = show(context)
    assert shown is not None
    edges, counted = shown.tables
    assert edges.columns == [
        "Evidence", "OLNM −", "OLNM <+>", "Difference", "A centred Gaussian", "The halves on the maps' grid",
    ]  # fmt: skip
    towards, against = edges.rows
    assert [cell.main for cell in towards.cells] == [
        "for", "0.47 (0.45–0.49)", "0.53 (0.50–0.56)", "0.06 (0.02–0.10)", "0.36", "0.19–0.73",
    ]  # fmt: skip
    assert towards.cells[2].small == "20 views, 18 patients"
    assert [cell.main for cell in against.cells][:4] == ["against", "0.47 (0.45–0.49)", "0.53 (0.50–0.56)", "–"]
    assert counted.columns == ["Clips; patients", *(f"Frame {place}" for place in range(1, 6))]
    assert [cell.main for cell in counted.rows[0].cells][:4] == [
        "80; 73", "0.10 (0.05–0.15)", "0.20 (0.15–0.25)", "0.40 (0.35–0.45)",
    ]  # fmt: skip


def test_the_sentences_name_their_arm(context) -> None:
    shown = show(context)
    assert shown is not None
    assert shown.sentences == ["New $net. Made <edge>.", "New $net. Made against.", "Old <net>. Frame 3 counted."]
    assert shown.figures == ("edges",)


def test_without_heat_there_is_no_section_and_clips_alone_need_no_figure(context) -> None:
    assert show(replace(context, localisation={})) is None
    clips = replace(context, localisation={"old": context.localisation["old"]})
    shown = show(clips)
    assert shown is not None
    assert (shown.figures, len(shown.tables)) == ((), 1)
    assert paint(clips, None)["edges"]() is None
    assert SUBJECT.frames({}) == {}


def test_the_page_shows_the_section_and_the_figure_is_drawn(context) -> None:
    html = render_page(context, {}, [])
    assert SUBJECT.heading.replace("'", "&#39;") in html
    assert "Made &lt;edge&gt;." in html
    drawn = paint(context, None)["edges"]()
    assert drawn is not None
    assert "OLNM <+> 0.53 (0.50–0.56)" in drawn[2]
