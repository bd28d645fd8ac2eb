"""Films and filmstrips on the page: one plays for each arm, all of it bounded, nothing said in silence."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from isthmus.errors import InputError
from isthmus.report import page_films
from isthmus.report.context import Localisation, ReportContext
from isthmus.report.page import write_report
from isthmus.report.page_films import film_parts
from tests.report.made_films import made_film, made_frames
from tests.report.test_page import Page


@pytest.fixture(name="context")
def _context(full_context: ReportContext, tmp_path: Path) -> ReportContext:
    films = [made_film(tmp_path, arm, number) for arm in ("old", "new") for number in (1, 2)]
    found = Localisation([0.4, 0.5, 0.6], [0.5, 0.5, 0.5], 0.7, 0.8, frames=made_frames())
    return replace(full_context, films=films, localisation={"new": found})


def test_one_film_of_each_arm_plays_the_primary_arm_s_first_and_the_others_are_strips(context) -> None:
    shown = film_parts(context)["films"]
    assert [(film["arm"], bool(film["video"]), bool(film["heading"])) for film in shown] == [
        ("new", True, True), ("new", False, False), ("old", True, True), ("old", False, False),
    ]  # fmt: skip
    assert all(film["strip"].startswith("data:image/png;base64,") for film in shown)
    content = base64.b64decode(shown[0]["video"].removeprefix("data:video/mp4;base64,"))
    assert content == (context.films[2].video).read_bytes()
    assert film_parts(context)["films_note"] == ""


def test_what_does_not_fit_the_page_is_left_out_and_said(context, monkeypatch) -> None:
    monkeypatch.setattr(page_films, "MOST_FILMS", 1)
    shown = film_parts(context)
    assert [bool(film["video"]) for film in shown["films"]] == [True, False, False, False]
    assert "no film plays here of Old <net>" in shown["films_note"]
    monkeypatch.setattr(page_films, "STRIP_BYTES", context.films[2].filmstrip.stat().st_size)
    assert "3 filmstrips are left out" in film_parts(context)["films_note"]
    monkeypatch.setattr(page_films, "FILM_BYTES", 10)
    assert not film_parts(context)["films"][0]["video"]


def test_a_film_that_is_gone_is_an_error_and_not_a_hole(context) -> None:
    context.films[0].video.unlink()
    with pytest.raises(InputError, match="no such video"):
        film_parts(context)


def test_the_table_puts_chance_beside_the_frame_of_most_heat(context) -> None:
    (row,) = film_parts(context)["attended"]
    assert row[:3] == ["New $net", "a true calcification", "16; 8 × 8 × 8"]
    assert row[3:7] == ["30", "4", "0.72", "0.41"]
    assert row[7].startswith("0.31 (0.15")
    assert row[8] == "68"
    nowhere = Localisation(
        [0.4], [0.5], frames={"seen": 16, "steps": 8, "lesion": {**made_frames(clips=0)["calcified"]}}
    )
    assert film_parts(replace(context, localisation={"new": nowhere}))["attended_sentences"] == []
    none = Localisation([0.4], [0.5], frames=made_frames(clips=0))
    parts = film_parts(replace(context, localisation={"new": none}))
    assert parts["attended"] == []
    assert parts["attended_sentences"] == ["New $net. Made <sentence>."]


def test_the_page_holds_the_film_with_controls_words_and_a_strip_for_paper(context, tmp_path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    html = write_report(folder, context).read_text(encoding="utf-8")
    assert ">Heat in time</h2>" in html
    videos = re.findall(r"<video [^>]*>", html)
    assert len(videos) == 2
    for wanted in ("controls", "loop", "muted", "playsinline", "aria-label=", "data:video/mp4;base64,"):
        assert all(wanted in video for video in videos), wanted
    assert "autoplay" not in html
    assert "Made &lt;sentence&gt;." in html
    page = Page(html)
    assert page.unnamed == []
    assert len(page.ids) == len(set(page.ids))
    assert re.search(r"@media print.*video\.film \{ display: none; \}", html, re.DOTALL)


def test_a_report_of_stills_has_no_such_section(full_context, written) -> None:
    assert "Heat in time" not in written[1]
