"""The page's part on the features that fused arms kept, from heads that were really fitted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isthmus.report.context import ReportContext
from isthmus.report.page import write_report
from isthmus.report.page_selection import SUBJECT, paint, show
from isthmus.report.selection import DRAWN, Head, recurring_in_words, summarise_selection
from isthmus.training.fusion import FusionSettings, fit_head
from isthmus.training.lasso import LassoSettings

COLUMNS = ("old:0", "old:1", "old:2", "clip:0", "clip:1", "clinical:size_mm")


def path(seed: int, *, signal: float = 2.0, lasso: bool = True) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    labels = np.arange(30) % 3 == 0
    features = random.normal(size=(30, 6))
    features[:, [0, 5]] += signal * labels[:, None]
    features[:, 2] = 4.0
    settings = FusionSettings(lasso=LassoSettings(cv=3, count=12, largest=0.5) if lasso else None)
    groups = [f"p{number}" for number in range(30)]
    return fit_head(features, labels, groups, COLUMNS, "logistic", settings, seed).path


def heads(**options: Any) -> list[Head]:
    return [
        Head(0, fold, pair, path(2 * fold + place, **options)) for fold in (0, 1) for place, pair in enumerate("ab")
    ]


def nothing_left(head: Head) -> Head:
    lasso = {**head.path["lasso"], "fallback": True, "selected": ["old:1"], "weights": [0.1]}
    return head._replace(path={**head.path, "lasso": lasso})


@pytest.fixture(name="context")
def _context(full_context: ReportContext) -> ReportContext:
    own = heads()
    facts = {
        "new": summarise_selection([*own[:3], nothing_left(own[3])], "cross_fit"),
        "old": summarise_selection([Head(0, 0, "all", path(9, lasso=False))], "paper"),
    }
    return replace(full_context, evidence={**full_context.evidence, "selection": facts})


def test_a_fused_arm_s_features_are_counted_from_all_to_those_selected(context: ReportContext) -> None:
    shown = show(context)
    assert shown is not None
    (table,) = shown.tables
    assert table.columns[:6] == ["Heads", "Features", "Constant", "Correlated", "Selected", "Penalty"]
    assert [cell.main for cell in table.rows[0].cells[:4]] == ["4", "6", "1", "0"]
    assert table.rows[0].cells[4].small == "none in 1"
    assert "In 1 of 4 heads it left none" in shown.sentences[0]
    assert "clinical size_mm (3 of 4)" in shown.sentences[0]
    assert "No LASSO: all that are neither constant nor repeat another go into the classifier." in shown.sentences[1]
    assert shown.figures == ("selection",)


def test_the_paper_s_way_is_warned_of(context: ReportContext) -> None:
    shown = show(context)
    assert shown is not None
    (warning,) = shown.warnings
    assert "the very patients that its networks were trained on" in warning


def test_only_features_that_mean_the_same_in_every_head_are_followed() -> None:
    facts = summarise_selection(heads(), "cross_fit")
    assert set(facts["recurring"]) == {"clinical:size_mm"}
    assert recurring_in_words(facts) == "Kept in how many heads: clinical size_mm (4 of 4)."


def test_what_is_kept_for_the_figure_is_small_and_has_every_selected_path() -> None:
    long = path(0)
    names = [f"old:{place}" for place in range(300)]
    wide = {
        "entered": names,
        "coefficients": [[0.0, place + 0.123456789] for place in range(300)],
        "selected": ["old:0"],
        "weights": [0.5],
    }
    long["lasso"] |= wide
    cut = summarise_selection([Head(0, 0, "a", long)], "cross_fit")["shown"]["pairs"]["a"]["lasso"]
    assert len(cut["entered"]) == len(cut["coefficients"]) == DRAWN
    assert cut["entered"][:2] == ["old:0", f"old:{300 - DRAWN + 1}"]
    assert cut["coefficients"][-1] == [0.0, 299.1]
    json.dumps(cut, allow_nan=False)


def test_without_fused_arms_there_is_nothing(full_context: ReportContext) -> None:
    assert show(full_context) is None
    assert paint(full_context, None) == {}
    assert SUBJECT.frames({}) == {}


def test_the_page_shows_the_section_with_its_figure(context: ReportContext, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    html = write_report(folder, context).read_text(encoding="utf-8")
    assert ">Which features of its members a fused arm kept</h2>" in html
    assert 'id="figure-selection"' in html
    assert "Seed 0, fold 1, both halves." in html
