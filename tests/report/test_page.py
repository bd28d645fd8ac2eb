import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from isthmus.errors import InputError
from isthmus.report.context import Picture, ReportContext
from isthmus.report.evidence import compute_evidence
from isthmus.report.page import write_report
from tests.report.made import made_context, made_predictions

FIGURES = {"intervals", "roc", "comparisons", "confusion", "calibration", "flow", "labels", "learning", "localisation"}
VOID = {"meta", "link", "img", "br", "path", "use"}


class Page(HTMLParser):
    """Collects what the tests ask of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.tags: list[str] = []
        self.unnamed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if "id" in found:
            self.ids.append(found["id"] or "")
        self.links += [found[name] or "" for name in ("src", "href", "xlink:href", "action") if name in found]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if (tag == "img" and not found.get("alt")) or (tag == "svg" and not found.get("aria-label")):
            self.unnamed.append(tag)


def test_every_figure_lies_beside_the_report_as_svg_and_png(written) -> None:
    folder, _ = written
    assert {path.stem for path in (folder / "figures").glob("*.svg")} >= FIGURES
    assert {path.stem for path in (folder / "figures").glob("*.png")} >= FIGURES


def test_the_page_is_self_contained_and_has_no_script(written) -> None:
    page = Page(written[1])
    assert "script" not in page.tags
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert not re.search(r"@import|url\((?!#)", written[1])


def test_ids_are_unique_and_every_inner_link_has_its_target(written) -> None:
    page = Page(written[1])
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", written[1])) <= set(page.ids)


def test_pictures_have_words_and_headings_descend_by_one(written) -> None:
    page = Page(written[1])
    assert page.unnamed == []
    levels = [int(heading[1]) for heading in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert {"main", "header", "footer", "nav"} <= set(page.tags)


def test_text_from_outside_is_escaped(written) -> None:
    assert "Old &lt;net&gt;" in written[1]
    assert "Case &lt;7&gt;" in written[1]
    assert "<net>" not in written[1]


def test_every_section_is_there_and_the_disclaimer_stands_on_screen_and_paper(written) -> None:
    text = written[1]
    for name in ("Cohort and flow", "Results by arm", "ROC curves", "Comparisons", "Calls and mistakes", "Calibration",
                 "Learning curves", "Heat maps", "Failures", "Methods", "Versions"):  # fmt: skip
        assert f">{name}</h2>" in text, name
    assert text.count("Research use only; not a medical device.") >= 3
    assert "The test set of Made was opened 1 time: by New." in text


def test_the_same_facts_give_the_same_bytes(tmp_path: Path, full_context, written) -> None:
    assert write_report(tmp_path, full_context).read_text(encoding="utf-8") == written[1]
    for name in FIGURES:
        again, before = ((folder / "figures" / f"{name}.png").read_bytes() for folder in (tmp_path, written[0]))
        assert again == before, name


def test_smoke_stands_on_the_page_on_paper_and_on_every_figure(tmp_path: Path, written) -> None:
    smoke = write_report(tmp_path, made_context(marks=["SMOKE"])).read_text(encoding="utf-8")
    assert "SMOKE RUN" in smoke
    assert '@top-right { content: "SMOKE"' in smoke
    assert "SMOKE" not in written[1]
    for name in FIGURES:
        # The mark's red is in no other part of a figure.
        assert "#8a2500" in (tmp_path / "figures" / f"{name}.svg").read_text(encoding="utf-8"), name
        assert "#8a2500" not in (written[0] / "figures" / f"{name}.svg").read_text(encoding="utf-8"), name


def test_a_bare_predictions_table_leaves_empty_sections_out(tmp_path: Path) -> None:
    frame = made_predictions(("only",))
    context = ReportContext("Bare", compute_evidence(frame, bootstrap=20), predictions=frame)
    text = write_report(tmp_path, context).read_text(encoding="utf-8")
    for name in ("Cohort and flow", "Comparisons", "Learning curves", "Heat maps", "Failures"):
        assert f">{name}</h2>" not in text, name
    for name in ("Results by arm", "ROC curves", "Calls and mistakes", "Calibration", "Methods"):
        assert f">{name}</h2>" in text, name


def test_evidence_without_predictions_or_aucs_still_makes_a_page(tmp_path: Path) -> None:
    frame = made_predictions(("only",), seeds=(0,), folds=1, split="test")
    evidence = compute_evidence(frame[frame["label"] == "1"], bootstrap=20)
    text = write_report(tmp_path, ReportContext("One class", evidence)).read_text(encoding="utf-8")
    assert "a class has no case here" in text.lower()


def test_a_missing_gallery_picture_is_one_clear_line(tmp_path: Path) -> None:
    context = made_context((Picture(tmp_path / "none.png", "gone"),))
    with pytest.raises(InputError, match="no such picture"):
        write_report(tmp_path, context)
    with pytest.raises(InputError, match="does not show this kind"):
        write_report(tmp_path, replace(context, gallery=[Picture(tmp_path / "scan.dcm", "DICOM")]))


def test_without_the_frozen_calibrators_probabilities_are_not_called_calibrated(tmp_path: Path, written) -> None:
    text = write_report(tmp_path, made_context(frozen=None)).read_text(encoding="utf-8")
    assert "Calibration of the probabilities (as given)" in text
    assert "Probability, uncalibrated" in text
    assert "Calibration of the probabilities (calibrated)" in written[1]
