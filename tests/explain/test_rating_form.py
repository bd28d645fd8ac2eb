"""The form is blinded, the same for the same seed, and works in a browser without a network."""

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus.errors import InputError, OutputError
from isthmus.explain.rating_form import RatingForm, drawn_pair, write_rating_form
from isthmus.report.heat_ratings import read_ratings
from tests.explain.made_explanations import write_explanations

CHROMIUM = Path("/usr/bin/chromium")


def make(folder: Path, out: str = "form", **changes: Any) -> RatingForm:
    given = {"title": "A <run>", "positive": "suspicious", "cases": 5, "seed": 3, **changes}
    return write_rating_form({"new": folder / "new", "old": folder / "old"}, folder / out, **given)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_explanations(tmp_path / "new", cold=("secret0_a", "secret1_a", "secret1_b"))
    write_explanations(tmp_path / "old", seed=1)
    return tmp_path


def facts_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    return json.loads(found.group(1))


def test_the_page_says_neither_who_nor_what_a_case_is(folder):
    form = make(folder)
    page = (folder / "form" / "rating_form.html").read_text(encoding="utf-8")
    words = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"secret|patient\d|0\.\d\d|macrocalc", words)
    assert set(facts_of(folder / "form" / "rating_form.html")["cases"][0]) == {"case", "picture", "heat"}
    assert "Research use only" in page
    assert form.form in page


def test_each_patient_comes_once_for_each_arm_in_an_order_of_chance_and_never_without_heat(folder):
    form = make(folder, cases=8)
    key = pd.read_csv(folder / "form" / "key.csv")
    assert len(key) == form.cases == 14  # patient 1 has no heat in one arm
    assert "patient1" not in set(key["group_id"])
    assert "secret0_a" not in set(key["view_id"])
    for _, own in key.groupby("arm"):
        assert own["group_id"].is_unique
    assert set(key.loc[key["arm"] == "new", "view_id"]) == set(key.loc[key["arm"] == "old", "view_id"])
    assert key["view_id"].tolist() != sorted(key["view_id"])
    assert form.without_heat == 3


def test_the_same_seed_makes_the_same_bytes_and_another_seed_another_form(folder):
    forms = [make(folder, name, seed=seed) for name, seed in (("a", 3), ("b", 3), ("c", 4))]
    for file in ("rating_form.html", "key.csv", "form.json"):
        assert (folder / "a" / file).read_bytes() == (folder / "b" / file).read_bytes()
    assert forms[0].form == forms[1].form != forms[2].form


def test_the_score_is_shown_only_on_request(folder):
    make(folder, show_score=True)
    shown = facts_of(folder / "form" / "rating_form.html")["cases"][0]
    key = pd.read_csv(folder / "form" / "key.csv").iloc[0]
    assert shown["score"] == f"Model: {key['probability']:.2f}; threshold 0.50."


def test_the_pictures_are_those_of_the_key(folder):
    make(folder)
    key = pd.read_csv(folder / "form" / "key.csv")
    table = pd.read_csv(folder / "old" / "localisation.csv").set_index("view_id")
    row = key[key["arm"] == "old"].iloc[0]
    place = int(table.loc[row["view_id"], "picture"])
    plain, warm = drawn_pair(
        np.load(folder / "old" / "pictures.npy")[place], np.load(folder / "old" / "heat.npy")[place]
    )
    shown = facts_of(folder / "form" / "rating_form.html")["cases"][int(row["case"]) - 1]
    for drawn, address in ((plain, shown["picture"]), (warm, shown["heat"])):
        decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))), float)
        assert np.abs(decoded - drawn).mean() < 12  # JPEG of noise


def test_what_cannot_be_a_form_is_refused(folder):
    with pytest.raises(InputError, match="1 to 300"):
        make(folder, cases=200)
    (folder / "new" / "pictures.npy").unlink()
    with pytest.raises(InputError, match=r"no pictures\.npy here.*--resume"):
        make(folder)
    (folder / "full").mkdir()
    (folder / "full" / "file").touch()
    write_explanations(folder / "third")
    with pytest.raises(OutputError):
        write_rating_form({"third": folder / "third"}, folder / "full", title="t", positive="p")


@pytest.fixture
def browser() -> Iterator[Any]:
    if not CHROMIUM.is_file():
        pytest.skip(f"no {CHROMIUM}: install Debian's chromium to fill in the form in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


def test_three_cases_are_rated_by_keyboard_survive_a_reload_and_are_read_by_the_analysis(folder, browser, tmp_path):
    make(folder, cases=5, show_score=True)
    page = browser.new_page(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    address = (folder / "form" / "rating_form.html").as_uri()
    page.goto(address)
    page.keyboard.type("R-1")
    page.select_option("#experience", "junior")
    page.press("#experience", "Enter")
    page.click("text=Start, or go on") if page.is_visible("#start") else None
    for keys in (["5", "c", "m", "Enter"], ["2", "n", "c", "n", "Enter"], ["Enter", "3", "f", "t"]):
        for key in keys:
            page.keyboard.press(key)
    page.keyboard.type('shadow, "rim" 45')
    page.keyboard.press("Escape")
    assert page.inner_text("#count") == "3 of 10 rated"
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.goto(address)
    assert page.input_value("#reader") == "R-1"
    page.click("text=Start, or go on")
    assert page.inner_text("#place") == "Case 3 of 10"
    assert page.is_checked('[name=rating][value="3"]')
    assert page.input_value("#comment") == 'shadow, "rim" 45'
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "ratings_R-1.csv"
    file = tmp_path / "ratings_R-1.csv"
    download.value.save_as(file)
    ratings = read_ratings([file], folder / "form" / "key.csv")
    assert ratings["rating"].tolist() == [5, 2, 3]
    assert ratings["criteria"].tolist() == ["composition margin", "none", "echogenic_foci"]
    assert ratings["comment"].iloc[2] == 'shadow, "rim" 45'
    assert set(ratings["experience"]) == {"junior"}

    # To the end: a case without a rating holds the reader back.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert "rate this heat map" in page.inner_text("#say")
    for _ in range(7):
        page.keyboard.press("4")
        page.keyboard.press("ArrowRight")
    assert "10 of 10 are rated" in page.inner_text("#end-words")
    assert problems == []
